/* metrics_stores.c -- what the stores have counted: each counter gets its name and its line of
 * help. */
#include "handlers/metrics_private.h"

#include "state/base/log.h"
#include "state/budget.h"
#include "state/bus.h"
#include "state/config.h"
#include "state/failures.h"
#include "state/helpdesk.h"
#include "state/learnings.h"
#include "state/quota.h"
#include "state/relay.h"
#include "state/search.h"
#include "state/settings.h"
#include "state/state.h"
#include "state/tenants.h"
#include "state/workflow.h"

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
    settings_unref(settings);
    quota_glance(quota, &summary); /* This is the thread of all connections. */
    expose_services(&summary, e);
    quota_summary_fini(&summary);
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

/* ---- The others ---- */

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

void
metrics_expose_stores(const struct state *state, struct exposition *e)
{
    expose_search(state, e);
    expose_stores(state, e);
    expose_helpdesk(state, e);
    expose_tenants(state, e);
    expose_failures(state, e);
    expose_quotas(state, e);
}
