/* log.c -- formats a line and writes it if that cannot block.
 *
 * DESIGN.  A pipe that poll() calls writable has room for PIPE_BUF bytes, and lines are no longer
 * than that, so the write below never waits.  The LOG lock keeps two threads from filling the same
 * room; it is the last of the order, so a log call is safe under any other lock's rules. */
#include "state/base/log.h"

#include "state/base/clock.h"
#include "state/base/lock.h"
#include "state/base/mem.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PER_SECOND 10

static _Atomic int least_level = LOG_INFO;
static _Atomic int line_format = LOG_TEXT; /* Never LOG_AUTO. */
static _Atomic bool to_journal;            /* Standard error is a stream of the journal's. */
static _Atomic uint64_t dropped;
static struct lock log_lock = {.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = RANK_LOG};
static uint64_t dropped_unsaid GUARDED_BY(LC_LOG);

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

void
log_prepare(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char here[64];
    struct stat st;

    if (stream && fstat(STDERR_FILENO, &st) == 0) {
        snprintf(here, sizeof here, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
        atomic_store(&to_journal, strcmp(stream, here) == 0);
    }
    log_configure((enum log_level)atomic_load(&least_level), LOG_AUTO);
}

void
log_configure(enum log_level least, enum log_format format)
{
    atomic_store(&least_level, (int)least);
    if (format == LOG_AUTO) {
        format = atomic_load(&to_journal) ? LOG_JOURNAL : LOG_TEXT;
    }
    atomic_store(&line_format, (int)format);
}

static const char *const marks[] = {"<7>", "<6>", "<4>", "<3>", ""};

const char *
log_mark(enum log_level level)
{
    return atomic_load(&to_journal) ? marks[level] : "";
}

bool
log_level_parse(const char *word, enum log_level *level)
{
    for (int i = LOG_DEBUG; i <= LOG_OFF; i++) {
        if (strcmp(word, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool
log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

uint64_t
log_dropped(void)
{
    return atomic_load(&dropped);
}

bool
log_allowed(struct log_limit *limit)
{
    int64_t now = clock_mono(clock_real()) / 1000000000;

    if (atomic_exchange(&limit->second, now) != now) {
        atomic_store(&limit->count, 0);
    }
    return atomic_fetch_add(&limit->count, 1) < PER_SECOND;
}

/* A value that needs no quotes in key=value form. */
static bool
plain_word(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p <= ' ' || *p == '"' || *p == '=' || *p == '\\' || (unsigned char)*p >= 0x7F) {
            return false;
        }
    }
    return *text != '\0';
}

/* Adds one more of the line, whose own text begins at 'start'. */
static void
add_pair(struct buf *b, size_t start, enum log_format format, const char *key, const char *text,
         int64_t number)
{
    if (format == LOG_JSON) {
        buf_addc(b, b->len > start ? ',' : '{');
        buf_add_json(b, slice_of(key));
        buf_addc(b, ':');
    } else {
        if (b->len > start) {
            buf_addc(b, ' ');
        }
        buf_adds(b, key);
        buf_addc(b, '=');
    }
    if (!text) {
        buf_add_int(b, number);
    } else if (format == LOG_JSON || !plain_word(text)) {
        buf_add_json(b, slice_of(text));
    } else {
        buf_adds(b, text);
    }
}

static void
write_line(struct buf *b, enum log_format format)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    LOCK(LOG, &log_lock);
    if (dropped_unsaid) {
        add_pair(b, 0, format, "lines_dropped", NULL, (int64_t)dropped_unsaid);
    }
    buf_adds(b, format == LOG_JSON ? "}\n" : "\n");
    if (b->failed || poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT) ||
        write(STDERR_FILENO, b->data, b->len) < 0) {
        dropped_unsaid++;
        atomic_fetch_add(&dropped, 1);
    } else {
        dropped_unsaid = 0;
    }
    UNLOCK(LOG, &log_lock);
}

void
log_emit(enum log_level level, const char *module, const struct log_line *line)
{
    enum log_format format = (enum log_format)atomic_load(&line_format);
    const struct log_field *fields[] = {&line->f0, &line->f1, &line->f2, &line->f3,
                                        &line->f4, &line->f5, &line->f6, &line->f7};
    struct buf b = {.limit = PIPE_BUF - 64};
    char when[CLOCK_TEXT_SIZE];
    size_t start;

    buf_adds(&b, format == LOG_JOURNAL ? marks[level] : "");
    start = b.len;
    clock_format_utc(clock_wall(clock_real()), when);
    if (format != LOG_JOURNAL) {
        add_pair(&b, start, format, "time", when, 0);
    }
    add_pair(&b, start, format, "level", level_names[level], 0);
    add_pair(&b, start, format, "module", module, 0);
    add_pair(&b, start, format, "event", line->event, 0);
    for (size_t i = 0; i < sizeof fields / sizeof *fields && fields[i]->key; i++) {
        size_t before = b.len;
        add_pair(&b, start, format, fields[i]->key, fields[i]->text, fields[i]->number);
        if (b.failed) { /* Too long: this field is told as cut, the line is kept. */
            b.failed = false;
            b.len = before;
            add_pair(&b, start, format, fields[i]->key, "(too long)", 0);
            if (b.failed) {
                b.failed = false;
                b.len = before;
            }
            break;
        }
    }
    b.limit = 0;
    write_line(&b, format);
    buf_fini(&b);
}
