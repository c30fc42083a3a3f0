/* test_relay.c -- the event relay by WebSocket: what clients say and are told, and that none of
 * them holds anybody up.  What they missed is in test_relay_past.c.
 *
 * The clock moves when the test says so. */
#include "tests/check.h"

#include "handlers/relay_client.h"
#include "state/relay.h"
#include "tests/relay_rig.h"
#include "tests/threads.h"
#include "tests/ws_client.h"

#include <malloc.h>
#include <stdio.h>

#define TOKEN "abcdefghijklmnopqrstuvwxyz0123456789"

static int
start_with_token(void **state)
{
    (void)state;
    http_rig_init(&relay_rig, TOKEN);
    return 0;
}

static int
start_tight(void **state)
{
    static const struct fake_setting settings[] = {{SETTING_relay_queue_bytes, "256KiB"},
                                                   {SETTING_events_history_bytes, "1MiB"},
                                                   {.text = NULL}};

    (void)state;
    http_rig_init_with(&relay_rig, NULL, settings);
    return 0;
}

static int
start_strict(void **state)
{
    static const struct fake_setting settings[] = {{SETTING_relay_overflow, "disconnect"},
                                                   {SETTING_relay_queue_bytes, "256KiB"},
                                                   {.text = NULL}};

    (void)state;
    http_rig_init_with(&relay_rig, NULL, settings);
    return 0;
}

/* ---- Beginning ---- */

static void
who_comes_first_is_told_what_was_last(void **state)
{
    struct client c;
    json_t *welcome, *replay, *events;

    (void)state;
    for (int i = 1; i <= 60; i++) {
        relay_rig_publish(i % 2 ? "odd.one" : "even.one", NULL, i);
    }
    welcome = relay_rig_greet(&c, "{\"type\":\"hello\",\"patterns\":[\"even.*\"]}");
    CHECK_INT(relay_rig_number(welcome, "seq"), 60);
    CHECK_INT(strlen(json_string_value(json_object_get(welcome, "client_id"))), 32);
    CHECK(!json_is_true(json_object_get(welcome, "resumed")));
    CHECK_INT(json_array_size(json_object_get(welcome, "patterns")), 1);
    replay = relay_rig_expect(&c, "replay");
    events = json_object_get(replay, "events");
    CHECK_INT(json_array_size(events), 30);
    CHECK_INT(relay_rig_number(replay, "count"), 30);
    CHECK_INT(relay_rig_number(replay, "from_seq"), 2);
    CHECK_INT(relay_rig_n(json_array_get(events, 29)), 60);
    json_decref(welcome);
    json_decref(replay);
    relay_rig_publish("odd.one", NULL, 61);
    relay_rig_publish("even.one", NULL, 62);
    replay = relay_rig_expect(&c, "event");
    CHECK_INT(relay_rig_n(json_object_get(replay, "event")), 62);
    json_decref(replay);
    client_close(&c);
}

static void
nothing_is_told_before_hello(void **state)
{
    struct client c;

    (void)state;
    relay_rig_connect(&c, "/ws");
    CHECK(ws_text(&c, "{\"type\":\"subscribe\",\"patterns\":[\"*\"]}"));
    relay_rig_expect_error(&c, "wrong_state");
    CHECK(ws_text(&c, "no JSON"));
    relay_rig_expect_error(&c, "parse_error");
    CHECK(ws_text(&c, "[1]"));
    relay_rig_expect_error(&c, "invalid_argument");
    fake_clock_pass(&relay_rig.clock, 11 * SECOND);
    relay_rig_expect_bye(&c, 1008);
    client_close(&c);
}

static void
a_token_comes_with_the_handshake_or_with_hello(void **state)
{
    struct client c;
    json_t *welcome;

    (void)state;
    client_open(&c, relay_rig.port);
    CHECK_INT(ws_shake_at(&c, "/ws", "", "wrong"), 401);
    client_close(&c);
    client_open(&c, relay_rig.port);
    CHECK_INT(ws_shake_at(&c, "/ws", "", TOKEN), 101);
    CHECK(ws_text(&c, "{\"type\":\"hello\"}"));
    json_decref(relay_rig_expect(&c, "welcome"));
    client_close(&c);

    welcome = relay_rig_greet(&c, "{\"type\":\"hello\",\"token\":\"" TOKEN "\"}");
    json_decref(welcome);
    client_close(&c);

    relay_rig_connect(&c, "/ws");
    CHECK(ws_text(&c, "{\"type\":\"hello\",\"token\":\"" TOKEN "x\"}"));
    relay_rig_expect_error(&c, "unauthorized");
    relay_rig_expect_bye(&c, 1008);
    client_close(&c);
    relay_rig_connect(&c, "/ws");
    CHECK(ws_text(&c, "{\"type\":\"hello\"}"));
    relay_rig_expect_error(&c, "unauthorized");
    relay_rig_expect_bye(&c, 1008);
    client_close(&c);
}

static void
it_is_a_path_for_websockets(void **state)
{
    struct client c;

    (void)state;
    client_open(&c, relay_rig.port);
    CHECK(client_sends(&c, "GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    CHECK_INT(client_next(&c).status, 426);
    client_close(&c);
    client_open(&c, relay_rig.port);
    CHECK(client_sends(&c, "GET /ws HTTP/1.1\r\nHost: localhost\r\n"
                           "Origin: http://evil.example\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    CHECK_INT(client_next(&c).status, 403);
    client_close(&c);
}

/* ---- What it may ask ---- */

static void
patterns_come_and_go(void **state)
{
    struct client c;
    json_t *frame;

    (void)state;
    json_decref(relay_rig_greet(&c, "{\"type\":\"hello\"}"));
    CHECK(ws_text(&c, "{\"type\":\"unsubscribe\",\"patterns\":[\"*\"]}"));
    frame = relay_rig_expect(&c, "subscribed");
    CHECK_INT(json_array_size(json_object_get(frame, "patterns")), 0);
    json_decref(frame);
    relay_rig_publish("a.b", NULL, 1); /* For nobody. */
    CHECK(ws_text(&c, "{\"type\":\"subscribe\",\"patterns\":[\"a.*\",\"b.**\"]}"));
    frame = relay_rig_expect(&c, "subscribed");
    CHECK_INT(json_array_size(json_object_get(frame, "patterns")), 2);
    json_decref(frame);
    relay_rig_publish("c.d", NULL, 2);
    relay_rig_publish("b", NULL, 3);
    frame = relay_rig_expect(&c, "event");
    CHECK_INT(relay_rig_n(json_object_get(frame, "event")), 3);
    json_decref(frame);
    CHECK(ws_text(&c, "{\"type\":\"subscribe\",\"patterns\":[\"hook*\"]}"));
    json_decref(relay_rig_expect(&c, "subscribed"));
    relay_rig_expect_error(&c, "invalid_argument");
    CHECK(ws_text(&c, "{\"type\":\"unsubscribe\",\"patterns\":[\"x\"]}"));
    json_decref(relay_rig_expect(&c, "subscribed"));
    relay_rig_expect_error(&c, "not_found");
    CHECK(ws_text(&c, "{\"type\":\"dance\"}"));
    relay_rig_expect_error(&c, "invalid_argument");
    CHECK(ws_text(&c, "{\"type\":\"hello\"}"));
    relay_rig_expect_error(&c, "wrong_state");
    client_close(&c);
}

/* U+0000 ends C strings: it is refused wherever it is said, not cut off there. */
/* A hello that says what it may not is told what is wrong, and ends: nothing can follow it. */
static void
odd_hellos_are_told_what_is_wrong(void **state)
{
    static const char *const hellos[] = {
        "{\"type\":\"hello\",\"patterns\":7}",
        "{\"type\":\"hello\",\"patterns\":[7]}",
        "{\"type\":\"hello\",\"patterns\":[\"a b\"]}",
        "{\"type\":\"hello\",\"tenant\":\"../x\"}",
        "{\"type\":\"hello\",\"tenant\":"
        "\"0123456789012345678901234567890123456789012345678901234567890"
        "12345678901234567890123456789012345678901234567890123456789\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof hellos / sizeof *hellos; i++) {
        struct client c;

        relay_rig_connect(&c, "/ws");
        CHECK(ws_text(&c, hellos[i]));
        relay_rig_expect_error(&c, "invalid_argument");
        json_decref(relay_rig_expect(&c, "bye"));
        client_close(&c);
    }
}

/* The next frame that tells an error. */
static void
expect_error_among(struct client *c, const char *said, const char *code)
{
    for (;;) {
        json_t *frame = relay_rig_next(c);
        bool told = frame && strcmp(relay_rig_type(frame), "error") == 0;
        const char *is = json_string_value(json_object_get(frame, "code"));

        if (!frame || (told && strcmp(is, code) != 0)) {
            fail_msg("%s: %s", said, frame ? is : "no answer");
        }
        json_decref(frame);
        if (told) {
            return;
        }
    }
}

/* A frame that says what it may not is answered by what is wrong with it, and the next is read. */
static void
odd_frames_are_told_what_is_wrong(void **state)
{
    static const char *const frames[][2] = {
        {"{\"type\":\"ack\"}", "invalid_argument"},
        {"{\"type\":\"ack\",\"seq\":-1}", "invalid_argument"},
        {"{\"type\":\"ack\",\"seq\":\"1\"}", "invalid_argument"},
        {"{\"type\":\"request_replay\"}", "invalid_argument"},
        {"{\"type\":\"request_replay\",\"last_seq\":1.5}", "invalid_argument"},
        {"{\"type\":\"subscribe\",\"patterns\":\"a\"}", "invalid_argument"},
        {"{\"type\":\"unsubscribe\",\"patterns\":[\"never.said\"]}", "not_found"},
        {"{\"type\":\"hello\"}", "wrong_state"},
        {"{\"type\":\"none\"}", "invalid_argument"},
        {"{\"type\":7}", "invalid_argument"},
        {"[]", "invalid_argument"},
        {"{", "parse_error"},
    };
    struct client c;

    (void)state;
    json_decref(relay_rig_greet(&c, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        CHECK(ws_text(&c, frames[i][0]));
        expect_error_among(&c, frames[i][0], frames[i][1]);
    }
    CHECK(ws_text(&c, "{\"type\":\"ack\",\"seq\":1}")); /* And what is right has no answer. */
    CHECK(ws_text(&c, "{\"type\":\"publish\",\"topic\":\"a.b\",\"data\":{}}"));
    json_decref(relay_rig_expect(&c, "published"));
    client_close(&c);
}

static void
nul_is_refused_clearly(void **state)
{
    static const char *const hellos[] = {
        "{\"type\":\"hello\",\"tenant\":\"default\\u0000x\"}",
        "{\"type\":\"hello\",\"epoch\":\"e\\u0000\",\"last_seq\":1}",
        "{\"type\":\"hello\",\"client_id\":\"\\u0000\"}",
        "{\"type\":\"hello\",\"patterns\":[\"a.*\\u0000\"]}",
        "{\"type\":\"hello\\u0000\"}",
    };
    struct client c;
    json_t *frame;

    (void)state;
    relay_rig_connect(&c, "/ws");
    for (size_t i = 0; i < sizeof hellos / sizeof hellos[0]; i++) {
        CHECK(ws_text(&c, hellos[i]));
        frame = relay_rig_expect(&c, "error");
        CHECK_STR(json_string_value(json_object_get(frame, "code")), "invalid_argument");
        CHECK(strstr(json_string_value(json_object_get(frame, "message")), "U+0000"));
        json_decref(frame);
    }
    CHECK(ws_text(&c, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    json_decref(relay_rig_expect(&c, "welcome"));
    CHECK(ws_text(&c, "{\"type\":\"publish\",\"topic\":\"a.b\\u0000c\"}"));
    relay_rig_expect_error(&c, "invalid_argument");
    CHECK(ws_text(&c, "{\"type\":\"publish\",\"topic\":\"a.b\",\"data\":{\"x\":\"\\u0000\"}}"));
    relay_rig_expect_error(&c, "invalid_argument");
    client_close(&c);
}

static void
what_a_client_publishes_is_told_to_all(void **state)
{
    struct client c, d;
    json_t *frame;

    (void)state;
    json_decref(relay_rig_greet(&c, "{\"type\":\"hello\",\"patterns\":[\"none\"]}"));
    json_decref(relay_rig_greet(&d, "{\"type\":\"hello\",\"patterns\":[\"build.*\"]}"));
    CHECK(ws_text(&c, "{\"type\":\"publish\",\"topic\":\"build.done\",\"data\":{\"n\":7}}"));
    json_decref(relay_rig_expect(&c, "published"));
    frame = relay_rig_expect(&d, "event");
    CHECK_INT(relay_rig_n(json_object_get(frame, "event")), 7);
    json_decref(frame);
    CHECK(ws_text(&c, "{\"type\":\"publish\",\"topic\":\"workflow.done\"}"));
    relay_rig_expect_error(&c, "invalid_argument"); /* The server's own. */
    CHECK(ws_text(&c, "{\"type\":\"publish\"}"));
    relay_rig_expect_error(&c, "invalid_argument");
    client_close(&c);
    client_close(&d);
}

static void
dashboards_are_told_in_their_words(void **state)
{
    struct client c;
    json_t *frame = NULL;

    (void)state;
    relay_rig_connect(&c, "/ws?compat=claude_event");
    CHECK(ws_text(&c, "{\"type\":\"hello\",\"patterns\":[\"hook.*\"]}"));
    json_decref(relay_rig_next(&c));
    relay_rig_publish("hook.pre_tool", NULL, 1);
    frame = relay_rig_next(&c);
    CHECK_STR(json_string_value(json_object_get(frame, "event")), "tool_event");
    CHECK_STR(json_string_value(json_object_get(frame, "type")), "hook");
    CHECK_STR(json_string_value(json_object_get(frame, "subtype")), "pre_tool");
    CHECK_INT(relay_rig_n(frame), 1);
    json_decref(frame);
    client_close(&c);
}

/* ---- Tenants ---- */

static void
relay_tenant_isolation(void **state)
{
    struct client c;
    json_t *frame;

    (void)state;
    fake_project_tenant(&relay_rig.project, "acme");
    relay_rig_publish("a.b", "other", 1);
    relay_rig_publish("a.b", "acme", 2);
    json_decref(
        relay_rig_greet(&c, "{\"type\":\"hello\",\"tenant\":\"acme\",\"patterns\":[\"a.*\"]}"));
    frame = relay_rig_expect(&c, "replay");
    CHECK_INT(relay_rig_number(frame, "count"), 1);
    CHECK_INT(relay_rig_n(json_array_get(json_object_get(frame, "events"), 0)), 2);
    json_decref(frame);
    relay_rig_publish("a.b", "other", 3);
    relay_rig_publish("a.b", NULL, 4);
    frame = relay_rig_expect(&c, "event");
    CHECK_INT(relay_rig_n(json_object_get(frame, "event")), 4);
    json_decref(frame);
    client_close(&c);
    relay_rig_connect(&c, "/ws");
    CHECK(ws_text(&c, "{\"type\":\"hello\",\"tenant\":\"../x\"}"));
    relay_rig_expect_error(&c, "invalid_argument");
    relay_rig_expect_bye(&c, 1008);
    client_close(&c);
    relay_rig_connect(&c, "/ws");
    CHECK(ws_text(&c, "{\"type\":\"hello\",\"tenant\":\"nobody\"}"));
    relay_rig_expect_error(&c, "unknown_tenant");
    relay_rig_expect_bye(&c, 1008);
    client_close(&c);
}

/* ---- Who does not read ---- */

static void
relay_overflow_gap(void **state)
{
    struct client slow, quick;
    char *big = calloc(1, 40001);
    json_t *frame;
    int64_t seen = 0, lost = 0, last = 0;

    (void)state;
    memset(big, 'x', 40000);
    json_decref(relay_rig_greet(&slow, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    json_decref(relay_rig_greet(&quick, "{\"type\":\"hello\",\"patterns\":[\"b.*\"]}"));
    for (int i = 1; i <= 600; i++) { /* 24 MB: more than sockets and its queue hold. */
        CHECK_INT(bus_publish(relay_rig.bus, &(struct bus_draft){.topic = "a.b",
                                                                 .data = json_pack("{s:i,s:s}", "n",
                                                                                   i, "x", big)}),
                  PUBLISHED_ACCEPTED);
    }
    relay_rig_publish("b.c", NULL, 1); /* Nobody else waits for it. */
    frame = relay_rig_expect(&quick, "event");
    json_decref(frame);
    relay_rig_publish("a.end", NULL, 601);
    while (last < 601) {
        frame = relay_rig_next(&slow);
        CHECK(frame != NULL);
        if (strcmp(relay_rig_type(frame), "gap") == 0) {
            lost += relay_rig_number(frame, "to") - relay_rig_number(frame, "from") + 1;
        } else if (strcmp(relay_rig_type(frame), "event") == 0) {
            int64_t n = relay_rig_n(json_object_get(frame, "event"));

            CHECK(n > last);
            last = n;
            seen++;
        }
        json_decref(frame);
    }
    CHECK(lost > 0);
    CHECK(seen < 601);
    CHECK(seen + lost >= 601); /* Each is told, or told to be lost. */
    free(big);
    client_close(&slow);
    client_close(&quick);
}

/* Bytes that the program has allocated and not freed; 0 under AddressSanitizer. */
static size_t
allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

#define STALLED 8
/* Of start_tight(): what the bus keeps, and what the queues hold beside it, the same events. */
#define SHARED (((size_t)1 << 20) + (size_t)256 * 1024)
#define OWN (RELAY_ROOM + (size_t)BUS_DATA_MAX) /* What was taken to be written, or one event. */

/* Of all that is published for it a client that does not read holds its queue, and what was taken
 * from there. */
static void
a_stalled_reader_costs_its_queue(void **state)
{
    struct client stalled[STALLED], quick;
    size_t before, after;
    json_t *frame;

    (void)state;
    json_decref(relay_rig_greet(&quick, "{\"type\":\"hello\",\"patterns\":[\"b.*\"]}"));
    for (int i = 0; i < STALLED; i++) {
        json_decref(relay_rig_greet(&stalled[i], "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    }
    before = allocated();
    for (int i = 0; i < 30; i++) { /* 36 MB for each. */
        relay_rig_publish_large("a.b", 20);
        relay_rig_publish("b.c", NULL,
                          i); /* The transport's thread has been round when this is told. */
        frame = relay_rig_expect(&quick, "event");
        CHECK_INT(relay_rig_n(json_object_get(frame, "event")), i);
        json_decref(frame);
    }
    after = allocated();
    CHECK(bus_stats(relay_rig.bus).unread > 0);
    if (after > before + SHARED + STALLED * OWN) {
        fail_msg("%zu bytes more for %d who do not read", after - before, STALLED);
    }
    for (int i = 0; i < STALLED; i++) {
        client_close(&stalled[i]);
    }
    client_close(&quick);
}

/* With overflow=disconnect it gets what was kept for it, a reason, and a close frame. */
static void
who_falls_behind_is_disconnected(void **state)
{
    struct client slow, quick;
    json_t *frame = NULL;
    int64_t seen = 0;
    unsigned code = 0;

    (void)state;
    json_decref(relay_rig_greet(&slow, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    json_decref(relay_rig_greet(&quick, "{\"type\":\"hello\",\"patterns\":[\"b.*\"]}"));
    relay_rig_publish_large("a.b", 300); /* 18 MB: more than sockets and its queue hold. */
    relay_rig_publish("b.c", NULL, 1);   /* Nobody else is disconnected. */
    json_decref(relay_rig_expect(&quick, "event"));
    CHECK_INT(bus_stats(relay_rig.bus).overflows, 1);
    for (frame = relay_rig_next(&slow); frame && strcmp(relay_rig_type(frame), "event") == 0;
         frame = relay_rig_next(&slow)) {
        CHECK_INT(relay_rig_n(json_object_get(frame, "event")),
                  ++seen); /* None is missing before. */
        json_decref(frame);
    }
    CHECK(seen > 0 && seen < 300);
    CHECK_STR(relay_rig_type(frame), "bye");
    CHECK_STR(json_string_value(json_object_get(frame, "reason")),
              "events were not read fast enough");
    json_decref(frame);
    CHECK(ws_message(&slow, SECONDS, &code) == NULL);
    CHECK_INT(code, 1008);
    client_close(&slow);
    relay_rig_publish("b.c", NULL, 2);
    json_decref(relay_rig_expect(&quick, "event"));
    client_close(&quick);
}

struct rush {
    struct client clients[8];
    _Atomic unsigned told;
};

/* Publishers on one half of the threads, readers on the other. */
static void
publish_or_read(void *arg, unsigned number_of_thread)
{
    struct rush *rush = arg;
    struct client *c = &rush->clients[number_of_thread / 2];
    int64_t last = 0, seq;
    unsigned told = 0;
    json_t *frame;

    if (number_of_thread % 2) {
        for (int i = 0; i < 50; i++) {
            relay_rig_publish("a.b", NULL, i);
        }
        return;
    }
    while (told < 8 * 50) {
        frame = relay_rig_next(c);
        CHECK(frame != NULL);
        if (strcmp(relay_rig_type(frame), "event") == 0) {
            seq = relay_rig_number(json_object_get(frame, "event"), "seq");
            CHECK(seq > last);
            last = seq;
            told++;
        }
        json_decref(frame);
    }
    atomic_fetch_add(&rush->told, told);
}

static void
relay_tells_all_in_one_order(void **state)
{
    struct rush rush = {.told = 0};

    (void)state;
    for (int i = 0; i < 8; i++) {
        json_decref(
            relay_rig_greet(&rush.clients[i], "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    }
    threads_run(16, publish_or_read, &rush);
    CHECK_INT(rush.told, 8 * 8 * 50);
    for (int i = 0; i < 8; i++) {
        client_close(&rush.clients[i]);
    }
}

static void
the_end_of_the_server_is_told(void **state)
{
    struct client c;

    (void)state;
    json_decref(relay_rig_greet(&c, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    http_rig_stop(&relay_rig);
    relay_rig_expect_bye(&c, 1001);
    client_close(&c);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, relay_rig_start, relay_rig_stop)
    const struct CMUnitTest tests[] = {
        TEST(who_comes_first_is_told_what_was_last),
        TEST(nothing_is_told_before_hello),
        cmocka_unit_test_setup_teardown(a_token_comes_with_the_handshake_or_with_hello,
                                        start_with_token, relay_rig_stop),
        TEST(it_is_a_path_for_websockets),
        TEST(patterns_come_and_go),
        TEST(odd_hellos_are_told_what_is_wrong),
        TEST(odd_frames_are_told_what_is_wrong),
        TEST(nul_is_refused_clearly),
        TEST(what_a_client_publishes_is_told_to_all),
        TEST(dashboards_are_told_in_their_words),
        TEST(relay_tenant_isolation),
        TEST(relay_overflow_gap),
        cmocka_unit_test_setup_teardown(a_stalled_reader_costs_its_queue, start_tight,
                                        relay_rig_stop),
        cmocka_unit_test_setup_teardown(who_falls_behind_is_disconnected, start_strict,
                                        relay_rig_stop),
        TEST(relay_tells_all_in_one_order),
        TEST(the_end_of_the_server_is_told),
    };
#undef TEST
    return CHECK_RUN(tests);
}
