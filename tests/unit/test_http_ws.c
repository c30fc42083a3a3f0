/* test_http_ws.c -- WebSockets of the HTTP transport, before a dispatcher whose answers come when
 * the test says so, and a clock that moves when the test says so.  What odd handshakes and frames
 * get is in tests/transport/test_ws_hostile.c, what real messages are answered in
 * tests/transcripts. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/base/log.h"
#include "state/mcp_session.h"
#include "state/settings.h"
#include "tests/fakes.h"
#include "tests/harness.h"
#include "tests/no_relay.h"
#include "tests/script.h"
#include "tests/threads.h"
#include "tests/ws_client.h"
#include "transports/transport.h"

#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define TOKEN "0123456789012345678901234567890123456789012"
#define HELD_MAX 16

/* The dispatcher of this program: a message's first word says what becomes of it.
 *   hold     is kept until the test releases it
 *   thread   is answered by a thread of its own, after an event
 *   note     is taken without an answer
 *   big      gets 4 MB
 *   full     sends events until one is refused, then answers how many were taken
 *   and anything else is echoed. */
struct dispatcher {
    pthread_mutex_t mutex;
    struct sink *held[HELD_MAX];
    unsigned held_count;
    sem_t holding, gone;
    _Atomic unsigned taken, left, wrong;
    struct script_late late;
};

static void
fill(struct sink *sink)
{
    char text[1000], told[32];
    unsigned count = 0;

    memset(text, 'e', sizeof text);
    while (sink->class->send(sink, &(struct event){.body = {text, sizeof text}}) == E_OK) {
        count++;
    }
    snprintf(told, sizeof told, "took %u", count);
    script_answer(sink, 200, slice_of(told));
}

void
dispatch_message(struct dispatcher *d, const struct envelope *env, struct slice body,
                 struct sink *sink)
{
    atomic_fetch_add(&d->wrong, env->transport != TRANSPORT_WS || !env->session ||
                                    env->session->id[0] != '\0' ||
                                    !slice_is(env->principal, "token"));
    atomic_fetch_add(&d->taken, 1);
    if (script_starts(body, "hold")) {
        pthread_mutex_lock(&d->mutex);
        d->held[d->held_count++] = sink;
        pthread_mutex_unlock(&d->mutex);
        sem_post(&d->holding);
    } else if (script_starts(body, "thread")) {
        script_answer_late(&d->late, sink, "event", &(struct reply){.body = body, .status = 200});
    } else if (script_starts(body, "note")) {
        script_answer(sink, 200, SLICE_NONE);
    } else if (script_starts(body, "big")) {
        script_answer_big(sink, 200, 4000000);
    } else if (script_starts(body, "full")) {
        fill(sink);
    } else {
        script_answer(sink, 200, body);
    }
}

void
dispatch_gone(struct dispatcher *d, const struct envelope *env, const struct sink *sink)
{
    atomic_fetch_add(&d->wrong, !env->session || sink != NULL);
    atomic_fetch_add(&d->left, 1);
    sem_post(&d->gone);
}

/* Not for this program. */
static void
not_here(struct dispatcher *d)
{
    atomic_fetch_add(&d->wrong, 1);
}

void
dispatch_tool(struct dispatcher *d, const struct envelope *env, struct slice tool,
              struct slice arguments, struct sink *sink)
{
    (void)env, (void)tool, (void)arguments, (void)sink;
    not_here(d);
}

void
dispatch_tools(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    (void)env, (void)sink;
    not_here(d);
}

void
dispatch_resource(struct dispatcher *d, const struct envelope *env, struct slice uri,
                  struct sink *sink)
{
    (void)env, (void)uri, (void)sink;
    not_here(d);
}

void
dispatch_event(struct dispatcher *d, const struct envelope *env, struct slice body,
               struct sink *sink)
{
    (void)env, (void)body, (void)sink;
    not_here(d);
}

void
dispatch_metrics(struct dispatcher *d, struct buf *out)
{
    (void)out;
    not_here(d);
}

void
dispatch_listen(struct dispatcher *d, const struct envelope *env, struct slice last_event_id,
                struct sink *sink)
{
    (void)env, (void)last_event_id, (void)sink;
    not_here(d);
}

void
dispatch_drained(struct dispatcher *d, const struct sink *sink)
{
    (void)sink;
    not_here(d);
}

void
dispatch_end(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    (void)env, (void)sink;
    not_here(d);
}

void
dispatch_last(struct dispatcher *d, const struct envelope *env)
{
    atomic_fetch_add(&d->wrong, !env->session);
}

/* ---- One transport ---- */

static struct dispatcher dispatcher;
static struct settings *settings;
static struct fake_clock fake;
static struct transport *transport;
static unsigned port;
static unsigned descriptors;

static void
start(void)
{
    struct transport_context context = {
        .dispatcher = &dispatcher,
        .settings = settings,
        .clock = &fake.clock,
        .listen_fd = client_listen(&port),
        .token = TOKEN,
    };

    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
}

static int
prepare(void **state)
{
    (void)state;
    log_configure(LOG_OFF, LOG_TEXT);
    memset(&dispatcher, 0, sizeof dispatcher);
    pthread_mutex_init(&dispatcher.mutex, NULL);
    sem_init(&dispatcher.holding, 0, 0);
    sem_init(&dispatcher.gone, 0, 0);
    script_late_init(&dispatcher.late);
    fake_clock_init(&fake);
    settings = settings_create();
    descriptors = harness_descriptors(getpid());
    return 0;
}

static void
stop_at(int64_t deadline_ns)
{
    if (transport) {
        http_transport.stop(transport, deadline_ns);
    }
    transport = NULL;
}

static void
release_all(void)
{
    pthread_mutex_lock(&dispatcher.mutex);
    while (dispatcher.held_count) {
        script_answer(dispatcher.held[--dispatcher.held_count], 200, SLICE("released"));
    }
    pthread_mutex_unlock(&dispatcher.mutex);
}

static int
finish(void **state)
{
    (void)state;
    release_all();
    stop_at(INT64_MAX);
    script_late_fini(&dispatcher.late);
    CHECK_INT(atomic_load(&dispatcher.wrong), 0);
    CHECK_INT(harness_descriptors(getpid()), descriptors);
    settings_unref(settings);
    sem_destroy(&dispatcher.holding);
    sem_destroy(&dispatcher.gone);
    pthread_mutex_destroy(&dispatcher.mutex);
    return 0;
}

static void
join(struct client *c)
{
    ws_open(c, port, TOKEN);
}

static void
expect(struct client *c, const char *text)
{
    char *message = ws_message(c, 10, NULL);

    CHECK(message != NULL);
    CHECK_STR(message, text);
    free(message);
}

static void
expect_close(struct client *c, unsigned code)
{
    unsigned got = 0;
    char *message = ws_message(c, 10, &got);

    CHECK(message == NULL);
    CHECK_INT(got, code);
}

/* ---- Messages ---- */

static void
messages_are_answered_as_they_are_done(void **state)
{
    struct client c;

    (void)state;
    start();
    join(&c);
    ws_text(&c, "hold 1");
    sem_wait(&dispatcher.holding);
    ws_text(&c, "two");
    expect(&c, "two");
    ws_text(&c, "note");
    release_all();
    expect(&c, "released");
    ws_text(&c, "thread");
    expect(&c, "event");
    expect(&c, "thread");
    CHECK_INT(atomic_load(&dispatcher.taken), 4);
    ws_leave(&c, 1000);
    expect_close(&c, 1000);
    CHECK(client_is_closed(&c));
    client_close(&c);
    sem_wait(&dispatcher.gone);
}

static void
large_answers_come_whole(void **state)
{
    struct client c;

    (void)state;
    start();
    join(&c);
    for (int i = 0; i < 3; i++) {
        char *message;

        ws_text(&c, "big");
        message = ws_message(&c, 10, NULL);
        CHECK(message && strlen(message) == 4000000 && strspn(message, "x") == 4000000);
        free(message);
    }
    client_close(&c);
}

/* Messages, and what libwebsockets says in between, go to one socket by two ways. */
static void
frames_stand_whole_one_behind_the_other(void **state)
{
    struct client c;
    int texts = 0, pongs = 0;

    (void)state;
    start();
    join(&c);
    for (int i = 0; i < 3; i++) { /* More than sockets hold, and nobody reads yet. */
        ws_text(&c, "big");
        ws_send(&c, WS_FIN | WS_PING, SLICE("alive?"));
        ws_text(&c, "small");
        ws_send(&c, WS_FIN | WS_PING, SLICE("still?"));
    }
    ws_text(&c, "last");
    for (bool more = true; more;) {
        struct ws_frame f = ws_next(&c, 10);

        if (f.opcode == WS_PONG) {
            CHECK(slice_is(f.payload, "alive?") || slice_is(f.payload, "still?"));
            pongs++;
        } else {
            CHECK_INT(f.opcode, WS_TEXT);
            CHECK(slice_is(f.payload, "small") || slice_is(f.payload, "last") ||
                  (f.payload.len == 4000000 && strspn(f.payload.data, "x") == f.payload.len));
            texts++;
            more = !slice_is(f.payload, "last");
        }
    }
    CHECK_INT(texts, 7);
    ws_send(&c, WS_FIN | WS_PING, SLICE("alive?")); /* Of several the last may be answered. */
    for (int opcode = -1; opcode != WS_PONG || pongs < 2; pongs += opcode == WS_PONG) {
        opcode = ws_next(&c, 10).opcode;
        CHECK_INT(opcode, WS_PONG);
    }
    client_close(&c);
}

/* What waits is dropped, but no frame ends in its middle. */
static void
who_closes_without_reading_gets_whole_frames(void **state)
{
    struct client c;
    struct ws_frame f;

    (void)state;
    start();
    for (int i = 0; i < 5; i++) {
        join(&c);
        ws_text(&c, "full");
        ws_leave(&c, 1000);
        for (f = ws_next(&c, 10); f.opcode == WS_TEXT; f = ws_next(&c, 10)) {
            CHECK(strncmp(f.payload.data, "took ", 5) == 0 ||
                  (f.payload.len == 1000 && strspn(f.payload.data, "e") == 1000));
        }
        CHECK_INT(f.opcode, WS_CLOSE);
        CHECK_INT(f.code, 1000);
        CHECK(client_is_closed(&c));
        client_close(&c);
        sem_wait(&dispatcher.gone);
    }
}

static void
who_leaves_takes_no_answer(void **state)
{
    struct client c;

    (void)state;
    start();
    for (int way = 0; way < 3; way++) {
        join(&c);
        ws_text(&c, "hold");
        sem_wait(&dispatcher.holding);
        if (way == 0) {
            ws_leave(&c, 1001);
        } else if (way == 1) {
            shutdown(c.fd, SHUT_WR);
        } else {
            setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        }
        if (way > 0) {
            client_close(&c);
        }
        sem_wait(&dispatcher.gone);
        release_all();
        client_close(&c);
    }
    CHECK_INT(atomic_load(&dispatcher.left), 3);
}

static void
events_are_bounded_for_who_does_not_read(void **state)
{
    struct client c;
    char *message;

    (void)state;
    start();
    join(&c);
    ws_text(&c, "full");
    for (unsigned events = 0;; events++) {
        message = ws_message(&c, 10, NULL);
        CHECK(message != NULL);
        if (message[0] == 't') {
            unsigned took = 0;

            CHECK_INT(sscanf(message, "took %u", &took), 1);
            /* So many, and what is on its way. */
            CHECK(took >= SINK_WAITING_MESSAGES && took <= SINK_WAITING_MESSAGES + 100);
            CHECK_INT(events, took);
            free(message);
            break;
        }
        CHECK_INT(strlen(message), 1000);
        free(message);
    }
    client_close(&c);
}

/* ---- Limits ---- */

static void
connections_count_with_the_others(void **state)
{
    struct client ws[8], http;

    (void)state;
    script_set(settings, SETTING_limits_connections, "8");
    start();
    for (int i = 0; i < 8; i++) {
        join(&ws[i]);
    }
    client_open(&http, port); /* It is accepted once another has left. */
    client_sends(&http, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ws_text(&ws[0], "still");
    expect(&ws[0], "still");
    CHECK_INT(poll(&(struct pollfd){.fd = http.fd, .events = POLLIN}, 1, 0), 0);
    ws_leave(&ws[7], 1000);
    expect_close(&ws[7], 1000);
    client_close(&ws[7]);
    CHECK_INT(client_next(&http).status, 200);
    client_close(&http);
    for (int i = 0; i < 8; i++) {
        client_close(&ws[i]);
    }
}

static void
the_silent_are_pinged_and_closed(void **state)
{
    struct client c;
    struct ws_frame f;

    (void)state;
    script_set(settings, SETTING_limits_ws_ping, "1s");
    script_set(settings, SETTING_limits_head_time, "1s"); /* So that it is looked at often. */
    start();
    join(&c);
    fake_clock_pass(&fake, SECOND + 1);
    f = ws_next(&c, 10);
    CHECK(f.opcode == WS_PING);
    ws_send(&c, WS_FIN | WS_PONG, f.payload);
    ws_text(&c, "here"); /* Its answer says that the pong has been seen. */
    expect(&c, "here");
    fake_clock_pass(&fake, SECOND + 1);
    f = ws_next(&c, 10);
    CHECK(f.opcode == WS_PING);
    fake_clock_pass(&fake, SECOND);
    CHECK_INT(ws_next(&c, 10).opcode, -2);
    client_close(&c);
    sem_wait(&dispatcher.gone);
}

/* Once it is answered the transport's thread has come round to everybody. */
static void
check_alive(void)
{
    struct client c;

    client_open(&c, port);
    client_sends(&c, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK_INT(client_next(&c).status, 200);
    client_close(&c);
}

/* Asks for much and reads nothing until no more is taken. */
static unsigned
ask_without_reading(struct client *c)
{
    unsigned before, after = 0;

    for (int i = 0; i < 50; i++) {
        ws_text(c, "big");
    }
    do {
        before = after;
        check_alive();
        poll(NULL, 0, 100); /* Nothing tells that nothing happens. */
        check_alive();
        after = atomic_load(&dispatcher.taken);
    } while (after != before || after == 0);
    return after;
}

static void
who_does_not_read_is_not_listened_to_and_is_told(void **state)
{
    struct client c, silent;
    unsigned taken, code = 0;
    char *message;

    (void)state;
    script_set(settings, SETTING_limits_head_time, "1s");
    start();
    join(&silent);
    join(&c);
    taken = ask_without_reading(&c);
    CHECK(taken < 50);
    fake_clock_pass(&fake, 31 * SECOND);
    CHECK_INT(ws_next(&silent, 10).opcode, WS_PING); /* So all have been looked at. */
    client_close(&silent);
    sem_wait(&dispatcher.gone);
    while ((message = ws_message(&c, 10, &code))) {
        free(message);
    }
    CHECK_INT(code, 1008);
    client_close(&c);
    join(&c); /* And one who never reads again is dropped. */
    atomic_store(&dispatcher.taken, 0);
    ask_without_reading(&c);
    atomic_store(&dispatcher.left, 0);
    for (int i = 0; i < 1000 && !atomic_load(&dispatcher.left); i++) {
        fake_clock_pass(&fake, 11 * SECOND);
        poll(NULL, 0, 10);
    }
    CHECK_INT(atomic_load(&dispatcher.left), 1);
    client_close(&c);
}

/* ---- The end ---- */

static void *
stop_thread(void *arg)
{
    stop_at(*(int64_t *)arg);
    return NULL;
}

static void
the_end_waits_for_answers_and_is_told(void **state)
{
    struct client idle, busy;
    int64_t deadline = INT64_MAX;
    pthread_t thread;

    (void)state;
    start();
    join(&idle);
    join(&busy);
    ws_text(&busy, "hold");
    sem_wait(&dispatcher.holding);
    pthread_create(&thread, NULL, stop_thread, &deadline);
    expect_close(&idle, 1001);
    ws_text(&busy, "too late");
    release_all();
    expect(&busy, "released");
    expect_close(&busy, 1001);
    pthread_join(thread, NULL);
    CHECK_INT(atomic_load(&dispatcher.taken), 1);
    client_close(&idle);
    client_close(&busy);
}

static void
the_end_does_not_wait_for_ever(void **state)
{
    struct client c;

    (void)state;
    start();
    join(&c);
    ws_text(&c, "hold");
    sem_wait(&dispatcher.holding);
    stop_at(0);
    sem_wait(&dispatcher.gone);
    CHECK_INT(ws_next(&c, 10).opcode, -2);
    client_close(&c);
}

/* ---- Races ---- */

struct storm {
    unsigned rounds;
    _Atomic unsigned answers;
};

/* Comes, asks, and goes in one of four ways, some with calls in flight. */
static void
come_and_go(void *arg, unsigned number)
{
    struct storm *storm = arg;

    for (unsigned i = 0; i < storm->rounds; i++) {
        unsigned way = (number + i) % 4;
        struct client c;

        join(&c);
        ws_text(&c, "thread 1");
        ws_text(&c, "thread 2");
        if (way < 2) {
            for (int messages = 0; messages < 4; messages++) {
                char *message = ws_message(&c, 10, NULL);

                atomic_fetch_add(&storm->answers, message != NULL);
                free(message);
            }
        }
        if (way % 2) {
            ws_leave(&c, 1000);
            while (ws_next(&c, 10).opcode >= 0) {
            }
        }
        client_close(&c);
    }
}

static void
clients_come_and_go_while_answers_are_on_their_way(void **state)
{
    struct storm storm = {.rounds = scaled(40)};
    const unsigned threads = 8;
    struct client c;

    (void)state;
    start();
    threads_run(threads, come_and_go, &storm);
    CHECK_INT(atomic_load(&storm.answers), threads * storm.rounds * 4 / 2);
    for (unsigned i = 0; i < threads * storm.rounds; i++) {
        sem_wait(&dispatcher.gone);
    }
    join(&c);
    ws_text(&c, "after");
    expect(&c, "after");
    client_close(&c);
}

/* All send to one WebSocket while others speak HTTP and the transport ends. */
struct end_race {
    struct client clients[8];
    _Atomic unsigned closed;
};

static void
talk_until_the_end(void *arg, unsigned number)
{
    struct end_race *race = arg;
    unsigned code = 0;
    char *message;

    if (number == 8) {
        stop_at(INT64_MAX);
        return;
    }
    for (int i = 0; i < 20; i++) {
        ws_text(&race->clients[number], "thread");
    }
    while ((message = ws_message(&race->clients[number], 10, &code))) {
        free(message);
    }
    atomic_fetch_add(&race->closed, 1);
}

static void
the_end_comes_while_all_talk(void **state)
{
    struct end_race race = {.closed = 0};

    (void)state;
    start();
    for (int i = 0; i < 8; i++) {
        join(&race.clients[i]);
    }
    threads_run(9, talk_until_the_end, &race);
    CHECK_INT(atomic_load(&race.closed), 8);
    for (int i = 0; i < 8; i++) {
        client_close(&race.clients[i]);
    }
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, prepare, finish)
    const struct CMUnitTest tests[] = {
        TEST(messages_are_answered_as_they_are_done),
        TEST(large_answers_come_whole),
        TEST(frames_stand_whole_one_behind_the_other),
        TEST(who_closes_without_reading_gets_whole_frames),
        TEST(who_leaves_takes_no_answer),
        TEST(events_are_bounded_for_who_does_not_read),
        TEST(connections_count_with_the_others),
        TEST(the_silent_are_pinged_and_closed),
        TEST(who_does_not_read_is_not_listened_to_and_is_told),
        TEST(the_end_waits_for_answers_and_is_told),
        TEST(the_end_does_not_wait_for_ever),
        TEST(clients_come_and_go_while_answers_are_on_their_way),
        TEST(the_end_comes_while_all_talk),
    };
    uv_loop_t loop;

    uv_loop_init(&loop); /* The first one opens descriptors that stay open. */
    uv_loop_close(&loop);
    return CHECK_RUN(tests);
}
