/* test_relay_past.c -- the event relay by WebSocket: what clients missed while they were away, and
 * what they are told of the past when they ask.
 *
 * The clock moves when the test says so. */
#include "tests/check.h"

#include "state/relay.h"
#include "tests/relay_rig.h"
#include "tests/ws_client.h"

#include <stdio.h>

static int
start_small(void **state)
{
    static const struct fake_setting settings[] = {{SETTING_relay_max_clients, "2"},
                                                   {SETTING_relay_patterns, "a.*,relay.*,z"},
                                                   {.text = NULL}};

    (void)state;
    http_rig_init_with(&relay_rig, NULL, settings);
    return 0;
}

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
    welcome = relay_rig_greet(&c, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}");
    relay_rig_publish("a.b", NULL, 1);
    frame = relay_rig_expect(&c, "event");
    again = hello_again(welcome, relay_rig_number(json_object_get(frame, "event"), "seq"));
    json_decref(frame);
    client_close(&c);
    for (int i = 2; i <= 301; i++) { /* While it is away. */
        relay_rig_publish("a.b", NULL, i);
        relay_rig_publish("c.d", NULL, i);
    }
    json_decref(welcome);
    welcome = relay_rig_greet(&c, again);
    CHECK(json_is_true(json_object_get(welcome, "resumed")));
    while (told < 300) {
        json_t *event;
        size_t i;

        frame = relay_rig_expect(&c, "replay");
        CHECK(json_is_true(json_object_get(frame, "complete")));
        json_array_foreach(json_object_get(frame, "events"), i, event) {
            CHECK_INT(relay_rig_n(event), 2 + told++);
        }
        json_decref(frame);
    }
    CHECK_INT(told, 300);
    relay_rig_publish("a.b", NULL, 1000);
    frame = relay_rig_expect(&c, "event"); /* Nothing twice, nothing else. */
    CHECK_INT(relay_rig_n(json_object_get(frame, "event")), 1000);
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
    welcome = relay_rig_greet(&c, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}");
    again = hello_again(welcome, relay_rig_number(welcome, "seq"));
    client_close(&c);
    for (int i = 1; i <= 1500; i++) {
        relay_rig_publish("a.b", NULL, i);
    }
    json_decref(welcome);
    json_decref(relay_rig_greet(&c, again));
    frame = relay_rig_expect(&c, "gap");
    CHECK(relay_rig_number(frame, "to") >= 500);
    json_decref(frame);
    frame = relay_rig_expect(&c, "replay");
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
    relay_rig_publish("a.b", NULL, 1);
    welcome = relay_rig_greet(&c, "{\"type\":\"hello\",\"epoch\":\"another\",\"last_seq\":99}");
    CHECK(!json_is_true(json_object_get(welcome, "resumed")));
    frame = relay_rig_expect(&c, "replay"); /* The history. */
    CHECK_INT(relay_rig_number(frame, "count"), 1);
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
        json_decref(relay_rig_greet(&c, hello));
        CHECK(ws_text(&c, "{\"type\":\"unsubscribe\",\"patterns\":[]}"));
        json_decref(relay_rig_expect(&c, "subscribed"));
        CHECK(ws_text(&c, hello)); /* Twice is once. */
        relay_rig_expect_error(&c, "wrong_state");
        relay_rig_publish(topic, NULL, i);
        relay_rig_publish(topic, NULL, -i);
        for (int sign = 1; sign >= -1; sign -= 2) {
            frame = relay_rig_expect(&c, "event");
            CHECK_INT(relay_rig_n(json_object_get(frame, "event")), sign * i);
            json_decref(frame);
        }
        CHECK_INT(bus_stats(relay_rig.bus).readers, 1);
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
    struct relay *relay = state_relay(relay_rig.project.state);
    struct relay_view views[4];
    struct client c, d;
    json_t *first, *second;
    char *again;

    (void)state;
    first = relay_rig_greet(&c, "{\"type\":\"hello\",\"patterns\":[\"a.*\"]}");
    again = hello_again(first, 0);
    second = relay_rig_greet(&d, again); /* Its owner is there. */
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

static void
history_and_replay_are_given_when_asked_for(void **state)
{
    struct client c;
    json_t *frame;

    (void)state;
    for (int i = 1; i <= 20; i++) {
        relay_rig_publish("a.b", NULL, i);
    }
    json_decref(relay_rig_greet(&c, "{\"type\":\"hello\",\"patterns\":[\"z\"]}"));
    CHECK(ws_text(&c, "{\"type\":\"get_history\",\"patterns\":[\"a.*\"],\"limit\":5}"));
    frame = relay_rig_expect(&c, "history");
    CHECK_INT(relay_rig_number(frame, "count"), 5);
    CHECK_INT(relay_rig_n(json_array_get(json_object_get(frame, "events"), 4)), 20);
    json_decref(frame);
    CHECK(ws_text(&c, "{\"type\":\"get_history\",\"limit\":101}"));
    relay_rig_expect_error(&c, "invalid_argument");
    CHECK(ws_text(&c, "{\"type\":\"subscribe\",\"patterns\":[\"a.*\"]}"));
    json_decref(relay_rig_expect(&c, "subscribed"));
    CHECK(ws_text(&c, "{\"type\":\"request_replay\",\"last_seq\":15}"));
    frame = relay_rig_expect(&c, "replay");
    CHECK_INT(relay_rig_number(frame, "count"), 5);
    CHECK_INT(relay_rig_number(frame, "from_seq"), 16);
    json_decref(frame);
    CHECK(ws_text(&c, "{\"type\":\"ping\"}"));
    json_decref(relay_rig_expect(&c, "pong"));
    client_close(&c);
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
    relay_rig_publish_large("a.b", 20);
    json_decref(relay_rig_greet(&c, "{\"type\":\"hello\",\"patterns\":[\"z\"]}"));
    while (told < 20) {
        char *ask = before ? xasprintf("{\"type\":\"get_history\",\"patterns\":[\"a.*\"],"
                                       "\"before\":%lld}",
                                       (long long)before)
                           : xstrdup("{\"type\":\"get_history\",\"patterns\":[\"a.*\"]}");

        CHECK(ws_text(&c, ask));
        free(ask);
        frame = relay_rig_expect(&c, "history");
        count = json_array_size(json_object_get(frame, "events"));
        CHECK_INT(count, 4); /* Of 256 KiB. */
        CHECK_INT(relay_rig_number(frame, "count"), 4);
        CHECK_INT(relay_rig_number(frame, "left_out"), 20 - told - 4);
        CHECK_INT(relay_rig_n(json_array_get(json_object_get(frame, "events"), count - 1)),
                  20 - told);
        before = relay_rig_number(frame, "before");
        told += 4;
        json_decref(frame);
    }
    CHECK_INT(before, 0); /* Nothing is left. */
    CHECK(ws_text(&c, "{\"type\":\"get_history\",\"before\":0}"));
    relay_rig_expect_error(&c, "invalid_argument");
    CHECK(ws_text(&c, "{\"type\":\"subscribe\",\"patterns\":[\"a.*\"]}"));
    json_decref(relay_rig_expect(&c, "subscribed"));
    CHECK(ws_text(&c, "{\"type\":\"request_replay\",\"last_seq\":0}"));
    for (told = 0; told < 20;) {
        json_t *event;
        size_t i;

        frame = relay_rig_expect(&c, "replay");
        CHECK(json_is_true(json_object_get(frame, "complete")));
        CHECK(relay_rig_number(frame, "count") <= 2);
        json_array_foreach(json_object_get(frame, "events"), i, event) {
            CHECK_INT(relay_rig_n(event), ++told);
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
    relay_rig_publish("a.b", NULL, 1);
    relay_rig_publish("secret.b", NULL, 2);
    relay_rig_publish("a.b", "acme", 3);
    json_decref(relay_rig_greet(&clients[0], "{\"type\":\"hello\",\"patterns\":[\"z\"]}"));
    json_decref(relay_rig_greet(&clients[1], "{\"type\":\"hello\",\"patterns\":[\"z\"]}"));
    before = bus_stats(relay_rig.bus);
    CHECK_INT(before.readers, 2); /* As many as there may be. */
    CHECK(ws_text(&clients[0], "{\"type\":\"get_history\",\"patterns\":[\"a.*\",\"secret.*\"]}"));
    frame = relay_rig_expect(&clients[0], "history");
    CHECK_INT(relay_rig_number(frame, "count"), 1);
    CHECK_INT(relay_rig_n(json_array_get(json_object_get(frame, "events"), 0)), 1);
    json_decref(frame);
    CHECK(ws_text(&clients[0], "{\"type\":\"subscribe\",\"patterns\":[\"a.*\"]}"));
    json_decref(relay_rig_expect(&clients[0], "subscribed"));
    CHECK(ws_text(&clients[0], "{\"type\":\"request_replay\",\"last_seq\":0}"));
    frame = relay_rig_expect(&clients[0], "replay");
    CHECK_INT(relay_rig_number(frame, "count"), 1);
    json_decref(frame);
    after = bus_stats(relay_rig.bus);
    CHECK_INT(after.refused, before.refused);
    CHECK_INT(after.readers, 2);
    client_close(&clients[0]);
    client_close(&clients[1]);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, relay_rig_start, relay_rig_stop)
    const struct CMUnitTest tests[] = {
        TEST(relay_reconnect_replays_missed),
        TEST(relay_reconnect_past_the_ring_tells_the_gap),
        TEST(relay_epoch_change),
        TEST(relay_stop_start_no_duplicates),
        TEST(a_card_is_its_owners_only),
        TEST(history_and_replay_are_given_when_asked_for),
        TEST(much_of_the_past_comes_in_parts),
        cmocka_unit_test_setup_teardown(history_is_for_who_is_there_already, start_small,
                                        relay_rig_stop),
    };
    return CHECK_RUN(tests);
}
