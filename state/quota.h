/* quota.h -- how many calls of paid or limited services may still be made, and how many were.
 *
 * A service has a limit a minute, hour, day or month of UTC (quota_rules.h).  quota_acquire() is
 * the one step that asks and counts; of any number of threads, no more get a yes than there is room
 * for.  quota_record() counts what happened anyway.  Both are in the store before they return, so
 * whoever was told yes is on record (quota_journal.h tells what a crash can cost).
 *
 * The limits of the settings are shared by all tenants.  A tenant whose own settings name a service
 * has a limit and a count of its own for that one, beside them.
 *
 * Whoever is bound to a tenant takes of a shared limit by quota_acquire() alone, and gives back
 * what its tenant acquired in this window and run of the server, and no more.
 *
 * Normal calls are refused once a service is critical (80 %, quota.critical); those of high
 * priority go on to the limit.  While the store fails (quota.reduce_after writes in a row) counts
 * cannot be trusted for long, and a quarter of each limit is all there is, until
 * quota.restore_after writes in a row have worked.
 *
 * Of warning, critical and exhausted each is told once in a window, by the caller that crossed it,
 * on the bus: quota.warning, quota.critical, quota.exhausted; and quota.reset, quota.reduced,
 * quota.restored, quota.store_unreachable.
 *
 * Any thread, holding no lock; takes QUOTA and what the store takes, one after the other.  Nothing
 * is written, logged or published under them. */
#ifndef TANDEM_QUOTA_H
#define TANDEM_QUOTA_H

#include "state/base/clock.h"
#include "state/quota_store.h"

struct bus;
struct quota;
struct settings;

#define QUOTA_COUNT_MAX 1000000u    /* Units of one call. */
#define QUOTA_COUNTERS_MAX 8192u    /* Counters in memory: services of the server and of tenants. */
#define QUOTA_SHARES_MAX 1024u      /* Tenants whose part of a shared limit is known. */
#define QUOTA_OWED_MAX 256u         /* Adds that the store has yet to take, one by one. */
#define QUOTA_REDUCED_PERCENT 25u   /* Of each limit, while the store fails. */
#define QUOTA_ALERT_NS 300000000000 /* Between two quota.store_unreachable. */

struct quota_options {
    const struct clock *clock;       /* Borrowed. */
    const struct settings *settings; /* Borrowed for the call: see quota_follow(). */
    struct quota_store *store;       /* Stolen. */
    struct bus *bus;                 /* Borrowed; null: nobody is told. */
};

/* A new tracker, flushed and synced by quota_sync() and by whoever finds that a sync is due, until
 * it is started.  E_ARGUMENT if the settings' rules are none. */
enum err quota_create(const struct quota_options *options, struct quota **quota, struct fault *f);
/* From here on a thread of its own flushes and syncs.  At most once; others may use it meanwhile.
 * E_IO without a thread. */
enum err quota_start(struct quota *q, struct fault *f);
/* Ends the thread, syncs, closes the store, frees.  Nobody else may be using it.  Null is ignored.
 */
void quota_destroy(struct quota *q);
/* Goes by these settings from now on, if they are others than before; counts stay.  Borrowed for
 * the call.  Rules that are none leave things as they were: the settings check them. */
void quota_follow(struct quota *q, const struct settings *settings);

struct quota_ask {
    const char *tenant; /* Its id. */
    const json_t *own;  /* The "quota" of its settings, borrowed; may be null. */
    const char *service;
    uint64_t count; /* Units, at most QUOTA_COUNT_MAX. */
    bool high;      /* Priority: may go on when the service is critical. */
    bool bound;     /* The caller is of that tenant only: does not run the server. */
};

/* Why a call may not be made. */
enum quota_verdict { QUOTA_ALLOWED, QUOTA_CRITICAL, QUOTA_EXHAUSTED, QUOTA_REDUCED };
/* As scripts know it; null for QUOTA_ALLOWED. */
const char *quota_verdict_name(enum quota_verdict verdict);

/* A counter at one moment. */
struct quota_view {
    char service[QUOTA_SERVICE_SIZE];
    bool own;                   /* The tenant's, not the server's. */
    struct quota_window window; /* 'end' is when it starts over. */
    uint64_t used, limit, remaining;
    uint64_t today; /* Units of this day. */
    double price;   /* Of one; 0 if not known. */
    bool warning, critical, exhausted;
    bool reduced;               /* The store fails. */
    bool owed;                  /* What this call counted is not in the store yet. */
    enum quota_verdict verdict; /* Whether one more (or those asked for) may be had. */
};

/* Each stores a view if it is E_OK or E_OVER_QUOTA.  E_NOT_FOUND: there is no such quota;
 * E_ARGUMENT: the tenant's are no rules, or too many units; E_LIMIT: too many counters;
 * E_NOT_READY: the store did not tell what was used; E_TENANT: it is not for a tenant to do. */

/* Looks; what it allows may be gone when it is used: acquire instead. */
enum err quota_check(struct quota *q, const struct quota_ask *ask, struct quota_view *view,
                     struct fault *f);
/* Takes units if they may be had, all or none.  E_OVER_QUOTA, counting nothing; the fault says why,
 * and when it starts over.  The view is as of the step that counts: while nothing is given back
 * no two calls are told the same 'used', by however many processes on a store that answers. */
enum err quota_acquire(struct quota *q, const struct quota_ask *ask, struct quota_view *view,
                       struct fault *f);
/* Counts units that were used, past the limit too, and if the store does not answer. */
enum err quota_record(struct quota *q, const struct quota_ask *ask, struct quota_view *view,
                      struct fault *f);
/* Gives units back that were acquired and not used, unless the window that ended at 'reset_at'
 * (seconds; 0: the one of now) is over; tells how many it were.  E_ARGUMENT if fewer are used. */
enum err quota_release(struct quota *q, const struct quota_ask *ask, int64_t reset_at,
                       uint64_t *given, struct quota_view *view, struct fault *f);
/* Starts the window's count over; for whoever runs the server. */
enum err quota_reset(struct quota *q, const struct quota_ask *ask, struct quota_view *view,
                     struct fault *f);

struct quota_counters {
    uint64_t hits, misses; /* Looks that found the count in memory, and that asked the store. */
    uint64_t load_failures;
    uint64_t syncs;
    uint64_t atomic_writes, failed_writes;
    uint64_t refused, released;
    uint64_t warnings, criticals, exhausted; /* Told. */
    uint64_t reduced, restored, alerts;      /* Likewise. */
    uint64_t owed;                           /* Adds that the store has yet to take, now. */
    uint64_t counters;                       /* In memory, now. */
    uint64_t lock_acquisitions, lock_waits;
};
/* What is counted, as it is now. */
struct quota_counters quota_counters(struct quota *q);

/* All that a tenant may use, at one moment. */
struct quota_summary {
    struct quota_view *views; /* Owned: in the order of the settings, then the tenant's own. */
    size_t count;
    uint64_t total_today;
    double cost_today;
    bool reduced;
    int64_t updated_ns; /* Wall. */
};
/* Fills 'summary', for quota_summary_fini(), with all services of the settings and of 'own', the
 * tenant's.  E_NOT_READY: ask again; or what is wrong with 'own'. */
enum err quota_summary(struct quota *q, const char *tenant, const json_t *own,
                       struct quota_summary *summary, struct fault *f);
void quota_summary_fini(struct quota_summary *summary);
/* The services of the settings, each at its own moment, and without waiting for anybody: a shared
 * store is not asked, and what it never told of is left out.  'reduced' and the sums are not
 * stored. */
void quota_glance(struct quota *q, struct quota_summary *summary);

/* Hands the store what it is owed and has it tidy up, now.  One at a time: others wait.  Tells how
 * many adds are owed still.  E_IO, or the store's error. */
enum err quota_sync(struct quota *q, uint64_t *owed, struct fault *f);

/* Forgets all counts in memory, the mode and what led to it; what the store has it is asked for
 * again, what it is owed stays owed.  For tests of what happens then. */
void quota_clear(struct quota *q);

#endif
