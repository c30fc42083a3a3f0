/* test_workflow_approval.c -- gates that a person approves: who is asked, when, and what counts. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/mcp_session.h"
#include "state/workflow_approval.h"
#include "tests/engine_rig.h"
#include "tests/threads.h"

#include <string.h>

#define GATE                                                                         \
    "human_approval_required: true\ncheckpoint:\n  strict: true\nevidence_schema:\n" \
    "  notes:\n    type: string\n    required: true\n"
#define CAN_ASK                                                              \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{}}}"

static struct engine_rig rig;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct envelope env;
static char id[37];

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 64,
                                     .calls_per_session = 16,
                                     .call_ns = 60000000000,
                                     .asks = 8,
                                     .asks_each = 8,
                                     .ask_ns = 300000000000};

    (void)unused;
    engine_rig_init(&rig);
    tree_write(rig.tree, ".tandem/workflows/open/phases/0/gate-definition.yaml", GATE);
    pool = pool_create(4, 1, 64);
    dispatcher = dispatcher_create(rig.state, pool, &limits);
    env = (struct envelope){.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    start_session(&rig, "open", "src/a.c", id);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    dispatch_end_all(dispatcher);
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    mcp_session_unref(env.session);
    engine_rig_fini(&rig);
    return 0;
}

static void
begin(struct fake_sink *sink, const char *text)
{
    fake_sink_init(sink);
    dispatch_message(dispatcher, &env, slice_of(text), &sink->sink);
}

/* The call of complete_phase 0 with this evidence and these further members of params. */
static char *
completion(const char *evidence, const char *more)
{
    return xasprintf("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":"
                     "\"pos_workflow\",\"arguments\":{\"action\":\"complete_phase\","
                     "\"session_id\":\"%s\",\"phase\":0,\"evidence\":%s}%s}}",
                     id, evidence, more);
}

/* Waits for the answer, which must hold 'want', and returns it as JSON, new. */
static json_t *
answered(struct fake_sink *sink, const char *want)
{
    const char *body = fake_sink_wait(sink);
    json_t *json = json_loads(body, 0, NULL);

    if (!strstr(body, want)) {
        fail_msg("wanted %s\ngot    %s", want, body);
    }
    fake_sink_fini(sink);
    return json;
}

static void
say(const char *text)
{
    struct fake_sink sink;

    begin(&sink, text);
    json_decref(json_loads(fake_sink_wait(&sink), 0, NULL));
    fake_sink_fini(&sink);
}

static void
shake_hands(void)
{
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-11-25\",\"capabilities\":{\"elicitation\":{}},\"clientInfo\":{\"name\":\"t\","
        "\"version\":\"1\"}}}");
    say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
}

static int
current_phase(void)
{
    json_t *state = call(&rig, "{\"action\":\"get_session\",\"session_id\":\"%s\"}", id);
    int phase = answer_number(state, "current_phase");

    json_decref(state);
    return phase;
}

/* What the session's file says of the phase's approval; "" for nothing. */
static bool
file_says(const char *text)
{
    char path[128];
    struct buf file = BUF_INIT;
    bool says;

    snprintf(path, sizeof path, "state/%s.json", id);
    CHECK_INT(dir_read(rig.data, path, 1u << 20, &file, NULL, NULL), E_OK);
    says = strstr(file.data, text);
    buf_fini(&file);
    return says;
}

/* Has the person asked about 'evidence' and answer 'rest'; the call's answer must hold 'want'. */
static void
ask(const char *evidence, const char *rest, const char *want)
{
    static int64_t number;
    struct fake_sink sink;
    char *text = completion(evidence, ""), *response;

    number = atomic_load(&env.session->asks) + 1;
    begin(&sink, text);
    fake_sink_wait_sent(&sink, 1);
    CHECK(strstr(sink.sent.data, "Phase 0 (Phase 0 of open) of the workflow open for src/a.c needs "
                                 "your approval"));
    CHECK(strstr(sink.sent.data, "\\n- \\\"notes\\\": \\\"all done\\\""));
    response = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%s}", (int)number, rest);
    say(response);
    json_decref(answered(&sink, want));
    free(response);
    free(text);
}

static void
a_persons_yes_passes_the_gate(void **unused)
{
    (void)unused;
    shake_hands();
    ask("{\"notes\":\"all done\",\"_approval\":{\"by\":\"me\"}}",
        "{\"action\":\"accept\",\"content\":{\"approve\":true,\"name\":\"Ann\",\"comment\":\"ok\"}"
        "}",
        "\"checkpoint_passed\":true");
    CHECK_INT(current_phase(), 1);
    CHECK(file_says("\"by\":\"Ann\"") || file_says("\"by\": \"Ann\""));
    CHECK(!file_says("\"me\""));
}

static void
a_persons_no_refuses_whatever_the_evidence_claims(void **unused)
{
    static const char *const answers[][2] = {
        {"{\"action\":\"accept\",\"content\":{\"approve\":false,\"name\":\"Ann\",\"comment\":"
         "\"no tests\"}}",
         "did not approve phase 0: rejected by Ann: no tests"},
        {"{\"action\":\"decline\"}", "did not approve phase 0: declined to say"},
        {"{\"action\":\"cancel\"}", "did not approve phase 0: closed the question"},
    };

    (void)unused;
    shake_hands();
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        ask("{\"notes\":\"all done\",\"human_approved\":true}", answers[i][0], answers[i][1]);
        CHECK_INT(current_phase(), 0);
    }
}

/* Whatever kept the question from being asked: the claim does not stand in for it. */
static void
a_claim_counts_only_where_nobody_can_be_asked(void **unused)
{
    json_t *evidence = json_loads("{\"notes\":\"done\",\"human_approved\":true}", 0, NULL);
    struct workflow_args args = {.action = "complete_phase",
                                 .session_id = id,
                                 .has_phase = true,
                                 .evidence = evidence,
                                 .can_ask = true};
    struct fault f = FAULT_INIT;
    json_t *answer = NULL;

    (void)unused;
    CHECK_INT(workflow_complete_phase(state_workflow(rig.state), &args, &answer, &f), E_CONFLICT);
    CHECK(strstr(f.text, "who was not asked"));
    CHECK_INT(current_phase(), 0);
    json_decref(answer);
    args.can_ask = false;
    CHECK_INT(workflow_complete_phase(state_workflow(rig.state), &args, &answer, &f), E_OK);
    CHECK_INT(current_phase(), 1);
    json_decref(answer);
    json_decref(evidence);
}

/* What would be refused anyway is nothing to show to a person. */
static void
nobody_is_asked_about_what_fails(void **unused)
{
    struct fake_sink sink;
    char *text = completion("{\"human_approved\":true}", "");

    (void)unused;
    shake_hands();
    begin(&sink, text);
    json_decref(answered(&sink, "\"checkpoint_passed\\\":false"));
    free(text);
}

static void
who_cannot_be_asked_is_told_how(void **unused)
{
    json_t *answer = call(&rig,
                          "{\"action\":\"complete_phase\",\"session_id\":\"%s\",\"phase\":0,"
                          "\"evidence\":{\"notes\":\"x\"}}",
                          id);

    (void)unused;
    CHECK(strstr(answer_text(answer, "remediation"), "human_approved: true"));
    json_decref(answer);
}

/* Over modern rounds; the question must have been asked, and the evidence be the same. */
static void
modern_rounds(void **unused)
{
    char *text = completion("{\"notes\":\"all done\",\"n\":1}", "," CAN_ASK), *more, *state;
    json_t *answer;
    struct fake_sink sink;

    (void)unused;
    begin(&sink, text);
    answer = answered(&sink, "\"inputRequests\":{\"approval\":{\"method\":\"elicitation/create\"");
    state = xstrdup(
        json_string_value(json_object_get(json_object_get(answer, "result"), "requestState")));
    json_decref(answer);
    free(text);

    text = completion("{\"notes\":\"all done\",\"n\":1}", /* Nobody asked that. */
                      "," CAN_ASK ",\"inputResponses\":{\"approval\":{\"action\":\"accept\","
                      "\"content\":{\"approve\":true}}}");
    begin(&sink, text);
    json_decref(answered(&sink, "\"resultType\":\"input_required\""));
    free(text);

    more = xasprintf("," CAN_ASK ",\"inputResponses\":{\"approval\":{\"action\":\"accept\","
                     "\"content\":{\"approve\":true}}},\"requestState\":\"%s\"",
                     state);
    text = completion("{\"notes\":\"other\",\"n\":1}", more);
    begin(&sink, text);
    json_decref(answered(&sink, "\"code\":-32602"));
    free(text);
    CHECK_INT(current_phase(), 0);
    text = completion("{\"n\":1,\"notes\":\"all done\"}", more); /* In another order. */
    begin(&sink, text);
    json_decref(answered(&sink, "\"checkpoint_passed\":true"));
    CHECK_INT(current_phase(), 1);
    begin(&sink, text); /* Once more: it is done. */
    json_decref(answered(&sink, "wrong_state"));
    CHECK_INT(current_phase(), 1);
    free(text);
    free(more);
    free(state);
}

/* ---- The same yes, many times at once ---- */

struct crowd {
    const char *text;
    _Atomic unsigned passed, late, other;
};

static void
hand_in(void *arg, unsigned number)
{
    struct crowd *c = arg;
    struct fake_sink sink;
    const char *body;

    const struct envelope http = {.transport = TRANSPORT_HTTP,
                                  .protocol_version = SLICE("2026-07-28"),
                                  .method = SLICE("tools/call"),
                                  .name = SLICE("pos_workflow")};

    (void)number;
    fake_sink_init(&sink);
    dispatch_message(dispatcher, &http, slice_of(c->text), &sink.sink);
    body = fake_sink_wait(&sink);
    atomic_fetch_add(strstr(body, "\"checkpoint_passed\":true") ? &c->passed
                     : strstr(body, "wrong_state")              ? &c->late
                                                                : &c->other,
                     1);
    fake_sink_fini(&sink);
}

static void
one_yes_passes_one_phase(void **unused)
{
    (void)unused;
    for (const unsigned *size = race_sizes; *size && *size <= 32; size++) {
        char *text, *more, *state, target[16];
        struct crowd c = {.text = NULL};
        struct fake_sink sink;
        json_t *answer;

        snprintf(target, sizeof target, "%u.c", *size);
        start_session(&rig, "open", target, id);
        text = completion("{\"notes\":\"all done\"}", "," CAN_ASK);
        begin(&sink, text);
        free(text);
        answer = answered(&sink, "input_required");
        state = xstrdup(
            json_string_value(json_object_get(json_object_get(answer, "result"), "requestState")));
        json_decref(answer);
        more = xasprintf("," CAN_ASK ",\"inputResponses\":{\"approval\":{\"action\":\"accept\","
                         "\"content\":{\"approve\":true}}},\"requestState\":\"%s\"",
                         state);
        text = completion("{\"notes\":\"all done\"}", more);
        c.text = text;
        threads_run(*size, hand_in, &c);
        CHECK_INT(c.passed, 1);
        CHECK_INT(c.late, *size - 1);
        CHECK_INT(c.other, 0);
        CHECK_INT(current_phase(), 1);
        free(text);
        free(more);
        free(state);
    }
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_persons_yes_passes_the_gate),
        T(a_persons_no_refuses_whatever_the_evidence_claims),
        T(a_claim_counts_only_where_nobody_can_be_asked),
        T(nobody_is_asked_about_what_fails),
        T(who_cannot_be_asked_is_told_how),
        T(modern_rounds),
        T(one_yes_passes_one_phase),
    };
    return CHECK_RUN(tests);
}
