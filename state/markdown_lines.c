/* markdown_lines.c -- see markdown_lines.h.
 *
 * Two passes: split, then classify from top to bottom.  A fence looks ahead for its end once and
 * marks everything up to it.  Nested fences are a habit of agents that show a Markdown file inside
 * a Markdown file; CommonMark would end the outer fence at the inner one's end and open a new one
 * at the outer one's, hiding the rest of the list.  If the nested reading does not come out even,
 * the plain one is taken, from there on for the whole text, which keeps the work linear. */
#include "state/markdown_lines.h"

#include "state/base/rune.h"

#define LIST_DEPTH 16u
#define FENCE_DEPTH 8u
#define INDENT_MAX 1000u

struct scan {
    struct mdl_line *lines;
    size_t count;
    unsigned short content[LIST_DEPTH]; /* Columns at which the texts of open list items begin. */
    size_t depth;
    bool flat;       /* A nested reading of a fence has failed. */
    bool no_comment; /* A comment was not closed: "<!--" is text from here on. */
    unsigned unclosed;
};

struct fence {
    char mark; /* '`' or '~'; 0 if the line is no fence. */
    size_t len;
    struct slice info;
};

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

/* The columns before the first character of 'raw', tabs going to multiples of four, and in '*rest'
 * what follows, without blanks at the end. */
static unsigned short
indent_of(struct slice raw, struct slice *rest)
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

static size_t
run_of(struct slice text, char c)
{
    size_t n = 0;

    while (n < text.len && text.data[n] == c) {
        n++;
    }
    return n;
}

static struct fence
fence_of(struct slice text)
{
    struct fence fence = {.mark = 0};
    size_t len;

    if (text.len < 3 || (text.data[0] != '`' && text.data[0] != '~')) {
        return fence;
    }
    len = run_of(text, text.data[0]);
    fence.info = mdl_trim((struct slice){text.data + len, text.len - len});
    if (len < 3 || (text.data[0] == '`' && fence.info.len > 0 &&
                    memchr(fence.info.data, '`', fence.info.len))) {
        return fence;
    }
    fence.mark = text.data[0];
    fence.len = len;
    return fence;
}

static bool
is_markdown(struct slice info)
{
    size_t word = 0;

    while (word < info.len && info.data[word] != ' ' && info.data[word] != '{') {
        word++;
    }
    info.len = word;
    return slice_is(info, "markdown") || slice_is(info, "md") || slice_is(info, "mdx");
}

/* The line that ends the fence opened on line 'at', whose list item's text begins at column
 * 'floor': a closing fence, or the line before the item ends, or the last one.  '*closed' tells the
 * first.  With 'nested', fences inside fences of kind markdown count. */
static size_t
fence_end(const struct scan *s, size_t at, struct fence open, unsigned floor, bool nested,
          bool *closed)
{
    bool markdown[FENCE_DEPTH] = {nested && is_markdown(open.info)};
    size_t depth = 1;

    *closed = false;
    for (size_t i = at + 1; i < s->count; i++) {
        struct slice rest;
        unsigned short indent = indent_of(s->lines[i].raw, &rest);
        struct fence fence;

        if (rest.len == 0) {
            continue;
        }
        if (indent < floor) {
            return i - 1;
        }
        fence = fence_of(rest);
        if (fence.mark != open.mark || fence.len < open.len) {
            continue;
        }
        if (fence.info.len > 0) {
            if (markdown[depth - 1] && depth < FENCE_DEPTH) {
                markdown[depth++] = is_markdown(fence.info);
            }
        } else if (--depth == 0) {
            *closed = true;
            return i;
        }
    }
    return s->count - 1;
}

/* Marks the fence that opens on line 'at'.  Returns its last line. */
static size_t
take_fence(struct scan *s, size_t at, struct fence open, unsigned floor)
{
    bool closed = false;
    size_t end = at;

    if (!s->flat && is_markdown(open.info)) {
        end = fence_end(s, at, open, floor, true, &closed);
        s->flat = !closed;
    }
    if (!closed) {
        end = fence_end(s, at, open, floor, false, &closed);
    }
    s->lines[at].kind = MDL_FENCE;
    s->lines[at].text = open.info;
    for (size_t i = at + 1; i <= end; i++) {
        s->lines[i].kind = MDL_CODE;
    }
    if (closed) {
        s->lines[end].kind = MDL_FENCE_END;
    } else if (end + 1 == s->count) {
        s->unclosed = s->lines[at].number;
    }
    return end;
}

static bool
holds(struct slice text, const char *word)
{
    return text.len > 0 && memmem(text.data, text.len, word, strlen(word));
}

/* If line 'at' begins a comment that ends, marks it and stores its last line in '*end'. */
static bool
take_comment(struct scan *s, size_t at, struct slice rest, size_t *end)
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
    size_t level = run_of(text, '#');
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
close_items(struct scan *s, unsigned column)
{
    while (s->depth > 0 && s->content[s->depth - 1] > column) {
        s->depth--;
    }
}

static bool
take_item(struct scan *s, struct mdl_line *line, unsigned short indent, struct slice text)
{
    size_t len = marker_len(text);
    struct slice rest;
    unsigned content, gap;

    if (len == 0) {
        return false;
    }
    gap = indent_of((struct slice){text.data + len, text.len - len}, &rest);
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
underline_level(const struct scan *s, size_t at)
{
    struct slice rest, above;
    size_t marks;

    if (at >= s->count || s->depth > 0 || indent_of(s->lines[at].raw, &rest) > 3 || rest.len < 2) {
        return 0;
    }
    marks = run_of(rest, rest.data[0]);
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
take_text(struct scan *s, size_t at, unsigned short indent, struct slice text, bool after_blank)
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
classify(struct scan *s, size_t at)
{
    struct mdl_line *line = &s->lines[at];
    const struct mdl_line *above = at > 0 ? line - 1 : NULL;
    bool after_blank = !above || (above->kind != MDL_TEXT && above->kind != MDL_ITEM);
    struct slice rest;
    unsigned short indent = indent_of(line->raw, &rest);
    struct fence fence = fence_of(rest);
    size_t end;

    if (rest.len == 0) {
        line->kind = MDL_BLANK;
    } else if (fence.mark) {
        close_items(s, indent);
        return take_fence(s, at, fence, s->depth > 0 ? s->content[s->depth - 1] : 0) + 1;
    } else if (indent <= 3 && take_comment(s, at, rest, &end)) {
        return end + 1;
    } else if (is_break(rest)) {
        close_items(s, indent);
        line->kind = MDL_BREAK;
    } else if (indent <= 3 && take_heading(line, rest)) {
        close_items(s, indent);
    } else if (take_item(s, line, indent, rest)) {
        fence = fence_of(line->text);
        if (fence.mark) {
            return take_fence(s, at, fence, s->content[s->depth - 1]) + 1;
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
split(struct scan *s, struct slice text, struct fault *f)
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
    struct scan s = {.lines = NULL};
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
