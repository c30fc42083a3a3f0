/* http_transport.c -- the HTTP thread: one loop that accepts, serves, times out and ends.
 *
 * Connections are plain non-blocking sockets under uv_poll, so that a socket can change hands later
 * and a small answer leaves in one system call.  One timer looks at all of them about once a
 * second, and only while there are any: an idle server sleeps.  Workers reach the loop through a
 * queue and uv_async_send(), nothing else. */
#include "transports/http_private.h"

#include "state/base/log.h"
#include "state/base/thread.h"
#include "transports/ws_channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

LOG_MODULE("http");

#define TICK_MS 1000 /* At most; a quarter of the shortest time that is limited. */
#define DRAIN_TICK_MS 10
#define ACCEPT_AT_ONCE 32

struct transport {
    struct http_server server;
};

void
http_server_unref(struct http_server *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
        lock_fini(&s->lock);
        http_auth_destroy(s->auth);
        buf_fini(&s->room);
        free(s); /* The transport begins with it. */
    }
}

/* Queues 'a' for the loop.  False once that has ended: 'a' is still the caller's. */
static bool
enqueue(struct http_server *s, struct answer *a)
{
    bool closed;

    a->next = NULL;
    LOCK(OUTBOX, &s->lock);
    closed = s->closed;
    if (!closed) {
        *s->answers_last = a;
        s->answers_last = &a->next;
        uv_async_send(&s->wake); /* Under the lock: the loop closes 'wake' only after 'closed'. */
    }
    UNLOCK(OUTBOX, &s->lock);
    return !closed;
}

/* Keeps an id: ours, and always short. */
static void
keep_text(char out[64], struct slice text)
{
    assert(text.len < 64);
    if (text.len) {
        memcpy(out, text.data, text.len);
    }
    out[text.len] = '\0';
}

bool
http_server_post_event(struct http_server *s, struct connection *c, const struct event *event)
{
    struct answer *a = try_malloc(sizeof *a + event->body.len);

    if (!a) {
        return false;
    }
    *a = (struct answer){
        .connection = c, .event = true, .len = event->body.len, .retry_ms = event->retry_ms};
    keep_text(a->event_id, event->id);
    if (a->len) {
        memcpy(a->body, event->body.data, a->len);
    }
    if (!enqueue(s, a)) {
        free(a);
        connection_unref(c);
    }
    return true;
}

void
http_server_post(struct http_server *s, struct connection *c, const struct reply *reply)
{
    struct answer *a = try_malloc(sizeof *a + reply->body.len);

    if (!a) {
        a = xcalloc(1, sizeof *a);
        a->lost = true;
    } else {
        a->lost = false;
        a->status = reply->status;
        a->len = reply->body.len;
        if (a->len) {
            memcpy(a->body, reply->body.data, a->len);
        }
    }
    a->event = a->recheck = false;
    a->connection = c;
    a->retry_after = reply->retry_after;
    keep_text(a->session_id, reply->session_id);
    keep_text(a->event_id, reply->event_id);
    keep_text(a->scope, reply->scope);
    if (!enqueue(s, a)) {
        free(a);
        connection_unref(c);
    }
}

void
http_server_post_recheck(struct http_server *s, struct connection *c)
{
    struct answer *a = xcalloc(1, sizeof *a);

    a->connection = c;
    a->recheck = true;
    if (!enqueue(s, a)) {
        free(a);
        connection_unref(c);
    }
}

void
http_server_wake(struct connection *c)
{
    struct http_server *s = c->server;
    struct connection *first;

    if (atomic_exchange(&c->woken, true)) {
        return; /* Whoever put it into the list wakes the loop. */
    }
    connection_ref(c);
    first = atomic_load(&s->woken);
    do {
        c->next_woken = first;
    } while (!atomic_compare_exchange_weak(&s->woken, &first, c));
    if (!first) { /* Else, whoever began it. */
        uv_async_send(&s->wake);
    }
}

static struct answer *
take_answers(struct http_server *s)
{
    struct answer *first;

    LOCK(OUTBOX, &s->lock);
    first = s->answers;
    s->answers = NULL;
    s->answers_last = &s->answers;
    UNLOCK(OUTBOX, &s->lock);
    return first;
}

static void
deliver(struct http_server *s)
{
    struct answer *next;

    for (struct answer *a = take_answers(s); a; a = next) {
        struct reply reply = {
            .body = {a->body, a->len},
            .status = a->status,
            .session_id = slice_of(a->session_id),
            .retry_after = a->retry_after,
            .event_id = slice_of(a->event_id),
            .scope = slice_of(a->scope),
        };
        next = a->next;
        if (a->recheck) {
            connection_recheck(a->connection);
        } else if (a->lost) {
            connection_answer_lost(a->connection);
        } else if (a->event) {
            connection_take_event(
                a->connection,
                &(struct event){.body = reply.body, .id = reply.event_id, .retry_ms = a->retry_ms});
        } else {
            connection_take_answer(a->connection, &reply);
        }
        connection_unref(a->connection);
        free(a);
    }
}

/* Sees to the connections that have been woken. */
static void
wake_connections(struct http_server *s)
{
    struct connection *next;

    for (struct connection *c = atomic_exchange(&s->woken, NULL); c; c = next) {
        next = c->next_woken;
        atomic_store(&c->woken, false);
        if (c->feed) {
            http_feed_go_on(c);
        } else {
            websocket_woken(c);
        }
        connection_unref(c);
    }
}

/* Whether anybody waits for an answer, or for the rest of one. */
static bool
work_left(const struct http_server *s)
{
    for (const struct connection *c = s->first; c; c = c->next) {
        if (c->state == CHECKING || c->state == HANDLING || c->state == WRITING ||
            c->state == LINES || c->state == WEBSOCKET) {
            return true;
        }
    }
    return false;
}

/* Ends the loop once nothing is left to do, or the time for it is up. */
static void
try_to_end(struct http_server *s)
{
    bool late = clock_mono(s->context.clock) >= atomic_load(&s->stop_deadline_ns);

    if (!s->draining || s->ended || (!late && work_left(s))) {
        return;
    }
    while (s->first) {
        connection_give_up(s->first);
    }
    s->ended = true;
    LOCK(OUTBOX, &s->lock);
    s->closed = true;
    UNLOCK(OUTBOX, &s->lock);
    deliver(s);
    wake_connections(s);
    ws_library_stop(s->websockets);
    uv_close((uv_handle_t *)&s->tick, NULL);
    uv_close((uv_handle_t *)&s->turn_end, NULL);
    uv_close((uv_handle_t *)&s->wake, NULL);
}

static void on_tick(uv_timer_t *tick);

static void
start_tick(struct http_server *s)
{
    if (!uv_is_active((uv_handle_t *)&s->tick)) {
        uv_timer_start(&s->tick, on_tick, s->tick_ms, s->tick_ms);
    }
}

static void
close_listeners(struct http_server *s)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        uv_close((uv_handle_t *)&s->listeners[i].poll, NULL);
    }
}

static void
begin_drain(struct http_server *s)
{
    struct connection *next;

    s->draining = true;
    close_listeners(s);
    for (size_t i = 0; i < s->listener_count; i++) {
        close(s->listeners[i].fd); /* Now: who comes is refused at once, not left in the queue. */
    }
    for (struct connection *c = s->first; c; c = next) {
        next = c->next;
        connection_drain(c);
    }
    uv_timer_start(&s->tick, on_tick, DRAIN_TICK_MS, DRAIN_TICK_MS); /* To see the deadline. */
}

static void
on_tick(uv_timer_t *tick)
{
    struct http_server *s = tick->data;
    struct connection *next;

    s->now_ns = clock_mono(s->context.clock);
    for (struct connection *c = s->first; c; c = next) {
        next = c->next;
        connection_check_time(c, s->now_ns);
    }
    http_server_accept_again(s);
    if (!s->first && s->accepting) {
        uv_timer_stop(tick);
    }
    try_to_end(s);
}

static void
on_wake(uv_async_t *wake)
{
    struct http_server *s = wake->data;

    atomic_store(&s->asked, false);
    busy_poll_came(&s->busy_poll, NULL);
    s->now_ns = clock_mono(s->context.clock);
    deliver(s);
    http_lines_woken(s);
    wake_connections(s);
    if (atomic_load(&s->stopping) && !s->draining) {
        begin_drain(s);
    }
    try_to_end(s);
}

static void
pause_accepting(struct http_server *s)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        uv_poll_stop(&s->listeners[i].poll);
    }
    s->accepting = false;
}

/* Tells a peer that there is no room for it, as far as that goes without waiting. */
static void
turn_away(struct http_server *s, int fd)
{
    static const char sorry[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                                "Retry-After: 1\r\nConnection: close\r\n\r\n";

    traffic_add(s->context.traffic, refused, 1);
    send(fd, sorry, sizeof sorry - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    close(fd);
}

/* Descriptors have run out: gives the spare one up to tell one peer so, then lets the others wait
 * for a moment, or until a connection closes. */
static void
refuse_for_want(struct http_server *s, int listen_fd)
{
    int fd;

    if (s->spare_fd >= 0) {
        close(s->spare_fd);
    }
    fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        turn_away(s, fd);
    }
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pause_accepting(s);
    start_tick(s);
    log_warn_rl("a connection was refused: no descriptors left",
                F_UINT("connections", s->connections));
}

/* False if there is no room for it. */
static bool
admit_connection(struct http_server *s, int fd)
{
    int on = 1;

    if (http_asks_token(s) && s->unchecked >= s->context.settings->limits_unchecked) {
        turn_away(s, fd);
        log_warn_rl("a connection was refused: too many have shown no token",
                    F_UINT("unchecked", s->unchecked));
        return false;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
               sizeof on); /* Fails on a Unix socket: no matter. */
    if (connection_open(s, fd)) {
        start_tick(s);
    }
    return true;
}

/* Takes those who want to connect, until there is no room for one: who came after it may have seen
 * others leave, which is for the next turn to find out. */
static void
accept_some(struct http_server *s, int listen_fd)
{
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        int fd;

        if (s->connections >= s->context.settings->limits_connections) {
            pause_accepting(s); /* Until one closes. */
            return;
        }
        fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            if (!admit_connection(s, fd)) {
                return;
            }
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            refuse_for_want(s, listen_fd); /* EMFILE, ENFILE, ENOBUFS, ENOMEM. */
            return;
        }
    }
}

static void
on_listen(uv_poll_t *poll, int status, int events)
{
    struct http_server *s = poll->data;

    (void)events;
    if (status < 0) {
        log_error("the listening socket is broken", F_STR("why", uv_strerror(status)));
        pause_accepting(s);
        return;
    }
    ((struct http_listener *)poll)->ready = true;
}

/* New connections come last: those that have just left have made room for them. */
static void
on_turn_end(uv_check_t *check)
{
    struct http_server *s = check->data;

    connections_end_turn(s);
    for (size_t i = 0; i < s->listener_count; i++) {
        struct http_listener *l = &s->listeners[i];

        if (l->ready && s->accepting && !s->draining) {
            s->now_ns = clock_mono(s->context.clock);
            accept_some(s, l->fd);
        }
        l->ready = false;
    }
}

void
http_server_accept_again(struct http_server *s)
{
    if (!s->accepting && !s->draining && s->connections < s->context.settings->limits_connections) {
        s->accepting = true;
        for (size_t i = 0; i < s->listener_count; i++) {
            uv_poll_start(&s->listeners[i].poll, UV_READABLE, on_listen);
        }
    }
}

static void *
serve(void *arg)
{
    struct http_server *s = arg;

    s->self = pthread_self();
    busy_poll_run(&s->busy_poll, &s->loop);
    ws_library_destroy(s->websockets);
    return NULL;
}

static unsigned
bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    return address.ss_family == AF_INET    ? ntohs(((struct sockaddr_in *)&address)->sin_port)
           : address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                           : 0;
}

/* The loop never ran, or has run out. */
static void
close_loop(struct http_server *s)
{
    int busy = uv_loop_close(&s->loop);

    assert(busy == 0);
    (void)busy;
}

/* Closes what a loop that never ran has beside the listeners, which are closed. */
static void
unmake_loop(struct http_server *s)
{
    uv_close((uv_handle_t *)&s->tick, NULL);
    uv_close((uv_handle_t *)&s->turn_end, NULL);
    uv_close((uv_handle_t *)&s->wake, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    close_loop(s);
}

/* False if one cannot be polled; those before it are. */
static bool
open_listeners(struct http_server *s)
{
    const struct transport_context *context = &s->context;

    assert(context->more_count < TRANSPORT_SOCKETS_MAX);
    for (s->listener_count = 0; s->listener_count <= context->more_count; s->listener_count++) {
        struct http_listener *l = &s->listeners[s->listener_count];

        l->fd = s->listener_count ? context->more_fds[s->listener_count - 1] : context->listen_fd;
        l->port = bound_port(l->fd);
        if (uv_poll_init(&s->loop, &l->poll, l->fd) != 0) {
            return false;
        }
        l->poll.data = s;
    }
    return true;
}

/* Makes loop and handles.  False if that fails, with nothing left. */
static bool
make_loop(struct http_server *s)
{
    if (uv_loop_init(&s->loop) != 0) {
        return false;
    }
    busy_poll_init(&s->busy_poll);
    s->wake.data = s->tick.data = s->turn_end.data = s;
    if (uv_async_init(&s->loop, &s->wake, on_wake) != 0) {
        uv_loop_close(&s->loop);
        return false;
    }
    uv_timer_init(&s->loop, &s->tick);
    uv_check_init(&s->loop, &s->turn_end);
    uv_check_start(&s->turn_end, on_turn_end);
    if (!open_listeners(s)) {
        close_listeners(s);
        unmake_loop(s);
        return false;
    }
    http_server_accept_again(s);
    return true;
}

/* Often enough that no limit is missed by much. */
static unsigned
tick_ms(const struct settings *settings)
{
    const int64_t limits[] = {settings->limits_head_time, settings->limits_body_idle,
                              settings->limits_body_time, settings->limits_keep_alive};
    int64_t ms = TICK_MS;

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        ms = limits[i] / 4000000 < ms ? limits[i] / 4000000 : ms;
    }
    return ms > DRAIN_TICK_MS ? (unsigned)ms : DRAIN_TICK_MS;
}

static UNSHARED enum err
http_start(const struct transport_context *context, struct transport **transport, struct fault *f)
{
    struct transport *t = xcalloc(1, sizeof *t);
    struct http_server *s = &t->server;
    const struct settings *settings = context->settings;

    s->context = *context;
    s->parser_limits = (struct http_limits){
        .line = settings->limits_request_line,
        .headers = settings->limits_headers,
        .count = settings->limits_header_count,
        .body = settings->limits_message,
    };
    s->auth = http_auth_create(context);
    s->tick_ms = tick_ms(settings);
    s->date_until_ns = s->now_ns = clock_mono(context->clock);
    s->answers_last = &s->answers;
    atomic_init(&s->refs, 1);
    atomic_init(&s->stop_deadline_ns, INT64_MAX);
    lock_init(&s->lock, RANK_OUTBOX);
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!make_loop(s)) {
        goto failed;
    }
    if (thread_start(&s->thread, "tandem-http", serve, s) != 0) {
        close_listeners(s);
        unmake_loop(s);
        goto failed;
    }
    *transport = t;
    return E_OK;
failed:
    *transport = NULL;
    if (s->spare_fd >= 0) {
        close(s->spare_fd);
    }
    http_server_unref(s);
    return fault_set(f, E_IO, "the HTTP thread could not be started");
}

static bool
http_beats(struct transport *transport)
{
    struct http_server *s = &transport->server;

    if (atomic_exchange(&s->asked, true)) {
        return false;
    }
    uv_async_send(&s->wake);
    return true;
}

static void
http_stop(struct transport *transport, int64_t deadline_ns)
{
    struct http_server *s = &transport->server;

    atomic_store(&s->stop_deadline_ns, deadline_ns);
    atomic_store(&s->stopping, true);
    uv_async_send(&s->wake);
    pthread_join(s->thread, NULL);
    close_loop(s);
    if (s->spare_fd >= 0) {
        close(s->spare_fd);
    }
    http_server_unref(s);
}

const struct transport_class http_transport = {"http", http_start, http_beats, http_stop};
