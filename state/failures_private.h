/* failures_private.h -- what the files of the failures share.
 *
 *   failures.c         telling how a tool went: what failed, what that mended; clearing
 *   failures_table.c   what is kept, and for whom room is made
 *   failures_look.c    lists, what is behind a failure, counts
 *   failures_lesson.c  what a pair teaches, as a lesson and in Markdown */
#ifndef TANDEM_FAILURES_PRIVATE_H
#define TANDEM_FAILURES_PRIVATE_H

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/failures.h"
#include "state/tenant_id.h"

#define FAILURE_ID_SIZE 40
#define FAILURE_NAME_MAX 200u /* Characters of what names a session, a tool, an agent. */
#define FAILURE_PROBLEM_MAX 100u

/* Immutable. */
struct failure {
    _Atomic unsigned refs;
    char id[FAILURE_ID_SIZE];
    enum failure_error error;
    enum failure_task task;
    int64_t wall_ns, mono_ns;
    char *tool, *message, *preview; /* Owned, as those below, which may be empty. */
    char *agent_type, *command, *cwd, *session;
};

struct failure *failure_ref(struct failure *x);
/* Null is ignored. */
void failure_unref(struct failure *x);
/* The first 'characters' of 'text', new. */
char *failure_copy(struct slice text, size_t characters);

struct failure_entry {
    struct failure *failure; /* Counted. */
    bool fixed;
    int64_t fixed_ns; /* Wall. */
};

struct failure_session {
    char *id;
    struct failure_tenant *tenant;
    struct failure_entry *ring; /* Number 'i' is at i % size. */
    size_t size;                /* It grows up to FAILURES_RING. */
    uint64_t first, next;       /* The oldest that is kept, and the one past the newest. */
    uint64_t fixed;             /* Of those that are kept. */
    uint64_t fixes, learnings;
    UT_hash_handle hh; /* In the order of last use: the oldest first. */
};

struct failure_tenant {
    char id[TENANT_ID_SIZE];
    struct failure_session *sessions; /* Never none. */
    size_t count;                     /* Failures that are kept. */
    UT_hash_handle hh;
};

struct failures {
    const struct clock *clock;
    struct bus *bus;
    struct learnings *learnings;
    char run[9]; /* So that ids of two runs of the server differ. */
    _Atomic uint64_t next_id;
    struct lock lock; /* RANK_FAILURES. */
    struct failure_tenant *tenants GUARDED_BY(LC_FAILURES);
    size_t count GUARDED_BY(LC_FAILURES), session_count GUARDED_BY(LC_FAILURES);
};

/* ---- failures_table.c ---- */

struct failure_tenant *failures_tenant(struct failures *t, const char *id) REQUIRES(LC_FAILURES);
/* A session, which from now on is the one of its tenant that was used last; null if it is not
 * there. */
struct failure_session *failures_session(struct failures *t, const char *tenant,
                                         const char *session) REQUIRES(LC_FAILURES);
/* Keeps a failure, stolen: in a new session if need be.  What makes room is as failures.h says. */
void failures_keep(struct failures *t, const char *tenant, const char *session,
                   struct failure *failure) REQUIRES(LC_FAILURES);
/* The one put there 'back' before the newest. */
struct failure_entry *failures_entry(struct failure_session *s, uint64_t back);
/* Forgets a session, and its tenant if it was the last of it. */
void failures_drop(struct failures *t, struct failure_session *s) REQUIRES(LC_FAILURES);

/* ---- failures_look.c ---- */

json_t *failures_json(const struct failure_entry *entry);
void failures_put_time(json_t *out, const char *key, int64_t wall_ns);

/* ---- failures_lesson.c ---- */

/* Who is to learn from it; borrowed from it. */
const char *failures_learner(const struct failure *x);
/* What 'x' and the success that mended it teach, new; 'fix' is what failures_record() tells. */
json_t *failures_lesson(const struct failures *t, const struct failure *x,
                        const struct failure_outcome *success, const json_t *fix);
/* Adds 'text' in one line: what parts its words is one blank. */
void failures_add_flat(struct buf *out, struct slice text);

#endif
