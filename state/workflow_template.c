/* workflow_template.c -- see workflow_template.h.  Here: parsing.
 *
 * A template becomes a flat list of pieces; a block's first piece knows where its else and its end
 * are, so that rendering never searches. */
#include "state/workflow_template.h"

#include "state/workflow_template_private.h"

#define NAME_MAX_BYTES 64u

struct parser {
    struct wf_template *t;
    struct problems *problems;
    struct slice text;
    size_t at, from; /* Looked at; begin of text not yet in a piece. */
    unsigned line;
    size_t open[WF_TEMPLATE_DEPTH_MAX];
    size_t depth;
    bool failed, deep;
};

static struct piece *
add_piece(struct parser *p, enum piece_kind kind, struct slice text, struct slice name)
{
    struct wf_template *t = p->t;

    if (t->count == t->size) {
        size_t size = t->size ? t->size * 2 : 64;
        struct piece *pieces = realloc(t->pieces, size * sizeof *pieces);

        if (!pieces) {
            p->failed = true;
            return NULL;
        }
        t->pieces = pieces;
        t->size = size;
    }
    t->pieces[t->count] = (struct piece){.kind = (unsigned char)kind,
                                         .line = p->line,
                                         .text = text,
                                         .name = name,
                                         .other = NO_PIECE,
                                         .end = NO_PIECE};
    return &t->pieces[t->count++];
}

static bool
is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '@';
}

/* "[NAME]" at the front of 'rest': its bytes, or 0. */
static size_t
read_bracket(struct slice rest, struct slice *name)
{
    size_t n = 1;

    while (n < rest.len && n <= NAME_MAX_BYTES &&
           ((rest.data[n] >= 'A' && rest.data[n] <= 'Z') || rest.data[n] == '_' ||
            (n > 1 && rest.data[n] >= '0' && rest.data[n] <= '9'))) {
        n++;
    }
    if (n < 3 || n >= rest.len || rest.data[n] != ']') {
        return 0;
    }
    *name = (struct slice){rest.data + 1, n - 1};
    return n + 1;
}

static void
skip_blanks(struct slice rest, size_t *i)
{
    while (*i < rest.len && (rest.data[*i] == ' ' || rest.data[*i] == '\t')) {
        (*i)++;
    }
}

static bool
take(struct slice rest, size_t *i, const char *text)
{
    size_t len = strlen(text);

    if (rest.len - *i < len || memcmp(rest.data + *i, text, len) != 0) {
        return false;
    }
    *i += len;
    return true;
}

/* Reads the tag "{{...}}" at the front of 'rest'.  Returns its bytes, or 0 if it is none of ours.
 */
static size_t
read_tag(struct slice rest, enum piece_kind *kind, struct slice *name)
{
    bool triple = rest.len > 2 && rest.data[2] == '{';
    size_t i = triple ? 3 : 2, begin;

    *kind = PIECE_NAME;
    skip_blanks(rest, &i);
    if (take(rest, &i, "#each ")) {
        *kind = PIECE_EACH;
    } else if (take(rest, &i, "#if ")) {
        *kind = PIECE_IF;
    } else if (take(rest, &i, "/")) {
        *kind = PIECE_END;
    }
    skip_blanks(rest, &i);
    begin = i;
    while (i < rest.len && i - begin < NAME_MAX_BYTES && is_name_char(rest.data[i])) {
        i++;
    }
    *name = (struct slice){rest.data + begin, i - begin};
    skip_blanks(rest, &i);
    if (name->len == 0 || !take(rest, &i, triple ? "}}}" : "}}") ||
        (*kind == PIECE_END && !slice_is(*name, "each") && !slice_is(*name, "if"))) {
        return 0;
    }
    if (*kind == PIECE_NAME && slice_is(*name, "else")) {
        *kind = PIECE_ELSE;
    }
    return i;
}

/* Puts the text up to 'end' into a piece. */
static void
flush_text(struct parser *p, size_t end)
{
    if (end > p->from) {
        struct slice text = {p->text.data + p->from, end - p->from};

        (void)add_piece(p, PIECE_TEXT, text, SLICE_NONE);
    }
}

/* If the tag at [at, end) stands alone on its line, widens it to the whole line. */
static void
take_whole_line(const struct parser *p, size_t *at, size_t *end)
{
    size_t begin = *at, after = *end;

    while (begin > p->from && (p->text.data[begin - 1] == ' ' || p->text.data[begin - 1] == '\t')) {
        begin--;
    }
    skip_blanks(p->text, &after);
    if (begin > 0 && p->text.data[begin - 1] != '\n') {
        return;
    }
    if (after < p->text.len && p->text.data[after] == '\r') {
        after++;
    }
    if (after < p->text.len && p->text.data[after] != '\n') {
        return;
    }
    *at = begin;
    *end = after < p->text.len ? after + 1 : after;
}

/* Links an ELSE or END, which is the last piece, with the block it belongs to. */
static void
link_piece(struct parser *p, enum piece_kind kind, struct slice name)
{
    struct piece *pieces = p->t->pieces;
    size_t self = p->t->count - 1;
    struct piece *open = p->depth > 0 ? &pieces[p->open[p->depth - 1]] : NULL;

    if (kind == PIECE_ELSE && open && open->other == NO_PIECE) {
        open->other = self;
        return;
    }
    if (kind == PIECE_END && open && slice_is(name, open->kind == PIECE_EACH ? "each" : "if")) {
        open->end = self;
        if (open->other == NO_PIECE) {
            open->other = self;
        } else {
            pieces[open->other].other = self;
        }
        p->depth--;
        return;
    }
    problems_add(p->problems, PROBLEM_WARNING, p->t->file, p->line, 0, "%.*s belongs to no block",
                 (int)pieces[self].text.len, pieces[self].text.data);
    pieces[self].kind = PIECE_TEXT;
    pieces[self].text = SLICE_NONE;
}

static void
add_tag(struct parser *p, enum piece_kind kind, struct slice text, struct slice name)
{
    if (!add_piece(p, kind, text, name)) {
        return;
    }
    if (kind == PIECE_EACH || kind == PIECE_IF) {
        if (p->depth == WF_TEMPLATE_DEPTH_MAX) {
            p->deep = true;
            return;
        }
        p->open[p->depth++] = p->t->count - 1;
    } else if (kind == PIECE_ELSE || kind == PIECE_END) {
        link_piece(p, kind, name);
    }
}

/* Looks at the character at p->at and moves past it, or past the placeholder that begins there. */
static void
parse_next(struct parser *p)
{
    struct slice rest = {p->text.data + p->at, p->text.len - p->at};
    struct slice name;
    enum piece_kind kind = PIECE_BRACKET;
    size_t at = p->at, end, len = 0;

    if (rest.data[0] == '[') {
        len = read_bracket(rest, &name);
    } else if (rest.len > 4 && rest.data[0] == '{' && rest.data[1] == '{' &&
               (p->at == 0 || p->text.data[p->at - 1] != '$')) {
        len = read_tag(rest, &kind, &name);
    }
    if (len == 0) {
        p->line += rest.data[0] == '\n';
        p->at++;
        return;
    }
    end = at + len;
    if (kind != PIECE_BRACKET && kind != PIECE_NAME) {
        take_whole_line(p, &at, &end);
    }
    flush_text(p, at);
    add_tag(p, kind, (struct slice){rest.data, len}, name);
    p->line += end > at && p->text.data[end - 1] == '\n';
    p->at = p->from = end;
}

/* Blocks that are never closed end with the template. */
static void
close_blocks(struct parser *p)
{
    while (p->depth > 0 && !p->failed) {
        const struct piece *open = &p->t->pieces[p->open[p->depth - 1]];
        struct slice name = open->kind == PIECE_EACH ? SLICE("each") : SLICE("if");

        problems_add(p->problems, PROBLEM_WARNING, p->t->file, open->line, 0,
                     "%.*s is never closed", (int)open->text.len, open->text.data);
        add_tag(p, PIECE_END, SLICE_NONE, name);
    }
}

enum err
wf_template_parse(struct slice text, const char *file, struct wf_template **result,
                  struct problems *problems, struct fault *f)
{
    struct parser p = {.problems = problems, .line = 1};
    struct wf_template *t;

    *result = NULL;
    if (text.len > WF_TEMPLATE_BYTES_MAX) {
        return fault_set(f, E_TOO_LARGE, "template %s has %zu bytes, %u are allowed", file,
                         text.len, WF_TEMPLATE_BYTES_MAX);
    }
    t = xcalloc(1, sizeof *t);
    t->file = xstrdup(file);
    t->text = try_malloc(text.len + 1);
    if (!t->text) {
        wf_template_free(t);
        return fault_set(f, E_OVERLOAD, "no memory for template %s", file);
    }
    if (text.len > 0) {
        memcpy(t->text, text.data, text.len);
    }
    p.t = t;
    p.text = (struct slice){t->text, text.len};
    while (p.at < p.text.len && !p.failed && !p.deep) {
        parse_next(&p);
    }
    flush_text(&p, p.text.len);
    close_blocks(&p);
    if (p.failed || p.deep) {
        wf_template_free(t);
        return p.deep ? fault_at(f, E_TOO_LARGE, p.line, 0,
                                 "template %s: blocks are nested deeper than %u", file,
                                 WF_TEMPLATE_DEPTH_MAX)
                      : fault_set(f, E_OVERLOAD, "no memory for template %s", file);
    }
    *result = t;
    return E_OK;
}

void
wf_template_free(struct wf_template *t)
{
    if (t) {
        free(t->text);
        free(t->file);
        free(t->pieces);
        free(t);
    }
}
