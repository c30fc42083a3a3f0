/* slots_private.h -- what the files of the cache share.
 *
 *   slots.c        the table: places, their order of use, references; look-ups
 *   slots_load.c   single flight
 *
 * The table holds one reference to each of its slots, each user one more; whoever drops the last
 * frees, after the lock. */
#ifndef TANDEM_SLOTS_PRIVATE_H
#define TANDEM_SLOTS_PRIVATE_H

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/base/slots.h"

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

/* Null is ignored.  No lock is held. */
void slot_free(struct slots *s, struct slot *slot);
/* Drops one reference; returns the slot if the caller must free it once the lock is dropped. */
struct slot *slot_unref_locked(struct slot *slot) REQUIRES(LC_SLOTS);
/* Puts a slot that is to be freed once the lock is dropped before the others of that kind; null is
 * ignored.  Frees them all. */
void slot_add_gone(struct slot **gone, struct slot *slot);
void slots_free_gone(struct slots *s, struct slot *gone);

/* Adds a slot that loads, with one reference for the table and one for the caller. */
struct slot *slots_add_locked(struct slots *s, const char *key, const char *version)
    REQUIRES(LC_SLOTS);
/* Takes a slot out of the table; returns it if the caller must free it. */
struct slot *slots_take_out_locked(struct slots *s, struct slot *slot) REQUIRES(LC_SLOTS);
/* Makes room for one slot more.  False when none can go; '*evicted' is the one that did, or null,
 * with a reference that is the caller's, for slots_let_go(). */
bool slots_make_room_locked(struct slots *s, struct slot **evicted) REQUIRES(LC_SLOTS);
/* Tells of a slot that has made room, and drops the reference to it; null is ignored.  No lock is
 * held. */
void slots_let_go(struct slots *s, struct slot *evicted);
/* Takes a reference to a slot, which becomes the newest. */
void slots_touch_locked(struct slots *s, struct slot *slot) REQUIRES(LC_SLOTS);
/* Whether a slot serves a caller who wants 'version', and comes with 'arg'. */
bool slots_serves_locked(const struct slots *s, const struct slot *slot, const char *version,
                         const void *arg) REQUIRES(LC_SLOTS);

#endif
