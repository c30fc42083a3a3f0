/* bridge.c -- one poll() over the client's two ends, the server's connection, and signals.
 *
 * DESIGN.  Only whole lines go either way, so a server that dies in the middle of one leaves no
 * half of it behind.  What cannot be written waits here; a client that does not read holds up the
 * server's lines once limits.stdout bytes wait, and a server that does not read holds up the
 * client's.
 *
 * Once the client's input has ended, or a signal came, no more is taken from it; the server is told
 * by closing that half of the connection, answers what it has, and closes the other. */
#include "transports/bridge.h"

#include "state/base/log.h"
#include "state/base/mem.h"
#include "state/settings.h"
#include "transports/bridge_ledger.h"
#include "transports/descriptor.h"
#include "transports/framing.h"
#include "transports/lines.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

LOG_MODULE("bridge");

#define MS INT64_C(1000000)
#define READ_BYTES ((size_t)16 * 1024)
#define UP_MAX ((size_t)256 * 1024)        /* Lines of the client that wait for the server. */
#define KEEP_MAX ((size_t)4 * 1024 * 1024) /* Requests that are kept to be made again. */
#define ANSWER_MAX ((size_t)64 * 1024 * 1024)
#define ROOM_KEPT                                                                     \
    ((size_t)32 * 1024)   /* A buffer that was larger is given back when it is empty. \
                           */
#define END_MS 1500       /* For what is in flight when the client has gone, */
#define LAST_WORDS_MS 300 /* and for telling it that there will be no answer. */

/* Bytes on their way to a descriptor. */
struct stream {
    struct buf buf;
    size_t sent;
};

struct bridge {
    const struct settings *settings;
    struct descriptor in, out;
    int signal_fd, link_fd;
    struct ledger ledger;
    struct framing said, heard; /* Lines of the client's; of the server's. */
    struct stream up, down;
    struct ledger_estate left;      /* Once it has been handed over, */
    struct transport_estate estate; /* and that with what is half said. */
    unsigned servers;               /* So far. */
    bool signalled;
    bool input_over;     /* The client says no more, or is not listened to any more. */
    bool output_over;    /* It reads no more. */
    bool shut;           /* The server knows that 'input_over'. */
    int64_t deadline_ns; /* Once 'input_over'. */
    char scratch[READ_BYTES];
};

static size_t
waiting(const struct stream *s)
{
    return s->buf.len - s->sent;
}

/* 'n' more bytes are out. */
static void
count_sent(struct stream *s, size_t n)
{
    s->sent += n;
    if (s->sent == s->buf.len) {
        s->sent = 0;
        buf_reset(&s->buf);
        if (s->buf.size > ROOM_KEPT) {
            buf_fini(&s->buf);
            malloc_trim(0);
        }
    } else if (s->sent > s->buf.len / 2) {
        memmove(s->buf.data, s->buf.data + s->sent, waiting(s));
        s->buf.len -= s->sent;
        s->sent = 0;
    }
}

static int64_t
now_ns(void)
{
    return clock_mono(clock_real());
}

static void
end_input(struct bridge *b, const char *why)
{
    if (!b->input_over) {
        b->input_over = true;
        b->deadline_ns = now_ns() + END_MS * MS;
        log_info("ending", F_STR("reason", why));
    }
}

/* ---- The client ---- */

static void
lose_client(struct bridge *b, const char *why)
{
    if (!b->output_over) {
        b->output_over = true;
        count_sent(&b->down, waiting(&b->down));
        log_warn("peer lost", F_STR("why", why));
        end_input(b, "nobody reads");
    }
}

static void
write_down(struct bridge *b)
{
    while (!b->output_over && waiting(&b->down)) {
        const struct iovec part = {b->down.buf.data + b->down.sent, waiting(&b->down)};
        ssize_t n = descriptor_writev(&b->out, &part, 1);

        if (n >= 0) {
            count_sent(&b->down, (size_t)n);
        } else if (errno == EAGAIN) {
            return;
        } else {
            lose_client(b, strerror(errno));
        }
    }
}

static void
refuse_long_line(struct bridge *b)
{
    lines_write_too_long(&b->down.buf, b->said.max_line);
    buf_addc(&b->down.buf, '\n');
}

static void
take_said(struct bridge *b, enum framing_event event, struct slice line)
{
    if (event == FRAMING_LINE) {
        ledger_say(&b->ledger, line, &b->up.buf);
    } else if (event == FRAMING_TOO_LONG) {
        refuse_long_line(b);
    }
}

static void
read_client(struct bridge *b)
{
    ssize_t n = descriptor_read(&b->in, b->scratch, sizeof b->scratch);
    enum framing_event event = FRAMING_LINE;
    struct slice line;

    if (n > 0) {
        framing_feed(&b->said, (struct slice){b->scratch, (size_t)n});
        while (event != FRAMING_MORE) {
            event = framing_next(&b->said, &line);
            take_said(b, event, line);
        }
    } else if (n == 0 || errno != EAGAIN) {
        event = framing_end(&b->said, &line);
        take_said(b, event, line);
        end_input(b, "end of input");
    }
}

/* ---- The server ---- */

/* False: it has gone. */
static bool
write_up(struct bridge *b)
{
    while (waiting(&b->up)) {
        ssize_t n = send(b->link_fd, b->up.buf.data + b->up.sent, waiting(&b->up),
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        count_sent(&b->up, (size_t)n);
    }
    if (b->input_over && !b->shut) {
        b->shut = true;
        return shutdown(b->link_fd, SHUT_WR) == 0;
    }
    return true;
}

/* False: it has gone. */
static bool
read_server(struct bridge *b)
{
    ssize_t n = recv(b->link_fd, b->scratch, sizeof b->scratch, MSG_DONTWAIT);
    enum framing_event event = FRAMING_LINE;
    struct slice line;

    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    framing_feed(&b->heard, (struct slice){b->scratch, (size_t)n});
    while (event != FRAMING_MORE) {
        event = framing_next(&b->heard, &line);
        if (event == FRAMING_LINE && ledger_hear(&b->ledger, line) && !b->output_over) {
            buf_add_slice(&b->down.buf, line);
            buf_addc(&b->down.buf, '\n');
        } else if (event == FRAMING_TOO_LONG) {
            return false; /* No server of ours says so much in one line. */
        }
    }
    return true;
}

/* The server is gone, with whatever was half said. */
static void
part(struct bridge *b)
{
    if (b->link_fd < 0) {
        return;
    }
    close(b->link_fd);
    b->link_fd = -1;
    b->shut = false;
    count_sent(&b->up, waiting(&b->up));
    framing_fini(&b->heard);
    framing_init(&b->heard, ANSWER_MAX);
    ledger_lose(&b->ledger, &b->down.buf);
}

/* ---- The loop ---- */

enum { IN, OUT, LINK, SIGNAL, WATCHED };

static void
choose(const struct bridge *b, struct pollfd fds[WATCHED])
{
    bool client_waits = waiting(&b->down) > b->settings->limits_stdout;
    bool listen = !b->input_over && waiting(&b->up) < UP_MAX && !client_waits;
    short link = (short)((client_waits ? 0 : POLLIN) |
                         (waiting(&b->up) || (b->input_over && !b->shut) ? POLLOUT : 0));

    fds[IN] = (struct pollfd){.fd = listen ? b->in.fd : -1, .events = POLLIN};
    fds[OUT] = (struct pollfd){.fd = waiting(&b->down) ? b->out.fd : -1, .events = POLLOUT};
    fds[LINK] = (struct pollfd){.fd = link ? b->link_fd : -1, .events = link};
    fds[SIGNAL] = (struct pollfd){.fd = b->input_over ? -1 : b->signal_fd, .events = POLLIN};
}

/* Waits for whatever comes next, at most until 'until_ns'. */
static void
wait_once(struct bridge *b, int64_t until_ns, struct pollfd fds[WATCHED])
{
    int64_t left = until_ns - now_ns();
    int ms = until_ns == INT64_MAX ? -1 : left <= 0 ? 0 : (int)(left / MS) + 1;

    choose(b, fds);
    if (poll(fds, WATCHED, ms) <= 0) {
        for (int i = 0; i < WATCHED; i++) {
            fds[i].revents = 0;
        }
    }
}

/* Nothing is left to be done for the client.  While there is a server it is for that to say so. */
static bool
is_over(const struct bridge *b)
{
    return b->output_over || (b->input_over && b->link_fd < 0 && !waiting(&b->down) &&
                              (!b->ledger.first || b->signalled));
}

/* What found no memory would be a line that nobody gets, and an answer that its client waits for.
 */
static void
check_memory(const struct bridge *b)
{
    if (b->up.buf.failed || b->down.buf.failed) {
        out_of_memory();
    }
}

/* Deals with what poll() has found.  False: the server has gone. */
static bool
serve_ready(struct bridge *b, const struct pollfd fds[WATCHED])
{
    bool there = true;

    if (fds[SIGNAL].revents) {
        b->signalled = true;
        end_input(b, "signal");
    }
    if (fds[IN].revents) {
        read_client(b);
    }
    if (fds[LINK].revents & (POLLIN | POLLHUP | POLLERR)) {
        there = read_server(b);
    }
    if (there && b->link_fd >= 0) {
        check_memory(b);
        there = write_up(b);
    }
    check_memory(b);
    write_down(b);
    return there;
}

enum bridge_end
bridge_run(struct bridge *b, int link_fd, int patience_ms)
{
    int64_t end_ns = link_fd < 0 ? now_ns() + patience_ms * MS : INT64_MAX;
    struct pollfd fds[WATCHED];

    b->link_fd = link_fd;
    if (link_fd >= 0) {
        b->servers++;
        count_sent(&b->up, waiting(&b->up)); /* The ledger has it all. */
        ledger_resume(&b->ledger, &b->up.buf, &b->down.buf);
    }
    while (!is_over(b)) {
        if (b->input_over && now_ns() >= b->deadline_ns) {
            return BRIDGE_OVER;
        }
        if (now_ns() >= end_ns) {
            return BRIDGE_PARTED;
        }
        wait_once(b, b->input_over && b->deadline_ns < end_ns ? b->deadline_ns : end_ns, fds);
        if (!serve_ready(b, fds)) {
            bool said_all = b->shut; /* And so has the server, then. */

            part(b);
            check_memory(b);
            write_down(b);
            return said_all || is_over(b) ? BRIDGE_OVER : BRIDGE_PARTED;
        }
    }
    return BRIDGE_OVER;
}

unsigned
bridge_servers(const struct bridge *b)
{
    return b->servers;
}

void
bridge_give_up(struct bridge *b)
{
    int64_t until_ns = now_ns() + LAST_WORDS_MS * MS;

    part(b);
    ledger_give_up(&b->ledger, &b->down.buf);
    end_input(b, "given up");
    for (write_down(b); waiting(&b->down) && now_ns() < until_ns; write_down(b)) {
        struct pollfd fds[WATCHED];

        wait_once(b, until_ns, fds);
    }
}

/* ---- Beginning and end ---- */

enum err
bridge_open(const struct bridge_options *options, struct bridge **bridge, struct fault *f)
{
    const struct settings *settings = options->settings;
    const struct ledger_options ledger = {
        .json = {.depth = settings->limits_json_depth, .values = settings->limits_json_values},
        .keep = KEEP_MAX,
        .repeatable = options->repeatable,
    };
    struct bridge *b = xcalloc(1, sizeof *b);
    enum err err;

    b->settings = settings;
    b->signal_fd = options->signal_fd;
    b->link_fd = -1;
    b->in = b->out = (struct descriptor)DESCRIPTOR_NONE;
    ledger_init(&b->ledger, &ledger);
    framing_init(&b->said, settings->limits_message);
    framing_init(&b->heard, ANSWER_MAX);
    err = descriptor_open(&b->in, options->in_fd, DESCRIPTOR_IN, f);
    err = err ? err : descriptor_open(&b->out, options->out_fd, DESCRIPTOR_OUT, f);
    if (err) {
        bridge_close(b);
        b = NULL;
    }
    *bridge = b;
    return err;
}

void
bridge_close(struct bridge *b)
{
    if (b) {
        part(b);
        descriptor_close(&b->in);
        descriptor_close(&b->out);
        ledger_fini(&b->ledger);
        framing_fini(&b->said);
        framing_fini(&b->heard);
        buf_fini(&b->up.buf);
        buf_fini(&b->down.buf);
        buf_fini(&b->left.session);
        buf_fini(&b->left.listens);
        buf_fini(&b->left.lines);
        free(b);
    }
}

const struct transport_estate *
bridge_hand_over(struct bridge *b)
{
    ledger_hand_over(&b->ledger, &b->left, &b->down.buf);
    buf_add_slice(&b->left.lines, buf_slice(&b->said.partial)); /* What is not a line yet. */
    b->estate = (struct transport_estate){
        .out = {b->down.buf.data + b->down.sent, waiting(&b->down)},
        .session = buf_slice(&b->left.session),
        .listens = buf_slice(&b->left.listens),
        .lines = buf_slice(&b->left.lines),
        .asks_from = b->servers * BRIDGE_ASKS_EACH,
    };
    return &b->estate;
}
