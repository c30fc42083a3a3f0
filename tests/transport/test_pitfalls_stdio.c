/* test_pitfalls_stdio.c -- what went wrong in other servers on standard input and output, tried on
 * the real one.  Each test has the name of a row of tests/lint/pitfalls.txt. */
#include "tests/check.h"

#include "state/base/clock.h"
#include "tests/fake_git.h"
#include "tests/json_match.h"
#include "tests/serving.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define SECONDS 20
#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define INITIALIZE                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{"               \
    "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\"," \
    "\"version\":\"1\"}}}"
/* It waits for git, which waits for the test. */
#define HELD(ID)                                                                         \
    "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"method\":\"tools/call\",\"params\":{\"name\":" \
    "\"get_server_info\"," META "}}"

static struct serving server;

static int
start(void **state)
{
    static const char *const options[] = {"--groups", "core,conformance", NULL};

    (void)state;
    serving_start(&server, "stdio", options);
    return 0;
}

/* The same with a git that a test holds. */
static struct fake_git git;
static struct tree *tools;

static int
start_with_git(void **state)
{
    char root[64], *path;

    tools = tree_create();
    snprintf(root, sizeof root, "/proc/self/fd/%d", dir_fd(tree_dir(tools)));
    path = realpath(root, NULL);
    CHECK(path != NULL);
    fake_git_init(&git, path);
    free(path);
    path = xasprintf("%s:%s", git.folder, getenv("PATH"));
    CHECK_INT(setenv("PATH", path, 1), 0);
    free(path);
    return start(state);
}

static int
stop(void **state)
{
    int status = serving_stop(&server);

    (void)state;
    serving_fini(&server);
    return status;
}

static int
stop_with_git(void **state)
{
    const char *path = getenv("PATH");
    int status = stop(state);

    CHECK_INT(setenv("PATH", strchr(path, ':') + 1, 1), 0);
    tree_destroy(tools);
    return status;
}

static int64_t
in_time(void)
{
    return clock_mono(clock_real()) + SECONDS * (int64_t)1000000000;
}

static void
say(const char *text)
{
    serving_send(&server, slice_of(text));
}

/* The next line must match 'want', in the words of json_match.h. */
static void
expect(const char *want)
{
    json_t *expected = json_loads(want, 0, NULL), *got;
    char *line = serving_line(&server, SECONDS);
    struct buf why = BUF_INIT;

    CHECK(expected && line);
    got = json_loads(line, 0, NULL);
    if (!got || !json_match(expected, got, &why)) {
        print_message("%s\nbut %s: %s\n", want, line, why.data);
        CHECK(false);
    }
    buf_fini(&why);
    json_decref(got);
    json_decref(expected);
    free(line);
}

static void
stdout_pollution(void **state)
{
    char path[64], one[128] = "", two[128] = "";
    ssize_t len;

    (void)state;
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    expect("{\"id\":1,\"result\":{}}");
    /* Whatever a library prints goes to standard error. */
    snprintf(path, sizeof path, "/proc/%d/fd/1", (int)server.pid);
    len = readlink(path, one, sizeof one - 1);
    CHECK(len > 0);
    snprintf(path, sizeof path, "/proc/%d/fd/2", (int)server.pid);
    len = readlink(path, two, sizeof two - 1);
    CHECK(len > 0);
    CHECK_STR(one, two);
}

static void
big_message_in(void **state)
{
    struct buf line = BUF_INIT;
    int64_t began = clock_mono(clock_real());

    (void)state;
    buf_adds(&line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"x\":\"");
    buf_reserve(&line, 1000000);
    memset(line.data + line.len, 'x', 1000000);
    line.len += 1000000;
    buf_adds(&line, "\"}}\n");
    for (size_t at = 0; at < line.len; at += 200) { /* 5,000 pieces: none is scanned twice. */
        size_t len = line.len - at < 200 ? line.len - at : 200;

        CHECK(write(server.to, line.data + at, len) == (ssize_t)len);
    }
    expect("{\"id\":1,\"result\":{}}");
    CHECK(clock_mono(clock_real()) - began < 10ll * 1000000000);
    buf_reset(&line);
    buf_reserve(&line, 3000000);
    memset(line.data, 'y', 3000000);
    line.len = 3000000; /* Past the limit: told, and the next line is read. */
    serving_send(&server, buf_slice(&line));
    expect("{\"id\":\"!\",\"error\":{\"code\":-32600}}");
    say("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}");
    expect("{\"id\":2,\"result\":{}}");
    buf_fini(&line);
}

static void
bad_frame_with_id(void **state)
{
    (void)state;
    say("{\"id\":7,\"method\":\"ping\"}");
    expect("{\"id\":7,\"error\":{\"code\":-32600}}");
    say("{\"jsonrpc\":\"2.0\",\"id\":\"x\"}");
    expect("{\"id\":\"x\",\"error\":{\"code\":-32600}}");
    say("{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\",\"params\":[]}");
    expect("{\"id\":8,\"error\":{\"code\":-32600}}");
}

static void
line_split(void **state)
{
    (void)state;
    say("{\"jsonrpc\":\"2.0\",\"id\":\"a\xE2\x80\xA8\xE2\x80\xA9z\",\"method\":\"ping\"}");
    expect("{\"id\":\"a\xE2\x80\xA8\xE2\x80\xA9z\",\"result\":{}}");
    say("{\"jsonrpc\":\"2.0\",\r\"id\":2,\r\"method\":\"ping\"}\r");
    expect("{\"id\":2,\"result\":{}}");
}

static void
end_of_input(void **state)
{
    (void)state;
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    expect("{\"id\":1,\"result\":{}}");
    serving_end_input(&server);
    CHECK(
        !serving_line(&server, SECONDS)); /* The end of its output, not the end of our patience. */
    CHECK_INT(poll(&(struct pollfd){.fd = server.from, .events = POLLIN}, 1, 0), 1);
}

static void
early_calls(void **state)
{
    (void)state;
    say(INITIALIZE);
    say("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}");
    expect("{\"id\":\"i\",\"result\":{\"protocolVersion\":\"2025-11-25\"}}");
    expect("{\"id\":2,\"result\":{\"tools\":\"*array\"}}");
}

static void
concurrency(void **state)
{
    (void)state;
    say(HELD("1"));
    CHECK(fake_git_wait(&git, in_time()));
    say("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}");
    expect("{\"id\":2,\"result\":{\"=\":\"\"}}"); /* The slow tool does not hold it up. */
    fake_git_release(&git);
    expect("{\"id\":1,\"result\":\"*object\"}");
}

static void
answer_after_cancel(void **state)
{
    (void)state;
    say(HELD("1"));
    CHECK(fake_git_wait(&git, in_time()));
    say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
        "cancelled\",\"params\":{\"requestId\":1," META "}}");
    say("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}");
    expect("{\"id\":2,\"result\":{\"=\":\"\"}}");
    fake_git_release(&git);
    serving_end_input(&server);
    CHECK(!serving_line(&server, SECONDS)); /* Its worker ended well; nothing is said of it. */
}

static void
progress_race(void **state)
{
    static const char *const tokens[] = {"7", "\"7\"", "9007199254740993", "\"\""};

    (void)state;
    say(INITIALIZE);
    expect("{\"id\":\"i\"}");
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        char *call =
            xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{"
                      "\"name\":\"test_tool_with_progress\",\"_meta\":{\"progressToken\":%s"
                      "}}}",
                      tokens[i]);

        say(call);
        for (unsigned step = 0; step < 3; step++) {
            char *want = xasprintf("{\"method\":\"notifications/progress\",\"params\":{"
                                   "\"progressToken\":%s,\"progress\":%u}}",
                                   tokens[i], step * 50);

            expect(want);
            free(want);
        }
        expect("{\"id\":1,\"result\":\"*object\"}"); /* The last note comes before it. */
        free(call);
    }
}

static void
output_schema(void **state)
{
    (void)state;
    say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
        "\"current_date\"," META "}}");
    expect("{\"id\":1,\"result\":{\"structuredContent\":\"*object\",\"isError\":\"!\"}}");
    say("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":"
        "\"pos_workflow\",\"arguments\":{\"action\":\"get_state\",\"session_id\":\"none\"}," META
        "}}");
    expect("{\"id\":2,\"result\":{\"structuredContent\":\"!\",\"isError\":true,"
           "\"content\":[{\"type\":\"text\"}]}}");
    say("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":"
        "\"pos_workflow\",\"arguments\":{\"action\":7}," META "}}");
    expect("{\"id\":3,\"result\":{\"structuredContent\":\"!\",\"isError\":true}}");
}

#define PITFALL(NAME, TEST)                       \
    {                                             \
        "pitfall: " NAME, TEST, start, stop, NULL \
    }
#define PITFALL_GIT(NAME, TEST)                                     \
    {                                                               \
        "pitfall: " NAME, TEST, start_with_git, stop_with_git, NULL \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        PITFALL("stdout pollution", stdout_pollution),
        PITFALL("Big messages, in", big_message_in),
        PITFALL("Bad frame with id", bad_frame_with_id),
        PITFALL("Line split", line_split),
        PITFALL("EOF", end_of_input),
        PITFALL("Early calls", early_calls),
        PITFALL_GIT("Concurrency", concurrency),
        PITFALL_GIT("Answer after cancel", answer_after_cancel),
        PITFALL("Progress race", progress_race),
        PITFALL("Output schema", output_schema),
    };

    return CHECK_RUN(tests);
}
