/* tool_session.c -- tandem sessions as tools and resources: the token budget, what to resume by. */
#include "handlers/offers.h"
#include "handlers/service_resources.h"
#include "handlers/tool.h"
#include "state/base/json_put.h"
#include "state/budget.h"
#include "state/state.h"

#define MINUTE INT64_C(60000000000)

/* clang-format off */
#define ID_SCHEMA                                                                              \
    "\"session_id\":{\"type\":\"string\",\"maxLength\":128,"                                   \
    "\"description\":\"Default: the current session\"}"
#define METRICS_SCHEMA                                                                         \
    "{\"type\":\"object\",\"properties\":{\"session_id\":{\"type\":\"string\"},"                 \
    "\"total_budget\":{\"type\":\"integer\"},\"used_tokens\":{\"type\":\"integer\"},"              \
    "\"remaining_tokens\":{\"type\":\"integer\"},\"percentage_used\":{\"type\":\"number\"},"       \
    "\"status\":{\"type\":\"string\"}},\"required\":[\"session_id\",\"total_budget\","             \
    "\"used_tokens\",\"remaining_tokens\",\"percentage_used\",\"status\"]}"
#define SESSION_SCHEMA                                                                         \
    "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"},"                         \
    "\"created_at\":{\"type\":\"string\"},\"last_used\":{\"type\":\"string\"},"                    \
    "\"use_count\":{\"type\":\"integer\"},\"agents_run\":{\"type\":\"array\",\"items\":"           \
    "{\"type\":\"object\"}},\"metrics\":{\"type\":\"object\"}},"                                 \
    "\"required\":[\"id\",\"created_at\",\"last_used\",\"use_count\",\"agents_run\",\"metrics\"]}"
/* clang-format on */

static const char *
text_of(const json_t *args, const char *key)
{
    return json_string_value(json_object_get(args, key));
}

static enum err
get_context_metrics(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    return budget_metrics(state_budget(req->state), req->tenant, text_of(args, "session_id"),
                          result, f);
}

const struct tool tool_get_context_metrics = {
    .name = "get_context_metrics",
    .title = "Token budget",
    .group = "session",
    .core = true,
    .description = "How much of the session's token budget is used. At auto_pause (90 %) finish "
                   "and hand over.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{" ID_SCHEMA "},\"additionalProperties\":false}",
    .output_schema = METRICS_SCHEMA,
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = INLINE,
    .call = get_context_metrics,
};

static enum err
update_token_usage(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const struct budget_use use = {
        .tenant = req->tenant,
        .id = text_of(args, "session_id"),
        .input = json_integer_value(json_object_get(args, "input_tokens")),
        .output = json_integer_value(json_object_get(args, "output_tokens")),
        .stop_reason = text_of(args, "stop_reason"),
        .model = text_of(args, "model"),
    };

    return budget_count(state_budget(req->state), &use, result, f);
}

const struct tool tool_update_token_usage = {
    .name = "update_token_usage",
    .title = "Count tokens",
    .group = "session",
    .core = true,
    .description = "Adds the tokens of one model answer to the session's budget and tells what is "
                   "left.",
    .input_schema = "{\"type\":\"object\",\"properties\":{"
                    "\"input_tokens\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000000000},"
                    "\"output_tokens\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000000000},"
                    "\"stop_reason\":{\"type\":\"string\",\"maxLength\":64},"
                    "\"model\":{\"type\":\"string\",\"maxLength\":64}," ID_SCHEMA "},"
                    "\"required\":[\"input_tokens\",\"output_tokens\"],"
                    "\"additionalProperties\":false}",
    .output_schema = METRICS_SCHEMA,
    .runs = INLINE,
    .call = update_token_usage,
};

static enum err
get_session(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    return budget_get(state_budget(req->state), req->tenant, text_of(args, "session_id"), result,
                      f);
}

const struct tool tool_get_session = {
    .name = "get_session",
    .title = "Tandem session",
    .group = "session",
    .description = "The tandem session that all agents here share: its id, age, agents and token "
                   "budget. It is not the MCP session, nor a workflow's.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{" ID_SCHEMA "},\"additionalProperties\":false}",
    .output_schema = SESSION_SCHEMA,
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = INLINE,
    .call = get_session,
};

static enum err
set_session_id(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    return budget_rename(state_budget(req->state), req->tenant, text_of(args, "id"), result, f);
}

const struct tool tool_set_session_id = {
    .name = "set_session_id",
    .title = "Name the session",
    .group = "session",
    .description = "Gives the current tandem session another id, such as the host's own. Rarely "
                   "needed: the host's environment names it at the start.",
    .input_schema = "{\"type\":\"object\",\"properties\":{"
                    "\"id\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128}},"
                    "\"required\":[\"id\"],\"additionalProperties\":false}",
    .output_schema = SESSION_SCHEMA,
    .hints = HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = set_session_id,
};

static enum err
create_session(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const json_t *age = json_object_get(args, "max_age_min");

    return budget_open(state_budget(req->state), req->tenant, text_of(args, "context"),
                       !json_is_false(json_object_get(args, "reuse")),
                       (age ? json_integer_value(age) : 30) * MINUTE, result, f);
}

const struct tool tool_create_session = {
    .name = "create_session",
    .title = "Open a session",
    .group = "session",
    .description = "Finds the session of a context that was used lately, or opens one. It has a "
                   "budget of its own: pass its id as session_id when you count.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"context\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":200},"
        "\"reuse\":{\"type\":\"boolean\",\"default\":true},"
        "\"max_age_min\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1440,\"default\":30}},"
        "\"required\":[\"context\"],\"additionalProperties\":false}",
    .output_schema = SESSION_SCHEMA,
    .runs = WORKER,
    .call = create_session,
};

static enum err
list_sessions(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const json_t *limit = json_object_get(args, "limit");

    (void)f;
    *result = budget_list(state_budget(req->state), req->tenant, text_of(args, "context"),
                          limit ? (unsigned)json_integer_value(limit) : 10);
    return E_OK;
}

const struct tool tool_list_sessions = {
    .name = "list_sessions",
    .title = "List sessions",
    .group = "session",
    .description = "The tandem sessions there are, last used first.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"default\":10},"
        "\"context\":{\"type\":\"string\",\"maxLength\":200}},\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{"
                     "\"sessions\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
                     "\"total\":{\"type\":\"integer\"}},\"required\":[\"sessions\",\"total\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = list_sessions,
};

static enum err
record_session_use(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    return budget_record(state_budget(req->state), req->tenant, text_of(args, "session_id"),
                         text_of(args, "agent"), text_of(args, "task"), result, f);
}

const struct tool tool_record_session_use = {
    .name = "record_session_use",
    .title = "Record an agent",
    .group = "session",
    .description = "Notes that an agent took up a task in the session, for whoever resumes it.",
    .input_schema = "{\"type\":\"object\",\"properties\":{" ID_SCHEMA ","
                    "\"agent\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":100},"
                    "\"task\":{\"type\":\"string\",\"description\":\"100 bytes of it are kept\"}},"
                    "\"required\":[\"agent\",\"task\"],\"additionalProperties\":false}",
    .output_schema = SESSION_SCHEMA,
    .runs = INLINE,
    .call = record_session_use,
};

static enum err
end_session(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    return budget_end(state_budget(req->state), req->tenant, text_of(args, "session_id"),
                      text_of(args, "summary"), result, f);
}

const struct tool tool_end_session = {
    .name = "end_session",
    .title = "End the session",
    .group = "session",
    .description = "Ends the session with a summary of where the work stands; the note is kept as "
                   "tandem://session/ID/resume. The next use begins a new one.",
    .input_schema = "{\"type\":\"object\",\"properties\":{" ID_SCHEMA ","
                    "\"summary\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":8192}},"
                    "\"required\":[\"summary\"],\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"session_id\":{\"type\":\"string\"},"
                     "\"summary\":{\"type\":\"string\"},\"ended_at\":{\"type\":\"string\"},"
                     "\"metrics\":{\"type\":\"object\"}},"
                     "\"required\":[\"session_id\",\"summary\",\"ended_at\",\"metrics\"]}",
    .hints = HINT_DESTRUCTIVE,
    .runs = WORKER,
    .call = end_session,
};

/* ---- Resources ---- */

enum err
read_current_session(struct request *req, const struct slice *variables, struct buf *out,
                     struct fault *f)
{
    json_t *told = NULL;
    enum err err = budget_get(state_budget(req->state), req->tenant, NULL, &told, f);

    (void)variables;
    return service_resource_tell(err, told, out);
}

enum err
read_resume_note(struct request *req, const struct slice *variables, struct buf *out,
                 struct fault *f)
{
    struct buf id = {.limit = BUDGET_ID_MAX};
    json_t *told = NULL;
    enum err err = offers_decode_path(variables[0], &id)
                       ? budget_note(state_budget(req->state), req->tenant, id.data, &told, f)
                       : fault_set(f, E_NOT_FOUND, "this names no session");

    buf_fini(&id);
    return service_resource_tell(err, told, out);
}
