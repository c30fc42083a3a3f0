/* state.c -- makes the singletons from their rows, and tells their counters. */
#include "state/state.h"

#include "state/base/json_put.h"
#include "state/base/slots.h"
#include "state/budget.h"
#include "state/bus.h"
#include "state/bus_keep.h"
#include "state/changes.h"
#include "state/failures.h"
#include "state/config.h"
#include "state/helpdesk.h"
#include "state/learnings.h"
#include "state/mcp_session.h"
#include "state/mcp_tasks.h"
#include "state/project_info.h"
#include "state/relay.h"
#include "state/quota.h"
#include "state/search.h"
#include "state/settings.h"
#include "state/sources.h"
#include "state/state_make.h"
#include "state/tenants.h"
#include "state/traffic.h"
#include "state/workflow.h"

struct state {
    struct state_options options; /* Set once, as are all members. */
    int64_t started_mono, started_wall;
    struct dir_place standards;
#define ROW(NAME, TYPE, MAKE, END) TYPE *NAME;
    SINGLETONS(ROW)
#undef ROW
    struct sources *sources; /* Null unless it is kept, as is the next. */
    struct bus_keep *bus_keep;
};

static void
session_changed(void *changes, const char *session_id, bool list)
{
    sources_tell_session(changes, session_id, list);
}

/* Tells the world which settings have changed. */
static void
config_changed(void *state, const struct settings *now, const bool keys[SETTING_COUNT])
{
    json_t *data = json_must(json_object()), *names = json_must(json_array());

    for (int i = 0; i < SETTING_COUNT; i++) {
        if (keys[i]) {
            json_add(names, json_text(setting_row((enum setting)i)->key));
        }
    }
    json_put(data, "keys", names);
    json_put_int(data, "version", (int64_t)now->version);
    bus_publish(state_bus(state), &(struct bus_draft){.topic = "config.changed", .data = data});
}

enum err
state_create(const struct state_options *options, struct state **state, struct fault *f)
{
    struct state *s = xcalloc(1, sizeof *s);

    s->options = *options;
    s->started_mono = clock_mono(options->clock);
    s->started_wall = clock_wall(options->clock);
    s->standards = state_place(options, options->settings->standards_path, "standards");
    *state = s;
#define ROW(NAME, TYPE, MAKE, END)            \
    s->NAME = MAKE(s, f);                     \
    if (!s->NAME) {                           \
        state_destroy(s);                     \
        *state = NULL;                        \
        return f && f->code ? f->code : E_IO; \
    }
    SINGLETONS(ROW)
#undef ROW
    workflow_tell(s->workflow, session_changed, s->changes);
    config_listen(s->config, config_changed, s);
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
    budget_keep(state->budget, keeper);
    state_name_sources(o, &n);
    state->sources = sources_start(&(struct sources_options){.keeper = keeper,
                                                             .changes = state->changes,
                                                             .workspace = o->root,
                                                             .folders = o->settings->limits_watches,
                                                             .standards_changed = standards_changed,
                                                             .arg = state->search},
                                   n.all, n.count);
    state_forget_names(&n);
    state->bus_keep = bus_keep_start(&(struct bus_keep_options){.bus = state->bus,
                                                                .changes = state->changes,
                                                                .keeper = keeper,
                                                                .clock = o->clock,
                                                                .started_mono = state->started_mono,
                                                                .heartbeat_ms = BUS_HEARTBEAT_MS,
                                                                .tell_ms = BUS_TELL_MS});
    helpdesk_keep(state->helpdesk, keeper, o->settings->helpdesk_preload);
}

enum err
state_start(struct state *state, struct fault *f)
{
    enum err err = quota_start(state->quota, f);

    err = err ? err : learnings_start(state->learnings, f);
    return err ? err : search_start(state->search, f);
}

void
state_look(struct state *state)
{
    if (state->sources) {
        sources_look(state->sources);
    }
    search_stir(state->search);
    tenants_forget(state->tenants, NULL);
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
        if (state->config) {
            config_deafen(state->config, config_changed, state);
        }
        sources_stop(state->sources);
        bus_keep_stop(state->bus_keep);
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

const struct dir_place *
state_standards(const struct state *state)
{
    return &state->standards;
}

void
state_give_up(struct state *state)
{
    project_info_give_up(state->project);
    helpdesk_give_up(state->helpdesk);
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
    json_put(cache, "hit_rate",
             total ? json_must(json_real((double)c->hits / (double)total)) : json_null());
    json_put_int(cache, "evictions", (int64_t)c->evictions);
    json_put_int(cache, "load_failures", (int64_t)c->load_failures);
    json_put_int(cache, "size", (int64_t)c->size);
    json_put_int(cache, "max", (int64_t)c->max);
    json_put(caches, name, cache);
}

/* Its table knows neither who waited for another's look, nor what made room. */
static void
add_quota_cache(json_t *caches, struct quota *quota)
{
    struct quota_counters q = quota_counters(quota);
    struct slots_counters c = {.hits = q.hits,
                               .misses = q.misses,
                               .load_failures = q.load_failures,
                               .lock_waits = q.lock_waits,
                               .lock_acquisitions = q.lock_acquisitions,
                               .size = q.counters,
                               .max = QUOTA_COUNTERS_MAX};
    json_t *cache;

    add_cache(caches, "quota_counts", &c);
    cache = json_object_get(caches, "quota_counts");
    json_put(cache, "double_loads", json_null());
    json_put(cache, "evictions", json_null());
}

json_t *
state_caches(const struct state *state)
{
    json_t *caches = json_must(json_object());
    struct slots_counters c = project_info_counters(state->project);
    struct workflow_counters w = workflow_counters(state->workflow);
    struct slots_counters files = skills_counters(state->skills);
    struct slots_counters answers = search_counters(state->search);
    struct slots_counters queries = search_query_counters(state->search);
    struct slots_counters helpdesk = helpdesk_counters(state->helpdesk);
    struct slots_counters tenants = tenants_counters(state->tenants).cache;

    add_cache(caches, "helpdesk_indexes", &helpdesk);
    add_cache(caches, "project_info", &c);
    if (queries.max) {
        add_cache(caches, "query_vectors", &queries);
    }
    add_quota_cache(caches, state->quota);
    add_cache(caches, "search_answers", &answers);
    add_cache(caches, "skill_files", &files);
    add_cache(caches, "tenants", &tenants);
    add_cache(caches, "workflow_gates", &w.gates);
    add_cache(caches, "workflow_sessions", &w.sessions);
    return caches;
}
