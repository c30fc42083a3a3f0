/* helpdesk.c -- the table of indexes, their state, and when one is tried again. */
#include "state/helpdesk_private.h"

#include "state/base/keeper.h"

#include <stdio.h>

#define LOADERS 2u         /* Threads: a slow index holds up one other at most. */
#define LOADS_WAITING 256u /* For a thread. */
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

enum err
helpdesk_find_desk(struct helpdesk *h, const struct helpdesk_asker *asker, struct slot_pin *pin,
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
    failed = helpdesk_lacks(d) && !d->busy && d->fault.code && d->attempts < HELPDESK_ATTEMPTS;
    due = failed && clock_mono(h->options.clock) >= d->retry_at;
    if (due) {
        helpdesk_want_locked(d, true);
    }
    pin = d->self;
    UNLOCK(HELPDESK, &h->lock);
    if (due) {
        helpdesk_begin(d, slots_pin_again(h->desks, &pin));
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
    struct keeper_job *retries = keeper_every(keeper, RETRY_LOOK_MS, run_retries, h);
    struct slot_pin pin;
    struct desk *d;

    LOCK(HELPDESK, &h->lock);
    h->retries = retries;
    UNLOCK(HELPDESK, &h->lock);
    if (preload && helpdesk_find_desk(h, &nobody, &pin, NULL) == E_OK) {
        d = pin.value;
        LOCK(HELPDESK, &h->lock);
        helpdesk_want_locked(d, false);
        UNLOCK(HELPDESK, &h->lock);
        helpdesk_begin(d, pin);
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

/* From here on no load that is still under way stirs the job, and the job begins none. */
static void
end_retries(struct helpdesk *h)
{
    struct keeper_job *retries;

    LOCK(HELPDESK, &h->lock);
    retries = h->retries;
    h->retries = NULL;
    UNLOCK(HELPDESK, &h->lock);
    keeper_drop(retries);
}

UNSHARED void
helpdesk_destroy(struct helpdesk *h)
{
    if (!h) {
        return;
    }
    helpdesk_give_up(h);
    end_retries(h);
    pool_destroy(h->loaders);
    slots_destroy(h->desks);
    helpdesk_remote_destroy(h->options.place.remote);
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
    if (d->fault.code && helpdesk_lacks(d) && !d->busy && d->retry_at > now) {
        s->retry_ns = d->retry_at - now;
    }
    if (index) {
        s->degraded = index->without[0];
        s->vectors = s->degraded ? 0 : index->count;
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

struct helpdesk_totals
helpdesk_totals(struct helpdesk *h)
{
    struct helpdesk_totals totals;

    LOCK(HELPDESK, &h->lock);
    totals = h->totals;
    UNLOCK(HELPDESK, &h->lock);
    return totals;
}

struct slots_counters
helpdesk_counters(struct helpdesk *h)
{
    return slots_counters(h->desks);
}
