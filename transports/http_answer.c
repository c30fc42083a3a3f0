/* http_answer.c -- answers: what dispatch or a check says, as HTTP, onto the socket.
 *
 * Head and body leave in one system call, a body of some size from where it lies; else only what
 * the socket does not take is copied. */
#include "transports/http_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)
#define DATE_LEN (sizeof "Sun, 06 Nov 1994 08:49:37 GMT\r\n" - 1)
/* Copied behind its head: send() costs less than sendmsg(), some 0.2 us. */
#define SMALL_BODY 4096
#define REFUSAL_MAX 8192 /* More than a fault's texts take as JSON: telling it needs no memory. */

/* ---- The sink: these run on any thread ---- */

static void
answer_from_dispatch(struct sink *sink, const struct reply *reply)
{
    struct connection *c = (struct connection *)sink;

    if (connection_is_here(c, 0)) {
        connection_take_answer(c, reply);
    } else {
        connection_ref(c);
        http_server_post(c->server, c, reply);
    }
}

static void
unref_from_dispatch(struct sink *sink)
{
    connection_unref((struct connection *)sink);
}

const struct sink_class connection_sink = {connection_send, answer_from_dispatch,
                                           unref_from_dispatch};

struct sink *
connection_take_sink(struct connection *c)
{
    connection_ref(c);
    return &c->sink;
}

/* ---- Writing ---- */

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
    c->state = WRITING;
    c->since_ns = c->server->now_ns;
    connection_poll(c, UV_WRITABLE);
}

static bool
would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void
write_parts(struct connection *c, struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    size_t total = 0;
    ssize_t n = count == 1 ? send(c->fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                           : sendmsg(c->fd, &message, MSG_NOSIGNAL);

    for (int i = 0; i < count; i++) {
        total += parts[i].iov_len;
    }
    if (n < 0 && !would_block()) {
        c->peer_done = true;
        connection_close(c);
    } else if (n < 0 || (size_t)n < total) {
        keep_rest(c, parts, count, n < 0 ? 0 : (size_t)n);
    } else {
        connection_answered(c);
    }
}

void
connection_write(struct connection *c)
{
    ssize_t n = send(c->fd, c->out.data + c->out_sent, c->out.len - c->out_sent, MSG_NOSIGNAL);

    if (n < 0 && !would_block()) {
        connection_close(c);
        return;
    }
    if (n > 0) {
        c->out_sent += (size_t)n;
        c->since_ns = c->server->now_ns;
    }
    if (c->out_sent < c->out.len) {
        connection_watch(c);
    } else if (c->state == WRITING) {
        connection_answered(c);
    } else {
        connection_stream_written(c);
    }
}

/* ---- Heads ---- */

/* The first line, and the beginning of the second. */
static struct slice
first_line(int status)
{
#define LINE(STATUS, REASON)                                            \
    {                                                                   \
        STATUS,                                                         \
        {                                                               \
            "HTTP/1.1 " #STATUS " " REASON "\r\nDate: ",                \
                sizeof("HTTP/1.1 " #STATUS " " REASON "\r\nDate: ") - 1 \
        }                                                               \
    }
    static const struct {
        int status;
        struct slice text;
    } lines[] = {
        LINE(200, "OK"),
        LINE(202, "Accepted"),
        LINE(101, "Switching Protocols"),
        LINE(204, "No Content"),
        LINE(302, "Found"),
        LINE(400, "Bad Request"),
        LINE(401, "Unauthorized"),
        LINE(403, "Forbidden"),
        LINE(404, "Not Found"),
        LINE(405, "Method Not Allowed"),
        LINE(406, "Not Acceptable"),
        LINE(408, "Request Timeout"),
        LINE(409, "Conflict"),
        LINE(411, "Length Required"),
        LINE(413, "Content Too Large"),
        LINE(414, "URI Too Long"),
        LINE(415, "Unsupported Media Type"),
        LINE(417, "Expectation Failed"),
        LINE(422, "Unprocessable Content"),
        LINE(426, "Upgrade Required"),
        LINE(429, "Too Many Requests"),
        LINE(431, "Request Header Fields Too Large"),
        LINE(500, "Internal Server Error"),
        LINE(501, "Not Implemented"),
        LINE(503, "Service Unavailable"),
        LINE(504, "Gateway Timeout"),
        LINE(505, "HTTP Version Not Supported"),
    };
#undef LINE
    size_t i = 0;

    while (lines[i].status != status) {
        i++;
        assert(i < sizeof lines / sizeof lines[0]);
    }
    return lines[i].text;
}

/* The time of day as HTTP tells it, made once a second, with the line's end. */
static struct slice
date(struct http_server *s)
{
    if (s->now_ns >= s->date_until_ns) {
        static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        int64_t wall_ns = clock_wall(s->context.clock);
        time_t t = (time_t)(wall_ns / SECOND_NS);
        struct tm tm;

        gmtime_r(&t, &tm);
        snprintf(s->date, sizeof s->date, "%s, %02u %s %04d %02u:%02u:%02u GMT\r\n",
                 days[tm.tm_wday], (unsigned)tm.tm_mday % 100, months[tm.tm_mon],
                 (tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
                 (unsigned)tm.tm_sec % 100);
        s->date_until_ns = s->now_ns + SECOND_NS - wall_ns % SECOND_NS;
    }
    return (struct slice){s->date, DATE_LEN};
}

void
http_add_line(struct buf *head, const char *format, ...)
{
    size_t room = head->size - head->len;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(head->data + head->len, room, format, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < room);
    head->len += (size_t)n;
}

void
http_add_head(struct connection *c, struct buf *head, int status)
{
    http_add(head, first_line(status));
    http_add(head, date(c->server));
    if (c->origin.len) {
        http_add_line(head,
                      "Access-Control-Allow-Origin: %.*s\r\nVary: Origin\r\n"
                      "Access-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate\r\n",
                      (int)c->origin.len, c->origin.data);
    }
}

static void
add_length(struct buf *head, size_t length)
{
    char line[26] NOT_CLEARED, *end = line + sizeof line, *p = end - 2;

    memcpy(p, "\r\n", 2);
    do {
        *--p = (char)('0' + length % 10);
        length /= 10;
    } while (length);
    http_add(head, SLICE("Content-Length: "));
    http_add(head, (struct slice){p, (size_t)(end - p)});
}

/* printf() would take ten times as long for it: of the 41,000 instructions of a small call, 5,000
 * went there. */
static void
add_answer_head(struct connection *c, struct buf *head, int status, const char *type,
                const char *extra, size_t length)
{
    http_add_head(c, head, status);
    if (status != 204) {
        add_length(head, length);
    }
    if (length) {
        http_add(head, SLICE("Content-Type: "));
        http_add(head, slice_of(type));
        http_add(head, SLICE("\r\nX-Content-Type-Options: nosniff\r\n"));
    }
    if (extra) {
        http_add(head, slice_of(extra));
    }
    if (c->close_after) {
        http_add(head, SLICE("Connection: close\r\n"));
    } else if (c->old) {
        http_add(head, SLICE("Connection: keep-alive\r\n"));
    }
    http_add(head, SLICE("\r\n"));
}

void
connection_answer(struct connection *c, int status, const char *type, const char *extra,
                  struct slice body)
{
    char room[HTTP_HEAD_MAX + SMALL_BODY] NOT_CLEARED;
    struct buf head = {.data = room, .size = HTTP_HEAD_MAX}; /* Never grows. */
    struct iovec parts[2];

    c->close_after = c->close_after || c->server->draining ||
                     c->requests >= c->server->context.settings->limits_requests;
    add_answer_head(c, &head, status, type, extra, body.len);
    body = c->head_only ? SLICE_NONE : body;
    if (body.len && body.len <= SMALL_BODY) {
        memcpy(room + head.len, body.data, body.len);
        head.len += body.len;
        body = SLICE_NONE;
    }
    parts[0] = (struct iovec){room, head.len};
    parts[1] = (struct iovec){(void *)(uintptr_t)body.data, body.len};
    write_parts(c, parts, body.len ? 2 : 1);
}

void
connection_refuse(struct connection *c, bool mcp, int status, const char *word, const char *text,
                  const char *extra)
{
    char room[REFUSAL_MAX];
    struct buf body = {.data = room, .size = sizeof room, .limit = sizeof room - 1};

    if (mcp) {
        buf_addf(&body, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":%d,\"message\":",
                 status == 503 ? err_info(E_OVERLOAD)->rpc_code
                               : err_info(E_INVALID_REQUEST)->rpc_code);
        buf_add_json(&body, slice_of(text));
        buf_adds(&body, ",\"data\":{\"reason\":");
        buf_add_json(&body, slice_of(word));
        buf_adds(&body, "}}}");
    } else {
        buf_adds(&body, "{\"code\":");
        buf_add_json(&body, slice_of(word));
        buf_adds(&body, ",\"message\":");
        buf_add_json(&body, slice_of(text));
        buf_addc(&body, '}');
    }
    connection_answer(c, status, "application/json", extra, buf_slice(&body));
}

void
connection_tell_fault(struct connection *c, const struct fault *f)
{
    const struct err_info *info = err_info(f->code);
    struct reply reply = {.status = info->http_status};
    char room[REFUSAL_MAX];
    struct buf body = {.data = room, .size = sizeof room, .limit = sizeof room - 1};

    fault_write(&body, f);
    reply.body = buf_slice(&body);
    reply.scope = f->code == E_SCOPE ? slice_of(scope_text(SCOPE_READ)) : SLICE_NONE;
    if (info->http_status == 429 || info->http_status == 503) {
        reply.retry_after = f->retry_s ? f->retry_s : 1;
    }
    connection_take_answer(c, &reply);
}

void
connection_answer_lost(struct connection *c)
{
    struct fault f;

    if (c->streaming) {
        connection_close(c);
    } else if (c->state == HANDLING && c->route->mcp) {
        connection_refuse(c, true, 503, "overloaded", "there was no memory for the answer", NULL);
    } else if (c->state == HANDLING) {
        fault_set(&f, E_OVERLOAD, "there was no memory for the answer");
        connection_tell_fault(c, &f);
    }
}

static void
answer_event(struct connection *c, const char *extra, const struct reply *reply)
{
    struct buf event = BUF_INIT;

    http_add_event(&event, &(struct event){.body = reply->body, .id = reply->event_id});
    if (event.failed) {
        connection_close(c);
    } else {
        connection_answer(c, 200, "text/event-stream", extra, buf_slice(&event));
    }
    buf_fini(&event);
}

void
connection_take_answer(struct connection *c, const struct reply *reply)
{
    bool event = c->event_stream && reply->status == 200 && reply->body.len > 0;
    /* A call that was cancelled has no answer.  Official clients take 202 for that, as for any
     * message without one, and 204 for a mistake. */
    int status = reply->status == 204 && c->posted && c->route->mcp ? 202 : reply->status;
    char extra[1024] NOT_CLEARED;
    size_t n;

    if (c->state != HANDLING) {
        return; /* The peer has left. */
    }
    if (c->peer_done && reply->status == 204) {
        connection_close(c); /* A call that was cancelled by its peer's leaving: nothing is said. */
        return;
    }
    if (c->streaming) {
        connection_end_stream(c, reply);
        return;
    }
    n = http_challenge_scope(c, reply->scope, extra, sizeof extra);
    if (reply->session_id.len) {
        n += (size_t)snprintf(extra + n, sizeof extra - n, "Mcp-Session-Id: %.*s\r\n",
                              (int)reply->session_id.len, reply->session_id.data);
    }
    if (reply->retry_after) {
        n += (size_t)snprintf(extra + n, sizeof extra - n, "Retry-After: %u\r\n",
                              reply->retry_after);
    }
    if (event) {
        snprintf(extra + n, sizeof extra - n,
                 "Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n");
        answer_event(c, extra, reply);
    } else {
        connection_answer(c, status, "application/json", extra, reply->body);
    }
}
