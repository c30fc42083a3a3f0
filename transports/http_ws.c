/* http_ws.c -- connections that have become WebSockets, a message a text frame.
 *
 * The handshake is a request like any other up to here: Host, Origin, path and token have been
 * checked.  From then on the connection only carries bytes: what the client sends passes the gate
 * into the channel, what comes out of the channel goes to the client; in between libwebsockets
 * makes messages out of frames, and writes the frames that control the connection.  Messages to the
 * client are written from where they wait (http_ws_tell.c).
 *
 *     socket --> gate --> pair --> libwebsockets --> use (http_ws_mcp.c, http_ws_relay.c)
 *     socket <----------- pair <-- libwebsockets (handshake, pings, pongs, close)
 *     socket <-- outbox <-- any thread
 *     socket <-- scratch <-- use: what waits elsewhere, for many connections
 *
 * DESIGN.  Nothing is read from a side while what was read before has not been taken by the other,
 * so each connection keeps at most one read of either direction.  A client that asks and does not
 * read is not listened to once SINK_WAITING_BYTES wait for it, and closed when it takes nothing for
 * as long as an answer by HTTP would wait. */
#include "transports/http_ws_private.h"

#include "state/base/log.h"

#include <assert.h>
#include <sys/socket.h>
#include <unistd.h>

LOG_MODULE("ws");

#define PONG_NS INT64_C(10000000000) /* For the answer to a ping, at most. */
#define CLOSE_NS INT64_C(2000000000) /* For a close frame to get out. */

static int64_t
now(const struct connection *c)
{
    return c->server->now_ns;
}

/* ---- What is watched ---- */

static void on_pair(uv_poll_t *poll, int status, int events);

/* Whether a message more may be taken. */
static bool
is_welcome(const struct websocket *ws)
{
    return outbox_bytes(ws->outbox) <= SINK_WAITING_BYTES;
}

/* The same, as libwebsockets is told it. */
static bool
tell_welcome(struct websocket *ws)
{
    ws->unwelcome = !is_welcome(ws);
    return !ws->unwelcome;
}

/* Whether more of the client's bytes may be taken. */
static bool
listens(const struct connection *c)
{
    const struct websocket *ws = c->websocket;

    return !ws->failing && !ws->draining && c->in.len == 0 && is_welcome(ws);
}

static void
watch(struct connection *c)
{
    struct websocket *ws = c->websocket;
    int events = (listens(c) ? UV_READABLE : UV_DISCONNECT) |
                 (c->out.len > c->out_sent || ws->full ? UV_WRITABLE : 0);
    int pair = (websocket_is_between(c) ? UV_READABLE : 0) | (c->in.len ? UV_WRITABLE : 0);

    connection_poll(c, events);
    if (ws->polled != pair) {
        ws->polled = pair;
        if (pair) {
            uv_poll_start(&ws->poll, pair, on_pair);
        } else {
            uv_poll_stop(&ws->poll);
        }
    }
}

/* Has the channel close with a code; what waits for the client is dropped. */
static void
fail(struct connection *c, enum ws_close code, const char *why)
{
    struct websocket *ws = c->websocket;

    if (!ws->failing) {
        if (code != WS_CLOSE_GOING_AWAY) {
            log_warn_rl("a WebSocket was closed", F_INT("code", code), F_STR("why", why));
        }
        websocket_stop_telling(c);
        buf_fini(&c->in);
        ws_channel_fail(ws->channel, code, why);
    }
}

/* Closes it if its use has come to an end. */
static void
judge(struct connection *c)
{
    struct websocket *ws = c->websocket;
    const char *why = NULL;
    enum ws_close code = ws->failing ? WS_CLOSE_NONE : ws->use.class->judge(ws->use.self, &why);

    if (code) {
        fail(c, code, why);
    }
}

static void
check_drained(struct connection *c)
{
    struct websocket *ws = c->websocket;

    if (ws->draining && ws->use.class->is_idle(ws->use.self) && outbox_bytes(ws->outbox) == 0) {
        fail(c, WS_CLOSE_GOING_AWAY, "the server is ending");
    }
}

/* ---- From the client ---- */

/* Gives the channel what it takes, and keeps the rest; 'data' may lie in c->in. */
static void
feed(struct connection *c, const char *data, size_t len)
{
    ssize_t n = len ? send(c->websocket->fd, data, len, MSG_NOSIGNAL) : 0;

    bool ended = n < 0 && !would_block(); /* What it still had to say will be read. */

    if (ended || n == (ssize_t)len) {
        buf_fini(&c->in);
    } else {
        n = n < 0 ? 0 : n;
        connection_keep(c, data + n, len - (size_t)n);
    }
}

/* Takes bytes as they came. */
static void
take_bytes(struct connection *c, char *data, size_t len)
{
    struct websocket *ws = c->websocket;

    ws->heard_ns = now(c);
    ws->pinged = false;
    feed(c, data, ws_gate_pass(&ws->gate, data, len));
    if (c->state == WEBSOCKET && ws->gate.refused) {
        fail(c, ws->gate.refused, ws->gate.why);
    }
}

static void
read_client(struct connection *c)
{
    char *scratch = c->server->scratch;
    ssize_t n = recv(c->fd, scratch, sizeof c->server->scratch, 0);

    if (n > 0) {
        take_bytes(c, scratch, (size_t)n);
    } else if (n == 0 || !would_block()) {
        c->peer_done = true;
        connection_close(c);
    }
}

/* On libwebsockets' stack, where nothing may be closed: the loop goes on with the rest. */
static void
take_message(struct websocket *ws, struct slice message)
{
    if (!ws->failing && !ws->draining) {
        outbox_expect(ws->outbox);
        ws->use.class->take(ws->use.self, message);
        judge(ws->connection);
        http_server_wake(ws->connection);
    }
}

/* Of ws_channel_class; on libwebsockets' stack. */
static bool
take_part(void *owner, struct slice bytes, bool last)
{
    struct websocket *ws = owner;

    if (last && ws->message.len == 0) {
        take_message(ws, bytes); /* It came in one piece, which is the rule. */
        return tell_welcome(ws);
    }
    buf_add_slice(&ws->message, bytes);
    if (ws->message.failed) {
        buf_fini(&ws->message);
        fail(ws->connection, WS_CLOSE_INTERNAL, "there is no memory for this message");
    } else if (last) {
        take_message(ws, buf_slice(&ws->message));
        buf_fini(&ws->message);
    }
    return tell_welcome(ws);
}

/* Likewise. */
static bool
on_welcome(void *owner)
{
    return tell_welcome(owner);
}

/* Likewise: the client has begun to close. */
static void
on_leaving(void *owner)
{
    struct websocket *ws = owner;

    if (!ws->failing) {
        websocket_stop_telling(ws->connection);
        http_server_wake(ws->connection);
    }
}

/* ---- Events ---- */

/* Tells what there is to tell, and watches for what comes next. */
static void
go_on(struct connection *c)
{
    if (c->state == WEBSOCKET) {
        websocket_tell(c);
    }
    if (c->state == WEBSOCKET) {
        judge(c);
        check_drained(c);
    }
    if (c->state == WEBSOCKET && c->out.failed) {
        connection_close(c);
    } else if (c->state == WEBSOCKET) {
        if (c->websocket->unwelcome && is_welcome(c->websocket)) {
            ws_channel_listen(c->websocket->channel);
        }
        watch(c);
    }
}

static void
on_pair(uv_poll_t *poll, int status, int events)
{
    struct websocket *ws = poll->data;
    struct connection *c = ws->connection;

    c->server->now_ns = clock_mono(c->server->context.clock);
    if (status < 0) { /* It ended before it had read all; what it said is still there. */
        ws->polled = 0;
        buf_fini(&c->in);
    } else if (events & UV_WRITABLE) {
        feed(c, c->in.data, c->in.len);
    }
    if (status < 0 || events & UV_READABLE) {
        websocket_pass_on(c);
    }
    go_on(c);
}

void
websocket_event(struct connection *c, int events)
{
    if (events & UV_DISCONNECT) {
        c->peer_done = true;
        connection_close(c); /* Nobody is there to close with. */
        return;
    }
    if (events & UV_WRITABLE && c->out.len) {
        websocket_write_on(c);
    } else if (events & UV_WRITABLE) {
        c->websocket->full = false;
    }
    if (c->state == WEBSOCKET && events & UV_READABLE && listens(c)) {
        read_client(c);
    }
    go_on(c);
}

void
websocket_woken(struct connection *c)
{
    if (c->state == WEBSOCKET) {
        judge(c);
        go_on(c);
    }
}

void
websocket_wake(void *arg)
{
    http_server_wake(arg);
}

/* ---- Time ---- */

static void
check_alive(struct connection *c, int64_t now_ns)
{
    struct websocket *ws = c->websocket;
    int64_t patience = c->server->context.settings->limits_ws_ping;
    int64_t silent_ns = now_ns - ws->heard_ns;

    if (silent_ns > patience + (patience < PONG_NS ? patience : PONG_NS)) {
        log_info("a WebSocket client does not answer pings");
        connection_close(c);
    } else if (silent_ns > patience && !ws->pinged) {
        ws->pinged = true;
        ws_channel_ping(ws->channel);
    }
}

void
websocket_check_time(struct connection *c, int64_t now_ns)
{
    struct websocket *ws = c->websocket;
    bool stuck = (c->out.len || ws->full) && now_ns - c->since_ns > HTTP_STALL_NS;

    if (c->grant && !ws->failing && clock_wall(c->server->context.clock) >= c->grant->ends_ns) {
        fail(c, WS_CLOSE_POLICY, "the token has expired; connect with a new one");
    } else if (stuck && !ws->failing) {
        c->since_ns = now_ns; /* It gets the rest, and the code, if it reads after all. */
        fail(c, WS_CLOSE_POLICY, "answers are not read");
    } else if (stuck || (ws->failing && !c->out.len && now_ns - ws->failing_ns > CLOSE_NS)) {
        connection_close(c);
        return;
    } else if (listens(c)) {
        check_alive(c, now_ns);
    } else {
        ws->heard_ns = now_ns; /* It may have said much meanwhile. */
    }
    if (c->state == WEBSOCKET) {
        judge(c);
    }
}

void
websocket_drain(struct connection *c)
{
    c->websocket->draining = true;
    c->websocket->use.class->drain(c->websocket->use.self);
    go_on(c);
}

/* ---- Beginning and end ---- */

static void
on_pair_closed(uv_handle_t *handle)
{
    struct websocket *ws = handle->data;

    close(ws->fd);
    free(ws);
}

void
websocket_close(struct connection *c)
{
    struct websocket *ws = c->websocket;

    if (ws) {
        c->websocket = NULL;
        traffic_add(c->server->context.traffic, websockets, -1);
        outbox_close(ws->outbox);
        ws->use.class->end(ws->use.self);
        ws_channel_release(ws->channel);
        shutdown(ws->fd, SHUT_RDWR); /* libwebsockets sees the end of it, and ends too. */
        buf_fini(&ws->message);
        uv_close((uv_handle_t *)&ws->poll, on_pair_closed);
    }
}

void
websocket_begin(struct connection *c, char *data, size_t len)
{
    free(c->parser);
    c->parser = NULL;
    if (len > 0) {
        take_bytes(c, data, len);
    } else {
        buf_fini(&c->in);
    }
    if (c->state == WEBSOCKET) {
        watch(c); /* The scratch buffer may be in use: nothing is written now. */
    }
}

/* Makes the channel.  False if it is not to be had. */
static bool
open_channel(struct connection *c, struct websocket *ws, const struct http_parser *p,
             const char *subprotocol)
{
    static const struct ws_channel_class class = {take_part, on_welcome, on_leaving};
    struct http_server *s = c->server;

    if (s->websockets && !ws_library_works(s->websockets)) {
        ws_library_destroy(s->websockets); /* The loop has run since it was stopped. */
        s->websockets = NULL;
    }
    if (!s->websockets) {
        s->websockets = ws_library_create(&s->loop, s->context.settings->limits_connections);
    }
    if (!s->websockets) {
        return false;
    }
    ws->channel = ws_channel_open(s->websockets, http_header(p, HTTP_HEADER_WS_KEY), subprotocol,
                                  &class, ws, &ws->fd);
    if (ws->channel && uv_poll_init(&s->loop, &ws->poll, ws->fd) != 0) {
        ws_channel_release(ws->channel);
        ws->channel = NULL;
        close(ws->fd);
    }
    return ws->channel != NULL;
}

void
websocket_open(struct connection *c, const struct http_parser *p, const char *subprotocol,
               const struct ws_use *use)
{
    struct websocket *ws = xcalloc(1, sizeof *ws);

    ws->connection = c;
    ws->use = *use;
    ws->outbox = use->outbox;
    ws_gate_init(&ws->gate, c->server->context.settings->limits_message);
    if (c->server->draining || !open_channel(c, ws, p, subprotocol)) {
        outbox_close(ws->outbox);
        use->class->end(use->self);
        free(ws);
        connection_refuse(c, true, 503, "overloaded", "there is no room for a WebSocket now",
                          "Retry-After: 1\r\n");
        return;
    }
    ws->poll.data = ws;
    ws->heard_ns = c->since_ns = now(c);
    c->websocket = ws;
    c->state = WEBSOCKET;
    traffic_add(c->server->context.traffic, websockets, 1);
}
