/* http_connection.c -- one connection, from its first byte to its last.
 *
 * DESIGN.  A request that arrives whole, which is the rule, is parsed in the server's scratch
 * buffer by the server's parser, answered from the handler's own buffer by one system call, and
 * costs the connection no memory.  Only a request that arrives in parts gets a buffer and a parser
 * of its own, for as long.
 *
 * Requests of one connection are dealt with one after the other, so answers keep their order. While
 * dispatch has one, what the peer pipelines stays in the socket.
 *
 * An answer may come while the connection's bytes are being taken ('busy': the handler ran inline),
 * and is then written at once, the loop in take_requests() going on from there.  Every other answer
 * comes through the server's queue, even from this thread: another connection's request may have
 * caused it while the scratch buffer is in use.  Whatever frees the buffers waits until nobody is
 * busy with them.
 *
 * Who has waited longer goes first.  epoll tells of sockets that were ready the last time, and are
 * again, before those whose bytes came in between.  Of eight clients that ask, wait and ask again,
 * the one that was answered last in a turn of the loop had not asked again yet when the next began,
 * and was told of last in the one after that: one request in eight took twice as long as the
 * others.  So they get in line, and are read at the end of each turn, who was read longest ago
 * first: p99 of an echo at 8 connections came from 2.2 to 1.4 times its median ("make bench"). */
#include "transports/http_private.h"

#include "state/base/hash.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND_NS ((int64_t)1000000000)
#define LINGER_NS (2 * SECOND_NS)
#define READ_BYTES (16 * 1024) /* At least, where part of a request is kept. */

static void on_event(uv_poll_t *poll, int status, int events);

static int64_t
now(const struct connection *c)
{
    return c->server->now_ns;
}

void
connection_poll(struct connection *c, int events)
{
    if (c->polled != events) {
        c->polled = events;
        uv_poll_start(&c->poll, events, on_event);
    }
}

void
connection_ref(struct connection *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
}

void
connection_unref(struct connection *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) {
        http_server_unref(c->server);
        grant_unref(c->grant);
        free(c);
    }
}

bool
connection_open(struct http_server *s, int fd)
{
    struct connection *c = xcalloc(1, sizeof *c);

    c->sink.class = &connection_sink;
    atomic_init(&c->refs, 1);
    c->server = s;
    c->fd = fd;
    c->state = READING;
    c->since_ns = s->now_ns;
    if (uv_poll_init(&s->loop, &c->poll, fd) != 0) {
        close(fd);
        free(c);
        return false;
    }
    c->poll.data = c;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    c->next = s->first;
    if (s->first) {
        s->first->prev = c;
    }
    s->first = c;
    s->connections++;
    traffic_add(s->context.traffic, connections, 1);
    traffic_add(s->context.traffic, accepted, 1);
    s->unchecked++;
    connection_poll(c, UV_READABLE);
    return true;
}

/* Drops what is kept of a request; later, if it is just being read. */
static void
drop_partial(struct connection *c)
{
    if (!c->busy) {
        free(c->parser);
        c->parser = NULL;
        buf_fini(&c->in);
    }
}

static void
on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;

    close(c->fd);
    c->fd = -1;
    connection_unref(c);
}

static void
tell_gone(struct connection *c)
{
    struct envelope env = {.transport = TRANSPORT_HTTP};

    dispatch_gone(c->server->context.dispatcher, &env, &c->sink);
}

void
connection_close(struct connection *c)
{
    struct http_server *s = c->server;
    bool waits = c->state == HANDLING && !c->busy && !c->peer_done;

    if (c->state == CLOSED) {
        return;
    }
    if (c->state == LINES) {
        http_lines_free(c);
    }
    c->state = CLOSED;
    atomic_store(&c->left, true);
    if (waits) {
        tell_gone(c);
    }
    *(c->prev ? &c->prev->next : &s->first) = c->next;
    if (c->next) {
        c->next->prev = c->prev;
    }
    s->connections--;
    traffic_add(s->context.traffic, connections, -1);
    s->unchecked -= !c->checked;
    if (c->websocket) {
        websocket_close(c);
    }
    http_feed_free(c);
    drop_partial(c);
    buf_fini(&c->out);
    uv_close((uv_handle_t *)&c->poll, on_closed);
    http_server_accept_again(s);
}

void
connection_linger(struct connection *c)
{
    drop_partial(c);
    if (c->peer_done || shutdown(c->fd, SHUT_WR) != 0) {
        connection_close(c);
        return;
    }
    c->state = LINGERING;
    c->since_ns = now(c);
    connection_poll(c, UV_READABLE);
}

/* ---- Requests ---- */

/* A whole request lies in 'p', and its head has passed. */
static void
handle(struct connection *c, const struct http_parser *p)
{
    c->state = HANDLING;
    c->close_after = !p->keep_alive;
    c->event_stream = c->takes_events = false;
    c->route->handle(c, p);
}

/* Answers a request that goes no further than its head; 'last' closes the connection, since the
 * body has not come and will not be waited for. */
static void
answer_verdict(struct connection *c, const struct http_parser *p, const struct verdict *v,
               bool last)
{
    c->state = HANDLING;
    c->close_after = last || !p->keep_alive;
    if (v->word) {
        connection_refuse(c, http_is_mcp(c->server, http_path(p)), v->status, v->word, v->text,
                          v->extra);
    } else {
        connection_answer(c, v->status, NULL, v->extra, SLICE_NONE);
    }
}

static void
refuse_bytes(struct connection *c, const struct http_parser *p)
{
    const struct http_refusal_info *why = http_refusal_info(p->refusal);

    c->state = HANDLING;
    c->close_after = true;
    c->old = c->head_only = c->posted = false;
    connection_refuse(c, http_is_mcp(c->server, http_path(p)), why->status, why->word, why->text,
                      NULL);
}

/* The head has passed, the body is on its way. */
static void
await_body(struct connection *c, const struct http_parser *p)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    c->body_ns = now(c);
    if (p->expects && send(c->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL) != sizeof go_on - 1) {
        connection_close(c); /* A socket with nothing to write that takes less is broken. */
    }
}

/* Checks the head, then looks at the body.  The head is judged before a body is waited for, or
 * found too large. */
static enum http_event
take_head(struct connection *c, struct http_parser *p, char *data, size_t *len)
{
    struct verdict v NOT_CLEARED;
    enum http_event event;

    verdict_init(&v);
    c->old = p->minor == 0;
    c->head_only = p->method == HTTP_METHOD_HEAD;
    c->posted = p->method == HTTP_METHOD_POST;
    c->route = http_route(c, p, &v);
    if (v.later) {
        c->state = CHECKING; /* It is parsed again then; until then all of it is kept. */
        connection_watch(c);
        return HTTP_MORE;
    }
    c->requests++;
    c->waited = false;
    event = http_parse(p, data, len);
    if (v.status) {
        answer_verdict(c, p, &v, event != HTTP_WHOLE);
    } else if (event == HTTP_WHOLE) {
        handle(c, p);
    } else if (event == HTTP_MORE) {
        await_body(c, p);
    }
    return v.status && event == HTTP_REFUSED ? HTTP_MORE : event;
}

/* Parses what lies at 'data'.  True if it was a whole request, which has been seen to.  False if
 * more is needed, or it was refused.  '*len' is lessened by the framing of chunks. */
static bool
take_one(struct connection *c, struct http_parser *p, char *data, size_t *len)
{
    enum http_event event = http_parse(p, data, len);

    if (event == HTTP_HEAD) {
        event = take_head(c, p, data, len);
    } else if (event == HTTP_WHOLE) {
        handle(c, p);
    }
    if (event == HTTP_REFUSED) {
        refuse_bytes(c, p);
    }
    return event == HTTP_WHOLE;
}

void
connection_keep(struct connection *c, const char *data, size_t len)
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

/* Keeps what 'p' has read so far of a request that is not whole. */
static void
keep_parser(struct connection *c, const struct http_parser *p)
{
    if (!c->parser) {
        c->parser = xcalloc(1, sizeof *c->parser);
        http_parser_copy(c->parser, p);
    }
    if (!c->head_ns) {
        c->head_ns = now(c);
    }
}

/* Parses and handles the requests in 'data' (the server's scratch, or c->in) while the connection
 * is free, and keeps what belongs to one that is not whole yet, or has to wait for its turn. */
static void
take_requests(struct connection *c, char *data, size_t len)
{
    struct http_parser *p = c->parser ? c->parser : &c->server->parser;
    bool partial = c->parser != NULL;

    c->busy = true;
    while (c->state == READING && len > 0) {
        if (!partial) {
            http_parser_init(p, &c->server->parser_limits);
        }
        partial = !take_one(c, p, data, &len);
        if (partial) {
            break;
        }
        data += p->end;
        len -= p->end;
    }
    c->busy = false;
    if (c->state == LINES && len > 0) {
        connection_close(c); /* It was to wait for the answer, and its lines are to be counted. */
    }
    if (c->state == WEBSOCKET) {
        websocket_begin(c, data, len);
    } else if (c->state == CLOSED || c->state == LINGERING || len == 0) {
        drop_partial(c);
    } else if (c->state == READING) {
        keep_parser(c, p);
        connection_keep(c, data, len);
    } else {
        free(c->parser);
        c->parser = NULL;
        connection_keep(c, data, len);
    }
}

void
connection_recheck(struct connection *c)
{
    if (c->state != CHECKING) {
        return; /* The peer has left. */
    }
    c->state = READING;
    c->since_ns = now(c);
    c->waited = true;
    take_requests(c, c->in.data, c->in.len);
    if (c->state == READING) {
        connection_poll(c, UV_READABLE);
    } else if (c->state == HANDLING && c->peer_done) {
        tell_gone(c);
    }
}

void
connection_answered(struct connection *c)
{
    buf_fini(&c->out);
    c->out_sent = 0;
    c->streaming = false;
    if (c->close_after) {
        connection_linger(c);
        return;
    }
    c->state = READING;
    c->since_ns = now(c);
    c->head_ns = c->body_ns = 0;
    if (c->busy) {
        return; /* take_requests() goes on. */
    }
    if (c->in.len) {
        take_requests(c, c->in.data, c->in.len);
    }
    if (c->state == READING) {
        connection_poll(c, UV_READABLE);
    }
}

/* ---- The socket ---- */

static void
read_more(struct connection *c)
{
    size_t room = sizeof c->server->scratch;
    bool partial = c->in.len > 0;
    char *to = c->server->scratch;
    ssize_t n;

    if (partial) {
        size_t missing = c->parser ? http_parser_missing(c->parser) : 0;

        room = missing > READ_BYTES ? missing : READ_BYTES;
        if (!buf_reserve(&c->in, room)) {
            connection_close(c);
            return;
        }
        to = c->in.data + c->in.len;
    }
    n = recv(c->fd, to, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        c->peer_done = true;
        connection_close(c);
        return;
    }
    c->since_ns = now(c);
    if (partial) {
        c->in.len += (size_t)n;
        take_requests(c, c->in.data, c->in.len);
    } else {
        take_requests(c, to, (size_t)n);
    }
    if (c->state == READING) {
        connection_poll(c, UV_READABLE); /* A stream may have watched for other things. */
    }
}

/* ---- Turns ---- */

/* Its socket can be read: it is, at the end of this turn of the loop. */
static void
get_in_line(struct connection *c)
{
    if (!c->in_line) {
        c->in_line = true;
        LL_PREPEND2(c->server->line, c, next_in_line);
    }
}

static int
by_last_read(const struct connection *a, const struct connection *b)
{
    return a->read_at < b->read_at ? -1 : a->read_at > b->read_at;
}

/* Those that have been closed meanwhile are still there: the loop frees them after this. */
void
connections_end_turn(struct http_server *s)
{
    struct connection *next;

    LL_SORT2(s->line, by_last_read, next_in_line);
    for (struct connection *c = s->line; c; c = next) {
        next = c->next_in_line;
        c->in_line = false;
        if (c->state == READING) {
            c->read_at = ++s->reads;
            read_more(c);
        }
    }
    s->line = NULL;
}

static void
discard(struct connection *c)
{
    ssize_t n = recv(c->fd, c->server->scratch, sizeof c->server->scratch, 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        connection_close(c);
    }
}

/* Something happened while dispatch has the request.  A peer that will send no more may only have
 * closed its half: a legacy call's answer is still written, a modern call is cancelled. */
static void
while_handling(struct connection *c, int events)
{
    if (events & UV_DISCONNECT) {
        c->peer_done = true;
        if (c->feed) {
            connection_close(c); /* Nobody is there to tell. */
            return;
        }
        tell_gone(c);
    }
    if (events & UV_WRITABLE) {
        connection_write(c);
    }
    if (c->state == HANDLING) {
        connection_watch(c); /* Pipelined bytes wait in the socket. */
    }
}

static void
on_event(uv_poll_t *poll, int status, int events)
{
    struct connection *c = poll->data;

    assert(pthread_equal(pthread_self(), c->server->self));
    busy_poll_came(&c->server->busy_poll, c);
    c->server->now_ns = clock_mono(c->server->context.clock);
    if (status < 0) {
        connection_close(c);
        return;
    }
    switch (c->state) {
    case READING:
        get_in_line(c);
        break;
    case CHECKING:
        c->peer_done = true; /* It may only have closed its half. */
        connection_watch(c);
        break;
    case HANDLING:
        while_handling(c, events);
        break;
    case WRITING:
        connection_write(c);
        break;
    case LINES:
        http_lines_event(c, events);
        break;
    case WEBSOCKET:
        websocket_event(c, events);
        break;
    case LINGERING:
        discard(c);
        break;
    case CLOSED:
        break;
    }
}

/* ---- Time ---- */

static void
time_out(struct connection *c)
{
    if (c->parser && !http_parser_begun(c->parser)) {
        /* Only empty lines: an answer would be taken for the next request's. */
        connection_close(c);
        return;
    }
    c->state = HANDLING;
    c->close_after = true;
    c->old = c->head_only = c->posted = false;
    c->origin = SLICE_NONE;
    connection_refuse(c, false, 408, "request_timeout",
                      "the request did not arrive in time; send it again, faster", NULL);
}

static void
check_reading(struct connection *c, int64_t now_ns)
{
    const struct settings *limits = c->server->context.settings;
    int64_t silent_ns = now_ns - c->since_ns;

    if (c->body_ns) {
        if (silent_ns > limits->limits_body_idle ||
            now_ns - c->body_ns > limits->limits_body_time) {
            time_out(c);
        }
    } else if (c->head_ns) {
        if (now_ns - c->head_ns > limits->limits_head_time) {
            time_out(c);
        }
    } else if (silent_ns > (c->requests ? limits->limits_keep_alive : limits->limits_head_time)) {
        connection_close(c);
    }
}

void
connection_check_time(struct connection *c, int64_t now_ns)
{
    int64_t silent_ns = now_ns - c->since_ns;

    switch (c->state) {
    case READING:
        check_reading(c, now_ns);
        break;
    case WRITING:
        if (silent_ns > HTTP_STALL_NS) {
            connection_close(c);
        }
        break;
    case LINGERING:
        if (silent_ns > LINGER_NS) {
            connection_close(c);
        }
        break;
    case CHECKING: /* The fetch of keys has a time of its own. */
        break;
    case LINES:
        http_lines_check_time(c, now_ns);
        break;
    case HANDLING: /* Dispatch limits the time of calls. */
        connection_check_stream(c, now_ns);
        break;
    case WEBSOCKET:
        websocket_check_time(c, now_ns);
        break;
    case CLOSED:
        break;
    }
}

void
connection_drain(struct connection *c)
{
    if (c->state == READING || c->state == LINGERING) {
        connection_close(c);
    } else if (c->state == LINES) {
        http_lines_drain(c);
    } else if (c->state == WEBSOCKET) {
        websocket_drain(c);
    } else if (c->feed) {
        http_feed_drain(c);
    }
}

void
connection_give_up(struct connection *c)
{
    if (c->state == HANDLING && !c->peer_done) {
        tell_gone(c);
    }
    if (c->state == CHECKING || (c->state == HANDLING && !c->peer_done && !c->streaming)) {
        c->close_after = true;
        connection_refuse(c, c->route->mcp, 503, "overloaded",
                          "the server has ended before this call was done", "Retry-After: 1\r\n");
    }
    c->peer_done = true;
    connection_close(c);
}
