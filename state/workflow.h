/* workflow.h -- the workflow engine: packs that are run phase by phase, each passed through its
 * gate.
 *
 * One function per action of the tool pos_workflow.  Packs are read from disk for every start and
 * listing; gates are parsed once a version; sessions are live objects over files
 * (workflow_store.h).  Slow work, reading and parsing, happens before a session is locked; the lock
 * is held over the session's own save only.  So a caller never waits for a call that is waiting for
 * it.
 *
 * Knows nothing of MCP.  Any thread may call anything; no lock may be held. */
#ifndef TANDEM_WORKFLOW_H
#define TANDEM_WORKFLOW_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/file.h"
#include "state/base/slots.h"

#include <jansson.h>
#include <stdbool.h>

struct bus;
struct workflow;
struct workflow_approval;

#define WORKFLOW_PACK_PATHS_MAX 4u

struct workflow_options {
    const struct clock *clock; /* Borrowed. */
    struct dir *workspace;     /* The project; a reference is taken, as of the next. */
    struct dir *sessions;      /* Where session files are. */
    /* Folders of packs beneath the workspace, in order of precedence; one that is not there is
     * looked for again at each call.  Copied. */
    const char *pack_paths[WORKFLOW_PACK_PATHS_MAX];
    size_t file_max;   /* Bytes of a session file. */
    size_t files_max;  /* Session files. */
    size_t active_max; /* Sessions neither completed nor paused. */
    int64_t stale_ns;  /* An active session untouched for longer is removed by a clean-up. */
    struct bus *bus;   /* Is told of what happens to sessions; borrowed; may be null. */
};
/* The limits by default; the rest empty. */
#define WORKFLOW_OPTIONS_INIT                                        \
    {                                                                \
        .file_max = 1u << 20, .files_max = 10000, .active_max = 100, \
        .stale_ns = 7ll * 24 * 3600 * 1000000000                     \
    }

/* A new engine.  E_IO if the folder of sessions cannot be used. */
enum err workflow_create(const struct workflow_options *options, struct workflow **workflow,
                         struct fault *f);
/* Null is ignored.  No other thread may be using it. */
void workflow_destroy(struct workflow *w);
/* Has 'tell' called after each change of a session, with no lock held; 'list': it came, went, or is
 * in another state or phase.  At most once, before any action. */
void workflow_tell(struct workflow *w, void (*tell)(void *arg, const char *session_id, bool list),
                   void *arg);

/* What a client gave; all borrowed.  An action uses its own and ignores the rest. */
struct workflow_args {
    const char *action;     /* As it is echoed. */
    const char *session_id; /* Null if not given, as all texts. */
    const char *workflow_type;
    const json_t *target_file, *options, *evidence; /* Unchecked JSON, or null. */
    bool has_phase, has_task_number, has_to_phase;
    int phase, task_number, to_phase;
    const char *category, *status, *reason, *checkpoint_note;
    bool reset_evidence;
    const struct workflow_approval *approval; /* What a person said; null: nobody was asked. */
    bool can_ask; /* A person can be asked: what the evidence claims of one is no approval. */
    /* get_task: makes the text that is kept of the answer, new, or null (workflow_at_hand.h). Null:
     * none is wanted. */
    struct bytes *(*keep)(const json_t *answer);
};

/* One action.  E_OK and the whole answer in '*answer', new; or the error, and in '*answer' the
 * error object for the client, new, which 'f' (not null) agrees with. */
typedef enum err workflow_action(struct workflow *w, const struct workflow_args *args,
                                 json_t **answer, struct fault *f);

workflow_action workflow_list_workflows; /* (category) */
workflow_action workflow_start;          /* workflow_type, target_file (options) */
workflow_action workflow_get_phase;      /* session_id (phase) */
workflow_action workflow_get_task;       /* session_id, phase, task_number */
workflow_action workflow_complete_phase; /* session_id, phase, evidence */
workflow_action workflow_get_state;      /* session_id */
workflow_action workflow_list_sessions;  /* (status) */
workflow_action workflow_get_session;    /* session_id */
workflow_action workflow_delete_session; /* session_id (reason) */
workflow_action workflow_pause;          /* session_id (checkpoint_note) */
workflow_action workflow_resume;         /* session_id */
workflow_action workflow_retry_phase;    /* session_id, phase (reset_evidence) */
workflow_action workflow_rollback;       /* session_id, to_phase */
workflow_action workflow_get_errors;     /* session_id */

/* What the pack called 'id' (its folder's name, not its type) is, as pack_overview() says, a new
 * object in '*overview'.  Reads files.  E_NOT_FOUND also for what cannot be a name; E_REFUSED if it
 * is broken; E_TOO_LARGE, E_IO. */
enum err workflow_pack(struct workflow *w, const char *id, json_t **overview, struct fault *f);

/* Removes sessions that nobody has touched for long; the server calls it at start and daily.
 * Returns how many.  Reads files. */
size_t workflow_clean(struct workflow *w);

struct workflow_counters {
    struct slots_counters sessions, gates;  /* The two caches. */
    size_t sessions_live, sessions_on_disk; /* On disk: as far as the folder has been looked at. */
    size_t sessions_active, sessions_paused, sessions_failed, sessions_completed;
    uint64_t action_acquisitions, action_waits; /* Of the sessions' action locks. */
    uint64_t saves, conflicts, started, resumed, deleted, cleaned, set_aside;
};
/* What is counted, as it is now. */
struct workflow_counters workflow_counters(struct workflow *w);

#endif
