/* test_http_end.c -- peers that leave the HTTP transport, how it starts and how it ends. */
#include "tests/unit/http_script.c"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- Peers that leave, and the end ---- */

static void
peers_that_leave_during_a_call(void **state)
{
    struct client c;
    struct sink *sink;

    (void)state;
    start(TOKEN);
    for (int abrupt = 0; abrupt < 2; abrupt++) {
        struct linger linger = {.l_onoff = abrupt, .l_linger = 0};

        client_open(&c, port);
        send_post(&c, "hold");
        sem_wait(&dispatcher.holding);
        setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        client_close(&c);
        sem_wait(&dispatcher.gone);
        sink = atomic_exchange(&dispatcher.held, NULL);
        CHECK(sink == atomic_load(&dispatcher.gone_sink));
        check_alive();
        script_answer(sink, abrupt ? 204 : 200, abrupt ? SLICE_NONE : SLICE("too late"));
        check_alive();
    }
}

/* They leave before they have read any of many answers. */
static void
peers_that_leave_before_the_answers(void **state)
{
    struct buf all = BUF_INIT;
    char *text = post("inline");

    (void)state;
    start(TOKEN);
    for (int i = 0; i < 200; i++) {
        buf_adds(&all, text);
    }
    for (int i = 0; i < 20; i++) {
        struct client c;

        client_open(&c, port);
        CHECK(client_send(&c, buf_slice(&all)));
        client_close(&c);
        check_alive();
    }
    free(text);
    buf_fini(&all);
}

/* A client that has only closed its half still gets the answer of a call that was not cancelled. */
static void
peers_that_only_stop_sending(void **state)
{
    struct client c;

    (void)state;
    start(TOKEN);
    client_open(&c, port);
    send_post(&c, "hold");
    send_post(&c, "pipelined");
    sem_wait(&dispatcher.holding);
    shutdown(c.fd, SHUT_WR);
    sem_wait(&dispatcher.gone);
    script_answer(atomic_exchange(&dispatcher.held, NULL), 200, SLICE("after all"));
    expect(&c, 200, "after all");
    expect(&c, 200, "pipelined");
    CHECK(client_is_closed(&c));
    client_close(&c);
    /* A cancelled one gets nothing. */
    client_open(&c, port);
    send_post(&c, "hold");
    sem_wait(&dispatcher.holding);
    shutdown(c.fd, SHUT_WR);
    sem_wait(&dispatcher.gone);
    script_answer(atomic_exchange(&dispatcher.held, NULL), 204, SLICE_NONE);
    CHECK(client_is_closed(&c));
    client_close(&c);
}

/* One connection's request answers another's, which has more behind it. */
static void
an_answer_caused_by_another_connection(void **state)
{
    struct client a, b;
    char *release = post("release"), *more = post("more");
    char *both = xasprintf("%s%s", release, more);

    (void)state;
    start(TOKEN);
    client_open(&a, port);
    client_open(&b, port);
    send_post(&a, "hold");
    send_post(&a, "behind");
    sem_wait(&dispatcher.holding);
    CHECK(client_sends(&b, both));
    expect(&b, 200, "done");
    expect(&b, 200, "more");
    expect(&a, 200, "released");
    expect(&a, 200, "behind");
    client_close(&a);
    client_close(&b);
    free(both);
    free(more);
    free(release);
}

static void *
stop_in_time(void *arg)
{
    stop_at(*(int64_t *)arg);
    return NULL;
}

static bool
refused_to_connect(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)},
                                  .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refused = connect(fd, (struct sockaddr *)&address, sizeof address) != 0;

    close(fd);
    return refused;
}

static void
the_end_waits_for_calls(void **state)
{
    struct client busy, idle, partial;
    int64_t deadline = INT64_MAX;
    pthread_t thread;
    struct response r;

    (void)state;
    start(TOKEN);
    client_open(&busy, port);
    client_open(&idle, port);
    client_open(&partial, port);
    CHECK(client_sends(&partial, "GET /hea"));
    send_post(&busy, "hold");
    sem_wait(&dispatcher.holding);
    CHECK(client_sends(&idle, "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    expect(&idle, 200, NULL);
    CHECK(pthread_create(&thread, NULL, stop_in_time, &deadline) == 0);
    CHECK(client_is_closed(&idle) && client_is_closed(&partial));
    script_answer(atomic_exchange(&dispatcher.held, NULL), 200, SLICE("done"));
    r = client_next(&busy);
    CHECK(r.status == 200 && r.close && slice_is(r.body, "done"));
    CHECK(client_is_closed(&busy));
    pthread_join(thread, NULL);
    CHECK(refused_to_connect());
    client_close(&busy);
    client_close(&idle);
    client_close(&partial);
}

static void
the_end_does_not_wait_for_ever(void **state)
{
    struct client calls[3], reader, idle;
    int64_t deadline = clock_mono(&fake.clock) + 5 * SECOND;
    struct sink *held[3];
    pthread_t thread;

    (void)state;
    start(TOKEN);
    for (int i = 0; i < 3; i++) {
        client_open(&calls[i], port);
        send_post(&calls[i], "hold");
        sem_wait(&dispatcher.holding);
        held[i] = atomic_exchange(&dispatcher.held, NULL);
    }
    client_open(&reader, port);
    send_post(&reader, "big");
    check_alive();
    client_open(&idle, port);
    CHECK(client_sends(&idle, "GET /hea"));
    CHECK(pthread_create(&thread, NULL, stop_in_time, &deadline) == 0);
    CHECK(client_is_closed(&idle)); /* So it has begun. */
    script_answer(held[1], 200, SLICE("in time"));
    expect(&calls[1], 200, "in time");
    script_answer(held[2], 204, SLICE_NONE); /* Cancelled. */
    expect(&calls[2], 202, "");
    fake_clock_pass(&fake, 6 * SECOND);
    expect(&calls[0], 503, NULL);
    CHECK(client_is_closed(&calls[0]));
    pthread_join(thread, NULL);
    /* The transport is gone; the call's answer finds that out by itself. */
    script_answer(held[0], 200, SLICE("too late"));
    client_close(&calls[0]);
    client_close(&calls[1]);
    client_close(&calls[2]);
    client_close(&reader);
    client_close(&idle);
}

static void
over_a_unix_socket(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct client c = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)state;
    /* A name that is in no folder, and goes with the socket. */
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "tandem-test-%d", (int)getpid());
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0);
    start_on(fd, NULL);
    CHECK(connect(c.fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(client_sends(&c, "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    expect(&c, 200, "{\"status\":\"ok\"}");
    CHECK(client_sends(&c, "GET /health HTTP/1.1\r\nHost: localhost:80\r\n\r\n"));
    expect(&c, 403, NULL);
    client_close(&c);
}

/* A clock in which whoever asks it next can be held. */
struct holding_clock {
    struct clock clock; /* First. */
    _Atomic bool hold;
    sem_t held, go;
};

static int64_t
hold_or_tell(const struct clock *clock)
{
    struct holding_clock *h = (struct holding_clock *)(uintptr_t)clock;

    if (atomic_exchange(&h->hold, false)) {
        sem_post(&h->held);
        while (sem_wait(&h->go) != 0) {
        }
    }
    return 0;
}

static void
await_beat(void)
{
    while (!http_transport.beats(transport)) {
        sched_yield();
    }
}

static void
a_loop_that_is_held_gives_no_sign_of_life(void **state)
{
    struct holding_clock h = {.clock = {.monotonic_ns = hold_or_tell, .wall_ns = hold_or_tell}};
    struct transport_context context = {.dispatcher = &dispatcher,
                                        .settings = settings,
                                        .clock = &h.clock,
                                        .listen_fd = client_listen(&port)};
    struct client c;

    (void)state;
    sem_init(&h.held, 0, 0);
    sem_init(&h.go, 0, 0);
    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
    await_beat();
    await_beat();
    h.hold = true;
    client_open(&c, port);
    while (sem_wait(&h.held) != 0) {
    }
    http_transport.beats(transport); /* It may have answered what it was asked before. */
    CHECK(!http_transport.beats(transport));
    CHECK(!http_transport.beats(transport));
    sem_post(&h.go);
    await_beat();
    await_beat();
    CHECK(client_sends(&c, "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    expect(&c, 200, NULL);
    client_close(&c);
    stop_at(INT64_MAX);
    sem_destroy(&h.held);
    sem_destroy(&h.go);
}

/* Each port is its own to a client that has come by another. */
static void
several_sockets_are_one_server(void **state)
{
    unsigned ports[TRANSPORT_SOCKETS_MAX];
    int fds[TRANSPORT_SOCKETS_MAX];
    struct transport_context context = {.dispatcher = &dispatcher,
                                        .settings = settings,
                                        .clock = &fake.clock,
                                        .more_fds = fds + 1,
                                        .more_count = TRANSPORT_SOCKETS_MAX - 1};

    (void)state;
    for (unsigned i = 0; i < TRANSPORT_SOCKETS_MAX; i++) {
        fds[i] = client_listen(&ports[i]);
    }
    context.listen_fd = fds[0];
    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
    for (unsigned i = 0; i < TRANSPORT_SOCKETS_MAX; i++) {
        unsigned other = ports[(i + 1) % TRANSPORT_SOCKETS_MAX];
        struct client c;
        char *text;

        client_open(&c, ports[i]);
        text = xasprintf("GET /health HTTP/1.1\r\nHost: localhost:%u\r\n"
                         "Origin: http://127.0.0.1:%u\r\n\r\n",
                         ports[i], other);
        CHECK(client_sends(&c, text));
        expect(&c, 200, NULL);
        free(text);
        CHECK(client_sends(&c, "GET /health HTTP/1.1\r\nHost: localhost:1\r\n\r\n"));
        expect(&c, 403, NULL);
        client_close(&c);
    }
    stop_at(INT64_MAX);
    for (unsigned i = 0; i < TRANSPORT_SOCKETS_MAX; i++) {
        CHECK(fcntl(fds[i], F_GETFD) < 0);
    }
}

static void
no_start_if_one_of_the_sockets_is_none(void **state)
{
    int more[] = {client_listen(&port), open("/dev/null", O_RDONLY | O_CLOEXEC)};
    struct transport_context context = {.dispatcher = &dispatcher,
                                        .settings = settings,
                                        .clock = &fake.clock,
                                        .listen_fd = client_listen(&port),
                                        .more_fds = more,
                                        .more_count = 2};

    (void)state;
    CHECK(http_transport.start(&context, &transport, NULL) == E_IO);
    CHECK(close(context.listen_fd) == 0 && close(more[0]) == 0 && close(more[1]) == 0);
}

static void
no_start_without_a_socket(void **state)
{
    struct transport_context context = {.dispatcher = &dispatcher,
                                        .settings = settings,
                                        .clock = &fake.clock,
                                        .listen_fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
    struct fault f = FAULT_INIT;

    (void)state;
    /* epoll takes no such file. */
    CHECK(http_transport.start(&context, &transport, &f) == E_IO);
    CHECK(transport == NULL && f.code == E_IO && f.text[0]);
    /* What did not start is still the caller's. */
    CHECK(fcntl(context.listen_fd, F_GETFD) >= 0);
    close(context.listen_fd);
}

static void
no_start_without_descriptors(void **state)
{
    struct transport_context context = {.dispatcher = &dispatcher,
                                        .settings = settings,
                                        .clock = &fake.clock,
                                        .listen_fd = client_listen(&port)};
    struct rlimit old, none;

    (void)state;
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    none = old;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK(http_transport.start(&context, &transport, NULL) == E_IO);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
    check_alive();
}

static void
an_idle_connection_costs_little(void **state)
{
    (void)state;
    CHECK(sizeof(struct connection) <= 1024 - 16);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(peers_that_leave_during_a_call),
        TEST(peers_that_leave_before_the_answers),
        TEST(peers_that_only_stop_sending),
        TEST(an_answer_caused_by_another_connection),
        TEST(the_end_waits_for_calls),
        TEST(the_end_does_not_wait_for_ever),
        TEST(over_a_unix_socket),
        TEST(a_loop_that_is_held_gives_no_sign_of_life),
        TEST(several_sockets_are_one_server),
        TEST(no_start_if_one_of_the_sockets_is_none),
        TEST(no_start_without_a_socket),
        TEST(no_start_without_descriptors),
        TEST(an_idle_connection_costs_little),
    };
    return CHECK_RUN(tests);
}
