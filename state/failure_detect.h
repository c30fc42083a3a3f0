/* failure_detect.h -- whether what a tool said is a failure, of which kind, and what it was doing.
 *
 * By plain words, line by line, without regular expressions.  Pure; any thread. */
#ifndef TANDEM_FAILURE_DETECT_H
#define TANDEM_FAILURE_DETECT_H

#include "state/base/mem.h"

/* Kinds of failure, in the order in which they are looked for: of several the first one here is
 * it.  The last two have no words of their own. */
/* clang-format off */
#define FAILURE_ERRORS(ROW)                                                                       \
    /*  name,            type,               priority,   category           */                    \
    ROW(SYNTAX,          "syntax-error",     "critical", "Code Quality")                          \
    ROW(TYPE,            "type-error",       "high",     "Code Quality")                          \
    ROW(IMPORT,          "import-error",     "critical", "Dependencies")                          \
    ROW(MODULE,          "module-not-found", "critical", "Dependencies")                          \
    ROW(FILE_NOT_FOUND,  "file-not-found",   "medium",   "File Management")                       \
    ROW(TEST,            "test-failure",     "high",     "Testing")                               \
    ROW(EXCEPTION,       "exception",        "medium",   "Error Handling")                        \
    ROW(COMMAND,         "command-error",    "medium",   "Configuration")                         \
    ROW(ERROR,           "error",            "medium",   "Error Handling")                        \
    ROW(EXIT_CODE,       "exit-code",        "medium",   "")  /* By what it was doing. */         \
    ROW(NONE,            "none",             "medium",   "")

/* What a tool was doing, in the order in which words for it are looked for. */
#define FAILURE_TASKS(ROW)                                 \
    /*  name,    type,        title,       learns     */   \
    ROW(TEST,    "test",      "Test",      "qa")           \
    ROW(BUILD,   "build",     "Build",     "engineer")     \
    ROW(LINT,    "lint",      "Lint",      "qa")           \
    ROW(GIT,     "git",       "Git",       "engineer")     \
    ROW(INSTALL, "install",   "Install",   "engineer")     \
    ROW(SCRIPT,  "script",    "Script",    "engineer")     \
    ROW(EXECUTE, "execution", "Execution", "PM")
/* clang-format on */

enum failure_error {
#define ROW(NAME, ...) FAILURE_ERROR_##NAME,
    FAILURE_ERRORS(ROW)
#undef ROW
        FAILURE_ERROR_COUNT
};
enum failure_task {
#define ROW(NAME, ...) FAILURE_TASK_##NAME,
    FAILURE_TASKS(ROW)
#undef ROW
        FAILURE_TASK_COUNT
};

/* Names, borrowed for ever. */
const char *failure_error_type(enum failure_error error);
const char *failure_error_priority(enum failure_error error);
const char *failure_task_type(enum failure_task task);
const char *failure_task_title(enum failure_task task);
/* Who is to learn from it, if its context does not say. */
const char *failure_task_learner(enum failure_task task);
/* "Testing", "Build Process", ..., "General". */
const char *failure_category(enum failure_error error, enum failure_task task);

/* The kind of failure, or FAILURE_ERROR_NONE, and in '*line' the line that says so (without blanks
 * around it), part of 'output'; of one that only its exit code tells the last line that is not
 * empty. */
enum failure_error failure_detect(struct slice output, int64_t exit_code, struct slice *line);
/* From the command if there is one, else from what it said. */
enum failure_task failure_task_of(struct slice command, struct slice output);
/* The first 'count' characters of UTF-8 'text'. */
struct slice failure_cut(struct slice text, size_t count);
/* The first file that is named in 'text', as "src/a.c" in "src/a.c:12:3: ..." or "File
 * \"src/a.py\", line 12", part of 'text', and the line in it, 0 if none; empty if there is none. */
struct slice failure_file(struct slice text, unsigned *line);

#endif
