/* workflow_expr_parse_atom.c -- values: literals, names, brackets, calls, and what stands behind a
 * value. See workflow_expr.h. */
#include "state/workflow_expr_parse_private.h"

/* The variables of a comprehension: "a", "a, b" or "(a, b)". */
static void
parse_targets(struct parser *p, struct node *n)
{
    struct slice names[8];
    bool brackets = expr_parser_take(p, "(");

    do {
        if (n->targets == sizeof names / sizeof names[0]) {
            expr_parser_too_large(p, "too many variables");
            return;
        }
        names[n->targets++] = expr_parser_name(p);
    } while (!p->err && expr_parser_take(p, ","));
    if (brackets) {
        expr_parser_expect(p, ")");
    }
    n->target_names = arena_take(&p->expr->arena, 1, sizeof names);
    if (!n->target_names) {
        expr_parser_no_memory(p);
        return;
    }
    memcpy(n->target_names, names, n->targets * sizeof *names);
}

/* The rest of a comprehension whose element is parsed; "for" is looked at. */
static struct node *
parse_comprehension(struct parser *p, struct node *element)
{
    struct node *kids[3] = {element, NULL, NULL};
    struct node *n = expr_parser_node(p, N_COMP, &p->token);

    if (!n) {
        return NULL;
    }
    expr_parser_advance(p);
    parse_targets(p, n);
    if (!expr_parser_take_word(p, "in")) {
        return expr_parser_refuse(p, &p->token, "'in' is missing here");
    }
    kids[1] = expr_parser_or(p);
    if (expr_parser_take_word(p, "if")) {
        kids[2] = expr_parser_or(p);
    }
    if (expr_parser_at_word(p, "for") || expr_parser_at_word(p, "if")) {
        return expr_parser_refuse(p, &p->token, "a comprehension takes one 'for' and one 'if'");
    }
    return expr_parser_with_kids(p, n, kids, 3);
}

/* Expressions between commas up to 'close', which is taken, too, onto 'kids'; a comma may come
 * last, as 'comma' tells.  A lone one may be a comprehension. */
static void
parse_list(struct parser *p, const char *close, struct kids *kids, bool *comma)
{
    size_t first = kids->count;

    *comma = false;
    while (!p->err && !expr_parser_at(p, close)) {
        expr_parser_add_kid(p, kids, expr_parser_test(p));
        if (!p->err && kids->count == first + 1 && expr_parser_at_word(p, "for")) {
            kids->at[first] = parse_comprehension(p, kids->at[first]);
            break;
        }
        *comma = expr_parser_take(p, ",");
        if (!*comma) {
            break;
        }
    }
    expr_parser_expect(p, close);
}

static struct node *
parse_round(struct parser *p)
{
    struct kids kids = {.at = NULL};
    struct token t = p->token;
    bool comma;

    expr_parser_advance(p);
    parse_list(p, ")", &kids, &comma);
    if (!p->err && kids.count == 1 && !comma) {
        if (kids.at[0]->kind == N_COMP && !kids.at[0]->listed) {
            kids.at[0]->generator = true;
        }
        return kids.at[0];
    }
    return expr_parser_with_kids(p, expr_parser_node(p, N_TUPLE, &t), kids.at, kids.count);
}

static struct node *
parse_square(struct parser *p)
{
    struct kids kids = {.at = NULL};
    struct token t = p->token;
    bool comma;

    expr_parser_advance(p);
    parse_list(p, "]", &kids, &comma);
    /* A generator in brackets of its own has been marked as one; this one has not. */
    if (!p->err && kids.count == 1 && !comma && kids.at[0]->kind == N_COMP &&
        !kids.at[0]->generator && !kids.at[0]->listed) {
        kids.at[0]->listed = true;
        return kids.at[0];
    }
    return expr_parser_with_kids(p, expr_parser_node(p, N_LIST, &t), kids.at, kids.count);
}

static struct node *
parse_curly(struct parser *p)
{
    struct kids kids = {.at = NULL};
    struct token t = p->token;

    expr_parser_advance(p);
    while (!p->err && !expr_parser_at(p, "}")) {
        expr_parser_add_kid(p, &kids, expr_parser_test(p));
        if (!expr_parser_take(p, ":")) {
            return expr_parser_refuse(p, &p->token, "of curly brackets, only dicts are taken");
        }
        expr_parser_add_kid(p, &kids, expr_parser_test(p));
        if (!expr_parser_take(p, ",")) {
            break;
        }
    }
    expr_parser_expect(p, "}");
    return expr_parser_with_kids(p, expr_parser_node(p, N_DICT, &t), kids.at, kids.count);
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
        expr_parser_add_kid(p, &kids, object);
    }
    expr_parser_expect(p, "(");
    parse_list(p, ")", &kids, &comma);
    if (p->err || !n) {
        return NULL;
    }
    count = kids.count - (object ? 1 : 0);
    if (count == 1 && kids.at[kids.count - 1]->kind == N_COMP && !kids.at[kids.count - 1]->listed) {
        kids.at[kids.count - 1]->generator = true;
    }
    if (count < n->function->min || count > n->function->max) {
        return expr_parser_refuse(p, &t, "%s() takes %u to %u arguments, not %zu",
                                  n->function->name, n->function->min, n->function->max, count);
    }
    return expr_parser_with_kids(p, n, kids.at, kids.count);
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
    struct node *n = expr_parser_node(p, N_CALL, name);

    if (n) {
        n->function = function;
        n->name = name->text;
    }
    return compile_pattern(p, parse_arguments(p, n, NULL));
}

static struct node *
parse_constant(struct parser *p, struct value value)
{
    struct node *n = expr_parser_node(p, N_CONST, &p->token);

    if (n) {
        n->constant = value;
    }
    if (n && value.type == V_STR) {
        p->expr->strings =
            xrealloc(p->expr->strings, (p->expr->string_count + 1) * sizeof *p->expr->strings);
        p->expr->strings[p->expr->string_count++] = value.as.text;
    }
    expr_parser_advance(p);
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

    if (!expr_parser_at(p, ".") || expr_lex(&ahead, &part) || part.kind != T_NAME) {
        return NULL;
    }
    whole =
        (struct slice){name->text.data, (size_t)(part.text.data + part.text.len - name->text.data)};
    function = expr_function(whole);
    if (function) {
        expr_parser_advance(p);
        expr_parser_advance(p);
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
    if (expr_parser_is_keyword(t.text)) {
        return expr_parser_refuse(p, &t, "'%.*s' is not taken here", (int)t.text.len, t.text.data);
    }
    expr_parser_name(p);
    function = expr_parser_at(p, "(") ? expr_function(t.text) : dotted_function(p, &t);
    if (function) {
        return parse_call(p, &t, function);
    }
    if (expr_parser_at(p, "(")) {
        return expr_parser_refuse(p, &t, "'%.*s' is no function of this language", (int)t.text.len,
                                  t.text.data);
    }
    n = expr_parser_node(p, N_LOCAL, &t);
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
    if (expr_parser_at(p, "(")) {
        return parse_round(p);
    }
    if (expr_parser_at(p, "[")) {
        return parse_square(p);
    }
    if (expr_parser_at(p, "{")) {
        return parse_curly(p);
    }
    return expr_parser_refuse(p, &p->token, "a value is missing here");
}

/* [i] or [a:b:c] behind 'object'. */
static struct node *
parse_subscript(struct parser *p, struct node *object)
{
    struct node *kids[4] = {object, NULL, NULL, NULL};
    struct token t = p->token;
    size_t at = 1;

    expr_parser_advance(p);
    if (!expr_parser_at(p, ":")) {
        kids[1] = expr_parser_test(p);
        if (expr_parser_take(p, "]")) {
            return expr_parser_with_kids(p, expr_parser_node(p, N_INDEX, &t), kids, 2);
        }
    }
    while (!p->err && at < 3 && expr_parser_take(p, ":")) {
        at++;
        if (!expr_parser_at(p, ":") && !expr_parser_at(p, "]")) {
            kids[at] = expr_parser_test(p);
        }
    }
    expr_parser_expect(p, "]");
    return expr_parser_with_kids(p, expr_parser_node(p, N_SLICE, &t), kids, 4);
}

static struct node *
parse_method(struct parser *p, struct node *object)
{
    struct token dot = p->token, name;
    struct node *n;

    expr_parser_advance(p);
    name = p->token;
    expr_parser_name(p);
    if (!p->err && !expr_parser_at(p, "(")) {
        return expr_parser_refuse(p, &dot, "attributes are not part of this language");
    }
    n = expr_parser_node(p, N_METHOD, &name);
    if (!n) {
        return NULL;
    }
    n->function = expr_method(name.text);
    if (!n->function) {
        return expr_parser_refuse(p, &name, "'.%.*s' is no method of this language",
                                  (int)name.text.len, name.text.data);
    }
    return parse_arguments(p, n, object);
}

struct node *
expr_parser_postfix(struct parser *p)
{
    struct node *n = parse_atom(p);

    while (!p->err && p->token.kind == T_SIGN) {
        if (expr_parser_at(p, ".")) {
            n = parse_method(p, n);
        } else if (expr_parser_at(p, "[")) {
            n = parse_subscript(p, n);
        } else if (expr_parser_at(p, "(")) {
            return expr_parser_refuse(p, &p->token,
                                      "only functions of this language can be called");
        } else {
            break;
        }
    }
    return n;
}
