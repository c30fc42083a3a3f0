/* slots.h -- a keyed cache whose values are made once: single flight, bounded, counted.
 *
 * The first caller for a key becomes its loader and makes the value without any lock; all others
 * that come meanwhile wait on that slot, never on the table, and get the same value.  A load that
 * fails is told to the loader and to everyone who waited, and is not kept.  A value lives until its
 * last user lets go, in the table or not.  The least recently used slot makes room; one that is
 * being loaded never does, nor, unless the class says so, one in use, so that no key has two values
 * at once unless one was dropped on purpose.
 *
 * Counters follow one rule for all caches: 'hits' found the value ready at first look,
 * 'double_loads' waited and then found it made, 'misses' made it (or tried).  So for N callers of
 * one new key: misses = 1 and hits + double_loads = N - 1.  'lock_waits' are acquisitions of the
 * table's lock that found it taken.
 *
 * Any thread may call; none may hold a lock of rank SLOTS or below when it does, nor any at all
 * when it may have to load or wait. */
#ifndef TANDEM_SLOTS_H
#define TANDEM_SLOTS_H

#include "state/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slots;

struct slots_class {
    const char *name; /* As metrics tell it: "workflow_sessions". */
    /* Makes the value of 'key' at 'version' in '*value' (never null on E_OK).  'owner' is the
     * cache's, 'arg' the caller's.  Runs on the caller's thread with no lock held; may be slow. */
    enum err (*load)(void *owner, const char *key, const char *version, void *arg, void **value,
                     struct fault *f);
    /* Frees a value nobody uses any more.  Any thread, no lock held. */
    void (*free)(void *value);
    /* Whether a value may still be handed out to a caller who comes with 'arg'; one that may not is
     * loaded anew, as if it had another version.  Null: always.  Called with the table's lock held:
     * it compares, and no more. */
    bool (*fresh)(const void *value, const void *arg);
    /* Told of a key whose slot has made room; may be null.  Any thread, no lock held. */
    void (*evicted)(void *owner, const char *key);
    bool evicts_used; /* A slot in use makes room too; who has its value keeps it. */
    /* A load whose key is dropped meanwhile is thrown away and done once more, by the same loader,
     * for all who wait; the key has one load at a time.  Dropped again, it is told to its loader
     * only, who came before that, and one of those who wait loads it anew.  Else all of them get
     * what was loaded, and it is not kept. */
    bool reloads;
};

struct slots_counters {
    uint64_t hits, misses, double_loads, lock_waits, lock_acquisitions;
    uint64_t evictions, load_failures;
    size_t size, max;
};

/* A new, empty cache of at most 'max' slots.  'class' and 'owner' are borrowed and must outlive it.
 */
struct slots *slots_create(const struct slots_class *class, void *owner, size_t max);
/* Frees the table.  No other thread may be using it; values still pinned stay valid until unpinned,
 * which must come before this. Null is ignored. */
void slots_destroy(struct slots *s);

/* A pinned value: valid until slots_unpin().  Zero is no pin. */
struct slot_pin {
    void *value;
    struct slot *slot;
};

/* Finds or makes the value of 'key'.  'version' may be null; a slot that holds another version is
 * loaded anew (those who have the old value keep it).  Waits for another's load until 'deadline_ns'
 * on the monotonic clock.  On E_OK '*pin' must be unpinned.  Errors: the loader's; E_TIMEOUT;
 * E_NOT_READY when no slot can make room. */
enum err slots_get(struct slots *s, const char *key, const char *version, void *arg,
                   int64_t deadline_ns, struct slot_pin *pin, struct fault *f);
/* Finds a ready value without loading or waiting; false if there is none.  Counts as a hit only
 * when found. */
bool slots_peek(struct slots *s, const char *key, struct slot_pin *pin);
/* The same without counting: for who may find that the value does not help, and then asks for it in
 * another way, which counts.  Where it did help, slots_count_glance() is called. */
bool slots_glance(struct slots *s, const char *key, struct slot_pin *pin);
void slots_count_glance(struct slots *s);
/* As slots_peek(), for a value that slots_get() with that 'version' and 'arg' would hand out at
 * once. */
bool slots_look(struct slots *s, const char *key, const char *version, void *arg,
                struct slot_pin *pin);
/* Puts a value that the caller has made, stealing it in any case.  E_CONFLICT if the key has a slot
 * already. */
enum err slots_put(struct slots *s, const char *key, void *value, struct slot_pin *pin,
                   struct fault *f);
void slots_unpin(struct slots *s, struct slot_pin *pin);
/* Pins the value of 'pin', which is pinned by whoever calls, once more; no counter tells of it. */
struct slot_pin slots_pin_again(struct slots *s, const struct slot_pin *pin);
/* Takes 'key' out of the table; who has the value keeps it.  A load under way will not be kept.
 * With 'value' not null, only if the slot holds that value.  True if something was taken out. */
bool slots_drop(struct slots *s, const char *key, const void *value);
/* Takes everything out, as above.  Returns how many. */
size_t slots_clear(struct slots *s);
/* All numbers as of one moment. */
struct slots_counters slots_counters(struct slots *s);
/* Calls 'visit' for each ready value, pinned, without holding a lock; stops when it returns false.
 */
void slots_each(struct slots *s, bool (*visit)(void *arg, const char *key, void *value), void *arg);

#endif
