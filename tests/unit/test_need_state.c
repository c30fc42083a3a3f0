/* test_need_state.c -- modern rounds: what is asked, what the requestState holds to, and which
 * answers count. */
#include "tests/check.h"

#include "handlers/asks.h"
#include "handlers/dispatch.h"
#include "handlers/seal.h"
#include "tests/fakes.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define SECOND_NS INT64_C(1000000000)
#define ALL "{\"elicitation\":{},\"sampling\":{},\"roots\":{}}"
#define TWO_ROUNDS "test_input_required_result_multi_round"
#define ANN "{\"step1\":{\"action\":\"accept\",\"content\":{\"name\":\"Ann\"}}}"

static struct fake_clock fake_time;
static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher, *replica;

static struct dispatcher *
make_dispatcher(struct slice secret)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 64,
                                     .calls_per_session = 16,
                                     .call_ns = 60 * SECOND_NS,
                                     .groups = "core,conformance",
                                     .asks = 8,
                                     .asks_each = 8,
                                     .ask_ns = 300 * SECOND_NS,
                                     .secret = secret};

    return dispatcher_create(project.state, pool, &limits);
}

static int
set_up(void **unused)
{
    (void)unused;
    fake_clock_init(&fake_time);
    fake_project_init(&project, &fake_time.clock);
    pool = pool_create(2, 1, 64);
    dispatcher = make_dispatcher(SLICE(SECRET));
    replica = make_dispatcher(SLICE(SECRET));
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    dispatcher_destroy(replica);
    fake_project_fini(&project);
    return 0;
}

/* One request: what of it may differ between rounds.  Null: as in the first one. */
struct round {
    bool plain;
    struct dispatcher *d;
    const char *principal, *method, *name, *arguments, *can, *answers, *state;
};
#define ROUND(...) ((struct round){.plain = true, __VA_ARGS__})

static const char *
or_else(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

/* Sends it and returns the answer, new. */
static json_t *
play(struct round r)
{
    const char *method = or_else(r.method, "tools/call"), *name = or_else(r.name, TWO_ROUNDS);
    struct envelope env = {.transport = TRANSPORT_HTTP,
                           .protocol_version = SLICE("2026-07-28"),
                           .method = slice_of(method),
                           .name = slice_of(name),
                           .principal = slice_of(or_else(r.principal, "me"))};
    struct fake_sink sink;
    struct buf text = BUF_INIT;
    json_t *answer;

    buf_addf(&text,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{\"%s\":\"%s\","
             "\"arguments\":%s,\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"
             "\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":%s}",
             method, strcmp(method, "resources/read") == 0 ? "uri" : "name", name,
             or_else(r.arguments, "{}"), or_else(r.can, ALL));
    if (r.answers) {
        buf_addf(&text, ",\"inputResponses\":%s", r.answers);
    }
    if (r.state) {
        buf_adds(&text, ",\"requestState\":");
        if (*r.state == '!') {
            buf_adds(&text, r.state + 1);
        } else {
            buf_add_json(&text, slice_of(r.state));
        }
    }
    buf_adds(&text, "}}");
    fake_sink_init(&sink);
    dispatch_message(r.d ? r.d : dispatcher, &env, buf_slice(&text), &sink.sink);
    answer = json_loads(fake_sink_wait(&sink), 0, NULL);
    CHECK(answer != NULL);
    json_object_set_new(answer, "status", json_integer(sink.status));
    fake_sink_fini(&sink);
    buf_fini(&text);
    return answer;
}

/* The state that an answer which asks holds, new; it must ask for 'key'. */
static char *
state_of(json_t *answer, const char *key)
{
    const json_t *result = json_object_get(answer, "result");
    const char *type = json_string_value(json_object_get(result, "resultType"));
    char *state;

    CHECK_STR(type ? type : "(none)", "input_required");
    CHECK(json_object_get(json_object_get(result, "inputRequests"), key) != NULL);
    CHECK(!json_object_get(result, "ttlMs"));
    state = xstrdup(json_string_value(json_object_get(result, "requestState")));
    json_decref(answer);
    return state;
}

static void
completes(json_t *answer, const char *want)
{
    const json_t *result = json_object_get(answer, "result");
    char *text = json_dumps(answer, 0);

    if (!result ||
        strcmp(json_string_value(json_object_get(result, "resultType")), "complete") != 0 ||
        !strstr(text, want)) {
        fail_msg("wanted %s, got %s", want, text);
    }
    free(text);
    json_decref(answer);
}

static void
refused(json_t *answer, int code, const char *want)
{
    const json_t *error = json_object_get(answer, "error");
    char *text = json_dumps(answer, 0);

    if (json_integer_value(json_object_get(error, "code")) != code || !strstr(text, want)) {
        fail_msg("wanted %d %s, got %s", code, want, text);
    }
    free(text);
    json_decref(answer);
}

/* Each round by another replica, which remembers nothing. */
static void
rounds_need_no_memory(void **unused)
{
    char *one = state_of(play((struct round){.plain = true}), "step1"), *two;

    (void)unused;
    two = state_of(play(ROUND(.d = replica, .state = one, .answers = ANN)), "step2");
    CHECK(strcmp(one, two) != 0);
    completes(
        play(ROUND(.state = two,
                   .answers = "{\"step2\":{\"action\":\"accept\",\"content\":{\"color\":\"red\"}},"
                              "\"other\":{}}")),
        "Ann likes red.");
    free(one);
    free(two);
}

/* What was not answered, or not as it should be, is asked again; nothing else completes. */
static void
bad_answers_are_asked_for_again(void **unused)
{
    static const char *const answers[] = {
        "{}",
        "{\"step1\":null}",
        "{\"step1\":12345}",
        "{\"step1\":{}}",
        "{\"step1\":{\"action\":\"yes\"}}",
        "{\"step1\":{\"action\":\"accept\"}}",
        "{\"step1\":{\"action\":\"accept\",\"content\":{\"name\":5}}}",
        "{\"step2\":{\"action\":\"accept\",\"content\":{\"color\":\"red\"}}}",
        "{\"stepx\":{\"action\":\"accept\",\"content\":{\"name\":\"Ann\"}}}",
        "[]",
        "17",
    };
    char *state = state_of(play((struct round){.plain = true}), "step1");

    (void)unused;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        free(state_of(play(ROUND(.state = state, .answers = answers[i])), "step1"));
    }
    free(state_of(play(ROUND(.state = state)), "step1"));
    free(state);
}

/* A state is good for one principal, one request, ten minutes, one secret. */
static void
a_state_is_good_for_its_request_only(void **unused)
{
    struct dispatcher *stranger = make_dispatcher(SLICE_NONE);
    char *state = state_of(play((struct round){.plain = true}), "step1");
    const struct round others[] = {
        ROUND(.principal = "you"),
        ROUND(.principal = ""),
        ROUND(.name = "test_input_required_result_elicitation"),
        ROUND(.arguments = "{\"x\":1}"),
        ROUND(.method = "prompts/get"),
        ROUND(.method = "prompts/get", .name = "test_input_required_result_prompt"),
        ROUND(.method = "resources/read"),
        ROUND(.d = stranger),
    };

    (void)unused;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct round r = others[i];

        r.state = state;
        r.answers = ANN;
        refused(play(r), -32602, "requestState");
    }
    fake_clock_pass(&fake_time, 599 * SECOND_NS);
    free(state_of(play(ROUND(.state = state, .answers = ANN)), "step2"));
    fake_clock_pass(&fake_time, SECOND_NS);
    refused(play(ROUND(.state = state, .answers = ANN)), -32602, "has expired");
    dispatcher_destroy(stranger);
    free(state);
}

/* What others could write: by hand, by changing ours, or with our secret but for nothing. */
static void
forged_states_are_refused(void **unused)
{
    char *state = state_of(play((struct round){.plain = true}), "step1"),
         *changed = xasprintf("%s-TAMPERED", state);
    size_t len = strlen(state);
    const char *const forged[] = {
        "",    "v1.",        "v1.AAAA", "v2.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "{}",  changed,      "!null",   "!1",
        "!{}", "![\"v1.\"]",
    };
    char *copy = xstrdup(state), *huge = xcalloc(1, 200 * 1024);

    (void)unused;
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        refused(play(ROUND(.state = forged[i], .answers = ANN)), -32602, "requestState");
    }
    for (size_t i = 0; i < len; i += 7) { /* One bit of one character. */
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        refused(play(ROUND(.state = copy, .answers = ANN)), -32602, "requestState");
        copy[i] = state[i];
    }
    copy[len - 1] = '\0';
    refused(play(ROUND(.state = copy, .answers = ANN)), -32602, "requestState");
    memset(huge, 'A', 200 * 1024 - 1);
    refused(play(ROUND(.state = huge, .answers = ANN)), -32602, "requestState");
    free(huge);
    free(copy);
    free(changed);
    free(state);
}

/* Only what the request at hand declares. */
static void
each_request_declares_for_itself(void **unused)
{
    char *state = state_of(play((struct round){.plain = true}), "step1");
    json_t *answer;

    (void)unused;
    answer = play(ROUND(.can = "{}"));
    CHECK_INT(json_integer_value(json_object_get(answer, "status")), 400);
    refused(answer, -32021, "\"requiredCapabilities\": {\"elicitation\": {}}");
    refused(play(ROUND(.can = "{\"elicitation\":{\"url\":{}}}")), -32021, "\"elicitation\": {}");
    refused(play(ROUND(.can = "{\"elicitation\":[]}")), -32021, "\"elicitation\": {}");
    refused(play(ROUND(.can = "{\"sampling\":{}}", .state = state, .answers = ANN)), -32021,
            "\"elicitation\": {}");
    refused(
        play(ROUND(.name = "test_input_required_result_multiple_inputs", .can = "{\"roots\":{}}")),
        -32021, "\"requiredCapabilities\": {\"elicitation\": {}, \"sampling\": {}}");
    free(state_of(
        play(ROUND(.name = "test_input_required_result_capabilities", .can = "{\"roots\":{}}")),
        "client_roots"));
    free(state);
}

static void
a_prompt_asks_too(void **unused)
{
    const struct round prompt =
        ROUND(.method = "prompts/get", .name = "test_input_required_result_prompt");
    struct round r = prompt;
    char *state = state_of(play(r), "user_context");

    (void)unused;
    r.state = state;
    r.answers = "{\"user_context\":{\"action\":\"accept\",\"content\":{\"context\":\"tides\"}}}";
    completes(play(r), "The user said: tides");
    r.answers = "{\"user_context\":{\"action\":\"decline\"}}";
    completes(play(r), "The user said: (nothing)");
    free(state);
}

/* A read that was completed by a retry holds what one person said: it is not to be kept. */
static void
a_retried_read_is_not_kept(void **unused)
{
    const struct round read = ROUND(.method = "resources/read", .name = "test://static-text");
    struct round r = read;
    json_t *answer = play(r);

    (void)unused;
    CHECK(json_integer_value(json_object_get(json_object_get(answer, "result"), "ttlMs")) > 0);
    json_decref(answer);
    r.answers = "{}";
    completes(play(r), "\"ttlMs\": 0, \"cacheScope\": \"private\"");
}

/* What is more than a client is to carry is an error, not half a state. */
static void
answers_that_do_not_fit_the_state_are_refused(void **unused)
{
    char *one = state_of(play((struct round){.plain = true}), "step1");
    char *name = xcalloc(1, 120 * 1024), *answers;

    (void)unused;
    memset(name, 'x', 120 * 1024 - 1);
    answers = xasprintf("{\"step1\":{\"action\":\"accept\",\"content\":{\"name\":\"%s\"}}}", name);
    completes(play(ROUND(.state = one, .answers = answers)), "too long to go on with");
    free(answers);
    free(name);
    free(one);
}

/* Methods that may not ask have no use for either member. */
static void
other_methods_ignore_both(void **unused)
{
    (void)unused;
    completes(play(ROUND(.method = "tools/list", .state = "rubbish", .answers = "17")), "tools");
}

static void
capabilities_are_read(void **unused)
{
    static const struct {
        const char *text;
        unsigned can;
    } table[] = {
        {"{}", 0},
        {"{\"elicitation\":{}}", CAN_FORM},
        {"{\"elicitation\":{\"form\":{}}}", CAN_FORM},
        {"{\"elicitation\":{\"url\":{}}}", CAN_URL},
        {"{\"elicitation\":{\"form\":{},\"url\":{}}}", CAN_FORM | CAN_URL},
        {"{\"sampling\":{}}", CAN_SAMPLING},
        {"{\"sampling\":{\"tools\":{},\"context\":{}}}",
         CAN_SAMPLING | CAN_SAMPLING_TOOLS | CAN_SAMPLING_CONTEXT},
        {"{\"roots\":{\"listChanged\":true}}", CAN_ROOTS},
        {"{\"roots\":null,\"sampling\":true,\"elicitation\":\"yes\"}", 0},
        {"[]", 0},
        {"", 0},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        CHECK_INT(asks_declared(slice_of(table[i].text)), table[i].can);
    }
    CHECK_INT(asks_declared(SLICE_NONE), 0);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(rounds_need_no_memory),
        T(bad_answers_are_asked_for_again),
        T(a_state_is_good_for_its_request_only),
        T(forged_states_are_refused),
        T(each_request_declares_for_itself),
        T(a_prompt_asks_too),
        T(a_retried_read_is_not_kept),
        T(answers_that_do_not_fit_the_state_are_refused),
        T(other_methods_ignore_both),
        T(capabilities_are_read),
    };
    return CHECK_RUN(tests);
}
