/* The WebSocket client against the real transport, before a dispatcher that echoes. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/base/log.h"
#include "state/settings.h"
#include "tests/http_client.h"
#include "tests/no_relay.h"
#include "tests/script.h"
#include "transports/transport.h"
#include "transports/ws_client.h"

#include <stdio.h>
#include <unistd.h>

#define TOKEN "0123456789012345678901234567890123456789012"
#define SECOND ((int64_t)1000000000)

/* Echoes; "silence" is not answered, "end" neither, for the test ends the server. */
struct dispatcher {
    struct sink *silent;
};

void
dispatch_message(struct dispatcher *d, const struct envelope *env, struct slice body,
                 struct sink *sink)
{
    (void)env;
    if (slice_is(body, "silence")) {
        d->silent = sink;
        return;
    }
    script_answer(sink, 200, body);
}

void
dispatch_gone(struct dispatcher *d, const struct envelope *env, const struct sink *sink)
{
    (void)d, (void)env, (void)sink;
}

void
dispatch_last(struct dispatcher *d, const struct envelope *env)
{
    (void)d, (void)env;
}

void
dispatch_drained(struct dispatcher *d, const struct sink *sink)
{
    (void)d, (void)sink;
}

void
dispatch_tool(struct dispatcher *d, const struct envelope *env, struct slice tool,
              struct slice arguments, struct sink *sink)
{
    (void)tool, (void)arguments;
    dispatch_message(d, env, SLICE("{}"), sink);
}

void
dispatch_tools(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    dispatch_message(d, env, SLICE("{}"), sink);
}

void
dispatch_resource(struct dispatcher *d, const struct envelope *env, struct slice uri,
                  struct sink *sink)
{
    (void)uri;
    dispatch_message(d, env, SLICE("{}"), sink);
}

void
dispatch_event(struct dispatcher *d, const struct envelope *env, struct slice body,
               struct sink *sink)
{
    (void)body;
    dispatch_message(d, env, SLICE("{}"), sink);
}

void
dispatch_metrics(struct dispatcher *d, struct buf *out)
{
    (void)d, (void)out;
}

void
dispatch_listen(struct dispatcher *d, const struct envelope *env, struct slice last_event_id,
                struct sink *sink)
{
    (void)last_event_id;
    dispatch_message(d, env, SLICE("{}"), sink);
}

void
dispatch_end(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    dispatch_message(d, env, SLICE("{}"), sink);
}

static struct dispatcher dispatcher;
static struct settings *settings;
static struct transport *transport;
static struct ws_client_target target = {.host = "127.0.0.1",
                                         .path = "/mcp",
                                         .token = TOKEN,
                                         .subprotocol = "mcp"};

static int
start(void **state)
{
    struct transport_context context = {
        .dispatcher = &dispatcher, .clock = clock_real(), .token = TOKEN};

    (void)state;
    log_configure(LOG_OFF, LOG_TEXT);
    settings = settings_create();
    context.settings = settings;
    context.listen_fd = client_listen(&target.port);
    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    if (dispatcher.silent) {
        dispatcher.silent->class->unref(dispatcher.silent);
        dispatcher.silent = NULL;
    }
    if (transport) {
        http_transport.stop(transport, INT64_MAX);
    }
    transport = NULL;
    settings_unref(settings);
    return 0;
}

static void
messages_go_and_come(void **state)
{
    struct buf big = BUF_INIT, answer = BUF_INIT;
    struct fault f = FAULT_INIT;
    struct ws_client *c;

    (void)state;
    CHECK_INT(ws_client_open(&target, 10 * SECOND, &c, &f), E_OK);
    for (int i = 0; i < 100; i++) {
        char *text = xasprintf("message %d", i);

        buf_reset(&answer);
        CHECK_INT(ws_client_exchange(c, slice_of(text), 10 * SECOND, &answer, &f), E_OK);
        CHECK(slice_is(buf_slice(&answer), text));
        free(text);
    }
    CHECK(buf_reserve(&big, 1000000));
    memset(big.data, 'b', 1000000);
    big.len = 1000000;
    buf_reset(&answer);
    CHECK_INT(ws_client_exchange(c, buf_slice(&big), 10 * SECOND, &answer, &f), E_OK);
    CHECK(slice_equal(buf_slice(&answer), buf_slice(&big)));
    ws_client_close(c);
    buf_fini(&big);
    buf_fini(&answer);
}

static void
what_fails_is_told(void **state)
{
    struct ws_client_target other = target;
    struct buf answer = BUF_INIT;
    struct fault f = FAULT_INIT;
    struct ws_client *c;
    unsigned port;
    int deaf = client_listen(&port);

    (void)state;
    other.token = "another";
    CHECK_INT(ws_client_open(&other, 10 * SECOND, &c, &f), E_IO);
    CHECK(c == NULL && strstr(f.text, "WebSocket"));
    other.port = port; /* Accepts nobody. */
    CHECK_INT(ws_client_open(&other, SECOND / 10, &c, &f), E_TIMEOUT);
    close(deaf);
    CHECK_INT(ws_client_open(&other, 10 * SECOND, &c, &f), E_IO);
    CHECK_INT(ws_client_open(&target, 10 * SECOND, &c, &f), E_OK);
    CHECK_INT(ws_client_exchange(c, SLICE("silence"), SECOND / 10, &answer, &f), E_TIMEOUT);
    CHECK_INT(ws_client_exchange(c, SLICE("still here"), 10 * SECOND, &answer, &f), E_OK);
    CHECK(slice_is(buf_slice(&answer), "still here"));
    http_transport.stop(transport, 0);
    transport = NULL;
    CHECK_INT(ws_client_exchange(c, SLICE("too late"), 10 * SECOND, &answer, &f), E_IO);
    CHECK_INT(ws_client_exchange(c, SLICE("too late"), 10 * SECOND, &answer, &f), E_IO);
    ws_client_close(c);
    ws_client_close(NULL);
    buf_fini(&answer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_go_and_come, start, stop),
        cmocka_unit_test_setup_teardown(what_fails_is_told, start, stop),
    };

    return CHECK_RUN(tests);
}
