/* log.h -- one event a line on standard error, as key=value or JSON.
 *
 * In the journal's form a line is key=value without the time, which the journal keeps itself,
 * behind the priority of syslog(3) in the way of sd-daemon(3): "<3>" for errors, "<4>" for
 * warnings, "<6>" for info, "<7>" for debug.  That is what LOG_AUTO means where standard error is a
 * stream of the journal (JOURNAL_STREAM names its device and inode); elsewhere it is LOG_TEXT.
 *
 * Standard output belongs to MCP.  A reader that has stopped reading never stops the server: a line
 * that does not fit is dropped, and the next one that fits says how many were.  Tokens, bodies and
 * absolute paths of a peer are never logged.  Any thread; takes the LOG lock.
 *
 * The arguments of a call are evaluated only if its level is logged: they must do nothing.
 *
 *     LOG_MODULE("relay");
 *     log_warn("outbox full", F_UINT("conn", id), F_UINT("dropped", n));
 */
#ifndef TANDEM_LOG_H
#define TANDEM_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_AUTO, LOG_TEXT, LOG_JSON, LOG_JOURNAL };

struct log_field {
    const char *key;  /* Null: no such field. */
    const char *text; /* Null: the number counts. */
    int64_t number;
};
/* clang-format off */
#define F_STR(KEY, VALUE) {.key = (KEY), .text = (VALUE)}
#define F_INT(KEY, VALUE) {.key = (KEY), .number = (int64_t)(VALUE)}
/* clang-format on */
#define F_UINT F_INT

struct log_line {
    const char *event;
    struct log_field f0, f1, f2, f3, f4, f5, f6, f7;
};
/* At most so many lines a second from one place that a peer can trigger at will. */
struct log_limit {
    _Atomic int64_t second;
    _Atomic unsigned count;
};

/* Looks where standard error goes.  At the start of main, before other threads. */
void log_prepare(void);
/* From the start of main, before other threads; then any time (a reload). */
void log_configure(enum log_level least, enum log_format format);
/* Which level and format a word means; false if none. */
bool log_level_parse(const char *word, enum log_level *level);
bool log_enabled(enum log_level level);
void log_emit(enum log_level level, const char *module, const struct log_line *line);
bool log_allowed(struct log_limit *limit);
/* What lines for people on standard error begin with that are of that level: "<3>" or the like if
 * the journal reads them, else nothing.  Borrowed for ever. */
const char *log_mark(enum log_level level);
/* Lines dropped so far because nobody read them. */
uint64_t log_dropped(void);

#define LOG_MODULE(NAME) static const char log_module[] = NAME
#define log_at(LEVEL, ...)                                                      \
    do {                                                                        \
        if (log_enabled(LEVEL)) {                                               \
            log_emit(LEVEL, log_module, &(const struct log_line){__VA_ARGS__}); \
        }                                                                       \
    } while (0)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
/* For what a peer can trigger at will. */
#define log_warn_rl(...)                    \
    do {                                    \
        static struct log_limit log_limit_; \
        if (log_allowed(&log_limit_)) {     \
            log_warn(__VA_ARGS__);          \
        }                                   \
    } while (0)

#endif
