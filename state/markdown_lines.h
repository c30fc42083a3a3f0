/* markdown_lines.h -- Markdown line by line: what each line is, and which lines are code.
 *
 * Task lists and task files are read by people and written by agents, so their structure is the one
 * that a line shows: heading, list item, box, text.  This module tells that much and no more; it
 * knows fences, so that a sample is never taken for structure, and the columns of lists, so that
 * "below this label" can be decided.  Pure; any thread. */
#ifndef TANDEM_MARKDOWN_LINES_H
#define TANDEM_MARKDOWN_LINES_H

#include "state/base/err.h"
#include "state/base/mem.h"

/* A file of more lines is refused: 48 bytes are kept for each. */
#define MDL_LINES_MAX 200000u

enum mdl_kind {
    MDL_BLANK,     /* Also the underline of a heading. */
    MDL_HEADING,   /* 'level', 'text'. */
    MDL_ITEM,      /* List item: 'indent' of its marker, 'box', 'text' after both. */
    MDL_TEXT,      /* Paragraph or table line: 'indent', 'text' trimmed. */
    MDL_BREAK,     /* Thematic break. */
    MDL_FENCE,     /* Opening line of a fence: 'text' is its info string. */
    MDL_CODE,      /* Between the fences. */
    MDL_FENCE_END, /* Closing line of a fence. */
    MDL_COMMENT,   /* A line of an HTML comment. */
};

struct mdl_line {
    unsigned char kind;    /* enum mdl_kind. */
    unsigned char level;   /* Of a heading, 1 to 6. */
    char box;              /* Of an item: 0 without, ' ' open, 'x' ticked. */
    unsigned short indent; /* Columns before marker or text; 0 for text that is in no list. */
    unsigned number;       /* From 1. */
    struct slice raw;      /* The line without its end. */
    struct slice text;
};

struct mdl_lines {
    struct mdl_line *lines; /* Owned; the slices are borrowed from the text that was read. */
    size_t count;
    unsigned unclosed; /* Line of a fence that runs to the end of the text; 0 if none does. */
};
#define MDL_LINES_INIT \
    {                  \
        .lines = NULL  \
    }

/* Splits and classifies 'text', which must outlive 'md'.  Linear.  A fence with an info string
 * inside a fence of kind markdown is a nested one, as long as both are closed; all else is as in
 * CommonMark. E_REFUSED, with its line, for a NUL or for what is not UTF-8; E_TOO_LARGE for more
 * than MDL_LINES_MAX lines; E_LIMIT without memory. */
enum err mdl_lines_read(struct mdl_lines *md, struct slice text, struct fault *f);
void mdl_lines_fini(struct mdl_lines *md);

/* 'text' without blanks at both ends. */
struct slice mdl_trim(struct slice text);
/* 'text' without emphasis marks and blanks around the whole of it: "**Name**" gives "Name". */
struct slice mdl_unmark(struct slice text);
/* Skips what decorates the front of a line: emoji, other symbols outside ASCII, variation
 * selectors, and blanks.  Letters of any script stay. */
struct slice mdl_skip_symbols(struct slice text);

#endif
