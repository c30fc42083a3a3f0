/* metrics.c -- the one place where every counter is rendered: for Prometheus, and as JSON.
 *
 * A store tells its counters by a struct; here each gets its name and its line of help.  What is
 * not known is left out of the text, and null in the JSON: never 0. */
#include "handlers/dispatch_private.h"
#include "handlers/metrics_private.h"
#include "handlers/operations.h"
#include "handlers/service_resources.h"
#include "state/base/json_put.h"
#include "state/mcp_session.h"
#include "state/mcp_tasks.h"
#include "state/process.h"
#include "state/state.h"
#include "state/traffic.h"
#include "state/version.h"

static const char *const transports[TRANSPORT_COUNT] = {"stdio", "http", "ws"};

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
                          inflight_count(d->inflight, (enum transport_kind)t));
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
    int64_t started_ms = state_started_wall(state) / 1000000;

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
    GAUGE("process_start_time_seconds", "When it started, since 1970.", (double)started_ms / 1000);
}

void
dispatch_metrics(struct dispatcher *d, struct buf *out)
{
    struct exposition e = {.out = out};

    expose_requests(d, &e);
    expose_peers(d->state, &e);
    expose_caches(d->state, &e);
    metrics_expose_stores(d->state, &e);
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
    int64_t up_ms = (clock_mono(state_clock(state)) - state_started_mono(state)) / 1000000;
    json_t *told = json_must(json_object());

    json_put(told, "resident_bytes", known(u.resident_bytes));
    json_put(told, "descriptors", known(u.descriptors));
    json_put(told, "descriptors_max", known(u.descriptors_max));
    json_put(told, "threads", known(u.threads));
    json_put(told, "cpu_seconds",
             u.cpu_seconds < 0 ? json_null() : json_must(json_real(u.cpu_seconds)));
    json_put(told, "uptime_seconds", json_must(json_real((double)up_ms / 1000)));
    return told;
}

static json_t *
load_json(struct dispatcher *d)
{
    struct pool_counters pool = pool_counters(d->pool);
    struct traffic *traffic = state_traffic(d->state);
    json_t *told = json_must(json_object()), *in_flight = json_must(json_object());

    for (int t = 0; t < TRANSPORT_COUNT; t++) {
        json_put_int(in_flight, transports[t], inflight_count(d->inflight, (enum transport_kind)t));
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
