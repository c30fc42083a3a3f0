/* What a bridge owes: which lines go to the next server, which are told as lost, which answers are
 * not for the client. */
#include "tests/check.h"

#include "transports/bridge_ledger.h"

#include <stdio.h>

static struct ledger ledger;
static struct buf up, told;

/* Calls of "safe" may be made again. */
static bool
is_safe(const struct rpc_message *call)
{
    return json_string_is(call->param[RPC_PARAM_NAME].raw, "safe");
}

static void
begin_keeping(size_t keep)
{
    const struct ledger_options options = {
        .json = JSON_LIMITS_INIT, .keep = keep, .repeatable = is_safe};

    ledger_init(&ledger, &options);
    buf_adds(&up, "");
    buf_adds(&told, "");
}

static int
begin(void **state)
{
    (void)state;
    begin_keeping(1 << 20);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    ledger_fini(&ledger);
    buf_fini(&up);
    buf_fini(&told);
    return 0;
}

static void
say(const char *line)
{
    ledger_say(&ledger, slice_of(line), &up);
}

static bool
hear(const char *line)
{
    return ledger_hear(&ledger, slice_of(line));
}

/* What has been added to a buffer since it was looked at. */
static const char *
take(struct buf *b)
{
    static char text[8192];

    snprintf(text, sizeof text, "%.*s", (int)b->len, b->data ? b->data : "");
    buf_reset(b);
    return text;
}

static const char *
lose_and_take(void)
{
    buf_reset(&up);
    ledger_lose(&ledger, &told);
    return take(&told);
}

static const char *
resume_and_take(void)
{
    ledger_resume(&ledger, &up, &told);
    return take(&up);
}

#define SAFE(ID) \
    "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"tools/call\",\"params\":{\"name\":\"safe\"}}"
#define BOLD(ID) \
    "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"tools/call\",\"params\":{\"name\":\"bold\"}}"
#define PING(ID) "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"ping\"}"
#define DONE(ID) "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"result\":{}}"
#define LOST(ID)                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"error\":{\"code\":503,\"message\":\"the server "   \
    "ended while it had this request, which may or may not have been done; look before you " \
    "send it again\"}}"
#define INITIALIZE(ID)                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"initialize\",\"params\":{"              \
    "\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"x\"," \
    "\"version\":\"1\"}}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"

static void
lines_pass_as_they_are(void **state)
{
    (void)state;
    say(PING("1"));
    say("no JSON");
    say("[]");
    CHECK_STR(take(&up), PING("1") "\nno JSON\n[]\n");
    CHECK(ledger_owes(&ledger));
    CHECK(!hear("=3"));
    CHECK(hear("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"what?\"}}"));
    CHECK(ledger_owes(&ledger));
    CHECK(hear(DONE("1")));
    CHECK(!ledger_owes(&ledger));
    CHECK(!ledger.first && ledger.last == &ledger.first && ledger.kept == 0);
    CHECK(hear(DONE("1"))); /* Not ours to judge. */
}

static void
what_was_not_taken_is_sent_again(void **state)
{
    (void)state;
    say(BOLD("1"));
    say(BOLD("\"2\""));
    say(INITIALIZED);
    say(BOLD("3"));
    CHECK(!hear("=1"));
    CHECK_STR(lose_and_take(), LOST("1") "\n");
    CHECK_STR(resume_and_take(), BOLD("\"2\"") "\n" INITIALIZED "\n" BOLD("3") "\n");
    CHECK(!hear("=2"));
    CHECK_STR(lose_and_take(), LOST("\"2\"") "\n");
    CHECK_STR(resume_and_take(), BOLD("3") "\n");
    CHECK(hear(DONE("3")));
    CHECK(!ledger_owes(&ledger));
}

static void
what_may_be_done_twice_is_asked_again(void **state)
{
    (void)state;
    say(SAFE("1"));
    say(BOLD("2"));
    say(PING("3"));
    say("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"no/such\",\"params\":3}"); /* Will be refused.
                                                                                */
    CHECK(!hear("=4"));
    CHECK(hear(DONE("3")));
    CHECK_STR(lose_and_take(), LOST("2") "\n");
    CHECK_STR(resume_and_take(),
              SAFE("1") "\n{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"no/such\",\"params\":3}\n");
}

static void
only_so_much_is_kept(void **state)
{
    (void)state;
    finish(NULL);
    begin_keeping(strlen(SAFE("1")) + 10);
    say(SAFE("1"));
    say(SAFE("2"));
    CHECK(!hear("=2"));
    CHECK_STR(lose_and_take(), LOST("1") "\n");
    CHECK_STR(resume_and_take(), SAFE("2") "\n");
}

static void
a_session_is_made_anew(void **state)
{
    static const char level[] =
        "{\"id\":\"l\",\"jsonrpc\":\"2.0\",\"method\":\"logging/setLevel\",\"params\":{\"level\":"
        "\"debug\"}}";

    (void)state;
    say(INITIALIZE("1"));
    CHECK(hear("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-06-18\","
               "\"capabilities\":{\"tools\":{\"listChanged\":true},\"prompts\":{\"listChanged\":"
               "false},\"resources\":{}}}}"));
    say(INITIALIZED);
    say(level);
    CHECK(!hear("=3"));
    CHECK(hear(DONE("\"l\"")));
    CHECK_STR(lose_and_take(), "");
    say(PING("9"));
    buf_reset(&up);
    CHECK_STR(
        resume_and_take(),
        INITIALIZE("\"tandem-bridge:1\"") "\n" INITIALIZED
                                          "\n{\"id\":\"tandem-bridge:2\",\"jsonrpc\":\"2.0\","
                                          "\"method\":\"logging/setLevel\","
                                          "\"params\":{\"level\":\"debug\"}}\n" PING("9") "\n");
    CHECK_STR(take(&told),
              "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n");
    CHECK(!hear("=3"));
    CHECK(!hear(DONE("\"tandem-bridge:1\"")));
    CHECK(!hear(DONE("\"tandem-bridge:2\"")));
    CHECK(hear(DONE("\"tandem-bridge:3\""))); /* A client may call its own so. */
    CHECK_STR(lose_and_take(), "");           /* Line 4 was not taken. */
    ledger_resume(&ledger, &up, &told);
    CHECK(strstr(take(&up), PING("9")));
}

static void
an_unfinished_handshake_is_begun_again(void **state)
{
    (void)state;
    say(INITIALIZE("1"));
    say(INITIALIZED);
    CHECK(!hear("=1"));
    CHECK_STR(lose_and_take(), "");
    CHECK_STR(resume_and_take(), INITIALIZE("1") "\n" INITIALIZED "\n");
    CHECK_STR(take(&told), "");
    CHECK(hear("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"no\"}}"));
    CHECK_STR(lose_and_take(), "");
    CHECK_STR(resume_and_take(), INITIALIZED "\n"); /* No session: nothing is replayed. */
}

#define SUBSCRIBE(ID, METHOD, URI)                                                                \
    "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"resources/" METHOD "\",\"params\":{\"uri\":" \
    "\"" URI "\"}}"

static void
subscriptions_of_a_session_live_on(void **state)
{
    (void)state;
    say(SUBSCRIBE("1", "subscribe", "a:1"));
    say(SUBSCRIBE("2", "subscribe", "a:2"));
    say(SUBSCRIBE("3", "subscribe", "a:3"));
    say(SUBSCRIBE("4", "unsubscribe", "a:2"));
    say(SUBSCRIBE("5", "subscribe", "a:1"));
    CHECK(!hear("=5"));
    CHECK(hear(DONE("1")) && hear(DONE("2")) && hear(DONE("4")) && hear(DONE("5")));
    CHECK(hear("{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32002,\"message\":\"no\"}}"));
    CHECK_STR(lose_and_take(), "");
    CHECK_STR(resume_and_take(), SUBSCRIBE("\"tandem-bridge:1\"", "subscribe", "a:1") "\n");
    CHECK_STR(take(&told), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\","
                           "\"params\":{\"uri\":\"a:1\"}}\n");
}

#define ID_META "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":7}"
#define LISTEN                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"subscriptions/listen\",\"params\":{" \
    "\"notifications\":{\"toolsListChanged\":true,\"promptsListChanged\":true,"      \
    "\"resourceSubscriptions\":[\"a:1\",\"a:2\"]}}}"
#define ACKNOWLEDGED                                                                             \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{"  \
    "\"notifications\":{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"a:2\"]}," ID_META \
    "}}"

static void
listening_goes_on_and_misses_nothing(void **state)
{
    (void)state;
    say(LISTEN);
    CHECK(!hear("=1"));
    CHECK(hear(ACKNOWLEDGED));
    CHECK_STR(lose_and_take(), "");
    CHECK_STR(resume_and_take(), LISTEN "\n");
    CHECK_STR(
        take(&told),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{" ID_META
        "}}\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{"
        "\"uri\":\"a:2\"," ID_META "}}\n");
    CHECK(!hear(ACKNOWLEDGED));
    CHECK(hear(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{" ID_META
        "}}"));
    CHECK(hear(DONE("7")));
    CHECK(!ledger_owes(&ledger));
}

static void
what_is_cancelled_is_not_owed(void **state)
{
    (void)state;
    say(BOLD("1"));
    say(BOLD("2"));
    CHECK(!hear("=1"));
    say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
        "cancelled\",\"params\":{\"requestId\":1}}");
    say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
        "cancelled\",\"params\":{\"requestId\":2}}");
    say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{}}");
    CHECK(!ledger_owes(&ledger));
    CHECK(!hear("=5"));
    CHECK(!ledger.first);
    CHECK_STR(lose_and_take(), "");
    CHECK_STR(resume_and_take(), "");
}

static void
questions_end_with_who_asked(void **state)
{
#define ASKED(ID) "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"roots/list\"}"
    (void)state;
    CHECK(hear(ASKED("1")) && hear(ASKED("2")) && hear(ASKED("3")));
    say(DONE("1"));
    CHECK_STR(take(&up), DONE("1") "\n");
    say(DONE("1")); /* Not asked any more. */
    CHECK_STR(take(&up), "");
    CHECK(hear("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
               "\"requestId\":2}}"));
    CHECK_STR(
        lose_and_take(),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":"
        "3,\"reason\":\"the server that asked has ended\"}}\n");
    say(DONE("3"));
    CHECK_STR(resume_and_take(), ""); /* Neither the answer to 1, which was for the other. */
}

static void
batches_are_answered_as_one(void **state)
{
    (void)state;
    say("[" BOLD("0") "]"); /* No session that knows batches: it will be refused. */
    CHECK(!ledger_owes(&ledger));
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-03-26\"}}");
    CHECK(hear("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-03-26\"}}"));
    say("[" INITIALIZED "," BOLD("2") "," SAFE("3") "]");
    say("[" SAFE("4") "," PING("5") "]");
    say("[" BOLD("6") "]");
    say("[" INITIALIZED "]");
    CHECK(!hear("=6"));
    CHECK(hear("[" DONE("6") "]"));
    CHECK_STR(lose_and_take(), "[" LOST("2") "," LOST("3") "]\n");
    ledger_resume(&ledger, &up, &told);
    CHECK(strstr(take(&up), "\n[" SAFE("4") "," PING("5") "]\n"));
    CHECK(hear("[" DONE("4") "," DONE("5") "]"));
    CHECK(!ledger_owes(&ledger));
}

static void
without_another_server_all_is_told(void **state)
{
    (void)state;
    say(SAFE("1"));
    say(INITIALIZED);
    say(BOLD("2"));
    ledger_lose(&ledger, &told);
    ledger_give_up(&ledger, &told);
    CHECK_STR(take(&told), LOST("1") "\n" LOST("2") "\n");
    CHECK(!ledger.first);
}

static void
everything_is_handed_over(void **state)
{
    struct ledger_estate estate = {.lines = BUF_INIT};

    (void)state;
    say(INITIALIZE("1"));
    CHECK(hear("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"capabilities\":{}}}"));
    say(INITIALIZED);
    say(LISTEN);
    say(SAFE("2"));
    CHECK(!hear("=4"));
    CHECK(hear(ACKNOWLEDGED));
    say(BOLD("3"));
    buf_reset(&up);
    CHECK_STR(lose_and_take(), "");
    ledger_hand_over(&ledger, &estate, &told);
    CHECK_STR(take(&estate.session), INITIALIZE("\"tandem-bridge:1\"") "\n" INITIALIZED "\n");
    CHECK_STR(take(&estate.listens), LISTEN "\n");
    CHECK_STR(take(&estate.lines), SAFE("2") "\n" BOLD("3") "\n");
    CHECK(strstr(take(&told), "tools/list_changed"));
    CHECK(!ledger_owes(&ledger));
    buf_fini(&estate.session);
    buf_fini(&estate.listens);
    buf_fini(&estate.lines);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, finish)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_pass_as_they_are),
        TEST(what_was_not_taken_is_sent_again),
        TEST(what_may_be_done_twice_is_asked_again),
        TEST(only_so_much_is_kept),
        TEST(a_session_is_made_anew),
        TEST(an_unfinished_handshake_is_begun_again),
        TEST(subscriptions_of_a_session_live_on),
        TEST(listening_goes_on_and_misses_nothing),
        TEST(what_is_cancelled_is_not_owed),
        TEST(questions_end_with_who_asked),
        TEST(batches_are_answered_as_one),
        TEST(without_another_server_all_is_told),
        TEST(everything_is_handed_over),
    };
    return CHECK_RUN(tests);
}
