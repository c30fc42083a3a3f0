/* test_hostile_messages.c -- one message, however hostile, gets one answer, whichever way it comes.
 *
 * Each case goes every way that a message can take: straight into dispatch, over the pipes of the
 * real server, over its HTTP with an answer as JSON and as an event, over its WebSocket, and over a
 * Unix socket (tests/ways.h).  What it must be answered is told by the set it is from; all ways
 * must say the same, and after each case a plain request is answered. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/base/log.h"
#include "state/base/rune.h"
#include "state/mcp_session.h"
#include "tests/fakes.h"
#include "tests/hostile.h"
#include "tests/ways.h"

#include <stdio.h>
#include <unistd.h>

#define INITIALIZE                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":" \
    "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct envelope connection;
static struct ways ways;

/* The answer of dispatch; "" if there is none.  New. */
static char *
ask_dispatch(struct slice message)
{
    struct fake_sink sink;
    char *body;

    fake_sink_init(&sink);
    dispatch_message(dispatcher, &connection, message, &sink.sink);
    body = xstrdup(fake_sink_wait(&sink));
    fake_sink_fini(&sink);
    return body;
}

static int
start(void **state)
{
    const struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT, .calls = 64, .calls_per_session = 8, .call_ns = 60000000000};

    (void)state;
    fake_project_init(&project, NULL);
    pool = pool_create(2, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    connection.transport = TRANSPORT_STDIO;
    connection.session = mcp_session_of_connection();
    free(ask_dispatch(SLICE(INITIALIZE)));
    free(ask_dispatch(SLICE(INITIALIZED)));
    ways_init(&ways);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    ways_fini(&ways);
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    mcp_session_unref(connection.session);
    fake_project_fini(&project);
    return 0;
}

/* ---- One case on all of them ---- */

struct answer {
    json_t *message; /* Owned; null if nothing was answered. */
    int code;        /* Of its error; 0 without one. */
    int status;      /* Over HTTP. */
    bool result, tool_error;
};

static void
answer_fini(struct answer *a)
{
    json_decref(a->message);
}

/* What must be the same on all ways: an error, all of it; of a result, that it is one. */
static bool
same(const char *a, const char *b)
{
    const char *result_a = strstr(a, "\"result\":"), *result_b = strstr(b, "\"result\":");

    if (result_a && result_b) {
        return result_a - a == result_b - b && memcmp(a, b, (size_t)(result_a - a)) == 0;
    }
    return strcmp(a, b) == 0;
}

/* One way must say what dispatch has said. */
static void
check_way(const char *id, enum way way, struct slice message, const char *dispatched, int *status)
{
    struct told t = ways_ask(&ways, way, id, message, *dispatched != '\0');

    /* Over HTTP a notification that is refused is told so, without an id. */
    if (t.code                     ? !strstr(dispatched, "\"error\":")
        : *dispatched || !t.status ? !same(dispatched, t.text)
                                   : t.status != 202 && t.status / 100 != 4) {
        fail_msg("%s: dispatch says %s, %s %d %s", id, dispatched, way_names[way], t.status,
                 t.text);
    }
    if (t.status && *status && t.status != *status) {
        fail_msg("%s: %d before, over %s %d", id, *status, way_names[way], t.status);
    }
    *status = t.status ? t.status : *status;
    told_fini(&t);
}

/* Sends 'message' on all ways.  Fails if they differ, or if one is no answer at all. */
static struct answer
ask(const char *id, struct slice message)
{
    struct answer a = {.message = NULL};
    char *dispatched = ask_dispatch(message);
    json_t *error;

    for (enum way way = 0; way < WAY_COUNT; way++) {
        if (way_carries(way, message)) {
            check_way(id, way, message, dispatched, &a.status);
        }
    }
    if (*dispatched) {
        a.message = json_loads(dispatched, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        if (!a.message) {
            fail_msg("%s: answered with what is no JSON: %s", id, dispatched);
        }
    }
    error = json_object_get(a.message, "error");
    a.code = (int)json_integer_value(json_object_get(error, "code"));
    a.result = json_object_get(a.message, "result") != NULL;
    a.tool_error = json_is_true(json_object_get(json_object_get(a.message, "result"), "isError"));
    if (a.message && a.result == (error != NULL)) {
        fail_msg("%s: neither result nor error, or both: %s", id, dispatched);
    }
    free(dispatched);
    return a;
}

/* ---- The sets ---- */

/* JSON as the whole message: no JSON, or no request. */
static void
json_as_message(const struct hostile_case *c, int valid)
{
    struct answer a = ask(c->id, c->bytes);

    if (!a.message || a.status / 100 != 4 ||
        (a.code != -32700 && a.code != -32600 && a.status != 413) ||
        (valid == 1 && a.code != -32600) || (valid == 0 && a.code != -32700)) {
        fail_msg("%s: answered %d, code %d", c->id, a.status, a.code);
    }
    answer_fini(&a);
}

/* The same as a member that nobody reads: a result if it is good JSON, else an error. */
static void
json_as_member(const struct hostile_case *c, int valid)
{
    static const char head[] =
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":{\"_meta\":{\"x\":";
    struct buf message = BUF_INIT;
    struct answer a;

    buf_adds(&message, head);
    buf_add_slice(&message, c->bytes);
    buf_adds(&message, "}}}");
    a = ask(c->id, buf_slice(&message));
    if ((valid == 1 && !a.result) || (valid == 0 && (!a.code || a.status / 100 != 4))) {
        fail_msg("%s as a member: answered %d, code %d", c->id, a.status, a.code);
    }
    answer_fini(&a);
    buf_fini(&message);
}

/* 1 for good, 0 for bad, -1 for either. */
static int
validity(const json_t *row)
{
    const json_t *valid = json_object_get(row, "valid");

    return json_is_true(valid) ? 1 : json_is_false(valid) ? 0 : -1;
}

static void
own_json(const struct hostile_case *c, void *arg)
{
    (void)arg;
    json_as_message(c, validity(c->row));
    json_as_member(c, validity(c->row));
}

static void
suite_file(const struct hostile_case *c, void *arg)
{
    int valid = strncmp(c->id, "y_", 2) == 0 ? 1 : strncmp(c->id, "n_", 2) == 0 ? 0 : -1;

    (void)arg;
    if (strcmp(c->id, "y_object_escaped_null_in_key.json") == 0) {
        valid = -1; /* Refused on purpose: readers of C strings would see another name. */
    }
    json_as_message(c, valid);
    json_as_member(c, valid);
}

static void
json_that_is_no_message(void **state)
{
    (void)state;
    CHECK_INT(hostile_lines("own/json.jsonl", own_json, NULL), 118);
    CHECK_INT(hostile_files("json", suite_file, NULL), 318);
    CHECK_INT(hostile_files("json-transform", suite_file, NULL), 22);
}

static void
quoted(const struct hostile_case *c, void *arg)
{
    struct buf text = BUF_INIT;
    struct hostile_case string = *c;
    int valid = validity(c->row);

    (void)arg;
    for (size_t i = 0; i < c->bytes.len; i++) {
        if ((unsigned char)c->bytes.data[i] < 0x20) {
            valid = 0; /* Text, but no JSON string. */
        }
    }
    buf_addc(&text, '"');
    buf_add_slice(&text, c->bytes);
    buf_addc(&text, '"');
    string.bytes = buf_slice(&text);
    json_as_message(&string, valid);
    json_as_member(&string, valid);
    buf_fini(&text);
}

static void
bytes_that_are_no_text(void **state)
{
    (void)state;
    CHECK_INT(hostile_lines("own/utf8.jsonl", quoted, NULL), 79);
    CHECK_INT(hostile_utf8(quoted, NULL), 222);
}

/* ---- Strings that come back ---- */

/* As an id and as an argument, in plain UTF-8 and with every other character escaped. */
static void
comes_back(const struct hostile_case *c, void *arg)
{
    static const size_t flags[] = {JSON_ENCODE_ANY, JSON_ENCODE_ANY | JSON_ENSURE_ASCII};
    json_t *string = json_stringn(c->bytes.data, c->bytes.len);
    bool nul = memchr(c->bytes.data, '\0', c->bytes.len) != NULL;

    (void)arg;
    CHECK(string);
    for (size_t i = 0; i < 2 * WAY_COUNT; i++) {
        char *text = json_dumps(string, flags[i % 2]);
        bool named = c->bytes.len <= 256; /* As long as an id may be. */
        const char *said;
        json_t *answer = ways_echo(&ways, (enum way)(i / 2), named ? text : "1", text, &said);
        json_t *arguments = answer ? json_loads(said, JSON_ALLOW_NUL, NULL) : NULL;

        CHECK(!answer == nul); /* The one character that no argument may have. */
        if (answer && (!json_equal(json_object_get(arguments, "name"), string) ||
                       (named && !json_equal(json_object_get(answer, "id"), string)))) {
            fail_msg("%s: over %s came back as %s", c->id, way_names[i / 2], said);
        }
        json_decref(arguments);
        json_decref(answer);
        free(text);
    }
    json_decref(string);
}

/* Text that is no text cannot be in JSON, so it never gets that far. */
static void
text_comes_back(const struct hostile_case *c, void *arg)
{
    if (rune_valid(c->bytes)) {
        comes_back(c, arg);
    }
}

static void
strings_come_back_unchanged(void **state)
{
    (void)state;
    CHECK_INT(hostile_strings(comes_back, NULL), 515);
    CHECK_INT(hostile_lines("own/frame.jsonl", text_comes_back, NULL), 17);
    CHECK_INT(hostile_lines("own/path.jsonl", text_comes_back, NULL), 66);
}

static void
near_message(const struct hostile_case *c, void *arg)
{
    struct answer a = ask(c->id, c->bytes);
    char class[8], status[8], code[16];

    (void)arg;
    snprintf(status, sizeof status, "%d", a.status);
    snprintf(class, sizeof class, "%dxx", a.status / 100 % 10);
    snprintf(code, sizeof code, "%d", a.code);
    if (!hostile_allows(c, "allow", class) && !hostile_allows(c, "allow", status) &&
        !(a.result && hostile_allows(c, "allow", "ok")) &&
        !(a.code && a.status == 200 && hostile_allows(c, "allow", "err")) &&
        !(a.tool_error && hostile_allows(c, "allow", "toolerr"))) {
        fail_msg("%s: answered %d, code %d", c->id, a.status, a.code);
    }
    if (a.code && json_array_size(json_object_get(c->row, "codes")) &&
        !hostile_allows(c, "codes", code)) {
        fail_msg("%s: code %d", c->id, a.code);
    }
    answer_fini(&a);
}

static void
messages_that_are_nearly_right(void **state)
{
    (void)state;
    CHECK_INT(hostile_lines("own/jsonrpc.jsonl", near_message, NULL), 64);
}

/* ---- Names that look like others, and much of them ---- */

/* Members whose names end in a NUL, differ in case, or fold to another: none is the one it looks
 * like.  The first column must be answered by a pong, or not at all by a result. */
static void
names_are_compared_byte_by_byte(void **state)
{
    static const struct {
        bool pong;
        const char *message;
    } rows[] = {
        {true, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"Method\":\"tools/list\"}"},
        {true, "{\"jsonrpc\":\"2.0\",\"id\":1,\"METHOD\":\"tools/list\",\"method\":\"ping\"}"},
        {true, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"param\u017f\":7}"},
        {true, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"\xC4\xB1"
               "d\":2}"},
        {true, "{\"jsonrpc\":\"2.0\",\"id\":1,\"m\\u0065thod\":\"ping\"}"},
        {false, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"m\\u0065thod\":\"ping\"}"},
        {false, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\\u0000\":\"ping\"}"},
        {false, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"id\":2}"},
        {false, "{\"jsonrpc\":\"2.0\",\"id\":1,\"Method\":\"ping\"}"},
        {false, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"Ping\"}"},
        {false, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\\u0000\"}"},
        {false, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":1,\"a\":1}}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct answer a = ask(rows[i].message, slice_of(rows[i].message));

        if (a.result != rows[i].pong || (!a.result && !a.code)) {
            fail_msg("%s: code %d", rows[i].message, a.code);
        }
        answer_fini(&a);
    }
}

/* Texts on which matchers that go back, or tables that collide, take for ever: 'part' over and over
 * between two others. */
static void
nothing_takes_for_ever(void **state)
{
    static const struct {
        const char *before, *part, *after;
        unsigned times;
    } rows[] = {
#define READ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":{\"uri\":\""
        {READ "tandem://", "a/", "!\"}}", 200000},
        {READ "tandem://workflows/", "%2e%2e%2f", "\"}}", 60000},
        {READ, "{", "\"}}", 400000},
        {READ "tandem://", "{a}{", "\"}}", 100000},
#undef READ
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"_meta\":{\"x\":[0",
         ",{\"k\":0}", "]}}}", 20000},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"_meta\":{\"x\":\"",
         "\\\\", "\"}}}", 400000},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"", "a/", "\"}", 200000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf message = BUF_INIT;
        struct answer a;

        buf_adds(&message, rows[i].before);
        for (unsigned k = 0; k < rows[i].times; k++) {
            buf_adds(&message, rows[i].part);
        }
        buf_adds(&message, rows[i].after);
        a = ask(rows[i].before, buf_slice(&message));
        CHECK(a.result || a.code);
        answer_fini(&a);
        buf_fini(&message);
    }
}

/* Members whose names are long, nearly equal, and as many as a message may have. */
static void
many_names_of_one_prefix(void **state)
{
    struct buf message = BUF_INIT;
    struct answer a;

    (void)state;
    buf_adds(&message,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
             "\"current_date\",\"arguments\":{\"k\":0");
    for (unsigned i = 0; i < 40000; i++) {
        buf_addf(&message, ",\"aaaaaaaaaaaa%05u\":0", i);
    }
    buf_adds(&message, "}}}");
    a = ask("one prefix", buf_slice(&message));
    CHECK(a.tool_error || a.code);
    answer_fini(&a);
    buf_fini(&message);
}

/* ---- Ids, and messages that are cut ---- */

static void
ids_come_back_or_are_refused(void **state)
{
    static const struct {
        const char *id;
        bool good;
    } ids[] = {
        {"0", true},
        {"-1", true},
        {"9223372036854775807", true},
        {"-9223372036854775808", true},
        {"\"\"", true},
        {"\"1\"", true},
        {"\"\\u0031\"", true},
        {"\"\\u0000\"", true},
        {"\"\\u2028\\u2029\"", true},
        {"\"\xE2\x80\xA8\"", true},
        {"\"\\uD83D\\uDE00\"", true},
        {"9223372036854775808", false},
        {"1.0", false},
        {"1e2", false},
        {"null", false},
        {"true", false},
        {"[]", false},
        {"{\"a\":1}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char *message = xasprintf("{\"method\":\"ping\",\"jsonrpc\":\"2.0\",\"id\":%s}", ids[i].id);
        char *want = xasprintf("\"id\":%s,", ids[i].id);
        char *body = ask_dispatch(slice_of(message));
        struct answer a = ask(ids[i].id, slice_of(message));

        if (a.result != ids[i].good || (strstr(body, want) != NULL) != ids[i].good ||
            (json_object_get(a.message, "id") != NULL) != ids[i].good) {
            fail_msg("id %s: answered %s", ids[i].id, body);
        }
        answer_fini(&a);
        free(body);
        free(want);
        free(message);
    }
}

/* Every prefix of a message is no JSON, whatever it is cut in. */
static void
a_message_may_end_anywhere(void **state)
{
    static const char message[] =
        "{\"jsonrpc\":\"2.0\",\"id\":\"\\u00e9\xC3\xA9\",\"method\":\"tools\\/call\",\"params\":{"
        "\"name\":\"current_date\",\"arguments\":{},\"_meta\":{\"a\":[1,-0.5e+3,true,null,\"\\\"\"]"
        "}}}";

    (void)state;
    for (size_t len = 1; len < sizeof message - 1; len++) {
        char *cut =
            xstrndup(message, len); /* In memory of its size, so that reads past it are seen. */
        struct answer a = ask(cut, (struct slice){cut, len});

        if (a.code != -32700 || a.status != 400 || json_object_get(a.message, "id")) {
            fail_msg("cut to %zu bytes: answered %d, code %d", len, a.status, a.code);
        }
        answer_fini(&a);
        free(cut);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_that_is_no_message),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(strings_come_back_unchanged),
        cmocka_unit_test(messages_that_are_nearly_right),
        cmocka_unit_test(names_are_compared_byte_by_byte),
        cmocka_unit_test(nothing_takes_for_ever),
        cmocka_unit_test(many_names_of_one_prefix),
        cmocka_unit_test(ids_come_back_or_are_refused),
        cmocka_unit_test(a_message_may_end_anywhere),
    };

    log_configure(LOG_OFF, LOG_TEXT);
    alarm(300);
    return cmocka_run_group_tests(tests, start, stop);
}
