/* test_harness_http.c -- what the HTTP harness makes of answers in each of their forms. */
#include "tests/check.h"
#include "tests/harness_http.h"

#include <sys/socket.h>
#include <unistd.h>

#define STREAM "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
#define CHUNKED STREAM "Transfer-Encoding: chunked\r\n\r\n"
#define PRIMING "1b\r\nid: a-1\nretry: 500\ndata: \n\n\r\n"
#define PROGRESS "1e\r\nevent: message\ndata: {\"n\":1}\n\n\r\n"
#define ANSWER "27\r\nevent: message\nid: a-2\ndata: {\"id\":7}\n\n\r\n"

static const struct {
    const char *sent, *body;
} rows[] = {
    {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"id\":7}",
     "{\"id\":7}"},
    {"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", ""},
    {STREAM "Content-Length: 31\r\n\r\nevent: message\ndata: {\"id\":7}\n\n", "{\"id\":7}"},
    {CHUNKED ANSWER "0\r\n\r\n", "{\"id\":7}"},
    {CHUNKED PRIMING ANSWER "0\r\n\r\n", "{\"id\":7}"},
    {CHUNKED PRIMING PROGRESS "6\r\n: ka\n\n\r\n" ANSWER "0\r\n\r\n", "{\"id\":7}"},
    {CHUNKED PRIMING "0\r\n\r\n", ""}, /* Its client has to come back for the answer. */
};

/* A peer at one end of a connection; the other end is stored. */
static struct http_peer
connect_peer(int *other)
{
    struct http_peer p;
    int pair[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    http_peer_init(&p, NULL);
    p.fd = pair[0];
    *other = pair[1];
    return p;
}

static void
forms_of_answers(void **state)
{
    struct http_reply reply = {.status = 0};
    int other;
    struct http_peer p = connect_peer(&other);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK(http_write(other, rows[i].sent, strlen(rows[i].sent)));
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK(http_read(&p, &reply));
        CHECK_STR(reply.body.data ? reply.body.data : "", rows[i].body);
    }
    CHECK_INT(p.in.len, 0);
    http_reply_fini(&reply);
    http_peer_fini(&p);
    close(other);
}

/* Each form cut short anywhere is no answer. */
static void
cut_short(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t len = 0; len < strlen(rows[i].sent); len++) {
            struct http_reply reply = {.status = 0};
            int other;
            struct http_peer p = connect_peer(&other);

            CHECK(http_write(other, rows[i].sent, len));
            close(other);
            CHECK(!http_read(&p, &reply));
            http_reply_fini(&reply);
            http_peer_fini(&p);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_answers),
        cmocka_unit_test(cut_short),
    };

    return CHECK_RUN(tests);
}
