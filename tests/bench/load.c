/* load.c -- connections, the loop, and what is checked of an answer. */
#include "tests/bench/load.h"

#include "tests/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX (4u << 20)
#define LOAD_ID_FIRST 10000000
#define EVENTS 256
#define SILENCE_MS 20000 /* A server that says nothing for so long has failed. */

struct conn {
    int fd;
    uint32_t id;     /* Of the request under way. */
    int64_t since;   /* When it was begun. */
    struct buf out;  /* The request. */
    size_t sent;     /* Of it. */
    struct buf in;   /* The answer, as far as it is there. */
    size_t head_len; /* 0: its head is not whole. */
    size_t body_len; /* Told by Content-Length. */
    bool chunked, closing;
};

struct load {
    struct load_options o;
    size_t id_at, also_at;
    int epoll_fd;
    struct conn *conns; /* Owned; o.connections of them. */
    size_t body_len;    /* That every answer must have; 0: none has come. */
    char *sessions;     /* Owned. */
    size_t session_count, session_size;
};

void
bench_fail(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("bench: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* ---- Histogram ---- */

/* Values under 2 * FINE are exact; above, each power of two has FINE buckets. */
static unsigned
bucket_of(uint64_t ns)
{
    unsigned shift = 0, bucket;

    if (ns >= 2 * HISTOGRAM_FINE) {
        shift = 63u - (unsigned)__builtin_clzll(ns) - 7u;
    }
    bucket = shift * HISTOGRAM_FINE + (unsigned)(ns >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

void
histogram_add(struct histogram *h, int64_t ns)
{
    h->counts[bucket_of(ns > 0 ? (uint64_t)ns : 0)]++;
    h->total++;
}

double
histogram_percentile(const struct histogram *h, double percent)
{
    uint64_t wanted = (uint64_t)((double)h->total * percent / 100.0), seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > wanted || (seen == h->total && h->total)) {
            unsigned shift = i < 2 * HISTOGRAM_FINE ? 0 : i / HISTOGRAM_FINE - 1;
            return (double)((uint64_t)(i - shift * HISTOGRAM_FINE) << shift);
        }
    }
    return 0;
}

/* ---- Connections ---- */

static void
conn_open(struct load *l, struct conn *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)l->o.port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        bench_fail("%s: no connection: %s", l->o.name, strerror(errno));
    }
}

static void
conn_close(struct conn *c)
{
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
}

/* A server may have closed a connection that was idle since the last run. */
static void
conn_look(struct conn *c)
{
    char byte;

    if (c->fd >= 0 && recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
        conn_close(c);
    }
}

/* Sends what the socket takes of the request. */
static void
conn_push(struct load *l, struct conn *c)
{
    while (c->sent < c->out.len) {
        ssize_t n =
            send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n < 0 && errno != EINTR) {
            bench_fail("%s: a request could not be sent: %s", l->o.name, strerror(errno));
        }
        c->sent += n > 0 ? (size_t)n : 0;
    }
}

static void
put_id(struct conn *c, size_t at)
{
    uint32_t id = c->id;

    for (size_t i = sizeof LOAD_ID - 1; i-- > 1 && at; id /= 10) {
        c->out.data[at + i] = (char)('0' + id % 10);
    }
}

static void
conn_begin(struct load *l, struct conn *c, int64_t now)
{
    c->since = now;
    c->sent = c->in.len = c->head_len = 0;
    if (c->fd < 0) {
        conn_open(l, c);
    }
    c->id++;
    put_id(c, l->id_at);
    put_id(c, l->also_at);
    conn_push(l, c);
}

/* ---- Answers ---- */

static void __attribute__((noreturn)) answer_is_bad(struct load *l, struct conn *c, const char *why)
{
    bench_fail("%s: %s: %.*s", l->o.name, why, c->in.len < 600 ? (int)c->in.len : 600,
               c->in.data ? c->in.data : "");
}

static void
note_session(struct load *l, struct slice value)
{
    if (value.len >= LOAD_SESSION) {
        bench_fail("%s: a session id of %zu bytes", l->o.name, value.len);
    }
    if (l->session_count == l->session_size) {
        l->session_size = l->session_size ? 2 * l->session_size : 256;
        l->sessions = xrealloc(l->sessions, l->session_size * LOAD_SESSION);
    }
    memcpy(l->sessions + l->session_count * LOAD_SESSION, value.data, value.len);
    l->sessions[l->session_count++ * LOAD_SESSION + value.len] = '\0';
}

/* True if 'line' is that header, all lower case; stores its value. */
static bool
is_header(struct slice line, struct slice name, struct slice *value)
{
    if (line.len <= name.len || line.data[name.len] != ':' ||
        strncasecmp(line.data, name.data, name.len) != 0) {
        return false;
    }
    *value = (struct slice){line.data + name.len + 1, line.len - name.len - 1};
    while (value->len && *value->data == ' ') {
        value->data++;
        value->len--;
    }
    return true;
}

static void
read_header(struct load *l, struct conn *c, struct slice line)
{
    struct slice value;
    uint64_t number;

    switch (line.data[0] | 0x20) {
    case 'c':
        if (is_header(line, SLICE("content-length"), &value)) {
            if (!slice_number(value, &number) || number > ANSWER_MAX) {
                answer_is_bad(l, c, "a bad length");
            }
            c->body_len = number;
        } else if (is_header(line, SLICE("connection"), &value)) {
            c->closing = value.len == 5 && strncasecmp(value.data, "close", 5) == 0;
        }
        break;
    case 't':
        c->chunked |= is_header(line, SLICE("transfer-encoding"), &value);
        break;
    case 'm':
        if (is_header(line, SLICE("mcp-session-id"), &value)) {
            note_session(l, value);
        }
        break;
    default:
        break;
    }
}

static void
read_head(struct load *l, struct conn *c)
{
    const char *end = memmem(c->in.data, c->in.len, "\r\n\r\n", 4), *line, *next;

    if (!end) {
        return;
    }
    if (c->in.len < 12 || memcmp(c->in.data, "HTTP/1.1 200", 12) != 0) {
        answer_is_bad(l, c, "not 200");
    }
    c->head_len = (size_t)(end - c->in.data) + 4;
    c->body_len = 0;
    c->chunked = c->closing = false;
    for (line = memchr(c->in.data, '\n', c->head_len); line && line + 1 < end; line = next) {
        next = memchr(line + 1, '\n', (size_t)(end + 2 - line - 1));
        if (next) {
            read_header(l, c, (struct slice){line + 1, (size_t)(next - 1 - line - 1)});
        }
    }
}

/* The length of the whole answer, 0 if it is not known yet; stores what its body holds. */
static size_t
chunked_len(const struct conn *c, size_t *body_len)
{
    size_t at = c->head_len;

    *body_len = 0;
    for (;;) {
        const char *line = c->in.data + at, *end;
        size_t size;

        end = at < c->in.len ? memchr(line, '\n', c->in.len - at) : NULL;
        if (!end) {
            return 0;
        }
        size = strtoul(line, NULL, 16);
        at += (size_t)(end - line) + 1 + size + 2;
        *body_len += size;
        if (!size) {
            return at;
        }
    }
}

/* Looks into the first answer; the others must be as long. */
static void
check_first(struct load *l, struct conn *c, size_t body_len)
{
    struct slice body = {c->in.data + c->head_len, body_len};
    json_t *answer, *id;

    l->body_len = body_len;
    if (l->o.fixed) {
        return;
    }
    if (c->chunked) { /* One chunk, the SDK's. */
        const char *data = memchr(body.data, '\n', c->in.len - c->head_len);
        body.data = data ? data + 1 : body.data;
    }
    answer = json_loadb(body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
    id = json_object_get(answer, "id");
    if (!json_is_object(json_object_get(answer, "result")) ||
        json_is_true(json_object_get(json_object_get(answer, "result"), "isError")) ||
        (l->id_at && json_integer_value(id) != LOAD_ID_FIRST + c->id)) {
        answer_is_bad(l, c, "no result, or another's");
    }
    json_decref(answer);
}

/* True if the answer is whole; it is right then. */
static bool
answer_is_whole(struct load *l, struct conn *c)
{
    size_t whole, body_len;

    if (!c->head_len) {
        read_head(l, c);
    }
    if (!c->head_len) {
        return false;
    }
    body_len = c->body_len;
    whole = c->chunked ? chunked_len(c, &body_len) : c->head_len + body_len;
    if (!whole || c->in.len < whole) {
        return false;
    }
    if (c->in.len > whole) {
        answer_is_bad(l, c, "more than an answer");
    }
    if (!l->body_len) {
        check_first(l, c, body_len);
    } else if (body_len != l->body_len && !l->o.varies) {
        answer_is_bad(l, c, "an answer of another length");
    }
    return true;
}

/* Reads what is there.  True if the answer is whole. */
static bool
conn_pull(struct load *l, struct conn *c)
{
    for (;;) {
        ssize_t n;

        buf_reserve(&c->in, 16384);
        n = recv(c->fd, c->in.data + c->in.len, c->in.size - c->in.len - 1, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            return false;
        }
        if (n == 0 || (n < 0 && errno != EINTR)) {
            answer_is_bad(l, c, n ? strerror(errno) : "closed instead of an answer");
        }
        c->in.len += n > 0 ? (size_t)n : 0;
        if (n > 0 && answer_is_whole(l, c)) {
            return true;
        }
    }
}

/* ---- The loop ---- */

void
load_run(struct load *l, int64_t ns, uint64_t most, struct load_result *r)
{
    struct epoll_event events[EVENTS];
    int64_t begin = now_ns(), now = begin;
    uint64_t begun = 0;
    unsigned busy = 0;

    memset(r, 0, sizeof *r);
    l->session_count = 0;
    for (unsigned i = 0; i < l->o.connections && (!most || begun < most); i++, begun++, busy++) {
        conn_look(&l->conns[i]);
        conn_begin(l, &l->conns[i], now_ns());
    }
    while (busy) {
        int count = epoll_wait(l->epoll_fd, events, EVENTS, SILENCE_MS);

        if (count <= 0 && errno != EINTR) {
            bench_fail("%s: no answer for %d s", l->o.name, SILENCE_MS / 1000);
        }
        for (int i = 0; i < count; i++) {
            struct conn *c = events[i].data.ptr;

            if (!c->since) {
                continue; /* Idle: what a kept connection's peer does is nothing to us now. */
            }
            if (c->sent < c->out.len) {
                conn_push(l, c);
            }
            if (!(events[i].events & ~(unsigned)EPOLLOUT) || !conn_pull(l, c)) {
                continue;
            }
            now = now_ns();
            histogram_add(&r->latency, now - c->since);
            r->requests++;
            c->since = 0;
            if (c->closing || l->o.reconnect) {
                conn_close(c);
            }
            if (now - begin < ns && (!most || begun < most)) {
                conn_begin(l, c, now);
                begun++;
            } else {
                busy--;
            }
        }
    }
    r->ns = now - begin;
}

struct load *
load_open(const struct load_options *options)
{
    struct load *l = xcalloc(1, sizeof *l);
    struct load_result *first = xcalloc(1, sizeof *first);

    l->o = *options;
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->conns = xcalloc(l->o.connections, sizeof *l->conns);
    l->id_at = l->o.requests[0].id_at;
    l->also_at = l->o.requests[0].also_at;
    for (unsigned i = 0; i < l->o.connections; i++) {
        const struct load_request *r = &l->o.requests[l->o.request_count == 1 ? 0 : i];

        if (r->id_at != l->id_at) {
            bench_fail("%s: requests that differ", l->o.name);
        }
        buf_add(&l->conns[i].out, r->bytes.data, r->bytes.len);
        l->conns[i].fd = -1;
    }
    load_run(l, 0, l->o.connections, first);
    free(first);
    return l;
}

void
load_close(struct load *l)
{
    for (unsigned i = 0; l && i < l->o.connections; i++) {
        conn_close(&l->conns[i]);
        buf_fini(&l->conns[i].out);
        buf_fini(&l->conns[i].in);
    }
    if (l) {
        close(l->epoll_fd);
        free(l->conns);
        free(l->sessions);
    }
    free(l);
}

void
load_request_fini(struct load_request *r)
{
    buf_fini(&r->bytes);
}

struct slice
load_first_body(const struct load *l)
{
    const struct conn *c = &l->conns[0];

    return (struct slice){c->in.data + c->head_len, c->in.len - c->head_len};
}

const char *
load_sessions(struct load *l, size_t *count)
{
    *count = l->session_count;
    return l->sessions;
}
