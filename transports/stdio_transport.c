/* stdio_transport.c -- lines on standard input, answers on standard output.
 *
 * One thread, one loop: reads what is there, hands each line to dispatch, writes what the outbox
 * holds.  Answers come from any thread in any order; only this thread writes, whole lines after
 * each other.  What a line means is dispatch's business.
 *
 * DESIGN.  libuv would make the inherited descriptors non-blocking, for everyone who shares them,
 * so it is given an epoll descriptor of ours instead, which watches both.  A descriptor that is not
 * wanted is taken out, since epoll reports a hang-up whether it is asked to or not.
 *
 * An input of our own (DESCRIPTOR_OWN), which is what every client gives, libuv watches itself: one
 * call of epoll_wait() a message, not two, and one wake-up in the client's write, not two, are 1 us
 * of the 7.5 that a ping-pong of client and server costs both.
 *
 * A peer that asks and does not read: once limits.stdout bytes wait, lines are no longer taken, not
 * even those that have been read; what is in flight then is bounded by dispatch.  It goes on when
 * half of that is gone. */
#include "transports/transport.h"

#include "state/base/log.h"
#include "state/base/thread.h"
#include "transports/busy_poll.h"
#include "transports/descriptor.h"
#include "transports/lines.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#define READ_BYTES (256 * 1024)
#define MAGIC 0x7374696fu

LOG_MODULE("stdio");

struct transport {
    unsigned magic;
    struct transport_context context;
    struct lines lines;
    pthread_t thread;
    _Atomic int64_t stop_ns; /* The deadline of stop(); 0 before it is called. */
    _Atomic bool asked;      /* For a sign of life, and has not given it yet. */
    uv_async_t wake;         /* The one handle that other threads touch. */

    /* The rest belongs to the thread, once it runs. */
    uv_loop_t loop;
    uv_poll_t direct; /* On 'in', if that is of kind OWN. */
    uv_poll_t poll;   /* On 'epoll'. */
    uv_idle_t pump;   /* Reads input that is always ready. */
    struct busy_poll busy_poll;
    uv_timer_t patience; /* Runs out when stop() may wait no longer. */
    int epoll;
    struct descriptor in, out;
    bool in_watched;  /* 'direct' or 'pump' runs, or it is in 'epoll'. */
    bool out_watched; /* In 'epoll'. */
    bool input_over;  /* End of input, or stop(). */
    bool stopping;    /* stop() has been seen. */
    bool ending;      /* All handles are closing. */
    bool told_ended;
    char scratch[READ_BYTES];
};

/* Takes 'd' into the loop's care, or out of it. */
static void
watch(struct transport *t, const struct descriptor *d, uint32_t events, bool *watched, bool want)
{
    struct epoll_event event = {.events = events, .data.ptr = watched};
    int failed = 0;

    if (*watched != want && d->kind != DESCRIPTOR_FILE) {
        failed = epoll_ctl(t->epoll, want ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, d->fd, &event);
    }
    assert(failed == 0);
    *watched = want;
}

static void input_ready(uv_poll_t *direct, int status, int events);
static void pump_input(uv_idle_t *pump);

static void
watch_input(struct transport *t, bool want)
{
    if (t->in.kind != DESCRIPTOR_OWN) {
        watch(t, &t->in, EPOLLIN, &t->in_watched, want);
    }
    t->in_watched = want;
    if (t->ending) {
        return; /* The handles close. */
    }
    if (t->in.kind == DESCRIPTOR_OWN && want) {
        uv_poll_start(&t->direct, UV_READABLE, input_ready);
    } else if (t->in.kind == DESCRIPTOR_OWN) {
        uv_poll_stop(&t->direct);
    } else if (t->in.kind == DESCRIPTOR_FILE && want) {
        uv_idle_start(&t->pump, pump_input);
    } else if (t->in.kind == DESCRIPTOR_FILE) {
        uv_idle_stop(&t->pump);
    }
}

static void
tell_ended(struct transport *t)
{
    if (!t->told_ended && t->context.ended) {
        t->told_ended = true;
        t->context.ended(t->context.ended_arg);
    }
}

/* Input is over: its end has come, or stop() has. */
static void
end_input(struct transport *t)
{
    if (!t->input_over) {
        t->input_over = true;
        watch_input(t, false);
    }
}

/* The peer reads no more, or cannot be told what it waits for. */
static void
lose_peer(struct transport *t, const char *why)
{
    if (!t->lines.lost) {
        log_warn("peer lost", F_STR("why", why));
        watch(t, &t->out, EPOLLOUT, &t->out_watched, false);
        end_input(t);
        lines_lose(&t->lines);
        tell_ended(t);
    }
}

/* Writes what the peer has room for. */
static void
flush(struct transport *t)
{
    enum lines_flushed flushed = t->lines.lost ? LINES_FLUSHED : lines_flush(&t->lines);

    if (flushed == LINES_BROKEN) {
        lose_peer(t, strerror(errno));
    } else if (!t->lines.lost) {
        watch(t, &t->out, EPOLLOUT, &t->out_watched, flushed == LINES_BLOCKED);
    }
}

static ssize_t
write_out(void *arg, const struct iovec *parts, int count)
{
    return descriptor_writev(&((struct transport *)arg)->out, parts, count);
}

static void
read_input(struct transport *t)
{
    ssize_t n = descriptor_read(&t->in, t->scratch, sizeof t->scratch);

    outbox_expect(t->lines.outbox);
    if (n > 0) {
        lines_feed(&t->lines, (struct slice){t->scratch, (size_t)n});
        if (!lines_take(&t->lines)) {
            watch_input(t, false);
        }
    } else if (n == 0 || errno != EAGAIN) { /* A terminal that hung up is an error to read. */
        log_info("end of input");
        end_input(t);
        lines_take_last(&t->lines);
        tell_ended(t);
    }
}

/* Goes on with what was left when output was full.  True if there may be new output. */
static bool
resume_input(struct transport *t)
{
    if (t->input_over || t->in_watched || !lines_may_resume(&t->lines)) {
        return false;
    }
    outbox_expect(t->lines.outbox);
    if (lines_take(&t->lines) && !t->input_over) {
        watch_input(t, true);
    }
    return true;
}

static void
ignore_close(uv_handle_t *handle)
{
    (void)handle;
}

static void
close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    uv_close(handle, ignore_close);
}

/* Gives up what is left, if anything is, and lets the loop run out. */
static void
end(struct transport *t)
{
    unsigned calls = peer_in_flight(t->lines.peer);
    size_t bytes = outbox_bytes(t->lines.outbox);

    t->ending = true;
    if (calls || bytes) {
        log_warn("given up", F_UINT("calls", calls), F_UINT("output_bytes", bytes));
        peer_gone(t->lines.peer);
    }
    outbox_close(t->lines.outbox);
    uv_walk(&t->loop, close_handle, NULL);
}

static void
patience_over(uv_timer_t *timer)
{
    struct transport *t = timer->data;

    assert(t->magic == MAGIC);
    end(t);
}

static void
begin_stop(struct transport *t, int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - clock_mono(t->context.clock);

    t->stopping = true;
    end_input(t);
    peer_wake_when_idle(t->lines.peer);
    uv_update_time(&t->loop);
    uv_timer_start(&t->patience, patience_over, left_ns > 0 ? (uint64_t)left_ns / 1000000 + 1 : 0,
                   0);
}

/* What every wake-up ends in. */
static void
go_on(struct transport *t)
{
    int64_t stop_ns = atomic_load(&t->stop_ns);

    busy_poll_came(&t->busy_poll, NULL);
    if (t->ending) {
        return;
    }
    if (peer_is_lost(t->lines.peer)) {
        lose_peer(t, "no memory for an answer");
    }
    if (stop_ns && !t->stopping) {
        begin_stop(t, stop_ns);
    }
    do {
        flush(t);
    } while (resume_input(t));
    /* The count first: an answer is in the outbox before its call is counted off. */
    if (stop_ns && peer_in_flight(t->lines.peer) == 0 &&
        (t->lines.lost || outbox_bytes(t->lines.outbox) == 0)) {
        end(t);
    }
}

static void
woken(uv_async_t *wake)
{
    struct transport *t = wake->data;

    assert(t->magic == MAGIC);
    atomic_store(&t->asked, false);
    go_on(t);
}

static void
pump_input(uv_idle_t *pump)
{
    struct transport *t = pump->data;

    assert(t->magic == MAGIC);
    read_input(t);
    go_on(t);
}

static void
input_ready(uv_poll_t *direct, int status, int events)
{
    struct transport *t = direct->data;

    (void)status;
    (void)events;
    assert(t->magic == MAGIC);
    read_input(t);
    go_on(t);
}

static void
descriptors_ready(uv_poll_t *poll, int status, int events)
{
    struct transport *t = poll->data;
    struct epoll_event ready[2];
    int count = epoll_wait(t->epoll, ready, 2, 0);

    (void)status;
    (void)events;
    assert(t->magic == MAGIC);
    for (int i = 0; i < count; i++) {
        if (ready[i].data.ptr == &t->in_watched && t->in_watched) {
            read_input(t);
        }
    }
    go_on(t);
}

/* Gives dispatch lines that another process has given to its own before. */
static void
dispatch_again(struct transport *t, struct slice lines, enum peer_known known)
{
    while (lines.len) {
        const char *lf = memchr(lines.data, '\n', lines.len);
        size_t len = lf ? (size_t)(lf - lines.data) : lines.len;

        peer_dispatch_again(t->lines.peer, (struct slice){lines.data, len}, known);
        lines.data += len + (lf != NULL);
        lines.len -= len + (lf != NULL);
    }
}

/* Goes on where another process has ended.  False if too much output waits for the client already.
 */
static bool
take_estate(struct transport *t)
{
    const struct transport_estate *estate = t->context.estate;
    struct bytes *out = estate->out.len ? bytes_new(estate->out.data, estate->out.len) : NULL;

    if (out) {
        outbox_add_owed(t->lines.outbox, out);
    } else if (estate->out.len) {
        lose_peer(t, "no memory for its answers");
    }
    dispatch_again(t, estate->session, PEER_KNOWS_ALL);
    dispatch_again(t, estate->listens, PEER_KNOWS_FIRST);
    lines_feed(&t->lines, estate->lines);
    return lines_take(&t->lines);
}

static void *
run(void *arg)
{
    struct transport *t = arg;

    if (!t->context.estate || (take_estate(t) && !t->input_over)) {
        watch_input(t, true);
    }
    busy_poll_run(&t->busy_poll, &t->loop);
    return NULL;
}

static void
wake_thread(void *arg)
{
    uv_async_send(&((struct transport *)arg)->wake);
}

/* Frees what the transport holds outside its loop. */
static void
free_transport(struct transport *t)
{
    descriptor_close(&t->in);
    descriptor_close(&t->out);
    if (t->epoll >= 0) {
        close(t->epoll);
    }
    lines_fini(&t->lines);
    free(t);
}

/* Makes the handles that can fail; what there is of them is in the loop. */
static int
init_handles(struct transport *t)
{
    int failed = uv_async_init(&t->loop, &t->wake, woken);

    failed = failed ? failed : uv_poll_init(&t->loop, &t->poll, t->epoll);
    if (!failed && t->in.kind == DESCRIPTOR_OWN) {
        failed = uv_poll_init(&t->loop, &t->direct, t->in.fd);
    }
    return failed;
}

/* Makes the loop and its handles; on failure none is left. */
static int
init_loop(struct transport *t)
{
    int failed = uv_loop_init(&t->loop);

    if (failed) {
        return failed;
    }
    failed = init_handles(t);
    if (failed) {
        uv_walk(&t->loop, close_handle, NULL);
        uv_run(&t->loop, UV_RUN_DEFAULT);
        uv_loop_close(&t->loop);
        return failed;
    }
    uv_idle_init(&t->loop, &t->pump);
    uv_timer_init(&t->loop, &t->patience);
    t->wake.data = t->poll.data = t->direct.data = t->pump.data = t->patience.data = t;
    uv_poll_start(&t->poll, UV_READABLE, descriptors_ready);
    return 0;
}

static void
close_loop(struct transport *t)
{
    int busy = uv_loop_close(&t->loop);

    assert(busy == 0);
    (void)busy;
}

static enum err
start(const struct transport_context *context, struct transport **transport, struct fault *f)
{
    struct transport *t = xcalloc(1, sizeof *t);
    const struct peer_options peer = {
        .asks_from = context->estate ? context->estate->asks_from : 0,
        .wake = wake_thread,
        .arg = t,
    };
    enum err err;
    int failed;

    *transport = NULL;
    t->magic = MAGIC;
    t->context = *context;
    t->in = t->out = (struct descriptor)DESCRIPTOR_NONE;
    lines_init(&t->lines, context, &peer, write_out);
    busy_poll_init(&t->busy_poll);
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    err = descriptor_open(&t->in, context->in_fd, DESCRIPTOR_IN, f);
    if (!err) {
        err = descriptor_open(&t->out, context->out_fd, DESCRIPTOR_OUT, f);
    }
    if (!err && (failed = t->epoll < 0 ? -errno : init_loop(t)) != 0) {
        err = fault_set(f, E_IO, "the stdio loop cannot be made: %s", uv_strerror(failed));
    }
    if (!err && (failed = thread_start(&t->thread, "tandem-stdio", run, t)) != 0) {
        err = fault_set(f, E_OVERLOAD, "the stdio thread cannot be started: %s", strerror(failed));
        end(t);
        uv_run(&t->loop, UV_RUN_DEFAULT);
        close_loop(t);
    }
    if (err) {
        free_transport(t);
        return err;
    }
    *transport = t;
    return E_OK;
}

static bool
beats(struct transport *t)
{
    assert(t->magic == MAGIC);
    if (atomic_exchange(&t->asked, true)) {
        return false;
    }
    uv_async_send(&t->wake);
    return true;
}

static void
stop(struct transport *t, int64_t deadline_ns)
{
    assert(t->magic == MAGIC);
    atomic_store(&t->stop_ns, deadline_ns > 0 ? deadline_ns : 1);
    uv_async_send(&t->wake);
    pthread_join(t->thread, NULL);
    close_loop(t);
    free_transport(t);
}

const struct transport_class stdio_transport = {.name = "stdio",
                                                .start = start,
                                                .beats = beats,
                                                .stop = stop};
