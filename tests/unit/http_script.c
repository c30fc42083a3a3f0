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

void
answer(struct sink *sink, int status, struct slice body)
{
    struct reply reply = {.body = body, .status = status};

    sink->class->answer(sink, &reply);
    sink->class->unref(sink);
}

static bool
starts(struct slice s, const char *word)
{
    return s.len >= strlen(word) && memcmp(s.data, word, strlen(word)) == 0;
}

struct late {
    struct sink *sink;
    char text[64];
};

static void *
answer_late(void *arg)
{
    struct late *late = arg;

    answer(late->sink, 200, slice_of(late->text));
    free(late);
    return NULL;
}

static void
answer_big(struct sink *sink)
{
    struct buf big = BUF_INIT;

    CHECK(buf_reserve(&big, 4000000));
    memset(big.data, 'x', 4000000);
    big.len = 4000000;
    answer(sink, 200, buf_slice(&big));
    buf_fini(&big);
}

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
    if (starts(body, "hold")) {
        atomic_store(&d->held, sink);
        sem_post(&d->holding);
    } else if (starts(body, "release")) {
        answer(atomic_exchange(&d->held, NULL), 200, SLICE("released"));
        answer(sink, 200, SLICE("done"));
    } else if (starts(body, "thread") && d->thread_count < THREADS_MAX) {
        struct late *late = xcalloc(1, sizeof *late);

        late->sink = sink;
        memcpy(late->text, body.data, body.len < 63 ? body.len : 63);
        pthread_create(&d->threads[d->thread_count++], NULL, answer_late, late);
    } else if (starts(body, "note")) {
        answer(sink, 202, SLICE_NONE);
    } else if (starts(body, "big")) {
        answer_big(sink);
    } else if (starts(body, "session")) {
        sink->class->answer(
            sink,
            &(struct reply){.body = SLICE("{}"), .status = 200, .session_id = SLICE("abc123")});
        sink->class->unref(sink);
    } else if (starts(body, "busy")) {
        sink->class->answer(sink,
                            &(struct reply){.body = SLICE("{}"), .status = 429, .retry_after = 3});
        sink->class->unref(sink);
    } else {
        answer(sink, 200, body);
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
    answer(sink, 200, slice_of(text));
}

void
dispatch_tools(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    hear(d, env);
    answer(sink, 200, SLICE("{\"tools\":[]}"));
}

void
dispatch_resource(struct dispatcher *d, const struct envelope *env, struct slice uri,
                  struct sink *sink)
{
    hear(d, env);
    answer(sink, 200, uri.len ? uri : SLICE("none"));
}

void
dispatch_event(struct dispatcher *d, const struct envelope *env, struct slice body,
               struct sink *sink)
{
    hear(d, env);
    answer(sink, 200, body);
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
    answer(sink, 204, SLICE_NONE);
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

void
set(enum setting setting, const char *text)
{
    CHECK(settings_set(settings, setting, text, ORIGIN_OPTION, NULL) == E_OK);
}

int
prepare(void **state)
{
    (void)state;
    log_configure(LOG_OFF, LOG_TEXT);
    memset(&dispatcher, 0, sizeof dispatcher);
    sem_init(&dispatcher.holding, 0, 0);
    sem_init(&dispatcher.gone, 0, 0);
    sem_init(&dispatcher.room, 0, 0);
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
    for (; dispatcher.thread_count; dispatcher.thread_count--) {
        pthread_join(dispatcher.threads[dispatcher.thread_count - 1], NULL);
    }
}

int
finish(void **state)
{
    (void)state;
    stop_at(INT64_MAX);
    settings_unref(settings);
    sem_destroy(&dispatcher.holding);
    sem_destroy(&dispatcher.gone);
    sem_destroy(&dispatcher.room);
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

void
expect_header(const struct response *r, const char *name, const char *value)
{
    char *got = client_header(r, name);

    CHECK_STR(got, value);
    free(got);
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

enum err
say(struct sink *sink, const char *text)
{
    return sink->class->send(sink, &(struct event){.body = slice_of(text)});
}

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
