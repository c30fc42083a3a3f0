/* test_need.c -- asking the client: what is sent, what is taken as an answer, and every way in
 * which the waiting ends. */
#include "tests/check.h"

#include "handlers/dispatch_private.h"
#include "handlers/need_private.h"
#include "state/mcp_session.h"
#include "state/state.h"
#include "tests/fakes.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define CALL(ID, TOOL, ARGS)                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"tools/call\",\"params\":" \
    "{\"name\":\"" TOOL "\",\"arguments\":" ARGS "}}"
#define FORM_CALL CALL("7", "test_elicitation", "{\"message\":\"Who?\"}")
#define GOOD_FORM \
    "\"result\":{\"action\":\"accept\",\"content\":{\"username\":\"u\",\"email\":\"e\",\"x\":1}}"
#define INITIALIZE(VERSION, CAPABILITIES)                                    \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"   \
    "\"protocolVersion\":\"" VERSION "\",\"capabilities\":" CAPABILITIES "," \
    "\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}"
#define ALL_KINDS "{\"elicitation\":{\"form\":{},\"url\":{}},\"sampling\":{},\"roots\":{}}"

static struct fake_clock fake_time;
static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct envelope env; /* A legacy session on a connection. */

/* ---- Sending ---- */

static void
expect(const char *message, int status, const char *want)
{
    struct fake_sink sink;
    const char *body;

    fake_sink_init(&sink);
    dispatch_message(dispatcher, &env, slice_of(message), &sink.sink);
    body = fake_sink_wait(&sink);
    if (sink.status != status || (want ? !strstr(body, want) : *body != '\0')) {
        fail_msg("sent %s\nwanted %d %s\ngot    %d %s", message, status, want ? want : "(nothing)",
                 sink.status, body);
    }
    fake_sink_fini(&sink);
}

/* Sends a call that is to ask 'asks' questions, and waits until it has. */
static void
begin(struct fake_sink *sink, const char *message, unsigned asks)
{
    fake_sink_init(sink);
    dispatch_message(dispatcher, &env, slice_of(message), &sink->sink);
    fake_sink_wait_sent(sink, asks);
}

/* Sends the response to a question: 'rest' is its result or error as a member. */
static void
respond(int id, const char *rest)
{
    char *text = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%d,%s}", id, rest);

    expect(text, 202, NULL);
    free(text);
}

static void
answered(struct fake_sink *sink, int status, const char *want)
{
    const char *body = fake_sink_wait(sink);

    if (sink->status != status || (want ? !strstr(body, want) : *body != '\0')) {
        fail_msg("wanted %d %s\ngot    %d %s", status, want ? want : "(nothing)", sink->status,
                 body);
    }
    fake_sink_fini(sink);
}

static void
shake_hands(const char *version, const char *capabilities)
{
    char *text = xasprintf(INITIALIZE("%s", "%s"), version, capabilities);

    expect(text, 200, "protocolVersion");
    free(text);
    expect("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", 202, NULL);
}

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 64,
                                     .calls_per_session = 16,
                                     .call_ns = 60 * SECOND_NS,
                                     .groups = "core,conformance",
                                     .asks = 3,
                                     .asks_each = 2,
                                     .ask_ns = 300 * SECOND_NS};

    (void)unused;
    fake_clock_init(&fake_time);
    fake_project_init(&project, &fake_time.clock);
    pool = pool_create(4, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    env = (struct envelope){.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    dispatch_drain(dispatcher);
    dispatch_end_all(dispatcher);
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    mcp_session_unref(env.session);
    fake_project_fini(&project);
    return 0;
}

/* ---- Legacy ---- */

static void
a_form_is_asked_for_and_read(void **unused)
{
    struct fake_sink sink;

    (void)unused;
    shake_hands("2025-06-18", ALL_KINDS);
    begin(&sink, FORM_CALL, 1);
    CHECK_INT(dispatch_in_flight(dispatcher, TRANSPORT_STDIO), 1);
    CHECK(strstr(sink.sent.data,
                 "\"id\":1,\"method\":\"elicitation/create\",\"params\":{\"message\":"
                 "\"Who?\",\"requestedSchema\":{\"type\":\"object\""));
    respond(99, GOOD_FORM); /* Nobody asked that. */
    respond(1, GOOD_FORM);
    answered(&sink, 200,
             "action=accept, content={\\\"email\\\":\\\"e\\\",\\\"username\\\":\\\"u\\\"}");
    respond(1, GOOD_FORM); /* Once more: dropped. */
    CHECK_INT(dispatch_in_flight(dispatcher, TRANSPORT_STDIO), 0);
}

static void
no_is_an_answer_too(void **unused)
{
    static const char *const answers[][2] = {
        {"\"result\":{\"action\":\"decline\"}", "action=decline, content={}"},
        {"\"result\":{\"action\":\"cancel\",\"content\":{\"username\":1}}",
         "action=cancel, content={}"},
        {"\"error\":{\"code\":-32601,\"message\":\"no such method\"}",
         "action=refused, content={}, said=no such method"},
        {"\"error\":{\"code\":-1,\"message\":\"User rejected\"}", "said=User rejected"},
    };

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct fake_sink sink;

        begin(&sink, FORM_CALL, 1);
        respond((int)i + 1, answers[i][0]);
        answered(&sink, 200, answers[i][1]);
    }
}

static void
several_are_asked_at_once(void **unused)
{
    struct fake_sink sink;

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    begin(&sink, CALL("\"a\"", "test_input_required_result_multiple_inputs", "{}"), 3);
    respond(3, "\"result\":{\"roots\":[{\"uri\":\"file:///home/me\"}]}");
    respond(1, "\"result\":{\"action\":\"accept\",\"content\":{\"name\":\"Ann\"}}");
    CHECK_INT(dispatch_in_flight(dispatcher, TRANSPORT_STDIO), 1);
    respond(2, "\"result\":{\"role\":\"assistant\",\"model\":\"m\",\"content\":{\"type\":\"text\","
               "\"text\":\"Hello\"}}");
    answered(&sink, 200, "Hello, Ann. Roots: file:///home/me");
}

static void
what_is_malformed_is_asked_again_and_then_refused(void **unused)
{
    static const char *const bad[] = {
        "\"result\":{}",
        "\"result\":{\"action\":\"accept\",\"content\":{\"username\":1,\"email\":\"e\"}}",
        "\"result\":{\"action\":\"accept\",\"content\":[]}",
    };
    struct fake_sink sink;

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    begin(&sink, FORM_CALL, 1);
    for (unsigned i = 0; i < 3; i++) {
        fake_sink_wait_sent(&sink, i + 1);
        respond((int)i + 1, bad[i]);
    }
    answered(&sink, 200, "are no good: its content is no object");
    begin(&sink, FORM_CALL, 1);
    respond(4, bad[0]);
    fake_sink_wait_sent(&sink, 2);
    respond(5, GOOD_FORM);
    answered(&sink, 200, "action=accept");
}

static void
nothing_is_asked_of_a_client_that_cannot(void **unused)
{
    (void)unused;
    shake_hands("2025-03-26", "{\"elicitation\":{}}"); /* It knew no forms yet. */
    expect(FORM_CALL, 200, "client_not_asked");
    expect(CALL("8", "test_sampling", "{\"prompt\":\"x\"}"), 200, "client_not_asked");
}

static void
the_parents_cancelling_takes_the_question_back(void **unused)
{
    struct fake_sink sink;

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    begin(&sink, FORM_CALL, 1);
    expect(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":7}}",
        202, NULL);
    CHECK(strstr(sink.sent.data,
                 "\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1,"));
    answered(&sink, 204, NULL);
    respond(1, GOOD_FORM);
    CHECK_INT(dispatch_in_flight(dispatcher, TRANSPORT_STDIO), 0);
}

static void
who_does_not_answer_is_not_waited_for(void **unused)
{
    struct fake_sink sink;

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    begin(&sink, FORM_CALL, 1);
    fake_clock_pass(&fake_time, 299 * SECOND_NS);
    CHECK(dispatch_tick(dispatcher));
    CHECK_INT(dispatch_in_flight(dispatcher, TRANSPORT_STDIO), 1);
    fake_clock_pass(&fake_time, SECOND_NS);
    dispatch_tick(dispatcher);
    answered(&sink, 200, "\\\"code\\\":\\\"timeout\\\"");
}

/* While a call waits for its client its own time stands still. */
static void
the_calls_own_time_stands_still(void **unused)
{
    struct fake_sink sink;

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    begin(&sink, FORM_CALL, 1);
    fake_clock_pass(&fake_time, 200 * SECOND_NS);
    respond(1, GOOD_FORM);
    answered(&sink, 200, "action=accept");
}

static void
the_server_ends_and_waits_for_nobody(void **unused)
{
    struct fake_sink sink;

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    begin(&sink, FORM_CALL, 1);
    dispatch_drain(dispatcher);
    answered(&sink, 503, "the server is ending");
    expect(FORM_CALL, 503, "the server is ending");
}

static void
a_connection_that_ends_takes_its_questions_with_it(void **unused)
{
    struct fake_sink sinks[2];

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    begin(&sinks[0], FORM_CALL, 1);
    begin(&sinks[1], CALL("8", "test_sampling", "{\"prompt\":\"x\"}"), 1);
    dispatch_gone(dispatcher, &env, NULL);
    answered(&sinks[0], 204, NULL);
    answered(&sinks[1], 204, NULL);
    CHECK_INT(dispatch_in_flight(dispatcher, TRANSPORT_STDIO), 0);
}

static void
the_end_of_all_answers_those_that_wait(void **unused)
{
    struct fake_sink sink;

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    begin(&sink, FORM_CALL, 1);
    CHECK_INT(dispatch_end_all(dispatcher), 1);
    answered(&sink, 503, "gave this call up");
    CHECK_INT(dispatch_in_flight(dispatcher, TRANSPORT_STDIO), 0);
}

static void
only_so_many_wait(void **unused)
{
    struct fake_sink sinks[2];

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    begin(&sinks[0], FORM_CALL, 1);
    begin(&sinks[1], CALL("8", "test_sampling", "{\"prompt\":\"x\"}"), 1);
    expect(CALL("9", "test_sampling", "{\"prompt\":\"x\"}"), 200, "limit_reached");
    respond(1, GOOD_FORM);
    answered(&sinks[0], 200, "accept");
    begin(&sinks[0], CALL("9", "test_sampling", "{\"prompt\":\"x\"}"), 1);
    dispatch_gone(dispatcher, &env, NULL);
    answered(&sinks[0], 204, NULL);
    answered(&sinks[1], 204, NULL);
}

static void
before_initialized_nothing_is_asked(void **unused)
{
    struct fake_sink sink;

    (void)unused;
    expect(INITIALIZE("2025-11-25", ALL_KINDS), 200, "protocolVersion");
    fake_sink_init(&sink);
    dispatch_message(dispatcher, &env, slice_of(FORM_CALL), &sink.sink);
    expect("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", 202, NULL);
    fake_sink_wait_sent(&sink, 1);
    respond(1, GOOD_FORM);
    answered(&sink, 200, "accept");
}

static void
a_peer_that_takes_no_events_is_not_asked(void **unused)
{
    struct fake_sink sink;

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    fake_sink_init(&sink);
    sink.refuse = E_REFUSED;
    dispatch_message(dispatcher, &env, slice_of(FORM_CALL), &sink.sink);
    answered(&sink, 200, "add text/event-stream to Accept");
}

/* ---- Hosts ---- */

struct host {
    struct need_host host;
    unsigned parked, again;
};

static void
count_parked(struct need_host *host, bool parked)
{
    struct host *h = (struct host *)host;

    h->parked += parked;
    h->again += !parked;
}

static void
take_over(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    if (first && first->parked) {
        first->host = arg;
    }
}

/* A request that is parked is handed to a host, as if it had run in a task. */
static void
a_host_asks_and_answers(void **unused)
{
    struct host h = {.host = {count_parked}};
    struct buf lacks = BUF_INIT;
    json_t *bad = json_pack("{s:s}", "action", "accept");
    json_t *good = json_pack("{s:s, s:{s:s}}", "action", "accept", "content", "name", "Ann");
    json_t *blue = json_pack("{s:s, s:{s:s}}", "action", "accept", "content", "color", "blue");
    struct fake_sink sink, other;

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    CHECK(!need_lacks(dispatcher, &h.host, &lacks));
    begin(&sink, CALL("7", "test_input_required_result_multi_round", "{}"), 1);
    inflight_do(dispatcher->inflight, take_over, &h.host);
    CHECK(need_lacks(dispatcher, &h.host, &lacks));
    CHECK(strncmp(lacks.data, "{\"step1\":{\"method\":\"elicitation/create\",\"params\":{", 50) ==
          0);
    CHECK_INT(need_give(dispatcher, &h.host, "step2", good, NULL), E_NOT_FOUND);
    CHECK_INT(need_give(dispatcher, &h.host, "step1", bad, NULL), E_ARGUMENT);
    CHECK_INT(need_give(dispatcher, &h.host, "step1", good, NULL), E_OK);
    while (!need_lacks(dispatcher, &h.host, &lacks)) {
    }
    fake_sink_init(&other);
    CHECK_INT(need_ask(dispatcher, &h.host, &other.sink, SLICE("{\"k\":\"t\"}")), E_OK);
    CHECK_INT(need_ask(dispatcher, &h.host, &other.sink, SLICE("{\"k\":\"t\"}")), E_OK);
    CHECK_INT(other.lines, 1); /* Not twice. */
    CHECK(strstr(other.sent.data, "}},\"required\":[\"color\"]},\"_meta\":{\"k\":\"t\"}}}"));
    CHECK_INT(need_give(dispatcher, &h.host, "step2", blue, NULL), E_OK);
    answered(&sink, 200, "Ann likes blue.");
    CHECK_INT(h.parked, 1);
    CHECK_INT(h.again, 2);
    fake_sink_fini(&other);
    buf_fini(&lacks);
    json_decref(bad);
    json_decref(good);
    json_decref(blue);
}

/* ---- Workers ---- */

/* A job that keeps a worker until it may go. */
struct blocker {
    struct job job; /* First. */
    pthread_mutex_t *mutex;
    pthread_cond_t *cond;
    unsigned *running, *ended;
    bool *go;
};

static void
block(struct job *job)
{
    struct blocker *b = (struct blocker *)job;

    pthread_mutex_lock(b->mutex);
    ++*b->running;
    pthread_cond_broadcast(b->cond);
    while (!*b->go) {
        pthread_cond_wait(b->cond, b->mutex);
    }
    ++*b->ended;
    pthread_cond_broadcast(b->cond);
    pthread_mutex_unlock(b->mutex);
}

/* An answer that finds no worker is not lost: the call waits for one. */
static void
an_answer_waits_for_a_worker(void **unused)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    unsigned running = 0, ended = 0, taken = 0;
    bool go = false;
    struct blocker blockers[80];
    struct fake_sink sink;

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    begin(&sink, FORM_CALL, 1);
    for (size_t i = 0; i < sizeof blockers / sizeof blockers[0]; i++) {
        blockers[i] = (struct blocker){{.run = block}, &mutex, &cond, &running, &ended, &go};
        taken += pool_submit(pool, &blockers[i].job, LANE_IDE) == E_OK;
    }
    CHECK(taken < sizeof blockers / sizeof blockers[0]); /* It is full. */
    respond(1, GOOD_FORM);
    dispatch_tick(dispatcher);
    CHECK_INT(dispatch_in_flight(dispatcher, TRANSPORT_STDIO), 1);
    pthread_mutex_lock(&mutex);
    go = true;
    pthread_cond_broadcast(&cond);
    while (ended < taken) {
        pthread_cond_wait(&cond, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    dispatch_tick(dispatcher);
    answered(&sink, 200, "action=accept");
}

/* ---- Pages ---- */

static void
pages_must_have_been_visited(void **unused)
{
    struct request req = {.dispatcher = dispatcher,
                          .session = env.session,
                          .era = ERA_LEGACY,
                          .revision = REVISION_2025_11_25};
    struct need page = {.key = "k", .kind = NEED_URL};
    struct fault f = FAULT_INIT;

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    page.params = need_url("Pay there.", "https://example.org/pay", "visit-1");
    CHECK_INT(need_pages(&req, &page, 1, &f), E_PAGES);
    CHECK_STR(req.fault_data.data,
              "{\"elicitations\":[{\"mode\":\"url\",\"message\":\"Pay there.\",\"url\":"
              "\"https://example.org/pay\",\"elicitationId\":\"visit-1\"}]}");
    atomic_store(&env.session->client_can, CAN_FORM);
    page.params = need_url("Pay there.", "https://example.org/pay", "visit-1");
    CHECK_INT(need_pages(&req, &page, 1, &f), E_NO_INPUT);
    asks_end(&req);

    req.era = ERA_MODERN; /* As any question; it has no id there. */
    req.revision = REVISION_2026_07_28;
    req.message.meta[RPC_META_CLIENT_CAPABILITIES] =
        (struct json_value){SLICE("{\"elicitation\":{\"url\":{}}}"), KIND_OBJECT};
    page.params = need_url("Pay there.", "https://example.org/pay", "visit-1");
    CHECK_INT(need_pages(&req, &page, 1, &f), E_INPUT);
    CHECK_STR(req.needs->slots[0].call,
              "\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"message\":"
              "\"Pay there.\",\"url\":\"https://example.org/pay\"}");
    asks_end(&req);
    buf_fini(&req.fault_data);
}

static void
who_knows_the_message_is_told_that_a_page_is_done(void **unused)
{
    struct fake_sink sink;

    (void)unused;
    fake_sink_init(&sink);
    mcp_session_set_sink(env.session, &sink.sink);
    shake_hands("2025-11-25", ALL_KINDS);
    CHECK_INT(need_page_done(env.session, "visit-\"1"), E_OK);
    CHECK_STR(sink.sent.data,
              "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/complete\",\"params\":{"
              "\"elicitationId\":\"visit-\\\"1\"}}\n");
    atomic_store(&env.session->client_can, CAN_FORM);
    CHECK_INT(need_page_done(env.session, "visit-1"), E_OK);
    CHECK_INT(sink.lines, 1);
    mcp_session_set_sink(env.session, NULL);
    fake_sink_fini(&sink);
}

/* ---- need() by itself ---- */

/* Asks by a request of its own, and tells what need() says. */
static enum err
ask_once(struct request *req, enum need_kind kind, const char *params, struct fault *f)
{
    struct need n = {.key = "k", .kind = kind, .params = json_loads(params, 0, NULL)};

    return need(req, &n, 1, f);
}

static void
sampling_has_parts_of_its_own(void **unused)
{
    struct request req = {.dispatcher = dispatcher,
                          .session = env.session,
                          .era = ERA_LEGACY,
                          .revision = REVISION_2025_11_25};
    struct fault f = FAULT_INIT;

    (void)unused;
    shake_hands("2025-11-25", "{\"sampling\":{}}");
    CHECK_INT(ask_once(&req, NEED_SAMPLING, "{\"tools\":[]}", &f), E_NO_INPUT);
    CHECK(strstr(f.text, "sampling.tools"));
    CHECK_INT(ask_once(&req, NEED_SAMPLING, "{\"includeContext\":\"allServers\"}", &f), E_NO_INPUT);
    CHECK(strstr(f.text, "sampling.context"));
    CHECK_INT(ask_once(&req, NEED_SAMPLING, "{\"includeContext\":\"none\"}", &f), E_INPUT);
    atomic_store(&env.session->client_can, CAN_SAMPLING | CAN_SAMPLING_TOOLS);
    CHECK_INT(ask_once(&req, NEED_SAMPLING, "{\"toolChoice\":{\"mode\":\"auto\"}}", &f), E_INPUT);
    req.revision =
        REVISION_2025_06_18; /* It knew no tools there, and the context needed no word. */
    CHECK_INT(ask_once(&req, NEED_SAMPLING, "{\"tools\":[]}", &f), E_NO_INPUT);
    CHECK_INT(ask_once(&req, NEED_SAMPLING, "{\"includeContext\":\"allServers\"}", &f), E_INPUT);
    req.dialect = DIALECT_REST;
    CHECK(!need_allowed(&req, NEED_SAMPLING));
    asks_end(&req);
}

/* An answer is one to its question only: what is asked otherwise is asked anew. */
static void
another_question_wants_another_answer(void **unused)
{
    struct request req = {.dispatcher = dispatcher,
                          .session = env.session,
                          .era = ERA_LEGACY,
                          .revision = REVISION_2025_11_25};
    struct need n = {.key = "k", .kind = NEED_ROOTS};
    struct fault f = FAULT_INIT;

    (void)unused;
    shake_hands("2025-11-25", ALL_KINDS);
    CHECK_INT(need(&req, &n, 1, &f), E_INPUT);
    req.needs->slots[0].answer = json_pack("{s:[]}", "roots");
    CHECK_INT(need(&req, &n, 1, &f), E_OK);
    CHECK_INT(n.outcome, NEED_ACCEPTED);
    CHECK_INT(ask_once(&req, NEED_SAMPLING, "{}", &f), E_INPUT);
    CHECK_INT(need(&req, &n, 1, &f), E_INPUT);
    asks_end(&req);
}

static void
who_does_not_read_is_not_asked_after_initialized(void **unused)
{
    struct fake_sink sink;

    (void)unused;
    expect(INITIALIZE("2025-11-25", ALL_KINDS), 200, "protocolVersion");
    fake_sink_init(&sink);
    sink.refuse = E_LIMIT;
    dispatch_message(dispatcher, &env, slice_of(FORM_CALL), &sink.sink);
    while (dispatch_in_flight(dispatcher, TRANSPORT_STDIO) == 0) {
    }
    expect("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", 202, NULL);
    answered(&sink, 200, "\"isError\":true");
}

static void
responses_to_nothing_are_dropped(void **unused)
{
    struct fake_sink sink;

    (void)unused;
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", 202, NULL);
    shake_hands("2025-11-25", ALL_KINDS);
    expect("{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}", 202, NULL);
    expect("{\"jsonrpc\":\"2.0\",\"id\":-1,\"result\":{}}", 202, NULL);
    begin(&sink, FORM_CALL, 1);
    expect("{\"jsonrpc\":\"2.0\",\"id\":\"1\"," GOOD_FORM "}", 202, NULL);
    respond(1, "\"result\":{\"action\":\"accept\",\"content\":{\"username\":1e999}}");
    answered(&sink, 200, "action=refused");
}

/* ---- Answers ---- */

static void
answers_are_checked(void **unused)
{
    static const struct {
        enum need_kind kind;
        const char *answer;
        const char *flaw; /* Null: it is good. */
    } table[] = {
        {NEED_FORM, "{\"action\":\"accept\",\"content\":{\"n\":3.0,\"x\":null}}", NULL},
        {NEED_FORM, "{\"action\":\"accept\",\"content\":{\"n\":3,\"c\":\"red\"}}", NULL},
        {NEED_FORM, "{\"action\":\"accept\",\"content\":{\"n\":3,\"c\":\"green\"}}", "content.c"},
        {NEED_FORM, "{\"action\":\"accept\",\"content\":{\"n\":3,\"c\":null}}", NULL},
        {NEED_FORM, "{\"action\":\"accept\",\"content\":{\"n\":null}}", "content.n"},
        {NEED_FORM, "{\"action\":\"accept\"}", "'n'"},
        {NEED_FORM, "{\"action\":\"accept\",\"content\":7}", "no object"},
        {NEED_FORM, "{\"action\":\"decline\",\"content\":7}", NULL},
        {NEED_FORM, "{\"action\":\"Accept\"}", "action"},
        {NEED_FORM, "{\"action\":true}", "action"},
        {NEED_FORM, "[]", "no object"},
        {NEED_URL, "{\"action\":\"accept\"}", NULL},
        {NEED_URL, "{}", "action"},
        {NEED_SAMPLING,
         "{\"role\":\"assistant\",\"model\":\"m\",\"content\":{\"type\":\"text\","
         "\"text\":\"x\"}}",
         NULL},
        {NEED_SAMPLING,
         "{\"role\":\"assistant\",\"model\":\"m\",\"content\":[{\"type\":"
         "\"tool_use\",\"id\":\"1\",\"name\":\"n\",\"input\":{}}]}",
         NULL},
        {NEED_SAMPLING, "{\"role\":\"assistant\",\"model\":\"m\",\"content\":{\"type\":\"text\"}}",
         "content"},
        {NEED_SAMPLING, "{\"role\":\"assistant\",\"content\":{\"type\":\"text\",\"text\":\"x\"}}",
         "model"},
        {NEED_SAMPLING, "{\"role\":\"system\",\"model\":\"m\"}", "role"},
        {NEED_ROOTS, "{\"roots\":[]}", NULL},
        {NEED_ROOTS, "{\"roots\":[{\"uri\":\"file:///a\",\"name\":\"a\"}]}", NULL},
        {NEED_ROOTS, "{\"roots\":[{\"uri\":\"https://a\"}]}", "file://"},
        {NEED_ROOTS, "{\"roots\":[7]}", "file://"},
        {NEED_ROOTS, "{\"roots\":{}}", "roots"},
        {NEED_ROOTS, "{}", "roots"},
    };
    json_t *params =
        need_form("m", json_pack("{s:s, s:{s:{s:s}, s:{s:s, s:[s, s]}}, s:[s]}", "type", "object",
                                 "properties", "n", "type", "integer", "c", "type", "string",
                                 "enum", "red", "blue", "required", "n"));

    (void)unused;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        json_t *answer = json_loads(table[i].answer, 0, NULL);
        struct fault f = FAULT_INIT;
        enum err err = need_check(table[i].kind, params, answer, &f);

        if (err != (table[i].flaw ? E_ARGUMENT : E_OK) ||
            (table[i].flaw && !strstr(f.text, table[i].flaw))) {
            fail_msg("%s: %s", table[i].answer, f.text);
        }
        json_decref(answer);
    }
    json_decref(params);
}

/* The form as a client of 'revision' gets it, or why it gets none. */
static void
fits(enum revision revision, const char *schema, const char *want)
{
    struct request req = {.era = ERA_LEGACY, .revision = revision};
    struct need n = {.kind = NEED_FORM, .params = need_form("m", json_loads(schema, 0, NULL))};
    struct fault f = FAULT_INIT;
    enum err err = need_form_fit(&req, &n, &f);
    char *got = json_dumps(json_object_get(n.params, "requestedSchema"), JSON_COMPACT);

    if (err ? err != E_NO_INPUT || !strstr(f.text, want) : strcmp(got, want) != 0) {
        fail_msg("%s\nwanted %s\ngot    %s %s", schema, want, got, f.text);
    }
    free(got);
    json_decref(n.params);
}

static void
older_clients_get_forms_in_their_words(void **unused)
{
    static const char several[] =
        "{\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"enum\":[\"x\"]}},"
        "\"b\":{\"type\":\"boolean\",\"default\":true}},\"required\":[\"%s\"]}";
    static const char titled[] =
        "{\"properties\":{\"c\":{\"type\":\"string\",\"oneOf\":[{\"const\":\"v\",\"title\":\"V\"},"
        "{\"const\":\"w\"}],\"default\":\"w\"},\"n\":{\"type\":\"number\",\"minimum\":1,"
        "\"default\":2}}}";
    char room[256];

    (void)unused;
    fits(REVISION_2025_11_25, titled, titled);
    fits(REVISION_2025_06_18, titled,
         "{\"properties\":{\"c\":{\"type\":\"string\",\"enum\":[\"v\",\"w\"],\"enumNames\":[\"V\","
         "\"w\"]},\"n\":{\"type\":\"number\",\"minimum\":1}}}");
    snprintf(room, sizeof room, several, "b");
    fits(REVISION_2025_11_25, room, room);
    fits(REVISION_2025_06_18, room,
         "{\"properties\":{\"b\":{\"type\":\"boolean\",\"default\":true}},\"required\":[\"b\"]}");
    snprintf(room, sizeof room, several, "a");
    fits(REVISION_2025_06_18, room, "a choice of several");
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_form_is_asked_for_and_read),
        T(no_is_an_answer_too),
        T(several_are_asked_at_once),
        T(what_is_malformed_is_asked_again_and_then_refused),
        T(nothing_is_asked_of_a_client_that_cannot),
        T(the_parents_cancelling_takes_the_question_back),
        T(who_does_not_answer_is_not_waited_for),
        T(the_calls_own_time_stands_still),
        T(the_server_ends_and_waits_for_nobody),
        T(a_connection_that_ends_takes_its_questions_with_it),
        T(the_end_of_all_answers_those_that_wait),
        T(only_so_many_wait),
        T(before_initialized_nothing_is_asked),
        T(a_peer_that_takes_no_events_is_not_asked),
        T(a_host_asks_and_answers),
        T(an_answer_waits_for_a_worker),
        T(pages_must_have_been_visited),
        T(who_knows_the_message_is_told_that_a_page_is_done),
        T(sampling_has_parts_of_its_own),
        T(another_question_wants_another_answer),
        T(who_does_not_read_is_not_asked_after_initialized),
        T(responses_to_nothing_are_dropped),
        T(answers_are_checked),
        T(older_clients_get_forms_in_their_words),
    };
    return CHECK_RUN(tests);
}
