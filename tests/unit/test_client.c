/* test_client.c -- URLs as they are written, and answers as they should not be. */
#include "server/client.h"

#include "state/base/clock.h"
#include "tests/check.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static void
urls_are_read(void **unused)
{
    static const struct {
        const char *url, *path;
        enum err err;
        unsigned port;
        bool local;
    } cases[] = {
        {"http://127.0.0.1:4242/mcp", "/mcp", E_OK, 4242, true},
        {"http://127.0.0.1:4242", "/", E_OK, 4242, true},
        {"http://localhost", "/", E_OK, 80, true},
        {"http://[::1]:99/a/b?c", "/a/b?c", E_ARGUMENT, 0, false},
        {"http://[::1]:99/a/b", "/a/b", E_OK, 99, true},
        {"http://10.1.2.3:99/", "/", E_OK, 99, false},
        {"http+unix://%2Frun%2Fx.sock/mcp", "/mcp", E_OK, 0, true},
        {"http+unix://%2frun%2fa%20b", "/", E_OK, 0, true},
        {"http+unix://run%2Fx.sock/mcp", "", E_ARGUMENT, 0, false}, /* Not absolute. */
        {"http+unix://%2Frun%2/mcp", "", E_ARGUMENT, 0, false},
        {"http+unix://%2Frun%zz/mcp", "", E_ARGUMENT, 0, false},
        {"http+unix://%2Frun%00/mcp", "", E_ARGUMENT, 0, false},
        {"http+unix:///mcp", "", E_ARGUMENT, 0, false},
        {"https://127.0.0.1:1/", "", E_ARGUMENT, 0, false},
        {"127.0.0.1:4242", "", E_ARGUMENT, 0, false},
        {"http://example.org/", "", E_ARGUMENT, 0, false},
        {"http://user@127.0.0.1/", "", E_ARGUMENT, 0, false},
        {"http://127.0.0.1/a\r\nX: y", "", E_ARGUMENT, 0, false},
        {"http:///mcp", "", E_ARGUMENT, 0, false},
        {"", "", E_ARGUMENT, 0, false},
    };
    char overlong[600] = "http://127.0.0.1/";
    struct client_target t;
    struct fault f = FAULT_INIT;

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_INT(client_parse_url(cases[i].url, &t, &f), cases[i].err);
        if (cases[i].err) {
            CHECK(strstr(f.text, "is not the URL"));
            continue;
        }
        CHECK_STR(t.path, cases[i].path);
        CHECK_INT(listen_is_local(&t.address), cases[i].local);
        if (cases[i].port) {
            CHECK_INT(ntohs(((struct sockaddr_in *)&t.address.sockaddr)->sin_port), cases[i].port);
        }
    }
    memset(overlong + strlen(overlong), 'a', 400);
    CHECK_INT(client_parse_url(overlong, &t, &f), E_ARGUMENT);
    memset(overlong + 7, '1', 400);
    CHECK_INT(client_parse_url(overlong, &t, &f), E_ARGUMENT);
    snprintf(overlong, sizeof overlong, "http+unix://%%2F%0300d", 1);
    CHECK_INT(client_parse_url(overlong, &t, &f), E_ARGUMENT);
}

/* A server that takes one connection, reads one request and answers with fixed bytes. */
struct canned {
    struct listener listener;
    struct slice answer;
    bool stay; /* Keeps the connection open, silent, until the client has gone. */
    char request[4096];
    size_t len;
};

static void *
serve_canned(void *arg)
{
    struct canned *c = arg;
    struct pollfd p = {.fd = c->listener.fd, .events = POLLIN};
    const char *end;
    int fd;

    poll(&p, 1, 10000);
    fd = accept(c->listener.fd, NULL, NULL);
    while (
        !(end = memmem(c->request, c->len, "\r\n\r\n", 4)) ||
        (strstr(c->request, "Content-Length: 7") && c->len < (size_t)(end - c->request) + 4 + 7)) {
        ssize_t n = read(fd, c->request + c->len, sizeof c->request - 1 - c->len);
        if (n <= 0) {
            break;
        }
        c->len += (size_t)n;
    }
    if (write(fd, c->answer.data, c->answer.len) < 0) {
        c->len = 0;
    }
    if (c->stay) {
        char byte;
        (void)!read(fd, &byte, 1);
    }
    close(fd);
    return NULL;
}

static enum err
ask(struct canned *c, int64_t timeout, const char *token, struct slice body,
    struct client_reply *reply, struct fault *f)
{
    struct listen_address address;
    struct client_target target;
    pthread_t thread;
    char url[LISTEN_URL_SIZE];
    enum err err;

    CHECK_INT(listen_parse("127.0.0.1:0", &address, NULL), E_OK);
    CHECK_INT(listen_open(&address, 1, 1, &c->listener, NULL), E_OK);
    listen_url(&c->listener, "/", url);
    CHECK_INT(client_parse_url(url, &target, NULL), E_OK);
    pthread_create(&thread, NULL, serve_canned, c);
    err = client_exchange(&target,
                          &(struct client_request){.method = "POST",
                                                   .path = "/x",
                                                   .token = token,
                                                   .headers = "X-More: yes\r\n",
                                                   .body = body,
                                                   .timeout_ns = timeout},
                          reply, f);
    pthread_join(thread, NULL);
    listen_close(&c->listener);
    return err;
}

static void
a_request_is_whole_and_an_answer_is_read(void **unused)
{
    struct canned c = {.answer = SLICE("HTTP/1.1 200 OK\r\nContent-Type: a\r\n"
                                       "content-length:  5\r\n\r\nhello, and more")};
    struct client_reply reply;

    (void)unused;
    CHECK_INT(ask(&c, 10 * SECOND, "sesame", SLICE("{\"a\":1}"), &reply, NULL), E_OK);
    CHECK_INT(reply.status, 200);
    CHECK_STR(reply.body.data, "hello");
    CHECK_INT(reply.body.len, 5);
    CHECK(!strncmp(c.request, "POST /x HTTP/1.1\r\nHost: 127.0.0.1:", 34));
    CHECK(strstr(c.request, "\r\nAuthorization: Bearer sesame\r\n"));
    CHECK(strstr(c.request, "\r\nX-More: yes\r\n"));
    CHECK(strstr(c.request, "\r\nContent-Type: application/json\r\n"));
    CHECK(strstr(c.request, "\r\n\r\n{\"a\":1}"));
    buf_fini(&reply.body);
}

static void
answers_of_every_kind(void **unused)
{
    static const struct {
        const char *answer;
        enum err err;
        int status;
        const char *body;
    } cases[] = {
        {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", E_OK, 204, ""},
        {"HTTP/1.1 404 x\r\n\r\nuntil it closes", E_OK, 404, "until it closes"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", E_IO, 0, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", E_TOO_LARGE, 0, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", E_TOO_LARGE, 0, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Le", E_IO, 0, NULL},
        {"", E_IO, 0, NULL},
        {"SSH-2.0-OpenSSH_9.2 this is something else\r\n\r\n", E_IO, 0, NULL},
        {"HTTP/1.1 2x0 OK\r\n\r\n", E_IO, 0, NULL},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct canned c = {.answer = slice_of(cases[i].answer)};
        struct client_reply reply;
        struct fault f = FAULT_INIT;

        CHECK_INT(ask(&c, 10 * SECOND, NULL, SLICE_NONE, &reply, &f), cases[i].err);
        CHECK(!strstr(c.request, "Authorization") && !strstr(c.request, "Content-Length"));
        if (!cases[i].err) {
            CHECK_INT(reply.status, cases[i].status);
            CHECK_STR(reply.body.data ? reply.body.data : "", cases[i].body);
        } else {
            CHECK(*f.text);
        }
        buf_fini(&reply.body);
    }
}

static void
a_session_is_told(void **unused)
{
    static const struct {
        const char *answer, *session;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nmcp-session-id:  abc-1 \r\nContent-Length: 0\r\n\r\n", "abc-1"},
        {"HTTP/1.1 200 OK\r\nMcp-Session-Id: abc\r\n\r\n", "abc"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n\r\nMcp-Session-Id: abc\r\n", ""},
        {"HTTP/1.1 200 OK\r\nMcp-Session-Id:\r\n\r\n", ""},
        {"HTTP/1.1 200 OK\r\nMcp-Session-Id: "
         "0123456789012345678901234567890123456789012345678901234567890123\r\n\r\n",
         ""},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct canned c = {.answer = slice_of(cases[i].answer)};
        struct client_reply reply;

        CHECK_INT(ask(&c, 10 * SECOND, NULL, SLICE_NONE, &reply, NULL), E_OK);
        CHECK_STR(reply.session, cases[i].session);
        buf_fini(&reply.body);
    }
}

static void
a_head_without_end_is_given_up(void **unused)
{
    struct canned c = {.stay = true};
    struct client_reply reply;
    struct fault f = FAULT_INIT;
    char *large = malloc(100000);

    (void)unused;
    memset(large, 'a', 100000);
    c.answer = (struct slice){large, 100000};
    CHECK_INT(ask(&c, 10 * SECOND, NULL, SLICE_NONE, &reply, &f), E_TOO_LARGE);
    buf_fini(&reply.body);
    free(large);
}

static void
a_silent_server_is_given_up(void **unused)
{
    struct canned c = {.answer = SLICE("HTTP/1.1 200 OK\r\n"), .stay = true};
    struct client_reply reply;
    struct fault f = FAULT_INIT;
    int64_t before = clock_mono(clock_real());

    (void)unused;
    CHECK_INT(ask(&c, SECOND / 20, NULL, SLICE_NONE, &reply, &f), E_TIMEOUT);
    CHECK(clock_mono(clock_real()) - before >= SECOND / 20);
    buf_fini(&reply.body);
}

/* As ask(), for an upgrade; the answer's first byte in the new protocol, if there is a socket. */
static enum err
upgrade(struct canned *c, int64_t timeout, int *status, char *first, struct fault *f)
{
    struct client_request request = {
        .method = "GET", .path = "/x", .token = "sesame", .timeout_ns = timeout};
    struct listen_address address;
    struct client_target target;
    pthread_t thread;
    char url[LISTEN_URL_SIZE];
    enum err err;
    int fd;

    CHECK_INT(listen_parse("127.0.0.1:0", &address, NULL), E_OK);
    CHECK_INT(listen_open(&address, 1, 1, &c->listener, NULL), E_OK);
    listen_url(&c->listener, "/", url);
    CHECK_INT(client_parse_url(url, &target, NULL), E_OK);
    pthread_create(&thread, NULL, serve_canned, c);
    err = client_upgrade(&target, &request, "lines/1", &fd, status, f);
    CHECK((fd >= 0) == (err == E_OK));
    if (fd >= 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        CHECK(poll(&p, 1, 10000) == 1);
        *first = '\0';
        CHECK(read(fd, first, 1) >= 0);
        close(fd);
    }
    pthread_join(thread, NULL);
    listen_close(&c->listener);
    return err;
}

static void
a_connection_is_upgraded(void **unused)
{
    struct canned good = {.answer = SLICE("HTTP/1.1 101 Switching Protocols\r\nUpgrade: lines/1\r\n"
                                          "X-Long: 0123456789012345678901234567890123456789\r\n"
                                          "\r\n=1\n")};
    struct canned no = {.answer = SLICE("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")};
    struct canned odd = {.answer = SLICE("SSH-2.0-x\r\n\r\n")};
    struct canned cut = {.answer = SLICE("HTTP/1.1 101 Switch")};
    struct canned silent = {.answer = SLICE("HTTP/1.1 101 Switch"), .stay = true};
    struct fault f = FAULT_INIT;
    int status;
    char first;

    (void)unused;
    CHECK_INT(upgrade(&good, 10 * SECOND, &status, &first, &f), E_OK);
    CHECK_INT(status, 101);
    CHECK_INT(first, '='); /* Not a byte of it was read with the head. */
    CHECK(strstr(good.request, "GET /x HTTP/1.1\r\n"));
    CHECK(strstr(good.request, "\r\nConnection: Upgrade\r\nUpgrade: lines/1\r\n"));
    CHECK(strstr(good.request, "\r\nAuthorization: Bearer sesame\r\n"));
    CHECK_INT(upgrade(&no, 10 * SECOND, &status, &first, &f), E_REFUSED);
    CHECK_INT(status, 404);
    CHECK_INT(upgrade(&odd, 10 * SECOND, &status, &first, &f), E_IO);
    CHECK_INT(upgrade(&cut, 10 * SECOND, &status, &first, &f), E_IO);
    CHECK_INT(upgrade(&silent, SECOND / 20, &status, &first, &f), E_TIMEOUT);
}

static void
nobody_there(void **unused)
{
    const struct client_request get = {.method = "GET", .path = "/", .timeout_ns = SECOND};
    struct listen_address address;
    struct listener l;
    struct client_target target;
    struct client_reply reply;
    struct fault f = FAULT_INIT;
    char url[LISTEN_URL_SIZE];

    (void)unused;
    listen_parse("127.0.0.1:0", &address, NULL);
    CHECK_INT(listen_open(&address, 1, 1, &l, NULL), E_OK);
    listen_url(&l, "/", url);
    listen_close(&l); /* A port that was free a moment ago. */
    CHECK_INT(client_parse_url(url, &target, NULL), E_OK);
    CHECK_INT(client_exchange(&target, &get, &reply, &f), E_NOT_FOUND);
    CHECK(strstr(f.remedy, "tandem status"));
    CHECK_INT(client_parse_url("http+unix://%2Fnonexistent%2Fx", &target, NULL), E_OK);
    CHECK_INT(client_exchange(&target, &get, &reply, &f), E_NOT_FOUND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_read),
        cmocka_unit_test(a_request_is_whole_and_an_answer_is_read),
        cmocka_unit_test(answers_of_every_kind),
        cmocka_unit_test(a_session_is_told),
        cmocka_unit_test(a_head_without_end_is_given_up),
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(a_connection_is_upgraded),
        cmocka_unit_test(nobody_there),
    };
    return CHECK_RUN(tests);
}
