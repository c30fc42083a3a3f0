/* tool_conformance.c -- the tools that the official conformance suite calls, by names and answers
 * that it fixes; offered only where the settings name their group.
 *
 * They use what every tool may use, so what the suite proves of them holds for the others. */
#include "handlers/tool_conformance.h"

#include "handlers/dispatch_private.h"
#include "handlers/offers.h"
#include "state/base/json_put.h"
#include "state/changes.h"
#include "state/state.h"

/* One grey pixel, and a thousandth of a second of silence. */
static const char image[] = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd8"
                            "1ytgAAAABJRU5ErkJggg==";
static const char sound[] = "UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAgICAgICAgA"
                            "==";

static enum err
simple_text(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    (void)req, (void)args, (void)f;
    content_text(content, SLICE("This is a simple text response for testing."));
    return E_OK;
}

static enum err
image_content(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    (void)req, (void)args, (void)f;
    content_image(content, image, "image/png");
    return E_OK;
}

static enum err
audio_content(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    (void)req, (void)args, (void)f;
    content_audio(content, sound, "audio/wav");
    return E_OK;
}

static enum err
embedded_resource(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    (void)req, (void)args, (void)f;
    content_resource(content, "test://embedded-resource", "text/plain",
                     "This is an embedded resource content.");
    return E_OK;
}

static enum err
multiple_content(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    (void)req, (void)args, (void)f;
    content_text(content, SLICE("Multiple content types test:"));
    content_image(content, image, "image/png");
    content_resource(content, "test://mixed-content-resource", "application/json",
                     "{\"test\":\"data\",\"value\":123}");
    return E_OK;
}

static enum err
error_handling(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    (void)req, (void)args, (void)content;
    return fault_set(f, E_STATE, "This tool intentionally returns an error for testing");
}

static enum err
with_progress(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    (void)args, (void)f;
    request_progress(req, 0, 100, "Completed step 0 of 100");
    request_progress(req, 50, 100, "Completed step 50 of 100");
    request_progress(req, 100, 100, "Completed step 100 of 100");
    content_text(content, SLICE("Told 0, 50 and 100 of 100."));
    return E_OK;
}

static enum err
with_logging(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    static const char *const texts[] = {"Tool execution started", "Tool processing data",
                                        "Tool execution completed"};

    (void)args, (void)f;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *data = json_text(texts[i]);
        request_log(req, MCP_LEVEL_INFO, req->tool->name, data);
        json_decref(data);
    }
    content_text(content, SLICE("Logged three messages of level info to whoever wanted them."));
    return E_OK;
}

static enum err
trigger_tool_change(struct request *req, const json_t *args, struct content *content,
                    struct fault *f)
{
    struct tools *tools = req->dispatcher->tools;
    bool changed = tools_show_changing(tools, true) || tools_show_changing(tools, false);

    (void)args, (void)f;
    if (changed) {
        changes_publish(state_changes(req->state), CHANGE_TOOLS);
    }
    content_text(content, SLICE("The list of tools has changed."));
    return E_OK;
}

static enum err
trigger_prompt_change(struct request *req, const json_t *args, struct content *content,
                      struct fault *f)
{
    (void)args, (void)f;
    fixtures_change_prompts(req);
    changes_publish(state_changes(req->state), CHANGE_PROMPTS);
    content_text(content, SLICE("The list of prompts has changed."));
    return E_OK;
}

static enum err
echo(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    const json_t *text = json_object_get(args, "text");

    (void)req, (void)f;
    content_text(content, (struct slice){json_string_value(text), json_string_length(text)});
    return E_OK;
}

static enum err
any_arguments(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    (void)req, (void)f;
    content_told(content, json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS));
    return E_OK;
}

/* clang-format off */
/*      name                         title                         runs    call               description */
#define PLAIN_TOOLS(ROW)                                                                                   \
    ROW(test_simple_text,            "Conformance: text",          INLINE, simple_text,       "Answers with one text block.") \
    ROW(test_image_content,          "Conformance: image",         INLINE, image_content,     "Answers with one image block.") \
    ROW(test_audio_content,          "Conformance: audio",         INLINE, audio_content,     "Answers with one audio block.") \
    ROW(test_embedded_resource,      "Conformance: resource",      INLINE, embedded_resource, "Answers with one embedded resource.") \
    ROW(test_multiple_content_types, "Conformance: mixed content", INLINE, multiple_content,  "Answers with text, image and resource.") \
    ROW(test_error_handling,         "Conformance: error",         INLINE, error_handling,    "Always fails.") \
    ROW(test_tool_with_progress,     "Conformance: progress",      WORKER, with_progress,     "Tells its progress three times.") \
    ROW(test_tool_with_logging,      "Conformance: logging",       WORKER, with_logging,      "Logs three messages.") \
    ROW(test_logging_tool,           "Conformance: log level",     WORKER, with_logging,      "Logs to a request that asked for it.") \
    ROW(test_streaming_elicitation,  "Conformance: no requests",   INLINE, simple_text,       "Answers without asking the client.") \
    ROW(test_trigger_tool_change,    "Conformance: list change",   WORKER, trigger_tool_change, "Makes a tool come, or go.") \
    ROW(test_trigger_prompt_change,  "Conformance: list change",   WORKER, trigger_prompt_change, "Makes a prompt come, or go.") \
    ROW(test_changing_tool,          "Conformance: coming tool",   INLINE, simple_text,       "Comes and goes.")
/* clang-format on */

#define ROW(NAME, TITLE, RUNS, CALL, DESCRIPTION) \
    const struct tool tool_##NAME = {             \
        .name = #NAME,                            \
        .title = TITLE,                           \
        .group = "conformance",                   \
        .description = DESCRIPTION,               \
        .input_schema = NO_ARGUMENTS,             \
        .hints = HINT_READ_ONLY,                  \
        .runs = RUNS,                             \
        .tell = CALL,                             \
    };
PLAIN_TOOLS(ROW)
#undef ROW

/* Not the suite's: what "make bench" calls, here and of other servers. */
const struct tool tool_echo = {
    .name = "echo",
    .title = "Conformance: echo",
    .group = "conformance",
    .description = "Answers with the text that it is given.",
    .input_schema = "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\","
                    "\"description\":\"Any text.\"}},\"required\":[\"text\"],"
                    "\"additionalProperties\":false}",
    .hints = HINT_READ_ONLY,
    .runs = INLINE,
    .tell = echo,
};

const struct tool tool_json_schema_2020_12_tool = {
    .name = "json_schema_2020_12_tool",
    .title = "Conformance: JSON Schema 2020-12",
    .group = "conformance",
    .description = "Has a schema whose keywords must reach the client as they are.",
    .input_schema =
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
        "\"$defs\":{\"address\":{\"$anchor\":\"addressDef\",\"type\":\"object\",\"properties\":{"
        "\"street\":{\"type\":\"string\"},\"city\":{\"type\":\"string\"}}}},"
        "\"properties\":{\"name\":{\"type\":\"string\"},"
        "\"address\":{\"$ref\":\"#/$defs/address\"},"
        "\"contactMethod\":{\"type\":\"string\",\"enum\":[\"phone\",\"email\"]},"
        "\"phone\":{\"type\":\"string\"},\"email\":{\"type\":\"string\"}},"
        "\"allOf\":[{\"anyOf\":[{\"required\":[\"phone\"]},{\"required\":[\"email\"]}]}],"
        "\"if\":{\"properties\":{\"contactMethod\":{\"const\":\"phone\"}},"
        "\"required\":[\"contactMethod\"]},"
        "\"then\":{\"required\":[\"phone\"]},\"else\":{\"required\":[\"email\"]},"
        "\"additionalProperties\":false}",
    .hints = HINT_READ_ONLY,
    .runs = INLINE,
    .any_schema = true,
    .tell = any_arguments,
};

const struct tool tool_test_header_tool = {
    .name = "test_header_tool",
    .title = "Conformance: headers",
    .group = "conformance",
    .description = "Has an argument that modern HTTP clients repeat as a header.",
    .input_schema = "{\"type\":\"object\",\"properties\":{\"region\":{\"type\":\"string\","
                    "\"description\":\"Any text.\",\"x-mcp-header\":\"Region\"}},"
                    "\"additionalProperties\":false}",
    .hints = HINT_READ_ONLY,
    .runs = INLINE,
    .tell = any_arguments,
};

const struct tool tool_test_missing_capability = {
    .name = "test_missing_capability",
    .title = "Conformance: capability",
    .group = "conformance",
    .description = "Is for clients that declare sampling, and refuses modern ones that do not.",
    .input_schema = NO_ARGUMENTS,
    .hints = HINT_READ_ONLY,
    .runs = INLINE,
    .needs = "sampling",
    .tell = simple_text,
};
