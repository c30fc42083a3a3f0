/* test_events.c -- events over HTTP, from the socket to the bus and back: what scripts and hooks
 * may publish, what a stream tells, what a client misses while it is away, and that one who does
 * not read costs nobody but himself.
 *
 * The clock moves when the test says so.  Clients speak HTTP/1.0 where they read streams, which
 * then come without chunks. */
#include "tests/check.h"

#include "handlers/events_ingest.h"
#include "state/bus.h"
#include "tests/http_client.h"
#include "tests/http_rig.h"
#include "tests/threads.h"

#include <stdio.h>

#define SECONDS 20

static struct http_rig rig;
static struct bus *bus;
static unsigned port;

/* What is published here; what the relay tells of itself would have numbers too. */
static const char *const counted[] = {"a.**",    "b.**",   "c",    "large",
                                      "build.*", "hook.*", "done", "my_app.**"};

static int
start_all(void **state)
{
    (void)state;
    http_rig_init(&rig, NULL);
    fake_project_tenant(&rig.project, "acme");
    bus = rig.bus;
    port = rig.port;
    for (size_t i = 0; i < sizeof counted / sizeof counted[0]; i++) {
        CHECK(bus_add_filter(bus, slice_of(counted[i]), NULL) == E_OK);
    }
    return 0;
}

static int
stop_all(void **state)
{
    (void)state;
    http_rig_fini(&rig);
    return 0;
}

/* ---- Publishing ---- */

/* Posts a body; returns the status, and the answer, new, in '*answer' if that is not null. */
static int
post(const char *headers, const char *body, json_t **answer)
{
    char *text = xasprintf("POST /api/events HTTP/1.1\r\nHost: localhost\r\n%s"
                           "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                           headers, strlen(body), body);
    struct client c;
    struct response r;

    client_open(&c, port);
    CHECK(client_sends(&c, text));
    r = client_next(&c);
    if (answer) {
        *answer = json_loadb(r.body.data, r.body.len, 0, NULL);
    } else if (r.status == 204) {
        CHECK_INT(r.body.len, 0);
    }
    client_close(&c);
    free(text);
    return r.status;
}

/* The newest event that 'tenant' sees, parsed. */
static json_t *
newest(const char *tenant)
{
    struct bus_event *event;
    json_t *parsed;

    CHECK_INT(bus_recent(bus, &(struct bus_query){.tenant = tenant}, &event, 1), 1);
    parsed = json_loadb(event->text.data, event->text.len, 0, NULL);
    bus_event_unref(event);
    CHECK(parsed != NULL);
    return parsed;
}

static void
expect_newest(const char *tenant, const char *format, ...)
{
    va_list args;
    json_t *event = newest(tenant), *expected;

    va_start(args, format);
    expected = json_vpack_ex(NULL, 0, format, args);
    va_end(args);
    CHECK(expected != NULL);
    for (const char *key; (key = json_object_iter_key(json_object_iter(expected))) != NULL;) {
        CHECK(json_equal(json_object_get(event, key), json_object_get(expected, key)));
        json_object_del(expected, key);
    }
    json_decref(expected);
    json_decref(event);
}

static void
envelopes_are_taken(void **state)
{
    (void)state;
    CHECK_INT(post("",
                   "{\"topic\":\"build.finished\",\"data\":{\"ok\":true},\"source\":\"ci\","
                   "\"correlation_id\":\"c1\",\"session_id\":\"s1\",\"seq\":99,\"v\":1,"
                   "\"timestamp\":\"2020-01-01T00:00:00Z\"}",
                   NULL),
              204);
    expect_newest("default", "{s:s, s:i, s:s, s:s, s:s, s:s, s:{s:b}}", "topic", "build.finished",
                  "seq", 1, "source", "ci", "correlation_id", "c1", "session_id", "s1", "tenant",
                  "default", "data", "ok", 1);
    CHECK_INT(post("X-Client-ID: acme\r\n", "{\"topic\":\"a\",\"tenant\":\"acme\"}", NULL), 204);
    expect_newest("acme", "{s:s, s:s, s:{}}", "tenant", "acme", "source", "client", "data");
    expect_newest("default", "{s:s}", "topic", "build.finished");
}

static void
dashboards_and_hooks_are_understood(void **state)
{
    static const char *const hooks[][2] = {
        {"PreToolUse", "hook.pre_tool"},          {"PostToolUse", "hook.post_tool"},
        {"UserPromptSubmit", "hook.user_prompt"}, {"SubagentStop", "hook.subagent_stop"},
        {"SessionStart", "hook.session_start"},   {"Stop", "hook.stop"},
        {"preMCPCall", "hook.pre_mcpcall"},       {"odd name!", "hook.odd_name"},
    };
    char topic[BUS_TOPIC_MAX + 1];
    char *longest = xcalloc(301, 1);

    (void)state;
    for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++) {
        events_hook_topic(slice_of(hooks[i][0]), topic);
        CHECK_STR(topic, hooks[i][1]);
    }
    memset(longest, 'A', 300);
    events_hook_topic(slice_of(longest), topic);
    CHECK(bus_topic_valid(slice_of(topic)));
    free(longest);
    CHECK_INT(post("",
                   "{\"hook_event_name\":\"PreToolUse\",\"session_id\":\"s9\","
                   "\"tool_name\":\"Bash\"}",
                   NULL),
              204);
    expect_newest("default", "{s:s, s:s, s:s, s:{s:s, s:s, s:s}}", "topic", "hook.pre_tool",
                  "source", "hook", "session_id", "s9", "data", "hook_event_name", "PreToolUse",
                  "session_id", "s9", "tool_name", "Bash");
    CHECK_INT(
        post("", "{\"namespace\":\"/myApp/ui\",\"event\":\"ButtonPressed\",\"data\":[1]}", NULL),
        204);
    expect_newest("default", "{s:s, s:[i]}", "topic", "my_app.ui.button_pressed", "data", 1);
    CHECK_INT(post("", "{\"namespace\":\"/\",\"event\":\"done\"}", NULL), 204);
    expect_newest("default", "{s:s}", "topic", "done");
}

static void
what_is_no_event_is_refused(void **state)
{
    static const struct {
        const char *headers, *body, *code;
        int status;
    } table[] = {
        {"", "{\"data\":{}}", "invalid_argument", 400},
        {"", "{\"topic\":7}", "invalid_argument", 400},
        {"", "{\"topic\":\"Big\"}", "invalid_argument", 400},
        {"", "{\"topic\":\"quota.threshold\"}", "invalid_argument", 400},
        {"", "{\"namespace\":\"system\",\"event\":\"x\"}", "invalid_argument", 400},
        {"", "{\"event\":\"--\"}", "invalid_argument", 400},
        {"", "{\"topic\":\"a\",\"topic\":\"b\"}", "invalid_argument", 400},
        /* U+0000 would end what C takes for a text: said clearly, and nothing is cut off there. */
        {"", "{\"topic\":\"a\\u0000.b\"}", "invalid_argument", 400},
        {"", "{\"topic\":\"a\",\"session_id\":\"s\\u0000\"}", "invalid_argument", 400},
        {"", "{\"topic\":\"a\",\"data\":{\"x\":\"\\u0000\"}}", "invalid_argument", 400},
        {"", "{\"topic\":\"a\",\"data\":{\"\\u0000\":1}}", "invalid_request", 400},
        {"", "{\"hook_event_name\":\"Stop\\u0000\"}", "invalid_argument", 400},
        {"", "[1]", "invalid_argument", 400},
        {"", "{\"topic\":", "parse_error", 400},
        {"", "{\"topic\":\"a\",\"tenant\":\"other\"}", "tenant_mismatch", 403},
        {"X-Client-ID: No Tenant\r\n", "{\"topic\":\"a\"}", "invalid_argument", 400},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        json_t *answer = NULL;

        CHECK_INT(post(table[i].headers, table[i].body, &answer), table[i].status);
        CHECK_STR(json_string_value(json_object_get(answer, "code")), table[i].code);
        CHECK(json_string_length(json_object_get(answer, "message")) > 5);
        json_decref(answer);
    }
    CHECK_INT(bus_stats(bus).published, 0);
}

static void
large_records_are_taken_and_cut(void **state)
{
    struct buf body = BUF_INIT;

    (void)state;
    buf_adds(&body, "{\"hook_event_name\":\"PostToolUse\",\"out\":\"");
    for (int i = 0; i < 10000; i++) {
        buf_adds(&body, "0123456789");
    }
    buf_adds(&body, "\"}");
    CHECK_INT(post("", body.data, NULL), 204);
    expect_newest("default", "{s:s, s:{s:b, s:i}}", "topic", "hook.post_tool", "data", "truncated",
                  1, "size", (int)body.len);
    buf_fini(&body);
}

/* ---- Streams ---- */

static void
get(struct client *c, const char *query, const char *headers)
{
    char *text = xasprintf("GET /events%s HTTP/1.0\r\nHost: localhost\r\n%s\r\n", query, headers);

    client_open(c, port);
    CHECK(client_sends(c, text));
    free(text);
}

struct told {
    char name[16], id[64];
    json_t *data; /* Owned by whoever reads it. */
};

/* Reads the next event, without the comments before it.  False at the end. */
static bool
next_event(struct client *c, struct told *e)
{
    char *text, *rest;
    size_t from;

    do {
        from = c->at;
        if (!client_until(c, "\n\n", SECONDS)) {
            return false;
        }
    } while (c->in.data[from] == ':');
    *e = (struct told){.data = NULL};
    text = xstrndup(c->in.data + from, c->at - from - 2);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "id: ", 4) == 0) {
            snprintf(e->id, sizeof e->id, "%s", line + 4);
        } else if (strncmp(line, "event: ", 7) == 0) {
            snprintf(e->name, sizeof e->name, "%s", line + 7);
        } else if (strncmp(line, "data: ", 6) == 0) {
            e->data = json_loads(line + 6, JSON_DECODE_ANY, NULL);
        }
    }
    free(text);
    CHECK(e->data != NULL);
    return true;
}

/* Reads the head of a stream and its welcome; what that says is in '*welcome'. */
static void
expect_welcome(struct client *c, struct told *welcome)
{
    CHECK(client_until(c, "HTTP/1.1 200 OK\r\n", SECONDS));
    CHECK(client_until(c, "Content-Type: text/event-stream\r\n", SECONDS));
    CHECK(client_until(c, "\r\n\r\n", SECONDS));
    CHECK(next_event(c, welcome));
    CHECK_STR(welcome->name, "welcome");
    CHECK_STR(json_string_value(json_object_get(welcome->data, "epoch")), bus_epoch(bus));
    json_decref(welcome->data);
}

/* Reads the event with this number. */
static void
expect_event(struct client *c, uint64_t seq)
{
    struct told e;
    char id[BUS_ID_SIZE];

    CHECK(next_event(c, &e));
    CHECK_STR(e.name, "");
    CHECK_INT(json_integer_value(json_object_get(e.data, "seq")), seq);
    bus_event_write_id(bus_epoch(bus), seq, id);
    CHECK_STR(e.id, id);
    json_decref(e.data);
}

static void
expect_own(struct client *c, const char *name, const char *data)
{
    struct told e;
    json_t *expected = json_loads(data, 0, NULL);

    CHECK(next_event(c, &e));
    CHECK_STR(e.name, name);
    CHECK(json_equal(e.data, expected));
    json_decref(expected);
    json_decref(e.data);
}

static void
publish(const char *topic, const char *tenant, unsigned count)
{
    while (count--) {
        CHECK(bus_publish(bus, &(struct bus_draft){.topic = topic, .tenant = tenant}) ==
              PUBLISHED_ACCEPTED);
    }
}

static void
a_stream_tells_what_matches(void **state)
{
    struct client all, some, acme;
    struct told welcome;

    (void)state;
    publish("a.x", NULL, 2);
    publish("b.x", NULL, 1);
    get(&all, "", "");
    expect_welcome(&all, &welcome);
    CHECK_STR(welcome.id, "");
    get(&some, "?pattern=b.*,c&last=1", "");
    expect_welcome(&some, &welcome);
    get(&acme, "?last=0", "X-Client-ID: acme\r\n");
    expect_welcome(&acme, &welcome);
    CHECK(strstr(welcome.id, "-3") != NULL); /* From here it would come back. */
    expect_event(&all, 1);
    expect_event(&all, 2);
    expect_event(&all, 3);
    expect_event(&some, 3);
    publish("a.x", NULL, 1);
    publish("c", "default", 1);
    publish("c", "acme", 1);
    publish("c", "other", 1);
    publish("c", NULL, 1);
    expect_event(&all, 4);
    expect_event(&all, 5);
    expect_event(&all, 8);
    expect_event(&some, 5);
    expect_event(&some, 8);
    expect_event(&acme, 4);
    expect_event(&acme, 6);
    expect_event(&acme, 8);
    CHECK_INT(bus_stats(bus).readers, 3);
    client_close(&all);
    client_close(&some);
    client_close(&acme);
}

/* Over HTTP/1.1, in chunks, and beside what the server says to keep it open. */
static void
browsers_get_chunks_and_comments(void **state)
{
    struct client c;

    (void)state;
    client_open(&c, port);
    CHECK(client_sends(&c, "GET /events HTTP/1.1\r\nHost: localhost\r\n"
                           "Accept: text/event-stream\r\n\r\n"));
    CHECK(client_until(&c, "Transfer-Encoding: chunked\r\n", SECONDS));
    CHECK(client_until(&c, "event: welcome\n", SECONDS));
    publish("a", NULL, 1);
    CHECK(client_until(&c, "\"topic\":\"a\"", SECONDS));
    fake_clock_pass(&rig.clock, 16 * SECOND);
    CHECK(client_until(&c, ": ka\n\n", SECONDS));
    publish("b", NULL, 1);
    CHECK(client_until(&c, "\"topic\":\"b\"", SECONDS));
    client_close(&c);
}

static void
reconnect_replays_exactly_what_was_missed(void **state)
{
    struct client c;
    struct told e, welcome;
    char *header;

    (void)state;
    get(&c, "?last=0", "");
    expect_welcome(&c, &welcome);
    publish("a", NULL, 3);
    expect_event(&c, 1);
    expect_event(&c, 2);
    CHECK(next_event(&c, &e));
    json_decref(e.data);
    client_close(&c);
    publish("a", NULL, 500);
    header = xasprintf("Last-Event-ID: %s\r\n", e.id);
    get(&c, "", header);
    free(header);
    expect_welcome(&c, &welcome);
    for (uint64_t seq = 4; seq <= 503; seq++) {
        expect_event(&c, seq);
    }
    publish("a", NULL, 1);
    expect_event(&c, 504);
    client_close(&c);
}

static void
past_the_ring_the_gap_is_told(void **state)
{
    struct client c;
    struct told welcome;
    char *query;

    (void)state;
    publish("a", NULL, 1010); /* 11 to 1010 are kept. */
    get(&c, "?since=5", "");
    expect_welcome(&c, &welcome);
    expect_own(&c, "gap", "{\"from\":6,\"to\":10}");
    for (uint64_t seq = 11; seq <= 1010; seq++) {
        expect_event(&c, seq);
    }
    client_close(&c);
    query = xasprintf("?since=1008&epoch=%s", bus_epoch(bus));
    get(&c, query, "");
    free(query);
    expect_welcome(&c, &welcome);
    expect_event(&c, 1009);
    client_close(&c);
    get(&c, "?since=another-1008&last=1", ""); /* Of another run: the last ones instead. */
    expect_welcome(&c, &welcome);
    expect_event(&c, 1010);
    client_close(&c);
}

/* Publishes events of 60 KiB, and looks whether it had to wait for anybody: it is only the clock of
 * the test's framework that could tell. */
static void
publish_large(unsigned count)
{
    char *text = xcalloc(60001, 1);

    memset(text, 'x', 60000);
    while (count--) {
        CHECK(bus_publish(bus, &(struct bus_draft){.topic = "large", .data = json_string(text)}) ==
              PUBLISHED_ACCEPTED);
    }
    free(text);
}

static void
a_stalled_reader_costs_its_queue(void **state)
{
    struct client stalled, reading;
    struct told welcome, e;
    uint64_t seq = 0, events = 0, missed = 0;
    bool more = true;

    (void)state;
    get(&stalled, "", "");
    expect_welcome(&stalled, &welcome);
    publish_large(1000);
    CHECK(bus_stats(bus).unread > 0);
    CHECK(bus_stats(bus).published == 1000);
    get(&reading, "?last=1", ""); /* Nobody else is held up. */
    expect_welcome(&reading, &welcome);
    expect_event(&reading, 1000);
    client_close(&reading);
    while (more && seq < 1000) {
        more = next_event(&stalled, &e);
        if (strcmp(e.name, "gap") == 0) {
            CHECK_INT(json_integer_value(json_object_get(e.data, "from")), seq + 1);
            seq = (uint64_t)json_integer_value(json_object_get(e.data, "to"));
            missed += seq + 1 - (uint64_t)json_integer_value(json_object_get(e.data, "from"));
        } else {
            CHECK_INT(json_integer_value(json_object_get(e.data, "seq")), ++seq);
            events++;
        }
        json_decref(e.data);
    }
    CHECK(more);
    CHECK_INT(events + missed, 1000);
    CHECK(missed > 0);
    CHECK_INT(bus_stats(bus).unread, missed);
    client_close(&stalled);
}

static void
one_that_never_reads_is_closed(void **state)
{
    struct client c;
    struct told welcome;

    (void)state;
    get(&c, "", "");
    expect_welcome(&c, &welcome);
    publish_large(400);
    while (bus_stats(bus).readers) { /* It takes nothing for longer than its patience. */
        fake_clock_pass(&rig.clock, 11 * SECOND);
        sched_yield();
    }
    client_close(&c);
}

static void
there_are_so_many_streams_and_no_more(void **state)
{
    struct client c[101];
    struct told welcome;
    struct response r;

    (void)state;
    for (int i = 0; i < 100; i++) {
        get(&c[i], "", "");
        expect_welcome(&c[i], &welcome);
    }
    client_open(&c[100], port);
    CHECK(client_sends(&c[100], "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    r = client_next(&c[100]);
    CHECK_INT(r.status, 503);
    CHECK(memmem(r.body.data, r.body.len, "overloaded", 10) != NULL);
    client_close(&c[0]);
    while (bus_stats(bus).readers == 100) { /* Its leaving is seen. */
        sched_yield();
    }
    CHECK(client_sends(&c[100], "GET /events HTTP/1.0\r\nHost: localhost\r\n\r\n"));
    expect_welcome(&c[100], &welcome);
    for (int i = 1; i <= 100; i++) {
        client_close(&c[i]);
    }
}

static void
bad_queries_and_strangers_are_refused(void **state)
{
    static const struct {
        const char *query, *headers;
        int status;
    } table[] = {
        {"?pattern=hook*", "", 400},
        {"?pattern=a,,b", "", 400},
        {"?pattern=a&pattern=b", "", 400},
        {"?since=x", "", 400},
        {"?since=99999999999999999999", "", 400},
        {"?epoch=0123456789012345678901234567890123456789&since=1", "", 400},
        {"?last=-1", "", 400},
        {"?last=10001", "", 400},
        {"", "Last-Event-ID: nonsense\r\n", 400},
        {"", "X-Client-ID: No\r\n", 400},
        {"", "Origin: http://evil.example\r\n", 403},
        {"", "Host: evil.example\r\n", 400},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char *text = xasprintf("GET /events%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                               table[i].query, table[i].headers);
        struct client c;

        client_open(&c, port);
        CHECK(client_sends(&c, text));
        CHECK_INT(client_next(&c).status, table[i].status);
        client_close(&c);
        free(text);
    }
    CHECK_INT(bus_stats(bus).readers, 0);
}

static void
who_comes_and_goes_is_told(void **state)
{
    struct client watcher, c;
    struct told welcome;
    struct told e;

    (void)state;
    CHECK(bus_add_filter(bus, SLICE("relay.*"), NULL) == E_OK);
    get(&watcher, "?pattern=relay.*&last=0", "");
    expect_welcome(&watcher, &welcome);
    CHECK(next_event(&watcher, &e)); /* Itself. */
    CHECK_STR(json_string_value(json_object_get(e.data, "topic")), "relay.client_connected");
    json_decref(e.data);
    get(&c, "?since=0", "X-Client-ID: acme\r\n"); /* Another tenant's is nobody else's matter. */
    expect_welcome(&c, &welcome);
    client_close(&c);
    get(&c, "?since=0", "");
    expect_welcome(&c, &welcome);
    CHECK(next_event(&watcher, &e));
    CHECK_STR(json_string_value(json_object_get(e.data, "topic")), "relay.client_resumed");
    CHECK_STR(json_string_value(json_object_get(e.data, "tenant")), "default");
    json_decref(e.data);
    client_close(&c);
    CHECK(next_event(&watcher, &e));
    CHECK_STR(json_string_value(json_object_get(e.data, "topic")), "relay.client_dropped");
    json_decref(e.data);
    client_close(&watcher);
}

static void
the_server_says_goodbye(void **state)
{
    struct client c;
    struct told welcome;

    (void)state;
    get(&c, "", "");
    expect_welcome(&c, &welcome);
    http_rig_stop(&rig);
    expect_own(&c, "bye", "{\"reason\":\"server_ends\"}");
    CHECK(client_is_closed(&c));
    client_close(&c);
    CHECK_INT(bus_stats(bus).readers, 0);
}

/* ---- Threads ---- */

static _Atomic unsigned wrong;

static void
come_and_go(void *arg, unsigned number)
{
    unsigned rounds = scaled(40);

    (void)arg;
    for (unsigned i = 0; i < rounds; i++) {
        if (number % 2) {
            struct client c;

            client_open(&c, port);
            client_sends(&c, "GET /events?since=0 HTTP/1.0\r\nHost: localhost\r\n\r\n");
            atomic_fetch_add(&wrong, !client_until(&c, "event: welcome", SECONDS));
            client_close(&c);
        } else {
            for (int n = 0; n < 20; n++) {
                bus_publish(bus, &(struct bus_draft){.topic = "a.b"});
            }
        }
    }
}

static void
readers_come_and_go_while_all_publish(void **state)
{
    (void)state;
    wrong = 0;
    threads_run(8, come_and_go, NULL);
    CHECK_INT(wrong, 0);
    CHECK_INT(bus_stats(bus).seq, 4 * scaled(40) * 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, start_all, stop_all)
        TEST(envelopes_are_taken),
        TEST(dashboards_and_hooks_are_understood),
        TEST(what_is_no_event_is_refused),
        TEST(large_records_are_taken_and_cut),
        TEST(a_stream_tells_what_matches),
        TEST(browsers_get_chunks_and_comments),
        TEST(reconnect_replays_exactly_what_was_missed),
        TEST(past_the_ring_the_gap_is_told),
        TEST(a_stalled_reader_costs_its_queue),
        TEST(one_that_never_reads_is_closed),
        TEST(there_are_so_many_streams_and_no_more),
        TEST(bad_queries_and_strangers_are_refused),
        TEST(who_comes_and_goes_is_told),
        TEST(the_server_says_goodbye),
        TEST(readers_come_and_go_while_all_publish),
    };
    return CHECK_RUN(tests);
}
