/* failures.h -- what went wrong in a session, what mended it, and the lesson of the two.
 *
 * Whoever runs a tool tells how it went.  What failed is kept, the newest 500 of a session; what
 * works later, with the same tool and of the same kind, mends the newest failure that is not mended
 * yet, at most once, and the pair becomes a lesson for whoever should know (learnings.h).  Failures
 * are in memory only; lessons outlive the server.
 *
 * Any thread, holding no lock; takes FAILURES.  What was said is looked through before, and nothing
 * is published, written or logged under it. */
#ifndef TANDEM_FAILURES_H
#define TANDEM_FAILURES_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/failure_detect.h"

#include <jansson.h>

#define FAILURES_RING 500u          /* Of a session. */
#define FAILURES_SESSIONS 32u       /* Of a tenant; the one used least recently makes room. */
#define FAILURES_MAX 16000u         /* Of all, and so are */
#define FAILURES_SESSIONS_MAX 1024u /* these: over either the tenant that has most makes room. */
#define FAILURES_PREVIEW 200u       /* Characters of an output that are kept. */

struct bus;
struct failures;
struct learnings;

/* New.  All borrowed; 'bus' may be null, then nobody is told. */
struct failures *failures_create(const struct clock *clock, struct bus *bus,
                                 struct learnings *learnings);
/* Null is ignored.  No other thread may use it. */
void failures_destroy(struct failures *t);
struct learnings *failures_learnings(const struct failures *t);

/* How a tool went.  All borrowed; those that may be null or empty are. */
struct failure_outcome {
    const char *tenant, *session; /* Never null. */
    const char *tool;
    struct slice output;
    int64_t exit_code;
    struct slice agent_type, command, cwd; /* Whose it is, and what was run where. */
    struct slice note;                     /* What the caller adds to the lesson. */
};

enum failure_kind { FAILURE_NOTHING, FAILURE_FAILED, FAILURE_MENDED };

/* What came of it: new objects, or null. */
struct failure_result {
    enum failure_kind kind;
    json_t *failure, *fix, *learning;
};

/* E_ARGUMENT: 'agent_type' is no name of who learns. */
enum err failures_record(struct failures *t, const struct failure_outcome *outcome,
                         struct failure_result *result, struct fault *f);
void failure_result_fini(struct failure_result *result);

/* Which failures: those of one session, or with 'session' null all of the tenant's. */
struct failure_query {
    const char *tenant, *session;
    bool unfixed; /* Only those not mended. */
    size_t limit;
};
/* The newest of them, newest first, as a new array. */
json_t *failures_list(struct failures *t, const struct failure_query *query);
/* The same looked into: {task_id, root_cause, file?, line?, suggestion, priority, ...} each. */
json_t *failures_analyze(struct failures *t, const struct failure_query *query);
/* Forgets those of a session, or of the tenant; lessons stay.  Returns how many: if there were any
 * the bus is told. */
size_t failures_clear(struct failures *t, const char *tenant, const char *session);

struct failure_stats {
    uint64_t failures, fixed, unfixed; /* Of those that are kept. */
    uint64_t fixes, learnings;         /* Since its sessions began; lessons that are kept. */
    uint64_t sessions;
};
/* Of a tenant, or with 'tenant' null of all; of one session, unless that is null. */
struct failure_stats failures_stats(struct failures *t, const char *tenant, const char *session);

/* Adds the lessons (as learnings_get() gives them) for 'target' to 'out', in Markdown. */
void failures_markdown(struct buf *out, const char *target, const json_t *lessons);

#endif
