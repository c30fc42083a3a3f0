/* state.h -- the shared singletons: made in order before the first transport, freed in reverse
 * after the last.
 *
 * A singleton is one row.  The row gives its member, its accessor, and its place in the order; the
 * tests loop over the same rows.  Each is locked inside and safe from any thread.  What must be
 * made late, or once a key, is a slot (base/slots.h) inside one of them. */
#ifndef TANDEM_STATE_H
#define TANDEM_STATE_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/file.h"

#include <jansson.h>
#include <stdbool.h>

struct aside;
struct config;
struct keeper;
struct settings;
struct watch_counters;

/* The tenants are last, and end first: stores above them made parts of them. */
/*      name       type                  makes it             ends it                 */
#define SINGLETONS(ROW)                                                     \
    ROW(config, struct config, make_config, config_unref)                   \
    ROW(traffic, struct traffic, make_traffic, traffic_destroy)             \
    ROW(sessions, struct mcp_sessions, make_sessions, mcp_sessions_destroy) \
    ROW(tasks, struct mcp_tasks, make_tasks, mcp_tasks_destroy)             \
    ROW(changes, struct changes, make_changes, changes_destroy)             \
    ROW(bus, struct bus, make_bus, bus_destroy)                             \
    ROW(relay, struct relay, make_relay, relay_destroy)                     \
    ROW(budget, struct budget, make_budget, budget_destroy)                 \
    ROW(quota, struct quota, make_quota, quota_destroy)                     \
    ROW(learnings, struct learnings, make_learnings, learnings_destroy)     \
    ROW(failures, struct failures, make_failures, failures_destroy)         \
    ROW(project, struct project_info, make_project, project_info_destroy)   \
    ROW(workflow, struct workflow, make_workflow, workflow_destroy)         \
    ROW(skills, struct skills, make_skills, skills_destroy)                 \
    ROW(search, struct search, make_search, search_destroy)                 \
    ROW(helpdesk, struct helpdesk, make_helpdesk, helpdesk_destroy)         \
    ROW(tenants, struct tenants, make_tenants, tenants_destroy)

/* What the server found out before there was any state; all borrowed, all outliving it. */
struct state_options {
    const struct settings *settings; /* The snapshot of the start. */
    struct config *config;           /* Whose it is; null: it never changes. */
    const struct clock *clock;
    const char *root_path;    /* The project's folder. */
    const char *data_name;    /* ".tandem" or ".praxis-os". */
    struct dir *root;         /* The same folder, open. */
    struct dir *data;         /* The data folder beneath it. */
    struct aside *git;        /* Who asks git for this process; null: it does so itself. */
    const char *mode;         /* "dual", "stdio" or "http". */
    const char *instance;     /* Random id of this run, repeated in the discovery file. */
    const char *sandbox;      /* What the server has given up: "files and system calls", "files",
                               * "system calls" or "none". */
    const char *manager;      /* Who manages the server: server/manager.h. */
    const char *embed_key;    /* What the provider of vectors wants to see, never told; or null. */
    char *const *environment; /* As environ(7): what tenants' settings may name; may be null. */
};

struct state;

/* Makes every singleton.  On error nothing is left. */
enum err state_create(const struct state_options *options, struct state **state, struct fault *f);
/* Has 'keeper', who must outlive it, watch the project's files and tell of what changes.  At most
 * once, before the first transport. */
void state_keep(struct state *state, struct keeper *keeper);
/* Starts the threads that write and look after what others do not wait for.  At most once, of one
 * that is kept; others may use it meanwhile.  E_IO: there can be no thread. */
enum err state_start(struct state *state, struct fault *f);
/* Somebody says that files of the project have changed: packs, standards and skills are looked at
 * again, soon, and tenants' settings read again when they are asked for next.  No lock may be held.
 */
void state_look(struct state *state);
/* What is watched; false if nothing is, for there is no keeper.  No lock may be held. */
bool state_watched(const struct state *state, struct watch_counters *counters);
/* Null is ignored.  No other thread may use it. */
void state_destroy(struct state *state);

/* Whoever waits for the world outside (a child process) stops waiting, now and later: the server is
 * ending.  Any thread. */
void state_give_up(struct state *state);

/* What it was made with; borrowed from the state. */
const struct state_options *state_options(const struct state *state);
const struct clock *state_clock(const struct state *state);
/* Where the project's standards are (standards.h).  Borrowed from the state. */
const struct dir_place *state_standards(const struct state *state);
/* Monotonic and wall time of state_create(). */
int64_t state_started_mono(const struct state *state);
int64_t state_started_wall(const struct state *state);

/* Accessors: struct mcp_sessions *state_sessions(const struct state *), and so on. */
#define ROW(NAME, TYPE, MAKE, END) \
    TYPE;                          \
    TYPE *state_##NAME(const struct state *state);
SINGLETONS(ROW)
#undef ROW

/* {"<cache>": {hits, misses, double_loads, lock_waits, hit_rate, total_operations, ...}}: the
 * counters of every cache, each taken at one moment and defined in base/slots.h.  total_operations
 * are hits and misses; hit_rate is hits of them, and null while there are none: what is not known
 * is never told as 0.  New. */
json_t *state_caches(const struct state *state);

#endif
