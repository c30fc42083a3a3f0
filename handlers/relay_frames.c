/* relay_frames.c -- the texts of the event relay.  Events are put in as the text that they have
 * already. */
#include "handlers/relay_frames.h"

#include "handlers/json_slice.h"
#include "state/version.h"

#include <inttypes.h>

static void
begin(struct buf *out, const char *type)
{
    buf_addf(out, "{\"type\":\"%s\"", type);
}

static void
add_text(struct buf *out, const char *key, const char *text)
{
    buf_addf(out, ",\"%s\":", key);
    buf_add_json(out, slice_of(text));
}

static void
add_patterns(struct buf *out, const struct bus_patterns *patterns)
{
    buf_adds(out, ",\"patterns\":[");
    for (unsigned i = 0; i < patterns->count; i++) {
        buf_adds(out, i ? "," : "");
        buf_add_json(out, slice_of(patterns->all[i]));
    }
    buf_addc(out, ']');
}

static void
add_events(struct buf *out, struct bus_event *const *events, size_t count)
{
    buf_addf(out, ",\"count\":%zu,\"events\":[", count);
    for (size_t i = 0; i < count; i++) {
        buf_adds(out, i ? "," : "");
        buf_add_slice(out, events[i]->text);
    }
    buf_addc(out, ']');
}

void
relay_write_welcome(struct buf *out, const struct relay_welcome *w)
{
    begin(out, "welcome");
    add_text(out, "client_id", w->client_id);
    add_text(out, "epoch", w->start->epoch);
    buf_addf(out, ",\"seq\":%" PRIu64 ",\"server\":{\"name\":\"%s\",\"version\":\"%s\"}",
             w->start->seq, TANDEM_NAME, TANDEM_VERSION);
    buf_addf(out, ",\"heartbeat_s\":%u,\"resumed\":%s", w->heartbeat_s,
             w->start->resumed ? "true" : "false");
    add_patterns(out, w->patterns);
    buf_addc(out, '}');
}

void
relay_write_subscribed(struct buf *out, const struct bus_patterns *patterns)
{
    begin(out, "subscribed");
    add_patterns(out, patterns);
    buf_addc(out, '}');
}

/* ---- Events ---- */

/* The name under which dashboards of claude-mpm listen for a topic. */
static const char *
class_of(struct slice topic)
{
    static const struct {
        const char *pattern, *class;
    } classes[] = {
        {"hook.pre_tool", "tool_event"},       {"hook.post_tool", "tool_event"},
        {"hook.subagent_stop", "agent_event"}, {"hook.*", "hook_event"},
        {"session.*", "session_event"},        {"workflow.*", "session_event"},
        {"llm.*", "response_event"},           {"agent.*", "agent_event"},
        {"system.*", "system_event"},          {"relay.*", "system_event"},
    };

    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (bus_pattern_matches(slice_of(classes[i].pattern), topic)) {
            return classes[i].class;
        }
    }
    return "claude_event";
}

void
relay_write_compat(struct buf *out, const struct bus_event *event)
{
    static const char *const kept[] = {"type", "subtype", "timestamp", "data", "source"};
    struct json_value value;

    buf_addf(out, "{\"event\":\"%s\"", class_of(event->topic));
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (json_slice_member(event->text, kept[i], &value)) {
            buf_addf(out, ",\"%s\":", kept[i]);
            buf_add_slice(out, value.raw);
        }
    }
    buf_addc(out, '}');
}

void
relay_write_replay(struct buf *out, struct bus_event *const *events, size_t count, bool complete)
{
    begin(out, "replay");
    buf_addf(out, ",\"from_seq\":%" PRIu64 ",\"complete\":%s", events[0]->seq,
             complete ? "true" : "false");
    add_events(out, events, count);
    buf_addc(out, '}');
}

void
relay_write_history(struct buf *out, struct bus_event *const *events, size_t count, size_t left_out)
{
    begin(out, "history");
    buf_addf(out, ",\"left_out\":%zu", left_out);
    if (left_out) {
        buf_addf(out, ",\"before\":%" PRIu64, events[0]->seq);
    }
    add_events(out, events, count);
    buf_addc(out, '}');
}

void
relay_write_gap(struct buf *out, uint64_t from, uint64_t to)
{
    begin(out, "gap");
    buf_addf(out, ",\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}", from, to);
}

/* ---- The rest ---- */

void
relay_write_pong(struct buf *out)
{
    begin(out, "pong");
    buf_addc(out, '}');
}

/* Adds the members of the object 'body' to a frame that has begun, and ends it. */
static void
add_members(struct buf *out, struct slice body)
{
    if (body.len > 2) {
        buf_addc(out, ',');
        buf_add(out, body.data + 1, body.len - 1);
    } else {
        buf_addc(out, '}');
    }
}

void
relay_write_error_of(struct buf *out, struct slice body)
{
    begin(out, "error");
    add_members(out, body);
}

void
relay_write_error(struct buf *out, const struct fault *f)
{
    struct buf body = BUF_INIT;

    fault_write(&body, f);
    relay_write_error_of(out, buf_slice(&body));
    out->failed = out->failed || body.failed;
    buf_fini(&body);
}

void
relay_write_published(struct buf *out)
{
    begin(out, "published");
    buf_addc(out, '}');
}

void
relay_write_bye(struct buf *out, const char *reason)
{
    begin(out, "bye");
    add_text(out, "reason", reason);
    buf_addc(out, '}');
}
