/* tool_events.c -- the event bus as tools: publishing, looking back, counters, filters. */
#include "handlers/events.h"
#include "handlers/tenant.h"
#include "handlers/tool.h"
#include "state/base/json_put.h"
#include "state/state.h"

static enum err
publish_event(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    struct bus_draft draft = {
        .topic = json_string_value(json_object_get(args, "topic")),
        .correlation_id = json_string_value(json_object_get(args, "correlation_id")),
        .source = "client",
        .data = json_incref(json_object_get(args, "data")),
    };

    return events_publish(req, &draft, result, f);
}

const struct tool tool_publish_event = {
    .name = "publish_event",
    .title = "Publish an event",
    .group = "events",
    .core = true,
    .description = "Tells everyone who watches (other agents, dashboards, scripts) that something "
                   "happened. The topic is dotted words, your own first: \"build.finished\".",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"topic\":{\"type\":\"string\",\"maxLength\":128},"
        "\"data\":{\"type\":\"object\",\"description\":\"What happened; 64 KiB at most.\"},"
        "\"correlation_id\":{\"type\":\"string\",\"maxLength\":256,"
        "\"description\":\"The same in events that belong together.\"}},"
        "\"required\":[\"topic\"],\"additionalProperties\":false}",
    .output_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"published\":{\"type\":\"string\",\"enum\":[\"accepted\",\"filtered\",\"disabled\"]},"
        "\"topic\":{\"type\":\"string\"},\"seq\":{\"type\":\"integer\"},"
        "\"epoch\":{\"type\":\"string\"},\"id\":{\"type\":\"string\"}},"
        "\"required\":[\"published\",\"topic\"]}",
    .hints = 0,
    .runs = INLINE,
    .call = publish_event,
};

static enum err
get_recent_events(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const json_t *limit = json_object_get(args, "limit");
    struct bus_patterns patterns = {.count = 0};
    enum err err = events_read_patterns(json_object_get(args, "patterns"), &patterns, f);

    if (!err) {
        *result = events_recent(req, &patterns, limit ? (unsigned)json_integer_value(limit) : 10);
    }
    bus_patterns_fini(&patterns);
    return err;
}

const struct tool tool_get_recent_events = {
    .name = "get_recent_events",
    .title = "Recent events",
    .group = "events",
    .core = true,
    .description = "The newest events, oldest first: what the server and other agents did lately.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"default\":10},"
        "\"patterns\":{\"type\":\"array\",\"maxItems\":32,\"items\":{\"type\":\"string\"},"
        "\"description\":\"Topics, where * is one word, or at the end any: \\\"workflow.*\\\".\"}},"
        "\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{"
                     "\"events\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
                     "\"count\":{\"type\":\"integer\"},\"left_out\":{\"type\":\"integer\"},"
                     "\"epoch\":{\"type\":\"string\"},\"seq\":{\"type\":\"integer\"}},"
                     "\"required\":[\"events\",\"count\",\"epoch\",\"seq\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER, /* Parses what may be 256 KiB. */
    .call = get_recent_events,
};

static enum err
get_event_stats(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    (void)args, (void)f;
    *result = events_stats(req);
    return E_OK;
}

const struct tool tool_get_event_stats = {
    .name = "get_event_stats",
    .title = "Event statistics",
    .group = "events",
    .description = "The event bus: what was published, filtered, dropped; its filters; who reads.",
    .input_schema = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"enabled\":{\"type\":\"boolean\"},"
                     "\"events_published\":{\"type\":\"integer\"},"
                     "\"events_filtered\":{\"type\":\"integer\"},"
                     "\"events_dropped\":{\"type\":\"integer\"},"
                     "\"filter_count\":{\"type\":\"integer\"}},"
                     "\"required\":[\"enabled\",\"events_published\",\"events_filtered\","
                     "\"events_dropped\",\"filter_count\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = INLINE,
    .call = get_event_stats,
};

static enum err
set_event_filters(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const json_t *wanted = json_object_get(args, "patterns");
    struct bus_patterns patterns = {.count = 0};
    enum err err = tenant_check_operator(req, "what is published", f);

    err = err ? err : events_read_patterns(wanted, &patterns, f);
    if (!err) {
        bus_set_filters(state_bus(req->state), &patterns);
        *result = json_must(json_object());
        json_put_int(*result, "filter_count", patterns.count);
        json_put(*result, "patterns", json_clone(wanted));
    }
    bus_patterns_fini(&patterns);
    return err;
}

const struct tool tool_set_event_filters = {
    .name = "set_event_filters",
    .title = "Set event filters",
    .group = "events",
    .description = "Lets only events of these topics be published from now on, by anyone; an empty "
                   "list lets all. Replaces the filters there are.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"patterns\":{\"type\":\"array\",\"maxItems\":32,"
        "\"items\":{\"type\":\"string\"},"
        "\"description\":\"Topics, where * is one word, or at the end any.\"}},"
        "\"required\":[\"patterns\"],\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"filter_count\":{\"type\":\"integer\"},"
                     "\"patterns\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}},"
                     "\"required\":[\"filter_count\",\"patterns\"]}",
    .hints = HINT_DESTRUCTIVE | HINT_IDEMPOTENT,
    .runs = INLINE,
    .call = set_event_filters,
};

static enum err
get_relay_status(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    (void)args, (void)f;
    *result = events_relay_status(req);
    return E_OK;
}

const struct tool tool_get_relay_status = {
    .name = "get_relay_status",
    .title = "Event relay",
    .group = "events",
    .description = "Who reads events over the network: clients, events sent and dropped.",
    .input_schema = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"clients\":{\"type\":\"integer\"},"
                     "\"events_relayed\":{\"type\":\"integer\"},"
                     "\"events_dropped\":{\"type\":\"integer\"}},"
                     "\"required\":[\"clients\",\"events_relayed\",\"events_dropped\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = INLINE,
    .call = get_relay_status,
};
