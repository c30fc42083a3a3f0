/* http_lines.c -- connections that speak lines: the other windows of a project.
 *
 * A second server on the same project is a bridge (bridge.h): it asks to upgrade its connection,
 * shows the token of the data folder, and from then on the connection is what standard input and
 * output are to the first window: a peer that is its own legacy session and speaks one message a
 * line.
 *
 * DESIGN.  Messages begin with '{' or '['.  Besides them this side sends lines "=N": of what the
 * bridge has sent, the first N lines are taken.  That is in the socket before the first of them is
 * acted on, so a bridge whose server dies knows what surely was not done and can ask another for
 * it.  Hence no line is taken while anything waits to be written; the bridge always reads.
 *
 * At the end of the server lines that are not taken are left to the bridge; what was taken is
 * answered, the connection shut down, and closed once the bridge has read it all. */
#include "transports/http_private.h"

#include "transports/bridge.h"
#include "transports/lines.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

struct http_lines {
    struct lines lines;
    struct connection *connection; /* Borrowed: it owns this. */
    _Atomic bool woken;            /* There is output, or the last call has ended. */
    bool input_over;               /* No more lines are taken. */
    bool shut;                     /* All is written, and the bridge told so. */
    uint64_t taken, announced;     /* Line ends: read; told before that. */
    char word[24];                 /* "=N" on its way; what of it is not written yet. */
    size_t word_len;
};

/* ---- Any thread ---- */

static void
wake(void *arg)
{
    struct http_lines *l = arg;

    atomic_store(&l->woken, true);
    uv_async_send(&l->connection->server->wake);
}

/* ---- The loop's thread ---- */

/* Writes what is left of an announcement.  False if that takes longer, or will never be; errno says
 * which. */
static bool
write_word(struct http_lines *l)
{
    while (l->word_len) {
        ssize_t n = send(l->connection->fd, l->word, l->word_len, MSG_NOSIGNAL);

        if (n < 0) {
            errno = errno == EWOULDBLOCK || errno == EINTR ? EAGAIN : errno;
            return false;
        }
        l->word_len -= (size_t)n;
        memmove(l->word, l->word + n, l->word_len);
    }
    return true;
}

static ssize_t
write_parts(void *arg, const struct iovec *parts, int count)
{
    struct http_lines *l = arg;
    struct iovec copy[64];
    struct msghdr message = {.msg_iov = copy, .msg_iovlen = (size_t)(count < 64 ? count : 64)};
    ssize_t n;

    memcpy(copy, parts, message.msg_iovlen * sizeof copy[0]);
    n = sendmsg(l->connection->fd, &message, MSG_NOSIGNAL);
    if (n < 0 && (errno == EWOULDBLOCK || errno == EINTR)) {
        errno = EAGAIN;
    }
    return n;
}

static enum lines_flushed
flush(struct http_lines *l)
{
    if (!write_word(l)) {
        return errno == EAGAIN ? LINES_BLOCKED : LINES_BROKEN;
    }
    return lines_flush(&l->lines);
}

/* Says how many lines are taken, if that is news.  False if it is not in the socket yet. */
static bool
announce(struct http_lines *l, uint64_t taken)
{
    if (taken > l->announced) {
        l->announced = taken;
        l->word_len =
            (size_t)snprintf(l->word, sizeof l->word, "=%llu\n", (unsigned long long)taken);
    }
    return write_word(l);
}

static uint64_t
count_line_ends(const char *data, size_t len)
{
    uint64_t count = 0;

    for (const char *p = data; (p = memchr(p, '\n', len - (size_t)(p - data))); p++) {
        count++;
    }
    return count;
}

/* Looks at what has come, says that it is taken, and takes it. */
static void
read_lines(struct connection *c)
{
    struct http_lines *l = c->lines;
    char *data = c->server->scratch;
    ssize_t n = recv(c->fd, data, sizeof c->server->scratch, MSG_PEEK);
    uint64_t ends;

    if (n < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            connection_close(c);
        }
        return;
    }
    outbox_expect(l->lines.outbox);
    if (n == 0) {
        l->input_over = true;
        peer_wake_when_idle(l->lines.peer);
        lines_take_last(&l->lines);
        peer_last(l->lines.peer);
        return;
    }
    ends = count_line_ends(data, (size_t)n);
    if (!announce(l, l->taken + ends)) {
        return;
    }
    if (recv(c->fd, data, (size_t)n, 0) != n) { /* It is there: this cannot be. */
        connection_close(c);
        return;
    }
    l->taken += ends;
    lines_feed(&l->lines, (struct slice){data, (size_t)n});
    lines_take(&l->lines);
}

/* All is written: the bridge is told, unless it has closed its side already. */
static void
end(struct connection *c)
{
    struct http_lines *l = c->lines;

    if (c->peer_done || l->shut || shutdown(c->fd, SHUT_WR) != 0) {
        connection_close(c);
        return;
    }
    l->shut = true;
    c->since_ns = clock_mono(c->server->context.clock);
    connection_poll(c, UV_READABLE);
}

static void
go_on(struct connection *c)
{
    struct http_lines *l = c->lines;
    unsigned in_flight = peer_in_flight(l->lines.peer); /* First: answers come before it falls. */
    enum lines_flushed flushed = flush(l);
    int events = flushed == LINES_BLOCKED ? UV_WRITABLE : l->input_over ? 0 : UV_READABLE;

    if (flushed == LINES_BROKEN || peer_is_lost(l->lines.peer)) {
        c->peer_done = true;
        connection_close(c);
    } else if (l->input_over && flushed == LINES_FLUSHED && in_flight == 0) {
        end(c);
    } else if (events) {
        connection_poll(c, events);
    } else {
        uv_poll_stop(&c->poll);
        c->polled = 0;
    }
}

/* The bridge has been told of the end: waits for its own. */
static void
await_close(struct connection *c)
{
    ssize_t n = recv(c->fd, c->server->scratch, sizeof c->server->scratch, 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        connection_close(c);
    }
}

void
http_lines_event(struct connection *c, int events)
{
    struct http_lines *l = c->lines;

    if (l->shut) {
        await_close(c);
        return;
    }
    if ((events & UV_READABLE) && !l->input_over && flush(l) == LINES_FLUSHED) {
        read_lines(c);
    }
    if (c->state == LINES) {
        go_on(c);
    }
}

void
http_lines_woken(struct http_server *s)
{
    struct connection *next;

    for (struct connection *c = s->bridges ? s->first : NULL; c; c = next) {
        next = c->next;
        if (c->state == LINES && atomic_exchange(&c->lines->woken, false) && !c->lines->shut) {
            go_on(c);
        }
    }
}

void
http_lines_check_time(struct connection *c, int64_t now_ns)
{
    if (c->lines->shut && now_ns - c->since_ns > HTTP_STALL_NS) {
        connection_close(c);
    }
}

void
http_lines_drain(struct connection *c)
{
    struct http_lines *l = c->lines;

    if (!l->input_over) {
        l->input_over = true;
        peer_wake_when_idle(l->lines.peer);
        go_on(c);
    }
}

void
http_lines_free(struct connection *c)
{
    struct http_lines *l = c->lines;

    lines_lose(&l->lines);
    lines_fini(&l->lines);
    free(l);
    c->lines = NULL;
    c->server->bridges--;
}

/* ---- The route ---- */

static bool
send_head(struct connection *c)
{
    char room[HTTP_HEAD_MAX];
    struct buf head = {.data = room, .size = sizeof room}; /* Never grows. */

    http_add_head(c, &head, 101);
    http_add_line(&head, "Connection: Upgrade\r\nUpgrade: " BRIDGE_PROTOCOL "\r\n\r\n");
    return send(c->fd, head.data, head.len, MSG_NOSIGNAL) == (ssize_t)head.len;
}

/* Where the ids of what the client is asked begin. */
static uint64_t
asks_from(const struct http_parser *p)
{
    struct slice value;
    uint64_t before = 0;

    if (http_header_find(p, SLICE(BRIDGE_BEFORE), &value)) {
        for (size_t i = 0; i < value.len && i < 9 && value.data[i] >= '0' && value.data[i] <= '9';
             i++) {
            before = before * 10 + (uint64_t)(value.data[i] - '0');
        }
    }
    return before * BRIDGE_ASKS_EACH;
}

void
http_bridge(struct connection *c, const struct http_parser *p)
{
    struct peer_options peer = {.moves = true, .asks_from = asks_from(p), .wake = wake};
    struct http_lines *l;

    if (!p->upgrade || !http_header_has(p, HTTP_HEADER_UPGRADE, SLICE(BRIDGE_PROTOCOL))) {
        connection_refuse(c, false, 426, "upgrade_required",
                          "this path is for the other windows of a project; MCP is at /mcp",
                          "Connection: Upgrade\r\nUpgrade: " BRIDGE_PROTOCOL "\r\n");
        return;
    }
    if (c->server->draining) {
        connection_refuse(c, false, 503, "overloaded", "the server is ending",
                          "Retry-After: 1\r\n");
        return;
    }
    if (!send_head(c)) {
        connection_close(c); /* A socket with nothing to write that takes less is broken. */
        return;
    }
    l = xcalloc(1, sizeof *l);
    l->connection = c;
    peer.arg = l;
    http_header_find(p, SLICE(BRIDGE_TENANT), &peer.tenant);
    lines_init(&l->lines, &c->server->context, &peer, write_parts);
    l->lines.output_max = SIZE_MAX; /* Nothing is taken while anything waits. */
    c->lines = l;
    c->state = LINES;
    c->server->bridges++;
    connection_poll(c, UV_READABLE);
}
