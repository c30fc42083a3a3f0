/* tool_workflow.c -- pos_workflow: one tool whose argument 'action' says what to do.
 *
 * A row per action; this file reads the arguments and finds the row, the engine does the rest.
 * Names of actions and arguments are those that packs mention in their text. */
#include "handlers/need.h"
#include "handlers/tasks.h"
#include "handlers/tool.h"
#include "handlers/tools_at_hand.h"
#include "state/base/json_put.h"
#include "state/base/rune.h"
#include "state/state.h"
#include "state/workflow.h"
#include "state/workflow_answer.h"
#include "state/workflow_approval.h"
#include "state/workflow_at_hand.h"

#include <math.h>

/* In the order in which valid_actions tells them: by name. */
/*      action            needs, besides action                                  */
#define ACTIONS(ROW)                                       \
    ROW(complete_phase, "session_id", "phase", "evidence") \
    ROW(delete_session, "session_id", NULL, NULL)          \
    ROW(get_errors, "session_id", NULL, NULL)              \
    ROW(get_phase, "session_id", NULL, NULL)               \
    ROW(get_session, "session_id", NULL, NULL)             \
    ROW(get_state, "session_id", NULL, NULL)               \
    ROW(get_task, "session_id", "phase", "task_number")    \
    ROW(list_sessions, NULL, NULL, NULL)                   \
    ROW(list_workflows, NULL, NULL, NULL)                  \
    ROW(pause, "session_id", NULL, NULL)                   \
    ROW(resume, "session_id", NULL, NULL)                  \
    ROW(retry_phase, "session_id", "phase", NULL)          \
    ROW(rollback, "session_id", "to_phase", NULL)          \
    ROW(start, "workflow_type", "target_file", NULL)

#define NEEDS_MAX 3

static const struct action {
    const char *name;
    workflow_action *run;
    const char *needs[NEEDS_MAX];
} actions[] = {
#define ROW(NAME, ...) {#NAME, workflow_##NAME, {__VA_ARGS__}},
    ACTIONS(ROW)
#undef ROW
};
#define ACTION_COUNT (sizeof actions / sizeof *actions)

static const struct action *
find_action(const char *name)
{
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        if (strcmp(actions[i].name, name) == 0) {
            return &actions[i];
        }
    }
    return NULL;
}

static enum err
unknown_action(const char *name, json_t **result, struct fault *f)
{
    json_t *names = json_must(json_array());

    for (size_t i = 0; i < ACTION_COUNT; i++) {
        json_add(names, json_text(actions[i].name));
    }
    fault_set(f, E_ARGUMENT, "unknown action '%.64s'", name);
    fault_remedy(f, "use one of valid_actions");
    *result = answer_error(name, f);
    json_put(*result, "valid_actions", names);
    return E_ARGUMENT;
}

/* Reads a phase or task number: clients send floats too, which are truncated.  '*has' tells if it
 * is there. */
static enum err
read_number(const json_t *args, const char *name, bool *has, int *number, struct fault *f)
{
    const json_t *value = json_object_get(args, name);
    double d = json_number_value(value);

    *has = json_is_number(value);
    if (!*has) {
        return E_OK;
    }
    if (!(d > -1 && d < 100000)) {
        return fault_set(f, E_ARGUMENT, "%s is out of range: it is 0 or more", name);
    }
    *number = (int)trunc(d);
    return E_OK;
}

static const char *
read_text(const json_t *args, const char *name)
{
    const json_t *value = json_object_get(args, name);
    const char *text = json_string_value(value);

    /* A text with NUL in it is none of ours: it is cut there, and will not be found. */
    return text;
}

static enum err
read_args(const json_t *args, struct workflow_args *a, struct fault *f)
{
    enum err err = E_OK;

    *a = (struct workflow_args){
        .action = read_text(args, "action"),
        .session_id = read_text(args, "session_id"),
        .workflow_type = read_text(args, "workflow_type"),
        .target_file = json_object_get(args, "target_file"),
        .options = json_object_get(args, "options"),
        .evidence = json_object_get(args, "evidence"),
        .category = read_text(args, "category"),
        .status = read_text(args, "status"),
        .reason = read_text(args, "reason"),
        .checkpoint_note = read_text(args, "checkpoint_note"),
        .reset_evidence = json_is_true(json_object_get(args, "reset_evidence")),
    };
    err = read_number(args, "phase", &a->has_phase, &a->phase, f);
    err = err ? err : read_number(args, "task_number", &a->has_task_number, &a->task_number, f);
    return err ? err : read_number(args, "to_phase", &a->has_to_phase, &a->to_phase, f);
}

/* E_ARGUMENT, naming it, if something that the action needs was not given. */
static enum err
check_needs(const struct action *action, const json_t *args, struct fault *f)
{
    for (int i = 0; i < NEEDS_MAX && action->needs[i]; i++) {
        const json_t *value = json_object_get(args, action->needs[i]);

        if (!value || json_is_null(value)) {
            return fault_set(f, E_ARGUMENT, "action '%s' needs %s", action->name, action->needs[i]);
        }
    }
    return E_OK;
}

/* ---- Asking the person ---- */

#define SHOWN_FIELDS 20u
#define SHOWN_BYTES 300u

/* Adds one field of the evidence as a line, cut where it is long. */
static void
add_field(struct buf *out, const char *name, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    struct slice whole = slice_of(text);

    buf_adds(out, "\n- ");
    buf_add_json(out, (struct slice){name, rune_cut(slice_of(name), SHOWN_BYTES)});
    buf_adds(out, ": ");
    buf_add(out, text, rune_cut(whole, SHOWN_BYTES));
    buf_adds(out, whole.len > SHOWN_BYTES ? " ..." : "");
    free(text);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds what is handed in, by name: the question must be the same however its client orders it. */
static void
add_evidence(struct buf *out, const json_t *evidence)
{
    size_t count = json_object_size(evidence), i = 0;
    const char **names = xcalloc(count + 1, sizeof *names); /* GATE_EVIDENCE_FIELDS_MAX at most. */
    const char *name;
    json_t *value;

    buf_adds(out, count ? " Handed in:" : " Nothing is handed in for it.");
    json_object_foreach((json_t *)(uintptr_t)evidence, name, value) {
        names[i++] = name;
    }
    qsort(names, count, sizeof *names, by_name);
    for (i = 0; i < count && i < SHOWN_FIELDS; i++) {
        add_field(out, names[i], json_object_get(evidence, names[i]));
    }
    if (count > SHOWN_FIELDS) {
        buf_addf(out, "\n- and %zu more", count - SHOWN_FIELDS);
    }
    free(names);
}

/* The question: which gate it is, and what is handed in for it. */
static json_t *
approval_form(const json_t *about)
{
    static const char schema[] =
        "{\"type\":\"object\",\"properties\":{"
        "\"approve\":{\"type\":\"boolean\",\"title\":\"Approve\","
        "\"description\":\"Yes: the phase counts as done. No: it is refused.\"},"
        "\"name\":{\"type\":\"string\",\"title\":\"Your name\",\"maxLength\":200},"
        "\"comment\":{\"type\":\"string\",\"title\":\"Comment\",\"maxLength\":2000}},"
        "\"required\":[\"approve\"]}";
    struct buf text = BUF_INIT;
    json_t *form;

    buf_addf(&text, "Phase %d (%s) of the workflow %s for %s needs your approval (session %s).",
             (int)json_integer_value(json_object_get(about, "phase")),
             read_text(about, "phase_name"), read_text(about, "workflow"),
             read_text(about, "target_file"), read_text(about, "session_id"));
    add_evidence(&text, json_object_get(about, "evidence"));
    form = need_form(text.failed ? "" : text.data, json_must(json_loads(schema, 0, NULL)));
    buf_fini(&text);
    return form;
}

/* Has the person asked who must approve what is to be completed, where that can be done.  '*asked'
 * tells if 'said' is an answer, which borrows from the request. */
static enum err
ask_approval(struct request *req, const struct workflow_args *a, bool *asked,
             struct workflow_approval *said, struct fault *f)
{
    static const char *const words[] = {[NEED_DECLINED] = "declined to say",
                                        [NEED_CANCELLED] = "closed the question",
                                        [NEED_REFUSED] = "the client refused to ask"};
    struct need n = {.key = "approval", .kind = NEED_FORM, .bound = true};
    json_t *about = a->can_ask ? workflow_approval_wanted(state_workflow(req->state), a) : NULL;
    enum err err;

    *asked = false;
    if (!about) {
        return E_OK;
    }
    n.params = approval_form(about);
    json_decref(about);
    err = tasks_begin(req); /* A person may take longer than a client waits for an answer. */
    if (err) {
        json_decref(n.params);
        return err;
    }
    err = need(req, &n, 1, f);
    if (!err) {
        bool yes = json_is_true(json_object_get(n.answer, "approve"));
        const char *by = read_text(n.answer, "name"), *comment = read_text(n.answer, "comment");

        *asked = true;
        *said = (struct workflow_approval){
            .approved = n.outcome == NEED_ACCEPTED && yes,
            .answer = n.outcome != NEED_ACCEPTED ? words[n.outcome]
                      : yes                      ? "approved"
                                                 : "rejected",
            .by = by ? by : "",
            .comment = n.said    ? n.said
                       : comment ? comment
                                 : "",
        };
    }
    return err;
}

/* ---- What is at hand ---- */

static struct bytes *
keep_task(const json_t *answer)
{
    return at_hand_write(&tool_pos_workflow, answer, NULL);
}

/* What get_task is asked for, read from the bytes of its arguments. */
struct plain_task {
    struct workflow_args args;
    char session[128];
};

static bool
read_action(struct slice raw, void *asked)
{
    (void)asked;
    return slice_is(raw, "\"get_task\"");
}

static bool
read_session(struct slice raw, void *asked)
{
    struct plain_task *task = asked;

    return json_string_into(raw, task->session, sizeof task->session) >= 0;
}

static bool
read_phase(struct slice raw, void *asked)
{
    return at_hand_number(raw, &((struct plain_task *)asked)->args.phase);
}

static bool
read_task_number(struct slice raw, void *asked)
{
    return at_hand_number(raw, &((struct plain_task *)asked)->args.task_number);
}

/* A task that this session was told before, from the bytes of its arguments: to make a tree of them
 * and look into that took 6,500 instructions of 22,600. */
static struct bytes *
find_at_hand(struct request *req, struct slice arguments)
{
    static const struct at_hand_argument known[] = {
        {"\"action\"", true, read_action},
        {"\"session_id\"", true, read_session},
        {"\"phase\"", true, read_phase},
        {"\"task_number\"", true, read_task_number},
    };
    struct plain_task task NOT_CLEARED;

    task.args = (struct workflow_args){.has_phase = true, .has_task_number = true};
    if (!at_hand_read(arguments, known, sizeof known / sizeof known[0], &task)) {
        return NULL;
    }
    task.args.session_id = task.session;
    return workflow_at_hand(state_workflow(req->state), &task.args);
}

static enum err
call_workflow(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const char *name = read_text(args, "action");
    const struct action *action = find_action(name ? name : "");
    struct workflow_approval said;
    struct workflow_args a;
    bool asked;
    enum err err;

    if (!action) {
        return unknown_action(name ? name : "", result, f);
    }
    err = check_needs(action, args, f);
    err = err ? err : read_args(args, &a, f);
    a.keep = req->dialect == DIALECT_RPC ? keep_task : NULL;
    if (!err && action->run == workflow_complete_phase) {
        a.can_ask = need_allowed(req, NEED_FORM);
        err = ask_approval(req, &a, &asked, &said, f);
        a.approval = asked ? &said : NULL;
    }
    if (err == E_INPUT) {
        return err;
    }
    if (err) {
        *result = answer_error(action->name, f);
        return err;
    }
    return action->run(state_workflow(req->state), &a, result, f);
}

/* What only reads may be done twice, and so may start, which resumes what it has started. */
static bool
is_repeatable(struct slice arguments)
{
    struct json_value action, options, another;
    bool again = !json_slice_member(arguments, "options", &options) ||
                 !json_slice_member(options.raw, "new_session", &another) ||
                 another.kind == KIND_FALSE;

    if (!json_slice_member(arguments, "action", &action) || action.kind != KIND_STRING) {
        return false;
    }
    return (json_string_is(action.raw, "start") && again) ||
           (action.raw.len > 5 && memcmp(action.raw.data, "\"get_", 5) == 0) ||
           (action.raw.len > 6 && memcmp(action.raw.data, "\"list_", 6) == 0);
}

const struct tool tool_pos_workflow = {
    .name = "pos_workflow",
    .title = "Workflows",
    .group = "workflow",
    .core = true,
    .description =
        "Runs a workflow phase by phase; each phase has tasks and a gate that judges evidence. "
        "Typical "
        "run: list_workflows; start (workflow_type, target_file) gives session_id and the first "
        "phase; get_task (session_id, phase, task_number) for each task, and do it; complete_phase "
        "(session_id, phase, evidence) gives the next phase, or what is missing; until "
        "workflow_complete. start again with the same two resumes. Also, with session_id: "
        "get_phase "
        "(phase, to re-read), get_state (after a restart), get_session, get_errors, pause "
        "(checkpoint_note), resume, retry_phase (phase), rollback (to_phase), delete_session "
        "(reason); and list_sessions (status).",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"action\":{\"type\":\"string\",\"description\":\"one of those in the description\"},"
        "\"session_id\":{\"type\":\"string\",\"description\":\"from start or list_sessions\"},"
        "\"workflow_type\":{\"type\":\"string\",\"description\":\"name from list_workflows\"},"
        "\"target_file\":{\"type\":\"string\",\"description\":\"what it is about: a path relative "
        "to the project\"},"
        "\"options\":{\"type\":\"object\",\"description\":\"for start: spec_path where the "
        "workflow "
        "has a source; new_session: true for a second run\"},"
        "\"phase\":{\"type\":\"number\"},"
        "\"task_number\":{\"type\":\"number\"},"
        "\"evidence\":{\"type\":\"object\",\"description\":\"{field: value}; a value may be "
        "{value, "
        "command, exit_code, output} as proof\"},"
        "\"to_phase\":{\"type\":\"number\",\"description\":\"a completed phase\"},"
        "\"category\":{\"type\":\"string\",\"description\":\"for list_workflows\"},"
        "\"status\":{\"type\":\"string\",\"description\":\"active, paused, completed or error\"},"
        "\"reason\":{\"type\":\"string\"},"
        "\"checkpoint_note\":{\"type\":\"string\"},"
        "\"reset_evidence\":{\"type\":\"boolean\",\"description\":\"for retry_phase: forget the "
        "last "
        "attempt\"}},"
        "\"required\":[\"action\"],\"additionalProperties\":true}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\"},"
                     "\"action\":{\"type\":\"string\"},\"session_id\":{\"type\":\"string\"}},"
                     "\"required\":[\"status\",\"action\"]}",
    .hints = HINT_DESTRUCTIVE, /* delete_session and rollback. */
    .repeatable = is_repeatable,
    .runs = WORKER, /* Reads and writes files. */
    .task = TASK_OPTIONAL,
    .task_late = true, /* While a person is asked: the rest is short. */
    .at_hand = find_at_hand,
    .call = call_workflow,
};
