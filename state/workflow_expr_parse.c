/* workflow_expr_parse.c -- tokens to a tree; every name is resolved here, and whatever is not in
 * the language is refused here.  See workflow_expr.h. */
#include "state/workflow_expr_private.h"

#include "state/base/rune.h"

#include <stdarg.h>
#include <stdio.h>

#define NODES_MAX 2000u
#define HEIGHT_MAX 64u /* Of the tree: evaluating recurses as deep, on the stack of a worker. */
#define CHAIN_MAX 32u  /* Of comparisons. */

struct local {
    struct slice name;
    unsigned slot;
};

struct parser {
    struct lexer lexer;
    struct token token; /* The one looked at. */
    struct expr *expr;
    struct local locals[EXPR_SLOTS_MAX]; /* Innermost last. */
    unsigned local_count, slots;
    unsigned depth, nodes;
    enum err err;
};

/* Nodes being gathered; in the arena, because the stack is for the nesting. */
struct kids {
    struct node **at;
    size_t count, size;
};

static struct node *parse_test(struct parser *p);
static struct node *parse_or(struct parser *p);

static struct node *refuse_token(struct parser *p, const struct token *t, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Notes the first error, at token 't'.  Returns null. */
static struct node *
refuse_token(struct parser *p, const struct token *t, const char *format, ...)
{
    char text[256];
    va_list args;

    if (!p->err) {
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        p->err = fault_at(p->lexer.fault, E_REFUSED, t->line, t->column, "%s", text);
    }
    return NULL;
}

static struct node *
too_large(struct parser *p, const char *what)
{
    if (!p->err) {
        p->err = fault_at(p->lexer.fault, E_TOO_LARGE, p->token.line, p->token.column, "%s", what);
    }
    return NULL;
}

static void
advance(struct parser *p)
{
    if (!p->err) {
        p->err = lexer_next(&p->lexer, &p->token);
    }
    if (p->err) {
        p->token.kind = T_END;
    }
}

static bool
at_sign(const struct parser *p, const char *sign)
{
    return p->token.kind == T_SIGN && slice_is(p->token.text, sign);
}

static bool
at_word(const struct parser *p, const char *word)
{
    return p->token.kind == T_NAME && slice_is(p->token.text, word);
}

static bool
take_sign(struct parser *p, const char *sign)
{
    bool there = at_sign(p, sign);

    if (there) {
        advance(p);
    }
    return there;
}

static bool
take_word(struct parser *p, const char *word)
{
    bool there = at_word(p, word);

    if (there) {
        advance(p);
    }
    return there;
}

static void
expect_sign(struct parser *p, const char *sign)
{
    if (!take_sign(p, sign)) {
        refuse_token(p, &p->token, "'%s' is missing here", sign);
    }
}

static struct node *
new_node(struct parser *p, enum node_kind kind, const struct token *t)
{
    struct node *n;

    if (p->err || ++p->nodes > NODES_MAX) {
        return too_large(p, "an expression of too many parts");
    }
    n = arena_take(&p->expr->arena, 1, sizeof *n);
    if (!n) {
        return too_large(p, "no memory for an expression");
    }
    n->kind = kind;
    n->line = t->line;
    n->column = t->column;
    return n;
}

/* Gives 'n' a copy of its kids; either may be null after an error. */
static struct node *
with_kids(struct parser *p, struct node *n, struct node *const *kids, size_t count)
{
    if (!n || p->err) {
        return NULL;
    }
    n->kids = arena_take(&p->expr->arena, count ? count : 1, sizeof *n->kids);
    if (!n->kids) {
        return too_large(p, "no memory for an expression");
    }
    if (count) {
        memcpy(n->kids, kids, count * sizeof *kids);
    }
    n->count = count;
    for (size_t i = 0; i < count; i++) {
        if (kids[i] && kids[i]->height >= n->height) {
            n->height = kids[i]->height + 1;
        }
    }
    return n->height > HEIGHT_MAX ? too_large(p, "too long a chain") : n;
}

static void
add_kid(struct parser *p, struct kids *kids, struct node *n)
{
    if (kids->count == kids->size) {
        size_t size = kids->size ? kids->size * 2 : 4;
        struct node **at = arena_take(&p->expr->arena, size, sizeof *at);
        if (!at) {
            too_large(p, "no memory for an expression");
            return;
        }
        if (kids->count) {
            memcpy(at, kids->at, kids->count * sizeof *at);
        }
        kids->at = at;
        kids->size = size;
    }
    kids->at[kids->count++] = n;
}

static bool
is_keyword(struct slice name)
{
    static const char *const words[] = {
        "lambda", "or",     "and",   "not",     "in",     "is",       "if",     "else",     "for",
        "True",   "False",  "None",  "await",   "async",  "yield",    "import", "from",     "as",
        "with",   "def",    "class", "return",  "global", "nonlocal", "del",    "assert",   "raise",
        "try",    "except", "pass",  "finally", "while",  "break",    "elif",   "continue", NULL};

    for (size_t i = 0; words[i]; i++) {
        if (slice_is(name, words[i])) {
            return true;
        }
    }
    return false;
}

/* The name that token 't' must be. */
static struct slice
take_name(struct parser *p)
{
    struct token t = p->token;

    if (t.kind != T_NAME || is_keyword(t.text)) {
        refuse_token(p, &t, "a name is missing here");
    } else if (t.text.len >= 2 && t.text.data[0] == '_' && t.text.data[1] == '_') {
        refuse_token(p, &t, "names must not begin with two underscores");
    }
    advance(p);
    return t.text;
}

/* The variables of a comprehension: "a", "a, b" or "(a, b)". */
static void
parse_targets(struct parser *p, struct node *n)
{
    struct slice names[8];
    bool brackets = take_sign(p, "(");

    do {
        if (n->targets == sizeof names / sizeof names[0]) {
            too_large(p, "too many variables");
            return;
        }
        names[n->targets++] = take_name(p);
    } while (!p->err && take_sign(p, ","));
    if (brackets) {
        expect_sign(p, ")");
    }
    n->target_names = arena_take(&p->expr->arena, 1, sizeof names);
    if (!n->target_names) {
        too_large(p, "no memory for an expression");
        return;
    }
    memcpy(n->target_names, names, n->targets * sizeof *names);
}

/* The rest of a comprehension whose element is parsed; "for" is looked at. */
static struct node *
parse_comprehension(struct parser *p, struct node *element)
{
    struct node *kids[3] = {element, NULL, NULL};
    struct node *n = new_node(p, N_COMP, &p->token);

    if (!n) {
        return NULL;
    }
    advance(p);
    parse_targets(p, n);
    if (!take_word(p, "in")) {
        return refuse_token(p, &p->token, "'in' is missing here");
    }
    kids[1] = parse_or(p);
    if (take_word(p, "if")) {
        kids[2] = parse_or(p);
    }
    if (at_word(p, "for") || at_word(p, "if")) {
        return refuse_token(p, &p->token, "a comprehension takes one 'for' and one 'if'");
    }
    return with_kids(p, n, kids, 3);
}

/* Expressions between commas up to 'close', which is taken, too, onto 'kids'; a comma may come
 * last, as 'comma' tells.  A lone one may be a comprehension. */
static void
parse_list(struct parser *p, const char *close, struct kids *kids, bool *comma)
{
    size_t first = kids->count;

    *comma = false;
    while (!p->err && !at_sign(p, close)) {
        add_kid(p, kids, parse_test(p));
        if (!p->err && kids->count == first + 1 && at_word(p, "for")) {
            kids->at[first] = parse_comprehension(p, kids->at[first]);
            break;
        }
        *comma = take_sign(p, ",");
        if (!*comma) {
            break;
        }
    }
    expect_sign(p, close);
}

static struct node *
parse_round(struct parser *p)
{
    struct kids kids = {.at = NULL};
    struct token t = p->token;
    bool comma;

    advance(p);
    parse_list(p, ")", &kids, &comma);
    if (!p->err && kids.count == 1 && !comma) {
        if (kids.at[0]->kind == N_COMP && !kids.at[0]->listed) {
            kids.at[0]->generator = true;
        }
        return kids.at[0];
    }
    return with_kids(p, new_node(p, N_TUPLE, &t), kids.at, kids.count);
}

static struct node *
parse_square(struct parser *p)
{
    struct kids kids = {.at = NULL};
    struct token t = p->token;
    bool comma;

    advance(p);
    parse_list(p, "]", &kids, &comma);
    /* A generator in brackets of its own has been marked as one; this one has not. */
    if (!p->err && kids.count == 1 && !comma && kids.at[0]->kind == N_COMP &&
        !kids.at[0]->generator && !kids.at[0]->listed) {
        kids.at[0]->listed = true;
        return kids.at[0];
    }
    return with_kids(p, new_node(p, N_LIST, &t), kids.at, kids.count);
}

static struct node *
parse_curly(struct parser *p)
{
    struct kids kids = {.at = NULL};
    struct token t = p->token;

    advance(p);
    while (!p->err && !at_sign(p, "}")) {
        add_kid(p, &kids, parse_test(p));
        if (!take_sign(p, ":")) {
            return refuse_token(p, &p->token, "of curly brackets, only dicts are taken");
        }
        add_kid(p, &kids, parse_test(p));
        if (!take_sign(p, ",")) {
            break;
        }
    }
    expect_sign(p, "}");
    return with_kids(p, new_node(p, N_DICT, &t), kids.at, kids.count);
}

/* Arguments in brackets onto 'n', a call or method whose kids begin with 'object' if not null. */
static struct node *
parse_arguments(struct parser *p, struct node *n, struct node *object)
{
    struct kids kids = {.at = NULL};
    struct token t = p->token;
    size_t count;
    bool comma;

    if (object) {
        add_kid(p, &kids, object);
    }
    expect_sign(p, "(");
    parse_list(p, ")", &kids, &comma);
    if (p->err || !n) {
        return NULL;
    }
    count = kids.count - (object ? 1 : 0);
    if (count == 1 && kids.at[kids.count - 1]->kind == N_COMP && !kids.at[kids.count - 1]->listed) {
        kids.at[kids.count - 1]->generator = true;
    }
    if (count < n->function->min || count > n->function->max) {
        return refuse_token(p, &t, "%s() takes %u to %u arguments, not %zu", n->function->name,
                            n->function->min, n->function->max, count);
    }
    return with_kids(p, n, kids.at, kids.count);
}

/* A call of re.* with a literal pattern compiles it now. */
static struct node *
compile_pattern(struct parser *p, struct node *n)
{
    struct fault why = FAULT_INIT;
    const struct node *pattern;

    if (!n || strncmp(n->function->name, "re.", 3) != 0) {
        return n;
    }
    pattern = n->kids[0];
    if (pattern->kind != N_CONST || pattern->constant.type != V_STR) {
        return n;
    }
    if (regex_compile(pattern->constant.as.text, &n->regex, &why)) {
        p->err = fault_at(p->lexer.fault, why.code, pattern->line, pattern->column, "%s", why.text);
        return NULL;
    }
    p->expr->patterns =
        xrealloc(p->expr->patterns, (p->expr->pattern_count + 1) * sizeof *p->expr->patterns);
    p->expr->patterns[p->expr->pattern_count++] = n;
    return n;
}

static struct node *
parse_call(struct parser *p, const struct token *name, const struct function *function)
{
    struct node *n = new_node(p, N_CALL, name);

    if (n) {
        n->function = function;
        n->name = name->text;
    }
    return compile_pattern(p, parse_arguments(p, n, NULL));
}

static struct node *
parse_constant(struct parser *p, struct value value)
{
    struct node *n = new_node(p, N_CONST, &p->token);

    if (n) {
        n->constant = value;
    }
    if (n && value.type == V_STR) {
        p->expr->strings =
            xrealloc(p->expr->strings, (p->expr->string_count + 1) * sizeof *p->expr->strings);
        p->expr->strings[p->expr->string_count++] = value.as.text;
    }
    advance(p);
    return n;
}

/* "re.match" and the like: '*name' grows over the dot if that makes a function. */
static const struct function *
dotted_function(struct parser *p, struct token *name)
{
    struct lexer ahead = p->lexer;
    struct token part;
    struct slice whole;
    const struct function *function;

    if (!at_sign(p, ".") || lexer_next(&ahead, &part) || part.kind != T_NAME) {
        return NULL;
    }
    whole =
        (struct slice){name->text.data, (size_t)(part.text.data + part.text.len - name->text.data)};
    function = expr_function(whole);
    if (function) {
        advance(p);
        advance(p);
    }
    return function;
}

static struct node *
parse_name(struct parser *p)
{
    struct token t = p->token;
    const struct function *function;
    struct node *n;

    if (slice_is(t.text, "True") || slice_is(t.text, "False")) {
        return parse_constant(p, TRUTH(slice_is(t.text, "True")));
    }
    if (slice_is(t.text, "None")) {
        return parse_constant(p, NONE);
    }
    if (is_keyword(t.text)) {
        return refuse_token(p, &t, "'%.*s' is not taken here", (int)t.text.len, t.text.data);
    }
    take_name(p);
    function = at_sign(p, "(") ? expr_function(t.text) : dotted_function(p, &t);
    if (function) {
        return parse_call(p, &t, function);
    }
    if (at_sign(p, "(")) {
        return refuse_token(p, &t, "'%.*s' is no function of this language", (int)t.text.len,
                            t.text.data);
    }
    n = new_node(p, N_LOCAL, &t);
    if (n) {
        n->name = t.text;
    }
    return n;
}

static struct node *
parse_atom(struct parser *p)
{
    if (p->token.kind == T_INT || p->token.kind == T_FLOAT || p->token.kind == T_STRING) {
        return parse_constant(p, p->token.value);
    }
    if (p->token.kind == T_NAME) {
        return parse_name(p);
    }
    if (at_sign(p, "(")) {
        return parse_round(p);
    }
    if (at_sign(p, "[")) {
        return parse_square(p);
    }
    if (at_sign(p, "{")) {
        return parse_curly(p);
    }
    return refuse_token(p, &p->token, "a value is missing here");
}

/* [i] or [a:b:c] behind 'object'. */
static struct node *
parse_subscript(struct parser *p, struct node *object)
{
    struct node *kids[4] = {object, NULL, NULL, NULL};
    struct token t = p->token;
    size_t at = 1;

    advance(p);
    if (!at_sign(p, ":")) {
        kids[1] = parse_test(p);
        if (take_sign(p, "]")) {
            return with_kids(p, new_node(p, N_INDEX, &t), kids, 2);
        }
    }
    while (!p->err && at < 3 && take_sign(p, ":")) {
        at++;
        if (!at_sign(p, ":") && !at_sign(p, "]")) {
            kids[at] = parse_test(p);
        }
    }
    expect_sign(p, "]");
    return with_kids(p, new_node(p, N_SLICE, &t), kids, 4);
}

static struct node *
parse_method(struct parser *p, struct node *object)
{
    struct token dot = p->token, name;
    struct node *n;

    advance(p);
    name = p->token;
    take_name(p);
    if (!p->err && !at_sign(p, "(")) {
        return refuse_token(p, &dot, "attributes are not part of this language");
    }
    n = new_node(p, N_METHOD, &name);
    if (!n) {
        return NULL;
    }
    n->function = expr_method(name.text);
    if (!n->function) {
        return refuse_token(p, &name, "'.%.*s' is no method of this language", (int)name.text.len,
                            name.text.data);
    }
    return parse_arguments(p, n, object);
}

static struct node *
parse_postfix(struct parser *p)
{
    struct node *n = parse_atom(p);

    while (!p->err && p->token.kind == T_SIGN) {
        if (at_sign(p, ".")) {
            n = parse_method(p, n);
        } else if (at_sign(p, "[")) {
            n = parse_subscript(p, n);
        } else if (at_sign(p, "(")) {
            return refuse_token(p, &p->token, "only functions of this language can be called");
        } else {
            break;
        }
    }
    return n;
}

static struct node *
parse_unary(struct parser *p)
{
    struct token t = p->token;
    bool minus = at_sign(p, "-");
    struct node *n, *kid;

    if (!minus && !at_sign(p, "+")) {
        return parse_postfix(p);
    }
    advance(p);
    if (++p->depth > EXPR_DEPTH_MAX) {
        return too_large(p, "nested too deep");
    }
    n = new_node(p, minus ? N_NEGATE : N_PLUS, &t);
    kid = parse_unary(p);
    p->depth--;
    return with_kids(p, n, &kid, 1);
}

/* Operators of one level, all binding to the left. */
static struct node *
parse_binary(struct parser *p, const char *const *signs, struct node *(*next)(struct parser *))
{
    struct node *left = next(p);

    for (size_t i = 0; !p->err && signs[i];) {
        struct node *n, *kids[2];
        struct token t = p->token;
        if (!take_sign(p, signs[i])) {
            i++;
            continue;
        }
        n = new_node(p, N_BINARY, &t);
        kids[0] = left;
        kids[1] = next(p);
        left = with_kids(p, n, kids, 2);
        if (left) {
            left->op = strcmp(signs[i], "//") == 0 ? 'i' : signs[i][0];
        }
        i = 0;
    }
    return left;
}

static struct node *
parse_product(struct parser *p)
{
    static const char *const signs[] = {"*", "//", "/", "%", NULL};
    return parse_binary(p, signs, parse_unary);
}

static struct node *
parse_sum(struct parser *p)
{
    static const char *const signs[] = {"+", "-", NULL};
    return parse_binary(p, signs, parse_product);
}

/* True, and taken, if a comparison is looked at. */
static bool
take_comparison(struct parser *p, unsigned char *op)
{
    static const char *const signs[] = {"<", "<=", ">", ">=", "==", "!="};

    for (unsigned char i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (take_sign(p, signs[i])) {
            *op = i;
            return true;
        }
    }
    if (take_word(p, "in")) {
        *op = C_IN;
        return true;
    }
    if (take_word(p, "not")) {
        if (!take_word(p, "in")) {
            refuse_token(p, &p->token, "'in' is missing here");
        }
        *op = C_NOT_IN;
        return true;
    }
    if (take_word(p, "is")) {
        *op = take_word(p, "not") ? C_IS_NOT : C_IS;
        return true;
    }
    return false;
}

static struct node *
parse_comparison(struct parser *p)
{
    struct kids kids = {.at = NULL};
    unsigned char ops[CHAIN_MAX];
    struct token t = p->token;
    struct node *n = parse_sum(p);

    add_kid(p, &kids, n);
    while (!p->err && take_comparison(p, &ops[kids.count - 1])) {
        if (kids.count == CHAIN_MAX) {
            return too_large(p, "too many comparisons in a chain");
        }
        add_kid(p, &kids, parse_sum(p));
    }
    if (p->err || kids.count == 1) {
        return n;
    }
    n = with_kids(p, new_node(p, N_COMPARE, &t), kids.at, kids.count);
    if (n) {
        n->ops = arena_take(&p->expr->arena, kids.count, 1);
        if (!n->ops) {
            return too_large(p, "no memory for an expression");
        }
        memcpy(n->ops, ops, kids.count - 1);
    }
    return n;
}

static struct node *
parse_not(struct parser *p)
{
    struct token t = p->token;
    struct node *n, *kid;

    if (!take_word(p, "not")) {
        return parse_comparison(p);
    }
    if (++p->depth > EXPR_DEPTH_MAX) {
        return too_large(p, "nested too deep");
    }
    n = new_node(p, N_NOT, &t);
    kid = parse_not(p);
    p->depth--;
    return with_kids(p, n, &kid, 1);
}

static struct node *
parse_words(struct parser *p, const char *word, enum node_kind kind,
            struct node *(*next)(struct parser *))
{
    struct kids kids = {.at = NULL};
    struct token t = p->token;

    do {
        add_kid(p, &kids, next(p));
    } while (!p->err && take_word(p, word));
    return p->err || kids.count == 1 ? kids.at ? kids.at[0] : NULL
                                     : with_kids(p, new_node(p, kind, &t), kids.at, kids.count);
}

static struct node *
parse_and(struct parser *p)
{
    return parse_words(p, "and", N_AND, parse_not);
}

static struct node *
parse_or(struct parser *p)
{
    return parse_words(p, "or", N_OR, parse_and);
}

/* or_test, or "a if c else b". */
static struct node *
parse_test(struct parser *p)
{
    struct token t = p->token;
    struct node *kids[3], *n;

    if (++p->depth > EXPR_DEPTH_MAX) {
        return too_large(p, "nested too deep");
    }
    n = parse_or(p);
    if (!p->err && take_word(p, "if")) {
        kids[1] = n;
        kids[0] = parse_or(p);
        if (!take_word(p, "else")) {
            refuse_token(p, &p->token, "'else' is missing here");
        }
        kids[2] = parse_test(p);
        n = with_kids(p, new_node(p, N_IF, &t), kids, 3);
    }
    p->depth--;
    return n;
}

/* Makes 'name' a variable, innermost from now on. */
static unsigned
add_local(struct parser *p, struct slice name, const struct node *n)
{
    if (p->slots == EXPR_SLOTS_MAX) {
        p->token.line = n ? n->line : 1;
        p->token.column = n ? n->column : 1;
        too_large(p, "too many variables");
        return 0;
    }
    p->locals[p->local_count++] = (struct local){name, p->slots};
    return p->slots++;
}

static const struct local *
find_local(const struct parser *p, struct slice name)
{
    for (unsigned i = p->local_count; i > 0; i--) {
        if (slice_equal(p->locals[i - 1].name, name)) {
            return &p->locals[i - 1];
        }
    }
    return NULL;
}

static void
refuse_node(struct parser *p, const struct node *n, const char *what)
{
    if (!p->err) {
        p->err = fault_at(p->lexer.fault, E_REFUSED, n->line, n->column, "'%.*s' %s",
                          (int)n->name.len, n->name.data, what);
    }
}

static void resolve(struct parser *p, struct node *n);

/* The variables are known in the element and the condition, not in what is gone through. */
static void
resolve_comprehension(struct parser *p, struct node *n)
{
    unsigned outer = p->local_count;

    resolve(p, n->kids[1]);
    n->slot = p->slots;
    for (unsigned i = 0; i < n->targets && !p->err; i++) {
        add_local(p, n->target_names[i], n);
    }
    resolve(p, n->kids[0]);
    resolve(p, n->kids[2]);
    p->local_count = outer;
}

/* Gives each name below 'n' its variable, or makes it a type, or refuses it. */
static void
resolve(struct parser *p, struct node *n)
{
    const struct local *local;
    enum value_type type;

    if (!n || p->err) {
        return;
    }
    if (n->kind == N_COMP) {
        resolve_comprehension(p, n);
        return;
    }
    if (n->kind == N_CALL && find_local(p, n->name)) {
        refuse_node(p, n, "is a variable here, and cannot be called");
        return;
    }
    if (n->kind == N_LOCAL) {
        local = find_local(p, n->name);
        if (local) {
            n->slot = local->slot;
        } else if (expr_type_name(n->name, &type)) {
            n->kind = N_CONST;
            n->constant = (struct value){.type = V_TYPE, .as.named = type};
        } else {
            refuse_node(p, n, "is not known here");
        }
        return;
    }
    for (size_t i = 0; i < n->count; i++) {
        resolve(p, n->kids[i]);
    }
}

/* lambda a, b: */
static void
parse_parameters(struct parser *p)
{
    struct expr *e = p->expr;

    if (!take_word(p, "lambda")) {
        refuse_token(p, &p->token, "an expression begins with 'lambda'");
        return;
    }
    do {
        struct token t = p->token;
        struct slice name = take_name(p);
        const char *copy;
        if (p->err) {
            return;
        }
        if (find_local(p, name)) {
            refuse_token(p, &t, "a parameter is there twice");
            return;
        }
        copy = arena_text(&e->arena, name);
        if (e->params == EXPR_PARAMS_MAX || !copy) {
            too_large(p, "too many parameters");
            return;
        }
        e->names[e->params++] = copy;
        add_local(p, name, NULL);
    } while (take_sign(p, ","));
    expect_sign(p, ":");
}

enum err
expr_parse(struct slice source, struct expr *expr, struct fault *fault)
{
    struct parser p = {.expr = expr};

    p.lexer = (struct lexer){.source = source, .line = 1, .arena = &expr->arena, .fault = fault};
    advance(&p);
    parse_parameters(&p);
    if (!p.err) {
        expr->body = parse_test(&p);
    }
    if (!p.err && p.token.kind != T_END) {
        refuse_token(&p, &p.token, "the expression should end here");
    }
    resolve(&p, expr->body);
    return p.err;
}
