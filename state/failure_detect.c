/* failure_detect.c -- words that tell of failures, and of what was being done.
 *
 * A word is a run of letters and digits: "latest" is no test, "run_tests.sh" is one.  That a line
 * counts failures does not make it one: "0 failed" is a success. */
#include "state/failure_detect.h"

#include <ctype.h>

static const struct {
    const char *type, *priority, *category;
} errors[FAILURE_ERROR_COUNT] = {
#define ROW(NAME, TYPE, PRIORITY, CATEGORY) {TYPE, PRIORITY, CATEGORY},
    FAILURE_ERRORS(ROW)
#undef ROW
};

static const struct {
    const char *type, *title, *learner;
} tasks[FAILURE_TASK_COUNT] = {
#define ROW(NAME, TYPE, TITLE, LEARNER) {TYPE, TITLE, LEARNER},
    FAILURE_TASKS(ROW)
#undef ROW
};

/* Words that tell what is being done; more than one between blanks. */
static const char *const task_words[FAILURE_TASK_COUNT] = {
    [FAILURE_TASK_TEST] = "test tests testing tested pytest unittest unittests jest mocha vitest "
                          "ctest tox rspec phpunit cmocka gtest",
    [FAILURE_TASK_BUILD] = "build builds building compile compiles compiling compilation make "
                           "cmake ninja gcc clang cc tsc webpack gradle mvn bazel",
    [FAILURE_TASK_LINT] = "lint linter linting eslint pylint flake8 ruff mypy clippy shellcheck "
                          "prettier stylelint",
    [FAILURE_TASK_GIT] = "git",
    [FAILURE_TASK_INSTALL] = "install installs installing installation pip pip3 npm yarn pnpm apt "
                             "brew",
    [FAILURE_TASK_SCRIPT] = "script scripts python python3 node bash sh perl ruby py js",
    [FAILURE_TASK_EXECUTE] = "",
};

const char *
failure_error_type(enum failure_error error)
{
    return errors[error].type;
}

const char *
failure_error_priority(enum failure_error error)
{
    return errors[error].priority;
}

const char *
failure_task_type(enum failure_task task)
{
    return tasks[task].type;
}

const char *
failure_task_title(enum failure_task task)
{
    return tasks[task].title;
}

const char *
failure_task_learner(enum failure_task task)
{
    return tasks[task].learner;
}

const char *
failure_category(enum failure_error error, enum failure_task task)
{
    if (*errors[error].category) {
        return errors[error].category;
    }
    switch (task) {
    case FAILURE_TASK_BUILD:
        return "Build Process";
    case FAILURE_TASK_GIT:
        return "Version Control";
    default:
        return "General";
    }
}

/* ---- Words ---- */

static bool
is_word(char c)
{
    return isalnum((unsigned char)c);
}

/* Where 'word' (lower case) is in 'text', from 'from', whatever its case; -1 if nowhere. */
static long
find(struct slice text, const char *word, size_t from)
{
    size_t len = strlen(word);

    for (size_t i = from; i + len <= text.len; i++) {
        size_t n = 0;
        while (n < len && tolower((unsigned char)text.data[i + n]) == (unsigned char)word[n]) {
            n++;
        }
        if (n == len) {
            return (long)i;
        }
    }
    return -1;
}

/* Whether 'word' ends where a word ends; with 'whole' it begins where one does, too. */
static long
find_word(struct slice text, const char *word, bool whole)
{
    size_t len = strlen(word);
    long at = -1;

    while ((at = find(text, word, (size_t)(at + 1))) >= 0) {
        size_t end = (size_t)at + len;
        if ((end == text.len || !is_word(text.data[end])) &&
            (!whole || at == 0 || !is_word(text.data[at - 1]))) {
            break;
        }
    }
    return at;
}

static struct slice
trim(struct slice s)
{
    while (s.len && isspace((unsigned char)s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len && isspace((unsigned char)s.data[s.len - 1])) {
        s.len--;
    }
    return s;
}

/* The next line of '*rest', trimmed; false at the end. */
static bool
next_line(struct slice *rest, struct slice *line)
{
    const char *end;

    if (rest->len == 0) {
        return false;
    }
    end = memchr(rest->data, '\n', rest->len);
    *line = (struct slice){rest->data, end ? (size_t)(end - rest->data) : rest->len};
    rest->data += line->len + (end != NULL);
    rest->len -= line->len + (end != NULL);
    *line = trim(*line);
    return true;
}

/* ---- Lines that tell of failed tests ---- */

/* The next word of '*rest', past all that is none. */
static struct slice
next_word(struct slice *rest)
{
    struct slice word;

    while (rest->len && !is_word(rest->data[0])) {
        rest->data++;
        rest->len--;
    }
    word = (struct slice){rest->data, 0};
    while (rest->len && is_word(rest->data[0])) {
        word.len++;
        rest->data++;
        rest->len--;
    }
    return word;
}

static bool
word_is(struct slice word, const char *text)
{
    return word.len == strlen(text) && find(word, text, 0) == 0;
}

static bool
is_number(struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (!isdigit((unsigned char)word.data[i])) {
            return false;
        }
    }
    return word.len > 0;
}

static bool
is_zero(struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (word.data[i] != '0') {
            return false;
        }
    }
    return word.len > 0;
}

static bool
has_cross(struct slice line)
{
    static const char *const crosses[] = {"\xe2\x9c\x97", "\xe2\x9c\x98", "\xe2\x9d\x8c",
                                          "\xe2\x9c\x96", "\xc3\x97"};

    for (size_t i = 0; i < sizeof crosses / sizeof crosses[0]; i++) {
        if (find(line, crosses[i], 0) >= 0) {
            return true;
        }
    }
    return false;
}

/* "n failed", "n tests failed": 1 if n is more than nothing, 0 if it is nothing, -1 if no number
 * stands there. */
static int
counts_failed(struct slice line)
{
    struct slice rest = line, word, before = SLICE_NONE, last = SLICE_NONE;
    int found = -1;

    while ((word = next_word(&rest)).len > 0) {
        if (word_is(word, "failed")) {
            struct slice number = is_number(last) ? last : SLICE_NONE;
            if (!number.len && is_number(before) &&
                (find(last, "test", 0) == 0 || find(last, "check", 0) == 0 ||
                 find(last, "spec", 0) == 0 || find(last, "suite", 0) == 0 ||
                 find(last, "assert", 0) == 0)) {
                number = before;
            }
            if (number.len && !is_zero(number)) {
                return 1;
            }
            found = number.len ? 0 : found;
        }
        before = last;
        last = word;
    }
    return found;
}

/* "FAILED x", "[  FAILED  ] x", but neither "failed: 0" nor "failed to ...". */
static bool
begins_failed(struct slice line)
{
    struct slice rest = line, first = next_word(&rest), next = next_word(&rest);

    return word_is(first, "failed") && next.len > 0 && !is_zero(next) && !word_is(next, "to");
}

static bool
is_test_failure(struct slice line)
{
    int counted = counts_failed(line);

    if (counted >= 0) {
        return counted > 0;
    }
    return begins_failed(line) || (has_cross(line) && find_word(line, "failed", true) >= 0);
}

/* "Exception: x", "java.io.IOException: x", "Exception in thread ...": not any word on exceptions.
 */
static bool
is_exception(struct slice line)
{
    long at = find_word(line, "exception", false);
    struct slice rest;

    if (at < 0) {
        return false;
    }
    rest = trim((struct slice){line.data + at + 9, line.len - (size_t)at - 9});
    return rest.len == 0 || rest.data[0] == ':' || find(rest, "in thread", 0) == 0;
}

static enum failure_error
kind_of_line(struct slice line)
{
    static const struct {
        const char *word;
        enum failure_error error;
    } names[] = {
        {"syntaxerror", FAILURE_ERROR_SYNTAX},
        {"typeerror", FAILURE_ERROR_TYPE},
        {"importerror", FAILURE_ERROR_IMPORT},
        {"modulenotfounderror", FAILURE_ERROR_MODULE},
        {"filenotfounderror", FAILURE_ERROR_FILE_NOT_FOUND},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (find_word(line, names[i].word, true) >= 0) {
            return names[i].error;
        }
    }
    if (is_test_failure(line)) {
        return FAILURE_ERROR_TEST;
    }
    if (is_exception(line)) {
        return FAILURE_ERROR_EXCEPTION;
    }
    if (find_word(line, "command failed", true) >= 0) {
        return FAILURE_ERROR_COMMAND;
    }
    return find(line, "error:", 0) >= 0 ? FAILURE_ERROR_ERROR : FAILURE_ERROR_NONE;
}

enum failure_error
failure_detect(struct slice output, int64_t exit_code, struct slice *line)
{
    enum failure_error best = FAILURE_ERROR_NONE;
    struct slice rest = output, each, last = {output.data, 0};

    *line = last;
    while (next_line(&rest, &each)) {
        enum failure_error error = kind_of_line(each);
        if (error < best) {
            best = error;
            *line = each;
        }
        last = each.len ? each : last;
    }
    if (best == FAILURE_ERROR_NONE && exit_code != 0) {
        best = FAILURE_ERROR_EXIT_CODE;
        *line = last;
    }
    return best;
}

/* ---- What was being done ---- */

static bool
is_among(struct slice word, const char *words)
{
    size_t at = 0, len = strlen(words);

    while (at < len) {
        size_t n = strcspn(words + at, " ");
        size_t i = 0;
        while (i < n && i < word.len && tolower((unsigned char)word.data[i]) == words[at + i]) {
            i++;
        }
        if (i == n && n == word.len) {
            return true;
        }
        at += n + 1;
    }
    return false;
}

static enum failure_task
task_in(struct slice text)
{
    enum failure_task best = FAILURE_TASK_EXECUTE;
    struct slice rest = text, word;

    while ((word = next_word(&rest)).len > 0) {
        for (int i = 0; i < (int)best; i++) {
            if (is_among(word, task_words[i])) {
                best = (enum failure_task)i;
            }
        }
    }
    return best;
}

enum failure_task
failure_task_of(struct slice command, struct slice output)
{
    struct slice rest = command, first;

    command = trim(command);
    if (command.len == 0) {
        return task_in(output);
    }
    first = next_word(&rest);
    if (word_is(first, "git")) {
        return FAILURE_TASK_GIT; /* Whatever the commit's message says. */
    }
    return task_in(command);
}

/* ---- Text ---- */

struct slice
failure_cut(struct slice text, size_t count)
{
    size_t at = 0;

    while (at < text.len && count > 0) {
        at++;
        while (at < text.len && ((unsigned char)text.data[at] & 0xc0) == 0x80) {
            at++;
        }
        count--;
    }
    return (struct slice){text.data, at};
}

static bool
is_path_char(char c)
{
    return is_word(c) || c == '/' || c == '_' || c == '-' || c == '.' || c == '+' || c == '@';
}

/* Whether it ends as a file does: a dot, then a few letters or digits. */
static bool
is_file(struct slice token)
{
    size_t tail = 0;

    while (tail < token.len && is_word(token.data[token.len - 1 - tail])) {
        tail++;
    }
    return tail >= 1 && tail <= 5 && tail + 1 < token.len &&
           token.data[token.len - 1 - tail] == '.' && is_word(token.data[token.len - 2 - tail]) &&
           isalpha((unsigned char)token.data[token.len - tail]);
}

/* The number after ":" or ", line ". */
static unsigned
line_after(struct slice rest)
{
    static const char spelled[] = "\", line ";
    unsigned line = 0;
    size_t at = 0;

    if (rest.len && rest.data[0] == ':') {
        at = 1;
    } else if (rest.len > sizeof spelled && find(rest, spelled, 0) == 0) {
        at = sizeof spelled - 1;
    }
    for (; at > 0 && at < rest.len && isdigit((unsigned char)rest.data[at]) && line < 100000000;
         at++) {
        line = line * 10 + (unsigned)(rest.data[at] - '0');
    }
    return line;
}

struct slice
failure_file(struct slice text, unsigned *line)
{
    size_t at = 0;

    *line = 0;
    while (at < text.len) {
        struct slice token = {text.data + at, 0};
        while (at + token.len < text.len && is_path_char(token.data[token.len])) {
            token.len++;
        }
        if (is_file(token)) {
            size_t end = at + token.len;
            *line = line_after((struct slice){text.data + end, text.len - end});
            return token;
        }
        at += token.len + 1;
    }
    return (struct slice){text.data, 0};
}
