/* search_chunk.c -- sections first, then the long ones cut, then the small ones put together.
 *
 * cmark tells where headings and samples are, in lines; a table of line starts, counted as
 * CommonMark counts them, turns lines into bytes. */
#include "state/search_chunk.h"

#include "state/base/rune.h"
#include "state/markdown.h"

#include <inttypes.h>
#include <assert.h>

#define CUT_MIN (CHUNK_BYTES_MAX / 4) /* A cut before that would leave crumbs. */
#define HEADING_BYTES_MAX 200u        /* Of each, where it is told. */
#define NO_HEADING SIZE_MAX

/* A run of bytes that begins with a heading, or goes on from the piece before. */
struct piece {
    size_t start, end;
    size_t heading; /* Index into 'headings' of the one it stands under, or NO_HEADING. */
    bool begins;    /* It begins with that heading. */
};

struct heading {
    const struct md_block *block; /* Borrowed. */
    size_t parent;                /* Index, or NO_HEADING. */
};

struct cutter {
    struct slice text;
    struct markdown md;
    size_t *lines; /* Where each line starts, and the end of the text. */
    bool *sample;  /* Whether a line is part of a code sample. */
    size_t line_count;
    struct heading *headings;
    size_t heading_count;
    struct piece *pieces;
    size_t piece_count, piece_room;
};

/* ---- Lines ---- */

static size_t
next_line(struct slice text, size_t at)
{
    while (at < text.len && text.data[at] != '\n' && text.data[at] != '\r') {
        at++;
    }
    if (at < text.len && text.data[at] == '\r' && at + 1 < text.len && text.data[at + 1] == '\n') {
        at++;
    }
    return at < text.len ? at + 1 : at;
}

static enum err
find_lines(struct cutter *c, struct fault *f)
{
    size_t count = 0;

    for (size_t at = 0; at < c->text.len; at = next_line(c->text, at)) {
        count++;
    }
    c->lines = try_malloc((count + 1) * sizeof *c->lines);
    c->sample = try_malloc(count + 1);
    if (!c->lines || !c->sample) {
        return fault_set(f, E_OVERLOAD, "there is no memory to cut the text");
    }
    memset(c->sample, 0, count + 1);
    for (size_t at = 0; at < c->text.len; at = next_line(c->text, at)) {
        c->lines[c->line_count++] = at;
    }
    c->lines[count] = c->text.len;
    return E_OK;
}

/* The line that byte 'at' is on, from 0. */
static size_t
line_of(const struct cutter *c, size_t at)
{
    size_t low = 0, high = c->line_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        *(c->lines[middle] <= at ? &low : &high) = middle;
    }
    return low;
}

static bool
is_blank(const struct cutter *c, size_t line)
{
    for (size_t at = c->lines[line]; at < c->lines[line + 1]; at++) {
        if (!strchr(" \t\r\n", c->text.data[at]) || !c->text.data[at]) {
            return false;
        }
    }
    return true;
}

/* ---- Headings ---- */

static enum err
find_headings(struct cutter *c, struct fault *f)
{
    size_t above[7]; /* The open heading of each level. */

    c->headings = try_malloc((c->md.count + 1) * sizeof *c->headings);
    if (!c->headings) {
        return fault_set(f, E_OVERLOAD, "there is no memory to cut the text");
    }
    for (size_t i = 0; i < 7; i++) {
        above[i] = NO_HEADING;
    }
    for (size_t i = 0; i < c->md.count; i++) {
        const struct md_block *b = &c->md.blocks[i];
        size_t parent = NO_HEADING;

        if (b->kind == MD_CODE) {
            for (size_t line = b->line; line <= b->end_line && line <= c->line_count; line++) {
                c->sample[line - 1] = true;
            }
        }
        if (b->kind != MD_HEADING || b->quoted || b->line > c->line_count) {
            continue;
        }
        for (size_t level = 1; level < b->level; level++) {
            parent = above[level] != NO_HEADING ? above[level] : parent;
        }
        for (size_t level = b->level; level < 7; level++) {
            above[level] = NO_HEADING;
        }
        above[b->level] = c->heading_count;
        c->headings[c->heading_count++] = (struct heading){b, parent};
    }
    return E_OK;
}

/* ---- Cutting ---- */

static void
add_piece(struct cutter *c, struct piece piece)
{
    if (c->piece_count == c->piece_room) {
        c->piece_room = c->piece_room ? c->piece_room * 2 : 32;
        c->pieces = xrealloc(c->pieces, c->piece_room * sizeof *c->pieces);
    }
    c->pieces[c->piece_count++] = piece;
}

/* The last line that begins after a blank one in [start + CUT_MIN, start + CHUNK_BYTES_MAX]; with
 * 'samples' also one inside a code sample.  0 if there is none. */
static size_t
cut_at_blank(const struct cutter *c, size_t start, bool samples)
{
    size_t end = start + CHUNK_BYTES_MAX;

    for (size_t line = line_of(c, end); line > 0 && c->lines[line] >= start + CUT_MIN; line--) {
        if (c->lines[line] <= end && is_blank(c, line - 1) &&
            (samples || !c->sample[line] || !c->sample[line - 1])) {
            return c->lines[line];
        }
    }
    return 0;
}

/* After the last end of a sentence, else of a line, in the same range; 0 if there is none. */
static size_t
cut_at_sentence(const struct cutter *c, size_t start)
{
    const char *text = c->text.data;
    size_t line_end = 0;

    for (size_t at = start + CHUNK_BYTES_MAX; at > start + CUT_MIN; at--) {
        char last = text[at - 1], before = text[at - 2];

        if (strchr(" \n", last) && last && strchr(".!?", before) && before) {
            return at;
        }
        if (!line_end && last == '\n') {
            line_end = at;
        }
    }
    return line_end;
}

static size_t
cut_anywhere(const struct cutter *c, size_t start)
{
    size_t at = start + CHUNK_BYTES_MAX;

    for (unsigned i = 0; i < 3 && ((unsigned char)c->text.data[at] & 0xC0) == 0x80; i++) {
        at--;
    }
    return at;
}

/* Adds what lies in 'whole' in pieces of at most CHUNK_BYTES_MAX. */
static void
cut_section(struct cutter *c, struct piece whole)
{
    while (whole.end - whole.start > CHUNK_BYTES_MAX) {
        size_t at = cut_at_blank(c, whole.start, false);

        at = at ? at : cut_at_blank(c, whole.start, true);
        at = at ? at : cut_at_sentence(c, whole.start);
        at = at ? at : cut_anywhere(c, whole.start);
        add_piece(c, (struct piece){whole.start, at, whole.heading, whole.begins});
        whole.start = at;
        whole.begins = false;
    }
    if (whole.end > whole.start) {
        add_piece(c, whole);
    }
}

static void
cut_sections(struct cutter *c)
{
    struct piece section = {.heading = NO_HEADING};

    for (size_t i = 0; i < c->heading_count; i++) {
        section.end = c->lines[c->headings[i].block->line - 1];
        if (section.end < section.start) {
            continue; /* A heading inside another block's first line: it has begun already. */
        }
        cut_section(c, section);
        section = (struct piece){.start = section.end, .heading = i, .begins = true};
    }
    section.end = c->text.len;
    cut_section(c, section);
}

/* ---- Putting together ---- */

static bool
is_below(const struct cutter *c, size_t heading, size_t above)
{
    while (heading != NO_HEADING && heading != above) {
        heading = c->headings[heading].parent;
    }
    return heading == above;
}

/* Whether 'b' may share a chunk that began under heading 'first': both are somewhere below the same
 * parent. */
static bool
may_join(const struct cutter *c, size_t first, const struct piece *b)
{
    if (first == NO_HEADING || b->heading == NO_HEADING) {
        return first == b->heading;
    }
    return is_below(c, b->heading, c->headings[first].parent);
}

/* Whether 'a' ends right above a part of its own, 'b': it goes better with that. */
static bool
leads_to(const struct cutter *c, const struct piece *a, const struct piece *b)
{
    return a->begins && b->begins && a->heading != b->heading &&
           is_below(c, b->heading, a->heading);
}

static struct slice
heading_text(const struct cutter *c, size_t heading)
{
    struct slice text = slice_of(c->headings[heading].block->text);

    return (struct slice){text.data, rune_cut(text, HEADING_BYTES_MAX)};
}

/* What 'b' holds, which is bounded and small, for the caller to free. */
static char *
take_text(struct buf *b)
{
    char *text = b->len || b->failed ? buf_steal(b) : xstrdup("");

    if (!text) {
        out_of_memory();
    }
    return text;
}

static void
add_path(const struct cutter *c, size_t heading, struct buf *out)
{
    if (heading != NO_HEADING) {
        add_path(c, c->headings[heading].parent, out); /* At most six deep. */
        buf_adds(out, out->len ? CHUNK_PATH_STEP : "");
        buf_add_slice(out, heading_text(c, heading));
    }
}

static void
add_chunk(const struct cutter *c, struct chunks *out, const struct piece *from, size_t count)
{
    struct buf path = BUF_INIT, more = BUF_INIT;
    size_t start = from->start, end = from[count - 1].end, line = line_of(c, start);

    add_path(c, from->heading, &path);
    for (size_t i = 1; i < count; i++) {
        if (from[i].begins) {
            buf_adds(&more, more.len ? "\n" : "");
            buf_add_slice(&more, heading_text(c, from[i].heading));
        }
    }
    out->items[out->count++] = (struct chunk){
        .text = {c->text.data + start, end - start},
        .line = (unsigned)line + 1,
        .sample = line && c->sample[line] && c->sample[line - 1],
        .path = take_text(&path),
        .more = take_text(&more),
    };
}

static enum err
put_together(const struct cutter *c, struct chunks *out, struct fault *f)
{
    out->items = try_malloc((c->piece_count + 1) * sizeof *out->items);
    if (!out->items) {
        return fault_set(f, E_OVERLOAD, "there is no memory to cut the text");
    }
    for (size_t i = 0, n; i < c->piece_count; i += n) {
        const struct piece *first = &c->pieces[i];

        for (n = 1; i + n < c->piece_count; n++) {
            const struct piece *next = first + n;
            if (next->end - first->start > CHUNK_BYTES_MAX || !may_join(c, first->heading, next)) {
                break;
            }
        }
        while (n > 1 && i + n < c->piece_count && leads_to(c, first + n - 1, first + n)) {
            n--;
        }
        add_chunk(c, out, first, n);
    }
    return E_OK;
}

static char *
find_title(const struct cutter *c)
{
    size_t at = 0;

    while (at < c->heading_count && c->headings[at].block->level != 1) {
        at++;
    }
    at = at < c->heading_count ? at : 0;
    if (!c->heading_count) {
        return xstrdup("");
    }
    return xstrndup(heading_text(c, at).data, heading_text(c, at).len);
}

enum err
chunks_make(struct slice text, struct chunks *chunks, struct fault *f)
{
    struct cutter c = {.text = text, .md = MARKDOWN_INIT};
    enum err err = markdown_parse(text, &c.md, f);

    *chunks = (struct chunks){.items = NULL};
    err = err ? err : find_lines(&c, f);
    err = err ? err : find_headings(&c, f);
    if (!err) {
        cut_sections(&c);
        err = put_together(&c, chunks, f);
    }
    if (!err) {
        chunks->title = find_title(&c);
    }
    markdown_fini(&c.md);
    free(c.lines);
    free(c.sample);
    free(c.headings);
    free(c.pieces);
    return err;
}

void
chunks_fini(struct chunks *chunks)
{
    for (size_t i = 0; i < chunks->count; i++) {
        free(chunks->items[i].path);
        free(chunks->items[i].more);
    }
    free(chunks->items);
    free(chunks->title);
    *chunks = (struct chunks){.items = NULL};
}

/* FNV-1a: names are to differ, not to resist. */
void
chunk_id(const char *path, unsigned ordinal, struct slice text, struct buf *out)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ (unsigned char)text.data[i]) * 0x100000001b3u;
    }
    buf_addf(out, "%s#%u-%016" PRIx64, path, ordinal, hash);
}
