/* tool_failures.c -- the failures group: how tools went, what failed, what was learned. */
#include "handlers/service_resources.h"
#include "handlers/tool.h"
#include "state/base/json_put.h"
#include "state/failures.h"
#include "state/learnings.h"
#include "state/state.h"

#define LIMIT_MAX 500
#define LIST_DEFAULT 50
#define LEARNINGS_DEFAULT 20

/* ---- Arguments ---- */

static struct slice
text_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return (struct slice){json_string_value(value), json_string_length(value)};
}

/* The session of a call that names none. */
static const char *
session_of(const json_t *object)
{
    const char *session = json_string_value(json_object_get(object, "session_id"));

    return session ? session : "";
}

static size_t
limit_of(const json_t *args, size_t usual)
{
    const json_t *limit = json_object_get(args, "limit");

    return limit ? (size_t)json_number_value(limit) : usual;
}

static struct failure_query
query_of(const struct request *req, const json_t *args)
{
    return (struct failure_query){
        .tenant = req->tenant,
        .session = json_string_value(json_object_get(args, "session_id")),
        .unfixed = json_is_true(json_object_get(args, "unfixed_only")),
        .limit = limit_of(args, LIST_DEFAULT),
    };
}

#define SESSION "\"session_id\":{\"type\":\"string\",\"maxLength\":200}"
#define LIMIT(USUAL) \
    "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":500,\"default\":" USUAL "}"
#define UNFIXED "\"unfixed_only\":{\"type\":\"boolean\",\"default\":false}"
#define INPUT(PROPERTIES) \
    "{\"type\":\"object\",\"properties\":{" PROPERTIES "},\"additionalProperties\":false}"
#define LIST_OUTPUT(NAME)                                                              \
    "{\"type\":\"object\",\"properties\":{\"" NAME "\":{\"type\":\"array\",\"items\":" \
    "{\"type\":\"object\"}},\"count\":{\"type\":\"integer\"}},\"required\":[\"" NAME   \
    "\",\"count\"]}"

/* {"NAME": list, "count": n}; steals 'list'. */
static json_t *
counted(const char *name, json_t *list)
{
    json_t *out = json_must(json_object());

    json_put_int(out, "count", (int64_t)json_array_size(list));
    json_put(out, name, list);
    return out;
}

/* ---- The tools ---- */

static enum err
analyze_failures(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    struct failure_query query = query_of(req, args);

    (void)f;
    *result = counted("failures", failures_analyze(state_failures(req->state), &query));
    return E_OK;
}

const struct tool tool_analyze_failures = {
    .name = "analyze_failures",
    .title = "Analyze failures",
    .group = "failures",
    .description = "A post-mortem of what failed, most urgent first: likely cause, file and line, "
                   "a suggestion, priority. Suggestions only: nothing is executed.",
    .input_schema = INPUT(SESSION "," UNFIXED "," LIMIT("50")),
    .output_schema = LIST_OUTPUT("failures"),
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = analyze_failures,
};

static enum err
clear_failures(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const char *session = json_string_value(json_object_get(args, "session_id"));

    (void)f;
    *result = json_must(json_object());
    json_put_int(*result, "cleared",
                 (int64_t)failures_clear(state_failures(req->state), req->tenant, session));
    return E_OK;
}

const struct tool tool_clear_failures = {
    .name = "clear_failures",
    .title = "Clear failures",
    .group = "failures",
    .description = "Forgets the failures of a session, or all of them. What was learned stays.",
    .input_schema = INPUT(SESSION),
    .output_schema = "{\"type\":\"object\",\"properties\":{\"cleared\":{\"type\":\"integer\"}},"
                     "\"required\":[\"cleared\"]}",
    .hints = HINT_DESTRUCTIVE | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = clear_failures,
};

static enum err
get_failure_stats(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const char *session = json_string_value(json_object_get(args, "session_id"));
    struct failure_stats s = failures_stats(state_failures(req->state), req->tenant, session);

    (void)f;
    *result = json_must(json_object());
    json_put_int(*result, "total_failures", (int64_t)s.failures);
    json_put_int(*result, "fixed_failures", (int64_t)s.fixed);
    json_put_int(*result, "unfixed_failures", (int64_t)s.unfixed);
    json_put_int(*result, "total_fixes", (int64_t)s.fixes);
    json_put_int(*result, "total_learnings", (int64_t)s.learnings);
    json_put_int(*result, "sessions", (int64_t)s.sessions);
    return E_OK;
}

const struct tool tool_get_failure_stats = {
    .name = "get_failure_stats",
    .title = "Failure statistics",
    .group = "failures",
    .description = "How many failures are kept, how many of them were fixed, and how many lessons "
                   "came of it.",
    .input_schema = INPUT(SESSION),
    .output_schema = "{\"type\":\"object\",\"properties\":{"
                     "\"total_failures\":{\"type\":\"integer\"},"
                     "\"fixed_failures\":{\"type\":\"integer\"},"
                     "\"unfixed_failures\":{\"type\":\"integer\"},"
                     "\"total_fixes\":{\"type\":\"integer\"},"
                     "\"total_learnings\":{\"type\":\"integer\"}},"
                     "\"required\":[\"total_failures\",\"fixed_failures\",\"unfixed_failures\","
                     "\"total_fixes\",\"total_learnings\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = INLINE,
    .call = get_failure_stats,
};

static enum err
get_learnings(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    json_t *lessons = NULL;
    enum err err = learnings_get(state_learnings(req->state), req->tenant,
                                 json_string_value(json_object_get(args, "target")),
                                 limit_of(args, LEARNINGS_DEFAULT), &lessons, f);

    if (!err) {
        *result = counted("learnings", lessons);
    }
    return err;
}

const struct tool tool_get_learnings = {
    .name = "get_learnings",
    .title = "Lessons learned",
    .group = "failures",
    .core = true,
    .description = "Lessons from failures that were fixed, newest first, for who is to know them: "
                   "qa, engineer, PM or an agent's type. Read them before similar work.",
    .input_schema = "{\"type\":\"object\",\"properties\":{"
                    "\"target\":{\"type\":\"string\",\"maxLength\":64}," LIMIT(
                        "20") "},"
                              "\"required\":[\"target\"],\"additionalProperties\":false}",
    .output_schema = LIST_OUTPUT("learnings"),
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = get_learnings,
};

static enum err
list_failures(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    struct failure_query query = query_of(req, args);

    (void)f;
    *result = counted("failures", failures_list(state_failures(req->state), &query));
    return E_OK;
}

const struct tool tool_list_failures = {
    .name = "list_failures",
    .title = "List failures",
    .group = "failures",
    .description = "What failed, newest first; of one session if it is named.",
    .input_schema = INPUT(SESSION "," UNFIXED "," LIMIT("50")),
    .output_schema = LIST_OUTPUT("failures"),
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = list_failures,
};

static enum err
record_tool_outcome(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    static const char *const words[] = {
        [FAILURE_NOTHING] = "none", [FAILURE_FAILED] = "failure", [FAILURE_MENDED] = "fix"};
    const json_t *context = json_object_get(args, "context");
    struct failure_outcome outcome = {
        .tenant = req->tenant,
        .session = session_of(context),
        .tool = json_string_value(json_object_get(args, "tool_name")),
        .output = text_of(args, "output"),
        .exit_code = (int64_t)json_number_value(json_object_get(args, "exit_code")),
        .agent_type = text_of(context, "agent_type"),
        .command = text_of(context, "command"),
        .cwd = text_of(context, "cwd"),
        .note = text_of(args, "note"),
    };
    struct failure_result r;
    enum err err = failures_record(state_failures(req->state), &outcome, &r, f);

    if (err) {
        return err;
    }
    *result = json_must(json_object());
    json_put_text(*result, "result", words[r.kind]);
    if (r.failure) {
        json_put(*result, "failure", json_incref(r.failure));
    }
    if (r.fix) {
        json_put(*result, "fix", json_incref(r.fix));
    }
    if (r.learning) {
        json_put(*result, "learning", json_incref(r.learning));
    }
    failure_result_fini(&r);
    return E_OK;
}

const struct tool tool_record_tool_outcome = {
    .name = "record_tool_outcome",
    .title = "Record a tool's outcome",
    .group = "failures",
    .core = true,
    .description = "Tell how a tool or command went. A failure is kept; a later success of the "
                   "same kind fixes it, and the pair becomes a lesson (get_learnings).",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"tool_name\":{\"type\":\"string\",\"maxLength\":200},"
        "\"output\":{\"type\":\"string\"},"
        "\"exit_code\":{\"type\":\"integer\",\"default\":0},"
        "\"context\":{\"type\":\"object\",\"properties\":{"
        "\"agent_type\":{\"type\":\"string\"},\"command\":{\"type\":\"string\"},"
        "\"cwd\":{\"type\":\"string\"},\"session_id\":{\"type\":\"string\"}}},"
        "\"note\":{\"type\":\"string\",\"description\":\"What fixed it, for the lesson\"}},"
        "\"required\":[\"tool_name\",\"output\"],\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{"
                     "\"result\":{\"type\":\"string\",\"enum\":[\"failure\",\"fix\",\"none\"]},"
                     "\"failure\":{\"type\":\"object\"},\"fix\":{\"type\":\"object\"},"
                     "\"learning\":{\"type\":\"object\"}},\"required\":[\"result\"]}",
    .hints = 0,
    .runs = WORKER, /* Looks through an output that may be long. */
    .call = record_tool_outcome,
};

/* ---- The resources ---- */

enum err
read_failures(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    struct failure_query query = {.tenant = req->tenant, .limit = LIST_DEFAULT};
    json_t *failures = counted("failures", failures_list(state_failures(req->state), &query));

    (void)variables;
    (void)f;
    return service_resource_tell(E_OK, failures, out);
}

enum err
read_learnings(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    json_t *lessons = NULL;
    char *target = xstrndup(variables[0].data, variables[0].len);
    enum err err =
        learnings_get(state_learnings(req->state), req->tenant, target, LIMIT_MAX, &lessons, f);

    if (!err) {
        failures_markdown(out, target, lessons);
    } else if (err == E_ARGUMENT) {
        err = f->code = E_NOT_FOUND; /* No name: there is no such resource. */
    }
    json_decref(lessons);
    free(target);
    return err;
}
