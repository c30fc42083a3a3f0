/* Log lines: whole, escaped, bounded; and a reader that has stopped reading stops nobody. */
#include "tests/check.h"

#include "state/base/log.h"
#include "state/base/mem.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

LOG_MODULE("test");

/* Standard error as a pipe, for the length of a test. */
struct capture {
    int saved, from;
};

static void
begin(struct capture *c, enum log_level least, enum log_format format)
{
    int ends[2];

    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    c->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    c->from = ends[0];
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_configure(least, format);
}

/* Ends the capture; returns all that was written and not read, new. */
static char *
end(struct capture *c)
{
    struct buf all = BUF_INIT;
    ssize_t n = 1;

    dup2(c->saved, STDERR_FILENO);
    close(c->saved);
    log_configure(LOG_OFF, LOG_TEXT);
    while (n > 0 && buf_reserve(&all, 65536)) {
        n = read(c->from, all.data + all.len, 65536);
        all.len += n > 0 ? (size_t)n : 0;
        all.data[all.len] = '\0';
    }
    close(c->from);
    return buf_steal(&all);
}

/* The line without its time, which must be there. */
static const char *
after_time(const char *line, const char *before)
{
    size_t skip = strlen(before) + strlen("2026-11-21T06:05:00.123Z");

    CHECK(strncmp(line, before, strlen(before)) == 0);
    CHECK(strlen(line) > skip);
    CHECK(line[skip - 1] == 'Z');
    return line + skip;
}

static void
a_line_has_keys_and_values(void **state)
{
    struct capture c;
    char *got;

    (void)state;
    begin(&c, LOG_INFO, LOG_TEXT);
    log_debug("not this");
    log_warn("outbox full", F_UINT("conn", 7), F_STR("who", "agent smith"), F_INT("n", -1),
             F_STR("plain", "a-b/c"), F_STR("none", ""));
    got = end(&c);
    CHECK_STR(after_time(got, "time="), " level=warn module=test event=\"outbox full\" conn=7 "
                                        "who=\"agent smith\" n=-1 plain=a-b/c none=\"\"\n");
    free(got);
}

static void
json_lines_are_json(void **state)
{
    struct capture c;
    char *got;
    json_t *line;

    (void)state;
    begin(&c, LOG_DEBUG, LOG_JSON);
    log_error("bad \"thing\"", F_STR("what", "x\ny"), F_INT("n", INT64_MIN));
    got = end(&c);
    line = json_loads(got, 0, NULL);
    CHECK(line != NULL);
    CHECK_STR(json_string_value(json_object_get(line, "event")), "bad \"thing\"");
    CHECK_STR(json_string_value(json_object_get(line, "what")), "x\ny");
    CHECK_STR(json_string_value(json_object_get(line, "level")), "error");
    CHECK_STR(json_string_value(json_object_get(line, "module")), "test");
    CHECK(json_integer_value(json_object_get(line, "n")) == INT64_MIN);
    CHECK_INT(json_object_size(line), 6);
    json_decref(line);
    free(got);
}

/* The journal keeps the time itself, and reads the priority in front of each line. */
static void
lines_for_the_journal_have_priorities(void **state)
{
    struct capture c;
    char *got;

    (void)state;
    begin(&c, LOG_DEBUG, LOG_JOURNAL);
    log_debug("d");
    log_info("i");
    log_warn("w", F_STR("why", "a\nb"));
    log_error("e");
    got = end(&c);
    CHECK_STR(got, "<7>level=debug module=test event=d\n"
                   "<6>level=info module=test event=i\n"
                   "<4>level=warn module=test event=w why=\"a\\nb\"\n"
                   "<3>level=error module=test event=e\n");
    free(got);
}

static void
say_journal_stream(uintmax_t device, uintmax_t inode)
{
    char stream[100];

    snprintf(stream, sizeof stream, "%ju:%ju", device, inode);
    setenv("JOURNAL_STREAM", stream, 1);
    log_prepare();
}

/* Only if standard error itself is what the variable names: it may have been led elsewhere. */
static void
the_journal_is_known_by_its_stream(void **state)
{
    struct capture c;
    struct stat st;
    char *got;

    (void)state;
    begin(&c, LOG_OFF, LOG_TEXT);
    CHECK_INT(fstat(STDERR_FILENO, &st), 0);
    say_journal_stream(st.st_dev, st.st_ino + 1);
    log_configure(LOG_INFO, LOG_AUTO);
    log_info("text");
    CHECK_STR(log_mark(LOG_ERROR), "");
    say_journal_stream(st.st_dev, st.st_ino);
    log_configure(LOG_INFO, LOG_AUTO);
    log_info("journal");
    CHECK_STR(log_mark(LOG_ERROR), "<3>");
    CHECK_STR(log_mark(LOG_WARN), "<4>");
    log_configure(LOG_INFO, LOG_JSON); /* Said explicitly, that counts. */
    log_info("json");
    setenv("JOURNAL_STREAM", "none", 1);
    log_prepare();
    CHECK_STR(log_mark(LOG_ERROR), "");
    unsetenv("JOURNAL_STREAM");
    got = end(&c);
    CHECK(strncmp(got, "time=", 5) == 0);
    CHECK(strstr(got, "\n<6>level=info module=test event=journal\n{\"time\":") != NULL);
    free(got);
}

/* A value that a peer chose forges no line, no key and no terminal command. */
static void
values_are_escaped(void **state)
{
    struct capture c;
    char *got;

    (void)state;
    begin(&c, LOG_INFO, LOG_TEXT);
    log_info("e", F_STR("a", "x\nlevel=error"), F_STR("b", "\x1B[2J"), F_STR("c", "p=q"),
             F_STR("d", "\xC2\x9B"
                        "2J"),
             F_STR("e", "\xFF"), F_STR("f", "back\\slash"), F_STR("g", "\x7F"), F_STR("h", "\""));
    got = end(&c);
    CHECK_STR(after_time(got, "time="),
              " level=info module=test event=e a=\"x\\nlevel=error\" b=\"\\u001b[2J\" c=\"p=q\" "
              "d=\"\\u009b2J\" e=\"\xEF\xBF\xBD\" f=\"back\\\\slash\" g=\"\\u007f\" h=\"\\\"\"\n");
    free(got);
}

static void
a_line_never_exceeds_what_a_pipe_takes_at_once(void **state)
{
    static const enum log_format formats[] = {LOG_TEXT, LOG_JSON};
    char large[2 * PIPE_BUF];

    (void)state;
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    for (size_t i = 0; i < 2; i++) {
        /* Every length around the limit, so that also the note that something was cut meets it. */
        for (size_t len = PIPE_BUF - 400; len < PIPE_BUF + 10; len++) {
            struct capture c;
            char *got, *fit = xstrndup(large, len);

            begin(&c, LOG_INFO, formats[i]);
            log_info("e", F_STR("fit", fit), F_STR("large", large), F_STR("after", "x"));
            got = end(&c);
            CHECK(strlen(got) <= PIPE_BUF && strlen(got) > 60);
            CHECK(got[strlen(got) - 1] == '\n');
            CHECK(strchr(got, '\n') == got + strlen(got) - 1);
            CHECK(!strstr(got, "after"));
            if (formats[i] == LOG_JSON) {
                json_t *line = json_loads(got, 0, NULL);
                CHECK(line != NULL);
                json_decref(line);
            }
            free(fit);
            free(got);
        }
    }
}

static void
a_full_pipe_blocks_nobody_and_drops_are_told(void **state)
{
    struct capture c;
    uint64_t before = log_dropped(), dropped;
    char *got, *last, expected[64];
    static char drained[1 << 17];

    (void)state;
    begin(&c, LOG_INFO, LOG_TEXT);
    CHECK(fcntl(c.from, F_SETPIPE_SZ, 8192) > 0);
    for (int i = 0; i < 1000; i++) {
        log_info("line", F_INT("number", i)); /* Nobody reads: this must return. */
    }
    dropped = log_dropped() - before;
    CHECK(dropped > 500 && dropped < 1000);
    CHECK(read(c.from, drained, sizeof drained) > 0);
    log_info("again");
    log_info("and again");
    CHECK(log_dropped() - before == dropped);
    got = end(&c);
    snprintf(expected, sizeof expected, "event=again lines_dropped=%u\n", (unsigned)dropped);
    CHECK(strstr(got, expected) != NULL);
    last = strstr(got, "event=\"and again\"");
    CHECK(last && !strstr(last, "lines_dropped"));
    free(got);
}

static void
a_reader_that_left_is_no_end(void **state)
{
    struct capture c;
    uint64_t before = log_dropped();

    (void)state;
    begin(&c, LOG_INFO, LOG_TEXT);
    close(c.from);
    log_info("to nobody");
    CHECK(log_dropped() == before + 1);
    close(STDERR_FILENO);
    log_info("to nothing");
    CHECK(log_dropped() == before + 2);
    c.from = open("/dev/null", O_RDONLY | O_CLOEXEC);
    /* The number 2 is free now, and open() may have taken it. */
    if (c.from == STDERR_FILENO) {
        c.from = fcntl(c.from, F_DUPFD_CLOEXEC, 10);
    }
    free(end(&c));
}

static void
levels_have_names(void **state)
{
    enum log_level level = LOG_OFF;

    (void)state;
    CHECK(log_level_parse("debug", &level) && level == LOG_DEBUG);
    CHECK(log_level_parse("error", &level) && level == LOG_ERROR);
    CHECK(log_level_parse("off", &level) && level == LOG_OFF);
    CHECK(!log_level_parse("loud", &level));
    CHECK(!log_level_parse("", &level));
    log_configure(LOG_WARN, LOG_TEXT);
    CHECK(!log_enabled(LOG_INFO) && log_enabled(LOG_WARN) && log_enabled(LOG_ERROR));
    log_configure(LOG_OFF, LOG_TEXT);
    CHECK(!log_enabled(LOG_ERROR));
}

static void
what_a_peer_can_trigger_is_limited(void **state)
{
    struct capture c;
    struct log_limit limit = {0};
    char *got;
    unsigned allowed = 0, lines = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        allowed += log_allowed(&limit);
    }
    CHECK(allowed >= 10 && allowed <= 30); /* Ten a second; a second may have ended meanwhile. */
    begin(&c, LOG_INFO, LOG_TEXT);
    for (int i = 0; i < 10000; i++) {
        log_warn_rl("knock");
    }
    got = end(&c);
    for (const char *p = got; (p = strchr(p, '\n')); p++) {
        lines++;
    }
    CHECK(lines >= 10 && lines <= 30);
    free(got);
}

enum { THREADS = 8, LINES = 500 };

static void *
write_lines(void *arg)
{
    char padding[300];

    memset(padding, 'p', sizeof padding - 1);
    padding[sizeof padding - 1] = '\0';
    for (int i = 0; i < LINES; i++) {
        log_info("busy", F_INT("n", i), F_STR("padding", padding));
    }
    return arg;
}

static void *
read_all(void *arg)
{
    int *from = arg;
    struct buf all = BUF_INIT;
    ssize_t n = 1;

    while (n > 0 && buf_reserve(&all, 4096)) {
        n = read(*from, all.data + all.len, 4096);
        all.len += n > 0 ? (size_t)n : 0;
        all.data[all.len] = '\0';
    }
    return buf_steal(&all);
}

static void
lines_of_many_threads_are_whole(void **state)
{
    struct capture c;
    pthread_t threads[THREADS], reader;
    uint64_t before = log_dropped(), told = 0;
    void *all;
    unsigned lines = 0, broken = 0;
    char *rest = NULL;

    (void)state;
    begin(&c, LOG_INFO, LOG_TEXT);
    pthread_create(&reader, NULL, read_all, &c.from);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, write_lines, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    dup2(c.saved, STDERR_FILENO); /* The last writer: the reader comes to its end. */
    pthread_join(reader, &all);
    for (char *line = strtok_r(all, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        unsigned long long more = 0;
        const char *dropped = strstr(line, " lines_dropped=");

        lines++;
        broken += strncmp(line, "time=", 5) != 0 || strstr(line + 1, "time=") != NULL;
        broken += dropped && sscanf(dropped, " lines_dropped=%llu", &more) != 1;
        told += more;
    }
    CHECK_INT(broken, 0);
    CHECK_INT(lines + (log_dropped() - before), THREADS * LINES);
    CHECK(told <= log_dropped() - before); /* The last drops have had no line yet. */
    free(all);
    free(end(&c));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_keys_and_values),
        cmocka_unit_test(json_lines_are_json),
        cmocka_unit_test(lines_for_the_journal_have_priorities),
        cmocka_unit_test(the_journal_is_known_by_its_stream),
        cmocka_unit_test(values_are_escaped),
        cmocka_unit_test(a_line_never_exceeds_what_a_pipe_takes_at_once),
        cmocka_unit_test(a_full_pipe_blocks_nobody_and_drops_are_told),
        cmocka_unit_test(a_reader_that_left_is_no_end),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(what_a_peer_can_trigger_is_limited),
        cmocka_unit_test(lines_of_many_threads_are_whole),
    };
    signal(SIGPIPE, SIG_IGN);
    alarm(60); /* A log call that blocks would hang. */
    return CHECK_RUN(tests);
}
