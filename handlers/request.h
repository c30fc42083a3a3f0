/* request.h -- one message on its way: what the transport told, what it says, what is answered.
 *
 * A request is made by dispatch, lives on the transport's stack while it runs INLINE, and on the
 * heap, with a copy of its bytes, when it goes to a worker.  Handlers get it and nothing else: no
 * handler reads the environment, a thread-local or a global to learn who is asking. */
#ifndef TANDEM_REQUEST_H
#define TANDEM_REQUEST_H

#include "handlers/envelope.h"
#include "handlers/rpc.h"
#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/lock.h"
#include "state/base/mem.h"
#include "state/base/pool.h"
#include "state/base/sink.h"
#include "state/mcp_session.h"
#include "state/scope.h"
#include "state/tenants.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

struct dispatcher;
struct need_host;
struct needs;
struct mcp_task;
struct task_run;
struct state;

enum era { ERA_LEGACY, ERA_MODERN };

/* Protocol revisions, oldest first. */
#define REVISIONS(ROW)                        \
    ROW(2024_11_05, "2024-11-05", ERA_LEGACY) \
    ROW(2025_03_26, "2025-03-26", ERA_LEGACY) \
    ROW(2025_06_18, "2025-06-18", ERA_LEGACY) \
    ROW(2025_11_25, "2025-11-25", ERA_LEGACY) \
    ROW(2026_07_28, "2026-07-28", ERA_MODERN)
enum revision {
#define ROW(NAME, TEXT, ERA) REVISION_##NAME,
    REVISIONS(ROW)
#undef ROW
        REVISION_COUNT,
    REVISION_NONE = -1
};

/* How the answer is framed: a JSON-RPC response, or plain JSON for scripts (/api/...). */
enum dialect { DIALECT_RPC, DIALECT_REST };

/* ENDED: the server is ending and has answered it already; whoever runs it says nothing more. */
enum request_state { REQUEST_RUNNING, REQUEST_ANSWERED, REQUEST_CANCELLED, REQUEST_ENDED };

/* What a request in flight waits for on no worker: park.h. */
enum parked { PARKED_NOT, PARKED_CLIENT, PARKED_EVENT, PARKED_WORKER };

/* What a request waits for that asks nobody: wait.c. */
struct request_wait {
    bool wanted;           /* Its handler has just said so. */
    bool vain;             /* The server is ending: it is not to wait for a task again. */
    int64_t until_ns;      /* Monotonic. */
    struct mcp_task *task; /* Counted; or null. */
    unsigned changes;      /* Of 'task', that it has seen. */
};

struct method;
struct tool;
struct tool_entry;

struct request {
    struct job job;                /* First: a worker's job is the request. */
    struct dispatcher *dispatcher; /* Borrowed. */
    struct state *state;           /* Borrowed: the stores. */
    struct envelope env;           /* On a worker only 'transport', 'session' (then counted),
                                      'principal' and 'scopes' are left of it. */
    char tenant[TENANT_ID_SIZE];   /* For whom: never empty.  See handlers/tenant.h. */
    struct tenant_pin customer;    /* Its settings, pinned; on a worker never none. */
    bool tenant_named;           /* It says, or is bound to, whose it is: of no other it is told. */
    bool tenant_bound;           /* That is by who calls, not by what is asked. */
    struct mcp_session *session; /* Counted; the legacy session, or null. */
    struct sink *sink;           /* Counted. */
    struct mcp_stream *stream;   /* Borrowed: 'sink', if a client may come back to it; else null. */
    const struct method *method; /* Its row; null for what has none. */
    const struct tool *tool;     /* tools/call: the tool that was asked for. */
    const struct tool_entry *entry; /* Borrowed: its place in the registry. */
    enum scope scope;               /* What the token lacks, once that is why it fails. */
    enum dialect dialect;
    bool batched; /* One message of a batch. */
    enum era era;
    enum revision revision;
    int64_t started_ns, deadline_ns; /* Monotonic. */
    _Atomic int progress;            /* enum request_state: the first to leave RUNNING wins. */
    struct buf out;              /* The response as far as it is written: see request_member(). */
    size_t result_start;         /* Where the members of the result begin in 'out'. */
    struct buf fault_data;       /* error.data as JSON text; empty for none. */
    int log_level;               /* Modern: enum mcp_level asked for by this request; -1: none. */
    double last_progress;        /* What was told last; nothing yet: -INFINITY. */
    struct slice new_session_id; /* Told with the answer; borrowed from 'session'. */
    const char *result_type;     /* Modern, of the result; null: "complete". */
    bool busy;                   /* 'session' counts it as something that it does. */
    struct needs *needs;         /* Owned: what it asked its client, need.c; may be null. */
    struct need_host *host;      /* Borrowed: the task that asks in its place; or null. */
    bool as_task;                /* tools/call: it is to become a task; */
    bool begins_task;            /* now.  Tasks: task_run.c. */
    int64_t ttl_ms;              /* How long that is to be kept; -1: nothing was asked for. */
    struct task_run *task;       /* Owned: the task that it is; else null. */
    bool tool_failed;            /* The result tells a tool's error, 'fault'. */
    struct bytes *at_hand;       /* Counted: its answer, if that was there before it. */
    struct bytes *error;         /* Counted: tells, as JSON, the error in the place of 'fault'. */
    struct request_wait wait;
    /* Only of a request that went to a worker. */
    struct bytes *bytes; /* Counted copy of the message. */
    char *principal;     /* Owned copy. */
    char *scopes;        /* Owned copy; null if all is allowed. */
    struct request *next GUARDED_BY(LC_INFLIGHT),
        *prev GUARDED_BY(LC_INFLIGHT); /* Those in flight. */
    enum parked parked GUARDED_BY(LC_INFLIGHT);
    int64_t stopped_ns; /* While it is parked: since when its time stands still; -1: it goes on. */
    /* The last, for they are long and need not be cleared. */
    struct fault fault;         /* What went wrong, if the handler fails. */
    struct rpc_message message; /* Slices into 'bytes', or into the transport's buffer. */
};

/* E_SCOPE unless the token of the request, if it came with one, allows what 'scope' is for. */
enum err request_check_scope(struct request *req, enum scope scope);

/* True once the client cancelled or the time is up: long work asks now and then and gives up with
 * E_CANCELLED or E_TIMEOUT.  Any thread. */
bool request_stop(const struct request *req);

/* Tells how far a request is, if its client asked to be told: 'progress' of 'total' (0: not known),
 * with a text or null; a task says the text as its status, asked or not.  What does not rise is not
 * told, nor what the peer is too slow to read.  Only the thread that runs the request, which holds
 * no lock. */
void request_progress(struct request *req, double progress, double total, const char *message);
/* Ends the connection that waits for the answer, if its client knows to come back in 'retry_ms' for
 * what is said from now on, answer included: a call that takes long need not hold one.  False, and
 * nothing happens, if it does not.  Threads as above. */
bool request_pause_stream(struct request *req, int retry_ms);
/* The value of a level's name, as JSON or not; -1 if it is none. */
int request_level(const struct json_value *name);
/* Sends a log message of the request, if its client wants that level: a legacy session says so by
 * logging/setLevel, a modern request by its _meta.  'logger' may be null; 'data' is borrowed.
 * Threads as above. */
void request_log(struct request *req, enum mcp_level level, const char *logger, const json_t *data);

/* Begins the next member of the result: adds the comma, if need be, and "key": to 'out'. */
void request_member(struct request *req, const char *key);
/* Adds "key":<value> to the result. */
void request_add_json(struct request *req, const char *key, const json_t *value);
void request_add_raw(struct request *req, const char *key, struct slice json);

#endif
