/* lock.h -- the one lock type, its order, and the words clang checks it by.
 *
 * The rows of LOCK_RANKS are the order: a thread takes only locks of rows below those it holds.
 * clang checks at compile time who holds what (each row is a capability LC_NAME; fields are
 * GUARDED_BY(LC_NAME), helpers REQUIRES(LC_NAME), and the second column gives the order); a
 * thread-local stack checks the order at run time and aborts naming both.  Two locks of one row are
 * never held together.
 *
 * Nothing blocks, logs, calls back or does I/O while it holds a lock.  The rows marked (slow) are
 * the exceptions: they exist to make one slow action exclude its twin, and say so. */
#ifndef TANDEM_LOCK_H
#define TANDEM_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
/*      name            after           what it guards                                            */
#define LOCK_RANKS(ROW)                                                                             \
    ROW(OUTERMOST,      OUTERMOST,      "nothing; the top of the order")                            \
    ROW(CONFIG,         OUTERMOST,      "which settings snapshot is current")                       \
    ROW(KEYS,           CONFIG,         "keys of the issuer, and who waits for others")             \
    ROW(GRANTS,         KEYS,           "tokens that were found good")                              \
    ROW(TENANT_SAVE,    GRANTS,         "(slow) one change of a tenant's file, with its read")      \
    ROW(TENANT_GUARD,   TENANT_SAVE,    "peers that ask for tenants which are not theirs")          \
    ROW(BUDGET_SAVE,    TENANT_GUARD,   "(slow) the file of the tandem sessions")                   \
    ROW(BUDGET,         BUDGET_SAVE,    "tandem sessions: tokens, agents, notes")                   \
    ROW(MCP_SESSIONS,   BUDGET,         "table of legacy MCP sessions")                             \
    ROW(INFLIGHT,       MCP_SESSIONS,   "requests in flight, by peer and id")                       \
    ROW(WF_START,       INFLIGHT,       "workflow starts under way, by pack and target")            \
    ROW(WF_ACTION,      WF_START,       "(slow) a mutating action on a workflow session, its save") \
    ROW(SLOTS,          WF_ACTION,      "one keyed cache: its table, order and counters")           \
    ROW(WF_SESSION,     SLOTS,          "which document of a workflow session is current")          \
    ROW(TASKS,          WF_SESSION,     "table of MCP tasks, and what their principals use")        \
    ROW(TASK,           TASKS,          "what changes in one MCP task")                             \
    ROW(CHANGES,        TASK,           "who listens for changes")                                  \
    ROW(KEEPER,         CHANGES,        "what the keeper's thread was asked to do")                 \
    ROW(MCP_STREAMS,    KEEPER,         "events of legacy sessions, and who carries them")          \
    ROW(SEARCH,         MCP_STREAMS,    "which index is current, and what is to be done to it")     \
    ROW(SEARCH_VECTORS, SEARCH,         "which vectors are wanted, and how far they are")           \
    ROW(SEARCH_READERS, SEARCH_VECTORS, "connections of one generation that are idle")              \
    ROW(HELPDESK,       SEARCH_READERS, "which helpdesk index is current, and who loads one")       \
    ROW(QUERIES,        HELPDESK,       "queries that wait for their vectors")                      \
    ROW(EMBED,          QUERIES,        "connections to the provider of vectors that are idle")     \
    ROW(QUOTA,          EMBED,          "counters of services, and what the store owes")            \
    ROW(QUOTA_STORE,    QUOTA,          "counters as the files have them")                          \
    ROW(FAILURES,       QUOTA_STORE,    "what failed, and what mended it")                          \
    ROW(BUS,            FAILURES,       "the sequence of events, what is kept of it, its queues")   \
    ROW(RELAY,          BUS,            "who reads events by WebSocket")                            \
    ROW(POOL,           RELAY,          "jobs waiting for a worker")                                \
    ROW(OUTBOX,         POOL,           "what waits for one transport's thread")                    \
    ROW(LOG,            OUTBOX,         "the line being written; last of all")

enum lock_rank {
#define ROW(NAME, AFTER, WHAT) RANK_##NAME,
    LOCK_RANKS(ROW)
#undef ROW
    RANK_COUNT
};
/* clang-format on */

#if defined(__clang__)
#define TS(X) __attribute__((X))
#else
#define TS(X)
#endif
#define GUARDED_BY(CLASS) TS(guarded_by(CLASS))
#define REQUIRES(CLASS) TS(requires_capability(CLASS))
#define EXCLUDES(CLASS) TS(locks_excluded(CLASS))
/* On functions that make or end an object while no other thread can see it. */
#define UNSHARED TS(no_thread_safety_analysis)

struct TS(capability("lock")) lock_class {
    char unused;
};
extern struct lock_class LC_OUTERMOST;

struct lock {
    pthread_mutex_t mutex;
    enum lock_rank rank;
    /* Counted while the lock is held, so they need no atomics. */
    uint64_t acquisitions;
    uint64_t waits; /* Acquisitions that found the lock taken. */
};

struct cond {
    pthread_cond_t cond; /* On the monotonic clock. */
};

struct lock_counters {
    uint64_t acquisitions, waits;
};

/* A free lock of that rank. */
void lock_init(struct lock *l, enum lock_rank rank);
/* Nobody may hold or want it. */
void lock_fini(struct lock *l);
const char *lock_rank_name(enum lock_rank rank);
/* Both numbers as of now.  Takes and drops 'l', which counts as one acquisition more. */
struct lock_counters lock_counters(struct lock *l);
/* True if the calling thread holds no lock at all: asserted where threads wait or call out. */
bool lock_none_held(void);

/* Use LOCK(RANK, &lock) and UNLOCK(RANK, &lock), in pairs, unconditional, in one function. */
void lock_acquire_(struct lock *l, enum lock_rank rank);
void lock_release_(struct lock *l, enum lock_rank rank);

#define LOCK(NAME, L) lock_acquire_##NAME(L)
#define UNLOCK(NAME, L) lock_release_##NAME(L)

/* Who ends one has made sure that nobody waits. */
void cond_init(struct cond *c);
void cond_fini(struct cond *c);
/* Waits until woken or until 'deadline_ns' on the monotonic clock (INT64_MAX: for ever); false if
 * the time came first.  'l' must be the only lock the thread holds. */
bool cond_wait(struct cond *c, struct lock *l, int64_t deadline_ns);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

/* clang wants each class declared before it is named; the chain keeps the order of the rows. */
#define ROW(NAME, AFTER, WHAT)                                                 \
    extern struct lock_class LC_##NAME TS(acquired_after(LC_##AFTER));         \
    static inline TS(acquire_capability(LC_##NAME))                            \
        TS(no_thread_safety_analysis) void lock_acquire_##NAME(struct lock *l) \
    {                                                                          \
        lock_acquire_(l, RANK_##NAME);                                         \
    }                                                                          \
    static inline TS(release_capability(LC_##NAME))                            \
        TS(no_thread_safety_analysis) void lock_release_##NAME(struct lock *l) \
    {                                                                          \
        lock_release_(l, RANK_##NAME);                                         \
    }
LOCK_RANKS(ROW)
#undef ROW

#endif
