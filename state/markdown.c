/* markdown.c -- cmark-gfm's tree as a flat list of blocks.  See markdown.h. */
#include "state/markdown.h"

#include "state/markdown_effort.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm-extension_api.h>
#include <cmark-gfm.h>
#include <pthread.h>

#define NO_BLOCK SIZE_MAX

struct reader {
    struct markdown *md;
    size_t size; /* Blocks allocated. */
    size_t open; /* Block whose text is being gathered, or NO_BLOCK. */
    struct buf text;
    unsigned lists, quotes, tables;
    bool head; /* In the header row of a table. */
    bool full;
    bool lost; /* There was no memory for a text. */
};

/* cmark keeps its extensions in one table of its own, which is to be filled by one thread. */
static pthread_once_t extensions_once = PTHREAD_ONCE_INIT;

static size_t
add_block(struct reader *r, cmark_node *node, enum md_kind kind)
{
    struct markdown *md = r->md;
    struct md_block *b;

    if (md->count == MARKDOWN_BLOCKS_MAX) {
        r->full = true;
        return NO_BLOCK;
    }
    if (md->count == r->size) {
        r->size = r->size ? r->size * 2 : 64;
        md->blocks = xrealloc(md->blocks, r->size * sizeof *md->blocks);
    }
    b = &md->blocks[md->count];
    *b = (struct md_block){.kind = kind, .quoted = r->quotes > 0, .text = xstrdup("")};
    b->line = (unsigned)cmark_node_get_start_line(node);
    b->end_line = (unsigned)cmark_node_get_end_line(node);
    return md->count++;
}

static void
open_text(struct reader *r, size_t block)
{
    r->open = block;
    r->lost = r->lost || r->text.failed;
    buf_reset(&r->text);
}

static void
close_text(struct reader *r)
{
    const char *text = r->text.data;
    size_t len = r->text.len;

    r->lost = r->lost || r->text.failed;
    if (r->open != NO_BLOCK && len) {
        struct md_block *b = &r->md->blocks[r->open];
        /* A box that cmark has left in the text, as it does in quotes. */
        if (b->kind == MD_ITEM && len > 4 && text[0] == '[' && strchr(" xX", text[1]) &&
            text[2] == ']' && text[3] == ' ') {
            b->box = text[1] == ' ' ? MD_OPEN : MD_TICKED;
            text += 4;
            len -= 4;
        }
        free(b->text);
        b->text = xstrndup(text, len);
    }
    r->open = NO_BLOCK;
}

static bool
is_type(cmark_node *node, const char *type)
{
    return node && strcmp(cmark_node_get_type_string(node), type) == 0;
}

/* The part of the tree that only extensions know. */
static void
enter_extension(struct reader *r, cmark_node *node)
{
    size_t block;

    if (is_type(node, "table")) {
        r->tables++;
    } else if (is_type(node, "table_header") || is_type(node, "table_row")) {
        r->head = is_type(node, "table_header");
        block = add_block(r, node, MD_ROW);
        if (block != NO_BLOCK) {
            r->md->blocks[block].table = r->tables;
            r->md->blocks[block].head = r->head;
        }
    } else if (is_type(node, "table_cell")) {
        block = add_block(r, node, MD_CELL);
        if (block != NO_BLOCK) {
            r->md->blocks[block].table = r->tables;
            r->md->blocks[block].head = r->head;
        }
        open_text(r, block);
    }
}

static void
enter_item(struct reader *r, cmark_node *node)
{
    size_t block = add_block(r, node, MD_ITEM);

    if (block == NO_BLOCK) {
        return;
    }
    r->md->blocks[block].level = r->lists;
    if (is_type(node, "tasklist")) {
        r->md->blocks[block].box =
            cmark_gfm_extensions_get_tasklist_item_checked(node) ? MD_TICKED : MD_OPEN;
    }
}

static void
enter_paragraph(struct reader *r, cmark_node *node)
{
    cmark_node *parent = cmark_node_parent(node);

    if (parent && cmark_node_get_type(parent) == CMARK_NODE_ITEM && !cmark_node_previous(node) &&
        r->md->count) {
        /* The item was added just before: it is entered first. */
        open_text(r, r->md->count - 1);
        return;
    }
    open_text(r, add_block(r, node, MD_PARAGRAPH));
}

static void
enter_code(struct reader *r, cmark_node *node)
{
    size_t block = add_block(r, node, MD_CODE);
    struct md_block *b;

    if (block != NO_BLOCK) {
        b = &r->md->blocks[block];
        free(b->text);
        b->text = xstrdup(cmark_node_get_literal(node));
        b->info = xstrdup(cmark_node_get_fence_info(node));
    }
}

static void
enter(struct reader *r, cmark_node *node)
{
    size_t block;

    switch ((unsigned)cmark_node_get_type(node)) {
    case CMARK_NODE_HEADING:
        block = add_block(r, node, MD_HEADING);
        if (block != NO_BLOCK) {
            r->md->blocks[block].level = (unsigned)cmark_node_get_heading_level(node);
        }
        open_text(r, block);
        break;
    case CMARK_NODE_PARAGRAPH:
        enter_paragraph(r, node);
        break;
    case CMARK_NODE_LIST:
        r->lists++;
        break;
    case CMARK_NODE_ITEM:
        enter_item(r, node);
        break;
    case CMARK_NODE_BLOCK_QUOTE:
        r->quotes++;
        break;
    case CMARK_NODE_CODE_BLOCK:
        enter_code(r, node);
        break;
    case CMARK_NODE_TEXT:
    case CMARK_NODE_CODE:
        buf_adds(&r->text, cmark_node_get_literal(node));
        break;
    case CMARK_NODE_SOFTBREAK:
        buf_addc(&r->text, ' ');
        break;
    case CMARK_NODE_LINEBREAK:
        buf_addc(&r->text, '\n');
        break;
    default:
        enter_extension(r, node);
    }
}

static void
leave(struct reader *r, cmark_node *node)
{
    cmark_node_type type = cmark_node_get_type(node);

    if (type == CMARK_NODE_HEADING || type == CMARK_NODE_PARAGRAPH || is_type(node, "table_cell")) {
        close_text(r);
    } else if (type == CMARK_NODE_LIST) {
        r->lists--;
    } else if (type == CMARK_NODE_BLOCK_QUOTE) {
        r->quotes--;
    }
}

/* What cmark does without memory is to end the process; like this it says so as all of us do. */
static cmark_mem memory = {xcalloc, xrealloc, free};

static cmark_node *
parse_document(struct slice text)
{
    static const char *const names[] = {"table", "tasklist"};
    cmark_parser *parser;
    cmark_node *root;

    pthread_once(&extensions_once, cmark_gfm_core_extensions_ensure_registered);
    parser = cmark_parser_new_with_mem(CMARK_OPT_VALIDATE_UTF8, &memory);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cmark_parser_attach_syntax_extension(parser, cmark_find_syntax_extension(names[i]));
    }
    cmark_parser_feed(parser, text.data ? text.data : "", text.len);
    root = cmark_parser_finish(parser);
    cmark_parser_free(parser);
    return root;
}

enum err
markdown_parse(struct slice text, struct markdown *md, struct fault *fault)
{
    struct reader r = {.md = md, .open = NO_BLOCK};
    cmark_node *root;
    cmark_iter *iter;
    cmark_event_type event;

    *md = (struct markdown)MARKDOWN_INIT;
    if (text.len > MARKDOWN_BYTES_MAX) {
        return fault_set(fault, E_TOO_LARGE, "Markdown of %zu bytes, more than %u", text.len,
                         MARKDOWN_BYTES_MAX);
    }
    if (markdown_effort(text) > MARKDOWN_EFFORT_MAX) {
        fault_set(fault, E_TOO_LARGE,
                  "Markdown that nests or repeats itself so often that reading it takes too long");
        return fault_remedy(fault, "break up its longest lines, tables and lists");
    }
    root = parse_document(text);
    iter = cmark_iter_new(root); /* With the memory of its root. */
    while (!r.full && (event = cmark_iter_next(iter)) != CMARK_EVENT_DONE) {
        if (event == CMARK_EVENT_ENTER) {
            enter(&r, cmark_iter_get_node(iter));
        } else {
            leave(&r, cmark_iter_get_node(iter));
        }
    }
    cmark_iter_free(iter);
    cmark_node_free(root);
    buf_fini(&r.text);
    if (r.lost) {
        markdown_fini(md);
        return fault_set(fault, E_OVERLOAD, "there is no memory to read Markdown now");
    }
    if (r.full) {
        markdown_fini(md);
        return fault_set(fault, E_TOO_LARGE, "Markdown of more than %u blocks",
                         MARKDOWN_BLOCKS_MAX);
    }
    return E_OK;
}

void
markdown_fini(struct markdown *md)
{
    for (size_t i = 0; i < md->count; i++) {
        free(md->blocks[i].text);
        free(md->blocks[i].info);
    }
    free(md->blocks);
    *md = (struct markdown)MARKDOWN_INIT;
}
