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
 * and is then written at once, the loop in connection_take_requests() going on from there.  Every
 * other answer comes through the server's queue, even from this thread: another connection's
 * request may have caused it while the scratch buffer is in use.  Whatever frees the buffers waits
 * until nobody is busy with them.
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

#define READ_BYTES (16 * 1024) /* At least, where part of a request is kept. */

static void on_event(uv_poll_t *poll, int status, int events);

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
    c->read_at = ++s->reads; /* It goes before those that come later, and before nobody else. */
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

static void
on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;

    close(c->fd);
    c->fd = -1;
    connection_unref(c);
}

void
connection_tell_gone(struct connection *c)
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
        connection_tell_gone(c);
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
    connection_drop_partial(c);
    buf_fini(&c->out);
    uv_close((uv_handle_t *)&c->poll, on_closed);
    http_server_accept_again(s);
}

void
connection_linger(struct connection *c)
{
    connection_drop_partial(c);
    if (c->peer_done || shutdown(c->fd, SHUT_WR) != 0) {
        connection_close(c);
        return;
    }
    c->state = LINGERING;
    c->since_ns = c->server->now_ns;
    connection_poll(c, UV_READABLE);
}

/* ---- Answered ---- */

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
    c->since_ns = c->server->now_ns;
    c->head_ns = c->body_ns = 0;
    if (c->busy) {
        return; /* connection_take_requests() goes on. */
    }
    if (c->in.len) {
        connection_take_requests(c, c->in.data, c->in.len);
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
    c->since_ns = c->server->now_ns;
    if (partial) {
        c->in.len += (size_t)n;
        connection_take_requests(c, c->in.data, c->in.len);
    } else {
        connection_take_requests(c, to, (size_t)n);
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
        connection_tell_gone(c);
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
