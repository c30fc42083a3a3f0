/* markdown_effort.c -- one pass over the lines, which adds up what costs more than its length:
 *
 *   - a line is compared with each block that is open, hence depth times lines;
 *   - a row of a table looks through its cells for each cell, and what may be the line below its
 *     head through the paragraph before for each line of that;
 *   - "<?", "<!A" and "<![CDATA[" are each looked for an end of, through the rest of the paragraph;
 *   - a link looks at each "![" before it in the paragraph.
 *
 * What only the parser knows, where a paragraph ends or how deep a block is, is bounded from above:
 * a paragraph by blank lines, the depth by indentation and markers since the last line that stands
 * by itself at the margin.  The factors are what each cost, measured, in steps. */
#include "state/markdown_effort.h"

#include <ctype.h>
#include <stdbool.h>

#define STEPS_DEPTH 8u
#define STEPS_CELL 2u
#define STEPS_LINK 3u
#define BYTES_A_STEP 4u /* Of those that are looked through for an end. */

struct tally {
    uint64_t effort;
    uint64_t depth;               /* Of the blocks that may be open. */
    bool blank;                   /* The last line was. */
    uint64_t bytes, lines;        /* Of the paragraph: */
    uint64_t open, images, links; /* what begins something, in it. */
};

/* The length of the marker of a quote or list item at 'i'; 0 if there is none. */
static size_t
marker(struct slice line, size_t i)
{
    size_t digits = 0;

    if (line.data[i] == '>' || line.data[i] == '-' || line.data[i] == '+' || line.data[i] == '*') {
        return 1;
    }
    while (i + digits < line.len && isdigit((unsigned char)line.data[i + digits])) {
        digits++;
    }
    return digits && i + digits < line.len && strchr(".)", line.data[i + digits]) ? digits + 1 : 0;
}

static void
take_depth(struct tally *t, struct slice line)
{
    uint64_t markers = 0, blanks = 0;
    size_t i = 0, len;

    while (i < line.len) {
        if (line.data[i] == ' ' || line.data[i] == '\t') {
            blanks += line.data[i] == '\t' ? 4 : 1;
            i++;
        } else if ((len = marker(line, i)) != 0) {
            markers++;
            i += len;
        } else {
            break;
        }
    }
    if (i == line.len && !markers) {
        t->blank = true;
    } else {
        uint64_t most = markers + blanks / 2;

        if (t->blank && most == 0) {
            t->depth = 0;
        }
        t->depth = most > t->depth ? most : t->depth;
        t->blank = false;
    }
    t->effort += STEPS_DEPTH * t->depth;
}

static void
end_paragraph(struct tally *t)
{
    t->effort += t->open * t->bytes / BYTES_A_STEP + STEPS_LINK * t->images * t->links;
    t->bytes = t->lines = t->open = t->images = t->links = 0;
}

/* Whether it may be the line below the head of a table: bars, colons and dashes. */
static bool
divides(struct slice line)
{
    bool dash = false, mark = false;

    for (size_t i = 0; i < line.len; i++) {
        char c = line.data[i];

        dash = dash || c == '-';
        mark = mark || c == '|' || c == ':';
        if (c != '-' && c != '|' && c != ':' && c != '>' && !isspace((unsigned char)c)) {
            return false;
        }
    }
    return dash && mark;
}

static void
take_text(struct tally *t, struct slice line)
{
    uint64_t pipes = 0;

    for (size_t i = 0; i < line.len; i++) {
        char next = i + 1 < line.len ? line.data[i + 1] : '\0';
        char after = i + 2 < line.len ? line.data[i + 2] : '\0';

        switch (line.data[i]) {
        case '|':
            pipes++;
            break;
        case '<':
            t->open +=
                next == '?' || (next == '!' && (after == '[' || isupper((unsigned char)after)));
            break;
        case '!':
            t->images += next == '[';
            break;
        case ']':
            t->links += next == '(' || next == '[';
            break;
        default:
            break;
        }
    }
    t->effort +=
        STEPS_CELL * pipes * pipes + (divides(line) ? t->lines * t->bytes / BYTES_A_STEP : 0);
    t->bytes += line.len + 1;
    t->lines++;
}

/* Takes the next line off 'text', which is not empty, and returns it without its end. */
static struct slice
next_line(struct slice *text)
{
    struct slice line = {text->data, 0};
    size_t end;

    while (line.len < text->len && text->data[line.len] != '\n' && text->data[line.len] != '\r') {
        line.len++;
    }
    end = line.len + (line.len < text->len);
    if (end < text->len && text->data[end - 1] == '\r' && text->data[end] == '\n') {
        end++;
    }
    *text = (struct slice){text->data + end, text->len - end};
    return line;
}

uint64_t
markdown_effort(struct slice text)
{
    struct tally t = {.blank = true};

    while (text.len && t.effort <= MARKDOWN_EFFORT_MAX) {
        struct slice line = next_line(&text);

        take_depth(&t, line);
        if (t.blank) {
            end_paragraph(&t);
        } else {
            take_text(&t, line);
        }
    }
    end_paragraph(&t);
    return t.effort;
}
