/* test_fetch.c -- a document comes whole or not at all, in time or not at all, from where it may.
 */
#include "tests/check.h"

#include "state/fetch.h"
#include "tests/key_server.h"

static struct key_server server;

static int
start(void **state)
{
    (void)state;
    key_server_start(&server);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    key_server_stop(&server);
    return 0;
}

static enum err
get(const char *url, size_t max, int timeout_ms, struct buf *out)
{
    struct fetcher *f = fetcher_create();
    struct fault fault = FAULT_INIT;
    enum err err = fetcher_get(f, url, max, timeout_ms, out, &fault);

    CHECK(err == fault.code && (!err || fault.text[0]));
    CHECK(!err || !out->len);
    fetcher_destroy(f);
    return err;
}

static void
addresses_are_https_or_this_machines(void **state)
{
    static const char *const good[] = {
        "https://as.example.com/jwks",
        "HTTPS://as.example.com",
        "https://as:8443/x?y=z",
        "http://127.0.0.1/jwks",
        "http://127.0.0.1:80",
        "http://localhost:1/a",
        "http://[::1]:8/a",
        "http://localhost",
        "https://as/a@b",
    };
    static const char *const bad[] = {
        "",
        "jwks.json",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://as/",
        "http://as.example.com/",
        "http://127.0.0.1.evil.com/",
        "http://localhost.evil.com/",
        "http://localhost@evil.com/",
        "http://127.0.0.1:80@evil.com/",
        "https://user:secret@as/",
        "https:///x",
        "https://",
        "https://a b/",
        "https://a/\n",
        "https://a/\"",
        "gopher://127.0.0.1/",
        "://",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK(fetch_allowed(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!fetch_allowed(bad[i]));
    }
}

static void
a_host_that_is_named_may_be_asked_in_plain(void **state)
{
    struct slice lan = SLICE("192.168.1.7"), gpu = SLICE("GPU-box"), none = SLICE("");

    (void)state;
    CHECK(fetch_allowed_to("http://192.168.1.7:11434/api", lan));
    CHECK(fetch_allowed_to("http://gpu-BOX", gpu));
    CHECK(fetch_allowed_to("http://127.0.0.1/", lan));
    CHECK(!fetch_allowed_to("http://192.168.1.70/", lan));
    CHECK(!fetch_allowed_to("http://192.168.1.7.evil.com/", lan));
    CHECK(!fetch_allowed_to("http://192.168.1.7@evil.com/", lan));
    CHECK(!fetch_allowed_to("http://gpu-box/", lan));
    CHECK(!fetch_allowed_to("ftp://gpu-box/", gpu));
    CHECK(!fetch_allowed_to("http:///", none));
    CHECK(!fetch_allowed_to("http://as.example.com/", none));
}

static void
a_document_comes_whole(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    key_server_say(&server, 200, "{\"keys\":[]}");
    CHECK_INT(get(server.url, 100, 60000, &out), E_OK);
    CHECK(slice_is(buf_slice(&out), "{\"keys\":[]}"));
    CHECK(atomic_load(&server.hits) == 1);
    buf_fini(&out);
}

static void
what_is_no_document_is_told(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    key_server_say(&server, 404, "{}");
    CHECK_INT(get(server.url, 100, 60000, &out), E_IO);
    key_server_say(&server, 302, "");
    CHECK_INT(get(server.url, 100, 60000, &out), E_IO);
    CHECK(atomic_load(&server.hits) == 2); /* Nobody followed it. */
    key_server_say(&server, 200, "12345678901");
    CHECK_INT(get(server.url, 10, 60000, &out), E_TOO_LARGE);
    key_server_say(&server, 200, "{}");
    server.cut = true;
    CHECK_INT(get(server.url, 1000, 60000, &out), E_IO);
    CHECK_INT(get("http://127.0.0.1:1/", 1000, 60000, &out), E_IO);
}

static void
time_is_bounded(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    atomic_store(&server.hold, true);
    CHECK_INT(get(server.url, 100, 50, &out), E_TIMEOUT);
    key_server_await(&server);
    key_server_release(&server);
}

static void *
cancel_when_held(void *arg)
{
    key_server_await(&server);
    fetcher_cancel(arg);
    return NULL;
}

static void
it_is_given_up_at_once(void **state)
{
    struct fetcher *f = fetcher_create();
    struct buf out = BUF_INIT;
    pthread_t thread;

    (void)state;
    atomic_store(&server.hold, true);
    pthread_create(&thread, NULL, cancel_when_held, f);
    CHECK_INT(fetcher_get(f, server.url, 100, 60000, &out, NULL), E_CANCELLED);
    pthread_join(thread, NULL);
    CHECK_INT(fetcher_get(f, server.url, 100, 60000, &out, NULL), E_CANCELLED);
    fetcher_destroy(f);
    key_server_release(&server);
    fetcher_destroy(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_https_or_this_machines),
        cmocka_unit_test(a_host_that_is_named_may_be_asked_in_plain),
        cmocka_unit_test_setup_teardown(a_document_comes_whole, start, stop),
        cmocka_unit_test_setup_teardown(what_is_no_document_is_told, start, stop),
        cmocka_unit_test_setup_teardown(time_is_bounded, start, stop),
        cmocka_unit_test_setup_teardown(it_is_given_up_at_once, start, stop),
    };
    return CHECK_RUN(tests);
}
