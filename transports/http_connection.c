/* http_connection.c -- one connection, from its first byte to its last.
 *
 * DESIGN.  A request that arrives whole, which is the rule, is parsed in the server's scratch buffer by the server's
 * parser, answered from the handler's own buffer by one writev(), and costs the connection no memory.
 * Only a request that arrives in parts gets a buffer and a parser of its own, for as long.
 *
 * Requests of one connection are dealt with one after the other, so answers keep their order. While
 * dispatch has one, what the peer pipelines stays in the socket. An answer from a worker comes through the
 * server's queue; by then the peer may have left, and it is dropped. */
#include "transports/http_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINGER_NS (2 * (int64_t)1000000000)
#define STALL_NS (10 * (int64_t)1000000000) /* An answer that the peer does not read. */

static void on_event(uv_poll_t *poll, int status, int events);
static void process(struct connection *c);

static int64_t
now(const struct connection *c)
{
    return clock_mono(c->server->context.clock);
}

static void
poll_for(struct connection *c, int events)
{
    if (c->polled != events) {
        c->polled = events;
        uv_poll_start(&c->poll, events, on_event);
    }
}

/* dispatch's side of a connection: these two run on any thread. */

static void
answer_from_dispatch(struct sink *sink, const struct reply *reply)
{
    struct connection *c = (struct connection *)sink;

    if (pthread_equal(pthread_self(), c->server->thread)) {
        connection_take_answer(c, reply);
    } else {
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
        http_server_post(c->server, c, reply);
    }
}

static void
unref_from_dispatch(struct sink *sink)
{
    connection_unref((struct connection *)sink);
}

static const struct sink_class connection_sink = {answer_from_dispatch, unref_from_dispatch};

void
connection_unref(struct connection *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) {
        http_server_unref(c->server);
        free(c);
    }
}

struct connection *
connection_open(struct http_server *s, int fd)
{
    struct connection *c = xcalloc(1, sizeof *c);

    c->sink.class = &connection_sink;
    atomic_init(&c->refs, 1);
    c->server = s;
    c->fd = fd;
    c->state = READING;
    c->since_ns = clock_mono(s->context.clock);
    if (uv_poll_init(&s->loop, &c->poll, fd) != 0) {
        close(fd);
        free(c);
        return NULL;
    }
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    c->next = s->first;
    if (s->first) {
        s->first->prev = c;
    }
    s->first = c;
    s->connections++;
    s->unchecked++;
    poll_for(c, UV_READABLE);
    return c;
}

static void
drop_partial(struct connection *c)
{
    free(c->parser);
    c->parser = NULL;
    buf_fini(&c->in);
}

static void
on_closed(uv_handle_t *handle)
{
    struct connection *c = (struct connection *)((char *)handle - offsetof(struct connection, poll));

    close(c->fd);
    c->fd = -1;
    connection_unref(c);
}

void
connection_close(struct connection *c)
{
    struct http_server *s = c->server;

    if (c->state == CLOSED) {
        return;
    }
    if (c->state == HANDLING) {
        struct envelope env = {.transport = TRANSPORT_HTTP};
        dispatch_gone(s->context.dispatcher, &env, &c->sink);
    }
    c->state = CLOSED;
    *(c->prev ? &c->prev->next : &s->first) = c->next;
    if (c->next) {
        c->next->prev = c->prev;
    }
    s->connections--;
    s->unchecked -= !c->checked;
    drop_partial(c);
    buf_fini(&c->out);
    uv_close((uv_handle_t *)&c->poll, on_closed);
    http_server_accept_again(s);
}

/* The last answer is out: tell the peer so, and throw away what it still sends, so that the answer is not lost to a
 * reset. */
static void
linger(struct connection *c)
{
    drop_partial(c);
    if (c->peer_done || shutdown(c->fd, SHUT_WR) != 0) {
        connection_close(c);
        return;
    }
    c->state = LINGERING;
    c->since_ns = now(c);
    poll_for(c, UV_READABLE);
}

/* The answer is written: on to the next request, or to the end. */
static void
answered(struct connection *c)
{
    buf_fini(&c->out);
    c->out_sent = 0;
    if (c->close_after) {
        linger(c);
        return;
    }
    c->state = READING;
    c->since_ns = now(c);
    c->head_ns = c->body_ns = 0;
    if (!c->inside) {
        process(c);
        if (c->state == READING) {
            poll_for(c, UV_READABLE);
        }
    }
}

/* Keeps what the socket did not take. */
static void
keep_rest(struct connection *c, const struct iovec *parts, int count, size_t written)
{
    for (int i = 0; i < count; i++) {
        size_t skip = written < parts[i].iov_len ? written : parts[i].iov_len;
        buf_add(&c->out, (const char *)parts[i].iov_base + skip, parts[i].iov_len - skip);
        written -= skip;
    }
    if (c->out.failed) {
        connection_close(c);
        return;
    }
    c->since_ns = now(c);
    poll_for(c, UV_WRITABLE);
}

static void
write_parts(struct connection *c, struct iovec *parts, int count)
{
    size_t total = 0;
    ssize_t n;

    for (int i = 0; i < count; i++) {
        total += parts[i].iov_len;
    }
    do {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        connection_close(c);
    } else if (n < 0 || (size_t)n < total) {
        keep_rest(c, parts, count, n < 0 ? 0 : (size_t)n);
    } else {
        answered(c);
    }
}

static void
write_more(struct connection *c)
{
    ssize_t n = send(c->fd, c->out.data + c->out_sent, c->out.len - c->out_sent, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        connection_close(c);
        return;
    }
    if (n > 0) {
        c->out_sent += (size_t)n;
        c->since_ns = now(c);
    }
    if (c->out_sent == c->out.len) {
        answered(c);
    }
}

static const char *
reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        {200, "OK"}, {202, "Accepted"}, {204, "No Content"}, {400, "Bad Request"},
        {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
        {405, "Method Not Allowed"}, {406, "Not Acceptable"}, {408, "Request Timeout"},
        {409, "Conflict"}, {411, "Length Required"}, {413, "Content Too Large"},
        {414, "URI Too Long"}, {415, "Unsupported Media Type"}, {417, "Expectation Failed"},
        {422, "Unprocessable Content"}, {429, "Too Many Requests"}, {431, "Header Fields Too Large"},
        {499, "Client Closed Request"}, {500, "Internal Server Error"}, {501, "Not Implemented"},
        {503, "Service Unavailable"}, {504, "Gateway Timeout"}, {505, "Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].text;
        }
    }
    return "Status";
}

void
connection_answer(struct connection *c, int status, const char *type, const char *extra,
                  struct slice body)
{
    char head[1024];
    bool bodiless = status == 204 || status < 200;
    bool last = c->close_after || c->server->draining ||
                c->requests >= c->server->context.settings->limits_requests;
    struct iovec parts[2] = {{.iov_base = head}};
    int n;

    c->close_after = last;
    n = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\n", status, reason(status));
    if (!bodiless) {
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %zu\r\n", body.len);
    }
    if (body.len) {
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Type: %s\r\n", type);
    }
    if (c->origin[0]) {
        n += snprintf(head + n, sizeof head - (size_t)n,
                      "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n"
                      "Access-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate\r\n",
                      c->origin);
    }
    n += snprintf(head + n, sizeof head - (size_t)n, "%s%s\r\n", extra ? extra : "",
                  last ? "Connection: close\r\n" : "");
    assert((size_t)n < sizeof head);
    parts[0].iov_len = (size_t)n;
    parts[1].iov_base = (void *)(uintptr_t)body.data;
    parts[1].iov_len = bodiless || c->head_only ? 0 : body.len;
    write_parts(c, parts, parts[1].iov_len ? 2 : 1);
}

void
connection_refuse(struct connection *c, bool mcp, int status, const char *word, const char *text,
                  const char *extra)
{
    struct buf body = BUF_INIT;

    if (mcp) {
        buf_adds(&body, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":");
        buf_add_json(&body, slice_of(text));
        buf_adds(&body, "}}");
    } else {
        buf_adds(&body, "{\"code\":");
        buf_add_json(&body, slice_of(word));
        buf_adds(&body, ",\"message\":");
        buf_add_json(&body, slice_of(text));
        buf_addc(&body, '}');
    }
    connection_answer(c, status, "application/json", extra, buf_slice(&body));
    buf_fini(&body);
}

void
connection_take_answer(struct connection *c, const struct reply *reply)
{
    char extra[160] = "";
    int n = 0;

    if (c->state != HANDLING) {
        return; /* The peer has left. */
    }
    if (reply->session_id.len) {
        n = snprintf(extra, sizeof extra, "Mcp-Session-Id: %.*s\r\n", (int)reply->session_id.len,
                     reply->session_id.data);
    }
    if (reply->retry_after) {
        snprintf(extra + n, sizeof extra - (size_t)n, "Retry-After: %u\r\n", reply->retry_after);
    }
    if (c->event_stream && reply->body.len && reply->status == 200) {
        struct buf event = BUF_INIT;
        buf_adds(&event, "event: message\ndata: ");
        buf_add_slice(&event, reply->body);
        buf_adds(&event, "\n\n");
        strcat(extra, "Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n");
        connection_answer(c, reply->status, "text/event-stream", extra, buf_slice(&event));
        buf_fini(&event);
        return;
    }
    connection_answer(c, reply->status, "application/json", extra, reply->body);
}

/* A whole request lies in 'p': hands it to its route. */
static void
handle(struct connection *c, const struct http_parser *p)
{
    const struct route *route;
    bool was_inside = c->inside;

    c->state = HANDLING;
    c->requests++;
    c->head_only = p->method == HTTP_METHOD_HEAD;
    c->close_after = !p->keep_alive;
    c->inside = true;
    route = http_route(c, p);
    if (route) {
        route->handle(c, p, route);
    }
    c->inside = was_inside;
}

/* The head is here and the body is not: refuses now what would be refused later, so that a body is read only for who may
 * send one. */
static bool
admit(struct connection *c, const struct http_parser *p)
{
    bool was_inside = c->inside;
    const struct route *route;

    c->body_ns = now(c);
    c->inside = true;
    c->state = HANDLING;
    c->close_after = true;
    c->head_only = p->method == HTTP_METHOD_HEAD;
    route = http_route(c, p);
    c->inside = was_inside;
    if (!route) {
        return false;
    }
    c->state = READING;
    c->close_after = false;
    if (p->expects &&
        send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) != 25) {
        connection_close(c); /* A fresh socket that cannot take 25 bytes is broken. */
        return false;
    }
    return true;
}

static void
refuse_bytes(struct connection *c, const struct http_parser *p)
{
    const struct http_refusal_info *why = http_refusal_info(p->refusal);

    c->state = HANDLING;
    c->close_after = true;
    c->head_only = false;
    connection_refuse(c, false, why->status, why->word, why->text, NULL);
}

/* Parses what lies at 'data', one request's worth.  True if it was whole, and is handled; '*len' counts what is
 * left of the data then.  False if more is needed, or the connection has had enough. */
static bool
take_one(struct connection *c, struct http_parser *p, char *data, size_t *len)
{
    enum http_event event = http_parse(p, data, len);

    if (event == HTTP_HEAD) {
        event = http_parse(p, data, len);
        if (event == HTTP_MORE && !admit(c, p)) {
            return false;
        }
    }
    if (event == HTTP_REFUSED) {
        refuse_bytes(c, p);
    } else if (event == HTTP_WHOLE) {
        handle(c, p);
        return true;
    }
    return false;
}

/* Keeps 'len' bytes at 'data', which may lie in c->in, as the beginning of what comes next. */
static void
keep_bytes(struct connection *c, const char *data, size_t len)
{
    if (c->in.data && data >= c->in.data && data <= c->in.data + c->in.len) {
        memmove(c->in.data, data, len);
        c->in.len = len;
    } else {
        buf_add(&c->in, data, len);
    }
    if (c->in.failed) {
        connection_close(c); /* No memory to listen on: the peer may try again. */
    }
}

/* Parses and handles the requests in 'data' (the server's scratch, or c->in) while the connection is free, and
 * keeps what belongs to one that is not whole yet, or has to wait for its turn. */
static void
take_requests(struct connection *c, char *data, size_t len)
{
    struct http_parser *p = c->parser ? c->parser : &c->server->parser;
    bool fresh = !c->parser;

    while (c->state == READING && len > 0) {
        if (fresh) {
            http_parser_init(p, &c->server->parser_limits);
        }
        fresh = true;
        if (!take_one(c, p, data, &len)) {
            break;
        }
        data += p->end;
        len -= p->end;
        if (len == 0 || c->state != READING) {
            fresh = true;
        }
    }
    if (c->state == CLOSED || c->state == LINGERING) {
        return;
    }
    if (len == 0) {
        drop_partial(c);
        return;
    }
    if (c->state == READING) { /* Part of a request: its parser goes on where it is. */
        if (!c->parser) {
            c->parser = xcalloc(1, sizeof *c->parser);
            http_parser_copy(c->parser, p);
        }
        if (!c->head_ns) {
            c->head_ns = now(c);
        }
    } else if (c->parser) {
        free(c->parser);
        c->parser = NULL;
    }
    keep_bytes(c, data, len);
}

/* Goes on with what was pipelined behind the request just answered. */
static void
process(struct connection *c)
{
    if (c->in.len) {
        take_requests(c, c->in.data, c->in.len);
    }
}

static void
read_more(struct connection *c)
{
    size_t room = sizeof c->server->scratch;
    bool whole = c->in.len == 0;
    char *to = c->server->scratch;
    ssize_t n;

    if (!whole) {
        size_t missing = c->parser ? http_parser_missing(c->parser) : 0;
        room = missing > 16384 ? missing : 16384;
        if (!buf_reserve(&c->in, room)) {
            connection_close(c);
            return;
        }
        to = c->in.data + c->in.len;
    }
    do {
        n = recv(c->fd, to, room, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        return;
    }
    if (n <= 0) {
        connection_close(c);
        return;
    }
    c->since_ns = now(c);
    if (whole) {
        take_requests(c, to, (size_t)n);
    } else {
        c->in.len += (size_t)n;
        take_requests(c, c->in.data, c->in.len);
    }
}

static void
discard(struct connection *c)
{
    ssize_t n = recv(c->fd, c->server->scratch, sizeof c->server->scratch, 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        connection_close(c);
    }
}

static void
on_event(uv_poll_t *poll, int status, int events)
{
    struct connection *c = (struct connection *)((char *)poll - offsetof(struct connection, poll));

    if (status < 0) {
        connection_close(c);
    } else if (c->out.len) {
        write_more(c);
    } else if (c->state == LINGERING) {
        discard(c);
    } else if (c->state == READING) {
        read_more(c);
    } else if (events & UV_DISCONNECT) {
        /* The peer is gone, or will at least send no more: a modern call is cancelled by that. */
        struct envelope env = {.transport = TRANSPORT_HTTP};
        uv_poll_stop(&c->poll);
        c->polled = 0;
        c->peer_done = true;
        dispatch_gone(c->server->context.dispatcher, &env, &c->sink);
    } else {
        poll_for(c, UV_DISCONNECT); /* Pipelined bytes: they wait in the socket. */
    }
}

void
connection_check_time(struct connection *c, int64_t now_ns)
{
    const struct settings *limits = c->server->context.settings;
    int64_t silent = now_ns - c->since_ns;
    bool late = false, close = false;

    if (c->out.len) {
        close = silent > STALL_NS;
    } else if (c->state == LINGERING) {
        close = silent > LINGER_NS;
    } else if (c->state == READING && c->body_ns) {
        late = silent > limits->limits_body_idle || now_ns - c->body_ns > limits->limits_body_time;
    } else if (c->state == READING && c->head_ns) {
        late = now_ns - c->head_ns > limits->limits_head_time;
    } else if (c->state == READING) {
        close = silent > (c->requests ? limits->limits_keep_alive : limits->limits_head_time);
    }
    if (close) {
        connection_close(c);
    } else if (late) {
        c->state = HANDLING;
        c->close_after = true;
        connection_refuse(c, false, 408, "request_timeout",
                          "the request did not arrive in time; send it again, faster", NULL);
    }
}

void
connection_drain(struct connection *c)
{
    if (c->state == READING) {
        connection_close(c);
    }
}
