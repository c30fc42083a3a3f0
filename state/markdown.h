/* markdown.h -- Markdown structure as a flat, immutable list of blocks with their lines.
 *
 * The one place that knows cmark-gfm.  Fences, quotes and HTML are recognised as such, so that
 * nothing inside them is taken for a heading, a box or a table.  Pure; any thread. */
#ifndef TANDEM_MARKDOWN_H
#define TANDEM_MARKDOWN_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdbool.h>

enum md_kind {
    MD_HEADING,   /* 'level' 1 to 6. */
    MD_PARAGRAPH, /* Outside a list item's first line. */
    MD_ITEM,      /* A list item; 'text' is that of its first paragraph. */
    MD_ROW,       /* One row of a table: its cells follow.  'head' tells the header row. */
    MD_CELL,
    MD_CODE /* A fenced or indented sample; 'text' is its content, 'info' its language. */
};

enum md_box { MD_NO_BOX, MD_OPEN, MD_TICKED };

struct md_block {
    enum md_kind kind;
    unsigned line, end_line; /* From 1, inclusive. */
    unsigned level;          /* Headings: 1 to 6.  Items: nesting, from 1. */
    unsigned table;          /* Rows and cells: number of the table, from 1. */
    bool head;               /* Rows and cells of a table's header. */
    bool quoted;             /* Inside a block quote. */
    enum md_box box;         /* Items: the task box. */
    char *text;              /* Plain text without markup, code spans without ticks; soft breaks are
                              * blanks, hard ones newlines.  UTF-8, owned, never null. */
    char *info;              /* Code: the info string, maybe empty; else null.  Owned. */
};

struct markdown {
    struct md_block *blocks; /* In the order of the text; owned. */
    size_t count;
};
#define MARKDOWN_INIT  \
    {                  \
        .blocks = NULL \
    }

/* Bounds of one text. */
#define MARKDOWN_BYTES_MAX (1u << 20)
#define MARKDOWN_BLOCKS_MAX 100000u

/* Reads 'text' into 'md'; bytes that are not UTF-8 become U+FFFD.  E_TOO_LARGE over a bound,
 * or if it would take too long (markdown_effort.h); E_OVERLOAD. */
enum err markdown_parse(struct slice text, struct markdown *md, struct fault *fault);
void markdown_fini(struct markdown *md);

#endif
