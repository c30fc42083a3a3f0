/* lines.c -- lines out, lines in. */
#include "tests/bench/lines.h"

#include "tests/bench/messages.h"
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <unistd.h>

#define LINES_ROOM (1u << 20) /* Bytes read at once, at most. */
#define SILENCE_MS 20000

struct lines {
    const char *name;
    int in, out;
    char *line; /* Owned: the request with its end of line. */
    size_t len, id_at;
    char *answer; /* Owned: the first one. */
    size_t answer_len;
    size_t answer_id_at; /* Where its id is; answer_len if it has none. */
    uint32_t id;
    struct buf send; /* Not yet written: from 'sent' on. */
    size_t sent;
    struct buf have; /* Read: no whole line, between runs nothing. */
};

/* Writes what the pipe takes.  True if that was anything. */
static bool
push(struct lines *l)
{
    ssize_t n;

    if (l->sent == l->send.len) {
        return false;
    }
    n = write(l->in, l->send.data + l->sent, l->send.len - l->sent);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        bench_fail("%s: a line could not be sent: %s", l->name, strerror(errno));
    }
    l->sent += n > 0 ? (size_t)n : 0;
    if (l->sent == l->send.len) {
        l->sent = l->send.len = 0;
    }
    return n > 0;
}

/* Reads what is there.  True if that was anything. */
static bool
pull(struct lines *l)
{
    ssize_t n;

    if (!buf_reserve(&l->have, LINES_ROOM)) {
        bench_fail("%s: an answer without end", l->name);
    }
    n = read(l->out, l->have.data + l->have.len, LINES_ROOM);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        bench_fail("%s: no answer: %s", l->name, n ? strerror(errno) : "it ended");
    }
    l->have.len += n > 0 ? (size_t)n : 0;
    return n > 0;
}

static void
wait_for(struct lines *l)
{
    struct pollfd fds[2] = {{.fd = l->out, .events = POLLIN}, {.fd = l->in, .events = POLLOUT}};

    if (poll(fds, l->sent < l->send.len ? 2 : 1, SILENCE_MS) == 0) {
        bench_fail("%s: no answer for %d s", l->name, SILENCE_MS / 1000);
    }
}

static void
add_line(struct lines *l)
{
    uint32_t id = ++l->id;

    for (size_t i = sizeof LOAD_ID - 1; i-- > 1 && l->id_at; id /= 10) {
        l->line[l->id_at + i] = (char)('0' + id % 10);
    }
    buf_add(&l->send, l->line, l->len);
}

static bool
answer_is_right(const struct lines *l, const char *line, size_t len)
{
    size_t behind = l->answer_id_at + sizeof LOAD_ID - 1;

    if (len != l->answer_len) {
        return false;
    }
    return behind > len ? memcmp(line, l->answer, len) == 0
                        : memcmp(line, l->answer, l->answer_id_at) == 0 &&
                              memcmp(line + behind, l->answer + behind, len - behind) == 0;
}

/* Takes the whole lines that have come, and returns how many of them answer. */
static unsigned
take_answers(struct lines *l)
{
    const char *at = l->have.data, *end = at + l->have.len;
    unsigned count = 0;

    for (;;) {
        const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        size_t len;

        if (!newline) {
            break;
        }
        len = (size_t)(newline + 1 - at);
        if (answer_is_right(l, at, len)) {
            count++;
        } else if (!memmem(at, len, "\"method\":\"notifications/", 24)) {
            bench_fail("%s: a bad answer: %.*s", l->name, len < 600 ? (int)len : 600, at);
        }
        at = newline + 1;
    }
    l->have.len = (size_t)(end - at);
    memmove(l->have.data, at, l->have.len);
    return count;
}

void
lines_run(struct lines *l, unsigned in_flight, int64_t ns, struct load_result *r)
{
    int64_t begin = now_ns(), now = begin, since = begin;
    unsigned flying = 0;

    memset(r, 0, sizeof *r);
    /* One by one the client is to cost as little as can be: two system calls, not four. */
    fcntl(l->out, F_SETFL, in_flight == 1 ? 0 : O_NONBLOCK);
    alarm(SILENCE_MS / 1000 + (unsigned)(ns / SECOND));
    do {
        bool moved;
        unsigned answers;

        for (; flying < in_flight && now - begin < ns; flying++) {
            add_line(l);
        }
        moved = push(l);
        moved |= pull(l);
        if (!moved) {
            wait_for(l);
            continue;
        }
        answers = take_answers(l);
        if (!answers) {
            continue;
        }
        flying -= answers;
        r->requests += answers;
        now = now_ns();
        if (in_flight == 1) {
            histogram_add(&r->latency, now - since);
        }
        since = now;
    } while (flying || now - begin < ns);
    alarm(0);
    r->ns = now - begin;
}

/* ---- Opening ---- */

/* The first line that is no notification, without its end; new. */
static char *
first_line(struct lines *l)
{
    char *line = NULL;

    while (!line) {
        const char *newline = l->have.len ? memchr(l->have.data, '\n', l->have.len) : NULL;
        size_t len = newline ? (size_t)(newline - l->have.data) : 0;

        if (!newline) {
            if (!push(l) && !pull(l)) {
                wait_for(l);
            }
            continue;
        }
        if (!memmem(l->have.data, len, "\"method\":\"notifications/", 24)) {
            line = xstrndup(l->have.data, len);
        }
        l->have.len -= len + 1;
        memmove(l->have.data, newline + 1, l->have.len);
    }
    return line;
}

static void
introduce(struct lines *l)
{
    char *hello = message_new(MCP_LEGACY, "initialize", message_initialize), *answer;

    buf_addf(&l->send, "%s\n", hello);
    answer = first_line(l);
    if (!strstr(answer, "\"serverInfo\"")) {
        bench_fail("%s: initialize: %s", l->name, answer);
    }
    buf_adds(&l->send, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
    free(answer);
    free(hello);
}

static void
look_into_first(struct lines *l, bool fixed)
{
    char *line, *id;

    add_line(l);
    line = first_line(l);
    id = strstr(line, "10000001");
    l->answer = xasprintf("%s\n", line);
    l->answer_len = strlen(l->answer);
    l->answer_id_at = id && !fixed ? (size_t)(id - line) : l->answer_len;
    if (!fixed) {
        json_t *answer = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        json_t *result = json_object_get(answer, "result");

        if (!json_is_object(result) || json_is_true(json_object_get(result, "isError")) || !id) {
            bench_fail("%s: no result: %.600s", l->name, line);
        }
        json_decref(answer);
    }
    free(line);
}

struct lines *
lines_open(const struct lines_options *options)
{
    struct lines *l = xcalloc(1, sizeof *l);
    const char *id = strstr(options->message, LOAD_ID);

    l->name = options->name;
    l->in = options->in;
    l->out = options->out;
    l->line = xasprintf("%s\n", options->message);
    l->len = strlen(l->line);
    l->id_at = id ? (size_t)(id - options->message) : 0;
    fcntl(l->in, F_SETFL, O_NONBLOCK);
    fcntl(l->out, F_SETFL, O_NONBLOCK);
    if (options->initialize) {
        introduce(l);
    }
    look_into_first(l, options->fixed);
    return l;
}

void
lines_close(struct lines *l)
{
    if (l) {
        free(l->line);
        free(l->answer);
        buf_fini(&l->send);
        buf_fini(&l->have);
    }
    free(l);
}

size_t
lines_answer_len(const struct lines *l)
{
    return l->answer_len;
}
