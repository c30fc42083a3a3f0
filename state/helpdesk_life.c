/* helpdesk_life.c -- the loads of an index: one at a time, for all who wanted one before it began.
 *
 * DESIGN.  As in search.c, whoever wants a load raises a number; a load notes the number as it
 * begins, and if it has risen by the end there is another.  So however many ask at once, one load
 * serves them all, and none is answered by a load that began before it asked.  Loads run on threads
 * of the helpdesk's own: an asker who gives up only stops waiting. */
#include "state/helpdesk_private.h"

#include "state/base/json_put.h"
#include "state/base/keeper.h"
#include "state/base/log.h"
#include "state/bus.h"

#include <stdio.h>

LOG_MODULE("helpdesk");

/* ---- One load ---- */

void
helpdesk_tell(struct helpdesk *h, const char *topic, const char *tenant, json_t *data)
{
    bus_publish(
        h->options.bus,
        &(struct bus_draft){.topic = topic, .tenant = tenant, .source = "helpdesk", .data = data});
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
             F_STR("by", index->without[0] ? "words" : "vectors"), F_INT("ms", took_ns / 1000000));
    json_put_int(data, "generation", (int64_t)index->generation);
    json_put_int(data, "documents", (int64_t)index->documents);
    json_put_int(data, "vectors", index->without[0] ? 0 : (int64_t)index->count);
    json_put_bool(data, "degraded", index->without[0]);
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
    d->fault = (struct fault)FAULT_INIT;
    d->failures = 0;
    UNLOCK(HELPDESK, &h->lock);
    helpdesk_index_unref(old);
}

/* Notes how a load has ended, and wakes all who wait.  True if another is wanted. */
static bool
settle(struct desk *d, enum err err, const struct fault *f)
{
    struct helpdesk *h = d->helpdesk;
    bool more;

    LOCK(HELPDESK, &h->lock);
    if (err) {
        d->fault = *f;
        d->fault.code = err;
        d->failures++;
        d->load_failures++;
        h->totals.failures++;
        d->retry_at = clock_mono(h->options.clock) + retry_delay(d->failures);
    }
    d->seen = d->running;
    if (d->seen != d->wanted &&
        atomic_load(&h->stopping)) { /* Those who came since wait in vain. */
        fault_set(&d->fault, E_CANCELLED, "the server is ending");
        d->seen = d->wanted;
    }
    more = d->seen != d->wanted;
    d->busy = more;
    if (h->retries && err && helpdesk_lacks(d) && !more) {
        keeper_stir(h->retries); /* Under the lock: helpdesk_destroy() drops it. */
    }
    cond_broadcast(&h->changed);
    UNLOCK(HELPDESK, &h->lock);
    return more;
}

static bool
load_once(struct desk *d)
{
    struct helpdesk *h = d->helpdesk;
    const struct clock *clock = h->options.clock;
    struct embed_limits limits = {.deadline_ns = INT64_MAX, .stop.flag = &h->stopping};
    struct helpdesk_index *old, *index = NULL;
    struct fault f = FAULT_INIT;
    int64_t began = clock_mono(clock);
    json_t *data = json_must(json_object());
    bool clear;
    enum err err;

    LOCK(HELPDESK, &h->lock);
    d->running = d->wanted;
    d->loads++;
    h->totals.loads++;
    d->attempts++;
    clear = d->clear;
    d->clear = false;
    old = d->current ? helpdesk_index_ref(d->current) : NULL;
    UNLOCK(HELPDESK, &h->lock);
    json_put_bool(data, "again", old != NULL);
    tell_of(d, "helpdesk.loading", data);
    err = helpdesk_load(&h->options.place, d->name, old, clear, &limits, &index, &f);
    if (index) {
        publish(d, helpdesk_index_ref(index));
        tell_loaded(d, index, old != NULL, clock_mono(clock) - began);
    }
    if (err && err != E_CANCELLED) {
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
void
helpdesk_begin(struct desk *d, struct slot_pin pin)
{
    struct helpdesk *h = d->helpdesk;
    struct fault f = FAULT_INIT;
    enum err err = E_OK;
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
        return;
    }
    if (atomic_load(&h->stopping)) {
        err = fault_set(&f, E_CANCELLED, "the server is ending");
    } else if (pool_submit(h->loaders, &d->job, LANE_IDE) != E_OK) {
        err = fault_set(&f, E_NOT_READY, "too many helpdesk indexes are being loaded");
    }
    if (err) {
        do { /* Who comes meanwhile is told the same: nobody else would. */
            LOCK(HELPDESK, &h->lock);
            d->running = d->wanted;
            UNLOCK(HELPDESK, &h->lock);
        } while (settle(d, err, &f));
        slots_unpin(h->desks, &pin);
    }
}

uint64_t
helpdesk_want_locked(struct desk *d, bool again) REQUIRES(LC_HELPDESK)
{
    d->attempts = again ? d->attempts : 0;
    return ++d->wanted;
}
