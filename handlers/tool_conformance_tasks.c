/* tool_conformance_tasks.c -- the tools of the official conformance suite that run as tasks, by
 * names and answers that it fixes; offered only where the settings name their group. */
#include "handlers/tool_conformance.h"

#include "handlers/tasks.h"
#include "handlers/wait.h"
#include "state/base/json_put.h"

#define SECOND INT64_C(1000000000)

static enum err
greet(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    (void)req, (void)f;
    content_told(content,
                 xasprintf("Hello, %s!", json_string_value(json_object_get(args, "name"))));
    return E_OK;
}

static enum err
slow_compute(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    const char *label = json_string_value(json_object_get(args, "label"));
    int64_t seconds = json_integer_value(json_object_get(args, "seconds"));
    enum err err;

    request_progress(req, 0, (double)seconds, "computing"); /* Told once, however often it runs. */
    err = wait_until(req, req->started_ns + seconds * SECOND, f);
    if (!err) {
        request_progress(req, (double)seconds, (double)seconds, "computed");
        content_told(content,
                     xasprintf("%s: computed for %d s", label ? label : "done", (int)seconds));
    }
    return err;
}

static enum err
failing_job(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    enum err err = wait_until(req, req->started_ns + SECOND, f);

    (void)args, (void)content;
    return err ? err : fault_set(f, E_STATE, "This job intentionally fails.");
}

static enum err
protocol_error_job(struct request *req, const json_t *args, struct content *content,
                   struct fault *f)
{
    (void)req, (void)args, (void)content;
    return fault_set(f, E_PARAMS, "This job intentionally ends in a protocol error.");
}

static enum err
confirm_delete(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    const char *file = json_string_value(json_object_get(args, "filename"));
    char *question = xasprintf("Delete %s?", file);
    struct need n = conformance_form("confirm", question, "confirm", "boolean");
    enum err err = need(req, &n, 1, f);

    free(question);
    if (!err) {
        bool confirmed = json_is_true(json_object_get(n.answer, "confirm"));

        content_told(content, xasprintf(confirmed ? "%s would be deleted." : "%s stays.", file));
    }
    return err;
}

static enum err
multi_input(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    struct need n[] = {
        conformance_form("name", "What is your name?", "name", "string"),
        conformance_form("confirm", "Go on?", "confirm", "boolean"),
    };
    enum err err = need(req, n, 2, f);

    (void)args;
    if (!err) {
        const char *name = json_string_value(json_object_get(n[0].answer, "name"));
        bool confirmed = json_is_true(json_object_get(n[1].answer, "confirm"));

        content_told(content, xasprintf("%s: %s", name ? name : "(nobody)",
                                        confirmed ? "goes on" : "stays"));
    }
    return err;
}

static enum err
with_task(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    struct need n = conformance_form("user_name", "What is your name?", "name", "string");
    enum err err = need(req, &n, 1, f);

    (void)args;
    err = err ? err : tasks_begin(req);
    if (!err) {
        const char *name = json_string_value(json_object_get(n.answer, "name"));

        content_told(content, xasprintf("Hello, %s!", name ? name : "whoever you are"));
    }
    return err;
}

const struct tool tool_greet = {
    .name = "greet",
    .title = "Conformance: greeting",
    .group = "conformance",
    .description = "Answers at once, and never as a task.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"description\":\"Who "
        "is greeted.\"}},\"required\":[\"name\"],\"additionalProperties\":false}",
    .hints = HINT_READ_ONLY,
    .runs = INLINE,
    .tell = greet,
};

const struct tool tool_slow_compute = {
    .name = "slow_compute",
    .title = "Conformance: long work",
    .group = "conformance",
    .description = "Takes as long as it is told to.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"seconds\":{\"type\":\"integer\",\"minimum\":0,"
        "\"maximum\":3600,\"description\":\"How long it takes.\"},\"label\":{\"type\":\"string\","
        "\"description\":\"Told with the result.\"}},\"required\":[\"seconds\"],"
        "\"additionalProperties\":false}",
    .hints = HINT_READ_ONLY,
    .runs = WORKER,
    .task = TASK_OPTIONAL,
    .tell = slow_compute,
};

const struct tool tool_confirm_delete = {
    .name = "confirm_delete",
    .title = "Conformance: a question",
    .group = "conformance",
    .description = "Asks its client before it goes on; deletes nothing.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"filename\":{\"type\":\"string\",\"description\":"
        "\"Any name.\"}},\"required\":[\"filename\"],\"additionalProperties\":false}",
    .hints = HINT_READ_ONLY,
    .runs = WORKER,
    .task = TASK_OPTIONAL,
    .tell = confirm_delete,
};

/* clang-format off */
/*      name                title                             support        late   call                description */
#define PLAIN_TOOLS(ROW)                                                                                            \
    ROW(failing_job,        "Conformance: failure",           TASK_REQUIRED, false, failing_job,        "Fails after a second.")       \
    ROW(protocol_error_job, "Conformance: protocol error",    TASK_OPTIONAL, false, protocol_error_job, "Ends in a protocol error.")   \
    ROW(multi_input,        "Conformance: two questions",     TASK_OPTIONAL, false, multi_input,        "Asks two things at once.")    \
    ROW(test_tool_with_task, "Conformance: question, then task", TASK_REQUIRED, true, with_task,        "Asks, and then runs as a task.")
/* clang-format on */

#define ROW(NAME, TITLE, SUPPORT, LATE, CALL, DESCRIPTION) \
    const struct tool tool_##NAME = {                      \
        .name = #NAME,                                     \
        .title = TITLE,                                    \
        .group = "conformance",                            \
        .description = DESCRIPTION,                        \
        .input_schema = NO_ARGUMENTS,                      \
        .hints = HINT_READ_ONLY,                           \
        .runs = WORKER,                                    \
        .task = SUPPORT,                                   \
        .task_late = LATE,                                 \
        .tell = CALL,                                      \
    };
PLAIN_TOOLS(ROW)
#undef ROW
