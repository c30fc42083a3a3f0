/* ways.c -- the ways to the real server. */
#include "tests/ways.h"

#include "state/base/rune.h"
#include "tests/check.h"
#include "tests/ws_client.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SECONDS 30 /* To wait for an answer that does not come. */
#define SOCKET ".tandem/hostile.sock"
#define INITIALIZE                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":" \
    "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"

const char *const way_names[WAY_COUNT] = {"stdio", "HTTP", "HTTP with an event", "WebSocket",
                                          "HTTP over a Unix socket"};

/* ---- Lines and frames: the next message, new; null if there is none ---- */

static char *
next_of_connection(struct ways *w, enum way way)
{
    return way == WAY_STDIO ? serving_line(&w->server, SECONDS) : ws_message(&w->ws, SECONDS, NULL);
}

static void
send_on_connection(struct ways *w, enum way way, struct slice message)
{
    if (way == WAY_STDIO) {
        serving_send(&w->server, message);
    } else {
        ws_send(&w->ws, WS_FIN | WS_TEXT, message);
    }
}

static void
greet_by_ws(struct ways *w)
{
    char *hello;

    ws_open(&w->ws, w->server.port, w->server.token);
    ws_text(&w->ws, INITIALIZE);
    hello = ws_message(&w->ws, SECONDS, NULL);
    CHECK(hello && strstr(hello, "2025-11-25"));
    ws_text(&w->ws, INITIALIZED);
    free(hello);
}

/* What is no UTF-8, or too long, ends a WebSocket with the code that says so; the next one is
 * served. */
static struct told
ask_what_is_no_message(struct ways *w, const char *id, struct slice message, unsigned wanted)
{
    unsigned code;
    char *answer;

    send_on_connection(w, WAY_WS, message);
    answer = ws_message(&w->ws, SECONDS, &code);
    if (answer || code != wanted) {
        fail_msg("%s: over WebSocket, code %u, %s", id, code, answer ? answer : "no answer");
    }
    client_close(&w->ws);
    greet_by_ws(w);
    return (struct told){.text = xstrdup(""), .code = code};
}

/* The answer may come before the mark's or after it, as calls on workers may. */
static struct told
ask_connection(struct ways *w, enum way way, const char *id, struct slice message, bool answers)
{
    char *ping, *pong, *answer = NULL;
    bool marked = false;

    if (way == WAY_WS && message.len > WAYS_MESSAGE_MAX) {
        return ask_what_is_no_message(w, id, message, 1009);
    }
    if (way == WAY_WS && !rune_valid(message)) {
        return ask_what_is_no_message(w, id, message, 1007);
    }
    w->mark++;
    ping = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":\"mark-%u\",\"method\":\"ping\"}", w->mark);
    pong = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":\"mark-%u\",\"result\":{}}", w->mark);
    send_on_connection(w, way, message);
    send_on_connection(w, way, slice_of(ping));
    while (!marked || (answers && !answer)) {
        char *text = next_of_connection(w, way);

        if (text && !marked && strcmp(text, pong) == 0) {
            marked = true;
            free(text);
        } else if (text && !answer) {
            answer = text;
        } else {
            fail_msg("%s: over %s, %s", id, way_names[way],
                     text ? "a second answer" : "an answer is missing");
        }
    }
    free(ping);
    free(pong);
    return (struct told){.text = answer ? answer : xstrdup("")};
}

/* ---- HTTP ---- */

static void
open_unix(struct client *c, const struct serving *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    /* However long the project's own path is, this one is short enough. */
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" SOCKET,
             dir_fd(tree_dir(s->project)));
    *c = (struct client){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CHECK(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&address, sizeof address) == 0);
}

static void
open_http(struct ways *w, enum way way)
{
    if (way == WAY_UNIX) {
        open_unix(&w->unix_http, &w->local);
    } else {
        client_open(&w->http, w->server.port);
    }
}

static struct response
post(struct ways *w, enum way way, const char *id, struct slice message)
{
    struct client *c = way == WAY_UNIX ? &w->unix_http : &w->http;
    const char *session = way == WAY_UNIX ? w->local_session : w->session;
    struct buf request = BUF_INIT;
    struct response r;

    buf_addf(&request,
             "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
             "Content-Type: application/json\r\nAccept: %s\r\n%sContent-Length: %zu\r\n\r\n",
             way == WAY_UNIX ? w->local.token : w->server.token,
             way == WAY_EVENT ? "text/event-stream" : "application/json", session ? session : "",
             message.len);
    buf_add_slice(&request, message);
    client_send(c, buf_slice(&request)); /* At once: a second packet would wait for the first. */
    buf_fini(&request);
    r = client_read(c, false, SECONDS);
    if (r.status <= 0) {
        fail_msg("%s: over %s, %s", id, way_names[way],
                 r.status ? "no answer" : "the connection was closed");
    }
    return r;
}

/* What one event holds; new.  Its lines are those that this server writes, and nothing behind it.
 */
static char *
data_of_event(const char *id, struct slice event)
{
    static const char name[] = "event: message\n", field[] = "data: ";
    char *text = xstrndup(event.data, event.len), *data = NULL, *end;

    if (strncmp(text, name, sizeof name - 1) == 0 &&
        strncmp(text + sizeof name - 1, field, sizeof field - 1) == 0) {
        data = text + sizeof name - 1 + sizeof field - 1;
    }
    end = data ? strchr(data, '\n') : NULL;
    if (!end || strcmp(end, "\n\n") != 0 || strlen(text) != event.len) {
        fail_msg("%s: not one event with one line: %s", id, text);
    }
    data = xstrndup(data, (size_t)(end - data));
    free(text);
    return data;
}

static struct told
ask_http(struct ways *w, enum way way, const char *id, struct slice message)
{
    struct response r = post(w, way, id, message);
    char *type = client_header(&r, "Content-Type");
    bool event = strcmp(type, "text/event-stream") == 0;
    struct told t = {.status = r.status};

    if (event != (way == WAY_EVENT && r.status == 200)) {
        fail_msg("%s: over %s, %d is of type %s", id, way_names[way], r.status, type);
    }
    t.text =
        event ? data_of_event(id, r.body) : xstrndup(r.body.len ? r.body.data : "", r.body.len);
    if (r.close) {
        client_close(way == WAY_UNIX ? &w->unix_http : &w->http);
        open_http(w, way);
    }
    free(type);
    return t;
}

/* ---- All of them ---- */

/* Starts one server, and opens its session over HTTP. */
static char *
open_session(struct ways *w, enum way way)
{
    struct serving *s = way == WAY_UNIX ? &w->local : &w->server;
    const char *const options[] = {"--groups",
                                   "full,conformance",
                                   "--limits-call-rate",
                                   "0",
                                   way == WAY_UNIX ? "--listen" : NULL,
                                   "unix:" SOCKET,
                                   NULL};
    struct response r;
    char *line, *id, *session;

    serving_start(s, "dual", options);
    serving_send(s, SLICE(INITIALIZE));
    serving_send(s, SLICE(INITIALIZED));
    line = serving_line(s, SECONDS);
    CHECK(line && strstr(line, "2025-11-25"));
    free(line);
    serving_discover(s);
    open_http(w, way);
    r = post(w, way, "initialize", SLICE(INITIALIZE));
    CHECK_INT(r.status, 200);
    id = client_header(&r, "Mcp-Session-Id");
    session = xasprintf("Mcp-Session-Id: %s\r\n", id);
    free(id);
    return session;
}

void
ways_init(struct ways *w)
{
    *w = (struct ways){.mark = 0};
    w->session = open_session(w, WAY_HTTP);
    w->local_session = open_session(w, WAY_UNIX);
    CHECK_INT(post(w, WAY_HTTP, "initialized", SLICE(INITIALIZED)).status, 202);
    CHECK_INT(post(w, WAY_UNIX, "initialized", SLICE(INITIALIZED)).status, 202);
    greet_by_ws(w);
}

void
ways_fini(struct ways *w)
{
    client_close(&w->http);
    client_close(&w->unix_http);
    client_close(&w->ws);
    free(w->session);
    free(w->local_session);
    CHECK_INT(serving_stop(&w->server), 0);
    CHECK_INT(serving_stop(&w->local), 0);
    serving_fini(&w->server);
    serving_fini(&w->local);
}

bool
way_carries(enum way way, struct slice message)
{
    bool blank = true;

    for (size_t i = 0; i < message.len; i++) {
        if (message.data[i] == '\n' && way == WAY_STDIO) {
            return false;
        }
        blank = blank && strchr(" \t\r", message.data[i]) && message.data[i];
    }
    return way != WAY_STDIO || !blank;
}

struct told
ways_ask(struct ways *w, enum way way, const char *id, struct slice message, bool answers)
{
    return way == WAY_STDIO || way == WAY_WS ? ask_connection(w, way, id, message, answers)
                                             : ask_http(w, way, id, message);
}

void
told_fini(struct told *t)
{
    free(t->text);
}

json_t *
ways_echo(struct ways *w, enum way way, const char *id, const char *text, const char **said)
{
    char *message = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"tools/call\","
                              "\"params\":{\"name\":\"json_schema_2020_12_tool\",\"arguments\":"
                              "{\"email\":\"e\",\"name\":%s}}}",
                              id, text);
    struct told t = ways_ask(w, way, text, slice_of(message), true);
    int refused = 0;
    json_t *answer = json_loads(t.text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

    if (!answer || strchr(t.text, '\n')) {
        fail_msg("%s: over %s, answered %s", text, way_names[way], t.text);
    }
    *said = NULL;
    if (json_unpack(answer, "{s:{s:[{s:s}], s?b}}", "result", "content", "text", said, "isError",
                    &refused) != 0 ||
        refused) {
        CHECK(refused || json_object_get(answer, "error"));
        *said = NULL;
        json_decref(answer);
        answer = NULL;
    }
    told_fini(&t);
    free(message);
    return answer;
}
