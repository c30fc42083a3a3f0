/* quota_private.h -- what the files of the tracker share.
 *
 *   quota.c          asking and counting
 *   quota_count.c    counters: found, loaded, rolled over, merged
 *   quota_share.c    what each tenant has of a counter that all share
 *   quota_sync.c     the store: writes, what it is owed, the mode when it fails; the thread
 *   quota_tell.c     what is told
 *   quota_summary.c  all counters of a tenant at one moment */
#ifndef TANDEM_QUOTA_PRIVATE_H
#define TANDEM_QUOTA_PRIVATE_H

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/quota.h"

#include <pthread.h>

enum quota_level { LEVEL_WARNING = 1, LEVEL_CRITICAL = 2, LEVEL_EXHAUSTED = 4 };

struct counter {
    char key[QUOTA_KEY_SIZE];
    struct quota_window window;
    int64_t day;                     /* Start of the day that 'today' counts. */
    struct quota_amounts all, today; /* What was counted here on top of what the store told; */
    struct quota_amounts told, told_today; /* the most that it told. */
    struct quota_rule rule;                /* The server's, as of 'rules_version'; else nothing. */
    uint64_t rules_version;
    unsigned reported;     /* enum quota_level: told in this window. */
    bool loaded;           /* The store has told what there was. */
    bool loading;          /* Somebody is asking it. */
    int64_t look_again_ns; /* Monotonic: when what it told is too old, or a failure is. */
    struct share *shares;  /* Of tenants, if all share it: what each has acquired in this window. */
    UT_hash_handle hh;
};

struct owed {
    struct quota_add add;
    struct owed *next;
};

struct quota {
    const struct clock *clock; /* Set once, as are all up to the lock. */
    struct quota_store *store;
    struct bus *bus;
    bool threaded GUARDED_BY(LC_QUOTA);
    pthread_t thread;

    struct lock lock;   /* RANK_QUOTA; guards all below. */
    struct cond loaded; /* A counter was loaded, or could not be. */
    struct cond wanted; /* The thread has something to do. */
    struct cond synced; /* A sync has ended. */
    struct counter *table GUARDED_BY(LC_QUOTA);
    struct quota_rules *rules GUARDED_BY(LC_QUOTA);
    uint64_t settings_version GUARDED_BY(LC_QUOTA), rules_version GUARDED_BY(LC_QUOTA);
    unsigned warn GUARDED_BY(LC_QUOTA), critical GUARDED_BY(LC_QUOTA);
    unsigned reduce_after GUARDED_BY(LC_QUOTA), restore_after GUARDED_BY(LC_QUOTA);
    int64_t sync_ns GUARDED_BY(LC_QUOTA), cache_ns GUARDED_BY(LC_QUOTA);
    int64_t flush_ns GUARDED_BY(LC_QUOTA);
    int64_t last_sync_ns GUARDED_BY(LC_QUOTA); /* Monotonic. */
    uint64_t next_id GUARDED_BY(LC_QUOTA);
    uint64_t jitter GUARDED_BY(LC_QUOTA);
    struct owed *owed GUARDED_BY(LC_QUOTA); /* Oldest first. */
    /* The mode, and what leads out of it. */
    bool reduced GUARDED_BY(LC_QUOTA);
    unsigned failures GUARDED_BY(LC_QUOTA), successes GUARDED_BY(LC_QUOTA); /* In a row. */
    uint64_t lost_in_mode GUARDED_BY(LC_QUOTA); /* Failed writes since it was entered. */
    int64_t reduced_since_ns GUARDED_BY(LC_QUOTA), alerted_ns GUARDED_BY(LC_QUOTA);
    bool alerted GUARDED_BY(LC_QUOTA);
    /* For the thread. */
    bool ending GUARDED_BY(LC_QUOTA);
    bool dirty GUARDED_BY(LC_QUOTA);           /* Something was written since the last flush, */
    bool changed GUARDED_BY(LC_QUOTA);         /* and since the last sync. */
    int64_t flush_due_ns GUARDED_BY(LC_QUOTA); /* Monotonic, of the machine, */
    int64_t sync_due_ns GUARDED_BY(LC_QUOTA);  /* as this. */
    bool sync_asked GUARDED_BY(LC_QUOTA), syncing GUARDED_BY(LC_QUOTA);
    struct quota_counters counters GUARDED_BY(LC_QUOTA);
};

/* What is to be said once no lock is held. */
struct quota_news {
    unsigned levels;        /* enum quota_level: crossed by this call. */
    struct quota_view view; /* The counter, as this call left it. */
    bool reset;
    bool reduced, restored, alert; /* A change of mode. */
    uint64_t writes;               /* Failed, or good, that led to it. */
    int64_t lasted_ns;             /* The mode that was left. */
    bool sync;                     /* One was claimed, or is forced. */
    enum err trouble;              /* Why a write failed; else E_OK. */
    struct fault fault;
};

/* One call on its way. */
struct visit {
    const struct quota_ask *ask;
    char key[QUOTA_KEY_SIZE];
    struct quota_rules *own_rules; /* Owned; may be null. */
    const struct quota_rule *own;  /* In them; null: the server's rule counts. */
    struct quota_rule rule;        /* The one that counts, once the counter was found. */
    int64_t wall_ns, mono_ns;
    bool hurried;  /* It must not wait: a shared store is not asked. */
    bool counted;  /* It has counted units, and made it 'used' by that.  Others may have counted */
    uint64_t used; /* since, and each is to be told its own number. */
    struct quota_news news;
};

/* ---- quota_count.c ---- */

/* Finds out which counter is meant.  No lock.  E_ARGUMENT; nothing is left then. */
enum err visit_begin(struct quota *q, const struct quota_ask *ask, struct visit *v,
                     struct fault *f);
/* Says what is to be said, and has the sync made that was claimed.  No lock. */
void visit_end(struct quota *q, struct visit *v) EXCLUDES(LC_QUOTA);
/* The counter, of the window of now, as far as the store tells: drops the lock while it is asked.
 * With 'anyhow' also if it did not answer.  E_NOT_FOUND, E_LIMIT, E_NOT_READY. */
enum err visit_counter(struct quota *q, struct visit *v, bool anyhow, struct counter **counter,
                       struct fault *f) REQUIRES(LC_QUOTA);
/* The counter if it is there still and its window is 'window'; else null. */
struct counter *counter_find(struct quota *q, const char *key, const struct quota_window *window)
    REQUIRES(LC_QUOTA);
/* What is used, of the window and of the day: what is owed included. */
uint64_t counter_used(const struct quota *q, const struct counter *c) REQUIRES(LC_QUOTA);
uint64_t counter_today(const struct quota *q, const struct counter *c) REQUIRES(LC_QUOTA);
/* Takes what the store told into account: numbers only grow. */
void counter_merge(struct counter *c, const struct quota_total *total);
/* Stores the counter in the view of the news, with what the call may have of it. */
void visit_look(const struct quota *q, struct visit *v, const struct counter *c) REQUIRES(LC_QUOTA);
/* What the caller is told: the view of the news, with its own number if it counted. */
void visit_answer(const struct visit *v, struct quota_view *view);
/* The most that may be used by a call of that priority. */
uint64_t counter_bound(const struct quota *q, const struct quota_rule *rule, bool high)
    REQUIRES(LC_QUOTA);
/* Notes which levels have been reached, to be told by the call. */
void visit_cross(struct quota *q, struct visit *v, struct counter *c) REQUIRES(LC_QUOTA);
void counters_drop(struct quota *q) REQUIRES(LC_QUOTA);
/* Those of windows that are over, whose service nobody has asked for since. */
void counters_sweep(struct quota *q, int64_t wall_ns) REQUIRES(LC_QUOTA);

/* ---- quota_share.c: of a counter that is one tenant's own they do nothing; the
 * lock is held ---- */

/* Notes that the call's tenant has acquired its units. */
void shares_add(const struct visit *v, struct counter *c);
/* E_TENANT if the caller is bound to the tenant, and it has not so many. */
enum err shares_check(const struct visit *v, struct counter *c, struct fault *f);
/* Takes them off again, as far as they are there: they are given back, or the store refused them.
 */
void shares_take(const struct visit *v, struct counter *c);
/* E_TENANT if the caller may not count what was used without asking. */
enum err shares_check_record(const struct visit *v, struct fault *f);
/* Forgets who has what. */
void shares_drop(struct counter *c);

/* ---- quota_sync.c ---- */

/* Has the store take 'add', before it returns or later; no lock.  Updates the view of the news.
 * E_OVER_QUOTA: a shared store had no room for it, it was taken back. */
enum err quota_write(struct quota *q, struct visit *v, const struct quota_add *add)
    EXCLUDES(LC_QUOTA);
/* Whether a sync is due; then it is the caller's. */
bool quota_claim_sync(struct quota *q, int64_t mono_ns) REQUIRES(LC_QUOTA);
/* Has it made: by the thread if there is one. */
void quota_want_sync(struct quota *q) EXCLUDES(LC_QUOTA);
void quota_thread_end(struct quota *q) EXCLUDES(LC_QUOTA);
/* What the store has yet to take of one counter. */
void quota_owed(const struct quota *q, const char *key, const struct quota_window *window,
                int64_t day, struct quota_total *owed) REQUIRES(LC_QUOTA);

/* ---- quota_tell.c ---- */

/* Logs and publishes; no lock. */
void quota_tell(struct quota *q, const char *tenant, const struct quota_news *news)
    EXCLUDES(LC_QUOTA);

#endif
