/* What the bus is told of workflow sessions, action by action. */
#include "tests/check.h"

#include "state/bus.h"
#include "tests/engine_rig.h"

static struct engine_rig rig;

static int
set_up(void **unused)
{
    (void)unused;
    engine_rig_init(&rig);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    engine_rig_fini(&rig);
    return 0;
}

/* Checks which events were published since the last call, in order, and returns the last, new. */
static json_t *
expect(const char *topics)
{
    static uint64_t seen;
    struct bus *bus = state_bus(rig.state);
    struct bus_patterns patterns = {.count = 0};
    struct bus_event *events[8];
    struct buf got = BUF_INIT;
    json_t *last = NULL;
    size_t count;

    seen = seen > bus_seq(bus) ? 0 : seen; /* Another bus. */
    CHECK(bus_patterns_add(&patterns, SLICE("workflow.**"), NULL) == E_OK);
    count = bus_recent(bus, &(struct bus_query){.patterns = &patterns, .after = seen}, events, 8);
    for (size_t i = 0; i < count; i++) {
        buf_adds(&got, got.len ? " " : "");
        buf_add_slice(&got, events[i]->topic);
        json_decref(last);
        last = json_loadb(events[i]->text.data, events[i]->text.len, 0, NULL);
        bus_event_unref(events[i]);
    }
    CHECK_STR(got.data ? got.data : "", topics);
    seen = bus_seq(bus);
    buf_fini(&got);
    bus_patterns_fini(&patterns);
    return last;
}

static void
expect_only(const char *topics)
{
    json_decref(expect(topics));
}

/* An action on the session; its answer is not looked at. */
static void
act(const char *id, const char *action, const char *more)
{
    json_decref(call(&rig, "{\"action\":\"%s\",\"session_id\":\"%s\"%s}", action, id, more));
}

static void
a_session_is_told_of_step_by_step(void **unused)
{
    char id[37];
    json_t *event, *data;

    (void)unused;
    start_session(&rig, "strict", "one.md", id);
    event = expect("workflow.session.started");
    data = json_object_get(event, "data");
    CHECK_STR(answer_text(event, "session_id"), id);
    CHECK_STR(answer_text(event, "source"), "workflow");
    CHECK(json_is_null(json_object_get(event, "tenant")));
    CHECK_STR(answer_text(data, "workflow_type"), "strict");
    CHECK_STR(answer_text(data, "target_file"), "one.md");
    json_decref(event);
    start_session(&rig, "strict", "one.md", id);
    expect_only("workflow.session.joined");
    act(id, "get_state", "");
    act(id, "complete_phase", ",\"phase\":9,\"evidence\":{}");
    expect_only("");
    act(id, "complete_phase", ",\"phase\":0,\"evidence\":{\"count\":3}");
    event = expect("workflow.gate.refused");
    CHECK_INT(answer_number(json_object_get(event, "data"), "phase"), 0);
    json_decref(event);
    act(id, "retry_phase", ",\"phase\":0");
    expect_only("workflow.phase.retried");
    act(id, "complete_phase", ",\"phase\":0,\"evidence\":" STRICT_EVIDENCE);
    event = expect("workflow.phase.completed");
    data = json_object_get(event, "data");
    CHECK_INT(answer_number(data, "phase"), 0);
    CHECK_INT(answer_number(data, "current_phase"), 1);
    CHECK(json_is_false(json_object_get(data, "overridden")));
    CHECK(!json_object_get(data, "evidence"));
    json_decref(event);
    act(id, "pause", "");
    act(id, "resume", "");
    act(id, "rollback", ",\"to_phase\":0");
    event = expect("workflow.session.paused workflow.session.resumed "
                   "workflow.session.rolled_back");
    CHECK_INT(answer_number(json_object_get(event, "data"), "from_phase"), 1);
    json_decref(event);
    act(id, "delete_session", "");
    event = expect("workflow.session.deleted");
    CHECK_STR(answer_text(event, "session_id"), id);
    json_decref(event);
}

static void
the_last_phase_completes_the_session(void **unused)
{
    char id[37];

    (void)unused;
    start_session(&rig, "open", "two.md", id);
    act(id, "complete_phase", ",\"phase\":0,\"evidence\":{\"done\":true}");
    expect_only("workflow.session.started workflow.phase.completed");
    act(id, "complete_phase", ",\"phase\":1,\"evidence\":{\"done\":true}");
    expect_only("workflow.phase.completed workflow.session.completed");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_session_is_told_of_step_by_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_phase_completes_the_session, set_up, tear_down),
    };
    return CHECK_RUN(tests);
}
