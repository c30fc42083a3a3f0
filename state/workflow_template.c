/* workflow_template.c -- see workflow_template.h.
 *
 * A template is parsed into a flat list of pieces; a block's first piece knows where its else and its
 * end are, so that rendering never searches.  Steps and output are counted: lists within lists can
 * multiply. */
#include "state/workflow_template.h"

#include <stdint.h>

#define NAME_MAX_BYTES 64u
#define NO_PIECE SIZE_MAX

enum piece_kind { PIECE_TEXT, PIECE_BRACKET, PIECE_NAME, PIECE_EACH, PIECE_IF, PIECE_ELSE, PIECE_END };

struct piece {
    unsigned char kind; /* enum piece_kind. */
    unsigned line;
    struct slice text;  /* As written. */
    struct slice name;  /* Without marks. */
    size_t other;       /* EACH, IF: its ELSE or END; ELSE: its END. */
    size_t end;         /* EACH, IF: its END. */
};

struct wf_template {
    char *text; /* Owned; the pieces point into it. */
    char *file; /* Owned. */
    struct piece *pieces; /* Owned. */
    size_t count, size;
};

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

/* Reads the tag "{{...}}" at the front of 'rest'.  Returns its bytes, or 0 if it is none of ours. */
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
    problems_add(p->problems, PROBLEM_WARNING, p->t->file, p->line, 0,
                 "%.*s belongs to no block", (int)pieces[self].text.len, pieces[self].text.data);
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
        return fault_set(f, E_LIMIT, "no memory for template %s", file);
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
                      : fault_set(f, E_LIMIT, "no memory for template %s", file);
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

struct render {
    const struct wf_template *t;
    struct buf *out;
    size_t out_begin;
    struct problems *problems;
    const json_t *scopes[WF_TEMPLATE_DEPTH_MAX + 1]; /* Innermost last. */
    size_t depth;
    size_t steps;
    bool stopped;
};

static const json_t *
member(const json_t *object, struct slice name)
{
    return json_is_object(object) ? json_object_getn(object, name.data, name.len) : NULL;
}

/* Follows 'path', names with full stops between them, from 'value'. */
static const json_t *
follow(const json_t *value, struct slice path)
{
    while (value && path.len > 0) {
        const char *dot = memchr(path.data, '.', path.len);
        size_t len = dot ? (size_t)(dot - path.data) : path.len;

        value = member(value, (struct slice){path.data, len});
        len += dot != NULL;
        path = (struct slice){path.data + len, path.len - len};
    }
    return value;
}

static const json_t *
look_up(const struct render *r, struct slice name)
{
    if (slice_is(name, "this")) {
        return r->scopes[r->depth];
    }
    if (name.len > 5 && memcmp(name.data, "this.", 5) == 0) {
        return follow(r->scopes[r->depth], (struct slice){name.data + 5, name.len - 5});
    }
    for (size_t i = r->depth + 1; i-- > 0;) {
        const json_t *value = follow(r->scopes[i], name);

        if (value) {
            return value;
        }
    }
    return NULL;
}

static void
add_list(struct buf *out, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *text = json_is_object(item) ? json_object_get(item, "text") : item;

        if (json_is_string(text)) {
            buf_adds(out, i > 0 ? "\n- [" : "- [");
            buf_addc(out, json_is_true(json_object_get(item, "done")) ? 'x' : ' ');
            buf_adds(out, "] ");
            buf_add(out, json_string_value(text), json_string_length(text));
        }
    }
}

static void
add_value(struct buf *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING: buf_add(out, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER: buf_add_int(out, json_integer_value(value)); break;
    case JSON_REAL: buf_addf(out, "%g", json_real_value(value)); break;
    case JSON_TRUE: buf_adds(out, "true"); break;
    case JSON_FALSE: buf_adds(out, "false"); break;
    case JSON_ARRAY: add_list(out, value); break;
    default: break;
    }
}

static bool
holds_true(const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING: return json_string_length(value) > 0;
    case JSON_INTEGER: return json_integer_value(value) != 0;
    case JSON_REAL: return json_real_value(value) != 0;
    case JSON_ARRAY: return json_array_size(value) > 0;
    case JSON_TRUE:
    case JSON_OBJECT: return true;
    default: return false;
    }
}

static void
warn_unknown(struct render *r, const struct piece *piece)
{
    char *text = xasprintf("nothing is known of {{%.*s}}: left empty", (int)piece->name.len,
                           piece->name.data);

    for (size_t i = 0; r->problems && i < r->problems->count; i++) {
        if (strcmp(r->problems->items[i].text, text) == 0) {
            free(text);
            return;
        }
    }
    problems_add(r->problems, PROBLEM_WARNING, r->t->file, piece->line, 0, "%s", text);
    free(text);
}

static void render_range(struct render *r, size_t at, size_t end);

static void
render_each(struct render *r, const struct piece *piece, size_t self)
{
    const json_t *list = look_up(r, piece->name);

    if (!list) {
        warn_unknown(r, piece);
    }
    if (json_array_size(list) == 0) {
        if (piece->other != piece->end) {
            render_range(r, piece->other + 1, piece->end);
        }
        return;
    }
    r->depth++;
    for (size_t i = 0; i < json_array_size(list) && !r->stopped; i++) {
        r->scopes[r->depth] = json_array_get(list, i);
        render_range(r, self + 1, piece->other);
    }
    r->depth--;
}

static void
render_if(struct render *r, const struct piece *piece, size_t self)
{
    if (holds_true(look_up(r, piece->name))) {
        render_range(r, self + 1, piece->other);
    } else if (piece->other != piece->end) {
        render_range(r, piece->other + 1, piece->end);
    }
}

static void
render_name(struct render *r, const struct piece *piece)
{
    const json_t *value = look_up(r, piece->name);

    if (value) {
        add_value(r->out, value);
    } else if (piece->kind == PIECE_BRACKET) {
        buf_add_slice(r->out, piece->text);
    } else {
        warn_unknown(r, piece);
    }
}

/* Renders the pieces [at, end).  Recurses as deep as blocks are nested, which is bounded. */
static void
render_range(struct render *r, size_t at, size_t end)
{
    while (at < end && !r->stopped) {
        const struct piece *piece = &r->t->pieces[at];

        switch (piece->kind) {
        case PIECE_TEXT: buf_add_slice(r->out, piece->text); break;
        case PIECE_BRACKET:
        case PIECE_NAME: render_name(r, piece); break;
        case PIECE_EACH:
            render_each(r, piece, at);
            at = piece->end;
            break;
        case PIECE_IF:
            render_if(r, piece, at);
            at = piece->end;
            break;
        default: break;
        }
        at++;
        r->stopped = ++r->steps > WF_TEMPLATE_STEPS_MAX || r->out->failed ||
                     r->out->len - r->out_begin > WF_TEMPLATE_OUT_MAX;
    }
    /* An iteration over nothing is work too. */
    r->stopped = r->stopped || ++r->steps > WF_TEMPLATE_STEPS_MAX;
}

enum err
wf_template_render(const struct wf_template *t, const json_t *values, struct buf *out,
                   struct problems *problems, struct fault *f)
{
    struct render r = {
        .t = t, .out = out, .out_begin = out->len, .problems = problems, .scopes = {values}};

    render_range(&r, 0, t->count);
    if (out->failed) {
        return fault_set(f, E_LIMIT, "no memory to fill template %s", t->file);
    }
    if (r.stopped) {
        return fault_set(f, E_TOO_LARGE, "template %s makes a text over %u bytes, or takes too long",
                         t->file, WF_TEMPLATE_OUT_MAX);
    }
    return E_OK;
}
