/* planted.c -- a counter, a cache of one, a gate, a queue: right, and wrong in one place each. */
#include "tests/prove/planted.h"

#include "state/base/lock.h"
#include "tests/prove/sched.h"

#include <stdatomic.h>

#define THREADS 3
#define LIMIT 2u

static struct {
    struct lock lock;
    struct cond changed;
    bool bug;
    bool ready, loading;
    unsigned count, loads, items;
    _Atomic unsigned taken;
} model;

static void
model_init(bool bug)
{
    lock_init(&model.lock, RANK_SLOTS);
    cond_init(&model.changed);
    model.bug = bug;
    model.ready = model.loading = false;
    model.count = model.loads = model.items = 0;
    atomic_store(&model.taken, 0);
}

static void
model_fini(void)
{
    cond_fini(&model.changed);
    lock_fini(&model.lock);
}

/* Unlocks before it writes what it has read. */
UNSHARED static void
count_one(void *arg, unsigned i)
{
    unsigned count;

    (void)arg;
    (void)i;
    LOCK(SLOTS, &model.lock);
    count = model.count;
    if (model.bug) {
        UNLOCK(SLOTS, &model.lock);
        model.count = count + 1;
    } else {
        model.count = count + 1;
        UNLOCK(SLOTS, &model.lock);
    }
}

static void
early_unlock(bool bug)
{
    model_init(bug);
    sched_together(THREADS, count_one, NULL);
    SCHED_CHECK(model.count == THREADS);
    model_fini();
}

/* Looks, loads without the lock, and does not say that it does. */
UNSHARED static void
load_once(void *arg, unsigned i)
{
    bool load;

    (void)arg;
    (void)i;
    LOCK(SLOTS, &model.lock);
    while (!model.bug && model.loading) {
        cond_wait(&model.changed, &model.lock, INT64_MAX);
    }
    load = !model.ready;
    model.loading = load;
    UNLOCK(SLOTS, &model.lock);
    if (load) {
        sched_point(); /* The load. */
        LOCK(SLOTS, &model.lock);
        model.loads++;
        model.ready = true;
        model.loading = false;
        cond_broadcast(&model.changed);
        UNLOCK(SLOTS, &model.lock);
    }
}

static void
double_load(bool bug)
{
    model_init(bug);
    sched_together(THREADS, load_once, NULL);
    SCHED_CHECK(model.loads == 1);
    model_fini();
}

/* Looks whether it must wait, lets go of the lock, and then waits. */
UNSHARED static void
pass_gate(void *arg, unsigned i)
{
    (void)arg;
    LOCK(SLOTS, &model.lock);
    if (i == 0) {
        model.ready = true;
        cond_broadcast(&model.changed);
    } else if (model.bug) {
        bool ready = model.ready;

        UNLOCK(SLOTS, &model.lock);
        LOCK(SLOTS, &model.lock);
        if (!ready) {
            cond_wait(&model.changed, &model.lock, INT64_MAX);
        }
    } else {
        while (!model.ready) {
            cond_wait(&model.changed, &model.lock, INT64_MAX);
        }
    }
    UNLOCK(SLOTS, &model.lock);
}

static void
missed_wake(bool bug)
{
    model_init(bug);
    sched_together(THREADS, pass_gate, NULL);
    model_fini();
}

/* Believes, once woken, that there is something for it. */
UNSHARED static void
use_queue(void *arg, unsigned i)
{
    (void)arg;
    LOCK(SLOTS, &model.lock);
    if (i == 0) {
        for (unsigned n = 1; n < THREADS; n++) {
            model.items++;
            cond_broadcast(&model.changed);
            UNLOCK(SLOTS, &model.lock);
            LOCK(SLOTS, &model.lock);
        }
    } else {
        if (model.bug && model.items == 0) {
            cond_wait(&model.changed, &model.lock, INT64_MAX);
        }
        while (!model.bug && model.items == 0) {
            cond_wait(&model.changed, &model.lock, INT64_MAX);
        }
        SCHED_CHECK(model.items > 0);
        model.items--;
    }
    UNLOCK(SLOTS, &model.lock);
}

static void
if_for_while(bool bug)
{
    model_init(bug);
    sched_together(THREADS, use_queue, NULL);
    model_fini();
}

/* Asks whether there is room, and takes it in a second step. */
static void
take_unit(void *arg, unsigned i)
{
    (void)arg;
    (void)i;
    if (model.bug) {
        if (atomic_load(&model.taken) < LIMIT) {
            atomic_fetch_add(&model.taken, 1);
        }
    } else {
        unsigned taken = atomic_load(&model.taken);

        while (taken < LIMIT && !atomic_compare_exchange_strong(&model.taken, &taken, taken + 1)) {
        }
    }
}

static void
ask_then_take(bool bug)
{
    model_init(bug);
    sched_together(THREADS, take_unit, NULL);
    SCHED_CHECK(atomic_load(&model.taken) <= LIMIT);
    model_fini();
}

const struct planted planted[] = {
    {"early-unlock", "unlocks before it writes", early_unlock},
    {"double-load", "two look, and both load", double_load},
    {"missed-wake", "looks, and waits in a second step", missed_wake},
    {"if-for-while", "does not look again once woken", if_for_while},
    {"ask-then-take", "asks an atomic, and takes in a second step", ask_then_take},
};
const unsigned planted_count = sizeof planted / sizeof *planted;
