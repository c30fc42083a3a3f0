/* events_ingest.c -- what a body says happened, in the words of the bus. */
#include "handlers/events_ingest.h"

#include "handlers/dispatch_private.h"
#include "handlers/events.h"
#include "handlers/json_scan.h"
#include "state/base/json_put.h"

#include <stdio.h>

#define INLINE_BYTES_MAX (16u * 1024u) /* More is parsed on a worker. */

enum err
events_check_body(struct request *req, struct slice body)
{
    struct json_value *value = &req->message.param[RPC_PARAM_ARGUMENTS];
    struct json_scan scan;

    json_scan_init(&scan, body, &req->dispatcher->limits.json);
    if (!json_scan_value(&scan, value) || !json_scan_end(&scan) || scan.flaw) {
        return json_scan_fault(&scan, &req->fault);
    }
    if (value->kind != KIND_OBJECT) {
        fault_set(&req->fault, E_ARGUMENT, "the body is no JSON object");
        return fault_remedy(&req->fault, "send one event: {\"topic\":\"build.finished\","
                                         "\"data\":{}}");
    }
    return E_OK;
}

enum err
events_prepare_ingest(struct request *req, enum runs *runs)
{
    *runs = req->message.param[RPC_PARAM_ARGUMENTS].raw.len > INLINE_BYTES_MAX ? WORKER : INLINE;
    return tools_check_rate(req);
}

/* ---- Topics ---- */

static bool
is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool
is_small(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Appends 'text' as segments: a capital begins a word, '/' or '.' a segment, what is neither letter
 * nor digit joins words.  Cut where 'out' is full. */
static void
add_segments(char out[BUS_TOPIC_MAX + 1], struct slice text)
{
    size_t len = strlen(out);
    bool joint = true; /* No '_' is wanted here. */

    for (size_t i = 0; i < text.len && len + 2 < BUS_TOPIC_MAX; i++) {
        char c = text.data[i], before = i ? text.data[i - 1] : '\0';
        bool capital = is_capital(c);

        if (c == '/' || c == '.') {
            if (!joint) {
                out[len++] = '.';
            }
            joint = true;
        } else if (is_small(c) || capital) {
            if (capital && !joint && !is_capital(before)) {
                out[len++] = '_';
            }
            out[len++] = capital ? (char)(c - 'A' + 'a') : c;
            joint = false;
        } else if (!joint) {
            out[len++] = '_';
            joint = true;
        }
    }
    while (len && (out[len - 1] == '.' || out[len - 1] == '_')) {
        len--;
    }
    out[len] = '\0';
}

void
events_hook_topic(struct slice name, char out[BUS_TOPIC_MAX + 1])
{
    static const struct {
        const char *name, *topic;
    } known[] = {
        {"PreToolUse", "hook.pre_tool"},
        {"PostToolUse", "hook.post_tool"},
        {"UserPromptSubmit", "hook.user_prompt"},
    };

    snprintf(out, BUS_TOPIC_MAX + 1, "hook.");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (slice_is(name, known[i].name)) {
            snprintf(out, BUS_TOPIC_MAX + 1, "%s", known[i].topic);
            return;
        }
    }
    add_segments(out, name);
}

/* ---- The three forms ---- */

static struct slice
word_of(const json_t *body, const char *key)
{
    const json_t *word = json_object_get(body, key);

    return (struct slice){json_string_value(word), json_string_length(word)};
}

/* An envelope that says whose it is must say so rightly. */
static enum err
check_tenant(const struct request *req, const json_t *body, struct fault *f)
{
    struct slice tenant = word_of(body, "tenant");

    if (!tenant.data || slice_is(tenant, req->tenant)) {
        return E_OK;
    }
    fault_set(f, E_TENANT, "the event is of another tenant than the request");
    return fault_remedy(f, "leave 'tenant' out, or name it in X-Client-ID too");
}

/* What is published of 'body'; the topic is written into 'topic' if it has to be made.  The data is
 * the draft's own. */
static enum err
read_body(const struct request *req, json_t *body, char topic[BUS_TOPIC_MAX + 1],
          struct bus_draft *draft, struct fault *f)
{
    struct slice hook = word_of(body, "hook_event_name"), event = word_of(body, "event");

    topic[0] = '\0';
    draft->session_id = word_of(body, "session_id").data;
    draft->correlation_id = word_of(body, "correlation_id").data;
    draft->source = word_of(body, "source").data;
    draft->data = json_object_get(body, "data");
    if (word_of(body, "topic").data) {
        draft->topic = word_of(body, "topic").data;
    } else if (event.data) {
        add_segments(topic, word_of(body, "namespace"));
        snprintf(topic + strlen(topic), 2, "%s", *topic ? "." : "");
        add_segments(topic, event);
        draft->topic = topic;
    } else if (hook.data) {
        events_hook_topic(hook, topic);
        draft->topic = topic;
        draft->source = "hook";
        draft->data = body;
    } else {
        fault_set(f, E_ARGUMENT, "the body has no topic");
        return fault_remedy(f, "send {topic, data}, {namespace, event, data}, or a record of a "
                               "hook with hook_event_name");
    }
    draft->source = draft->source ? draft->source : "client";
    return check_tenant(req, body, f);
}

enum err
events_ingest(struct request *req)
{
    char topic[BUS_TOPIC_MAX + 1];
    struct bus_draft draft = {.topic = NULL};
    json_t *body = NULL;
    enum err err = rpc_load(&req->message.param[RPC_PARAM_ARGUMENTS], "body", &body, &req->fault);

    err = err == E_PARAMS ? E_ARGUMENT : err;
    err = err ? err : read_body(req, body, topic, &draft, &req->fault);
    if (!err) {
        json_incref(draft.data);
        err = events_publish(req, &draft, NULL, &req->fault);
    }
    json_decref(body);
    return err;
}
