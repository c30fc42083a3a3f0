/* workflow_validators_output.c -- what the output of a command tells: success, or an error.
 *
 * Word by word, so that "unsuccessful" is no success and "test_error_handling" no error; a word is
 * taken back by a "no", "not" or "0" before it, or a 0 after it. */
#include "state/workflow_validators_private.h"

#include <ctype.h>

struct word {
    char text[24]; /* In lower case; longer words are cut, and then match nothing. */
    size_t end;    /* Byte behind it. */
};

static bool
is_word_byte(unsigned char c)
{
    return isalnum(c) || c == '_' || c >= 0x80;
}

/* The next word from '*at' on; false at the end. */
static bool
next_word(struct slice s, size_t *at, struct word *w)
{
    size_t len = 0;

    while (*at < s.len && !is_word_byte((unsigned char)s.data[*at])) {
        (*at)++;
    }
    if (*at == s.len) {
        return false;
    }
    for (; *at < s.len && is_word_byte((unsigned char)s.data[*at]); (*at)++) {
        if (len < sizeof w->text - 1) {
            w->text[len++] = (char)tolower((unsigned char)s.data[*at]);
        }
    }
    w->text[len] = '\0';
    w->end = *at;
    return true;
}

static bool
one_of(const char *text, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(text, *list) == 0) {
            return true;
        }
    }
    return false;
}

/* True if a count of 0 follows: ": 0", "=0". */
static bool
zero_follows(struct slice s, size_t at)
{
    while (at < s.len && (s.data[at] == ' ' || s.data[at] == '\t')) {
        at++;
    }
    if (at == s.len || (s.data[at] != ':' && s.data[at] != '=')) {
        return false;
    }
    at++;
    while (at < s.len && (s.data[at] == ' ' || s.data[at] == '\t')) {
        at++;
    }
    return at < s.len && s.data[at] == '0' &&
           (at + 1 == s.len || !(isalnum((unsigned char)s.data[at + 1]) || s.data[at + 1] == '.'));
}

static bool
has_sign(struct slice s, const char *const *signs)
{
    for (; *signs; signs++) {
        if (s.len && memmem(s.data, s.len, *signs, strlen(*signs))) {
            return true;
        }
    }
    return false;
}

/* True if one of 'markers' is in 's' and not taken back. */
static bool
has_marker(struct slice s, const char *const *markers)
{
    static const char *const takes_back[] = {"0",     "no",  "not",  "zero", "without",
                                             "never", "non", "none", NULL};
    struct word word, before = {.text = ""};
    size_t at = 0;

    while (next_word(s, &at, &word)) {
        if (one_of(word.text, markers) && !one_of(before.text, takes_back) &&
            !zero_follows(s, word.end)) {
            return true;
        }
        before = word;
    }
    return false;
}

bool
output_tells_success(struct slice text)
{
    static const char *const markers[] = {
        "success", "successful", "successfully", "succeeded", "succeeds", "passed",
        "passes",  "pass",       "passing",      "ok",        NULL};
    /* Ticks: U+2713, U+2714, U+2705. */
    static const char *const signs[] = {"\xE2\x9C\x93", "\xE2\x9C\x94", "\xE2\x9C\x85", NULL};

    return has_sign(text, signs) || has_marker(text, markers);
}

bool
output_tells_error(struct slice text)
{
    static const char *const markers[] = {
        "error", "errors",   "failed",    "failure",    "failures",  "fail",
        "fails", "failing",  "exception", "exceptions", "traceback", "fatal",
        "panic", "panicked", "segfault",  "aborted",    NULL};
    /* Crosses: U+2717, U+2718, U+274C. */
    static const char *const signs[] = {"\xE2\x9C\x97", "\xE2\x9C\x98", "\xE2\x9D\x8C", NULL};

    return has_sign(text, signs) || has_marker(text, markers);
}
