/* tool_info.c -- get_server_info and current_date: what an agent asks first. */
#include "handlers/tool_info.h"

#include "handlers/dispatch_private.h"
#include "state/base/json_put.h"
#include "state/mcp_session.h"
#include "state/mcp_tasks.h"
#include "state/project_info.h"
#include "state/search.h"
#include "state/state.h"
#include "state/version.h"
#include "state/watch.h"
#include "state/workflow.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static json_t *
server_section(const struct state *state)
{
    const struct state_options *o = state_options(state);
    char started[CLOCK_TEXT_SIZE];
    int64_t up_ms = (clock_mono(o->clock) - state_started_mono(state)) / 1000000;

    clock_format_utc(state_started_wall(state), started);
    return json_pack("{s:s, s:s, s:s, s:f, s:i, s:s, s:s, s:s?, s:s?}", "name", TANDEM_NAME,
                     "version", TANDEM_VERSION, "transport_mode", o->mode, "uptime_seconds",
                     (double)up_ms / 1000, "pid", (int)getpid(), "started_at", started, "instance",
                     o->instance, "sandbox", o->sandbox, "managed_by", o->manager);
}

static json_t *
project_section(const struct state *state)
{
    const struct state_options *o = state_options(state);
    json_t *git = project_info_git(state_project(state));
    char *name = project_info_name(state_project(state), git);
    /* The prior art's member names; the root is told as ".", since no answer holds an absolute
     * path. */
    json_t *section = json_pack("{s:s, s:s, s:s, s:o}", "name", name, "root", ".", "praxis_os_path",
                                o->data_name, "git", git);

    free(name);
    return section;
}

static json_t *
capabilities_section(const struct request *req)
{
    const char *mode = state_options(req->state)->mode;

    return json_pack("{s:i, s:b, s:b, s:b, s:b, s:b}", "tools_available",
                     (int)tools_count(req->dispatcher->tools), "rag_enabled", 1, "workflow_enabled",
                     1, "browser_enabled", 0, "dual_transport", strcmp(mode, "dual") == 0,
                     "http_transport", strcmp(mode, "dual") == 0 || strcmp(mode, "http") == 0);
}

static json_t *
in_flight_section(const struct request *req)
{
    static const char *const names[TRANSPORT_COUNT] = {"stdio", "http", "ws"};
    json_t *section = json_object();

    for (int i = 0; i < TRANSPORT_COUNT; i++) {
        json_object_set_new(
            section, names[i],
            json_integer(inflight_count(req->dispatcher->inflight, (enum transport_kind)i)));
    }
    return section;
}

static json_t *
sessions_section(const struct request *req)
{
    struct workflow_counters c = workflow_counters(state_workflow(req->state));

    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "live",
                     (json_int_t)c.sessions_live, "on_disk", (json_int_t)c.sessions_on_disk,
                     "active", (json_int_t)c.sessions_active, "paused",
                     (json_int_t)c.sessions_paused, "failed", (json_int_t)c.sessions_failed,
                     "completed", (json_int_t)c.sessions_completed, "changes",
                     (json_int_t)c.action_acquisitions, "change_waits", (json_int_t)c.action_waits);
}

/* How far the vectors of the standards are. */
static json_t *
vectors_section(const struct search_embed_status *s)
{
    json_t *section = json_must(json_object());

    json_put_text(section, "embedder", s->embedder);
    json_put_int(section, "dimension", s->dimension);
    json_put_int(section, "chunks", (int64_t)s->passages);
    json_put_int(section, "made", (int64_t)s->made);
    json_put_int(section, "asked", (int64_t)s->asked);
    json_put_int(section, "failures", (int64_t)s->failures);
    if (s->trouble[0]) {
        json_put_text(section, "error", s->trouble);
    }
    return section;
}

static json_t *
index_section(const struct state *state)
{
    struct search_status status;
    char built[CLOCK_TEXT_SIZE];
    json_t *section = json_must(json_object());

    search_status(state_search(state), &status);
    json_put_text(section, "state",
                  status.ready        ? status.stale ? "stale" : "ready"
                  : status.trouble[0] ? "failed"
                                      : "none");
    json_put_int(section, "files", (int64_t)status.index.files);
    json_put_int(section, "chunks", (int64_t)status.index.passages);
    json_put_int(section, "generation", (int64_t)status.index.generation);
    json_put_int(section, "bytes", (int64_t)status.index.bytes);
    json_put_bool(section, "on_disk", status.index.on_disk);
    json_put_int(section, "skipped", status.skipped);
    if (status.ready) {
        clock_format_utc(status.index.built_ms * 1000000, built);
        json_put_text(section, "built_at", built);
    }
    if (status.trouble[0]) {
        json_put_text(section, "error", status.trouble);
    }
    if (status.embeds) {
        json_put(section, "vectors", vectors_section(&status.vectors));
    }
    return section;
}

static json_t *
mcp_sessions_section(const struct state *state)
{
    struct mcp_sessions_counters c = mcp_sessions_counters(state_sessions(state));

    return json_pack("{s:i, s:I, s:I, s:I, s:I}", "live", (int)c.live, "started",
                     (json_int_t)c.started, "ended", (json_int_t)c.ended, "expired",
                     (json_int_t)c.expired, "refused", (json_int_t)c.refused);
}

static json_t *
mcp_tasks_section(const struct state *state)
{
    struct mcp_tasks_counters c = mcp_tasks_counters(state_tasks(state));

    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "live", (int)c.live, "bytes",
                     (json_int_t)c.bytes, "started", (json_int_t)c.started, "completed",
                     (json_int_t)c.completed, "failed", (json_int_t)c.failed, "cancelled",
                     (json_int_t)c.cancelled, "expired", (json_int_t)c.expired, "refused",
                     (json_int_t)c.refused);
}

static json_t *
mcp_streams_section(const struct state *state)
{
    struct mcp_streams_counters c =
        mcp_streams_counters(mcp_sessions_streams(state_sessions(state)));

    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I}", "connected", (int)c.attached, "kept_events",
                     (json_int_t)c.events, "kept_bytes", (json_int_t)c.bytes, "sent",
                     (json_int_t)c.sent, "replayed", (json_int_t)c.replayed, "dropped",
                     (json_int_t)c.dropped);
}

static json_t *
watched_section(const struct watch_counters *c)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "folders", (json_int_t)c->folders, "entries",
                     (json_int_t)c->entries, "unwatched", (json_int_t)c->unwatched, "events",
                     (json_int_t)c->events, "changes", (json_int_t)c->tellings);
}

json_t *
tool_info_make(struct request *req)
{
    json_t *info = json_must(json_object());
    struct watch_counters watched;

    /* In this order, so that the caches count what the project section asked of them. */
    json_put(info, "server", server_section(req->state));
    json_put(info, "project", project_section(req->state));
    json_put(info, "capabilities", capabilities_section(req));
    json_put(info, "caches", state_caches(req->state));
    json_put(info, "sessions", sessions_section(req));
    json_put(info, "index", index_section(req->state));
    json_put(info, "requests_in_flight", in_flight_section(req));
    json_put(info, "mcp_sessions", mcp_sessions_section(req->state));
    json_put(info, "mcp_tasks", mcp_tasks_section(req->state));
    json_put(info, "mcp_streams", mcp_streams_section(req->state));
    if (state_watched(req->state, &watched)) {
        json_put(info, "watched", watched_section(&watched));
    }
    return info;
}

static enum err
get_server_info(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    (void)args;
    (void)f;
    *result = tool_info_make(req);
    return E_OK;
}

const struct tool tool_get_server_info = {
    .name = "get_server_info",
    .title = "Server information",
    .group = "info",
    .core = true,
    .description =
        "Tells which server answers: version, transports, project and git state, caches, "
        "sessions and requests in flight. Use it to check that you reached the right server.",
    .input_schema = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"server\":{\"type\":\"object\"},"
                     "\"project\":{\"type\":\"object\"},\"capabilities\":{\"type\":\"object\"},"
                     "\"caches\":{\"type\":\"object\"}},"
                     "\"required\":[\"server\",\"project\",\"capabilities\",\"caches\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER, /* Asks git. */
    .call = get_server_info,
};

static enum err
current_date(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    time_t now = (time_t)(clock_wall(state_clock(req->state)) / 1000000000);
    char date[16], moment[48], day[24], month[24], offset[8], readable[64], folder[20];
    struct tm tm;

    (void)args;
    localtime_r(&now, &tm);
    strftime(date, sizeof date, "%Y-%m-%d", &tm);
    strftime(offset, sizeof offset, "%z", &tm); /* +hhmm */
    strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(moment + 19, sizeof moment - 19, "%.3s:%.2s", offset, offset + 3);
    strftime(day, sizeof day, "%A", &tm);
    strftime(month, sizeof month, "%B", &tm);
    strftime(readable, sizeof readable, "%B %d, %Y", &tm);
    snprintf(folder, sizeof folder, "%s-", date);
    *result = json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:{s:s, s:s, s:s}, s:s}", "iso_date", date,
        "iso_datetime", moment, "day_of_week", day, "month", month, "year", tm.tm_year + 1900,
        "unix_timestamp", (json_int_t)now, "utc_offset", moment + 19, "formatted", "spec_directory",
        folder, "header", date, "readable", readable, "usage_note",
        "Use iso_date in documents and formatted.spec_directory as the prefix of a folder's name.");
    return *result ? E_OK : fault_set(f, E_INTERNAL, "the answer could not be made");
}

const struct tool tool_current_date = {
    .name = "current_date",
    .title = "Current date",
    .group = "info",
    .core = true,
    .description =
        "The date and time now, local with UTC offset. Call it before writing a date anywhere; "
        "do not guess.",
    .input_schema = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
    .output_schema =
        "{\"type\":\"object\",\"properties\":{\"iso_date\":{\"type\":\"string\"},"
        "\"iso_datetime\":{\"type\":\"string\"},\"unix_timestamp\":{\"type\":\"integer\"}},"
        "\"required\":[\"iso_date\",\"iso_datetime\",\"unix_timestamp\"]}",
    .hints = HINT_READ_ONLY,
    .runs = INLINE,
    .call = current_date,
};
