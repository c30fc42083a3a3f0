/* fuzz_dispatch.c -- any bytes as messages to the whole of dispatch, with all tools and a state.
 *
 * The first byte of an input says which way it comes: 's' over stdio with a session that is open,
 * 'f' over a WebSocket that has said nothing yet, 'h' over HTTP in a legacy session, 'm' over HTTP
 * with the headers of a modern request, 'r' as a script's call, a tool's name up to NUL and its
 * arguments.  What follows are messages, one a line, which go out one after the other; then the
 * peer leaves.  Each gets exactly one answer, which is JSON and tells its id.  The state is made
 * anew now and then.  Run by "make fuzz-dispatch"; finds are kept in tests/fuzz/corpus/dispatch. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "handlers/dispatch.h"
#include "handlers/rpc.h"
#include "state/base/log.h"
#include "state/mcp_session.h"
#include "tests/fakes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(CONDITION)                                                                   \
    do {                                                                                  \
        if (!(CONDITION)) {                                                               \
            fprintf(stderr, "fuzz_dispatch: does not hold: %s (%s)\n", #CONDITION, seen); \
            abort();                                                                      \
        }                                                                                 \
    } while (0)

#define MESSAGES 8  /* Of one input. */
#define INPUTS 500  /* Of one state. */
#define BYTES 65536 /* Of one input: transports bound it too. */
#define INITIALIZE                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":" \
    "\"2025-11-25\",\"capabilities\":{\"elicitation\":{}},\"clientInfo\":{\"name\":\"t\","     \
    "\"version\":\"1\"}}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static unsigned inputs;
static const char *seen = ""; /* The answer that is looked at. */

static void
open_world(void)
{
    const struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                           .calls = 64,
                                           .calls_per_session = 32,
                                           .call_ns = 60000000000,
                                           .groups = "full"};

    log_configure(LOG_OFF, LOG_TEXT);
    fake_project_init(&project, NULL);
    pool = pool_create(2, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
}

static void
close_world(void)
{
    if (dispatcher) {
        dispatch_drain(dispatcher);
        pool_destroy(pool);
        dispatcher_destroy(dispatcher);
        fake_project_fini(&project);
        dispatcher = NULL;
    }
}

/* One world serves many inputs: it takes a thousand times as long to make as one message takes. */
static void
need_world(void)
{
    if (!inputs) {
        atexit(close_world);
    }
    if (inputs++ % INPUTS == 0) {
        close_world();
        open_world();
    }
}

static void
must_be_told(const json_t *answer, struct slice id)
{
    const json_t *error = json_object_get(answer, "error");

    MUST(strcmp(json_string_value(json_object_get(answer, "jsonrpc")), "2.0") == 0);
    MUST(!error != !json_object_get(answer, "result"));
    MUST(!error || (json_is_integer(json_object_get(error, "code")) &&
                    json_string_length(json_object_get(error, "message")) > 0));
    if (id.len) {
        json_t *wanted = json_loadb(id.data, id.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

        MUST(json_equal(json_object_get(answer, "id"), wanted));
        json_decref(wanted);
    }
}

/* What any answer is; 'message' null for a script's. */
static void
must_be_an_answer(struct fake_sink *sink, const struct rpc_message *message)
{
    const char *body = seen = fake_sink_wait(sink);
    json_t *answer = json_loads(body, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    size_t i;

    MUST(sink->status >= 200 && sink->status < 600 && !strchr(body, '\n'));
    MUST(answer || !*body);
    if (answer && message) {
        for (i = 0; i < json_array_size(answer); i++) {
            must_be_told(json_array_get(answer, i), SLICE(""));
        }
        if (json_is_object(answer)) {
            must_be_told(answer, message->kind == RPC_REQUEST ? message->id : SLICE(""));
        }
    }
    json_decref(answer);
    seen = "";
}

/* The headers that a modern client would write for this message. */
static void
fill_headers(struct envelope *env, const struct rpc_message *m, struct buf *room)
{
    env->protocol_version = SLICE("2026-07-28");
    env->method = m->method;
    if (m->param[RPC_PARAM_NAME].kind == KIND_STRING &&
        json_string_add(m->param[RPC_PARAM_NAME].raw, room)) {
        env->name = buf_slice(room);
    }
}

static void
send_lines(struct envelope *env, struct slice text, bool modern)
{
    struct rpc_message *messages = malloc(MESSAGES * sizeof *messages);
    struct fake_sink sinks[MESSAGES];
    struct buf names[MESSAGES];
    size_t count = 0;

    for (; text.len && count < MESSAGES; count++) {
        const char *end = memchr(text.data, '\n', text.len);
        struct slice line = {text.data, end ? (size_t)(end - text.data) : text.len};
        enum err err = rpc_parse(line, NULL, &messages[count], NULL);

        names[count] = (struct buf)BUF_INIT;
        if (modern && !err) {
            fill_headers(env, &messages[count], &names[count]);
        }
        fake_sink_init(&sinks[count]);
        dispatch_message(dispatcher, env, line, &sinks[count].sink);
        text.data += line.len + (end != NULL);
        text.len -= line.len + (end != NULL);
    }
    for (size_t i = 0; i < count; i++) {
        dispatch_gone(dispatcher, env, env->session ? NULL : &sinks[i].sink);
    }
    for (size_t i = 0; i < count; i++) {
        must_be_an_answer(&sinks[i], &messages[i]);
        fake_sink_fini(&sinks[i]);
        buf_fini(&names[i]);
    }
    free(messages);
}

static void
greet(struct envelope *env, char *session)
{
    struct fake_sink sinks[2];

    fake_sink_init(&sinks[0]);
    fake_sink_init(&sinks[1]);
    dispatch_message(dispatcher, env, SLICE(INITIALIZE), &sinks[0].sink);
    MUST(strstr(fake_sink_wait(&sinks[0]), "2025-11-25"));
    if (!env->session) {
        memcpy(session, sinks[0].session_id, sizeof sinks[0].session_id);
        env->session_id = slice_of(session);
    }
    dispatch_message(dispatcher, env, SLICE(INITIALIZED), &sinks[1].sink);
    fake_sink_wait(&sinks[1]);
    fake_sink_fini(&sinks[0]);
    fake_sink_fini(&sinks[1]);
}

static void
as_connection(struct slice text, enum transport_kind transport, bool greets)
{
    struct envelope env = {.transport = transport, .session = mcp_session_of_connection()};

    if (greets) {
        greet(&env, NULL);
    }
    send_lines(&env, text, false);
    mcp_session_unref(env.session);
}

static void
as_legacy_http(struct slice text)
{
    struct envelope env = {.transport = TRANSPORT_HTTP, .events = true};
    char session[sizeof((struct fake_sink *)0)->session_id] = "";
    struct fake_sink end;

    greet(&env, session);
    send_lines(&env, text, false);
    fake_sink_init(&end);
    dispatch_end(dispatcher, &env, &end.sink);
    fake_sink_wait(&end);
    fake_sink_fini(&end);
}

static void
as_script(struct slice text)
{
    const char *nul = text.len ? memchr(text.data, '\0', text.len) : NULL;
    struct slice tool = {text.data, nul ? (size_t)(nul - text.data) : text.len};
    struct slice arguments = nul ? (struct slice){nul + 1, text.len - tool.len - 1} : SLICE("");
    struct envelope env = {.transport = TRANSPORT_HTTP};
    struct fake_sink sink;

    fake_sink_init(&sink);
    dispatch_tool(dispatcher, &env, tool, arguments, &sink.sink);
    must_be_an_answer(&sink, NULL);
    fake_sink_fini(&sink);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data + 1, size - 1};
    struct envelope modern = {.transport = TRANSPORT_HTTP, .events = true};

    if (!size || size > BYTES) {
        return 0;
    }
    need_world();
    switch (data[0]) {
    case 's':
        as_connection(text, TRANSPORT_STDIO, true);
        break;
    case 'f':
        as_connection(text, TRANSPORT_WS, false);
        break;
    case 'h':
        as_legacy_http(text);
        break;
    case 'm':
        send_lines(&modern, text, true);
        break;
    case 'r':
        as_script(text);
        break;
    default:
        break;
    }
    return 0;
}
