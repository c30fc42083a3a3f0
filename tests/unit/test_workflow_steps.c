/* test_workflow_steps.c -- steps out of task texts. */
#include "tests/check.h"

#include "state/base/file.h"
#include "state/workflow_steps.h"

#define STOP "\xF0\x9F\x9B\x91 "
#define COUNT "\xF0\x9F\x93\x8A "
#define SEARCH "\xF0\x9F\x94\x8D "

static const char *
text_of(const json_t *steps, size_t i, const char *key)
{
    const char *text = json_string_value(json_object_get(json_array_get(steps, i), key));

    return text ? text : "(null)";
}

static void
commands_and_decisions_in_order(void **state)
{
    json_t *steps = wf_steps(SLICE("# Test Task\n\n" STOP "EXECUTE-NOW: Run test command\n```bash\n"
                                   "npm test\necho done\n```\n\n" COUNT
                                   "COUNT-AND-DOCUMENT: Tests passed: [NUMBER]\n\n" SEARCH
                                   "QUERY-AND-DECIDE: Did tests pass?\n\n" STOP
                                   "**EXECUTE-NOW**: Another **one**\n\nFirst this:\n\n``` sh\r\n"
                                   "npm run build\r\n```\r\n"));

    (void)state;
    CHECK_INT(json_array_size(steps), 3);
    CHECK_STR(text_of(steps, 0, "type"), "execute_command");
    CHECK_STR(text_of(steps, 0, "description"), "Run test command");
    CHECK_STR(text_of(steps, 0, "command"), "npm test\necho done");
    CHECK_STR(text_of(steps, 0, "evidence_required"), "Tests passed: [NUMBER]");
    CHECK_STR(text_of(steps, 1, "type"), "decision_point");
    CHECK_STR(text_of(steps, 1, "description"), "Did tests pass?");
    CHECK(json_is_true(json_object_get(json_array_get(steps, 1), "requires_analysis")));
    CHECK_STR(text_of(steps, 2, "description"), "Another **one**");
    CHECK_STR(text_of(steps, 2, "command"), "npm run build");
    CHECK(json_is_null(json_object_get(json_array_get(steps, 2), "evidence_required")));
    json_decref(steps);
}

static size_t
count(const char *text)
{
    json_t *steps = wf_steps(slice_of(text));
    size_t n = json_array_size(steps);

    json_decref(steps);
    return n;
}

static void
what_is_no_step(void **state)
{
    (void)state;
    /* No stop sign; no fence; another language; something in between; inside a sample. */
    CHECK_INT(count("EXECUTE-NOW: x\n```bash\na\n```"), 0);
    CHECK_INT(count(STOP "EXECUTE-NOW: x\n"), 0);
    CHECK_INT(count(STOP "EXECUTE-NOW: x\n```python\na\n```\n```bash\nb\n```"), 0);
    CHECK_INT(count(STOP "EXECUTE-NOW: x\n```\na\n```"), 0);
    CHECK_INT(count(STOP "EXECUTE-NOW: x\n# Next\n```bash\na\n```"), 0);
    CHECK_INT(count(STOP "EXECUTE-NOW: x\n\n---\n```bash\na\n```"), 0);
    CHECK_INT(count(STOP "EXECUTE-NOW: x\n" STOP "VALIDATE-GATE: y\n```bash\na\n```"), 0);
    CHECK_INT(count("```markdown\n" STOP "EXECUTE-NOW: x\n```bash\na\n```\n```\n"), 0);
    CHECK_INT(count(STOP "EXECUTE-NOW: x\n```bash\n```"), 0);
    CHECK_INT(count(STOP "EXECUTE-NOW: x\n```bash\nnever closed"), 0);
    CHECK_INT(count(STOP "EXECUTE: x\n```bash\na\n```"), 0);
    CHECK_INT(count("\xFF" STOP "EXECUTE-NOW: x\n```bash\na\n```"), 0);
    CHECK_INT(count(""), 0);
}

static void
where_a_step_may_stand(void **state)
{
    (void)state;
    CHECK_INT(count("- " STOP "**EXECUTE-NOW:** x\n  ```console\n  a\n  ```"), 1);
    CHECK_INT(count("### " STOP "EXECUTE-NOW: x\n\n~~~shell\na\n~~~"), 1);
    CHECK_INT(count("**" STOP "EXECUTE-NOW**\n```zsh\na\n```"), 1);
    CHECK_INT(count("QUERY-AND-DECIDE\n"), 1);
}

static void
evidence_is_looked_for_nearby(void **state)
{
    struct buf near = BUF_INIT, far = BUF_INIT;
    json_t *steps;

    (void)state;
    buf_adds(&near, STOP "EXECUTE-NOW: x\n```bash\na\n```\n");
    buf_adds(&far, near.data);
    for (int i = 0; i < 249; i++) {
        buf_adds(&near, "\xC3\xA4\n"); /* Two characters, three bytes. */
    }
    for (int i = 0; i < 250; i++) {
        buf_adds(&far, "\xC3\xA4\n");
    }
    buf_adds(&near, COUNT "COUNT-AND-DOCUMENT: label");
    buf_adds(&far, COUNT "COUNT-AND-DOCUMENT: label");
    steps = wf_steps(buf_slice(&near));
    CHECK_STR(text_of(steps, 0, "evidence_required"), "label");
    json_decref(steps);
    steps = wf_steps(buf_slice(&far));
    CHECK_STR(text_of(steps, 0, "evidence_required"), "(null)");
    json_decref(steps);
    steps =
        wf_steps(SLICE(STOP "EXECUTE-NOW: x\n```bash\na\n```\n" STOP "EXECUTE-NOW: y\n```bash\nb\n"
                            "```\n" COUNT "COUNT-AND-DOCUMENT: of y\n"));
    CHECK_STR(text_of(steps, 0, "evidence_required"), "(null)");
    CHECK_STR(text_of(steps, 1, "evidence_required"), "of y");
    json_decref(steps);
    buf_fini(&near);
    buf_fini(&far);
}

static void
bounds_hold(void **state)
{
    struct buf text = BUF_INIT;

    (void)state;
    for (unsigned i = 0; i < WF_STEPS_MAX + 5; i++) {
        buf_adds(&text, "QUERY-AND-DECIDE: x\n\n");
    }
    CHECK_INT(count(text.data), WF_STEPS_MAX);
    buf_reset(&text);
    buf_adds(&text, STOP "EXECUTE-NOW: x\n```bash\n");
    for (unsigned i = 0; i <= WF_STEP_COMMAND_MAX / 8; i++) {
        buf_adds(&text, "1234567\n");
    }
    buf_adds(&text, "```\n");
    CHECK_INT(count(text.data), 0);
    buf_fini(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_and_decisions_in_order),
        cmocka_unit_test(what_is_no_step),
        cmocka_unit_test(where_a_step_may_stand),
        cmocka_unit_test(evidence_is_looked_for_nearby),
        cmocka_unit_test(bounds_hold),
    };

    return CHECK_RUN(tests);
}
