/* markdown_lines.c -- see markdown_lines.h.
 *
 * Two passes: split, then classify from top to bottom. */
#include "state/markdown_lines_private.h"

#include "state/base/rune.h"

#define INDENT_MAX 1000u

struct slice
mdl_trim(struct slice text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t')) {
        text.len--;
    }
    return text;
}

struct slice
mdl_unmark(struct slice text)
{
    text = mdl_trim(text);
    while (text.len >= 4 && (text.data[0] == '*' || text.data[0] == '_') &&
           text.data[1] == text.data[0] && text.data[text.len - 1] == text.data[0] &&
           text.data[text.len - 2] == text.data[0]) {
        text.data += 2;
        text.len -= 4;
        text = mdl_trim(text);
    }
    return text;
}

/* Symbols, arrows, emoji, variation selectors and joiners: the blocks that decorate. */
static bool
is_symbol(uint32_t c)
{
    return (c >= 0x2000 && c <= 0x2BFF) || (c >= 0xFE00 && c <= 0xFE0F) ||
           (c >= 0x1F000 && c <= 0x1FAFF) || (c >= 0x3000 && c <= 0x303F) || c == 0xFEFF ||
           c == 0xA0;
}

struct slice
mdl_skip_symbols(struct slice text)
{
    while (text.len > 0) {
        uint32_t c;
        size_t len = rune_decode(text, 0, &c);

        if (len == 0 || (c != ' ' && c != '\t' && !is_symbol(c))) {
            break;
        }
        text.data += len;
        text.len -= len;
    }
    return text;
}

unsigned short
mdl_indent_of(struct slice raw, struct slice *rest)
{
    unsigned column = 0;
    size_t i = 0;

    for (; i < raw.len && (raw.data[i] == ' ' || raw.data[i] == '\t'); i++) {
        column = raw.data[i] == '\t' ? (column / 4 + 1) * 4 : column + 1;
        if (column > INDENT_MAX) {
            column = INDENT_MAX;
        }
    }
    *rest = mdl_trim((struct slice){raw.data + i, raw.len - i});
    return (unsigned short)column;
}

size_t
mdl_run_of(struct slice text, char c)
{
    size_t n = 0;

    while (n < text.len && text.data[n] == c) {
        n++;
    }
    return n;
}

static bool
holds(struct slice text, const char *word)
{
    return text.len > 0 && memmem(text.data, text.len, word, strlen(word));
}

/* If line 'at' begins a comment that ends, marks it and stores its last line in '*end'. */
static bool
take_comment(struct mdl_scan *s, size_t at, struct slice rest, size_t *end)
{
    if (s->no_comment || rest.len < 4 || memcmp(rest.data, "<!--", 4) != 0) {
        return false;
    }
    for (size_t i = at; i < s->count; i++) {
        if (holds(i == at ? rest : s->lines[i].raw, "-->")) {
            for (size_t j = at; j <= i; j++) {
                s->lines[j].kind = MDL_COMMENT;
            }
            *end = i;
            return true;
        }
    }
    s->no_comment = true;
    return false;
}

static bool
is_break(struct slice text)
{
    size_t marks = 0;

    if (text.len < 3 || (text.data[0] != '-' && text.data[0] != '*' && text.data[0] != '_')) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == text.data[0]) {
            marks++;
        } else if (text.data[i] != ' ' && text.data[i] != '\t') {
            return false;
        }
    }
    return marks >= 3;
}

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A heading with marks in front.  "##Name" is accepted too, but not "#name", which is a tag. */
static bool
take_heading(struct mdl_line *line, struct slice text)
{
    size_t level = mdl_run_of(text, '#');
    struct slice rest = {text.data + level, text.len - level};

    if (level == 0 || level > 6) {
        return false;
    }
    if (rest.len > 0 && rest.data[0] != ' ' && rest.data[0] != '\t' &&
        (level < 2 || !is_letter(rest.data[0]))) {
        return false;
    }
    rest = mdl_trim(rest);
    while (rest.len > 0 && rest.data[rest.len - 1] == '#') {
        rest.len--;
    }
    line->kind = MDL_HEADING;
    line->level = (unsigned char)level;
    line->text = mdl_trim(rest);
    return true;
}

/* The bytes of a list marker at the front of 'text' without the blank after it; 0 if there is none.
 */
static size_t
marker_len(struct slice text)
{
    size_t n = 0;

    if (text.len == 0) {
        return 0;
    }
    if (text.data[0] == '-' || text.data[0] == '*' || text.data[0] == '+') {
        n = 1;
    } else {
        while (n < text.len && n < 9 && text.data[n] >= '0' && text.data[n] <= '9') {
            n++;
        }
        if (n == 0 || n == text.len || (text.data[n] != '.' && text.data[n] != ')')) {
            return 0;
        }
        n++;
    }
    return n == text.len || text.data[n] == ' ' || text.data[n] == '\t' ? n : 0;
}

static void
take_box(struct mdl_line *line)
{
    struct slice text = line->text;
    char mark;

    if (text.len < 3 || text.data[0] != '[' || text.data[2] != ']' ||
        (text.len > 3 && text.data[3] != ' ' && text.data[3] != '\t')) {
        return;
    }
    mark = text.data[1];
    if (mark == ' ' || mark == 'x' || mark == 'X') {
        line->box = mark == ' ' ? ' ' : 'x';
        line->text = mdl_trim((struct slice){text.data + 3, text.len - 3});
    }
}

/* Closes the list items whose text begins right of 'column'. */
static void
close_items(struct mdl_scan *s, unsigned column)
{
    while (s->depth > 0 && s->content[s->depth - 1] > column) {
        s->depth--;
    }
}

static bool
take_item(struct mdl_scan *s, struct mdl_line *line, unsigned short indent, struct slice text)
{
    size_t len = marker_len(text);
    struct slice rest;
    unsigned content, gap;

    if (len == 0) {
        return false;
    }
    gap = mdl_indent_of((struct slice){text.data + len, text.len - len}, &rest);
    content = indent + (unsigned)len + (gap == 0 || gap > 4 ? 1 : gap);
    close_items(s, indent);
    if (s->depth < LIST_DEPTH) {
        s->content[s->depth++] = (unsigned short)content;
    }
    line->kind = MDL_ITEM;
    line->indent = indent;
    line->text = rest;
    take_box(line);
    return true;
}

/* Is line 'at' the underline of the one-line paragraph before it?  Dashes count only below plain
 * text:
 * "**Time:** 2 hours" with a rule right under it is what agents write, and no heading. */
static unsigned char
underline_level(const struct mdl_scan *s, size_t at)
{
    struct slice rest, above;
    size_t marks;

    if (at >= s->count || s->depth > 0 || mdl_indent_of(s->lines[at].raw, &rest) > 3 ||
        rest.len < 2) {
        return 0;
    }
    marks = mdl_run_of(rest, rest.data[0]);
    if (marks != rest.len || (rest.data[0] != '=' && rest.data[0] != '-')) {
        return 0;
    }
    if (rest.data[0] == '=') {
        return 1;
    }
    above = s->lines[at - 1].text;
    if (above.data[0] == '*' || above.data[0] == '_' || above.data[0] == '|' ||
        (at >= 2 && s->lines[at - 2].kind == MDL_TEXT)) {
        return 0;
    }
    return 2;
}

static void
take_text(struct mdl_scan *s, size_t at, unsigned short indent, struct slice text, bool after_blank)
{
    struct mdl_line *line = &s->lines[at];
    unsigned char level;

    if (after_blank) {
        close_items(s, indent);
    }
    line->kind = MDL_TEXT;
    line->indent = s->depth > 0 ? indent : 0;
    line->text = text;
    level = underline_level(s, at + 1);
    if (level > 0) {
        line->kind = MDL_HEADING;
        line->level = level;
    }
}

/* Classifies line 'at', and more if it opens something.  Returns the next line to look at. */
static size_t
classify(struct mdl_scan *s, size_t at)
{
    struct mdl_line *line = &s->lines[at];
    const struct mdl_line *above = at > 0 ? line - 1 : NULL;
    bool after_blank = !above || (above->kind != MDL_TEXT && above->kind != MDL_ITEM);
    struct slice rest;
    unsigned short indent = mdl_indent_of(line->raw, &rest);
    struct mdl_fence fence = mdl_fence_of(rest);
    size_t end;

    if (rest.len == 0) {
        line->kind = MDL_BLANK;
    } else if (fence.mark) {
        close_items(s, indent);
        return mdl_take_fence(s, at, fence, s->depth > 0 ? s->content[s->depth - 1] : 0) + 1;
    } else if (indent <= 3 && take_comment(s, at, rest, &end)) {
        return end + 1;
    } else if (is_break(rest)) {
        close_items(s, indent);
        line->kind = MDL_BREAK;
    } else if (indent <= 3 && take_heading(line, rest)) {
        close_items(s, indent);
    } else if (take_item(s, line, indent, rest)) {
        fence = mdl_fence_of(line->text);
        if (fence.mark) {
            return mdl_take_fence(s, at, fence, s->content[s->depth - 1]) + 1;
        }
    } else {
        take_text(s, at, indent, rest, after_blank);
        if (line->kind == MDL_HEADING) {
            s->lines[at + 1].kind = MDL_BLANK;
            return at + 2;
        }
    }
    return at + 1;
}

static enum err
refuse_bytes(struct slice text, struct fault *f)
{
    unsigned line = 1;
    size_t at = 0, len = 1;
    uint32_t c = 1;

    while (at < text.len && (len = rune_decode(text, at, &c)) > 0 && c != 0) {
        line += c == '\n';
        at += len;
    }
    if (at == text.len) {
        return E_OK;
    }
    fault_at(f, E_REFUSED, line, 0, len == 0 ? "the text is not UTF-8" : "the text holds a NUL");
    return fault_remedy(f, "save the file as UTF-8 text");
}

/* Fills 's' with the lines of 'text', not yet classified. */
static enum err
split(struct mdl_scan *s, struct slice text, struct fault *f)
{
    size_t count = text.len > 0;
    size_t at = 0;

    for (size_t i = 0; i + 1 < text.len; i++) {
        count += text.data[i] == '\n';
    }
    if (count > MDL_LINES_MAX) {
        return fault_set(f, E_TOO_LARGE, "the text has %zu lines, %u are allowed", count,
                         MDL_LINES_MAX);
    }
    s->lines = try_malloc((count + 1) * sizeof *s->lines);
    if (!s->lines) {
        return fault_set(f, E_OVERLOAD, "no memory for a text of %zu lines", count);
    }
    memset(s->lines, 0, (count + 1) * sizeof *s->lines);
    while (at < text.len) {
        const char *begin = text.data + at;
        const char *end = memchr(begin, '\n', text.len - at);
        size_t len = end ? (size_t)(end - begin) : text.len - at;

        at += len + 1;
        if (len > 0 && begin[len - 1] == '\r') {
            len--;
        }
        s->lines[s->count].raw = (struct slice){begin, len};
        s->lines[s->count].number = (unsigned)s->count + 1;
        s->count++;
    }
    return E_OK;
}

enum err
mdl_lines_read(struct mdl_lines *md, struct slice text, struct fault *f)
{
    struct mdl_scan s = {.lines = NULL};
    enum err err = refuse_bytes(text, f);

    *md = (struct mdl_lines)MDL_LINES_INIT;
    if (err) {
        return err;
    }
    if (text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0) {
        text.data += 3;
        text.len -= 3;
    }
    err = split(&s, text, f);
    if (err) {
        return err;
    }
    for (size_t at = 0; at < s.count;) {
        at = classify(&s, at);
    }
    *md = (struct mdl_lines){.lines = s.lines, .count = s.count, .unclosed = s.unclosed};
    return E_OK;
}

void
mdl_lines_fini(struct mdl_lines *md)
{
    free(md->lines);
    *md = (struct mdl_lines)MDL_LINES_INIT;
}
