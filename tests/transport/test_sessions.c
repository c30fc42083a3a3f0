/* test_sessions.c -- what becomes of MCP sessions over HTTP when clients guess, take, lose and
 * flood them: the faults that other servers had, each tried on the real transport. */
#include "tests/check.h"

#include "state/mcp_session.h"
#include "tests/harness.h"
#include "tests/http_client.h"
#include "tests/http_rig.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#define SECONDS 30
#define TOKEN "0123456789012345678901234567890123456789012"
#define HEADERS                                                            \
    "Host: localhost\r\nAuthorization: Bearer " TOKEN "\r\nContent-Type: " \
    "application/json\r\nAccept: application/json, text/event-stream\r\n"
#define INITIALIZE                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":" \
    "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"
#define LIST "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"
#define ID_BYTES 16
#define ID_LEN (2 * ID_BYTES)

static struct http_rig rig;

static int
start(void **state)
{
    (void)state;
    http_rig_init(&rig, TOKEN);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    http_rig_fini(&rig);
    return 0;
}

static struct response
ask(struct client *c, const char *method, const char *headers, const char *body)
{
    char *text = xasprintf("%s /mcp HTTP/1.1\r\n" HEADERS "%sContent-Length: %zu\r\n\r\n%s", method,
                           headers, strlen(body), body);

    client_sends(c, text);
    free(text);
    return client_read(c, false, SECONDS);
}

/* One request on a connection of its own; its status. */
static int
status_of(const char *method, const char *headers, const char *body)
{
    struct client c;
    int status;

    client_open(&c, rig.port);
    status = ask(&c, method, headers, body).status;
    client_close(&c);
    return status;
}

/* Opens a session, and stores its id; the status if there is none to be had. */
static int
open_session(struct client *c, char id[ID_LEN + 1])
{
    struct response r = ask(c, "POST", "", INITIALIZE);
    char *header = client_header(&r, "Mcp-Session-Id");

    if (r.status == 200) {
        CHECK_INT(strlen(header), ID_LEN);
        memcpy(id, header, ID_LEN + 1);
    } else {
        CHECK_STR(header, "");
    }
    free(header);
    return r.status;
}

static void
begin(char id[ID_LEN + 1])
{
    struct client c;
    char headers[96];

    client_open(&c, rig.port);
    CHECK_INT(open_session(&c, id), 200);
    snprintf(headers, sizeof headers, "Mcp-Session-Id: %s\r\n", id);
    CHECK_INT(ask(&c, "POST", headers, INITIALIZED).status, 202);
    client_close(&c);
}

/* ---- Guessing ---- */

static int
by_text(const void *a, const void *b)
{
    return memcmp(a, b, ID_LEN + 1);
}

static unsigned
digit_of(char c)
{
    CHECK(isdigit((unsigned char)c) || (c >= 'a' && c <= 'f'));
    return isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

/* No id comes twice, and every bit of them is as often set as not: 128 sums of 2,000 fair coins are
 * all within 7 deviations of their mean, but for once in 10^9 runs.  Counters, times and addresses
 * have bits that hardly change. */
static void
ids_are_not_to_be_guessed(void **state)
{
    enum { COUNT = 2000 };
    static char ids[COUNT][ID_LEN + 1];
    unsigned set[8 * ID_BYTES] = {0};
    struct client c;

    (void)state;
    client_open(&c, rig.port);
    for (size_t i = 0; i < COUNT; i++) {
        char headers[96];

        CHECK_INT(open_session(&c, ids[i]), 200);
        snprintf(headers, sizeof headers, "Mcp-Session-Id: %.32s\r\n", ids[i]);
        CHECK_INT(ask(&c, "DELETE", headers, "").status, 204);
        for (unsigned bit = 0; bit < 8 * ID_BYTES; bit++) {
            set[bit] += digit_of(ids[i][bit / 4]) >> bit % 4 & 1;
        }
        buf_reset(&c.in);
        c.at = 0;
    }
    client_close(&c);
    for (unsigned bit = 0; bit < 8 * ID_BYTES; bit++) {
        if (set[bit] < COUNT / 2 - 157 || set[bit] > COUNT / 2 + 157) {
            fail_msg("bit %u is set in %u of %u ids", bit, set[bit], (unsigned)COUNT);
        }
    }
    qsort(ids, COUNT, sizeof ids[0], by_text);
    for (size_t i = 1; i < COUNT; i++) {
        CHECK(by_text(ids[i - 1], ids[i]) != 0);
    }
}

/* What is nearly an id, or two of them, is none; and it is not told from any other. */
static void
only_the_whole_id_is_one(void **state)
{
    /* Around the id, and how much of it. */
    static const struct {
        const char *before;
        int len;
        const char *after;
    } rows[] = {
        {"", 31, ""},    {"", 32, "0"},   {"\"", 32, "\""},
        {"x", 32, ""},   {"../", 32, ""}, {"", 32, "%00"},
        {"*", 0, ""},    {"", 32, ", "},  {"", 32, "\r\nMcp-Session-Id: 0123456789abcdef"},
        {"00 ", 32, ""},
    };
    char id[ID_LEN + 1], other[ID_LEN + 1], headers[256];

    (void)state;
    begin(id);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(headers, sizeof headers, "Mcp-Session-Id: %s%.*s%s\r\n", rows[i].before,
                 rows[i].len, id, rows[i].after);
        CHECK_INT(status_of("POST", headers, LIST), 404);
        CHECK_INT(status_of("GET", headers, ""), 404);
        CHECK_INT(status_of("DELETE", headers, ""), 404);
    }
    for (size_t i = 0; i < ID_LEN; i++) {
        memcpy(other, id, sizeof other);
        other[i] = other[i] == '0' ? '1' : '0';
        snprintf(headers, sizeof headers, "Mcp-Session-Id: %s\r\n", other);
        CHECK_INT(status_of("POST", headers, LIST), 404);
    }
    snprintf(headers, sizeof headers, "Mcp-Session-Id: %s\r\n", id);
    CHECK_INT(status_of("POST", headers, LIST), 200); /* All that has not ended it. */
}

/* ---- Taking ---- */

/* Who names no session has none, however many there are. */
static void
who_names_no_session_gets_nobody_elses(void **state)
{
    char id[ID_LEN + 1], headers[96];

    (void)state;
    begin(id);
    CHECK_INT(status_of("POST", "", LIST), 400);
    CHECK_INT(status_of("POST", "Mcp-Session-Id: \r\n", LIST), 404);
    CHECK_INT(status_of("GET", "", ""), 405);
    CHECK_INT(status_of("DELETE", "", ""), 400);
    CHECK_INT(status_of("POST", "MCP-Protocol-Version: 2025-11-25\r\n", LIST), 400);
    snprintf(headers, sizeof headers, "Mcp-Session-Id: %s\r\n", id);
    CHECK_INT(status_of("POST", headers, LIST), 200);
}

/* A session's id is no key: without the token it opens nothing, and does not even show that it is
 * there. */
static void
an_id_is_no_key(void **state)
{
    static const char *const methods[] = {"POST", "GET", "DELETE"};
    char id[ID_LEN + 1];

    (void)state;
    begin(id);
    for (size_t i = 0; i < 6; i++) {
        char *text = xasprintf("%s /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: %s\r\n"
                               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                               methods[i / 2], i % 2 ? id : "00000000000000000000000000000000",
                               i / 2 ? 0 : strlen(LIST), i / 2 ? "" : LIST);
        struct client c;
        struct response r;

        client_open(&c, rig.port);
        client_sends(&c, text);
        r = client_read(&c, false, SECONDS);
        CHECK_INT(r.status, 401);
        client_close(&c);
        free(text);
    }
}

static void
an_ended_session_is_gone(void **state)
{
    char id[ID_LEN + 1], headers[96];

    (void)state;
    begin(id);
    snprintf(headers, sizeof headers, "Mcp-Session-Id: %s\r\n", id);
    CHECK_INT(status_of("DELETE", headers, ""), 204);
    CHECK_INT(status_of("POST", headers, LIST), 404);
    CHECK_INT(status_of("GET", headers, ""), 404);
    CHECK_INT(status_of("DELETE", headers, ""), 404);
}

/* ---- Losing and flooding ---- */

/* Clients that never end what they began: sessions stay few, and those idle for long make room. */
static void
a_flood_of_sessions_is_bounded_and_passes(void **state)
{
    unsigned taken = 0, refused = 0;
    char id[ID_LEN + 1];
    struct client c;

    (void)state;
    client_open(&c, rig.port);
    for (int i = 0; i < 5000; i++) {
        int status = open_session(&c, id);

        taken += status == 200;
        refused += status == 503;
        buf_reset(&c.in);
        c.at = 0;
    }
    CHECK_INT(taken, rig.project.settings->limits_sessions_each);
    CHECK_INT(taken + refused, 5000);
    client_close(&c);
    fake_clock_pass(&rig.clock, rig.project.settings->limits_session_idle);
    client_open(&c, rig.port);
    CHECK_INT(open_session(&c, id), 200);
    client_close(&c);
    CHECK(mcp_sessions_counters(state_sessions(rig.project.state)).live <= taken);
}

/* Clients that vanish at any point of a request leave no descriptor. */
static void
clients_that_vanish_leave_nothing(void **state)
{
    static const char request[] =
        "POST /mcp HTTP/1.1\r\n" HEADERS "Content-Length: 143\r\n\r\n" INITIALIZE;
    char id[ID_LEN + 1];
    unsigned before;
    struct client c;

    (void)state;
    begin(id); /* What is opened once is open now. */
    before = harness_descriptors(getpid());
    for (size_t len = 0; len <= sizeof request - 1; len++) {
        client_open(&c, rig.port);
        client_send(&c, (struct slice){request, len});
        client_close(&c);
    }
    /* They have been seen to leave once connections are as few as before. */
    client_open(&c, rig.port);
    do {
        CHECK_INT(ask(&c, "GET", "", "").status, 405);
        buf_reset(&c.in);
        c.at = 0;
    } while (harness_descriptors(getpid()) > before + 2);
    client_close(&c);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ids_are_not_to_be_guessed),
        TEST(only_the_whole_id_is_one),
        TEST(who_names_no_session_gets_nobody_elses),
        TEST(an_id_is_no_key),
        TEST(an_ended_session_is_gone),
        TEST(a_flood_of_sessions_is_bounded_and_passes),
        TEST(clients_that_vanish_leave_nothing),
    };

    alarm(300);
    return CHECK_RUN(tests);
}
