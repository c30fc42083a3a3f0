/* test_http_limits.c -- who is slow, idle or one too many, over HTTP. */
#include "tests/unit/http_script.c"

#include <sys/resource.h>
#include <sys/socket.h>

/* ---- Time ---- */

static void
who_is_too_slow_is_told(void **state)
{
    static const struct {
        const char *sent;
        int64_t pass, less; /* Seconds; 'less' is not enough. */
        int status;
    } rows[] = {
        {"", 11, 9, 0},
        {"\r\n", 11, 9, 0},
        {"GET /hea", 11, 9, 408},
        {"GET /health HTTP/1.1\r\n" HOST, 11, 9, 408},
        {"POST /mcp HTTP/1.1\r\n" HOST JSON "Content-Length: 4\r\n\r\nbo", 11, 9, 408},
        {"POST /mcp HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\n4\r\nbo", 11, 9,
         408},
    };

    (void)state;
    script_set(settings, SETTING_limits_keep_alive,
               "1s"); /* For a quick tick; nobody here is idle after a request. */
    start(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client c;
        struct response r;

        client_open(&c, port);
        CHECK(client_sends(&c, rows[i].sent));
        check_alive(); /* The server has seen the above by now, and been idle since. */
        fake_clock_pass(&fake, rows[i].less * SECOND);
        check_alive();
        CHECK(client_read(&c, false, 0).status == -1);
        fake_clock_pass(&fake, (rows[i].pass - rows[i].less) * SECOND);
        r = client_next(&c);
        if (r.status != rows[i].status) {
            fail_msg("%s: %d", rows[i].sent, r.status);
        }
        CHECK(r.status == 0 || (r.close && client_is_closed(&c)));
        client_close(&c);
    }
}

/* Progress extends the time for a body, but not without end; and never that for a head. */
static void
drops_do_not_make_a_stream(void **state)
{
    struct client head, body;

    (void)state;
    script_set(settings, SETTING_limits_keep_alive, "1s");
    start(NULL);
    client_open(&head, port);
    client_open(&body, port);
    CHECK(client_sends(&head, "GET /"));
    CHECK(client_sends(&body, "POST /mcp HTTP/1.1\r\n" HOST JSON "Content-Length: 99\r\n\r\n"));
    check_alive();
    for (int i = 0; i < 4; i++) {
        fake_clock_pass(&fake, 8 * SECOND);
        if (i == 1) {
            CHECK_INT(client_next(&head).status, 408);
        }
        if (i < 3) {
            CHECK(client_sends(&body, "x"));
            CHECK(i > 0 || client_sends(&head, "x"));
            check_alive();
            CHECK(client_read(&body, false, 0).status == -1);
        }
    }
    CHECK_INT(client_next(&body).status, 408);
    client_close(&head);
    client_close(&body);
}

static void
idle_connections_are_closed(void **state)
{
    struct client c;

    (void)state;
    script_set(settings, SETTING_limits_keep_alive, "1s");
    start(NULL);
    client_open(&c, port);
    CHECK(client_sends(&c, "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    expect(&c, 200, NULL);
    fake_clock_pass(&fake, SECOND / 2);
    check_alive();
    CHECK(client_read(&c, false, 0).status == -1);
    fake_clock_pass(&fake, 2 * SECOND); /* The server may have seen half a second pass before. */
    CHECK(client_is_closed(&c));
    client_close(&c);
    /* A call that takes long is not idleness. */
    client_open(&c, port);
    send_post(&c, "hold");
    sem_wait(&dispatcher.holding);
    fake_clock_pass(&fake, 1000 * SECOND);
    check_alive();
    script_answer(atomic_exchange(&dispatcher.held, NULL), 200, SLICE("late"));
    expect(&c, 200, "late");
    client_close(&c);
}

/* Who does not read its answer holds up nobody, and not for ever. */
static void
answers_that_nobody_reads(void **state)
{
    struct client reader, sleeper;
    struct response r;
    size_t got = 0;

    (void)state;
    script_set(settings, SETTING_limits_keep_alive, "1s");
    start(TOKEN);
    client_open(&reader, port);
    client_open(&sleeper, port);
    send_post(&sleeper, "big");
    send_post(&reader, "big");
    send_post(&reader, "next");
    check_alive();
    r = client_next(&reader);
    CHECK(r.status == 200 && r.body.len == 4000000);
    expect(&reader, 200, "next");
    fake_clock_pass(&fake, 9 * SECOND);
    check_alive();
    fake_clock_pass(&fake, 2 * SECOND);
    /* The server closes, and what it had sent is still there to read. */
    for (;;) {
        char chunk[65536];
        ssize_t n;

        check_alive();
        n = recv(sleeper.fd, chunk, sizeof chunk, MSG_PEEK | MSG_DONTWAIT);
        if (n > 0 && !client_sends(&sleeper, "x")) {
            break; /* Reset: it is gone. */
        }
        got++;
        CHECK(got < 100000);
    }
    client_close(&reader);
    client_close(&sleeper);
}

/* ---- Limits ---- */

static void
connections_beyond_the_limit_wait(void **state)
{
    struct client clients[9];

    (void)state;
    script_set(settings, SETTING_limits_connections, "8");
    start(NULL);
    for (int i = 0; i < 8; i++) {
        client_open(&clients[i], port);
        CHECK(client_sends(&clients[i], "GET /health HTTP/1.1\r\n" HOST "\r\n"));
        expect(&clients[i], 200, NULL);
    }
    client_open(&clients[8], port); /* In the backlog. */
    CHECK(client_sends(&clients[8], "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    CHECK(client_sends(&clients[0], "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    expect(&clients[0], 200, NULL);
    CHECK(client_read(&clients[8], false, 0).status == -1);
    client_close(&clients[0]);
    expect(&clients[8], 200, NULL);
    for (int i = 1; i < 9; i++) {
        client_close(&clients[i]);
    }
    check_alive();
}

static void
strangers_do_not_fill_the_house(void **state)
{
    struct client strangers[4], friend, late;

    (void)state;
    script_set(settings, SETTING_limits_unchecked, "4");
    start(TOKEN);
    client_open(&friend, port);
    send_post(&friend, "known");
    expect(&friend, 200, "known");
    for (int i = 0; i < 4; i++) {
        client_open(&strangers[i], port);
        CHECK(client_sends(&strangers[i], "GET /health HTTP/1.1\r\n" HOST "\r\n"));
        expect(&strangers[i], 200, NULL);
    }
    client_open(&late, port);
    expect(&late, 503, "");
    CHECK(client_is_closed(&late));
    client_close(&late);
    send_post(&friend, "again");
    expect(&friend, 200, "again");
    /* One shows a token: there is room again. */
    send_post(&strangers[0], "known");
    expect(&strangers[0], 200, "known");
    client_open(&late, port);
    send_post(&late, "hello");
    expect(&late, 200, "hello");
    client_close(&late);
    client_close(&friend);
    for (int i = 0; i < 4; i++) {
        client_close(&strangers[i]);
    }
}

static void
no_descriptors_left(void **state)
{
    struct client c;
    int spare[4096];
    int count = 0;
    struct rlimit old, small;

    (void)state;
    start(NULL);
    client_open(&c, port);
    CHECK(client_sends(&c, "GET /health HTTP/1.1\r\n" HOST "\r\n"));
    expect(&c, 200, NULL);
    /* Its end comes when the server has closed it: no descriptor comes back during what follows. */
    CHECK(shutdown(c.fd, SHUT_WR) == 0 && client_is_closed(&c));
    client_close(&c);
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    small = old;
    small.rlim_cur = 128;
    CHECK(setrlimit(RLIMIT_NOFILE, &small) == 0);
    while (count < 4096 && (spare[count] = dup(0)) >= 0) {
        count++;
    }
    CHECK(count > 2 && count < 4096);
    close(spare[--count]);
    client_open(&c, port); /* Takes the last one. */
    expect(&c, 503, "");
    while (count > 0) {
        close(spare[--count]);
    }
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    check_alive(); /* Waits until the server looks again. */
    client_close(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_too_slow_is_told),
        TEST(drops_do_not_make_a_stream),
        TEST(idle_connections_are_closed),
        TEST(answers_that_nobody_reads),
        TEST(connections_beyond_the_limit_wait),
        TEST(strangers_do_not_fill_the_house),
        TEST(no_descriptors_left),
    };
    return CHECK_RUN(tests);
}
