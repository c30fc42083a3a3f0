/* yaml_strict.c -- refuses what libyaml takes although YAML 1.2 does not, or reads otherwise.
 *
 * Works on the bytes and on where scalars begin and end.  Found with the YAML test suite. */
#include "state/yaml_private.h"

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool
is_space_at(struct slice text, size_t at)
{
    return at >= text.len || is_blank(text.data[at]) || text.data[at] == '\n' ||
           text.data[at] == '\r';
}

static struct yaml_complaint
complain(size_t at, const char *what)
{
    return (struct yaml_complaint){at, what};
}

static const struct yaml_complaint fine = {0, NULL};

/* The end of the line that holds byte 'at', its newline not included. */
static size_t
line_end(struct slice text, size_t at)
{
    const char *end = at < text.len ? memchr(text.data + at, '\n', text.len - at) : NULL;

    return end ? (size_t)(end - text.data) : text.len;
}

/* How many of the bytes from 'at' to the end of its line are blanks. */
static size_t
count_spaces(struct slice text, size_t at)
{
    size_t n = 0;

    while (at + n < text.len && text.data[at + n] == ' ') {
        n++;
    }
    return n;
}

static bool
line_is_blank(struct slice text, size_t at)
{
    size_t end = line_end(text, at);

    while (at < end && (is_blank(text.data[at]) || text.data[at] == '\r')) {
        at++;
    }
    return at == end;
}

struct yaml_complaint
yaml_check_continuation(struct slice text, size_t start, size_t end, long indent, bool flow)
{
    for (size_t at = line_end(text, start) + 1; at < end; at = line_end(text, at) + 1) {
        size_t spaces = count_spaces(text, at);
        char c = at + spaces < text.len ? text.data[at + spaces] : '\0';
        bool closes = flow && (c == ']' || c == '}' || c == '#');
        if (!line_is_blank(text, at) && (long)spaces <= indent &&
            !(closes && (c == '#' || (long)spaces == indent))) {
            return complain(at, "a continued line must be indented deeper than what it belongs to");
        }
    }
    return fine;
}

struct yaml_complaint
yaml_check_anchor(struct slice text, size_t at, const char *name, bool scalar)
{
    size_t after = at + 1 + strlen(name);
    size_t next = after;

    if (!is_space_at(text, after) && !strchr(",]}", text.data[after])) {
        return complain(after, "an anchor's name may hold letters, digits, '_' and '-' only");
    }
    while (scalar && next < text.len && is_space_at(text, next)) {
        next++;
    }
    return scalar && next < text.len && text.data[next] == '#'
               ? complain(next, "a comment between an anchor and its text")
               : fine;
}

struct yaml_complaint
yaml_check_block(struct slice text, size_t start, size_t end)
{
    size_t at = start, most = 0;
    bool explicit_indent = false;

    while (at < end && strchr("|>+-0123456789", text.data[at])) {
        explicit_indent = explicit_indent || (text.data[at] >= '0' && text.data[at] <= '9');
        at++;
    }
    if (!is_space_at(text, at)) {
        return complain(at, "a blank is missing after the sign that opens a block of text");
    }
    for (at = line_end(text, at) + 1; at < text.len && line_is_blank(text, at);
         at = line_end(text, at) + 1) {
        size_t spaces = count_spaces(text, at);
        most = spaces > most ? spaces : most;
        if (line_end(text, at) == text.len && spaces) {
            return complain(at, "blanks in the last line of a block of text");
        }
    }
    if (!explicit_indent && at < text.len && count_spaces(text, at) < most) {
        return complain(at, "a blank line above is longer than this line's indentation");
    }
    if (end == text.len && end > 0 && text.data[end - 1] == ' ') {
        while (end > start && text.data[end - 1] == ' ') {
            end--;
        }
        if (text.data[end - 1] == '\n') {
            return complain(end, "blanks in the last line of a block of text");
        }
    }
    return fine;
}

/* Looks at one line's part from 'at' to 'end', which no scalar covers.  '*prefix' is true while
 * only indentation and indicators came, '*tab' where a tab was among them. */
static struct yaml_complaint
check_gap(struct slice text, size_t at, size_t end, bool *prefix, size_t *tab)
{
    for (; at < end; at++) {
        char c = text.data[at];
        if (c == '#') {
            bool apart = at == 0 || is_space_at(text, at - 1);
            *prefix = false;
            return apart ? fine : complain(at, "a blank is missing before the comment");
        }
        if (c == '?' && !is_space_at(text, at + 1)) {
            return complain(at, "a blank is missing after '?'");
        }
        if (c == '\t' && *prefix && *tab == SIZE_MAX) {
            *tab = at;
        }
        if (!strchr(" \t-?:\r", c)) {
            if (*prefix && *tab != SIZE_MAX) {
                return complain(*tab, "a tab in the indentation; use blanks");
            }
            *prefix = false;
        }
    }
    return fine;
}

struct yaml_complaint
yaml_check_gaps(struct slice text, const struct yaml_span *spans, size_t count)
{
    size_t at = 0, next = 0;

    while (at < text.len) {
        bool prefix = at == 0 || text.data[at - 1] == '\n';
        size_t tab = SIZE_MAX;
        size_t end = line_end(text, at);
        size_t stop = next < count && spans[next].start < end ? spans[next].start : end;
        struct yaml_complaint c = check_gap(text, at, stop, &prefix, &tab);
        bool comment = c.text == NULL && memchr(text.data + at, '#', stop - at) != NULL;

        if (!c.text && stop < end && prefix && tab != SIZE_MAX) {
            c = complain(tab, "a tab in the indentation; use blanks");
        }
        if (c.text) {
            return c;
        }
        if (stop < end && !comment) {
            at = spans[next].end > stop ? spans[next].end : stop;
            next++;
            /* A plain empty scalar covers nothing; others on its place follow. */
            continue;
        }
        at = end + 1;
    }
    return fine;
}
