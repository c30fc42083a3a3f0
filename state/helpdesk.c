/* helpdesk.c -- the life of each index: who loads it, who waits, and when it is tried again.
 *
 * DESIGN.  As in search.c, whoever wants a load raises a number; a load notes the number as it
 * begins, and if it has risen by the end there is another.  So however many ask at once, one load
 * serves them all, and none is answered by a load that began before it asked.  Loads run on threads
 * of the helpdesk's own: an asker who gives up only stops waiting. */
#include "state/helpdesk_private.h"

#include "state/base/json_put.h"
#include "state/base/keeper.h"
#include "state/base/log.h"

#include <assert.h>
#include <stdio.h>

LOG_MODULE("helpdesk");

#define LOADERS 2u                 /* Threads: a slow index holds up one other at most. */
#define LOADS_WAITING 256u         /* For a thread. */
#define LOOK_NS INT64_C(100000000) /* How often a waiting asker is asked if he still wants it. */
#define RETRY_LOOK_MS 500u

static const char *const state_names[] = {
#define ROW(NAME, WORD) WORD,
    HELPDESK_STATES(ROW)
#undef ROW
};

const char *
helpdesk_state_name(enum helpdesk_state state)
{
    return state_names[state];
}

/* ---- Desks ---- */

static enum err
load_desk(void *owner, const char *key, const char *version, void *arg, void **value,
          struct fault *f)
{
    struct desk *d = xcalloc(1, sizeof *d);

    (void)version, (void)arg, (void)f;
    d->helpdesk = owner;
    d->name = xstrdup(key);
    *value = d;
    return E_OK;
}

static UNSHARED void
free_desk(void *value)
{
    struct desk *d = value;

    helpdesk_index_unref(d->current);
    free(d->name);
    free(d);
}

static const struct slots_class desks_class = {"helpdesk_indexes", load_desk, free_desk};

/* The desk of the index that 'asker' asks for, pinned. */
static enum err
find_desk(struct helpdesk *h, const struct helpdesk_asker *asker, struct slot_pin *pin,
          struct fault *f)
{
    const char *name = asker->index ? asker->index : HELPDESK_SHARED;
    struct desk *d;
    enum err err;

    if (!helpdesk_name_valid(slice_of(name))) {
        fault_set(f, E_ARGUMENT, "helpdesk.index of this tenant names no index");
        return fault_remedy(f, "a name is 1 to 64 of a-z, 0-9, '_' and '-'");
    }
    err = slots_get(h->desks, name, NULL, NULL, asker->deadline_ns, pin, f);
    if (!err) {
        d = pin->value;
        LOCK(HELPDESK, &h->lock);
        d->self = *pin;
        if (!d->tenant[0] && asker->tenant) {
            snprintf(d->tenant, sizeof d->tenant, "%s", asker->tenant);
        }
        UNLOCK(HELPDESK, &h->lock);
    }
    return err;
}

/* ---- One load ---- */

void
helpdesk_tell(struct helpdesk *h, const char *topic, const char *tenant, json_t *data)
{
    (void)h, (void)topic, (void)tenant;
    json_decref(data);
}

/* Tells 'topic' about the index to those whose it is.  'd' is pinned; 'data' is stolen. */
static void
tell_of(struct desk *d, const char *topic, json_t *data)
{
    char tenant[HELPDESK_NAME_SIZE];

    LOCK(HELPDESK, &d->helpdesk->lock);
    memcpy(tenant, d->tenant, sizeof tenant);
    UNLOCK(HELPDESK, &d->helpdesk->lock);
    json_put_text(data, "index", d->name);
    helpdesk_tell(d->helpdesk, topic, strcmp(d->name, HELPDESK_SHARED) == 0 ? NULL : tenant, data);
}

static void
tell_loaded(struct desk *d, const struct helpdesk_index *index, bool again, int64_t took_ns)
{
    json_t *data = json_must(json_object());

    log_info("the helpdesk index is loaded", F_STR("index", d->name),
             F_UINT("documents", index->documents), F_UINT("passages", index->count),
             F_UINT("skipped", index->skipped), F_UINT("generation", index->generation),
             F_INT("ms", took_ns / 1000000));
    json_put_int(data, "generation", (int64_t)index->generation);
    json_put_int(data, "documents", (int64_t)index->documents);
    json_put_int(data, "vectors", (int64_t)index->count);
    json_put_int(data, "took_ms", took_ns / 1000000);
    tell_of(d, again ? "helpdesk.reloaded" : "helpdesk.ready", data);
}

static void
tell_failed(struct desk *d, const struct fault *f)
{
    json_t *data = json_must(json_object());

    log_error("the helpdesk index could not be loaded", F_STR("index", d->name),
              F_STR("why", f->text));
    json_put_text(data, "code", err_info(f->code)->code);
    json_put_text(data, "error", f->text);
    tell_of(d, "helpdesk.failed", data);
}

static int64_t
retry_delay(unsigned failures)
{
    int64_t delay = HELPDESK_RETRY_NS;

    while (--failures && delay < HELPDESK_RETRY_MOST_NS) {
        delay *= 2;
    }
    return delay < HELPDESK_RETRY_MOST_NS ? delay : HELPDESK_RETRY_MOST_NS;
}

/* Puts 'index' (taken over) in the place of the current one. */
static void
publish(struct desk *d, struct helpdesk_index *index)
{
    struct helpdesk *h = d->helpdesk;
    struct helpdesk_index *old;

    index->generation = atomic_fetch_add(&h->generations, 1) + 1;
    index->loaded_ns = clock_wall(h->options.clock);
    LOCK(HELPDESK, &h->lock);
    old = d->current;
    d->current = index;
    UNLOCK(HELPDESK, &h->lock);
    helpdesk_index_unref(old);
}

/* Notes how a load has ended, and wakes all who wait.  True if another is wanted. */
static bool
settle(struct desk *d, enum err err, const struct fault *f)
{
    struct helpdesk *h = d->helpdesk;
    struct keeper_job *retries = atomic_load(&h->retries);
    bool more, retry;

    LOCK(HELPDESK, &h->lock);
    d->fault = *f;
    d->fault.code = err;
    d->failures = err ? d->failures + 1 : 0;
    d->load_failures += err != E_OK;
    if (err) {
        d->retry_at = clock_mono(h->options.clock) + retry_delay(d->failures);
    }
    d->seen = d->running;
    more = d->seen != d->wanted && !atomic_load(&h->stopping);
    d->busy = more;
    retry = err && !d->current && !more;
    cond_broadcast(&h->changed);
    UNLOCK(HELPDESK, &h->lock);
    if (retry && retries) {
        keeper_stir(retries);
    }
    return more;
}

static bool
load_once(struct desk *d)
{
    struct helpdesk *h = d->helpdesk;
    const struct clock *clock = h->options.clock;
    struct embed_limits limits = {INT64_MAX, &h->stopping};
    struct helpdesk_index *old, *index = NULL;
    struct fault f = FAULT_INIT;
    int64_t began = clock_mono(clock);
    json_t *data = json_must(json_object());
    bool clear;
    enum err err;

    LOCK(HELPDESK, &h->lock);
    d->running = d->wanted;
    d->loads++;
    d->attempts++;
    clear = d->clear;
    d->clear = false;
    old = d->current ? helpdesk_index_ref(d->current) : NULL;
    UNLOCK(HELPDESK, &h->lock);
    json_put_bool(data, "again", old != NULL);
    tell_of(d, "helpdesk.loading", data);
    err = helpdesk_load(&h->options.place, d->name, clear ? NULL : old, &limits, &index, &f);
    if (!err) {
        publish(d, helpdesk_index_ref(index));
        tell_loaded(d, index, old != NULL, clock_mono(clock) - began);
    } else if (err != E_CANCELLED) {
        tell_failed(d, &f);
    }
    helpdesk_index_unref(index);
    helpdesk_index_unref(old);
    return settle(d, err, &f);
}

/* On a thread of the helpdesk's. */
static void
run_load(struct job *job)
{
    struct desk *d = (struct desk *)job;
    struct helpdesk *h = d->helpdesk;
    struct slot_pin pin;

    LOCK(HELPDESK, &h->lock);
    pin = d->working; /* The next load may be begun before this one lets go. */
    UNLOCK(HELPDESK, &h->lock);
    while (load_once(d)) {
    }
    slots_unpin(h->desks, &pin);
}

/* ---- Who begins one ---- */

/* Begins the load of 'd' that is wanted, unless somebody has done so since.  Takes over 'pin',
 * which is of 'd'. */
static void
begin(struct desk *d, struct slot_pin pin)
{
    struct helpdesk *h = d->helpdesk;
    struct fault f = FAULT_INIT;
    bool mine;

    LOCK(HELPDESK, &h->lock);
    mine = !d->busy && d->seen != d->wanted;
    if (mine) {
        d->busy = true;
        d->working = pin;
        d->job.run = run_load;
    }
    UNLOCK(HELPDESK, &h->lock);
    if (!mine) {
        slots_unpin(h->desks, &pin);
    } else if (atomic_load(&h->stopping) || pool_submit(h->loaders, &d->job, LANE_IDE) != E_OK) {
        fault_set(&f, E_NOT_READY, "too many helpdesk indexes are being loaded");
        LOCK(HELPDESK, &h->lock);
        d->running = d->wanted;
        UNLOCK(HELPDESK, &h->lock);
        settle(d, E_NOT_READY, &f);
        slots_unpin(h->desks, &pin);
    }
}

/* Notes that somebody wants a load, which is to be begun then. */
static uint64_t
want_locked(struct desk *d, bool again) REQUIRES(LC_HELPDESK)
{
    d->attempts = again ? d->attempts : 0;
    return ++d->wanted;
}

/* ---- Who waits ---- */

/* Waits until a load that the asker wanted as number 'mine' has ended; with 'mine' 0, until there
 * is an index or nobody makes one.  E_TIMEOUT, E_CANCELLED. */
static enum err
wait_for(struct desk *d, uint64_t mine, const struct helpdesk_asker *asker)
{
    struct helpdesk *h = d->helpdesk;
    enum err err = E_OK;
    bool done;

    do {
        int64_t now = clock_mono(clock_real()), until = asker->deadline_ns;

        if (asker->stopped && until - now > LOOK_NS) {
            until = now + LOOK_NS;
        }
        LOCK(HELPDESK, &h->lock);
        done = mine ? d->seen >= mine : d->current || !d->busy;
        if (!done && now < asker->deadline_ns) {
            cond_wait(&h->changed, &h->lock, until);
        }
        UNLOCK(HELPDESK, &h->lock);
        if (!done && now >= asker->deadline_ns) {
            err = E_TIMEOUT;
        } else if (!done && asker->stopped && asker->stopped(asker->arg)) {
            err = E_CANCELLED;
        }
    } while (!done && !err);
    return err;
}

/* What an asker is told who waited in vain. */
static enum err
tell_vain(enum err err, struct fault *f)
{
    fault_set(f, err, err == E_TIMEOUT ? "the helpdesk index is still being loaded" : "given up");
    return err == E_TIMEOUT
               ? fault_remedy(f, "ask again; get_helpdesk_status tells when it is ready")
               : err;
}

/* Why there is no index to search. */
static enum err
tell_unready(const struct fault *why, int64_t retry_ns, struct fault *f)
{
    fault_set(f, E_NOT_READY, "the helpdesk index cannot be loaded: %s", why->text);
    return fault_remedy(f, "%s%sit is tried again in %lld s, or by reload_helpdesk_index",
                        why->remedy, why->remedy[0] ? "; " : "",
                        retry_ns > 0 ? (long long)((retry_ns + 999999999) / 1000000000) : 0LL);
}

enum err
helpdesk_pin(struct helpdesk *h, const struct helpdesk_asker *asker, struct helpdesk_index **index,
             struct fault *f)
{
    struct fault why = FAULT_INIT;
    struct slot_pin pin;
    struct desk *d;
    int64_t retry_ns;
    bool load;
    enum err err = find_desk(h, asker, &pin, f);

    *index = NULL;
    if (err) {
        return err;
    }
    d = pin.value;
    LOCK(HELPDESK, &h->lock);
    load =
        !d->current && !d->busy && (!d->fault.code || clock_mono(h->options.clock) >= d->retry_at);
    if (load) {
        want_locked(d, false);
    }
    UNLOCK(HELPDESK, &h->lock);
    if (load) {
        begin(d, slots_pin_again(h->desks, &pin));
    }
    err = wait_for(d, 0, asker);
    LOCK(HELPDESK, &h->lock);
    if (d->current) {
        *index = helpdesk_index_ref(d->current);
        d->searches++;
    }
    why = d->fault;
    retry_ns = d->retry_at - clock_mono(h->options.clock);
    UNLOCK(HELPDESK, &h->lock);
    slots_unpin(h->desks, &pin);
    return *index ? E_OK : err ? tell_vain(err, f) : tell_unready(&why, retry_ns, f);
}

enum err
helpdesk_reload(struct helpdesk *h, const struct helpdesk_asker *asker, bool clear, struct fault *f)
{
    struct fault why = FAULT_INIT;
    struct slot_pin pin;
    struct desk *d;
    uint64_t mine;
    enum err err = find_desk(h, asker, &pin, f);

    if (err) {
        return err;
    }
    d = pin.value;
    LOCK(HELPDESK, &h->lock);
    mine = want_locked(d, false);
    d->clear = d->clear || clear;
    UNLOCK(HELPDESK, &h->lock);
    begin(d, slots_pin_again(h->desks, &pin));
    err = wait_for(d, mine, asker);
    LOCK(HELPDESK, &h->lock);
    why = d->fault;
    UNLOCK(HELPDESK, &h->lock);
    slots_unpin(h->desks, &pin);
    if (err) {
        return tell_vain(err, f);
    }
    if (why.code && f) {
        *f = why;
    }
    return why.code;
}

/* ---- Trying again ---- */

/* Tries an index again whose time has come; '*arg' is set if there is one whose time will. */
static bool
retry_desk(void *arg, const char *key, void *value)
{
    struct desk *d = value;
    struct helpdesk *h = d->helpdesk;
    struct slot_pin pin;
    bool failed, due;

    (void)key;
    LOCK(HELPDESK, &h->lock);
    failed = !d->current && !d->busy && d->fault.code && d->attempts < HELPDESK_ATTEMPTS;
    due = failed && clock_mono(h->options.clock) >= d->retry_at;
    if (due) {
        want_locked(d, true);
    }
    pin = d->self;
    UNLOCK(HELPDESK, &h->lock);
    if (due) {
        begin(d, slots_pin_again(h->desks, &pin));
    }
    *(bool *)arg = *(bool *)arg || failed;
    return true;
}

bool
helpdesk_retry(struct helpdesk *h)
{
    bool waits = false;

    slots_each(h->desks, retry_desk, &waits);
    return waits;
}

static bool
run_retries(void *arg)
{
    return helpdesk_retry(arg);
}

void
helpdesk_keep(struct helpdesk *h, struct keeper *keeper, bool preload)
{
    struct helpdesk_asker nobody = {.deadline_ns = INT64_MAX};
    struct slot_pin pin;
    struct desk *d;

    atomic_store(&h->retries, keeper_every(keeper, RETRY_LOOK_MS, run_retries, h));
    if (preload && find_desk(h, &nobody, &pin, NULL) == E_OK) {
        d = pin.value;
        LOCK(HELPDESK, &h->lock);
        want_locked(d, false);
        UNLOCK(HELPDESK, &h->lock);
        begin(d, pin);
    }
}

/* ---- The whole ---- */

UNSHARED struct helpdesk *
helpdesk_create(const struct helpdesk_options *options)
{
    struct helpdesk *h = xcalloc(1, sizeof *h);

    h->options = *options;
    h->folder = xstrdup(options->place.folder);
    h->options.place.folder = h->folder;
    h->options.place.root = dir_ref(options->place.root);
    embedder_ref(options->place.embedder);
    h->desks = slots_create(&desks_class, h, options->indexes);
    h->loaders = pool_create(LOADERS, 0, LOADS_WAITING);
    lock_init(&h->lock, RANK_HELPDESK);
    cond_init(&h->changed);
    return h;
}

void
helpdesk_give_up(struct helpdesk *h)
{
    atomic_store(&h->stopping, true);
}

UNSHARED void
helpdesk_destroy(struct helpdesk *h)
{
    if (!h) {
        return;
    }
    helpdesk_give_up(h);
    keeper_drop(atomic_load(&h->retries));
    pool_destroy(h->loaders);
    slots_destroy(h->desks);
    embedder_unref(h->options.place.embedder);
    dir_unref(h->options.place.root);
    free(h->folder);
    cond_fini(&h->changed);
    lock_fini(&h->lock);
    free(h);
}

static void
read_status_locked(const struct desk *d, int64_t now, struct helpdesk_status *s)
    REQUIRES(LC_HELPDESK)
{
    const struct helpdesk_index *index = d->current;

    s->state = index           ? HELPDESK_READY
               : d->busy       ? HELPDESK_LOADING
               : d->fault.code ? HELPDESK_FAILED
                               : HELPDESK_UNLOADED;
    s->reloading = index && d->busy;
    s->loads = d->loads;
    s->failures = d->load_failures;
    s->searches = d->searches;
    if (d->fault.code) {
        memcpy(s->error, d->fault.text, sizeof s->error);
    }
    if (s->state == HELPDESK_FAILED && d->retry_at > now) {
        s->retry_ns = d->retry_at - now;
    }
    if (index) {
        s->vectors = index->count;
        s->documents = index->documents;
        s->skipped = index->skipped;
        s->reused = index->reused;
        s->dimension = index->vectors.dimension ? index->vectors.dimension : s->dimension;
        s->loaded_ns = index->loaded_ns;
        s->stale = index->stale;
        s->generation = index->generation;
        memcpy(s->embedder, index->embedder, sizeof s->embedder);
    }
}

void
helpdesk_status(struct helpdesk *h, const char *index, struct helpdesk_status *status)
{
    const struct embedder *embedder = h->options.place.embedder;
    struct slot_pin pin;

    *status = (struct helpdesk_status){.state = HELPDESK_UNLOADED};
    status->dimension = atomic_load(&embedder->dimension);
    memcpy(status->embedder, embedder->identity, sizeof status->embedder);
    if (slots_peek(h->desks, index ? index : HELPDESK_SHARED, &pin)) {
        LOCK(HELPDESK, &h->lock);
        read_status_locked(pin.value, clock_mono(h->options.clock), status);
        UNLOCK(HELPDESK, &h->lock);
        slots_unpin(h->desks, &pin);
    }
}

struct slots_counters
helpdesk_counters(struct helpdesk *h)
{
    return slots_counters(h->desks);
}
