/* http_stream.c -- answers that are event streams (text/event-stream, "Server-sent events").
 *
 * The first event that dispatch sends turns the answer into a stream; the answer itself is its last
 * event, and the connection goes on with the next request.  A client that did not name the type in
 * Accept gets no stream: what would go ahead of its answer is passed over.
 *
 * DESIGN.  What waits for a peer is counted when it is sent and counted off when all of 'out' is
 * written, so that a sender on any thread learns at once that the peer does not read, and nothing
 * is kept for it beyond the bounds of sink.h.  A peer that takes nothing at all for ten seconds is
 * closed. */
#include "transports/http_private.h"

#include <stdio.h>

#define KEEP_ALIVE_NS INT64_C(15000000000) /* Silence that a proxy may take for the end. */

/* ---- Any thread ---- */

/* Counts an event that is about to wait.  False if too much waits already. */
static bool
count_in(struct connection *c, size_t len)
{
    if (atomic_load(&c->waiting) >= SINK_WAITING_MESSAGES ||
        (atomic_load(&c->waiting) && atomic_load(&c->waiting_bytes) + len > SINK_WAITING_BYTES)) {
        return false;
    }
    atomic_fetch_add(&c->waiting, 1);
    atomic_fetch_add(&c->waiting_bytes, len);
    return true;
}

static void
count_off(struct connection *c, unsigned events, size_t bytes)
{
    atomic_fetch_sub(&c->waiting, events);
    atomic_fetch_sub(&c->waiting_bytes, bytes);
}

bool
connection_is_here(const struct connection *c, unsigned counted)
{
    /* 'busy' is written by the loop's thread only, so on that thread it says the truth; any other
     * takes the second way whatever it reads. */
    return c->busy && pthread_equal(pthread_self(), c->server->self) && lock_none_held() &&
           atomic_load(&c->waiting) == c->out_waiting + counted;
}

enum err
connection_send(struct sink *sink, const struct event *event)
{
    struct connection *c = (struct connection *)sink;

    if (!c->takes_events) {
        return E_REFUSED;
    }
    if (atomic_load(&c->left)) {
        return E_CANCELLED;
    }
    if (!count_in(c, event->body.len)) {
        atomic_store(&c->missed, true);
        if (!count_in(c, event->body.len)) { /* Not just now written, before that was seen. */
            return E_LIMIT;
        }
    }
    if (connection_is_here(c, 1)) {
        connection_take_event(c, event);
        return E_OK;
    }
    connection_ref(c);
    if (!http_server_post_event(c->server, c, event)) {
        connection_unref(c);
        count_off(c, 1, event->body.len);
        return E_LIMIT;
    }
    return E_OK;
}

/* ---- The loop's thread ---- */

void
connection_watch(struct connection *c)
{
    int events = (c->out.len > c->out_sent ? UV_WRITABLE : 0) |
                 (c->state == WRITING || c->peer_done ? 0 : UV_DISCONNECT);

    if (events) {
        connection_poll(c, events);
    } else {
        uv_poll_stop(&c->poll);
        c->polled = 0;
    }
}

/* Adds 'text' to what is to be written; a chunk of its own where the stream has chunks. */
static void
add_chunk(struct connection *c, const struct buf *text)
{
    c->out.failed = c->out.failed || text->failed;
    if (!c->old) {
        buf_addf(&c->out, "%zx\r\n", text->len);
    }
    buf_add_slice(&c->out, buf_slice(text));
    if (!c->old) {
        buf_adds(&c->out, "\r\n");
    }
}

void
http_add_event(struct buf *out, const struct event *event)
{
    if (!event->body.len && !event->id.len) {
        buf_adds(out, ": ka\n\n");
        return;
    }
    if (event->body.len) {
        buf_adds(out, "event: message\n");
    }
    if (event->id.len) {
        buf_addf(out, "id: %.*s\n", (int)event->id.len, event->id.data);
    }
    if (event->retry_ms > 0) {
        buf_addf(out, "retry: %d\n", event->retry_ms);
    }
    buf_adds(out, "data: ");
    buf_add_slice(out, event->body);
    buf_adds(out, "\n\n");
}

static void
add_event(struct connection *c, const struct event *event)
{
    struct buf text = BUF_INIT;

    http_add_event(&text, event);
    add_chunk(c, &text);
    buf_fini(&text);
}

static void
add_stream_head(struct connection *c)
{
    char room[HTTP_HEAD_MAX];
    struct buf head = {.data = room, .size = sizeof room}; /* Never grows. */

    c->close_after = c->close_after || c->server->draining || c->old ||
                     c->requests >= c->server->context.settings->limits_requests;
    http_add_head(c, &head, 200);
    http_add_line(&head,
                  "Content-Type: text/event-stream\r\nX-Content-Type-Options: nosniff\r\n"
                  "Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n%s%s\r\n",
                  c->old ? "" : "Transfer-Encoding: chunked\r\n",
                  c->close_after ? "Connection: close\r\n" : "");
    buf_add_slice(&c->out, buf_slice(&head));
}

/* Writes what the socket takes of what was added. */
static void
write_added(struct connection *c, bool waited)
{
    if (c->out.failed) {
        connection_close(c); /* No memory to go on: what was sent is cut off. */
        return;
    }
    if (!waited) {
        c->since_ns = clock_mono(c->server->context.clock);
        connection_write(c);
    }
}

void
http_stream_begin(struct connection *c)
{
    c->streaming = true;
    add_stream_head(c);
}

void
http_stream_add(struct connection *c, const struct buf *text)
{
    add_chunk(c, text);
}

void
http_stream_write(struct connection *c, const struct buf *text)
{
    bool waited = c->out_sent > 0;

    add_chunk(c, text);
    write_added(c, waited);
}

void
connection_take_event(struct connection *c, const struct event *event)
{
    bool waited = c->out.len > 0;

    if (c->state != HANDLING) {
        count_off(c, 1, event->body.len); /* The peer has left. */
        return;
    }
    if (!c->streaming) {
        http_stream_begin(c);
    }
    c->out_waiting++;
    c->out_waiting_bytes += event->body.len;
    add_event(c, event);
    write_added(c, waited);
}

void
connection_stream_written(struct connection *c)
{
    buf_fini(&c->out);
    c->out_sent = 0;
    count_off(c, c->out_waiting, c->out_waiting_bytes);
    c->out_waiting = 0;
    c->out_waiting_bytes = 0;
    if (atomic_exchange(&c->missed, false)) {
        dispatch_drained(c->server->context.dispatcher, &c->sink);
    }
    connection_watch(c);
    if (c->feed) {
        http_feed_go_on(c);
    }
}

void
connection_end_stream(struct connection *c, const struct reply *reply)
{
    bool waited = c->out.len > 0 && !c->feed;

    http_feed_free(c);

    c->close_after = c->close_after || c->server->draining;
    if (reply->body.len) {
        add_event(c, &(struct event){.body = reply->body, .id = reply->event_id});
    }
    if (!c->old) {
        buf_adds(&c->out, "0\r\n\r\n");
    }
    count_off(c, c->out_waiting, c->out_waiting_bytes); /* Nothing more is sent. */
    c->out_waiting = 0;
    c->out_waiting_bytes = 0;
    c->state = WRITING;
    if (c->out.len == c->out_sent && !c->out.failed) {
        connection_answered(c);
    } else {
        write_added(c, waited);
    }
}

/* The token has died that the stream was opened with: it ends, as it would when the peer leaves. */
static void
end_expired(struct connection *c)
{
    struct envelope env = {.transport = TRANSPORT_HTTP};

    atomic_store(&c->left, true);
    c->close_after = true; /* What still comes of its request finds no stream to go to. */
    dispatch_gone(c->server->context.dispatcher, &env, &c->sink);
    connection_end_stream(c, &(struct reply){.status = 200});
}

void
connection_check_stream(struct connection *c, int64_t now_ns)
{
    int64_t silent_ns = now_ns - c->since_ns;

    if (!c->streaming) {
        return;
    }
    if (c->grant && clock_wall(c->server->context.clock) >= c->grant->ends_ns) {
        end_expired(c);
    } else if (c->out.len) {
        if (silent_ns > HTTP_STALL_NS) {
            connection_close(c);
        }
    } else if (silent_ns >= KEEP_ALIVE_NS) {
        add_event(c, &(struct event){.retry_ms = 0});
        write_added(c, false);
    }
}
