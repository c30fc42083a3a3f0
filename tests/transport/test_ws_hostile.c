/* test_ws_hostile.c -- the real server's WebSocket, from handshake to tools, under hostile bytes.
 *
 * Each case has a connection of its own.  It must get what its row allows, at once, and whatever it
 * did, the next client must be served. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/base/log.h"
#include "tests/fakes.h"
#include "tests/hostile.h"
#include "tests/ws_client.h"
#include "transports/transport.h"

#include <stdio.h>
#include <sys/socket.h>

#define TOKEN "0123456789012345678901234567890123456789012"
#define SECONDS 10 /* To wait for what does not come; nothing takes this long. */
#define PING "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}"

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct transport *transport;
static unsigned port;

static int
start(void **state)
{
    struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT, .calls = 64, .calls_per_session = 8, .call_ns = 60000000000};
    struct transport_context context;

    (void)state;
    log_configure(LOG_OFF, LOG_TEXT);
    fake_project_init(&project, NULL);
    pool = pool_create(4, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    context = (struct transport_context){
        .dispatcher = dispatcher,
        .settings = project.settings,
        .clock = clock_real(),
        .listen_fd = client_listen(&port),
        .token = TOKEN,
    };
    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    http_transport.stop(transport, INT64_MAX);
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    fake_project_fini(&project);
    return 0;
}

/* ---- Handshakes ---- */

#define GET "GET /mcp HTTP/1.1\r\n"
#define HOST "Host: localhost\r\n"
#define AUTH "Authorization: Bearer " TOKEN "\r\n"
#define UP "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define SUB "Sec-WebSocket-Protocol: mcp\r\n"
#define REST UP V13 KEY SUB "\r\n"

static void
handshakes_are_judged(void **state)
{
    static const struct {
        const char *name, *bytes;
        int status;
        const char *says; /* In the answer's body. */
    } cases[] = {
        {"good", GET HOST AUTH REST, 101, ""},
        {"with a slash", "GET /mcp/ HTTP/1.1\r\n" HOST AUTH REST, 101, ""},
        {"words in other cases",
         GET "hOST: LOCALHOST\r\n" AUTH "connection: keep-alive, upgrade\r\n"
             "UPGRADE: WebSocket\r\n" V13 KEY SUB "\r\n",
         101, ""},
        {"several protocols", GET HOST AUTH UP V13 KEY "Sec-WebSocket-Protocol: x, mcp ,y\r\n\r\n",
         101, ""},
        {"protocols in two lines",
         GET HOST AUTH UP V13 KEY "Sec-WebSocket-Protocol: x\r\n" SUB "\r\n", 101, ""},
        {"own origin is none", GET HOST AUTH "Origin: http://localhost:1\r\n" REST, 403, "Origin"},
        {"foreign origin", GET HOST AUTH "Origin: http://evil.example\r\n" REST, 403, "Origin"},
        {"null origin", GET HOST AUTH "Origin: null\r\n" REST, 403, "Origin"},
        {"two origins", GET HOST AUTH "Origin: http://a\r\nOrigin: http://a\r\n" REST, 403,
         "Origin"},
        {"foreign host", GET "Host: evil.example\r\n" AUTH REST, 403, "Host"},
        {"rebound host", GET "Host: evil.example:80\r\n" AUTH REST, 403, "Host"},
        {"no host", GET AUTH REST, 400, "Host"},
        {"two hosts", GET HOST HOST AUTH REST, 400, "Host"},
        {"no token", GET HOST REST, 401, "token"},
        {"bad token", GET HOST "Authorization: Bearer x\r\n" REST, 401, "token"},
        {"basic", GET HOST "Authorization: Basic " TOKEN "\r\n" REST, 401, "token"},
        {"token in the URL", "GET /mcp?token=" TOKEN " HTTP/1.1\r\n" HOST REST, 400, "URL"},
        {"two tokens", GET HOST AUTH AUTH REST, 400, "once"},
        {"other path", "GET /ws2 HTTP/1.1\r\n" HOST AUTH REST, 404, "nothing"},
        {"version 8", GET HOST AUTH UP "Sec-WebSocket-Version: 8\r\n" KEY SUB "\r\n", 426, "13"},
        {"no version", GET HOST AUTH UP KEY SUB "\r\n", 426, "13"},
        {"two versions", GET HOST AUTH UP V13 V13 KEY SUB "\r\n", 426, "13"},
        {"versions in a list", GET HOST AUTH UP "Sec-WebSocket-Version: 13, 8\r\n" KEY SUB "\r\n",
         426, "13"},
        {"no key", GET HOST AUTH UP V13 SUB "\r\n", 400, "Key"},
        {"short key", GET HOST AUTH UP V13 "Sec-WebSocket-Key: YWJj\r\n" SUB "\r\n", 400, "Key"},
        {"long key",
         GET HOST AUTH UP V13
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==\r\n" SUB "\r\n",
         400, "Key"},
        {"key that is no base64",
         GET HOST AUTH UP V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q==\r\n" SUB "\r\n", 400,
         "Key"},
        {"key with bits too many",
         GET HOST AUTH UP V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n" SUB "\r\n", 400,
         "Key"},
        {"two keys", GET HOST AUTH UP V13 KEY KEY SUB "\r\n", 400, "Key"},
        {"no protocol", GET HOST AUTH UP V13 KEY "\r\n", 400, "subprotocol"},
        {"other protocol", GET HOST AUTH UP V13 KEY "Sec-WebSocket-Protocol: chat\r\n\r\n", 400,
         "subprotocol"},
        {"protocol in capitals", GET HOST AUTH UP V13 KEY "Sec-WebSocket-Protocol: MCP\r\n\r\n",
         400, "subprotocol"},
        {"protocol in another word",
         GET HOST AUTH UP V13 KEY "Sec-WebSocket-Protocol: mcp2\r\n\r\n", 400, "subprotocol"},
        {"no Connection", GET HOST AUTH "Upgrade: websocket\r\n" V13 KEY SUB "\r\n", 400,
         "Connection"},
        {"no Upgrade", GET HOST AUTH "Connection: Upgrade\r\n" V13 KEY SUB "\r\n", 400, "Upgrade"},
        {"other Upgrade",
         GET HOST AUTH "Connection: Upgrade\r\nUpgrade: h2c\r\n" V13 KEY SUB "\r\n", 400,
         "Upgrade"},
        {"HTTP/1.0", "GET /mcp HTTP/1.0\r\n" HOST AUTH REST, 400, "HTTP/1.1"},
        {"with a body", GET HOST AUTH "Content-Length: 2\r\n" REST "{}", 400, "body"},
        {"with chunks", GET HOST AUTH "Transfer-Encoding: chunked\r\n" REST "0\r\n\r\n", 400,
         "body"},
        {"by POST", "POST /mcp HTTP/1.1\r\n" HOST AUTH "Content-Length: 2\r\n" REST "{}", 415, ""},
        {"by HEAD", "HEAD /mcp HTTP/1.1\r\n" HOST AUTH REST, 405, ""},
        {"h2c",
         GET HOST AUTH "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                       "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
         405, ""},
        {"folded", GET HOST AUTH "Connection: Upgrade\r\n x\r\n" V13 KEY SUB "\r\n", 400, ""},
        {"bare line feed", GET HOST AUTH "Connection: Upgrade\nUpgrade: websocket\n\n", 400, ""},
        {"health", "GET /health HTTP/1.1\r\n" HOST REST, 200, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct client c;
        struct response r;

        client_open(&c, port);
        client_sends(&c, cases[i].bytes);
        r = client_read(&c, strncmp(cases[i].bytes, "HEAD", 4) == 0, SECONDS);
        if (r.status != cases[i].status ||
            (cases[i].says[0] &&
             !memmem(r.body.data, r.body.len, cases[i].says, strlen(cases[i].says)))) {
            fail_msg("%s: %d %.*s", cases[i].name, r.status, (int)r.body.len,
                     r.body.data ? r.body.data : "");
        }
        if (r.status == 426) {
            char *version = client_header(&r, "Sec-WebSocket-Version");

            CHECK_STR(version, "13");
            free(version);
        }
        client_close(&c);
    }
}

/* ---- Frames ---- */

/* What came of a case. */
struct outcome {
    bool dropped, pong, answered;
    unsigned code;
};

/* Reads until nothing more can come: a ping of ours has been answered, or it is closed. */
static struct outcome
watch(struct client *c)
{
    struct outcome o = {.dropped = false};

    for (;;) {
        struct ws_frame f = ws_next(c, SECONDS);

        if (f.opcode == WS_PONG && slice_is(f.payload, "still there?")) {
            return o;
        }
        o.pong = o.pong || f.opcode == WS_PONG;
        o.answered = o.answered || f.opcode == WS_TEXT;
        if (f.opcode == WS_CLOSE) {
            o.code = f.code;
            ws_leave(c, f.code); /* As clients do; else it waits for that, for some seconds. */
        }
        if (f.opcode < 0) {
            CHECK(f.opcode == -2); /* Else it hangs. */
            o.dropped = true;
            return o;
        }
    }
}

static void
check_served(const char *after)
{
    struct client c;
    char *answer;

    ws_open(&c, port, TOKEN);
    ws_text(&c, PING);
    answer = ws_message(&c, SECONDS, NULL);
    if (!answer || !strstr(answer, "\"id\":7")) {
        fail_msg("after %s nobody is served", after);
    }
    free(answer);
    client_close(&c);
}

/* The pong for what a case pings itself comes before ours, which is told by its payload; only one
 * of them may come, since a server need not answer each.  So ours goes until it is answered. */
static void
play_frames(const struct hostile_case *hostile, void *arg)
{
    bool alive = json_is_true(json_object_get(hostile->row, "alive"));
    bool pong = json_is_true(json_object_get(hostile->row, "pong"));
    struct outcome o;
    struct client c;
    char code[8];

    (void)arg;
    ws_open(&c, port, TOKEN);
    client_send(&c, hostile->bytes);
    if (pong) {
        struct ws_frame f = ws_next(&c, SECONDS);

        o = (struct outcome){.pong = f.opcode == WS_PONG, .dropped = f.opcode < 0};
    }
    ws_send(&c, WS_FIN | WS_PING, SLICE("still there?"));
    if (!alive) {
        shutdown(c.fd, SHUT_WR); /* What is not closed by then hangs. */
    }
    if (!pong || !o.pong) {
        o = watch(&c);
    }
    snprintf(code, sizeof code, "%u", o.code);
    if (pong ? !o.pong
             : !(o.code  ? hostile_allows(hostile, "close", code)
                 : alive ? !o.dropped
                         : o.dropped)) {
        fail_msg("%s: code %u, %s", hostile->id, o.code, o.dropped ? "dropped" : "goes on");
    }
    client_close(&c);
    check_served(hostile->id);
}

static void
frames_of_the_set_get_what_they_may(void **state)
{
    (void)state;
    CHECK_INT(hostile_lines("own/ws.jsonl", play_frames, NULL), 46);
}

/* Sends bytes, and expects the code. */
static void
expect_close(const char *name, struct slice bytes, unsigned code)
{
    struct outcome o;
    struct client c;

    ws_open(&c, port, TOKEN);
    client_send(&c, bytes);
    o = watch(&c);
    if (o.code != code) {
        fail_msg("%s: code %u instead of %u", name, o.code, code);
    }
    client_close(&c);
    check_served(name);
}

#define MASK "\x00\x00\x00\x00"
#define BYTES(LITERAL) SLICE(LITERAL)

static void
violations_are_closed_with_their_code(void **state)
{
    static const struct {
        const char *name, *bytes;
        size_t len;
        unsigned code;
    } cases[] = {
#define ROW(NAME, BYTES, CODE) {NAME, BYTES, sizeof(BYTES) - 1, CODE}
        ROW("close 5000", "\x88\x82" MASK "\x13\x88", 1002),
        ROW("close 65535", "\x88\x82" MASK "\xff\xff", 1002),
        ROW("close 999", "\x88\x82" MASK "\x03\xe7", 1002),
        ROW("close 1004", "\x88\x82" MASK "\x03\xec", 1002),
        ROW("close 1015", "\x88\x82" MASK "\x03\xf7", 1002),
        ROW("close 2999", "\x88\x82" MASK "\x0b\xb7", 1002),
        ROW("close of one byte", "\x88\x81" MASK "\x03", 1002),
        ROW("close with a reason that is no UTF-8", "\x88\x83" MASK "\x03\xe8\xff", 0),
        ROW("close of 126 bytes", "\x88\xfe\x00\x7e" MASK, 1002),
        ROW("ping of 126 bytes", "\x89\xfe\x00\x7e" MASK, 1002),
        ROW("ping in parts", "\x09\x81" MASK "x", 1002),
        ROW("pong in parts", "\x0a\x81" MASK "x", 1002),
        ROW("pong without a mask", "\x8a\x01x", 1002),
        ROW("text without a mask", "\x81\x02{}", 1002),
        ROW("empty text without a mask", "\x81\x00", 1002),
        ROW("close without a mask", "\x88\x02\x03\xe8", 1002),
        ROW("a reserved bit", "\xc1\x82" MASK "{}", 1002),
        ROW("all reserved bits", "\xf1\x82" MASK "{}", 1002),
        ROW("opcode 3", "\x83\x82" MASK "{}", 1002),
        ROW("opcode 7", "\x87\x80" MASK, 1002),
        ROW("opcode 11", "\x8b\x80" MASK, 1002),
        ROW("opcode 15", "\x8f\x80" MASK, 1002),
        ROW("a continuation of nothing", "\x80\x82" MASK "{}", 1002),
        ROW("text within text", "\x01\x81" MASK "{\x81\x81" MASK "}", 1002),
        ROW("binary within text", "\x01\x81" MASK "{\x82\x81" MASK "}", 1002),
        ROW("binary", "\x82\x82" MASK "{}", 1003),
        ROW("empty binary", "\x82\x80" MASK, 1003),
        ROW("the first part of binary", "\x02\x82" MASK "{}", 1003),
        ROW("length in two bytes too many", "\x81\xfe\x00\x02" MASK "{}", 1002),
        ROW("length in eight bytes too many", "\x81\xff\x00\x00\x00\x00\x00\x00\x00\x02" MASK "{}",
            1002),
        ROW("length with its highest bit", "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00" MASK, 1002),
        ROW("length of exabytes", "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" MASK, 1009),
        ROW("one byte over the limit", "\x81\xff\x00\x00\x00\x00\x00\x10\x00\x01" MASK, 1009),
        ROW("text that is no UTF-8", "\x81\x82" MASK "\xc0\x80", 1007),
        ROW("text with a surrogate", "\x81\x83" MASK "\xed\xa0\x80", 1007),
        ROW("text beyond Unicode", "\x81\x84" MASK "\xf4\x90\x80\x80", 1007),
        ROW("text cut in a character", "\x81\x82" MASK "a\xc3", 1007),
        ROW("text cut in a character, in parts", "\x01\x81" MASK "\xc3\x80\x81" MASK "x", 1007),
        ROW("good text, then a violation", "\x81\x82" MASK "{}\x83\x80" MASK, 1002),
#undef ROW
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_close(cases[i].name, (struct slice){cases[i].bytes, cases[i].len}, cases[i].code);
    }
}

static void
a_message_of_too_many_fragments_is_closed(void **state)
{
    struct buf bytes = BUF_INIT;

    (void)state;
    buf_add(&bytes, "\x01\x80" MASK, 6);
    for (int i = 0; i < 1024; i++) {
        buf_add(&bytes, "\x00\x80" MASK, 6);
    }
    expect_close("fragments", buf_slice(&bytes), 1008);
    buf_fini(&bytes);
}

/* Sends a frame of text of 'len' bytes in parts of 'part'. */
static void
send_parts(struct client *c, const char *text, size_t len, size_t part)
{
    for (size_t at = 0; at < len; at += part) {
        size_t n = len - at < part ? len - at : part;

        ws_send(c, (at ? WS_CONTINUATION : WS_TEXT) | (at + n == len ? WS_FIN : 0U),
                (struct slice){text + at, n});
    }
}

static void
messages_up_to_the_limit_come_through_however_they_are_cut(void **state)
{
    static const size_t parts[] = {1048576, 1048575, 524288, 65536, 4096, 1025};
    const size_t len = 1048576;
    char *text = malloc(len + 1);

    (void)state;
    memset(text, ' ', len);
    memcpy(text, PING, strlen(PING));
    text[len] = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct client c;
        char *answer;

        ws_open(&c, port, TOKEN);
        send_parts(&c, text, len, parts[i]);
        answer = ws_message(&c, SECONDS, NULL);
        CHECK(answer && strstr(answer, "\"id\":7"));
        free(answer);
        client_close(&c);
    }
    free(text);
}

/* Every byte is a packet of its own, handshake and all, with control frames in between. */
static void
bytes_may_come_one_by_one(void **state)
{
    static const char shake[] = GET HOST AUTH REST;
    static const char frames[] = "\x01\x81" MASK "{"
                                 "\x8a\x82" MASK "\xff\xfe" /* A pong that is no text. */
                                 "\x89\x82" MASK "hi"
                                 "\x80\x84" MASK "\"x\":";
    int pongs = 0, answers = 0;
    struct client c;
    struct response r;
    struct ws_frame f;

    (void)state;
    client_open(&c, port);
    for (size_t i = 0; i < sizeof shake - 1; i++) {
        client_send(&c, (struct slice){shake + i, 1});
    }
    r = client_read(&c, false, SECONDS);
    CHECK_INT(r.status, 101);
    for (size_t i = 0; i < sizeof frames - 1; i++) {
        client_send(&c, (struct slice){frames + i, 1});
    }
    for (int i = 0; i < 2; i++) { /* In any order. */
        f = ws_next(&c, SECONDS);
        pongs += f.opcode == WS_PONG && slice_is(f.payload, "hi");
        answers += f.opcode == WS_TEXT && strstr(f.payload.data, "-32700") != NULL;
    }
    CHECK_INT(pongs, 1);
    CHECK_INT(answers, 1);
    client_close(&c);
}

/* The first message may follow the handshake at once. */
static void
frames_behind_the_handshake_are_taken(void **state)
{
    struct buf bytes = BUF_INIT;
    struct client c;
    char *answer;

    (void)state;
    buf_adds(&bytes, GET HOST AUTH REST);
    buf_add(&bytes, "\x81\xa8" MASK, 6);
    buf_adds(&bytes, PING);
    client_open(&c, port);
    client_send(&c, buf_slice(&bytes));
    CHECK_INT(client_read(&c, false, SECONDS).status, 101);
    answer = ws_message(&c, SECONDS, NULL);
    CHECK(answer && strstr(answer, "\"id\":7"));
    free(answer);
    client_close(&c);
    buf_fini(&bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes_are_judged),
        cmocka_unit_test(frames_of_the_set_get_what_they_may),
        cmocka_unit_test(violations_are_closed_with_their_code),
        cmocka_unit_test(a_message_of_too_many_fragments_is_closed),
        cmocka_unit_test(messages_up_to_the_limit_come_through_however_they_are_cut),
        cmocka_unit_test(bytes_may_come_one_by_one),
        cmocka_unit_test(frames_behind_the_handshake_are_taken),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
