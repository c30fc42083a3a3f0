/* text_diff.c -- the lines in which two texts differ. */
#include "server/text_diff.h"

#define CONTEXT 3u /* Lines shown around. */

/* The length of the line at 'at', with its end. */
static size_t
line_length(struct slice text, size_t at)
{
    const char *newline = memchr(text.data + at, '\n', text.len - at);

    return newline ? (size_t)(newline + 1 - (text.data + at)) : text.len - at;
}

static size_t
count_lines(struct slice text)
{
    size_t count = 0;

    for (size_t at = 0; at < text.len; at += line_length(text, at)) {
        count++;
    }
    return count;
}

/* Where the line 'line', from 0, begins. */
static size_t
line_at(struct slice text, size_t line)
{
    size_t at = 0;

    while (line-- > 0) {
        at += line_length(text, at);
    }
    return at;
}

static struct slice
get_line(struct slice text, size_t line)
{
    size_t at = line_at(text, line);

    return (struct slice){text.data + at, line_length(text, at)};
}

static void
add_lines(struct buf *out, char mark, struct slice text, size_t from, size_t to)
{
    size_t at = line_at(text, from);

    for (; from < to; from++) {
        size_t len = line_length(text, at);
        bool ended = text.data[at + len - 1] == '\n';

        buf_addc(out, mark);
        for (size_t i = 0; i < len - ended; i++) {
            unsigned char c = (unsigned char)text.data[at + i];
            bool last = i + 1 == len - ended;

            if (c == '\r' && last && ended) {
                continue;
            }
            buf_addc(out, (c < 0x20 && c != '\t') || c == 0x7F ? '?' : (char)c);
        }
        buf_adds(out, ended ? "\n" : "\n\\ no newline at the end\n");
        at += len;
    }
}

void
text_diff(struct buf *out, const char *name, struct slice before, struct slice after)
{
    size_t old_lines = count_lines(before), new_lines = count_lines(after);
    size_t least = old_lines < new_lines ? old_lines : new_lines, head = 0, tail = 0;
    size_t from, old_to, new_to, margin;

    if (slice_equal(before, after)) {
        return;
    }
    while (head < least && slice_equal(get_line(before, head), get_line(after, head))) {
        head++;
    }
    while (tail < least - head && slice_equal(get_line(before, old_lines - 1 - tail),
                                              get_line(after, new_lines - 1 - tail))) {
        tail++;
    }
    from = head > CONTEXT ? head - CONTEXT : 0;
    margin = tail < CONTEXT ? tail : CONTEXT;
    old_to = old_lines - tail;
    new_to = new_lines - tail;
    buf_addf(out, "--- %s\n+++ %s\n@@ -%zu,%zu +%zu,%zu @@\n", name, name,
             from + (old_to + margin > from), old_to + margin - from,
             from + (new_to + margin > from), new_to + margin - from);
    add_lines(out, ' ', before, from, head);
    add_lines(out, '-', before, head, old_to);
    add_lines(out, '+', after, head, new_to);
    add_lines(out, ' ', before, old_to, old_to + margin);
}
