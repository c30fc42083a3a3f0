/* test_failure_detect.c -- what is a failure, of which kind, of what. */
#include "tests/check.h"

#include "state/failure_detect.h"

static void
kinds_of_failure(void **state)
{
    static const struct {
        const char *output;
        int exit_code;
        const char *type;
    } rows[] = {
        {"SyntaxError: invalid syntax", 0, "syntax-error"},
        {"  File \"a.py\", line 3\nsyntaxerror: bad", 1, "syntax-error"},
        {"Uncaught TypeError: x is not a function", 0, "type-error"},
        {"ImportError: cannot import name 'x'", 1, "import-error"},
        {"ModuleNotFoundError: No module named 'x'", 1, "module-not-found"},
        {"FileNotFoundError: [Errno 2]", 1, "file-not-found"},
        {"FAILED tests/test_a.py::test_b - assert 1 == 2", 1, "test-failure"},
        {"[  FAILED  ] the_test", 1, "test-failure"},
        {"\xe2\x9c\x97 the parser failed", 0, "test-failure"},
        {"\xe2\x9d\x8c login failed", 0, "test-failure"},
        {"3 failed, 2 passed", 0, "test-failure"},
        {"2 tests failed", 0, "test-failure"},
        {"FAILED (failures=1)", 1, "test-failure"},
        {"Failed: 3", 0, "test-failure"},
        {"java.io.IOException: gone", 0, "exception"},
        {"Exception in thread \"main\" x", 0, "exception"},
        {"Unhandled exception", 0, "exception"},
        {"npm ERR! Command failed with exit code 1", 0, "command-error"},
        {"a.c:1:2: error: expected ';'", 0, "error"},
        {"ERROR: no such thing", 0, "error"},
        {"all is well", 2, "exit-code"},
        {"", 1, "exit-code"},
        /* Of several the first of the table, wherever it stands. */
        {"error: x\n1 failed\nTypeError: y", 1, "type-error"},
        /* And what is none. */
        {"5 passed, 0 failed", 0, "none"},
        {"0 tests failed", 0, "none"},
        {"Failed: 0, passed: 12", 0, "none"},
        {"FAILED 0", 0, "none"},
        {"0 errors, 0 exceptions", 0, "none"},
        {"added exception handling", 0, "none"},
        {"renamed MyTypeErrorHandler", 0, "none"},
        {"the login failed once, as expected", 0, "none"},
        {"all is well", 0, "none"},
        {"", 0, "none"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice line;
        enum failure_error error =
            failure_detect(slice_of(rows[i].output), rows[i].exit_code, &line);
        if (strcmp(failure_error_type(error), rows[i].type) != 0) {
            fail_msg("%s: %s", rows[i].output, failure_error_type(error));
        }
    }
}

static void
the_line_is_told(void **state)
{
    struct slice line;

    (void)state;
    failure_detect(SLICE("one\r\n  TypeError: x \r\nthree"), 0, &line);
    CHECK(slice_is(line, "TypeError: x"));
    failure_detect(SLICE("one\ntwo\n\n \n"), 3, &line);
    CHECK(slice_is(line, "two"));
    failure_detect(SLICE("\n"), 3, &line);
    CHECK_INT(line.len, 0);
}

static void
tasks_are_matched_on_words(void **state)
{
    static const struct {
        const char *command, *output, *type;
    } rows[] = {
        {"npm test", "", "test"},
        {"python -m pytest -q", "", "test"},
        {"./run_tests.sh", "", "test"},
        {"make test", "", "test"},
        {"make -j2", "", "build"},
        {"gcc -c a.c", "", "build"},
        {"npm run build", "", "build"},
        {"npx eslint src", "", "lint"},
        {"git commit -m 'fix the test'", "", "git"},
        {"GIT push", "", "git"},
        {"pip install x", "", "install"},
        {"npm ci", "", "install"},
        {"python3 a.py", "", "script"},
        {"bash deploy.sh", "", "script"},
        {"ls -l", "", "execution"},
        {"docker pull postgres:latest", "", "execution"}, /* "latest" is no test. */
        {"echo attestation", "", "execution"},
        {"ls -l", "1 test failed", "execution"}, /* The command says it. */
        {"", "1 test failed", "test"},
        {" ", "compiling a.c", "build"},
        {"", "", "execution"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum failure_task task =
            failure_task_of(slice_of(rows[i].command), slice_of(rows[i].output));
        if (strcmp(failure_task_type(task), rows[i].type) != 0) {
            fail_msg("%s: %s", rows[i].command, failure_task_type(task));
        }
    }
}

static void
failure_routing_table(void **state)
{
    static const struct {
        enum failure_task task;
        const char *learner;
    } learners[] = {
        {FAILURE_TASK_TEST, "qa"},         {FAILURE_TASK_LINT, "qa"},
        {FAILURE_TASK_BUILD, "engineer"},  {FAILURE_TASK_INSTALL, "engineer"},
        {FAILURE_TASK_SCRIPT, "engineer"}, {FAILURE_TASK_GIT, "engineer"},
        {FAILURE_TASK_EXECUTE, "PM"},
    };
    static const struct {
        enum failure_error error;
        enum failure_task task;
        const char *category, *priority;
    } categories[] = {
        {FAILURE_ERROR_TEST, FAILURE_TASK_TEST, "Testing", "high"},
        {FAILURE_ERROR_SYNTAX, FAILURE_TASK_BUILD, "Code Quality", "critical"},
        {FAILURE_ERROR_TYPE, FAILURE_TASK_TEST, "Code Quality", "high"},
        {FAILURE_ERROR_IMPORT, FAILURE_TASK_TEST, "Dependencies", "critical"},
        {FAILURE_ERROR_MODULE, FAILURE_TASK_TEST, "Dependencies", "critical"},
        {FAILURE_ERROR_FILE_NOT_FOUND, FAILURE_TASK_SCRIPT, "File Management", "medium"},
        {FAILURE_ERROR_COMMAND, FAILURE_TASK_INSTALL, "Configuration", "medium"},
        {FAILURE_ERROR_EXCEPTION, FAILURE_TASK_BUILD, "Error Handling", "medium"},
        {FAILURE_ERROR_ERROR, FAILURE_TASK_BUILD, "Error Handling", "medium"},
        {FAILURE_ERROR_EXIT_CODE, FAILURE_TASK_BUILD, "Build Process", "medium"},
        {FAILURE_ERROR_EXIT_CODE, FAILURE_TASK_GIT, "Version Control", "medium"},
        {FAILURE_ERROR_EXIT_CODE, FAILURE_TASK_EXECUTE, "General", "medium"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof learners / sizeof learners[0]; i++) {
        CHECK_STR(failure_task_learner(learners[i].task), learners[i].learner);
    }
    for (size_t i = 0; i < sizeof categories / sizeof categories[0]; i++) {
        CHECK_STR(failure_category(categories[i].error, categories[i].task),
                  categories[i].category);
        CHECK_STR(failure_error_priority(categories[i].error), categories[i].priority);
    }
    CHECK_STR(failure_task_title(FAILURE_TASK_BUILD), "Build");
}

static void
text_is_cut_at_whole_characters(void **state)
{
    (void)state;
    CHECK(slice_is(failure_cut(SLICE("a\xc3\xa9z"), 2), "a\xc3\xa9"));
    CHECK(slice_is(failure_cut(SLICE("abc"), 9), "abc"));
    CHECK_INT(failure_cut(SLICE_NONE, 9).len, 0);
}

static void
files_are_found(void **state)
{
    static const struct {
        const char *text, *file;
        unsigned line;
    } rows[] = {
        {"src/a.c:12:3: error: x", "src/a.c", 12},
        {"  File \"lib/b.py\", line 7, in f", "lib/b.py", 7},
        {"FAILED tests/test_a.py::test_b", "tests/test_a.py", 0},
        {"error in main.rs", "main.rs", 0},
        {"version 1.2.3 of 4.5", "", 0},
        {"nothing here. Really", "", 0},
        {"", "", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned line;
        struct slice file = failure_file(slice_of(rows[i].text), &line);
        if (!slice_is(file, rows[i].file) || line != rows[i].line) {
            fail_msg("%s: %.*s %u", rows[i].text, (int)file.len, file.data, line);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_of_failure),
        cmocka_unit_test(the_line_is_told),
        cmocka_unit_test(tasks_are_matched_on_words),
        cmocka_unit_test(failure_routing_table),
        cmocka_unit_test(text_is_cut_at_whole_characters),
        cmocka_unit_test(files_are_found),
    };

    return CHECK_RUN(tests);
}
