/* metrics.c -- the one place where every counter is rendered: for Prometheus, and as JSON.
 *
 * A store tells its counters by a struct; here each gets its name and its line of help.  What is
 * not known is left out of the text, and null in the JSON: never 0. */
#include "handlers/dispatch_private.h"
#include "handlers/operations.h"
#include "handlers/service_resources.h"
#include "state/base/exposition.h"
#include "state/base/json_put.h"
#include "state/base/log.h"
#include "state/budget.h"
#include "state/bus.h"
#include "state/config.h"
#include "state/failures.h"
#include "state/helpdesk.h"
#include "state/learnings.h"
#include "state/mcp_session.h"
#include "state/mcp_tasks.h"
#include "state/process.h"
#include "state/quota.h"
#include "state/relay.h"
#include "state/search.h"
#include "state/state.h"
#include "state/tenants.h"
#include "state/traffic.h"
#include "state/version.h"
#include "state/workflow.h"

static const char *const transports[TRANSPORT_COUNT] = {"stdio", "http", "ws"};

#define COUNTER(NAME, HELP, VALUE) \
    exposition_one(e, NAME, EXPOSITION_COUNTER, HELP, (double)(VALUE))
#define GAUGE(NAME, HELP, VALUE) exposition_one(e, NAME, EXPOSITION_GAUGE, HELP, (double)(VALUE))

/* ---- Requests, sessions, connections ---- */

static void
expose_requests(struct dispatcher *d, struct exposition *e)
{
    struct pool_counters pool = pool_counters(d->pool);

    operations_expose(d->operations, e);
    exposition_family(e, "tandem_requests_in_flight", EXPOSITION_GAUGE,
                      "Requests that run on a worker or wait for one.");
    for (int t = 0; t < TRANSPORT_COUNT; t++) {
        exposition_sample(e,
                          (struct exposition_label[]){{"transport", transports[t]}, {NULL, NULL}},
                          dispatch_in_flight(d, (enum transport_kind)t));
    }
    GAUGE("tandem_workers", "Threads that run tools.", pool.threads);
    GAUGE("tandem_workers_busy", "Of them, those that run one now.", pool.running);
    GAUGE("tandem_worker_queue", "Calls that wait for a worker.", pool.queued);
}

static void
expose_peers(const struct state *state, struct exposition *e)
{
    struct mcp_sessions_counters s = mcp_sessions_counters(state_sessions(state));
    struct mcp_streams_counters m =
        mcp_streams_counters(mcp_sessions_streams(state_sessions(state)));
    struct mcp_tasks_counters t = mcp_tasks_counters(state_tasks(state));
    struct traffic *traffic = state_traffic(state);

    GAUGE("tandem_connections", "HTTP connections that are open, WebSockets among them.",
          atomic_load(&traffic->connections));
    GAUGE("tandem_websockets", "WebSockets that are open.", atomic_load(&traffic->websockets));
    COUNTER("tandem_connections_accepted_total", "HTTP connections that were taken.",
            atomic_load(&traffic->accepted));
    COUNTER("tandem_connections_refused_total",
            "HTTP connections that were refused, for want of descriptors or of a token.",
            atomic_load(&traffic->refused));
    GAUGE("tandem_mcp_sessions", "MCP sessions over HTTP.", s.live);
    COUNTER("tandem_mcp_sessions_started_total", "MCP sessions that began.", s.started);
    COUNTER("tandem_mcp_sessions_expired_total", "MCP sessions that were idle for too long.",
            s.expired);
    COUNTER("tandem_mcp_sessions_refused_total", "MCP sessions refused by limits.sessions.",
            s.refused);
    GAUGE("tandem_mcp_streams", "Event streams of MCP sessions that a connection carries.",
          m.attached);
    GAUGE("tandem_mcp_stream_kept_bytes", "Bytes of events kept for clients that resume.", m.bytes);
    COUNTER("tandem_mcp_stream_events_sent_total", "Events sent on streams.", m.sent);
    COUNTER("tandem_mcp_stream_events_replayed_total", "Events sent again to who resumed.",
            m.replayed);
    COUNTER("tandem_mcp_stream_events_dropped_total", "Events dropped for want of room or age.",
            m.dropped);
    GAUGE("tandem_mcp_tasks", "MCP tasks that are kept.", t.live);
    COUNTER("tandem_mcp_tasks_started_total", "MCP tasks that began.", t.started);
    COUNTER("tandem_mcp_tasks_failed_total", "MCP tasks that failed.", t.failed);
}

/* ---- Caches ---- */

/* Which member of state_caches() each family tells. */
static const struct {
    const char *member, *name, *help;
    enum exposition_kind kind;
} cache_families[] = {
    {"hits", "tandem_cache_hits_total", "Values that were ready at first look.",
     EXPOSITION_COUNTER},
    {"misses", "tandem_cache_misses_total", "Values that were made, or tried to be.",
     EXPOSITION_COUNTER},
    {"double_loads", "tandem_cache_double_loads_total",
     "Callers that waited for a value, and found it made by another.", EXPOSITION_COUNTER},
    {"lock_waits", "tandem_cache_lock_waits_total",
     "Times that the lock of a cache's table was found taken.", EXPOSITION_COUNTER},
    {"evictions", "tandem_cache_evictions_total", "Values that made room for others.",
     EXPOSITION_COUNTER},
    {"load_failures", "tandem_cache_load_failures_total", "Values that could not be made.",
     EXPOSITION_COUNTER},
    {"size", "tandem_cache_size", "Values that are kept.", EXPOSITION_GAUGE},
    {"max", "tandem_cache_max", "Values that can be kept.", EXPOSITION_GAUGE},
};

static void
expose_caches(const struct state *state, struct exposition *e)
{
    json_t *caches = state_caches(state), *cache;
    const char *name;

    for (size_t i = 0; i < sizeof cache_families / sizeof cache_families[0]; i++) {
        exposition_family(e, cache_families[i].name, cache_families[i].kind,
                          cache_families[i].help);
        json_object_foreach(caches, name, cache) {
            const json_t *value = json_object_get(cache, cache_families[i].member);

            if (json_is_number(value)) { /* null is not known. */
                exposition_sample(e, (struct exposition_label[]){{"cache", name}, {NULL, NULL}},
                                  json_number_value(value));
            }
        }
    }
    json_decref(caches);
}

/* ---- The stores ---- */

static void
expose_search(const struct state *state, struct exposition *e)
{
    struct search_status search;

    search_status(state_search(state), &search);
    GAUGE("tandem_search_index_ready", "Whether standards can be searched.", search.ready);
    GAUGE("tandem_search_index_files", "Files in the index.", search.index.files);
    GAUGE("tandem_search_index_passages", "Passages in the index.", search.index.passages);
    GAUGE("tandem_search_index_bytes", "Size of the index.", search.index.bytes);
    GAUGE("tandem_search_index_generation", "Rises with each index.", search.index.generation);
    COUNTER("tandem_search_builds_total", "Indexes that were built.", search.builds);
    COUNTER("tandem_search_build_failures_total", "Indexes that could not be built.",
            search.failures);
    if (search.embeds) {
        GAUGE("tandem_search_vectors", "Passages in the index that have a vector.",
              search.vectors.made);
        COUNTER("tandem_search_embedded_total", "Passages that the embedder made vectors of.",
                search.vectors.asked);
        COUNTER("tandem_search_embed_failures_total", "Times that it made none.",
                search.vectors.failures);
    }
}

static void
expose_tenants(const struct state *state, struct exposition *e)
{
    struct tenants_counters t = tenants_counters(state_tenants(state));

    GAUGE("tandem_tenants", "Tenants whose settings are in memory.", t.cache.size);
    COUNTER("tandem_tenant_mismatches_total", "Requests for a tenant that was not the caller's.",
            t.guard.mismatches);
    COUNTER("tandem_tenant_blocks_total", "Callers that were shut out of a tenant for it.",
            t.guard.blocks);
    COUNTER("tandem_tenant_refused_total", "Requests of callers that were shut out.",
            t.guard.refused);
    GAUGE("tandem_tenants_blocked", "Pairs of a caller and a tenant that are shut out now.",
          t.guard.blocked);
}

static void
expose_failures(const struct state *state, struct exposition *e)
{
    struct failure_stats f = failures_stats(state_failures(state), NULL, NULL);
    struct learnings_counters l = learnings_counters(state_learnings(state));

    GAUGE("tandem_failures", "Failures of tools that are kept.", f.failures);
    GAUGE("tandem_failures_unfixed", "Of them, those that nothing has mended.", f.unfixed);
    COUNTER("tandem_learnings_total", "Lessons that were drawn.", l.added);
    COUNTER("tandem_learnings_dropped_total", "Lessons that made room for others.", l.dropped);
    COUNTER("tandem_learning_write_failures_total", "Times that lessons could not be written.",
            l.failures);
}

/* ---- Quotas ---- */

/* How much of each service of the settings is used: there are at most QUOTA_RULES_MAX. */
static void
expose_services(const struct quota_summary *s, struct exposition *e)
{
    exposition_family(e, "tandem_quota_used", EXPOSITION_GAUGE, "Units used in this period.");
    for (size_t i = 0; i < s->count; i++) {
        exposition_sample(
            e, (struct exposition_label[]){{"service", s->views[i].service}, {NULL, NULL}},
            (double)s->views[i].used);
    }
    exposition_family(e, "tandem_quota_limit", EXPOSITION_GAUGE, "Units allowed in a period.");
    for (size_t i = 0; i < s->count; i++) {
        exposition_sample(
            e, (struct exposition_label[]){{"service", s->views[i].service}, {NULL, NULL}},
            (double)s->views[i].limit);
    }
}

static void
expose_crossings(const struct quota_counters *q, struct exposition *e)
{
    const struct {
        const char *level;
        uint64_t count;
    } rows[] = {{"warning", q->warnings}, {"critical", q->criticals}, {"exhausted", q->exhausted}};

    exposition_family(e, "tandem_quota_crossings_total", EXPOSITION_COUNTER,
                      "Times that a service came so near to its limit.");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        exposition_sample(e, (struct exposition_label[]){{"level", rows[i].level}, {NULL, NULL}},
                          (double)rows[i].count);
    }
}

static void
expose_quotas(const struct state *state, struct exposition *e)
{
    struct quota *quota = state_quota(state);
    struct settings *settings = config_settings(state_config(state));
    struct quota_summary summary;
    struct quota_counters q;

    quota_follow(quota, settings);
    if (quota_summary(quota, settings->tenant_default_id, NULL, &summary, NULL) == E_OK) {
        expose_services(&summary, e);
        quota_summary_fini(&summary);
    }
    settings_unref(settings);
    q = quota_counters(quota);
    expose_crossings(&q, e);
    COUNTER("tandem_quota_refused_total", "Calls that were refused units.", q.refused);
    COUNTER("tandem_quota_writes_total", "Times that what was counted was stored.",
            q.atomic_writes);
    COUNTER("tandem_quota_write_failures_total", "Times that it could not be.", q.failed_writes);
    GAUGE("tandem_quota_owed", "Counts that are still to be stored.", q.owed);
    GAUGE("tandem_quota_reduced", "Whether there is a quarter of each limit only.",
          q.reduced > q.restored);
}

static void
expose_stores(const struct state *state, struct exposition *e)
{
    struct workflow_counters w = workflow_counters(state_workflow(state));
    struct bus_stats bus = bus_stats(state_bus(state));
    struct budget_counters budget = budget_counters(state_budget(state));
    struct config_counters config = config_counters(state_config(state));
    struct relay_counters relay = relay_counters(state_relay(state));

    GAUGE("tandem_workflow_sessions_active", "Workflow sessions neither completed nor paused.",
          w.sessions_active);
    COUNTER("tandem_workflow_saves_total", "Times that a workflow session was written.", w.saves);
    COUNTER("tandem_workflow_conflicts_total", "Changes that met another one.", w.conflicts);
    COUNTER("tandem_bus_events_total", "Events that were published.", bus.published);
    COUNTER("tandem_bus_events_filtered_total", "Events that the filters held back.", bus.filtered);
    COUNTER("tandem_bus_events_dropped_total", "Events not told in the process: too many waited.",
            bus.dropped);
    GAUGE("tandem_bus_history", "Events that are kept.", bus.history);
    GAUGE("tandem_relay_clients", "Clients that are connected to the relay.", relay.connected);
    COUNTER("tandem_relay_connections_total", "Clients that came.", relay.connections);
    COUNTER("tandem_relay_resumed_total", "Of them, those that came back for what they missed.",
            relay.resumed);
    COUNTER("tandem_relay_refused_total", "Clients that were refused.", relay.refused);
    GAUGE("tandem_relay_readers", "Queues of clients that read events.", bus.readers);
    COUNTER("tandem_relay_events_read_total", "Events that readers were handed.", bus.read);
    COUNTER("tandem_relay_events_lost_total", "Events that slow readers lost.", bus.unread);
    COUNTER("tandem_relay_overflows_total", "Readers that fell behind.", bus.overflows);
    GAUGE("tandem_sessions", "Tandem sessions.", budget.sessions);
    COUNTER("tandem_session_tokens_total", "Tokens that agents have counted.", budget.tokens);
    COUNTER("tandem_session_save_failures_total", "Times that sessions could not be saved.",
            budget.save_failures);
    GAUGE("tandem_config_version", "Of the settings in force.", config.version);
    COUNTER("tandem_config_refused_total", "Times that the settings were read and no good.",
            config.refused);
    COUNTER("tandem_log_lines_dropped_total", "Lines of the log that nobody read.", log_dropped());
}

/* The index is the shared one; tenants' own are in the totals only. */
static void
expose_helpdesk(const struct state *state, struct exposition *e)
{
    struct helpdesk_totals totals = helpdesk_totals(state_helpdesk(state));
    struct helpdesk_status shared;

    helpdesk_status(state_helpdesk(state), NULL, &shared);
    GAUGE("tandem_helpdesk_index_ready", "Whether the shared index of the helpdesk is loaded.",
          shared.state == HELPDESK_READY);
    GAUGE("tandem_helpdesk_index_documents", "Documents in it.", shared.documents);
    GAUGE("tandem_helpdesk_index_passages", "Passages in it.", shared.vectors);
    GAUGE("tandem_helpdesk_index_stale", "Whether it is made of an old copy.", shared.stale);
    COUNTER("tandem_helpdesk_loads_total", "Times that an index of the helpdesk was read.",
            totals.loads);
    COUNTER("tandem_helpdesk_load_failures_total", "Of them, those without success.",
            totals.failures);
    COUNTER("tandem_helpdesk_searches_total", "Searches of an index of the helpdesk.",
            totals.searches);
}

/* ---- The process ---- */

static void
expose_known(struct exposition *e, const char *name, const char *help, double value)
{
    if (value >= 0) {
        exposition_one(e, name, EXPOSITION_GAUGE, help, value);
    }
}

static void
expose_process(const struct state *state, struct exposition *e)
{
    struct process_usage u = process_usage();
    const struct exposition_label build[] = {
        {"version", TANDEM_VERSION}, {"mode", state_options(state)->mode}, {NULL, NULL}};

    exposition_family(e, "tandem_build_info", EXPOSITION_GAUGE, "What runs; always 1.");
    exposition_sample(e, build, 1);
    expose_known(e, "process_resident_memory_bytes", "Memory in use.", (double)u.resident_bytes);
    expose_known(e, "process_virtual_memory_bytes", "Address space.", (double)u.virtual_bytes);
    expose_known(e, "process_open_fds", "Descriptors that are open.", (double)u.descriptors);
    expose_known(e, "process_max_fds", "Descriptors that can be.", (double)u.descriptors_max);
    expose_known(e, "process_threads", "Threads.", (double)u.threads);
    if (u.cpu_seconds >= 0) {
        COUNTER("process_cpu_seconds_total", "Time of the processor.", u.cpu_seconds);
    }
    GAUGE("process_start_time_seconds", "When it started, since 1970.",
          (double)(state_started_wall(state) / 1000000) / 1000);
}

void
dispatch_metrics(struct dispatcher *d, struct buf *out)
{
    struct exposition e = {.out = out};

    expose_requests(d, &e);
    expose_peers(d->state, &e);
    expose_caches(d->state, &e);
    expose_search(d->state, &e);
    expose_stores(d->state, &e);
    expose_helpdesk(d->state, &e);
    expose_tenants(d->state, &e);
    expose_failures(d->state, &e);
    expose_quotas(d->state, &e);
    expose_process(d->state, &e);
}

/* ---- As JSON ---- */

static json_t *
known(int64_t value)
{
    return value < 0 ? json_null() : json_must(json_integer(value));
}

static json_t *
process_json(const struct state *state)
{
    struct process_usage u = process_usage();
    int64_t up = clock_mono(state_clock(state)) - state_started_mono(state);
    json_t *told = json_must(json_object());

    json_put(told, "resident_bytes", known(u.resident_bytes));
    json_put(told, "descriptors", known(u.descriptors));
    json_put(told, "descriptors_max", known(u.descriptors_max));
    json_put(told, "threads", known(u.threads));
    json_put(told, "cpu_seconds",
             u.cpu_seconds < 0 ? json_null() : json_must(json_real(u.cpu_seconds)));
    json_put(told, "uptime_seconds", json_must(json_real((double)(up / 1000000) / 1000)));
    return told;
}

static json_t *
load_json(struct dispatcher *d)
{
    struct pool_counters pool = pool_counters(d->pool);
    struct traffic *traffic = state_traffic(d->state);
    json_t *told = json_must(json_object()), *in_flight = json_must(json_object());

    for (int t = 0; t < TRANSPORT_COUNT; t++) {
        json_put_int(in_flight, transports[t], dispatch_in_flight(d, (enum transport_kind)t));
    }
    json_put(told, "in_flight", in_flight);
    json_put_int(told, "workers", pool.threads);
    json_put_int(told, "workers_busy", pool.running);
    json_put_int(told, "queued", pool.queued);
    json_put_int(told, "connections", atomic_load(&traffic->connections));
    json_put_int(told, "websockets", atomic_load(&traffic->websockets));
    return told;
}

enum err
read_metrics(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    struct dispatcher *d = req->dispatcher;
    json_t *told = json_must(json_object());

    (void)variables, (void)f;
    json_put(told, "tools", operations_tools(d->operations));
    json_put(told, "methods", operations_methods(d->operations));
    json_put(told, "caches", state_caches(d->state));
    json_put(told, "load", load_json(d));
    json_put(told, "process", process_json(d->state));
    return service_resource_tell(E_OK, told, out);
}
