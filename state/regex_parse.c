/* regex_parse.c -- the text of a pattern to a tree.  See regex.h. */
#include "state/regex_private.h"

#include "state/base/rune.h"

#define DEPTH_MAX 50u

static uint32_t parse_alternatives(struct regex_compiler *c);

/* Notes the first error, at byte 'at'.  Returns NO_NODE. */
uint32_t
regex_fail_at(struct regex_compiler *c, size_t at, enum err err, const char *what)
{
    if (!c->err) {
        unsigned column = (unsigned)rune_count((struct slice){c->text.data, at}) + 1;
        c->err = fault_at(c->fault, err, 1, column, "in the pattern at %u: %s", column, what);
    }
    return NO_NODE;
}

static uint32_t
refuse(struct regex_compiler *c, const char *what)
{
    return regex_fail_at(c, c->at, E_REFUSED, what);
}

static bool
more(const struct regex_compiler *c)
{
    return !c->err && c->at < c->text.len;
}

static char
peek(const struct regex_compiler *c)
{
    return c->at < c->text.len ? c->text.data[c->at] : '\0';
}

static bool
looking_at(const struct regex_compiler *c, const char *text)
{
    size_t len = strlen(text);

    return c->text.len - c->at >= len && memcmp(c->text.data + c->at, text, len) == 0;
}

static bool
skip(struct regex_compiler *c, const char *text)
{
    bool there = looking_at(c, text);

    c->at += there ? strlen(text) : 0;
    return there;
}

static uint32_t
new_node(struct regex_compiler *c, struct regex_node node)
{
    if (c->err || c->node_count == REGEX_NODES_MAX) {
        return regex_fail_at(c, c->at, E_TOO_LARGE, "too many parts");
    }
    c->nodes[c->node_count] = node;
    return (uint32_t)c->node_count++;
}

static uint32_t
new_inst(struct regex_compiler *c, enum regex_op op, uint32_t x)
{
    return new_node(c, (struct regex_node){.kind = NODE_INST, .inst = {.op = op, .x = x}});
}

static uint32_t
next_rune(struct regex_compiler *c)
{
    uint32_t rune = 0;

    if (!more(c)) {
        refuse(c, "it ends too early");
        return 0;
    }
    c->at += rune_decode(c->text, c->at, &rune);
    return rune;
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint32_t
parse_hex(struct regex_compiler *c, unsigned digits)
{
    uint32_t rune = 0;

    for (unsigned i = 0; i < digits; i++, c->at++) {
        int value = hex_value(peek(c));
        if (value < 0) {
            refuse(c, "too few hexadecimal digits");
            return 0;
        }
        rune = rune << 4 | (uint32_t)value;
    }
    if (rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF)) {
        refuse(c, "no such character");
        return 0;
    }
    return rune;
}

static unsigned
kind_of(char letter)
{
    static const char letters[] = "dDwWsS";
    const char *p = letter ? strchr(letters, letter) : NULL;

    return p ? 1u << (p - letters) : 0;
}

/* Reads the rest of an escape that stands for one character; the backslash is behind. */
static uint32_t
parse_escaped_rune(struct regex_compiler *c)
{
    static const char names[] = "nrtfva", values[] = "\n\r\t\f\v\a";
    char letter = peek(c);
    const char *name = letter ? strchr(names, letter) : NULL;

    if (name) {
        c->at++;
        return (unsigned char)values[name - names];
    }
    if (letter == 'x' || letter == 'u' || letter == 'U') {
        c->at++;
        return parse_hex(c, letter == 'x' ? 2 : letter == 'u' ? 4 : 8);
    }
    if (letter == '0') {
        c->at++;
        return 0;
    }
    if (letter >= '1' && letter <= '9') {
        refuse(c, "references to groups are not taken");
        return 0;
    }
    if (!more(c) || ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'z')) {
        refuse(c, "unknown escape");
        return 0;
    }
    return next_rune(c);
}

static uint32_t
new_class(struct regex_compiler *c, struct regex_class class)
{
    struct regex *r = c->regex;

    r->classes = xrealloc(r->classes, (r->class_count + 1) * sizeof *r->classes);
    r->classes[r->class_count++] = class;
    return (uint32_t)r->class_count - 1;
}

static uint32_t
parse_escape(struct regex_compiler *c)
{
    static const struct {
        char letter;
        enum regex_place place;
    } places[] = {{'b', PLACE_WORD_EDGE},
                  {'B', PLACE_NO_WORD_EDGE},
                  {'A', PLACE_TEXT_START},
                  {'Z', PLACE_TEXT_END}};
    unsigned kind;

    c->at++;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (peek(c) == places[i].letter) {
            c->at++;
            return new_inst(c, OP_ASSERT, places[i].place);
        }
    }
    kind = kind_of(peek(c));
    if (kind) {
        c->at++;
        return new_inst(c, OP_CLASS, new_class(c, (struct regex_class){.kinds = kind}));
    }
    return new_inst(c, OP_CHAR, parse_escaped_rune(c));
}

static void
add_range(struct regex_class *class, uint32_t first, uint32_t last)
{
    class->ranges = xrealloc(class->ranges, (class->count + 1) * sizeof *class->ranges);
    class->ranges[class->count][0] = first;
    class->ranges[class->count++][1] = last;
}

/* One end of a range, or a kind, which is added at once and told by returning false. */
static bool
parse_class_end(struct regex_compiler *c, struct regex_class *class, uint32_t *rune)
{
    if (peek(c) != '\\') {
        *rune = next_rune(c);
        return true;
    }
    c->at++;
    if (kind_of(peek(c))) {
        class->kinds |= kind_of(peek(c));
        c->at++;
        return false;
    }
    *rune = skip(c, "b") ? '\b' : parse_escaped_rune(c);
    return true;
}

static void
parse_class_item(struct regex_compiler *c, struct regex_class *class)
{
    uint32_t first, last;
    size_t start = c->at;

    if (!parse_class_end(c, class, &first)) {
        return;
    }
    if (peek(c) != '-' || (c->at + 1 < c->text.len && c->text.data[c->at + 1] == ']')) {
        add_range(class, first, first);
        return;
    }
    c->at++;
    if (!more(c)) {
        return;
    }
    if (!parse_class_end(c, class, &last) || last < first) {
        regex_fail_at(c, start, E_REFUSED, "a bad range");
        return;
    }
    add_range(class, first, last);
}

static uint32_t
parse_class(struct regex_compiler *c)
{
    struct regex_class class = {.negated = false};
    size_t start = c->at++;

    class.negated = skip(c, "^");
    do {
        parse_class_item(c, &class);
    } while (more(c) && peek(c) != ']');
    if (!skip(c, "]")) {
        regex_fail_at(c, start, E_REFUSED, "a class that does not end");
    }
    /* The class belongs to the expression even if it is wrong, so that it is freed with it. */
    return new_inst(c, OP_CLASS, new_class(c, class));
}

/* What follows "(?": skips the kinds of group we take. */
static void
parse_group_kind(struct regex_compiler *c)
{
    if (skip(c, ":")) {
        return;
    }
    if (skip(c, "P<")) {
        size_t start = c->at;
        while (more(c) && (peek(c) == '_' || rune_is_alnum((unsigned char)peek(c)))) {
            c->at++;
        }
        if (c->at == start || !skip(c, ">")) {
            refuse(c, "a bad group name");
        }
        return;
    }
    refuse(c, "this kind of group is not taken");
}

static uint32_t
parse_group(struct regex_compiler *c)
{
    size_t start = c->at++;
    uint32_t node;

    if (skip(c, "?")) {
        parse_group_kind(c);
    }
    if (++c->depth > DEPTH_MAX) {
        return regex_fail_at(c, start, E_TOO_LARGE, "groups too deep");
    }
    node = c->err ? NO_NODE : parse_alternatives(c);
    c->depth--;
    if (!skip(c, ")")) {
        return regex_fail_at(c, start, E_REFUSED, "a group that does not end");
    }
    return node;
}

/* Reads digits from '*at' on into '*number'; false if there are none. */
static bool
parse_number(const struct regex_compiler *c, size_t *at, uint32_t *number)
{
    size_t start = *at;

    *number = 0;
    while (*at < c->text.len && c->text.data[*at] >= '0' && c->text.data[*at] <= '9') {
        uint32_t digit = (uint32_t)(c->text.data[(*at)++] - '0');
        *number = *number > REGEX_REPEAT_MAX ? *number : *number * 10 + digit;
    }
    return *at > start;
}

/* Reads {m}, {m,}, {,n} or {m,n}; false, and nothing read, if the brace is only a character. */
static bool
parse_counts(struct regex_compiler *c, uint32_t *min, uint32_t *max)
{
    size_t at = c->at + 1;
    bool low = parse_number(c, &at, min), high;

    if (at < c->text.len && c->text.data[at] == ',') {
        at++;
        high = parse_number(c, &at, max);
        if (!high) {
            *max = UNBOUNDED;
        }
        if (!low && !high) {
            return false;
        }
    } else {
        *max = *min;
        if (!low) {
            return false;
        }
    }
    if (at >= c->text.len || c->text.data[at] != '}') {
        return false;
    }
    if (*min > REGEX_REPEAT_MAX || (*max != UNBOUNDED && *max > REGEX_REPEAT_MAX)) {
        regex_fail_at(c, c->at, E_TOO_LARGE, "a count too large");
    } else if (*max < *min) {
        regex_fail_at(c, c->at, E_REFUSED, "the smaller count comes first");
    }
    c->at = at + 1;
    return true;
}

static uint32_t
parse_atom(struct regex_compiler *c)
{
    uint32_t min, max;

    switch (peek(c)) {
    case '{':
        if (parse_counts(c, &min, &max)) {
            return refuse(c, "nothing to repeat");
        }
        return new_inst(c, OP_CHAR, next_rune(c));
    case '(':
        return parse_group(c);
    case '[':
        return parse_class(c);
    case '\\':
        return parse_escape(c);
    case '.':
        c->at++;
        return new_inst(c, OP_ANY, c->dot_all);
    case '^':
        c->at++;
        return new_inst(c, OP_ASSERT, c->multiline ? PLACE_LINE_START : PLACE_TEXT_START);
    case '$':
        c->at++;
        return new_inst(c, OP_ASSERT, c->multiline ? PLACE_LINE_END : PLACE_LAST_LINE_END);
    case '*':
    case '+':
    case '?':
        return refuse(c, "nothing to repeat");
    default:
        return new_inst(c, OP_CHAR, next_rune(c));
    }
}

static bool
parse_quantifier(struct regex_compiler *c, uint32_t *min, uint32_t *max)
{
    *min = 0;
    *max = UNBOUNDED;
    switch (peek(c)) {
    case '*':
        break;
    case '+':
        *min = 1;
        break;
    case '?':
        *max = 1;
        break;
    case '{':
        return parse_counts(c, min, max);
    default:
        return false;
    }
    c->at++;
    return true;
}

static uint32_t
parse_repeat(struct regex_compiler *c)
{
    uint32_t node = parse_atom(c), min, max;

    if (c->err || !parse_quantifier(c, &min, &max) || c->err) {
        return node;
    }
    if (c->nodes[node].kind == NODE_INST && c->nodes[node].inst.op == OP_ASSERT) {
        return refuse(c, "a place cannot be repeated");
    }
    node =
        new_node(c, (struct regex_node){.kind = NODE_REPEAT, .left = node, .min = min, .max = max});
    skip(c, "?");
    if (peek(c) == '*' || peek(c) == '+' || peek(c) == '?' ||
        (peek(c) == '{' && parse_counts(c, &min, &max))) {
        return refuse(c, "one repetition after another");
    }
    return node;
}

static uint32_t
parse_sequence(struct regex_compiler *c)
{
    uint32_t left = new_node(c, (struct regex_node){.kind = NODE_EMPTY});

    while (more(c) && peek(c) != '|' && peek(c) != ')') {
        uint32_t right = parse_repeat(c);
        left = new_node(c, (struct regex_node){.kind = NODE_CAT, .left = left, .right = right});
    }
    return left;
}

static uint32_t
parse_alternatives(struct regex_compiler *c)
{
    uint32_t left = parse_sequence(c);

    while (more(c) && skip(c, "|")) {
        uint32_t right = parse_sequence(c);
        left = new_node(c, (struct regex_node){.kind = NODE_ALT, .left = left, .right = right});
    }
    return left;
}

/* Flags for the whole pattern, which Python takes at its start only. */
static void
parse_flags(struct regex_compiler *c)
{
    size_t at = c->at + 2;

    if (!looking_at(c, "(?")) {
        return;
    }
    while (at < c->text.len && memchr("imsu", c->text.data[at], 4)) {
        at++;
    }
    if (at == c->at + 2 || at >= c->text.len || c->text.data[at] != ')') {
        return;
    }
    for (c->at += 2; c->at < at; c->at++) {
        c->regex->ignore_case |= peek(c) == 'i';
        c->multiline |= peek(c) == 'm';
        c->dot_all |= peek(c) == 's';
    }
    c->at++;
}

uint32_t
regex_parse(struct regex_compiler *c)
{
    uint32_t root;

    parse_flags(c);
    root = parse_alternatives(c);
    if (more(c)) {
        refuse(c, "a ')' without its '('");
    }
    return root;
}
