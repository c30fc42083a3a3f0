/* The real server on its standard input and output: floods, hostile lines, clients that do not read
 * or go away. */
#include "tests/check.h"
#include "tests/hostile.h"
#include "tests/serving.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 30
#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

static const char *const no_options[] = {NULL};

static void
send_request(struct serving *s, int id, const char *method, const char *params)
{
    char *line =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":{%s%s" META "}}", id,
                  method, params, params[0] ? "," : "");
    serving_send(s, slice_of(line));
    free(line);
}

static void
send_ping(struct serving *s, const char *id)
{
    char *line = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"ping\"}", id);
    serving_send(s, slice_of(line));
    free(line);
}

/* The next message; it must be there and be JSON. */
static json_t *
next_message(struct serving *s)
{
    char *line = serving_line(s, SECONDS);
    json_t *message = line ? json_loads(line, JSON_ALLOW_NUL, NULL) : NULL;

    if (!message) {
        print_error("came: %s\n", line ? line : "nothing");
    }
    CHECK(message != NULL);
    free(line);
    return message;
}

static int
id_of(const json_t *message)
{
    return (int)json_integer_value(json_object_get(message, "id"));
}

/* All is written before anything is read, on both sides full speed: more than the pipes hold. */
static void
a_flood_is_answered_once_each(void **state)
{
    enum { COUNT = 3000 };
    /* A busy machine may take longer than the usual drain to pass on what is left at the end. */
    static const char *const options[] = {"--limits-call-rate", "10000", "--drain", "60s", NULL};
    static unsigned char seen[COUNT];
    struct serving s;
    pid_t writer;
    int status;

    (void)state;
    serving_start(&s, "stdio", options);
    fflush(NULL);
    writer = fork();
    if (writer == 0) {
        for (int i = 0; i < COUNT; i++) {
            send_request(&s, i, i % 3 ? "tools/list" : "tools/call",
                         i % 3 ? "" : "\"name\":\"current_date\"");
        }
        _exit(0);
    }
    close(s.to);
    s.to = -1;
    for (int i = 0; i < COUNT; i++) {
        json_t *message = next_message(&s);
        int id = id_of(message);

        CHECK(id >= 0 && id < COUNT);
        CHECK(json_object_get(message, "result") != NULL);
        seen[id]++;
        json_decref(message);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(seen[i], 1);
    }
    CHECK_INT(waitpid(writer, &status, 0), writer);
    CHECK_INT(serving_stop(&s), 0);
    CHECK(serving_line(&s, 0) == NULL);
    serving_fini(&s);
}

/* What the process has in memory, in KiB. */
static long
resident(const struct serving *s)
{
    char path[64], line[256];
    long pages = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)s->pid);
    f = fopen(path, "r");
    CHECK(f != NULL);
    CHECK(fgets(line, sizeof line, f) != NULL);
    CHECK(sscanf(line, "%*d %ld", &pages) == 1);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* A client that asks and does not read: the server stops reading, its memory stays bounded, and
 * once the client reads, it gets every answer. pitfall: Big messages, out */
static void
a_client_that_does_not_read_is_not_read(void **state)
{
    static const char *const options[] = {"--limits-stdout", "256KiB", NULL};
    char line[512];
    struct serving s;
    size_t len, sent = 0, at = 0;
    json_t *message;
    long before;

    (void)state;
    serving_start(&s, "stdio", options);
    send_ping(&s, "0");
    message = next_message(&s);
    json_decref(message);
    before = resident(&s);
    len = (size_t)snprintf(
        line, sizeof line,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}\n");
    CHECK_INT(fcntl(s.to, F_SETFL, O_NONBLOCK), 0);
    /* Until our pipe stays full: the server has drained none of it within half a second. */
    for (;;) {
        ssize_t n = write(s.to, line + at, len - at);

        if (n > 0) {
            at += (size_t)n;
            sent += at == len;
            at = at == len ? 0 : at;
        } else {
            struct pollfd room = {.fd = s.to, .events = POLLOUT};
            CHECK_INT(errno, EAGAIN);
            if (poll(&room, 1, 500) == 0) {
                break;
            }
        }
        CHECK(sent < 100000);
    }
    CHECK(sent > 100);
    CHECK(resident(&s) - before < 32 * 1024);
    CHECK_INT(fcntl(s.to, F_SETFL, 0), 0);
    for (size_t i = 0; i < sent; i++) {
        message = next_message(&s);
        CHECK(json_object_get(message, "result") != NULL);
        json_decref(message);
    }
    if (at > 0) { /* The rest of the line that was cut. */
        CHECK_INT(write(s.to, line + at, len - at), len - at);
        message = next_message(&s);
        json_decref(message);
    }
    CHECK_INT(serving_stop(&s), 0);
    CHECK(serving_line(&s, 0) == NULL);
    serving_fini(&s);
}

static void
unread_output_does_not_hold_up_the_end(void **state)
{
    static const char *const options[] = {"--drain", "200ms", NULL};
    struct serving s;

    (void)state;
    serving_start(&s, "stdio", options);
    for (int i = 0; i < 200; i++) {
        send_request(&s, i, "tools/list", "");
    }
    CHECK_INT(serving_stop(&s), 0); /* And not one answer was read. */
    serving_fini(&s);
}

static void
a_client_that_left_ends_the_server(void **state)
{
    struct serving s;
    int status;

    (void)state;
    serving_start(&s, "stdio", no_options);
    close(s.from);
    s.from = -1;
    send_ping(&s, "1"); /* Its input stays open: the answer finds nobody. */
    CHECK_INT(waitpid(s.pid, &status, 0), s.pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(s.to);
    serving_fini(&s);
}

static void
a_signal_ends_it_after_its_answers(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};

    (void)state;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct serving s;
        json_t *message;
        int status;

        serving_start(&s, "stdio", no_options);
        send_request(&s, 1, "tools/call", "\"name\":\"get_server_info\"");
        message = next_message(&s);
        CHECK_INT(id_of(message), 1);
        json_decref(message);
        kill(s.pid, signals[i]);
        CHECK_INT(waitpid(s.pid, &status, 0), s.pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        CHECK(serving_line(&s, SECONDS) == NULL);
        close(s.to);
        serving_fini(&s);
    }
}

/* True once the server's setting 'drain' is what the file says since the signal. */
static bool
drains_for(struct serving *s, int id, const char *wanted)
{
    json_t *message;
    const char *value;
    bool same;

    send_request(s, id, "tools/call", "\"name\":\"get_config\",\"arguments\":{\"key\":\"drain\"}");
    message = next_message(s);
    CHECK_INT(id_of(message), id);
    value = json_string_value(json_object_get(
        json_object_get(json_object_get(message, "result"), "structuredContent"), "value"));
    same = value && strcmp(value, wanted) == 0;
    json_decref(message);
    return same;
}

/* A server without a terminal reads its file anew; a bad one changes nothing. */
static void
a_hangup_reads_the_settings_anew(void **state)
{
    static const char *const options[] = {"--groups", "config", "--log-level", "off", NULL};
    struct serving s;
    int id = 1;

    (void)state;
    serving_start(&s, "stdio", options);
    CHECK(drains_for(&s, id++, "5s"));
    tree_write(s.project, ".tandem/config.json", "{\"drain\": \"2s\"}");
    kill(s.pid, SIGHUP);
    while (!drains_for(&s, id++, "2s")) { /* The signal comes when it comes. */
        sched_yield();
    }
    tree_write(s.project, ".tandem/config.json", "{\"drain\": 2}");
    kill(s.pid, SIGHUP);
    CHECK(drains_for(&s, id++, "2s"));
    tree_write(s.project, ".tandem/config.json", "{\"drain\": \"1s\"}");
    kill(s.pid, SIGHUP);
    while (!drains_for(&s, id++, "1s")) {
        kill(s.pid, SIGHUP); /* Two signals that wait at once are one. */
        sched_yield();
    }
    CHECK_INT(serving_stop(&s), 0);
    serving_fini(&s);
}

static void
echo_frame(const struct hostile_case *c, void *arg)
{
    struct serving *s = arg;
    json_t *id = json_stringn((const char *)c->bytes.data, c->bytes.len), *message;
    char *text;

    if (!id || c->bytes.len > 200) {
        json_decref(id);
        return; /* No JSON string, or longer than an id may be. */
    }
    text = json_dumps(id, JSON_ENCODE_ANY);
    send_ping(s, text);
    message = next_message(s);
    CHECK(json_equal(json_object_get(message, "id"), id));
    CHECK(json_object_get(message, "result") != NULL);
    free(text);
    json_decref(id);
    json_decref(message);
}

/* Line ends of all kinds, and what else might split a frame, come back in the id. */
static void
no_character_splits_a_frame(void **state)
{
    struct serving s;

    (void)state;
    serving_start(&s, "stdio", no_options);
    CHECK(hostile_lines("own/frame.jsonl", echo_frame, &s) > 10);
    CHECK_INT(serving_stop(&s), 0);
    CHECK(serving_line(&s, 0) == NULL);
    serving_fini(&s);
}

/* Whatever the lines were, the mark after them is answered, and everything before it is an error or
 * a result. */
static void
survive(const struct hostile_case *c, void *arg)
{
    struct serving *s = arg;
    json_t *message;
    bool marked = false;

    serving_send(s, c->bytes);
    serving_send(s, SLICE("{\"jsonrpc\":\"2.0\",\"id\":\"mark\",\"method\":\"ping\"}"));
    while (!marked) {
        const char *id;

        message = next_message(s);
        id = json_string_value(json_object_get(message, "id"));
        marked = id && strcmp(id, "mark") == 0;
        CHECK(json_is_array(message) ||
              !json_object_get(message, "error") != !json_object_get(message, "result"));
        json_decref(message);
    }
}

static void
hostile_lines_are_survived(void **state)
{
    struct serving s;
    size_t count;

    (void)state;
    serving_start(&s, "stdio", no_options);
    count = hostile_files("json", survive, &s);
    count += hostile_lines("own/json.jsonl", survive, &s);
    count += hostile_lines("own/jsonrpc.jsonl", survive, &s);
    count += hostile_lines("own/utf8.jsonl", survive, &s);
    CHECK(count > 500);
    CHECK_INT(serving_stop(&s), 0);
    serving_fini(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_is_answered_once_each),
        cmocka_unit_test(a_client_that_does_not_read_is_not_read),
        cmocka_unit_test(unread_output_does_not_hold_up_the_end),
        cmocka_unit_test(a_client_that_left_ends_the_server),
        cmocka_unit_test(a_signal_ends_it_after_its_answers),
        cmocka_unit_test(a_hangup_reads_the_settings_anew),
        cmocka_unit_test(no_character_splits_a_frame),
        cmocka_unit_test(hostile_lines_are_survived),
    };
    alarm(300);
    return CHECK_RUN(tests);
}
