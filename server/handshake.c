/* handshake.c -- initialize, and server/discover, asked of one server. */
#include "server/handshake.h"

#include "server/client.h"
#include "state/base/child.h"
#include "state/version.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#define ANSWERS_MAX (1u << 20) /* Bytes. */

#define CLIENT_INFO "{\"name\":\"tandem-doctor\",\"version\":\"" TANDEM_VERSION "\"}"
#define INITIALIZE                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":" \
    "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":" CLIENT_INFO "}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"
#define DISCOVER                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"server/discover\",\"params\":{\"_meta\":{" \
    "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                          \
    "\"io.modelcontextprotocol/clientInfo\":" CLIENT_INFO                                  \
    ",\"io.modelcontextprotocol/clientCapabilities\":{}}}}"

static void
take_name(struct handshake *h, const json_t *info)
{
    const char *name = json_string_value(json_object_get(info, "name"));
    const char *version = json_string_value(json_object_get(info, "version"));

    snprintf(h->name, sizeof h->name, "%s", name ? name : "");
    snprintf(h->version, sizeof h->version, "%s", version ? version : "");
}

/* What an answer says went wrong, or that there is none. */
static enum err
bad_answer(const json_t *answer, const char *method, struct fault *f)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(answer, "error"), "message"));

    return fault_set(f, E_IO, "%s: %s", method,
                     text     ? text
                     : answer ? "the answer is not what it should be"
                              : "no answer");
}

/* The answer to initialize. */
static enum err
take_legacy(const json_t *answer, struct handshake *h, struct fault *f)
{
    const json_t *result = json_object_get(answer, "result");

    if (!json_is_string(json_object_get(result, "protocolVersion"))) {
        return bad_answer(answer, "initialize", f);
    }
    take_name(h, json_object_get(result, "serverInfo"));
    return E_OK;
}

/* The answer to server/discover. */
static enum err
take_modern(const json_t *answer, struct fault *f)
{
    const json_t *result = json_object_get(answer, "result");

    return json_is_array(json_object_get(result, "supportedVersions"))
               ? E_OK
               : bad_answer(answer, "server/discover", f);
}

/* The answer with 'id' among the lines; new, or null. */
static json_t *
answer_with(struct slice lines, json_int_t id)
{
    while (lines.len) {
        const char *newline = memchr(lines.data, '\n', lines.len);
        size_t len = newline ? (size_t)(newline - lines.data) : lines.len;
        json_t *line = json_loadb(lines.data, len, 0, NULL);

        if (json_integer_value(json_object_get(line, "id")) == id) {
            return line;
        }
        json_decref(line);
        len += newline != NULL;
        lines = (struct slice){lines.data + len, lines.len - len};
    }
    return NULL;
}

static enum err
take_lines(struct slice lines, struct handshake *h, struct fault *f)
{
    json_t *legacy = answer_with(lines, 1), *modern = answer_with(lines, 2);
    enum err err = take_legacy(legacy, h, f);

    err = err ? err : take_modern(modern, f);
    json_decref(legacy);
    json_decref(modern);
    return err;
}

enum err
handshake_stdio(const char *const *argv, int64_t limit_ns, struct handshake *h, struct fault *f)
{
    static const char *const no_environment[] = {NULL};
    const struct child_order order = {
        .argv = argv,
        .environ = no_environment,
        .folder = "/",
        .input = SLICE(INITIALIZE "\n" INITIALIZED "\n" DISCOVER "\n"),
        .limit_ns = limit_ns,
        .output_max = ANSWERS_MAX,
    };
    struct buf lines = BUF_INIT;
    enum child_end end;
    enum err err;

    *h = (struct handshake){.name = ""};
    if (access(argv[0], X_OK) != 0) {
        return fault_set(f, E_NOT_FOUND, "there is no program %s", argv[0]);
    }
    end = child_run(&order, &lines);
    err = end == CHILD_KILLED   ? fault_set(f, E_TIMEOUT, "it did not answer and end in time")
          : end == CHILD_FAILED ? fault_set(f, E_IO, "it could not start, or ended with an error")
                                : take_lines(buf_slice(&lines), h, f);
    buf_fini(&lines);
    return err;
}

/* Where a server is asked, and how. */
struct asked {
    struct client_target target;
    const char *token; /* May be null. */
    int64_t limit_ns;
};

static enum err
exchange(const struct asked *a, const char *method, const char *headers, struct slice message,
         struct client_reply *reply, struct fault *f)
{
    const struct client_request request = {
        .method = method,
        .path = a->target.path,
        .token = a->token,
        .headers = headers,
        .body = message,
        .timeout_ns = a->limit_ns,
    };

    return client_exchange(&a->target, &request, reply, f);
}

/* Sends one message; in '*answer', new, what comes; in 'session', if not null, which session that
 * has opened. */
static enum err
post(const struct asked *a, const char *headers, struct slice message, json_t **answer,
     char session[64], struct fault *f)
{
    struct client_reply reply = CLIENT_REPLY_INIT;
    enum err err = exchange(a, "POST", headers, message, &reply, f);

    *answer =
        err ? NULL : json_loadb(reply.body.data ? reply.body.data : "", reply.body.len, 0, NULL);
    if (!err && reply.status == 401) {
        err = fault_set(f, E_UNAUTHORIZED,
                        a->token ? "the server asks for another token"
                                 : "the server asks for a token");
    } else if (!err && reply.status != 200) {
        err = fault_set(f, E_IO, "the server answered with status %d", reply.status);
    }
    if (session) {
        memcpy(session, reply.session, sizeof reply.session);
    }
    buf_fini(&reply.body);
    return err;
}

/* Ends a session, which would else count until it expires. */
static enum err
end_session(const struct asked *a, const char *session, struct fault *f)
{
    char headers[160];
    struct client_reply reply = CLIENT_REPLY_INIT;
    enum err err;

    snprintf(headers, sizeof headers, "Mcp-Session-Id: %s\r\nMCP-Protocol-Version: 2025-11-25\r\n",
             session);
    err = exchange(a, "DELETE", headers, SLICE_NONE, &reply, f);
    if (!err && reply.status / 100 != 2 && reply.status != 405) { /* It may not let clients. */
        err = fault_set(f, E_IO, "the end of a session was answered with status %d", reply.status);
    }
    buf_fini(&reply.body);
    return err;
}

/* Both eras; '*session' is what the first has opened. */
static enum err
ask_both(const struct asked *a, struct handshake *h, char session[64], struct fault *f)
{
    json_t *legacy = NULL, *modern = NULL;
    enum err err = post(a, "Accept: application/json, text/event-stream\r\n", SLICE(INITIALIZE),
                        &legacy, session, f);

    err = err ? err : take_legacy(legacy, h, f);
    if (!err) {
        err = post(a,
                   "Accept: application/json, text/event-stream\r\n"
                   "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: server/discover\r\n",
                   SLICE(DISCOVER), &modern, NULL, f);
    }
    err = err ? err : take_modern(modern, f);
    json_decref(legacy);
    json_decref(modern);
    return err;
}

enum err
handshake_http(const char *url, const char *token, int64_t limit_ns, struct handshake *h,
               struct fault *f)
{
    struct asked asked = {.token = token, .limit_ns = limit_ns};
    struct fault at_end = FAULT_INIT;
    char session[64] = "";
    enum err err = client_parse_url(url, &asked.target, f), ended;

    *h = (struct handshake){.name = ""};
    err = err ? err : ask_both(&asked, h, session, f);
    if (session[0]) {
        ended = end_session(&asked, session, &at_end);
        if (!err && ended) {
            err = ended;
            *f = at_end;
        }
    }
    return err;
}
