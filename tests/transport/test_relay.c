/* test_relay.c -- the event relay by WebSocket: what clients say and are told, what they miss while
 * they are away, and that none of them holds anybody up.
 *
 * The clock moves when the test says so. */
#include "tests/check.h"

#include "handlers/relay_client.h"
#include "state/relay.h"
#include "tests/http_rig.h"
#include "tests/threads.h"
#include "tests/ws_client.h"

#include <jansson.h>
#include <malloc.h>
#include <stdio.h>

#define SECONDS 20
#define TOKEN "abcdefghijklmnopqrstuvwxyz0123456789"

static struct http_rig rig;

static int
start(void **state)
{
    (void)state;
    http_rig_init(&rig, NULL);
    return 0;
}

static int
start_with_token(void **state)
{
    (void)state;
    http_rig_init(&rig, TOKEN);
    return 0;
}

static int
start_small(void **state)
{
    static const struct fake_setting settings[] = {{SETTING_relay_max_clients, "2"},
                                                   {SETTING_relay_patterns, "a.*,relay.*,z"},
                                                   {.text = NULL}};

    (void)state;
    http_rig_init_with(&rig, NULL, settings);
    return 0;
}

static int
start_tight(void **state)
{
    static const struct fake_setting settings[] = {{SETTING_relay_queue_bytes, "256KiB"},
                                                   {SETTING_events_history_bytes, "1MiB"},
                                                   {.text = NULL}};

    (void)state;
    http_rig_init_with(&rig, NULL, settings);
    return 0;
}

static int
start_strict(void **state)
{
    static const struct fake_setting settings[] = {{SETTING_relay_overflow, "disconnect"},
                                                   {SETTING_relay_queue_bytes, "256KiB"},
                                                   {.text = NULL}};

    (void)state;
    http_rig_init_with(&rig, NULL, settings);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    http_rig_fini(&rig);
    return 0;
}

/* ---- Talking ---- */

static void
connect_to(struct client *c, const char *path)
{
    client_open(c, rig.port);
    CHECK_INT(ws_shake_at(c, path, "", NULL), 101);
}

/* The next frame, parsed; null if none comes. */
static json_t *
next(struct client *c)
{
    char *text = ws_message(c, SECONDS, NULL);
    json_t *frame = text ? json_loads(text, 0, NULL) : NULL;

    free(text);
    return frame;
}

static const char *
type_of(const json_t *frame)
{
    const char *type = json_string_value(json_object_get(frame, "type"));

    return type ? type : "";
}

/* The next frame that is no event of the relay itself, which must be of that type. */
static json_t *
expect(struct client *c, const char *type)
{
    json_t *frame = next(c);
    const char *topic;

    while (frame && strcmp(type, type_of(frame)) != 0 && strcmp(type_of(frame), "event") == 0) {
        topic = json_string_value(json_object_get(json_object_get(frame, "event"), "topic"));
        CHECK(strncmp(topic, "relay.", 6) == 0);
        json_decref(frame);
        frame = next(c);
    }
    CHECK_STR(type_of(frame), type);
    return frame;
}

static void
expect_error(struct client *c, const char *code)
{
    json_t *frame = expect(c, "error");

    CHECK_STR(json_string_value(json_object_get(frame, "code")), code);
    json_decref(frame);
}

static void
expect_bye(struct client *c, unsigned code)
{
    unsigned closed = 0;
    json_t *frame = expect(c, "bye");

    json_decref(frame);
    CHECK(ws_message(c, SECONDS, &closed) == NULL);
    CHECK_INT(closed, code);
}

/* Says hello and returns the welcome. */
static json_t *
greet(struct client *c, const char *hello)
{
    connect_to(c, "/ws");
    CHECK(ws_text(c, hello));
    return expect(c, "welcome");
}

static void
publish(const char *topic, const char *tenant, int n)
{
    CHECK_INT(bus_publish(rig.bus, &(struct bus_draft){.topic = topic,
                                                       .tenant = tenant,
                                                       .data = json_pack("{s:i}", "n", n)}),
              PUBLISHED_ACCEPTED);
}

static int64_t
number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static int64_t
n_of(const json_t *event)
{
    return number(json_object_get(event, "data"), "n");
}

/* ---- Beginning ---- */

static void
who_comes_first_is_told_what_was_last(void **state)
{
    struct client c;
    json_t *welcome, *replay, *events;

    (void)state;
    for (int i = 1; i <= 60; i++) {
        publish(i % 2 ? "odd.one" : "even.one", NULL, i);
    }
    welcome = greet(&c, "{\"type\":\"hello\",\"patterns\":[\"even.*\"]}");
    CHECK_INT(number(welcome, "seq"), 60);
    CHECK_INT(strlen(json_string_value(json_object_get(welcome, "client_id"))), 32);
    CHECK(!json_is_true(json_object_get(welcome, "resumed")));
    CHECK_INT(json_array_size(json_object_get(welcome, "patterns")), 1);
    replay = expect(&c, "replay");
    events = json_object_get(replay, "events");
    CHECK_INT(json_array_size(events), 30);
    CHECK_INT(number(replay, "count"), 30);
    CHECK_INT(number(replay, "from_seq"), 2);
    CHECK_INT(n_of(json_array_get(events, 29)), 60);
    json_decref(welcome);
    json_decref(replay);
    publish("odd.one", NULL, 61);
    publish("even.one", NULL, 62);
    replay = expect(&c, "event");
    CHECK_INT(n_of(json_object_get(replay, "event")), 62);
    json_decref(replay);
    client_close(&c);
}

static void
nothing_is_told_before_hello(void **state)
{
    struct client c;

    (void)state;
    connect_to(&c, "/ws");
    CHECK(ws_text(&c, "{\"type\":\"subscribe\",\"patterns\":[\"*\"]}"));
    expect_error(&c, "wrong_state");
    CHECK(ws_text(&c, "no JSON"));
    expect_error(&c, "parse_error");
    CHECK(ws_text(&c, "[1]"));
    expect_error(&c, "invalid_argument");
    fake_clock_pass(&rig.clock, 11 * SECOND);
    expect_bye(&c, 1008);
    client_close(&c);
}

static void
a_token_comes_with_the_handshake_or_with_hello(void **state)
{
    struct client c;
    json_t *welcome;

    (void)state;
    client_open(&c, rig.port);
    CHECK_INT(ws_shake_at(&c, "/ws", "", "wrong"), 401);
    client_close(&c);
    client_open(&c, rig.port);
    CHECK_INT(ws_shake_at(&c, "/ws", "", TOKEN), 101);
    CHECK(ws_text(&c, "{\"type\":\"hello\"}"));
    json_decref(expect(&c, "welcome"));
    client_close(&c);

    welcome = greet(&c, "{\"type\":\"hello\",\"token\":\"" TOKEN "\"}");
    json_decref(welcome);
    client_close(&c);

    connect_to(&c, "/ws");
    CHECK(ws_text(&c, "{\"type\":\"hello\",\"token\":\"" TOKEN "x\"}"));
    expect_error(&c, "unauthorized");
    expect_bye(&c, 1008);
    client_close(&c);
    connect_to(&c, "/ws");
    CHECK(ws_text(&c, "{\"type\":\"hello\"}"));
    expect_error(&c, "unauthorized");
    expect_bye(&c, 1008);
    client_close(&c);
}

static void
it_is_a_path_for_websockets(void **state)
{
    struct client c;

    (void)state;
    client_open(&c, rig.port);
    CHECK(client_sends(&c, "GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    CHECK_INT(client_next(&c).status, 426);
    client_close(&c);
    client_open(&c, rig.port);
    CHECK(client_sends(&c, "GET /ws HTTP/1.1\r\nHost: localhost\r\n"
                           "Origin: http://evil.example\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    CHECK_INT(client_next(&c).status, 403);
    client_close(&c);
}

/* ---- Coming back ---- */

/* A hello that comes back to what 'welcome' told. */
static char *
hello_again(const json_t *welcome, int64_t seq)
{
    return xasprintf("{\"type\":\"hello\",\"client_id\":\"%s\",\"epoch\":\"%s\","
                     "\"last_seq\":%lld,\"patterns\":[\"a.*\"]}",
                     json_string_value(json_object_get(welcome, "client_id")),
                     json_string_value(json_object_get(welcome, "epoch")), (long long)seq);
}

static void
relay_reconnect_replays_missed(void **state)
{
    struct client c;
    json_t *welcome, *frame;
    char *again;
    int64_t told = 0;

    (void)state;
    welcome = greet(&c, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}");
    publish("a.b", NULL, 1);
    frame = expect(&c, "event");
    again = hello_again(welcome, number(json_object_get(frame, "event"), "seq"));
    json_decref(frame);
    client_close(&c);
    for (int i = 2; i <= 301; i++) { /* While it is away. */
        publish("a.b", NULL, i);
        publish("c.d", NULL, i);
    }
    json_decref(welcome);
    welcome = greet(&c, again);
    CHECK(json_is_true(json_object_get(welcome, "resumed")));
    while (told < 300) {
        json_t *event;
        size_t i;

        frame = expect(&c, "replay");
        CHECK(json_is_true(json_object_get(frame, "complete")));
        json_array_foreach(json_object_get(frame, "events"), i, event) {
            CHECK_INT(n_of(event), 2 + told++);
        }
        json_decref(frame);
    }
    CHECK_INT(told, 300);
    publish("a.b", NULL, 1000);
    frame = expect(&c, "event"); /* Nothing twice, nothing else. */
    CHECK_INT(n_of(json_object_get(frame, "event")), 1000);
    json_decref(frame);
    json_decref(welcome);
    free(again);
    client_close(&c);
}

static void
relay_reconnect_past_the_ring_tells_the_gap(void **state)
{
    struct client c;
    json_t *welcome, *frame;
    char *again;

    (void)state;
    welcome = greet(&c, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}");
    again = hello_again(welcome, number(welcome, "seq"));
    client_close(&c);
    for (int i = 1; i <= 1500; i++) {
        publish("a.b", NULL, i);
    }
    json_decref(welcome);
    json_decref(greet(&c, again));
    frame = expect(&c, "gap");
    CHECK(number(frame, "to") >= 500);
    json_decref(frame);
    frame = expect(&c, "replay");
    CHECK(!json_is_true(json_object_get(frame, "complete")));
    json_decref(frame);
    free(again);
    client_close(&c);
}

static void
relay_epoch_change(void **state)
{
    struct client c;
    json_t *welcome, *frame;

    (void)state;
    publish("a.b", NULL, 1);
    welcome = greet(&c, "{\"type\":\"hello\",\"epoch\":\"another\",\"last_seq\":99}");
    CHECK(!json_is_true(json_object_get(welcome, "resumed")));
    frame = expect(&c, "replay"); /* The history. */
    CHECK_INT(number(frame, "count"), 1);
    json_decref(frame);
    json_decref(welcome);
    client_close(&c);
}

static void
relay_stop_start_no_duplicates(void **state)
{
    struct client c;
    json_t *frame;

    (void)state;
    for (int i = 1; i <= 20; i++) { /* What was there before is there no more. */
        char *hello = xasprintf("{\"type\":\"hello\",\"patterns\":[\"n%d.*\"]}", i), topic[16];

        snprintf(topic, sizeof topic, "n%d.x", i);
        json_decref(greet(&c, hello));
        CHECK(ws_text(&c, "{\"type\":\"unsubscribe\",\"patterns\":[]}"));
        json_decref(expect(&c, "subscribed"));
        CHECK(ws_text(&c, hello)); /* Twice is once. */
        expect_error(&c, "wrong_state");
        publish(topic, NULL, i);
        publish(topic, NULL, -i);
        for (int sign = 1; sign >= -1; sign -= 2) {
            frame = expect(&c, "event");
            CHECK_INT(n_of(json_object_get(frame, "event")), sign * i);
            json_decref(frame);
        }
        CHECK_INT(bus_stats(rig.bus).readers, 1);
        free(hello);
        CHECK(ws_leave(&c, 1000));
        CHECK(ws_message(&c, SECONDS, NULL) == NULL);
        CHECK(client_is_closed(&c));
        client_close(&c);
    }
}

static void
a_card_is_its_owners_only(void **state)
{
    struct relay *relay = state_relay(rig.project.state);
    struct relay_view views[4];
    struct client c, d;
    json_t *first, *second;
    char *again;

    (void)state;
    first = greet(&c, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}");
    again = hello_again(first, 0);
    second = greet(&d, again); /* Its owner is there. */
    CHECK(strcmp(json_string_value(json_object_get(first, "client_id")),
                 json_string_value(json_object_get(second, "client_id"))) != 0);
    CHECK_INT(relay_views(relay, "default", views, 4), 2);
    CHECK_INT(relay_views(relay, "acme", views, 4), 0);
    CHECK_INT(relay_counters(relay).resumed, 0);
    json_decref(first);
    json_decref(second);
    free(again);
    client_close(&c);
    client_close(&d);
}

/* ---- What it may ask ---- */

static void
patterns_come_and_go(void **state)
{
    struct client c;
    json_t *frame;

    (void)state;
    json_decref(greet(&c, "{\"type\":\"hello\"}"));
    CHECK(ws_text(&c, "{\"type\":\"unsubscribe\",\"patterns\":[\"*\"]}"));
    frame = expect(&c, "subscribed");
    CHECK_INT(json_array_size(json_object_get(frame, "patterns")), 0);
    json_decref(frame);
    publish("a.b", NULL, 1); /* For nobody. */
    CHECK(ws_text(&c, "{\"type\":\"subscribe\",\"patterns\":[\"a.*\",\"b.**\"]}"));
    frame = expect(&c, "subscribed");
    CHECK_INT(json_array_size(json_object_get(frame, "patterns")), 2);
    json_decref(frame);
    publish("c.d", NULL, 2);
    publish("b", NULL, 3);
    frame = expect(&c, "event");
    CHECK_INT(n_of(json_object_get(frame, "event")), 3);
    json_decref(frame);
    CHECK(ws_text(&c, "{\"type\":\"subscribe\",\"patterns\":[\"hook*\"]}"));
    json_decref(expect(&c, "subscribed"));
    expect_error(&c, "invalid_argument");
    CHECK(ws_text(&c, "{\"type\":\"unsubscribe\",\"patterns\":[\"x\"]}"));
    json_decref(expect(&c, "subscribed"));
    expect_error(&c, "not_found");
    CHECK(ws_text(&c, "{\"type\":\"dance\"}"));
    expect_error(&c, "invalid_argument");
    CHECK(ws_text(&c, "{\"type\":\"hello\"}"));
    expect_error(&c, "wrong_state");
    client_close(&c);
}

static void
history_and_replay_are_given_when_asked_for(void **state)
{
    struct client c;
    json_t *frame;

    (void)state;
    for (int i = 1; i <= 20; i++) {
        publish("a.b", NULL, i);
    }
    json_decref(greet(&c, "{\"type\":\"hello\",\"patterns\":[\"z\"]}"));
    CHECK(ws_text(&c, "{\"type\":\"get_history\",\"patterns\":[\"a.*\"],\"limit\":5}"));
    frame = expect(&c, "history");
    CHECK_INT(number(frame, "count"), 5);
    CHECK_INT(n_of(json_array_get(json_object_get(frame, "events"), 4)), 20);
    json_decref(frame);
    CHECK(ws_text(&c, "{\"type\":\"get_history\",\"limit\":101}"));
    expect_error(&c, "invalid_argument");
    CHECK(ws_text(&c, "{\"type\":\"subscribe\",\"patterns\":[\"a.*\"]}"));
    json_decref(expect(&c, "subscribed"));
    CHECK(ws_text(&c, "{\"type\":\"request_replay\",\"last_seq\":15}"));
    frame = expect(&c, "replay");
    CHECK_INT(number(frame, "count"), 5);
    CHECK_INT(number(frame, "from_seq"), 16);
    json_decref(frame);
    CHECK(ws_text(&c, "{\"type\":\"ping\"}"));
    json_decref(expect(&c, "pong"));
    client_close(&c);
}

/* Publishes 'count' events of about 60 KB each. */
static void
publish_large(const char *topic, int count)
{
    char *big = calloc(1, 60001);

    memset(big, 'x', 60000);
    for (int i = 1; i <= count; i++) {
        CHECK_INT(bus_publish(rig.bus, &(struct bus_draft){.topic = topic,
                                                           .data = json_pack("{s:i,s:s}", "n", i,
                                                                             "x", big)}),
                  PUBLISHED_ACCEPTED);
    }
    free(big);
}

/* Frames of the past are bounded by bytes: a history says how to get the rest, and a replay is
 * more frames. */
static void
much_of_the_past_comes_in_parts(void **state)
{
    struct client c;
    json_t *frame;
    int64_t before = 0, told = 0;
    size_t count;

    (void)state;
    publish_large("a.b", 20);
    json_decref(greet(&c, "{\"type\":\"hello\",\"patterns\":[\"z\"]}"));
    while (told < 20) {
        char *ask = before ? xasprintf("{\"type\":\"get_history\",\"patterns\":[\"a.*\"],"
                                       "\"before\":%lld}",
                                       (long long)before)
                           : xstrdup("{\"type\":\"get_history\",\"patterns\":[\"a.*\"]}");

        CHECK(ws_text(&c, ask));
        free(ask);
        frame = expect(&c, "history");
        count = json_array_size(json_object_get(frame, "events"));
        CHECK_INT(count, 4); /* Of 256 KiB. */
        CHECK_INT(number(frame, "count"), 4);
        CHECK_INT(number(frame, "left_out"), 20 - told - 4);
        CHECK_INT(n_of(json_array_get(json_object_get(frame, "events"), count - 1)), 20 - told);
        before = number(frame, "before");
        told += 4;
        json_decref(frame);
    }
    CHECK_INT(before, 0); /* Nothing is left. */
    CHECK(ws_text(&c, "{\"type\":\"get_history\",\"before\":0}"));
    expect_error(&c, "invalid_argument");
    CHECK(ws_text(&c, "{\"type\":\"subscribe\",\"patterns\":[\"a.*\"]}"));
    json_decref(expect(&c, "subscribed"));
    CHECK(ws_text(&c, "{\"type\":\"request_replay\",\"last_seq\":0}"));
    for (told = 0; told < 20;) {
        json_t *event;
        size_t i;

        frame = expect(&c, "replay");
        CHECK(json_is_true(json_object_get(frame, "complete")));
        CHECK(number(frame, "count") <= 2);
        json_array_foreach(json_object_get(frame, "events"), i, event) {
            CHECK_INT(n_of(event), ++told);
        }
        json_decref(frame);
    }
    client_close(&c);
}

/* Looking back takes no place of a reader, and shows what may leave the process, and no more. */
static void
history_is_for_who_is_there_already(void **state)
{
    struct client clients[2];
    struct bus_stats before, after;
    json_t *frame;

    (void)state;
    publish("a.b", NULL, 1);
    publish("secret.b", NULL, 2);
    publish("a.b", "acme", 3);
    json_decref(greet(&clients[0], "{\"type\":\"hello\",\"patterns\":[\"z\"]}"));
    json_decref(greet(&clients[1], "{\"type\":\"hello\",\"patterns\":[\"z\"]}"));
    before = bus_stats(rig.bus);
    CHECK_INT(before.readers, 2); /* As many as there may be. */
    CHECK(ws_text(&clients[0], "{\"type\":\"get_history\",\"patterns\":[\"a.*\",\"secret.*\"]}"));
    frame = expect(&clients[0], "history");
    CHECK_INT(number(frame, "count"), 1);
    CHECK_INT(n_of(json_array_get(json_object_get(frame, "events"), 0)), 1);
    json_decref(frame);
    CHECK(ws_text(&clients[0], "{\"type\":\"subscribe\",\"patterns\":[\"a.*\"]}"));
    json_decref(expect(&clients[0], "subscribed"));
    CHECK(ws_text(&clients[0], "{\"type\":\"request_replay\",\"last_seq\":0}"));
    frame = expect(&clients[0], "replay");
    CHECK_INT(number(frame, "count"), 1);
    json_decref(frame);
    after = bus_stats(rig.bus);
    CHECK_INT(after.refused, before.refused);
    CHECK_INT(after.readers, 2);
    client_close(&clients[0]);
    client_close(&clients[1]);
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

        connect_to(&c, "/ws");
        CHECK(ws_text(&c, hellos[i]));
        expect_error(&c, "invalid_argument");
        json_decref(expect(&c, "bye"));
        client_close(&c);
    }
}

/* The next frame that tells an error. */
static void
expect_error_among(struct client *c, const char *said, const char *code)
{
    for (;;) {
        json_t *frame = next(c);
        bool told = frame && strcmp(type_of(frame), "error") == 0;
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
    json_decref(greet(&c, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        CHECK(ws_text(&c, frames[i][0]));
        expect_error_among(&c, frames[i][0], frames[i][1]);
    }
    CHECK(ws_text(&c, "{\"type\":\"ack\",\"seq\":1}")); /* And what is right has no answer. */
    CHECK(ws_text(&c, "{\"type\":\"publish\",\"topic\":\"a.b\",\"data\":{}}"));
    json_decref(expect(&c, "published"));
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
    connect_to(&c, "/ws");
    for (size_t i = 0; i < sizeof hellos / sizeof hellos[0]; i++) {
        CHECK(ws_text(&c, hellos[i]));
        frame = expect(&c, "error");
        CHECK_STR(json_string_value(json_object_get(frame, "code")), "invalid_argument");
        CHECK(strstr(json_string_value(json_object_get(frame, "message")), "U+0000"));
        json_decref(frame);
    }
    CHECK(ws_text(&c, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    json_decref(expect(&c, "welcome"));
    CHECK(ws_text(&c, "{\"type\":\"publish\",\"topic\":\"a.b\\u0000c\"}"));
    expect_error(&c, "invalid_argument");
    CHECK(ws_text(&c, "{\"type\":\"publish\",\"topic\":\"a.b\",\"data\":{\"x\":\"\\u0000\"}}"));
    expect_error(&c, "invalid_argument");
    client_close(&c);
}

static void
what_a_client_publishes_is_told_to_all(void **state)
{
    struct client c, d;
    json_t *frame;

    (void)state;
    json_decref(greet(&c, "{\"type\":\"hello\",\"patterns\":[\"none\"]}"));
    json_decref(greet(&d, "{\"type\":\"hello\",\"patterns\":[\"build.*\"]}"));
    CHECK(ws_text(&c, "{\"type\":\"publish\",\"topic\":\"build.done\",\"data\":{\"n\":7}}"));
    json_decref(expect(&c, "published"));
    frame = expect(&d, "event");
    CHECK_INT(n_of(json_object_get(frame, "event")), 7);
    json_decref(frame);
    CHECK(ws_text(&c, "{\"type\":\"publish\",\"topic\":\"workflow.done\"}"));
    expect_error(&c, "invalid_argument"); /* The server's own. */
    CHECK(ws_text(&c, "{\"type\":\"publish\"}"));
    expect_error(&c, "invalid_argument");
    client_close(&c);
    client_close(&d);
}

static void
dashboards_are_told_in_their_words(void **state)
{
    struct client c;
    json_t *frame = NULL;

    (void)state;
    connect_to(&c, "/ws?compat=claude_event");
    CHECK(ws_text(&c, "{\"type\":\"hello\",\"patterns\":[\"hook.*\"]}"));
    json_decref(next(&c));
    publish("hook.pre_tool", NULL, 1);
    frame = next(&c);
    CHECK_STR(json_string_value(json_object_get(frame, "event")), "tool_event");
    CHECK_STR(json_string_value(json_object_get(frame, "type")), "hook");
    CHECK_STR(json_string_value(json_object_get(frame, "subtype")), "pre_tool");
    CHECK_INT(n_of(frame), 1);
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
    fake_project_tenant(&rig.project, "acme");
    publish("a.b", "other", 1);
    publish("a.b", "acme", 2);
    json_decref(greet(&c, "{\"type\":\"hello\",\"tenant\":\"acme\",\"patterns\":[\"a.*\"]}"));
    frame = expect(&c, "replay");
    CHECK_INT(number(frame, "count"), 1);
    CHECK_INT(n_of(json_array_get(json_object_get(frame, "events"), 0)), 2);
    json_decref(frame);
    publish("a.b", "other", 3);
    publish("a.b", NULL, 4);
    frame = expect(&c, "event");
    CHECK_INT(n_of(json_object_get(frame, "event")), 4);
    json_decref(frame);
    client_close(&c);
    connect_to(&c, "/ws");
    CHECK(ws_text(&c, "{\"type\":\"hello\",\"tenant\":\"../x\"}"));
    expect_error(&c, "invalid_argument");
    expect_bye(&c, 1008);
    client_close(&c);
    connect_to(&c, "/ws");
    CHECK(ws_text(&c, "{\"type\":\"hello\",\"tenant\":\"nobody\"}"));
    expect_error(&c, "unknown_tenant");
    expect_bye(&c, 1008);
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
    json_decref(greet(&slow, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    json_decref(greet(&quick, "{\"type\":\"hello\",\"patterns\":[\"b.*\"]}"));
    for (int i = 1; i <= 600; i++) { /* 24 MB: more than sockets and its queue hold. */
        CHECK_INT(bus_publish(rig.bus, &(struct bus_draft){.topic = "a.b",
                                                           .data = json_pack("{s:i,s:s}", "n", i,
                                                                             "x", big)}),
                  PUBLISHED_ACCEPTED);
    }
    publish("b.c", NULL, 1); /* Nobody else waits for it. */
    frame = expect(&quick, "event");
    json_decref(frame);
    publish("a.end", NULL, 601);
    while (last < 601) {
        frame = next(&slow);
        CHECK(frame != NULL);
        if (strcmp(type_of(frame), "gap") == 0) {
            lost += number(frame, "to") - number(frame, "from") + 1;
        } else if (strcmp(type_of(frame), "event") == 0) {
            int64_t n = n_of(json_object_get(frame, "event"));

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
    json_decref(greet(&quick, "{\"type\":\"hello\",\"patterns\":[\"b.*\"]}"));
    for (int i = 0; i < STALLED; i++) {
        json_decref(greet(&stalled[i], "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    }
    before = allocated();
    for (int i = 0; i < 30; i++) { /* 36 MB for each. */
        publish_large("a.b", 20);
        publish("b.c", NULL, i); /* The transport's thread has been round when this is told. */
        frame = expect(&quick, "event");
        CHECK_INT(n_of(json_object_get(frame, "event")), i);
        json_decref(frame);
    }
    after = allocated();
    CHECK(bus_stats(rig.bus).unread > 0);
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
    json_decref(greet(&slow, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    json_decref(greet(&quick, "{\"type\":\"hello\",\"patterns\":[\"b.*\"]}"));
    publish_large("a.b", 300); /* 18 MB: more than sockets and its queue hold. */
    publish("b.c", NULL, 1);   /* Nobody else is disconnected. */
    json_decref(expect(&quick, "event"));
    CHECK_INT(bus_stats(rig.bus).overflows, 1);
    for (frame = next(&slow); frame && strcmp(type_of(frame), "event") == 0; frame = next(&slow)) {
        CHECK_INT(n_of(json_object_get(frame, "event")), ++seen); /* None is missing before. */
        json_decref(frame);
    }
    CHECK(seen > 0 && seen < 300);
    CHECK_STR(type_of(frame), "bye");
    CHECK_STR(json_string_value(json_object_get(frame, "reason")),
              "events were not read fast enough");
    json_decref(frame);
    CHECK(ws_message(&slow, SECONDS, &code) == NULL);
    CHECK_INT(code, 1008);
    client_close(&slow);
    publish("b.c", NULL, 2);
    json_decref(expect(&quick, "event"));
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
            publish("a.b", NULL, i);
        }
        return;
    }
    while (told < 8 * 50) {
        frame = next(c);
        CHECK(frame != NULL);
        if (strcmp(type_of(frame), "event") == 0) {
            seq = number(json_object_get(frame, "event"), "seq");
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
        json_decref(greet(&rush.clients[i], "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
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
    json_decref(greet(&c, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}"));
    http_rig_stop(&rig);
    expect_bye(&c, 1001);
    client_close(&c);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(who_comes_first_is_told_what_was_last),
        TEST(nothing_is_told_before_hello),
        cmocka_unit_test_setup_teardown(a_token_comes_with_the_handshake_or_with_hello,
                                        start_with_token, stop),
        TEST(it_is_a_path_for_websockets),
        TEST(relay_reconnect_replays_missed),
        TEST(relay_reconnect_past_the_ring_tells_the_gap),
        TEST(relay_epoch_change),
        TEST(relay_stop_start_no_duplicates),
        TEST(a_card_is_its_owners_only),
        TEST(patterns_come_and_go),
        TEST(history_and_replay_are_given_when_asked_for),
        TEST(much_of_the_past_comes_in_parts),
        cmocka_unit_test_setup_teardown(history_is_for_who_is_there_already, start_small, stop),
        TEST(odd_hellos_are_told_what_is_wrong),
        TEST(odd_frames_are_told_what_is_wrong),
        TEST(nul_is_refused_clearly),
        TEST(what_a_client_publishes_is_told_to_all),
        TEST(dashboards_are_told_in_their_words),
        TEST(relay_tenant_isolation),
        TEST(relay_overflow_gap),
        cmocka_unit_test_setup_teardown(a_stalled_reader_costs_its_queue, start_tight, stop),
        cmocka_unit_test_setup_teardown(who_falls_behind_is_disconnected, start_strict, stop),
        TEST(relay_tells_all_in_one_order),
        TEST(the_end_of_the_server_is_told),
    };
#undef TEST
    return CHECK_RUN(tests);
}
