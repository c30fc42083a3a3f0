/* quota_store.h -- where counts of quotas are kept for good: what a store must do.
 *
 * A counter is known by its key and its window, and holds two numbers that only grow: units used
 * and units given back.  Beside it stands the same for the day, for what a day costs.  Numbers that
 * only grow can be added in any order, and of two answers the greater is the later one: so any
 * number of processes may share a store without a lock among them. */
#ifndef TANDEM_QUOTA_STORE_H
#define TANDEM_QUOTA_STORE_H

#include "state/base/err.h"
#include "state/quota_period.h"
#include "state/quota_rules.h"

#define QUOTA_TENANT_SIZE 65u /* Bytes of a tenant's id, with NUL. */
/* "TENANT/SERVICE"; "/SERVICE" for what all tenants share. */
#define QUOTA_KEY_SIZE (QUOTA_TENANT_SIZE + QUOTA_SERVICE_SIZE)

/* How long a counter is kept after its window has ended. */
#define QUOTA_KEEP_S (7 * 86400)

struct quota_amounts {
    uint64_t used, released;
};

/* What is left of it: never less than nothing. */
static inline uint64_t
quota_amounts_net(const struct quota_amounts *a)
{
    return a->used > a->released ? a->used - a->released : 0;
}

struct quota_add {
    uint64_t id; /* The same when it is tried again. */
    char key[QUOTA_KEY_SIZE];
    struct quota_window window;
    int64_t day;               /* Start of the day in which it was made. */
    struct quota_amounts more; /* What the counter grows by. */
    /* What the counter of the day grows by; ignored where the window is a day, for then they are
     * one. */
    struct quota_amounts more_today;
    /* A shared store refuses what would bring used, without what was released, past this:
     * E_OVER_QUOTA, and the total is told.  Others need not look at it. */
    uint64_t bound;
};

struct quota_total {
    struct quota_amounts window, today;
};

struct quota_store;

struct quota_store_class {
    const char *name; /* As logs tell it: "journal". */
    /* Other processes count there too: what it says is worth asking again. */
    bool shared;
    /* Adds, in one step, and tells what there is then.  On E_OK the add outlives this process.  On
     * an error it may have been made or not, and is tried again with its id; one that was made is
     * then only told again.  No lock is held; may be slow; any number of threads. */
    enum err (*add)(struct quota_store *s, const struct quota_add *add, struct quota_total *total,
                    struct fault *f);
    /* Tells what there is; zeros for what was never added to.  As add(); but of a store that is not
     * shared it looks at memory only. */
    enum err (*load)(struct quota_store *s, const char *key, const struct quota_window *window,
                     int64_t day, struct quota_total *total, struct fault *f);
    /* Brings what was added to where it outlives the machine.  Null if add() has done that.  One
     * thread at a time, of this and sync(). */
    enum err (*flush)(struct quota_store *s, struct fault *f);
    /* Tidies up: flushed, and no more than it has to be.  Never changes a counter.  May be null. */
    enum err (*sync)(struct quota_store *s, int64_t wall_ns, struct fault *f);
    /* Frees.  Nobody uses it any more. */
    void (*close)(struct quota_store *s);
};

/* The head of every store. */
struct quota_store {
    const struct quota_store_class *class;
};

#endif
