/* test_workflow_at_hand.c -- a task that is asked for again is told without reading its file, and
 * is what its file says all the same. */
#include "tests/check.h"

#include "state/base/stamp.h"
#include "state/mcp_session.h"
#include "state/workflow_at_hand.h"
#include "tests/threads.h"
#include "tests/tool_rig.h"
#include "tests/tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACK ".tandem/workflows/demo"
#define TASK PACK "/phases/0/task-1-do.md"

static struct tool_rig rig;
static char session[37];
static bool cheap; /* The folder of the tests is on a disk of this machine: else nothing is kept. */

static void
write_file(const char *path, const char *text)
{
    char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    struct dir *dir;

    CHECK_INT(dir_sub(rig.project.root, folder, true, &dir, NULL), E_OK);
    CHECK_INT(dir_write(dir, strrchr(path, '/') + 1, slice_of(text), NULL), E_OK);
    dir_unref(dir);
    free(folder);
}

/* The structured result of a call that must succeed, new. */
static json_t *
call(const char *arguments)
{
    return tool_rig_call(&rig, NULL, "pos_workflow", arguments, NULL);
}

static char *
task_arguments(int phase, int task)
{
    return xasprintf("{\"action\":\"get_task\",\"session_id\":\"%s\",\"phase\":%d,"
                     "\"task_number\":%d}",
                     session, phase, task);
}

static json_t *
ask(int phase, int task)
{
    char *arguments = task_arguments(phase, task);
    json_t *answer = call(arguments);

    free(arguments);
    return answer;
}

/* Asks for task 1 of phase 0, which must say 'text'. */
static void
must_say(const char *text)
{
    json_t *answer = ask(0, 1);

    CHECK_STR(json_string_value(json_object_get(answer, "content")), text);
    json_decref(answer);
}

static bool
at_hand(int phase, int task)
{
    struct workflow_args args = {.session_id = session,
                                 .has_phase = phase >= 0,
                                 .phase = phase,
                                 .has_task_number = task >= 0,
                                 .task_number = task};
    struct bytes *text = workflow_at_hand(state_workflow(rig.project.state), &args);
    bool is = text != NULL;

    bytes_unref(text);
    return is;
}

static int
set_up(void **unused)
{
    json_t *answer;

    (void)unused;
    tool_rig_init(&rig, "core");
    cheap = stamp_is_cheap(rig.project.root);
    write_file(PACK "/metadata.json",
               "{\"workflow_type\":\"demo\",\"version\":\"1\",\"total_phases\":2,\"phases\":["
               "{\"phase_number\":0,\"phase_name\":\"First\",\"tasks\":["
               "{\"task_number\":1,\"name\":\"do\",\"file\":\"task-1-do.md\"},"
               "{\"task_number\":2,\"name\":\"more\",\"file\":\"task-2-more.md\"}]},"
               "{\"phase_number\":1,\"phase_name\":\"Second\",\"tasks\":["
               "{\"task_number\":1,\"name\":\"end\",\"file\":\"task-1-end.md\"}]}]}");
    write_file(TASK, "Do \"it\".\n");
    write_file(PACK "/phases/0/task-2-more.md", "More.\n");
    write_file(PACK "/phases/0/phase.md", "# First\n");
    write_file(PACK "/phases/1/task-1-end.md", "End.\n");
    write_file(PACK "/phases/1/phase.md", "# Second\n");
    files_settle();
    answer = call("{\"action\":\"start\",\"workflow_type\":\"demo\",\"target_file\":\"a.c\"}");
    snprintf(session, sizeof session, "%s",
             json_string_value(json_object_get(answer, "session_id")));
    json_decref(answer);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    tool_rig_fini(&rig);
    return 0;
}

static void
the_same_is_told_each_time(void **unused)
{
    json_t *first = ask(0, 1), *again;

    (void)unused;
    CHECK_STR(json_string_value(json_object_get(first, "content")), "Do \"it\".\n");
    CHECK(at_hand(0, 1) == cheap);
    for (int i = 0; i < 3; i++) {
        again = ask(0, 1);
        CHECK(json_equal(again, first));
        json_decref(again);
    }
    json_decref(first);
    CHECK(!at_hand(0, 2) && !at_hand(1, 1) && !at_hand(-1, 1) && !at_hand(0, -1));
    session[0] = session[0] == 'a' ? 'b' : 'a';
    CHECK(!at_hand(0, 1)); /* Another's is no concern of his. */
}

/* It is answered before dispatch returns, where there are no workers any more. */
static void
what_is_at_hand_needs_no_worker(void **unused)
{
    char *arguments = task_arguments(0, 1), *message;
    struct fake_sink sink;

    (void)unused;
    if (!cheap) {
        printf("NOT TESTED: the tests' folder is on no disk of this machine\n");
        free(arguments);
        skip();
    }
    must_say("Do \"it\".\n");
    pool_stop(rig.pool);
    message = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{"
                        "\"name\":\"pos_workflow\",\"arguments\":%s,\"_meta\":{"
                        "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                        "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
                        arguments);
    fake_sink_init(&sink);
    dispatch_message(rig.dispatcher, &rig.connection, slice_of(message), &sink.sink);
    CHECK_INT(sink.status, 200);
    CHECK(strstr(sink.body, "\"content\":\"Do \\\"it\\\".\\n\"") != NULL);
    CHECK(strstr(sink.body, "\\\"content\\\":\\\"Do \\\\\\\"it\\\\\\\".\\\\n\\\"") != NULL);
    fake_sink_fini(&sink);
    free(message);
    free(arguments);
}

/* However it is made, and however young the file is: the next call tells it. */
static void
an_edit_shows_at_once(void **unused)
{
    char text[16];
    struct stat st;

    (void)unused;
    must_say("Do \"it\".\n");
    write_file(TASK, "By rename.\n");
    must_say("By rename.\n");
    for (int i = 0; i < 100; i++) { /* In its place, as many bytes, its times set back. */
        int fd = openat(dir_fd(rig.project.root), TASK, O_WRONLY | O_CLOEXEC);

        snprintf(text, sizeof text, "Text %05d\n", i % 100);
        CHECK(fd >= 0 && fstat(fd, &st) == 0);
        CHECK_INT(write(fd, text, strlen(text)), 11);
        CHECK_INT(futimens(fd, (struct timespec[2]){st.st_atim, st.st_mtim}), 0);
        CHECK_INT(close(fd), 0);
        must_say(text);
        if (i % 3 == 0) {
            files_settle(); /* Then it is kept. */
            must_say(text);
            CHECK(at_hand(0, 1) == cheap);
        }
    }
}

static void
a_folder_in_its_place_shows_at_once(void **unused)
{
    int root = dir_fd(rig.project.root);

    (void)unused;
    write_file(PACK "/other/task-1-do.md", "Another.\n");
    files_settle();
    must_say("Do \"it\".\n");
    CHECK_INT(renameat(root, PACK "/phases/0", root, PACK "/old"), 0);
    CHECK_INT(renameat(root, PACK "/other", root, PACK "/phases/0"), 0);
    must_say("Another.\n");
    CHECK_INT(unlinkat(root, TASK, 0), 0);
    CHECK(!at_hand(0, 1));
    for (int i = 0; i < 2; i++) {
        char *arguments = task_arguments(0, 1);

        json_decref(tool_rig_call(&rig, NULL, "pos_workflow", arguments, "not_found"));
        free(arguments);
    }
}

/* An answer tells of its session too: what was kept goes when that changes. */
static void
a_change_of_the_session_shows_at_once(void **unused)
{
    char *pause = xasprintf("{\"action\":\"pause\",\"session_id\":\"%s\"}", session), *arguments;
    json_t *answer;

    (void)unused;
    must_say("Do \"it\".\n");
    json_decref(call(pause));
    CHECK(!at_hand(0, 1));
    answer = ask(0, 1);
    CHECK_STR(json_string_value(json_object_get(answer, "session_status")), "paused");
    json_decref(answer);
    CHECK(at_hand(0, 1) == cheap);
    arguments = xasprintf("{\"action\":\"delete_session\",\"session_id\":\"%s\"}", session);
    json_decref(call(arguments));
    CHECK(!at_hand(0, 1));
    free(arguments);
    free(pause);
}

#define ODD_HEAD "{\"action\":\"get_task\",\"session_id\":\""
#define WORDS "many words "
#define MANY                                                                                  \
    WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS \
        WORDS WORDS WORDS WORDS WORDS

/* What a worker would make of it is told however the arguments are written. */
static void
odd_arguments_are_answered_as_ever(void **unused)
{
    static const char *const good[][2] = {
        /* Around the session's id. */
        {"{\"task_number\":1,\"session_id\":\"", "\",\"phase\":0,\"action\":\"get_task\"}"},
        {ODD_HEAD, "\",\"phase\":0.5,\"task_number\":1.0}"},
        {ODD_HEAD, "\",\"phase\":-0,\"task_number\":1}"},
        {ODD_HEAD, "\",\"phase\":0,\"task_number\":1,\"reason\":null}"},
        {"{\"\\u0061ction\":\"get\\u005ftask\",\"session_id\":\"",
         "\",\"phase\":0,\"task_number\":1}"},
        {"{\"reason\":\"" MANY MANY MANY MANY MANY "\",\"action\":\"get_task\",\"session_id\":\"",
         "\",\"phase\":0,\"task_number\":1}"},
    };
    static const char *const bad[] = {
        "{\"action\":\"get_task\",\"session_id\":7}",
        "{\"action\":\"get_task\",\"session_id\":\"x\",\"phase\":0,\"task_number\":1,\"odd\":1}",
        "{\"action\":\"get_task\",\"session_id\":\"x\",\"phase\":-1,\"task_number\":1}",
        "{\"action\":\"get_task\",\"session_id\":\"x\",\"phase\":100000,\"task_number\":1}",
    };

    (void)unused;
    must_say("Do \"it\".\n");
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct buf arguments = BUF_INIT;
        json_t *answer;

        buf_adds(&arguments, good[i][0]);
        buf_adds(&arguments, session);
        buf_adds(&arguments, good[i][1]);
        answer = call(arguments.data);
        CHECK_STR(json_string_value(json_object_get(answer, "content")), "Do \"it\".\n");
        json_decref(answer);
        buf_fini(&arguments);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_decref(tool_rig_call(&rig, NULL, "pos_workflow", bad[i], "invalid_argument"));
    }
}

#define EDITS 200

static _Atomic int written;

/* One edits; the others ask, and are told no version older than what they knew to be there. */
static void
edit_or_ask(void *arg, unsigned number)
{
    struct tool_rig own = rig;

    (void)arg;
    own.connection.session = mcp_session_of_connection();
    for (int i = 1; i <= EDITS; i++) {
        char *arguments = task_arguments(0, 1), *text;
        int known = atomic_load(&written), said = -1;
        json_t *answer;

        if (number == 0) {
            text = xasprintf("%d\n", i);
            write_file(TASK, text);
            free(text);
            atomic_store(&written, i);
            known = i;
        }
        answer = tool_rig_call(&own, NULL, "pos_workflow", arguments, NULL);
        CHECK(sscanf(json_string_value(json_object_get(answer, "content")), "%d", &said) == 1);
        CHECK(said >= known);
        json_decref(answer);
        free(arguments);
    }
    mcp_session_unref(own.connection.session);
}

static void
nobody_is_told_what_was(void **unused)
{
    (void)unused;
    write_file(TASK, "0\n");
    atomic_store(&written, 0);
    threads_run(4, edit_or_ask, NULL);
    CHECK_INT(atomic_load(&written), EDITS);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_is_told_each_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_at_hand_needs_no_worker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_edit_shows_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_in_its_place_shows_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_of_the_session_shows_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(odd_arguments_are_answered_as_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_told_what_was, set_up, tear_down),
    };

    return CHECK_RUN(tests);
}
