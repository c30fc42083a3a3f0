/* markdown_lines_private.h -- what the files that read Markdown line by line share.
 *
 *   markdown_lines.c         lines, headings, lists, comments
 *   markdown_lines_fence.c   fences */
#ifndef TANDEM_MARKDOWN_LINES_PRIVATE_H
#define TANDEM_MARKDOWN_LINES_PRIVATE_H

#include "state/markdown_lines.h"

#define LIST_DEPTH 16u

struct mdl_scan {
    struct mdl_line *lines;
    size_t count;
    unsigned short content[LIST_DEPTH]; /* Columns at which the texts of open list items begin. */
    size_t depth;
    bool flat;       /* A nested reading of a fence has failed. */
    bool no_comment; /* A comment was not closed: "<!--" is text from here on. */
    unsigned unclosed;
};

struct mdl_fence {
    char mark; /* '`' or '~'; 0 if the line is no fence. */
    size_t len;
    struct slice info;
};

/* The columns before the first character of 'raw', tabs going to multiples of four, and in '*rest'
 * what follows, without blanks at the end. */
unsigned short mdl_indent_of(struct slice raw, struct slice *rest);
/* How often 'c' stands at the front of 'text'. */
size_t mdl_run_of(struct slice text, char c);

/* What fence 'text', a line without its indent, opens or ends. */
struct mdl_fence mdl_fence_of(struct slice text);
/* Marks the fence 'open' of line 'at', in a list item whose text begins at column 'floor'.  Returns
 * its last line. */
size_t mdl_take_fence(struct mdl_scan *s, size_t at, struct mdl_fence open, unsigned floor);

#endif
