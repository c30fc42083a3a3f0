/* workflow_gate_derive.c -- gates of tier 2: what a phase without a gate file says about its
 * evidence.
 *
 * A phase's text is written for readers, so nothing here is an error: what cannot be understood is
 * a warning, and the gate is lenient.  See workflow_gate.h. */
#include "state/workflow_gate_private.h"

#include "state/base/rune.h"
#include "state/markdown.h"

#include <ctype.h>
#include <stdio.h>

#define NAME_BYTES_MAX 80u

/* True if 'text' holds 'word', in lower case, with no letter or digit around it; capitals count as
 * small letters. */
static bool
has_word(const char *text, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = text; *p; p++) {
        bool apart = p == text || !isalnum((unsigned char)p[-1]);
        if (apart && strncasecmp(p, word, len) == 0 && !isalnum((unsigned char)p[len])) {
            return true;
        }
    }
    return false;
}

/* 'text' as a field's name: its words in lower case with underscores between, at most
 * NAME_BYTES_MAX bytes, whole words. */
static void
snake_name(const char *text, struct buf *name)
{
    struct slice s = slice_of(text);
    size_t end = 0; /* Of the last whole word. */
    bool gap = false;

    buf_reset(name);
    for (size_t at = 0; at < s.len && name->len <= NAME_BYTES_MAX;) {
        char bytes[4];
        uint32_t rune;
        size_t n = rune_decode(s, at, &rune);
        if (n == 0) {
            at++;
            continue;
        }
        at += n;
        if (rune == '\'' || rune == 0x2019) {
            continue; /* "don't" is one word. */
        }
        if (!rune_is_alnum(rune)) {
            gap = true;
            end = name->len;
            continue;
        }
        if (gap && name->len) {
            buf_addc(name, '_');
        }
        gap = false;
        buf_add(name, bytes, rune_encode(rune_lower(rune), bytes));
    }
    if (name->len > NAME_BYTES_MAX) {
        name->len = end ? end : rune_cut(buf_slice(name), NAME_BYTES_MAX);
        name->data[name->len] = '\0';
    }
}

/* Makes the name new among the gate's fields: a number is added to one that is there. */
static void
unique_name(const struct gate *gate, struct buf *name)
{
    size_t len = name->len;

    for (unsigned n = 2; gate_find_field(gate, name->data); n++) {
        name->len = len;
        buf_addf(name, "_%u", n);
    }
}

/* Adds a required field; null when the gate is full. */
static struct gate_field *
add_field(struct gate_loader *l, const char *name, enum evidence_type type, unsigned line)
{
    struct gate_field *f;

    if (l->gate->field_count == GATE_FIELDS_MAX) {
        gate_warning(l, line, 0, "more than %u fields: the rest is left out", GATE_FIELDS_MAX);
        return NULL;
    }
    f = gate_add_field(l->gate, name);
    f->type = type;
    f->required = true;
    return f;
}

/* A statement that has to be confirmed becomes a boolean field that has to be true. */
static void
add_statement(struct gate_loader *l, const char *text, unsigned line)
{
    struct buf name = BUF_INIT;
    struct gate_field *f;

    snake_name(text, &name);
    if (!name.len) {
        buf_addf(&name, "item_%zu", l->gate->field_count + 1);
    }
    unique_name(l->gate, &name);
    f = add_field(l, name.data, EVIDENCE_BOOLEAN, line);
    if (f) {
        f->validator = xstrdup("is_true");
        validator_bind(f->validator, NULL, &f->named, NULL);
    }
    buf_fini(&name);
}

/* ---- Tables. ---- */

struct columns {
    int evidence, type, validator, required; /* Numbers of the cells; -1 if there is none. */
};

/* The cells of the row at block 'row': their number, and '*first' is the first one's block. */
static int
count_cells(const struct markdown *md, size_t row, size_t *first)
{
    int count = 0;

    *first = row + 1;
    while (*first + (size_t)count < md->count &&
           md->blocks[*first + (size_t)count].kind == MD_CELL) {
        count++;
    }
    return count;
}

/* Reads a header row; false if it is not one of evidence. */
static bool
read_columns(const struct markdown *md, size_t row, struct columns *c)
{
    size_t first;
    int count = count_cells(md, row, &first);

    *c = (struct columns){-1, -1, -1, -1};
    for (int i = count - 1; i >= 0; i--) {
        const char *text = md->blocks[first + (size_t)i].text;
        if (has_word(text, "evidence") || has_word(text, "field")) {
            c->evidence = i;
        } else if (has_word(text, "type")) {
            c->type = i;
        } else if (has_word(text, "validator") || has_word(text, "validation")) {
            c->validator = i;
        } else if (has_word(text, "required")) {
            c->required = i;
        }
    }
    return c->evidence >= 0 && c->type >= 0;
}

/* The text of a cell, or "" if the row has no such. */
static const char *
cell(const struct markdown *md, size_t first, int count, int i)
{
    return i >= 0 && i < count ? md->blocks[first + (size_t)i].text : "";
}

static void
set_row_validator(struct gate_loader *l, struct gate_field *f, const char *name, unsigned line)
{
    struct fault why = FAULT_INIT;

    if (!*name || strcmp(name, "-") == 0 || strcasecmp(name, "none") == 0) {
        return;
    }
    f->validator = xstrdup(name);
    if (validator_bind(name, NULL, &f->named, &why)) {
        gate_warning(l, line, 0, "field '%s': %s; the field will not be checked", f->name,
                     why.text);
    }
}

static void
add_row(struct gate_loader *l, const struct markdown *md, size_t row, const struct columns *c)
{
    size_t first;
    int count = count_cells(md, row, &first);
    const char *name = cell(md, first, count, c->evidence);
    const char *type_text = cell(md, first, count, c->type);
    unsigned line = md->blocks[row].line;
    enum evidence_type type = EVIDENCE_ANY;
    struct buf clean = BUF_INIT;
    struct gate_field *f;

    snake_name(name, &clean);
    if (!clean.len) {
        gate_warning(l, line, 0, "a row without a name is left out");
        buf_fini(&clean);
        return;
    }
    unique_name(l->gate, &clean);
    if (!evidence_type_named(type_text, &type)) {
        gate_warning(l, line, 0, "field '%s': unknown type '%.40s', so any is taken", clean.data,
                     type_text);
    }
    f = add_field(l, clean.data, type, line);
    buf_fini(&clean);
    if (f) {
        const char *required = cell(md, first, count, c->required);
        f->required = !has_word(required, "no") && !has_word(required, "false") &&
                      !has_word(required, "optional");
        set_row_validator(l, f, cell(md, first, count, c->validator), line);
    }
}

static void
derive_tables(struct gate_loader *l, const struct markdown *md)
{
    struct columns columns = {-1, -1, -1, -1};
    unsigned table = 0;

    for (size_t i = 0; i < md->count; i++) {
        const struct md_block *b = &md->blocks[i];
        if (b->kind != MD_ROW) {
            continue;
        }
        if (b->head) {
            table = read_columns(md, i, &columns) ? b->table : 0;
        } else if (b->table == table) {
            add_row(l, md, i, &columns);
        }
    }
}

/* ---- Checklists. ---- */

/* The boxes below a heading that speaks of a gate, or below a VALIDATE-GATE line, up to the next
 * heading that is not deeper. */
static void
derive_checklist(struct gate_loader *l, const struct markdown *md)
{
    unsigned level = 0, gate_level = 0; /* 0: in no gate. */

    for (size_t i = 0; i < md->count; i++) {
        const struct md_block *b = &md->blocks[i];
        if (b->kind == MD_HEADING) {
            level = b->level;
            gate_level = gate_level && level > gate_level ? gate_level : 0;
            if (!gate_level && level > 1 &&
                (has_word(b->text, "gate") || has_word(b->text, "gates") ||
                 has_word(b->text, "checkpoint"))) {
                gate_level = level;
            }
        } else if (b->kind == MD_PARAGRAPH && !gate_level && strstr(b->text, "VALIDATE-GATE")) {
            gate_level = level ? level : 1;
        } else if (b->kind == MD_ITEM && gate_level && b->box != MD_NO_BOX) {
            add_statement(l, b->text, b->line);
        }
    }
}

/* "Human Approval: True" and the like, anywhere. */
static bool
asks_approval(const struct markdown *md)
{
    for (size_t i = 0; i < md->count; i++) {
        const struct md_block *b = &md->blocks[i];
        const char *at = b->kind == MD_PARAGRAPH || b->kind == MD_ITEM
                             ? strcasestr(b->text, "human approval")
                             : NULL;
        const char *colon = at ? strchr(at, ':') : NULL;
        size_t len;
        if (!colon || memchr(at, '\n', (size_t)(colon - at))) {
            continue;
        }
        colon += 1 + strspn(colon + 1, " \t*");
        len = strcspn(colon, " \t\n.,;(*");
        if ((len == 4 && strncasecmp(colon, "true", 4) == 0) ||
            (len == 3 && strncasecmp(colon, "yes", 3) == 0) ||
            (len == 8 && strncasecmp(colon, "required", 8) == 0)) {
            return true;
        }
    }
    return false;
}

static enum err
derive_phase(struct gate_loader *l, struct slice text)
{
    struct markdown md;
    struct fault why = FAULT_INIT;
    enum err err = markdown_parse(text, &md, &why);

    if (err) {
        return fault_set(l->fault, err, "%s: %s", l->file ? l->file : "phase.md", why.text);
    }
    derive_tables(l, &md);
    if (!l->gate->field_count) {
        derive_checklist(l, &md);
    }
    l->gate->needs_approval = asks_approval(&md);
    markdown_fini(&md);
    return E_OK;
}

static void
derive_checkpoint(struct gate_loader *l, const json_t *checkpoint)
{
    const json_t *names = json_object_get(checkpoint, "required_evidence"), *name;
    size_t i;

    if (names && !json_is_array(names)) {
        gate_warning(l, 0, 0, "checkpoint.required_evidence is no list, and is left out");
    }
    json_array_foreach(names, i, name) {
        if (json_is_string(name)) {
            add_statement(l, json_string_value(name), 0);
        } else {
            gate_warning(l, 0, 0, "checkpoint.required_evidence: item %zu is no text", i);
        }
    }
}

enum err
gate_derive(const struct gate_hints *hints, struct gate **gate, struct problems *problems,
            struct fault *fault)
{
    struct gate_loader l = {.file = hints->file, .problems = problems, .fault = fault};
    enum err err = E_OK;

    *gate = NULL;
    l.gate = gate_new(GATE_DERIVED, hints->file);
    for (size_t i = 0; i < hints->criteria_count; i++) {
        add_statement(&l, hints->criteria[i], 0);
    }
    if (!l.gate->field_count && hints->phase_md.len) {
        err = derive_phase(&l, hints->phase_md);
    }
    if (!err && !l.gate->field_count) {
        derive_checkpoint(&l, hints->checkpoint);
    }
    if (err) {
        gate_unref(l.gate);
        return err;
    }
    if (!l.gate->field_count && !l.gate->needs_approval) {
        l.gate->source = GATE_PERMISSIVE;
    }
    *gate = l.gate;
    return E_OK;
}
