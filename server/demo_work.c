/* demo_work.c -- the steps of the work: one workflow, three clients, and gates that want proof. */
#include "server/demo.h"

#include <stdio.h>
#include <string.h>

#define TARGET "src/parser.c"

static json_t *
workflow(const char *action, const struct demo *d)
{
    return json_pack("{s:s, s:s*}", "action", action, "session_id",
                     d->session[0] ? d->session : NULL);
}

static json_t *
start_arguments(void)
{
    return json_pack("{s:s, s:s, s:s}", "action", "start", "workflow_type", DEMO_PACK,
                     "target_file", TARGET);
}

static json_t *
completion(const struct demo *d, int phase, json_t *evidence)
{
    json_t *args = workflow("complete_phase", d);

    json_object_set_new(args, "phase", json_integer(phase));
    json_object_set_new(args, "evidence", evidence);
    return args;
}

/* Whether two lists have the same tools, but for what only one revision knows. */
static bool
same_tools(const json_t *a, const json_t *b)
{
    json_t *lists[] = {json_deep_copy(json_object_get(a, "tools")),
                       json_deep_copy(json_object_get(b, "tools"))};
    json_t *tool;
    size_t i;
    bool same;

    for (int list = 0; list < 2; list++) {
        json_array_foreach(lists[list], i, tool) {
            json_object_del(tool, "execution"); /* MCP tasks of 2025-11-25. */
        }
    }
    same = json_array_size(lists[0]) > 0 && json_equal(lists[0], lists[1]);
    json_decref(lists[0]);
    json_decref(lists[1]);
    return same;
}

bool
demo_lists_agree(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *ide, *agent;
    bool same;

    demo_begin(d);
    ide = play_ide(&d->play, "tools/list", json_object(), &f);
    agent = play_agent(&d->play, "tools/list", json_object(), &f);
    same = ide && agent && same_tools(ide, agent);
    same = same ? demo_held(d, "IDE, agent A", "list the same %zu tools, in both eras of MCP",
                            json_array_size(json_object_get(ide, "tools")))
                : demo_failed("tools/list differs", agent, &f);
    json_decref(ide);
    json_decref(agent);
    return same;
}

bool
demo_start(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *answer;
    bool good;

    demo_begin(d);
    answer = play_ide_tool(&d->play, "pos_workflow", start_arguments(), &f);
    snprintf(d->session, sizeof d->session, "%s", demo_text(answer, "session_id"));
    good = d->session[0] && json_is_false(json_object_get(answer, "resumed"));
    good = good ? demo_held(d, "IDE", "starts %s: session %.8s", DEMO_PACK, d->session)
                : demo_failed("start", answer, &f);
    json_decref(answer);
    return good;
}

bool
demo_same_start(struct demo *d)
{
    struct demo_agent agents[2] = {{.args = start_arguments()}, {.args = start_arguments()}};
    bool same = true;

    demo_begin(d);
    demo_both(d, "pos_workflow", agents);
    for (int i = 0; i < 2; i++) {
        same = same && strcmp(demo_text(agents[i].answer, "session_id"), d->session) == 0 &&
               json_is_true(json_object_get(agents[i].answer, "resumed"));
    }
    same = same ? demo_held(d, "agents A, B", "start the same at once: one session, resumed twice")
                : demo_failed("same start", agents[0].answer, &agents[0].fault);
    demo_both_fini(agents);
    return same;
}

bool
demo_read_task(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *args = workflow("get_task", d), *answer;
    bool good;

    demo_begin(d);
    json_object_set_new(args, "phase", json_integer(0));
    json_object_set_new(args, "task_number", json_integer(2));
    answer = play_agent_tool(&d->play, "pos_workflow", args, &f);
    good = strlen(demo_text(answer, "content")) > 100;
    good = good ? demo_held(d, "agent A", "reads task 2: \"%s\", %zu step to run",
                            demo_text(answer, "task_name"),
                            json_array_size(json_object_get(answer, "steps")))
                : demo_failed("get_task", answer, &f);
    json_decref(answer);
    return good;
}

static json_t *
first_evidence(const char *test_output)
{
    return json_pack("{s:s, s:s, s:s}", "failing_test", "test_empty_input", "test_output",
                     test_output, "expected_behaviour", "an empty input gives an empty list");
}

/* Ends a step that one client has played, whose answer, stolen, was right or not. */
static bool
settle(struct demo *d, bool right, const char *who, const char *held, json_t *answer,
       const struct fault *f)
{
    char what[160];

    snprintf(what, sizeof what, "this did not hold, %s %s", who, held);
    right = right ? demo_held(d, who, "%s", held) : demo_failed(what, answer, f);
    json_decref(answer);
    return right;
}

bool
demo_claim_refused(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *answer;

    demo_begin(d);
    answer = play_second_tool(&d->play, "pos_workflow",
                              completion(d, 0, first_evidence("trust me, it fails")), &f);
    return settle(d, strcmp(demo_text(answer, "error_type"), "ValidationError") == 0, "agent B",
                  "claims phase 0 without proof, by WebSocket: the gate refuses", answer, &f);
}

bool
demo_gate_passes(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *answer;

    demo_begin(d);
    answer = play_ide_tool(
        &d->play, "pos_workflow",
        completion(d, 0, first_evidence("FAILED test_empty_input: expected [], got null")), &f);
    return settle(d,
                  json_is_true(json_object_get(answer, "checkpoint_passed")) &&
                      json_integer_value(json_object_get(answer, "next_phase")) == 1,
                  "IDE", "hands in the failing run: phase 0 passes", answer, &f);
}

static json_t *
second_evidence(void)
{
    return json_pack("{s:s, s:[s], s:i}", "cause",
                     "the reader returned before it had allocated the list for an empty input",
                     "changed_files", TARGET, "lines_changed", 3);
}

bool
demo_one_completion(struct demo *d)
{
    struct demo_agent agents[2] = {{.args = completion(d, 1, second_evidence())},
                                   {.args = completion(d, 1, second_evidence())}};
    int passed = 0, refused = 0;
    bool good;

    demo_begin(d);
    demo_both(d, "pos_workflow", agents);
    for (int i = 0; i < 2; i++) {
        passed += json_is_true(json_object_get(agents[i].answer, "checkpoint_passed"));
        refused += strcmp(demo_text(agents[i].answer, "error_type"), "StateError") == 0;
    }
    good = passed == 1 && refused == 1;
    good = good ? demo_held(d, "agents A, B",
                            "complete phase 1 at once: one does, the other is told so")
                : demo_failed("two completions of one phase", agents[0].answer, &agents[0].fault);
    demo_both_fini(agents);
    return good;
}

bool
demo_finish(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *evidence = json_pack("{s:i, s:i, s:s}", "tests_passed", 42, "tests_failed", 0,
                                 "test_output", "42 passed, 0 failed: success");
    json_t *answer;

    demo_begin(d);
    answer = play_agent_tool(&d->play, "pos_workflow", completion(d, 2, evidence), &f);
    return settle(d, json_is_true(json_object_get(answer, "workflow_complete")), "agent A",
                  "completes the last phase: the work is done", answer, &f);
}
