/* state_make.c -- makes each singleton from the settings and from those made before it. */
#include "state/state_make.h"

#include "state/base/random.h"
#include "state/budget.h"
#include "state/bus.h"
#include "state/changes.h"
#include "state/failures.h"
#include "state/config.h"
#include "state/embed_configured.h"
#include "state/embed_hashed.h"
#include "state/helpdesk.h"
#include "state/learnings.h"
#include "state/mcp_session.h"
#include "state/mcp_tasks.h"
#include "state/project_info.h"
#include "state/relay.h"
#include "state/quota.h"
#include "state/quota_journal.h"
#include "state/search.h"
#include "state/settings.h"
#include "state/tenants.h"
#include "state/traffic.h"
#include "state/workflow.h"

struct config *
make_config(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);

    (void)f;
    return o->config ? config_ref(o->config) : config_of(o->settings);
}

struct traffic *
make_traffic(const struct state *state, struct fault *f)
{
    (void)state, (void)f;
    return traffic_create();
}

struct tenants *
make_tenants(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);

    (void)f;
    return tenants_create(&(struct tenants_options){
        .clock = o->clock,
        .data = o->data,
        .default_id = o->settings->tenant_default_id,
        .env_allow = o->settings->tenant_env_allow,
        .environment = o->environment,
        .bus = state_bus(state),
        .cache_max = o->settings->tenant_cache_max,
        .ttl_ns = o->settings->tenant_ttl_s * INT64_C(1000000000),
        .negative_ttl_ns = o->settings->tenant_negative_ttl_s * INT64_C(1000000000),
    });
}

struct mcp_sessions *
make_sessions(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);
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

struct mcp_tasks *
make_tasks(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);
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

struct changes *
make_changes(const struct state *state, struct fault *f)
{
    (void)state, (void)f;
    return changes_create();
}

struct bus *
make_bus(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);
    const struct settings *s = o->settings;
    struct bus_options options = BUS_OPTIONS_INIT;
    struct bus_patterns outside = {.count = 0};
    const char *list = s->relay_patterns;
    struct slice item;
    struct bus *bus = NULL;
    char epoch[17];
    enum err err = E_OK;

    options.clock = o->clock;
    options.epoch = epoch;
    options.history = s->events_history;
    options.history_bytes = s->events_history_bytes;
    options.outside = &outside;
    options.readers = s->relay_max_clients;
    options.queue = s->relay_queue;
    options.queue_bytes = s->relay_queue_bytes;
    options.end_on_overflow = s->relay_overflow == OVERFLOW_DISCONNECT;
    options.replay_ns = s->relay_replay_ttl;
    if (!random_hex(epoch, sizeof epoch)) {
        err = fault_set(f, E_IO, "no random bytes for the epoch of events");
    }
    while (!err && settings_next_item(&list, &item)) {
        err = bus_patterns_add(&outside, item, f);
    }
    if (!err) {
        bus = bus_create(&options);
    }
    bus_patterns_fini(&outside);
    return bus;
}

struct relay *
make_relay(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);

    (void)f;
    return relay_create(&(struct relay_options){.clock = o->clock,
                                                .clients = o->settings->relay_max_clients,
                                                .keep_ns = o->settings->relay_replay_ttl});
}

struct budget *
make_budget(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);
    struct dir *dir = NULL;
    struct budget_options options = {
        .clock = o->clock,
        .config = state_config(state),
        .bus = state_bus(state),
        .default_tenant = o->settings->tenant_default_id,
        .environment = o->environment,
    };
    struct budget *budget = NULL;

    if (dir_sub(o->data, "session", true, &dir, f) == E_OK) {
        options.dir = dir;
        budget_create(&options, &budget, f);
        dir_unref(dir);
    }
    return budget;
}

struct quota *
make_quota(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);
    struct quota_options options = {
        .clock = o->clock, .settings = o->settings, .bus = state_bus(state)};
    struct quota *quota = NULL;

    if (quota_journal_open(o->data, clock_wall(o->clock), &options.store, f) == E_OK) {
        quota_create(&options, &quota, f);
    }
    return quota;
}

struct learnings *
make_learnings(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);

    (void)f;
    return learnings_create(o->data, o->clock, o->settings->tenant_default_id);
}

struct failures *
make_failures(const struct state *state, struct fault *f)
{
    (void)f;
    return failures_create(state_clock(state), state_bus(state), state_learnings(state));
}

struct project_info *
make_project(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);

    (void)f;
    return project_info_create(o->root_path, o->clock, o->git);
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

struct workflow *
make_workflow(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);
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
    options.bus = state_bus(state);
    name_pack_paths(o, own, options.pack_paths);
    if (open_sessions(o, &options.sessions, f) == E_OK) {
        workflow_create(&options, &workflow, f);
        dir_unref(options.sessions);
    }
    free(own);
    return workflow;
}

void
state_name_sources(const struct state_options *o, struct named_sources *n)
{
    const char *paths[WORKFLOW_PACK_PATHS_MAX], *standards = o->settings->standards_path;
    size_t named;

    n->names[0] = xasprintf("%s/workflows", o->data_name);
    n->names[1] = xasprintf("%s/skills", o->data_name);
    n->names[2] = *standards ? xstrdup(standards) : xasprintf("%s/standards", o->data_name);
    n->all[0] = (struct skill_source){SKILL_PROJECT, n->names[1]};
    n->all[1] = (struct skill_source){SKILL_STANDARDS, n->names[2]};
    n->count = 2;
    named = name_pack_paths(o, n->names[0], paths);
    for (size_t i = 0; i < named; i++) {
        n->all[n->count++] = (struct skill_source){SKILL_PACK, paths[i]};
    }
}

void
state_forget_names(struct named_sources *n)
{
    for (size_t i = 0; i < sizeof n->names / sizeof n->names[0]; i++) {
        free(n->names[i]);
    }
}

struct skills *
make_skills(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);
    struct named_sources n;
    struct skills *skills;

    (void)f;
    state_name_sources(o, &n);
    skills = skills_create(o->root, n.all, n.count, o->clock);
    state_forget_names(&n);
    return skills;
}

struct dir_place
state_place(const struct state_options *o, const char *path, const char *usual)
{
    return *path ? (struct dir_place){o->root, path} : (struct dir_place){o->data, usual};
}

/* The settings name folders of the project, not of the machine. */
static enum err
check_place(const struct dir_place *place, const char *setting, struct fault *f)
{
    if (!dir_leads_out(place->base, place->path)) {
        return E_OK;
    }
    fault_set(f, E_ARGUMENT, "%s: '%s' leads out of the project", setting, place->path);
    return fault_remedy(f, "name a folder relative to the project's root, without links");
}

struct search *
make_search(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);
    struct search_options options = {
        .standards = *state_standards(state),
        .index = state_place(o, o->settings->index_path, "index"),
        .clock = o->clock,
        .query_ns = o->settings->embed_query_time,
        .keep = true,
        .bus = state_bus(state),
    };
    struct search *search;

    if (check_place(&options.standards, "standards_path", f) ||
        check_place(&options.index, "index_path", f)) {
        return NULL;
    }
    options.embedder = embed_configured(o->settings, o->embed_key);
    search = search_create(&options);
    embedder_unref(options.embedder);
    return search;
}

struct helpdesk *
make_helpdesk(const struct state *state, struct fault *f)
{
    const struct state_options *o = state_options(state);
    const struct settings *s = o->settings;
    bool named = *s->helpdesk_folder;
    char *own = xasprintf("%s/helpdesk", o->data_name);
    struct embedder *configured = embed_configured(s, o->embed_key);
    struct embedder *embedder =
        configured ? configured : embed_hashed_create(EMBED_HASHED_DIMENSION);
    struct helpdesk_options options = {
        .place = {.root = o->root,
                  .folder = named ? s->helpdesk_folder : own,
                  .required = named,
                  .file_max = s->helpdesk_file_max,
                  .passages_max = s->helpdesk_passages,
                  .words = s->helpdesk_words,
                  .embedder = embedder},
        .clock = o->clock,
        .bus = state_bus(state),
        .indexes = s->helpdesk_indexes,
    };
    struct helpdesk *helpdesk;

    (void)f;
    if (*s->helpdesk_url) {
        options.place.remote = helpdesk_remote_create(
            &(struct helpdesk_remote_options){.url = s->helpdesk_url,
                                              .data = o->data,
                                              .ttl_ns = s->helpdesk_cache_ttl,
                                              .clock = o->clock});
    }
    helpdesk = helpdesk_create(&options);
    embedder_unref(embedder);
    free(own);
    return helpdesk;
}
