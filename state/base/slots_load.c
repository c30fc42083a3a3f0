/* slots_load.c -- slots_get(): one caller loads, the others wait for what comes of it.
 *
 * DESIGN.  A slot is LOADING until its loader publishes, then READY or FAILED for good: a new
 * version or a retry after a failure is a new slot in the table, so what a waiter waits for cannot
 * change under it.  One condition variable for the table wakes all waiters of a finished load: they
 * are few, and loads rare. */
#include "state/base/slots_private.h"

#include <assert.h>

/* Waits, holding a reference, until 'slot' is made.  False if the deadline came first. */
static bool
wait_made_locked(struct slots *s, struct slot *slot, int64_t deadline_ns) REQUIRES(LC_SLOTS)
{
    while (slot->state == SLOT_LOADING) {
        if (!cond_wait(&s->changed, &s->lock, deadline_ns) && slot->state == SLOT_LOADING) {
            return false;
        }
    }
    return true;
}

/* Whether what was loaded for a slot is no good, and it is to be done once more. */
static bool
was_dropped(struct slots *s, struct slot *slot)
{
    bool again;

    LOCK(SLOTS, &s->lock);
    again = slot->again;
    slot->again = false;
    UNLOCK(SLOTS, &s->lock);
    return again;
}

/* Runs the load for a slot that this thread has put into the table, and publishes what came of it.
 */
static enum err
load_slot(struct slots *s, struct slot *slot, void *arg, struct slot_pin *pin, struct fault *f)
{
    struct fault local = FAULT_INIT;
    struct slot *gone = NULL, *mine = NULL;
    void *value = NULL;
    enum err err;

    assert(lock_none_held());
    err = s->class->load(s->owner, slot->key, slot->version, arg, &value, &local);
    assert(err || value);
    if (s->class->reloads && was_dropped(s, slot)) {
        if (value) {
            s->class->free(value);
        }
        value = NULL;
        err = s->class->load(s->owner, slot->key, slot->version, arg, &value, &local);
        assert(err || value);
    }
    LOCK(SLOTS, &s->lock);
    if (!err && slot->again && slot->in_table) {
        gone = slots_take_out_locked(s, slot); /* Once is enough: it is told, and not kept. */
        assert(!gone);
    }
    if (err) {
        slot->fault = local;
        slot->fault.code = err;
        slot->state = SLOT_FAILED;
        s->counters.load_failures++;
        if (slot->in_table) {
            gone = slots_take_out_locked(s, slot);
        }
        mine = slot_unref_locked(slot);
        assert(!gone || !mine);
    } else {
        slot->value = value;
        slot->state = SLOT_READY;
        *pin = (struct slot_pin){value, slot};
    }
    cond_broadcast(&s->changed);
    UNLOCK(SLOTS, &s->lock);
    if (err && f) {
        *f = local;
        f->code = err;
    }
    slot_free(s, gone);
    slot_free(s, mine);
    return err;
}

/* Finds the slot that serves the caller, with a reference, once it is made; null if there is none.
 * One that was dropped while it was loaded serves its loader, who came before that; who waited may
 * have come after it, and looks again.  '*made' is false if the deadline came first. */
static struct slot *
find_locked(struct slots *s, const char *key, const char *version, void *arg, int64_t deadline_ns,
            bool *made, struct slot **gone) REQUIRES(LC_SLOTS)
{
    struct slot *slot;

    *made = true;
    for (;;) {
        HASH_FIND_STR(s->table, key, slot);
        if (slot && !slots_serves_locked(s, slot, version, arg)) {
            slot_add_gone(gone, slots_take_out_locked(s, slot));
            slot = NULL;
        }
        if (!slot) {
            return NULL;
        }
        slots_touch_locked(s, slot);
        if (slot->state == SLOT_READY) {
            s->counters.hits++;
            return slot;
        }
        *made = wait_made_locked(s, slot, deadline_ns);
        if (!*made || !slot->again) {
            s->counters.double_loads += *made && slot->state == SLOT_READY;
            return slot;
        }
        slot_add_gone(gone, slot_unref_locked(slot));
    }
}

enum err
slots_get(struct slots *s, const char *key, const char *version, void *arg, int64_t deadline_ns,
          struct slot_pin *pin, struct fault *f)
{
    struct slot *slot, *gone = NULL, *evicted = NULL;
    bool made, load = false, room = true;
    enum err err = E_OK;

    *pin = (struct slot_pin){NULL, NULL};
    LOCK(SLOTS, &s->lock);
    slot = find_locked(s, key, version, arg, deadline_ns, &made, &gone);
    if (slot) {
        if (made && slot->state == SLOT_READY) {
            *pin = (struct slot_pin){slot->value, slot};
        } else {
            err = made ? slot->fault.code : E_TIMEOUT;
            if (made && f) {
                *f = slot->fault;
            }
            slot_add_gone(&gone, slot_unref_locked(slot));
        }
    } else {
        room = slots_make_room_locked(s, &evicted);
        if (room) {
            s->counters.misses++;
            slot = slots_add_locked(s, key, version);
            load = true;
        }
    }
    UNLOCK(SLOTS, &s->lock);
    slots_free_gone(s, gone);
    slots_let_go(s, evicted);
    if (!room) {
        return fault_set(f, E_NOT_READY, "all %zu places of cache '%s' are in use", s->max,
                         s->class->name);
    }
    if (load) {
        return load_slot(s, slot, arg, pin, f);
    }
    return made ? err
                : fault_set(f, E_TIMEOUT, "another caller is still loading this from cache '%s'",
                            s->class->name);
}
