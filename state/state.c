/* state.c -- makes the singletons from their rows, and tells their counters. */
#include "state/state.h"

#include "state/base/json_put.h"
#include "state/base/slots.h"
#include "state/changes.h"
#include "state/mcp_session.h"
#include "state/mcp_tasks.h"
#include "state/project_info.h"
#include "state/search.h"
#include "state/settings.h"
#include "state/skills.h"
#include "state/sources.h"
#include "state/workflow.h"

struct state {
    struct state_options options; /* Set once, as are all members. */
    int64_t started_mono, started_wall;
#define ROW(NAME, TYPE, MAKE, END) TYPE *NAME;
    SINGLETONS(ROW)
#undef ROW
    struct sources *sources; /* Null unless it is kept. */
};

static struct mcp_sessions *
make_sessions(const struct state_options *o, struct fault *f)
{
    struct mcp_session_limits limits = {
        .sessions = o->settings->limits_sessions,
        .per_principal = o->settings->limits_sessions_each,
        .idle_ns = o->settings->limits_session_idle,
        .streams = {.each = o->settings->limits_replay_each,
                    .all = o->settings->limits_replay,
                    .keep_ns = o->settings->limits_replay_time,
                    .open = o->settings->limits_streams},
    };
    (void)f;
    return mcp_sessions_create(o->clock, &limits);
}

static struct mcp_tasks *
make_tasks(const struct state_options *o, struct fault *f)
{
    struct mcp_task_limits limits = {
        .tasks = o->settings->limits_tasks,
        .per_principal = o->settings->limits_tasks_each,
        .bytes = o->settings->limits_task_bytes,
        .bytes_per_principal = o->settings->limits_task_bytes_each,
        .ttl_ns = o->settings->limits_task_ttl,
        .ttl_most_ns = o->settings->limits_task_ttl_most,
    };
    (void)f;
    return mcp_tasks_create(o->clock, &limits);
}

static struct changes *
make_changes(const struct state_options *o, struct fault *f)
{
    (void)o, (void)f;
    return changes_create();
}

static struct project_info *
make_project(const struct state_options *o, struct fault *f)
{
    (void)f;
    return project_info_create(o->root_path, o->clock);
}

/* The folder of session files: that of the prior art where the project has only its folder. */
static enum err
open_sessions(const struct state_options *o, struct dir **sessions, struct fault *f)
{
    bool theirs = strcmp(o->data_name, ".praxis-os") == 0;
    struct dir *parent = NULL;
    enum err err = theirs ? dir_sub(o->data, ".cache", true, &parent, f) : E_OK;

    err = err ? err : dir_sub(theirs ? parent : o->data, "state", true, sessions, f);
    dir_unref(parent);
    return err;
}

/* Stores the folders of packs in the order of precedence; returns how many.  'own' is the data
 * folder's. */
static size_t
name_pack_paths(const struct state_options *o, const char *own,
                const char *paths[WORKFLOW_PACK_PATHS_MAX])
{
    size_t count = 0;

    if (*o->settings->workflows_path) {
        paths[count++] = o->settings->workflows_path;
        return count;
    }
    paths[count++] = own;
    if (strcmp(o->data_name, ".praxis-os") != 0) {
        paths[count++] = ".praxis-os/workflows";
    }
    return count;
}

static struct workflow *
make_workflow(const struct state_options *o, struct fault *f)
{
    const struct settings *s = o->settings;
    struct workflow_options options = WORKFLOW_OPTIONS_INIT;
    struct workflow *workflow = NULL;
    char *own = xasprintf("%s/workflows", o->data_name);

    options.clock = o->clock;
    options.workspace = o->root;
    options.file_max = s->limits_state_file;
    options.files_max = s->limits_state_files;
    options.active_max = s->limits_active_workflows;
    options.stale_ns = s->limits_workflow_stale;
    name_pack_paths(o, own, options.pack_paths);
    if (open_sessions(o, &options.sessions, f) == E_OK) {
        workflow_create(&options, &workflow, f);
        dir_unref(options.sessions);
    }
    free(own);
    return workflow;
}

/* The folders of the project that packs, standards and skills are read from. */
struct named_sources {
    char *names[3]; /* Owned. */
    struct skill_source all[SKILLS_SOURCES_MAX];
    size_t count;
};

static void
name_sources(const struct state_options *o, struct named_sources *n)
{
    const char *paths[WORKFLOW_PACK_PATHS_MAX];
    size_t named;

    n->names[0] = xasprintf("%s/workflows", o->data_name);
    n->names[1] = xasprintf("%s/skills", o->data_name);
    n->names[2] = xasprintf("%s/standards", o->data_name);
    n->all[0] = (struct skill_source){SKILL_PROJECT, n->names[1]};
    n->all[1] = (struct skill_source){SKILL_STANDARDS, n->names[2]};
    n->count = 2;
    named = name_pack_paths(o, n->names[0], paths);
    for (size_t i = 0; i < named; i++) {
        n->all[n->count++] = (struct skill_source){SKILL_PACK, paths[i]};
    }
}

static void
forget_names(struct named_sources *n)
{
    for (size_t i = 0; i < sizeof n->names / sizeof n->names[0]; i++) {
        free(n->names[i]);
    }
}

static struct skills *
make_skills(const struct state_options *o, struct fault *f)
{
    struct named_sources n;
    struct skills *skills;

    (void)f;
    name_sources(o, &n);
    skills = skills_create(o->root, n.all, n.count, o->clock);
    forget_names(&n);
    return skills;
}

static struct search *
make_search(const struct state_options *o, struct fault *f)
{
    (void)f;
    return search_create(
        &(struct search_options){.data = o->data, .clock = o->clock, .keep = true});
}

static void
session_changed(void *changes, const char *session_id, bool list)
{
    sources_tell_session(changes, session_id, list);
}

enum err
state_create(const struct state_options *options, struct state **state, struct fault *f)
{
    struct state *s = xcalloc(1, sizeof *s);

    s->options = *options;
    s->started_mono = clock_mono(options->clock);
    s->started_wall = clock_wall(options->clock);
    *state = s;
#define ROW(NAME, TYPE, MAKE, END)            \
    s->NAME = MAKE(options, f);               \
    if (!s->NAME) {                           \
        state_destroy(s);                     \
        *state = NULL;                        \
        return f && f->code ? f->code : E_IO; \
    }
    SINGLETONS(ROW)
#undef ROW
    workflow_tell(s->workflow, session_changed, s->changes);
    return E_OK;
}

static void
standards_changed(void *search)
{
    search_stir(search);
}

void
state_keep(struct state *state, struct keeper *keeper)
{
    const struct state_options *o = &state->options;
    struct named_sources n;

    changes_keep(state->changes, keeper);
    name_sources(o, &n);
    state->sources = sources_start(&(struct sources_options){.keeper = keeper,
                                                             .changes = state->changes,
                                                             .workspace = o->root,
                                                             .folders = o->settings->limits_watches,
                                                             .standards_changed = standards_changed,
                                                             .arg = state->search},
                                   n.all, n.count);
    forget_names(&n);
}

bool
state_watched(const struct state *state, struct watch_counters *counters)
{
    if (!state->sources) {
        return false;
    }
    *counters = sources_counters(state->sources);
    return true;
}

/* One small function a row, so that they can stand in an array and be called backwards. */
#define ROW(NAME, TYPE, MAKE, END)          \
    static void end_##NAME(struct state *s) \
    {                                       \
        END(s->NAME);                       \
    }
SINGLETONS(ROW)
#undef ROW

void
state_destroy(struct state *state)
{
    static void (*const ends[])(struct state *) = {
#define ROW(NAME, TYPE, MAKE, END) end_##NAME,
        SINGLETONS(ROW)
#undef ROW
    };

    if (state) {
        sources_stop(state->sources);
        for (size_t i = sizeof ends / sizeof ends[0]; i-- > 0;) {
            ends[i](state);
        }
        free(state);
    }
}

const struct state_options *
state_options(const struct state *state)
{
    return &state->options;
}

const struct clock *
state_clock(const struct state *state)
{
    return state->options.clock;
}

void
state_give_up(struct state *state)
{
    project_info_give_up(state->project);
}

int64_t
state_started_mono(const struct state *state)
{
    return state->started_mono;
}

int64_t
state_started_wall(const struct state *state)
{
    return state->started_wall;
}

#define ROW(NAME, TYPE, MAKE, END)                \
    TYPE *state_##NAME(const struct state *state) \
    {                                             \
        return state->NAME;                       \
    }
SINGLETONS(ROW)
#undef ROW

static void
add_cache(json_t *caches, const char *name, const struct slots_counters *c)
{
    json_t *cache = json_must(json_object());
    uint64_t total = c->hits + c->misses;

    json_put_int(cache, "hits", (int64_t)c->hits);
    json_put_int(cache, "misses", (int64_t)c->misses);
    json_put_int(cache, "double_loads", (int64_t)c->double_loads);
    json_put_int(cache, "lock_waits", (int64_t)c->lock_waits);
    json_put_int(cache, "lock_acquisitions", (int64_t)c->lock_acquisitions);
    json_put_int(cache, "total_operations", (int64_t)total);
    json_put(cache, "hit_rate", json_real(total ? (double)c->hits / (double)total : 0.0));
    json_put_int(cache, "evictions", (int64_t)c->evictions);
    json_put_int(cache, "load_failures", (int64_t)c->load_failures);
    json_put_int(cache, "size", (int64_t)c->size);
    json_put_int(cache, "max", (int64_t)c->max);
    json_put(caches, name, cache);
}

json_t *
state_caches(const struct state *state)
{
    json_t *caches = json_must(json_object());
    struct slots_counters c = project_info_counters(state->project);
    struct workflow_counters w = workflow_counters(state->workflow);
    struct slots_counters files = skills_counters(state->skills);
    struct slots_counters answers = search_counters(state->search);

    add_cache(caches, "project_info", &c);
    add_cache(caches, "search_answers", &answers);
    add_cache(caches, "skill_files", &files);
    add_cache(caches, "workflow_gates", &w.gates);
    add_cache(caches, "workflow_sessions", &w.sessions);
    return caches;
}
