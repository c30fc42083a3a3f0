/* json_place.c -- see json_place.h.  No recursion: values that are not on the path are skipped by
 * counting brackets, which is enough in a text that is known to be valid. */
#include "state/json_place.h"

#include <stdbool.h>

struct reader {
    struct slice text;
    size_t at;
};

static char
peek(const struct reader *r)
{
    return r->at < r->text.len ? r->text.data[r->at] : '\0';
}

static void
skip_blanks(struct reader *r)
{
    while (r->at < r->text.len && strchr(" \t\r\n", r->text.data[r->at]) && r->text.data[r->at]) {
        r->at++;
    }
}

/* Skips the string that begins here.  Returns what is between its quotes. */
static struct slice
skip_string(struct reader *r)
{
    size_t begin = ++r->at;
    struct slice inside;

    while (r->at < r->text.len && r->text.data[r->at] != '"') {
        r->at += r->text.data[r->at] == '\\' ? 2 : 1;
    }
    if (r->at > r->text.len) {
        r->at = r->text.len;
    }
    inside = (struct slice){r->text.data + begin, r->at - begin};
    r->at += r->at < r->text.len;
    return inside;
}

static void
skip_value(struct reader *r)
{
    size_t depth = 0;

    do {
        char c = peek(r);

        if (c == '"') {
            (void)skip_string(r);
        } else {
            depth += c == '{' || c == '[';
            depth -= depth > 0 && (c == '}' || c == ']');
            r->at++;
        }
        if (depth == 0) {
            while (r->at < r->text.len && !strchr(",]} \t\r\n:", peek(r))) {
                r->at++;
            }
        }
    } while (depth > 0 && r->at < r->text.len);
}

/* Goes from the value at the reader to its child 'name'.  False, and stays, if it has none. */
static bool
enter(struct reader *r, struct slice name)
{
    size_t stay = r->at, index = 0, want = 0;
    bool object = peek(r) == '{';

    if (!object && peek(r) != '[') {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        want = name.data[i] >= '0' && name.data[i] <= '9' && want < 1000000000
                   ? want * 10 + (size_t)(name.data[i] - '0')
                   : 1000000000;
    }
    r->at++;
    for (;; index++) {
        bool found = index == want;

        skip_blanks(r);
        if (r->at >= r->text.len || peek(r) == '}' || peek(r) == ']') {
            break;
        }
        if (object) {
            found = slice_equal(skip_string(r), name);
            skip_blanks(r);
            r->at++;
            skip_blanks(r);
        }
        if (found) {
            return true;
        }
        skip_value(r);
        skip_blanks(r);
        if (peek(r) != ',') {
            break;
        }
        r->at++;
    }
    r->at = stay;
    return false;
}

struct json_place
json_place(struct slice text, const char *path)
{
    struct reader r = {.text = text};
    struct json_place place = {1, 1};

    skip_blanks(&r);
    while (*path == '/') {
        size_t len = strcspn(++path, "/");

        if (!enter(&r, (struct slice){path, len})) {
            break;
        }
        path += len;
    }
    for (size_t i = 0; i < r.at; i++) {
        if (text.data[i] == '\n') {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)text.data[i] & 0xC0) != 0x80) {
            place.column++;
        }
    }
    return place;
}
