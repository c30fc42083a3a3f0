/* http_ws_tell.c -- what goes to the client of a WebSocket: messages, from where they wait, and
 * what libwebsockets has to say.
 *
 * DESIGN.  Frames of messages follow upon those of libwebsockets and these upon them only where one
 * is at its end: 'whole' and 'front_sent' say so.  Messages went through libwebsockets once: a
 * buffer, a copy and three system calls each, where a frame's head is four bytes and many frames
 * leave by one call ("make bench-events": a delivery to one of 100 readers cost 3.1 us of CPU,
 * where it costs 0.26 now and a send() by itself 3.6; with one event at a time 18, 5.1 and 4.1). */
#include "transports/http_ws_private.h"

#include "transports/ws_frame.h"

#include <sys/socket.h>
#include <sys/uio.h>

#define MESSAGES_AT_ONCE 16 /* Of the outbox, in one system call; */
#define ROUNDS 16           /* and so many calls, before others get their turn. */

static int64_t
now(const struct connection *c)
{
    return c->server->now_ns;
}

bool
websocket_is_between(const struct connection *c)
{
    return c->out.len == 0 && c->websocket->front_sent == 0;
}

/* ---- Bytes ---- */

/* Writes to the socket what is in nobody's keeping; keeps what it does not take. */
static void
write_client(struct connection *c, const char *data, size_t len)
{
    ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

    if (n < 0 && !would_block()) {
        c->peer_done = true;
        connection_close(c);
        return;
    }
    if (n > 0) {
        c->since_ns = now(c);
        c->out_sent += c->out.len ? (size_t)n : 0;
    }
    n = n < 0 ? 0 : n;
    if (c->out.len) {
        if (c->out_sent == c->out.len) {
            buf_fini(&c->out);
            c->out_sent = 0;
        }
    } else if ((size_t)n < len) {
        c->since_ns = now(c);
        buf_add(&c->out, data + n, len - (size_t)n);
        if (c->out.failed) {
            connection_close(c);
        }
    }
}

void
websocket_write_on(struct connection *c)
{
    write_client(c, c->out.data + c->out_sent, c->out.len - c->out_sent);
}

/* 'n' bytes of the frames of these messages are written. */
static void
pop_written(struct connection *c, struct bytes *const *messages, const size_t *head_lens,
            size_t count, size_t n)
{
    struct websocket *ws = c->websocket;
    size_t done = 0;

    n += ws->front_sent;
    while (done < count && n >= head_lens[done] + messages[done]->len) {
        n -= head_lens[done] + messages[done]->len;
        done++;
    }
    ws->front_sent = n;
    ws->full = done < count;
    outbox_pop(ws->outbox, done);
}

/* Writes what is in the outbox, some of it, as far as the socket takes it.  False if it is
 * empty. */
static bool
write_outbox(struct connection *c)
{
    struct websocket *ws = c->websocket;
    struct bytes *messages[MESSAGES_AT_ONCE] NOT_CLEARED;
    char heads[MESSAGES_AT_ONCE][WS_HEAD_MAX] NOT_CLEARED;
    size_t head_lens[MESSAGES_AT_ONCE] NOT_CLEARED;
    struct iovec parts[2 * MESSAGES_AT_ONCE] NOT_CLEARED;
    size_t count = outbox_peek(ws->outbox, messages, MESSAGES_AT_ONCE), skip = ws->front_sent;
    struct msghdr all = {.msg_iov = parts, .msg_iovlen = 2 * count};
    ssize_t n;

    if (count == 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        head_lens[i] = ws_frame_head(heads[i] + WS_HEAD_MAX, messages[i]->len);
        parts[2 * i] = (struct iovec){heads[i] + WS_HEAD_MAX - head_lens[i], head_lens[i]};
        parts[2 * i + 1] = (struct iovec){messages[i]->data, messages[i]->len};
    }
    for (size_t i = 0; skip > 0; i++) { /* Of the first frame: it is not written whole. */
        size_t part = skip < parts[i].iov_len ? skip : parts[i].iov_len;

        parts[i].iov_base = (char *)parts[i].iov_base + part;
        parts[i].iov_len -= part;
        skip -= part;
    }
    n = sendmsg(c->fd, &all, MSG_NOSIGNAL);
    if (n < 0 && !would_block()) {
        c->peer_done = true;
        connection_close(c);
        return true;
    }
    c->since_ns = n > 0 || !ws->full ? now(c) : c->since_ns;
    pop_written(c, messages, head_lens, count, n > 0 ? (size_t)n : 0);
    return true;
}

/* Writes what waits elsewhere, as much as goes together.  False if there is no more: then what
 * comes wakes. */
static bool
write_rest(struct connection *c)
{
    struct websocket *ws = c->websocket;
    struct ws_batch batch = {.data = c->server->scratch, .size = sizeof c->server->scratch};
    bool more = ws->use.class->fill && ws->use.class->fill(ws->use.self, &batch);

    more = more || outbox_bytes(ws->outbox) > 0; /* What was too large to go together. */
    if (batch.len) {
        write_client(c, batch.data, batch.len);
    }
    return more;
}

void
websocket_tell(struct connection *c)
{
    struct websocket *ws = c->websocket;
    unsigned rounds = 0;

    while (c->state == WEBSOCKET && ws->whole && !ws->failing && !ws->full && !c->out.len &&
           rounds++ < ROUNDS) {
        if (!write_outbox(c) && !write_rest(c)) {
            return;
        }
    }
    if (rounds > ROUNDS) {
        http_server_wake(c);
    }
}

/* The channel has said its last.  What was not listened to is thrown away: a socket that is closed
 * with it unread would take the close frame back. */
static void
finish(struct connection *c)
{
    int reads = 0;

    websocket_close(c);
    while (reads++ < 16 && recv(c->fd, c->server->scratch, sizeof c->server->scratch, 0) > 0) {
    }
    connection_linger(c);
}

void
websocket_pass_on(struct connection *c)
{
    struct websocket *ws = c->websocket;
    char *scratch = c->server->scratch;
    size_t size = sizeof c->server->scratch;
    bool more = true;

    while (more && c->state == WEBSOCKET && websocket_is_between(c)) {
        ssize_t n = recv(ws->fd, scratch, size, 0);

        more = n == (ssize_t)size;
        if (n > 0) {
            ws->begun = true;
            write_client(c, scratch, (size_t)n);
        } else if (n == 0 || !would_block()) {
            finish(c);
            return;
        }
        ws->whole = ws->begun && !more && !ws_channel_is_partial(ws->channel);
    }
}

void
websocket_stop_telling(struct connection *c)
{
    struct websocket *ws = c->websocket;
    char head[WS_HEAD_MAX];
    struct bytes *front;
    size_t head_len, sent = ws->front_sent;

    if (sent && outbox_peek(ws->outbox, &front, 1)) {
        head_len = ws_frame_head(head + sizeof head, front->len);
        if (sent < head_len) {
            buf_add(&c->out, head + sizeof head - head_len + sent, head_len - sent);
            sent = head_len;
        }
        buf_add(&c->out, front->data + sent - head_len, front->len + head_len - sent);
    }
    ws->front_sent = 0;
    ws->full = false;
    outbox_close(ws->outbox);
    ws->failing = true;
    ws->failing_ns = now(c);
}
