/* service_resources.h -- what the services tell of themselves, as resources: one row each.
 *
 * A row is listed by resources/list, or, if its URI has variables, by resources/templates/list; it
 * is read by resources/read and by GET /api/resources.  To add one, add a row, and its function to
 * the file of its service's tools. */
#ifndef TANDEM_SERVICE_RESOURCES_H
#define TANDEM_SERVICE_RESOURCES_H

#include "handlers/request.h"
#include "state/uri.h"

/* clang-format off */
/*  URI or template (RFC 6570, level 1), name, title, media type, read by                     */
/*      description                                                                            */
#define SERVICE_RESOURCES(ROW)                                                                   \
    ROW(URI_CONFIG, "config", "Settings", "application/json", read_config,                       \
        "The settings in force, and where each comes from, without secrets and folders.")        \
    ROW(URI_EVENTS "recent", "events", "Recent events", "application/json", read_recent_events,  \
        "The newest events of the server and of this tenant, as get_recent_events tells them.")  \
    ROW(URI_EVENTS "stats", "event stats", "Event statistics", "application/json",               \
        read_event_stats,                                                                        \
        "The event bus: what was published, filtered, dropped, and who reads it.")               \
    ROW(URI_FAILURES, "failures", "Failures", "application/json", read_failures,                 \
        "What failed lately, newest first, as list_failures tells it.")                          \
    ROW(URI_HELPDESK "status", "helpdesk", "Helpdesk", "application/json", read_helpdesk_status, \
        "This tenant's helpdesk index, as get_helpdesk_status tells it.")                        \
    ROW(URI_LEARNINGS "{target}", "learnings", "Lessons learned", "text/markdown",               \
        read_learnings, "What an agent of that type has learned from failures that were fixed.") \
    ROW(URI_QUOTA "summary", "quotas", "Quotas", "application/json", read_quota_summary,         \
        "What is left of each limited service, as get_quota_summary tells it.")                  \
    ROW(URI_RELAY "status", "relay", "Event relay", "application/json", read_relay_status,       \
        "Who reads events over the network, as get_relay_status tells it.")                      \
    ROW(URI_SESSION "current", "session", "Tandem session", "application/json",                  \
        read_current_session,                                                                    \
        "The tandem session that all agents here share, with its token budget.")                 \
    ROW(URI_SESSION "{tandem_session_id}/resume", "resume note", "Resume note", "application/json",             \
        read_resume_note,                                                                        \
        "What end_session left of a tandem session; the newest ten are kept.")                   \
    ROW(URI_SERVER "caches", "caches", "Caches", "application/json", read_caches,                \
        "The server's caches: hits, misses, lock waits, sizes.")                                 \
    ROW(URI_SERVER "info", "info", "Server", "application/json", read_info,                      \
        "The server, as get_server_info tells it.")                                              \
    ROW(URI_SERVER "metrics", "metrics", "Metrics", "application/json", read_metrics,            \
        "Calls, errors and percentiles of each tool; caches, load, memory.")                     \
    ROW(URI_TENANT "{client_id}/config", "tenant", "A tenant's settings", "application/json",    \
        read_tenant_config, "A tenant's settings, without its secrets.")
/* clang-format on */

struct service_resource {
    const char *uri, *name, *title, *mime;
    /* Appends the text of what is named to 'out'.  'variables' are those of the template, encoded
     * as in a URI.  On a worker.  E_NOT_FOUND: there is no such thing. */
    enum err (*read)(struct request *req, const struct slice *variables, struct buf *out,
                     struct fault *f);
    const char *description;
};
/* Ended by one without a URI. */
extern const struct service_resource service_resources[];

/* Ends a read: appends the text of 'told' (stolen, may be null) to 'out' unless 'err' says that
 * there is nothing, and returns that. */
enum err service_resource_tell(enum err err, json_t *told, struct buf *out);

/* Whether its URI has variables. */
bool service_resource_is_template(const struct service_resource *s);

#define ROW(URI, NAME, TITLE, MIME, READ, DESCRIPTION)                                 \
    enum err READ(struct request *req, const struct slice *variables, struct buf *out, \
                  struct fault *f);
SERVICE_RESOURCES(ROW)
#undef ROW

#endif
