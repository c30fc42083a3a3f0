/* slots.c -- the table of a keyed cache, and what is found in it.  Loading: slots_load.c. */
#include "state/base/slots_private.h"

#include "state/base/mem.h"

#include <assert.h>

UNSHARED struct slots *
slots_create(const struct slots_class *class, void *owner, size_t max)
{
    struct slots *s = xcalloc(1, sizeof *s);

    assert(max > 0);
    s->class = class;
    s->owner = owner;
    s->max = max;
    lock_init(&s->lock, RANK_SLOTS);
    cond_init(&s->changed);
    return s;
}

void
slot_free(struct slots *s, struct slot *slot)
{
    if (!slot) {
        return;
    }
    if (slot->value) {
        s->class->free(slot->value);
    }
    free(slot->key);
    free(slot->version);
    free(slot);
}

struct slot *
slot_unref_locked(struct slot *slot) REQUIRES(LC_SLOTS)
{
    assert(slot->refs > 0);
    return --slot->refs == 0 ? slot : NULL;
}

static void
unlink_use_locked(struct slots *s, struct slot *slot) REQUIRES(LC_SLOTS)
{
    *(slot->newer ? &slot->newer->older : &s->newest) = slot->older;
    *(slot->older ? &slot->older->newer : &s->oldest) = slot->newer;
    slot->newer = slot->older = NULL;
}

static void
link_newest_locked(struct slots *s, struct slot *slot) REQUIRES(LC_SLOTS)
{
    slot->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = slot;
    s->newest = slot;
}

struct slot *
slots_take_out_locked(struct slots *s, struct slot *slot) REQUIRES(LC_SLOTS)
{
    HASH_DEL(s->table, slot);
    unlink_use_locked(s, slot);
    slot->in_table = false;
    return slot_unref_locked(slot);
}

bool
slots_make_room_locked(struct slots *s, struct slot **evicted) REQUIRES(LC_SLOTS)
{
    *evicted = NULL;
    if (HASH_COUNT(s->table) < s->max) {
        return true;
    }
    for (struct slot *slot = s->oldest; slot; slot = slot->newer) {
        if (slot->state != SLOT_LOADING && (slot->refs == 1 || s->class->evicts_used)) {
            s->counters.evictions++;
            slot->refs++;
            slots_take_out_locked(s, slot);
            *evicted = slot;
            return true;
        }
    }
    return false;
}

void
slots_let_go(struct slots *s, struct slot *evicted)
{
    struct slot *gone;

    if (!evicted) {
        return;
    }
    if (s->class->evicted) {
        s->class->evicted(s->owner, evicted->key);
    }
    LOCK(SLOTS, &s->lock);
    gone = slot_unref_locked(evicted);
    UNLOCK(SLOTS, &s->lock);
    slot_free(s, gone);
}

struct slot *
slots_add_locked(struct slots *s, const char *key, const char *version) REQUIRES(LC_SLOTS)
{
    struct slot *slot = xcalloc(1, sizeof *slot);

    slot->key = xstrdup(key);
    slot->version = version ? xstrdup(version) : NULL;
    slot->refs = 2;
    slot->in_table = true;
    HASH_ADD_KEYPTR(hh, s->table, slot->key, strlen(slot->key), slot);
    link_newest_locked(s, slot);
    return slot;
}

void
slots_touch_locked(struct slots *s, struct slot *slot) REQUIRES(LC_SLOTS)
{
    if (s->newest != slot) {
        unlink_use_locked(s, slot);
        link_newest_locked(s, slot);
    }
    slot->refs++;
}

bool
slots_serves_locked(const struct slots *s, const struct slot *slot, const char *version,
                    const void *arg) REQUIRES(LC_SLOTS)
{
    return (!version || (slot->version && strcmp(slot->version, version) == 0)) &&
           (slot->state != SLOT_READY || !s->class->fresh || s->class->fresh(slot->value, arg));
}

void
slot_add_gone(struct slot **gone, struct slot *slot)
{
    if (slot) {
        slot->next_gone = *gone;
        *gone = slot;
    }
}

void
slots_free_gone(struct slots *s, struct slot *gone)
{
    for (struct slot *next; gone; gone = next) {
        next = gone->next_gone;
        slot_free(s, gone);
    }
}

/* ---- Look-ups that load nothing ---- */

static bool
peek(struct slots *s, const char *key, bool counts, struct slot_pin *pin)
{
    struct slot *slot;

    *pin = (struct slot_pin){NULL, NULL};
    LOCK(SLOTS, &s->lock);
    HASH_FIND_STR(s->table, key, slot);
    if (slot && slot->state == SLOT_READY) {
        slots_touch_locked(s, slot);
        s->counters.hits += counts;
        *pin = (struct slot_pin){slot->value, slot};
    }
    UNLOCK(SLOTS, &s->lock);
    return pin->slot != NULL;
}

bool
slots_peek(struct slots *s, const char *key, struct slot_pin *pin)
{
    return peek(s, key, true, pin);
}

bool
slots_glance(struct slots *s, const char *key, struct slot_pin *pin)
{
    return peek(s, key, false, pin);
}

void
slots_count_glance(struct slots *s)
{
    LOCK(SLOTS, &s->lock);
    s->counters.hits++;
    UNLOCK(SLOTS, &s->lock);
}

bool
slots_look(struct slots *s, const char *key, const char *version, void *arg, struct slot_pin *pin)
{
    struct slot *slot;

    *pin = (struct slot_pin){NULL, NULL};
    LOCK(SLOTS, &s->lock);
    HASH_FIND_STR(s->table, key, slot);
    if (slot && slot->state == SLOT_READY && slots_serves_locked(s, slot, version, arg)) {
        slots_touch_locked(s, slot);
        s->counters.hits++;
        *pin = (struct slot_pin){slot->value, slot};
    }
    UNLOCK(SLOTS, &s->lock);
    return pin->slot != NULL;
}

enum err
slots_put(struct slots *s, const char *key, void *value, struct slot_pin *pin, struct fault *f)
{
    struct slot *slot, *evicted = NULL;
    bool there, room = false;

    *pin = (struct slot_pin){NULL, NULL};
    LOCK(SLOTS, &s->lock);
    HASH_FIND_STR(s->table, key, slot);
    there = slot != NULL;
    if (!there && (room = slots_make_room_locked(s, &evicted))) {
        slot = slots_add_locked(s, key, NULL);
        slot->value = value;
        slot->state = SLOT_READY;
        *pin = (struct slot_pin){value, slot};
    }
    UNLOCK(SLOTS, &s->lock);
    slots_let_go(s, evicted);
    if (pin->slot) {
        return E_OK;
    }
    s->class->free(value);
    return there ? fault_set(f, E_CONFLICT, "cache '%s' has this key already", s->class->name)
                 : fault_set(f, E_NOT_READY, "all %zu places of cache '%s' are in use", s->max,
                             s->class->name);
}

void
slots_unpin(struct slots *s, struct slot_pin *pin)
{
    struct slot *gone;

    if (!pin->slot) {
        return;
    }
    LOCK(SLOTS, &s->lock);
    gone = slot_unref_locked(pin->slot);
    UNLOCK(SLOTS, &s->lock);
    *pin = (struct slot_pin){NULL, NULL};
    slot_free(s, gone);
}

struct slot_pin
slots_pin_again(struct slots *s, const struct slot_pin *pin)
{
    LOCK(SLOTS, &s->lock);
    assert(pin->slot->refs > 0);
    pin->slot->refs++;
    UNLOCK(SLOTS, &s->lock);
    return *pin;
}

/* Drops a slot of the table; returns it if the caller must free it. */
static struct slot *
drop_locked(struct slots *s, struct slot *slot) REQUIRES(LC_SLOTS)
{
    if (s->class->reloads && slot->state == SLOT_LOADING) {
        slot->again = true;
        return NULL;
    }
    return slots_take_out_locked(s, slot);
}

bool
slots_drop(struct slots *s, const char *key, const void *value)
{
    struct slot *slot, *gone = NULL;
    bool dropped = false;

    LOCK(SLOTS, &s->lock);
    HASH_FIND_STR(s->table, key, slot);
    if (slot && (!value || slot->value == value)) {
        gone = drop_locked(s, slot);
        dropped = true;
    }
    UNLOCK(SLOTS, &s->lock);
    slot_free(s, gone);
    return dropped;
}

size_t
slots_clear(struct slots *s)
{
    struct slot *slot, *next, *gone = NULL;
    size_t count = 0;

    LOCK(SLOTS, &s->lock);
    HASH_ITER(hh, s->table, slot, next) {
        slot_add_gone(&gone, drop_locked(s, slot));
        count++;
    }
    UNLOCK(SLOTS, &s->lock);
    slots_free_gone(s, gone);
    return count;
}

UNSHARED void
slots_destroy(struct slots *s)
{
    if (!s) {
        return;
    }
    slots_clear(s);
    cond_fini(&s->changed);
    lock_fini(&s->lock);
    free(s);
}

struct slots_counters
slots_counters(struct slots *s)
{
    struct slots_counters c;

    LOCK(SLOTS, &s->lock);
    c = s->counters;
    c.size = HASH_COUNT(s->table);
    c.max = s->max;
    c.lock_waits = s->lock.waits;
    c.lock_acquisitions = s->lock.acquisitions;
    UNLOCK(SLOTS, &s->lock);
    return c;
}

void
slots_each(struct slots *s, bool (*visit)(void *arg, const char *key, void *value), void *arg)
{
    struct slot_pin *pins = NULL;
    struct slot *slot, *next;
    size_t count = 0;
    bool go_on = true;

    LOCK(SLOTS, &s->lock);
    pins = xcalloc(HASH_COUNT(s->table) + 1, sizeof *pins);
    HASH_ITER(hh, s->table, slot, next) {
        if (slot->state == SLOT_READY) {
            slot->refs++;
            pins[count++] = (struct slot_pin){slot->value, slot};
        }
    }
    UNLOCK(SLOTS, &s->lock);
    for (size_t i = 0; i < count; i++) {
        go_on = go_on && visit(arg, pins[i].slot->key, pins[i].value);
        slots_unpin(s, &pins[i]);
    }
    free(pins);
}
