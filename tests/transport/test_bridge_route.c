/* The server's side of a bridge: who may upgrade a connection, what is said to be taken, and how it
 * ends.  The bridge is played by the test, on a plain socket. */
#include "tests/check.h"
#include "tests/harness_server.h"
#include "tests/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECONDS 20

static const char *const token_args[] = {"--listen", "127.0.0.1:0", NULL};
static const char *const open_args[] = {"--listen", "127.0.0.1:0", "--auth", "none", NULL};

static char root[HARNESS_ROOT];
static struct server server;
static char token[64];

static void
start(const char *const *args)
{
    const struct server_options options = {.args = args};
    char path[HARNESS_ROOT + 32];
    FILE *file;

    harness_project(root, (const char *const[]){NULL});
    server_start(&server, root, &options);
    snprintf(path, sizeof path, "%s/.tandem/token", root);
    file = fopen(path, "r");
    CHECK(file && fscanf(file, "%63s", token) == 1);
    fclose(file);
}

static int
begin(void **state)
{
    (void)state;
    start(token_args);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    if (server.pidfd >= 0) {
        CHECK_INT(server_end(&server), 0);
    }
    harness_remove(root);
    return 0;
}

/* Asks to upgrade; 'with' are further header lines. */
static void
ask(struct client *c, const char *shown, const char *with)
{
    char *head = xasprintf("GET /bridge HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s%s%s%s\r\n",
                           server.info.port, shown ? "Authorization: Bearer " : "",
                           shown ? shown : "", shown ? "\r\n" : "", with);

    client_open(c, server.info.port);
    CHECK(client_sends(c, head));
    free(head);
}

#define UPGRADE "Connection: Upgrade\r\nUpgrade: tandem-lines/1\r\n"

static void
join(struct client *c)
{
    ask(c, token, UPGRADE);
    CHECK(client_until(c, "HTTP/1.1 101 Switching Protocols\r\n", SECONDS));
    CHECK(client_until(c, "\r\nUpgrade: tandem-lines/1\r\n\r\n", SECONDS));
}

static void
expect_status(const char *shown, const char *with, int status)
{
    struct client c;
    struct response r;

    ask(&c, shown, with);
    r = client_next(&c);
    CHECK_INT(r.status, status);
    client_close(&c);
}

static void
only_who_can_read_the_token_joins(void **state)
{
    (void)state;
    expect_status(NULL, UPGRADE, 401);
    expect_status("wrong", UPGRADE, 401);
    expect_status(token, "", 426);
    expect_status(token, "Connection: Upgrade\r\nUpgrade: websocket\r\n", 426);
    expect_status(token, "Upgrade: tandem-lines/1\r\n", 426);
    expect_status(token, UPGRADE "Origin: http://evil.example\r\n", 403);
}

static void
the_token_is_needed_whatever_others_show(void **state)
{
    struct client c;

    finish(state);
    start(open_args);
    expect_status(NULL, UPGRADE, 401);
    join(&c);
    client_close(&c);
}

#define PING(ID) "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"ping\"}\n"
#define PONG(ID) "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"result\":{}}\n"

static void
lines_are_taken_and_then_answered(void **state)
{
    struct client c;

    (void)state;
    join(&c);
    CHECK(client_sends(&c, PING("1")));
    CHECK(client_until(&c, "=1\n" PONG("1"), SECONDS));
    CHECK(client_sends(&c, PING("2") "\n" PING("3") "{\"jsonrpc\":"));
    CHECK(client_until(&c, "=4\n" PONG("2") PONG("3"), SECONDS));
    CHECK(client_sends(&c, "\"2.0\",\"id\":4,\"method\":\"ping\"}\n{\"jsonrpc\":\"2.0\",\"id\":5,"
                           "\"method\":\"ping\"}"));
    CHECK(client_until(&c, "=5\n" PONG("4"), SECONDS));
    CHECK(shutdown(c.fd, SHUT_WR) == 0); /* What has no end counts as a line then. */
    CHECK(client_until(&c, PONG("5"), SECONDS));
    CHECK(client_is_closed(&c));
    client_close(&c);
}

static void
each_connection_is_a_session(void **state)
{
#define INITIALIZE(VERSION)                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"              \
    "\"protocolVersion\":\"" VERSION "\",\"capabilities\":{},\"clientInfo\":{\"name\":" \
    "\"x\",\"version\":\"1\"}}}\n"
    struct client a, b;

    (void)state;
    join(&a);
    join(&b);
    CHECK(client_sends(&a, INITIALIZE("2024-11-05")));
    CHECK(client_until(&a, "\"protocolVersion\":\"2024-11-05\"", SECONDS));
    CHECK(client_sends(&b, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}\n"));
    CHECK(client_until(&b, "initialize has not been sent", SECONDS));
    CHECK(client_sends(&b, INITIALIZE("2025-06-18")));
    CHECK(client_until(&b, "\"protocolVersion\":\"2025-06-18\"", SECONDS));
    client_close(&a);
    client_close(&b);
}

#define CALL(META)                                                                            \
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":"           \
    "\"current_date\",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}" META "}}}\n"

/* Another window's settings may name another tenant than the server's. */
static void
a_window_has_a_tenant_of_its_own(void **state)
{
    struct client c;

    (void)state;
    ask(&c, token, UPGRADE "Tandem-Tenant: window\r\n");
    CHECK(client_until(&c, "\r\n\r\n", SECONDS));
    CHECK(client_sends(&c, CALL("")));
    CHECK(client_until(&c, "there is no tenant 'window'", SECONDS));
    CHECK(client_sends(&c, CALL(",\"dev.tandem/client-id\":\"default\"")));
    CHECK(client_until(&c, "iso_date", SECONDS));
    CHECK(client_sends(&c, CALL(",\"dev.tandem/client-id\":\"other\"")));
    CHECK(client_until(&c, "there is no tenant 'other'", SECONDS));
    client_close(&c);
    join(&c);
    CHECK(client_sends(&c, CALL("")));
    CHECK(client_until(&c, "iso_date", SECONDS));
    client_close(&c);
}

static void
who_does_not_wait_for_the_answer_is_cut_off(void **state)
{
    struct client c;

    (void)state;
    ask(&c, token, UPGRADE "\r\n" PING("1") "X: y\r\n");
    CHECK(client_until(&c, "HTTP/1.1 101 ", SECONDS));
    CHECK(client_until(&c, "\r\n\r\n", SECONDS));
    CHECK(client_is_closed(&c));
    client_close(&c);
}

/* The end of the server: all that was taken is answered, nothing else is taken. */
static void
the_end_is_told_by_closing(void **state)
{
    struct client c;

    (void)state;
    join(&c);
    CHECK(client_sends(&c, PING("1")));
    CHECK(client_until(&c, PONG("1"), SECONDS));
    server_close_stdin(&server);
    CHECK(client_is_closed(&c));
    client_close(&c);
    CHECK_INT(server_wait(&server, now_ns() + PATIENCE), 0);
}

/* A bridge that has gone in the middle of things costs nothing. */
static void
bridges_that_die_leave_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct linger now = {.l_onoff = 1};
        struct client c;

        join(&c);
        CHECK(client_sends(&c, PING("1") "{\"half\":"));
        if (i % 2) {
            setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        client_close(&c);
    }
    CHECK(server_alive(&server));
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, begin, finish)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_who_can_read_the_token_joins), TEST(the_token_is_needed_whatever_others_show),
        TEST(lines_are_taken_and_then_answered), TEST(each_connection_is_a_session),
        TEST(a_window_has_a_tenant_of_its_own),  TEST(who_does_not_wait_for_the_answer_is_cut_off),
        TEST(the_end_is_told_by_closing),        TEST(bridges_that_die_leave_nothing),
    };
    signal(SIGPIPE, SIG_IGN);
    return CHECK_RUN(tests);
}
