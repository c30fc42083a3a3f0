/* slots.c -- the keyed single-flight cache.
 *
 * DESIGN.  A slot is LOADING until its loader publishes, then READY or FAILED for good: a new
 * version or a retry after a failure is a new slot in the table, so what a waiter waits for cannot
 * change under it. The table holds one reference, each user one more; whoever drops the last frees,
 * after the lock.  One condition variable for the table wakes all waiters of a finished load: they
 * are few, and loads rare. */
#include "state/base/slots.h"

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/base/mem.h"

#include <assert.h>

enum slot_state { SLOT_LOADING, SLOT_READY, SLOT_FAILED };

struct slot {
    char *key;          /* Owned, set once. */
    char *version;      /* Owned, set once; may be null. */
    void *value;        /* Set once, when READY. */
    struct fault fault; /* Set once, when FAILED. */
    enum slot_state state GUARDED_BY(LC_SLOTS);
    unsigned refs GUARDED_BY(LC_SLOTS); /* One for the table, one a user. */
    bool in_table GUARDED_BY(LC_SLOTS);
    bool again GUARDED_BY(LC_SLOTS); /* Dropped while it is loading: what is loaded is no good. */
    struct slot *newer GUARDED_BY(LC_SLOTS),
        *older GUARDED_BY(LC_SLOTS); /* Order of use in the table. */
    struct slot *next_gone;          /* Of whoever took the last reference to several. */
    UT_hash_handle hh;
};

struct slots {
    const struct slots_class *class; /* Borrowed; these three are set once. */
    void *owner;
    size_t max;
    struct lock lock;
    struct cond changed; /* A slot left LOADING. */
    struct slot *table GUARDED_BY(LC_SLOTS);
    struct slot *newest GUARDED_BY(LC_SLOTS), *oldest GUARDED_BY(LC_SLOTS);
    struct slots_counters counters GUARDED_BY(LC_SLOTS);
};

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

static void
free_slot(struct slots *s, struct slot *slot)
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

/* Drops one reference; returns the slot if the caller must free it once the lock is dropped. */
static struct slot *
unref_locked(struct slot *slot) REQUIRES(LC_SLOTS)
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

/* Takes a slot out of the table; returns it if the caller must free it. */
static struct slot *
take_out_locked(struct slots *s, struct slot *slot) REQUIRES(LC_SLOTS)
{
    HASH_DEL(s->table, slot);
    unlink_use_locked(s, slot);
    slot->in_table = false;
    return unref_locked(slot);
}

/* Makes room for one slot more.  False when none can go; '*evicted' is the one that did, or null,
 * with a reference that is the caller's, for let_go(). */
static bool
make_room_locked(struct slots *s, struct slot **evicted) REQUIRES(LC_SLOTS)
{
    *evicted = NULL;
    if (HASH_COUNT(s->table) < s->max) {
        return true;
    }
    for (struct slot *slot = s->oldest; slot; slot = slot->newer) {
        if (slot->state != SLOT_LOADING && (slot->refs == 1 || s->class->evicts_used)) {
            s->counters.evictions++;
            slot->refs++;
            take_out_locked(s, slot);
            *evicted = slot;
            return true;
        }
    }
    return false;
}

/* Tells of a slot that has made room, and drops the reference to it. */
static void
let_go(struct slots *s, struct slot *evicted)
{
    struct slot *gone;

    if (!evicted) {
        return;
    }
    if (s->class->evicted) {
        s->class->evicted(s->owner, evicted->key);
    }
    LOCK(SLOTS, &s->lock);
    gone = unref_locked(evicted);
    UNLOCK(SLOTS, &s->lock);
    free_slot(s, gone);
}

/* Adds a slot with one reference for the table and one for the caller. */
static struct slot *
add_locked(struct slots *s, const char *key, const char *version) REQUIRES(LC_SLOTS)
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

static void
touch_locked(struct slots *s, struct slot *slot) REQUIRES(LC_SLOTS)
{
    if (s->newest != slot) {
        unlink_use_locked(s, slot);
        link_newest_locked(s, slot);
    }
    slot->refs++;
}

/* Whether a slot serves a caller who wants 'version', and comes with 'arg'. */
static bool
serves_locked(const struct slots *s, const struct slot *slot, const char *version, const void *arg)
    REQUIRES(LC_SLOTS)
{
    return (!version || (slot->version && strcmp(slot->version, version) == 0)) &&
           (slot->state != SLOT_READY || !s->class->fresh || s->class->fresh(slot->value, arg));
}

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
        gone = take_out_locked(s, slot); /* Once is enough: it is told, and not kept. */
        assert(!gone);
    }
    if (err) {
        slot->fault = local;
        slot->fault.code = err;
        slot->state = SLOT_FAILED;
        s->counters.load_failures++;
        if (slot->in_table) {
            gone = take_out_locked(s, slot);
        }
        mine = unref_locked(slot);
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
    free_slot(s, gone);
    free_slot(s, mine);
    return err;
}

/* Puts a slot that is to be freed once the lock is dropped before the others of that kind. */
static void
add_gone(struct slot **gone, struct slot *slot)
{
    if (slot) {
        slot->next_gone = *gone;
        *gone = slot;
    }
}

static void
free_gone(struct slots *s, struct slot *gone)
{
    for (struct slot *next; gone; gone = next) {
        next = gone->next_gone;
        free_slot(s, gone);
    }
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
        if (slot && !serves_locked(s, slot, version, arg)) {
            add_gone(gone, take_out_locked(s, slot));
            slot = NULL;
        }
        if (!slot) {
            return NULL;
        }
        touch_locked(s, slot);
        if (slot->state == SLOT_READY) {
            s->counters.hits++;
            return slot;
        }
        *made = wait_made_locked(s, slot, deadline_ns);
        if (!*made || !slot->again) {
            s->counters.double_loads += *made && slot->state == SLOT_READY;
            return slot;
        }
        add_gone(gone, unref_locked(slot));
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
            add_gone(&gone, unref_locked(slot));
        }
    } else {
        room = make_room_locked(s, &evicted);
        if (room) {
            s->counters.misses++;
            slot = add_locked(s, key, version);
            load = true;
        }
    }
    UNLOCK(SLOTS, &s->lock);
    free_gone(s, gone);
    let_go(s, evicted);
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

static bool
peek(struct slots *s, const char *key, bool counts, struct slot_pin *pin)
{
    struct slot *slot;

    *pin = (struct slot_pin){NULL, NULL};
    LOCK(SLOTS, &s->lock);
    HASH_FIND_STR(s->table, key, slot);
    if (slot && slot->state == SLOT_READY) {
        touch_locked(s, slot);
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
    if (slot && slot->state == SLOT_READY && serves_locked(s, slot, version, arg)) {
        touch_locked(s, slot);
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
    if (!there && (room = make_room_locked(s, &evicted))) {
        slot = add_locked(s, key, NULL);
        slot->value = value;
        slot->state = SLOT_READY;
        *pin = (struct slot_pin){value, slot};
    }
    UNLOCK(SLOTS, &s->lock);
    let_go(s, evicted);
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
    gone = unref_locked(pin->slot);
    UNLOCK(SLOTS, &s->lock);
    *pin = (struct slot_pin){NULL, NULL};
    free_slot(s, gone);
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
    return take_out_locked(s, slot);
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
    free_slot(s, gone);
    return dropped;
}

size_t
slots_clear(struct slots *s)
{
    struct slot *slot, *next, *gone = NULL;
    size_t count = 0;

    LOCK(SLOTS, &s->lock);
    HASH_ITER(hh, s->table, slot, next) {
        add_gone(&gone, drop_locked(s, slot));
        count++;
    }
    UNLOCK(SLOTS, &s->lock);
    free_gone(s, gone);
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
