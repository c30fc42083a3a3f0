/* http_script.c -- see http_script.h. */
#include "tests/unit/http_script.h"

#include "state/base/log.h"
#include "tests/check.h"
#include "tests/no_relay.h"

#include <stdio.h>
#include <unistd.h>

struct dispatcher dispatcher;
struct settings *settings;
struct fake_clock fake;
struct transport *transport;
unsigned port;

static void
hear(struct dispatcher *d, const struct envelope *env)
{
    struct slice param = SLICE_NONE;

    env->param_header(env, SLICE("mcp-param-region"), &param);
    snprintf(d->heard, sizeof d->heard, "%.*s|%.*s|%.*s|%.*s|%.*s|%.*s", (int)env->principal.len,
             env->principal.data, (int)env->session_id.len, env->session_id.data,
             (int)env->protocol_version.len, env->protocol_version.data, (int)env->method.len,
             env->method.data, (int)env->name.len, env->name.data, (int)param.len, param.data);
}

void
dispatch_message(struct dispatcher *d, const struct envelope *env, struct slice body,
                 struct sink *sink)
{
    hear(d, env);
    atomic_fetch_add(&d->taken, 1);
    if (script_starts(body, "hold")) {
        atomic_store(&d->held, sink);
        sem_post(&d->holding);
    } else if (script_starts(body, "release")) {
        script_answer(atomic_exchange(&d->held, NULL), 200, SLICE("released"));
        script_answer(sink, 200, SLICE("done"));
    } else if (script_starts(body, "stop")) { /* The loop, until the test says so. */
        sem_post(&d->holding);
        while (sem_wait(&d->go_on) != 0) {
        }
        script_answer(sink, 200, body);
    } else if (script_starts(body, "turn")) {
        buf_add(&d->turns, body.data + body.len - 1, 1);
        script_answer(sink, 200, body);
    } else if (script_starts(body, "thread")) {
        script_answer_late(&d->late, sink, NULL, &(struct reply){.body = body, .status = 200});
    } else if (script_starts(body, "note")) {
        script_answer(sink, 202, SLICE_NONE);
    } else if (script_starts(body, "big")) {
        script_answer_big(sink, 200, 4000000);
    } else if (script_starts(body, "session")) {
        script_answer_with(
            sink,
            &(struct reply){.body = SLICE("{}"), .status = 200, .session_id = SLICE("abc123")});
    } else if (script_starts(body, "busy")) {
        script_answer_with(sink,
                           &(struct reply){.body = SLICE("{}"), .status = 429, .retry_after = 3});
    } else {
        script_answer(sink, 200, body);
    }
}

void
dispatch_tool(struct dispatcher *d, const struct envelope *env, struct slice tool,
              struct slice arguments, struct sink *sink)
{
    char text[128];

    hear(d, env);
    atomic_fetch_add(&d->tools, 1);
    snprintf(text, sizeof text, "tool %.*s(%.*s)", (int)tool.len, tool.data, (int)arguments.len,
             arguments.data);
    script_answer(sink, 200, slice_of(text));
}

void
dispatch_tools(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    hear(d, env);
    script_answer(sink, 200, SLICE("{\"tools\":[]}"));
}

void
dispatch_resource(struct dispatcher *d, const struct envelope *env, struct slice uri,
                  struct sink *sink)
{
    hear(d, env);
    script_answer(sink, 200, uri.len ? uri : SLICE("none"));
}

void
dispatch_event(struct dispatcher *d, const struct envelope *env, struct slice body,
               struct sink *sink)
{
    hear(d, env);
    script_answer(sink, 200, body);
}

void
dispatch_metrics(struct dispatcher *d, struct buf *out)
{
    (void)d;
    buf_adds(out, "metrics 1\n");
}

void
dispatch_listen(struct dispatcher *d, const struct envelope *env, struct slice last_event_id,
                struct sink *sink)
{
    snprintf(d->heard, sizeof d->heard, "%.*s|%.*s", (int)env->session_id.len, env->session_id.data,
             (int)last_event_id.len, last_event_id.data);
    atomic_store(&d->held, sink);
    sem_post(&d->holding);
}

void
dispatch_drained(struct dispatcher *d, const struct sink *sink)
{
    atomic_store(&d->drained, sink);
    sem_post(&d->room);
}

void
dispatch_end(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    hear(d, env);
    atomic_fetch_add(&d->ended, 1);
    script_answer(sink, 204, SLICE_NONE);
}

void
dispatch_last(struct dispatcher *d, const struct envelope *env)
{
    (void)d, (void)env;
}

void
dispatch_gone(struct dispatcher *d, const struct envelope *env, const struct sink *sink)
{
    (void)env;
    atomic_store(&d->gone_sink, sink);
    sem_post(&d->gone);
}

/* ---- One transport ---- */

int
prepare(void **state)
{
    (void)state;
    log_configure(LOG_OFF, LOG_TEXT);
    memset(&dispatcher, 0, sizeof dispatcher);
    sem_init(&dispatcher.holding, 0, 0);
    sem_init(&dispatcher.gone, 0, 0);
    sem_init(&dispatcher.room, 0, 0);
    sem_init(&dispatcher.go_on, 0, 0);
    script_late_init(&dispatcher.late);
    fake_clock_init(&fake);
    settings = settings_create();
    return 0;
}

void
start_on(int fd, const char *token)
{
    struct transport_context context = {
        .dispatcher = &dispatcher,
        .settings = settings,
        .clock = &fake.clock,
        .listen_fd = fd,
        .token = token,
    };

    CHECK(http_transport.start(&context, &transport, NULL) == E_OK);
}

void
start(const char *token)
{
    start_on(client_listen(&port), token);
}

void
stop_at(int64_t deadline_ns)
{
    if (transport) {
        http_transport.stop(transport, deadline_ns);
    }
    transport = NULL;
}

int
finish(void **state)
{
    (void)state;
    stop_at(INT64_MAX);
    script_late_fini(&dispatcher.late);
    settings_unref(settings);
    sem_destroy(&dispatcher.holding);
    sem_destroy(&dispatcher.gone);
    sem_destroy(&dispatcher.room);
    sem_destroy(&dispatcher.go_on);
    buf_fini(&dispatcher.turns);
    return 0;
}

/* ---- Requests ---- */

char *
post(const char *body)
{
    return xasprintf("POST /mcp HTTP/1.1\r\n" HOST JSON BEARER "Content-Length: %zu\r\n\r\n%s",
                     strlen(body), body);
}

void
send_post(struct client *c, const char *body)
{
    char *text = post(body);

    CHECK(client_sends(c, text));
    free(text);
}

void
expect(struct client *c, int status, const char *body)
{
    struct response r = client_next(c);

    if (r.status != status || (body && !slice_is(r.body, body))) {
        fail_msg("wanted %d %s, got %d %.*s", status, body ? body : "", r.status, (int)r.body.len,
                 r.body.data ? r.body.data : "");
    }
}

struct response
ask(struct client *c, const char *text)
{
    client_open(c, port);
    CHECK(client_sends(c, text));
    return client_read(c, strncmp(text, "HEAD", 4) == 0, 10);
}

int
status_of(const char *text)
{
    struct client c;
    int status = ask(&c, text).status;

    client_close(&c);
    return status;
}

void
check_alive(void)
{
    CHECK_INT(status_of("GET /health HTTP/1.1\r\n" HOST "\r\n"), 200);
}

/* ---- Streams ---- */

struct sink *
hold(struct client *c, const char *version)
{
    char *text = xasprintf(
        "POST /mcp HTTP/%s\r\n" HOST JSON STREAM BEARER "Content-Length: 4\r\n\r\nhold", version);

    client_open(c, port);
    CHECK(client_sends(c, text));
    free(text);
    sem_wait(&dispatcher.holding);
    return atomic_exchange(&dispatcher.held, NULL);
}
