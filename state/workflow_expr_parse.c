/* workflow_expr_parse.c -- tokens to a tree: the lambda, and operators by how tight they bind.
 * Every name is resolved, and whatever is not in the language is refused.  See workflow_expr.h. */
#include "state/workflow_expr_parse_private.h"

#define CHAIN_MAX 32u /* Of comparisons. */

static struct node *
parse_unary(struct parser *p)
{
    struct token t = p->token;
    bool minus = expr_parser_at(p, "-");
    struct node *n, *kid;

    if (!minus && !expr_parser_at(p, "+")) {
        return expr_parser_postfix(p);
    }
    expr_parser_advance(p);
    if (++p->depth > EXPR_DEPTH_MAX) {
        return expr_parser_too_large(p, "nested too deep");
    }
    n = expr_parser_node(p, minus ? N_NEGATE : N_PLUS, &t);
    kid = parse_unary(p);
    p->depth--;
    return expr_parser_with_kids(p, n, &kid, 1);
}

/* Operators of one level, all binding to the left. */
static struct node *
parse_binary(struct parser *p, const char *const *signs, struct node *(*next)(struct parser *))
{
    struct node *left = next(p);

    for (size_t i = 0; !p->err && signs[i];) {
        struct node *n, *kids[2];
        struct token t = p->token;
        if (!expr_parser_take(p, signs[i])) {
            i++;
            continue;
        }
        n = expr_parser_node(p, N_BINARY, &t);
        kids[0] = left;
        kids[1] = next(p);
        left = expr_parser_with_kids(p, n, kids, 2);
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

    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (expr_parser_take(p, signs[i])) {
            *op = (unsigned char)i;
            return true;
        }
    }
    if (expr_parser_take_word(p, "in")) {
        *op = C_IN;
        return true;
    }
    if (expr_parser_take_word(p, "not")) {
        if (!expr_parser_take_word(p, "in")) {
            expr_parser_refuse(p, &p->token, "'in' is missing here");
        }
        *op = C_NOT_IN;
        return true;
    }
    if (expr_parser_take_word(p, "is")) {
        *op = expr_parser_take_word(p, "not") ? C_IS_NOT : C_IS;
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

    expr_parser_add_kid(p, &kids, n);
    while (!p->err && take_comparison(p, &ops[kids.count - 1])) {
        if (kids.count == CHAIN_MAX) {
            return expr_parser_too_large(p, "too many comparisons in a chain");
        }
        expr_parser_add_kid(p, &kids, parse_sum(p));
    }
    if (p->err || kids.count == 1) {
        return n;
    }
    n = expr_parser_with_kids(p, expr_parser_node(p, N_COMPARE, &t), kids.at, kids.count);
    if (n) {
        n->ops = arena_take(&p->expr->arena, kids.count, 1);
        if (!n->ops) {
            return expr_parser_no_memory(p);
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

    if (!expr_parser_take_word(p, "not")) {
        return parse_comparison(p);
    }
    if (++p->depth > EXPR_DEPTH_MAX) {
        return expr_parser_too_large(p, "nested too deep");
    }
    n = expr_parser_node(p, N_NOT, &t);
    kid = parse_not(p);
    p->depth--;
    return expr_parser_with_kids(p, n, &kid, 1);
}

static struct node *
parse_words(struct parser *p, const char *word, enum node_kind kind,
            struct node *(*next)(struct parser *))
{
    struct kids kids = {.at = NULL};
    struct token t = p->token;

    do {
        expr_parser_add_kid(p, &kids, next(p));
    } while (!p->err && expr_parser_take_word(p, word));
    return p->err || kids.count == 1
               ? kids.at ? kids.at[0] : NULL
               : expr_parser_with_kids(p, expr_parser_node(p, kind, &t), kids.at, kids.count);
}

static struct node *
parse_and(struct parser *p)
{
    return parse_words(p, "and", N_AND, parse_not);
}

struct node *
expr_parser_or(struct parser *p)
{
    return parse_words(p, "or", N_OR, parse_and);
}

/* or_test, or "a if c else b". */
struct node *
expr_parser_test(struct parser *p)
{
    struct token t = p->token;
    struct node *kids[3], *n;

    if (++p->depth > EXPR_DEPTH_MAX) {
        return expr_parser_too_large(p, "nested too deep");
    }
    n = expr_parser_or(p);
    if (!p->err && expr_parser_take_word(p, "if")) {
        kids[1] = n;
        kids[0] = expr_parser_or(p);
        if (!expr_parser_take_word(p, "else")) {
            expr_parser_refuse(p, &p->token, "'else' is missing here");
        }
        kids[2] = expr_parser_test(p);
        n = expr_parser_with_kids(p, expr_parser_node(p, N_IF, &t), kids, 3);
    }
    p->depth--;
    return n;
}

/* lambda a, b: */
static void
parse_parameters(struct parser *p)
{
    struct expr *e = p->expr;

    if (!expr_parser_take_word(p, "lambda")) {
        expr_parser_refuse(p, &p->token, "an expression begins with 'lambda'");
        return;
    }
    do {
        struct token t = p->token;
        struct slice name = expr_parser_name(p);
        const char *copy;
        if (p->err) {
            return;
        }
        if (expr_parser_find_local(p, name)) {
            expr_parser_refuse(p, &t, "a parameter is there twice");
            return;
        }
        copy = arena_text(&e->arena, name);
        if (e->params == EXPR_PARAMS_MAX || !copy) {
            expr_parser_too_large(p, "too many parameters");
            return;
        }
        e->names[e->params++] = copy;
        expr_parser_add_local(p, name, NULL);
    } while (expr_parser_take(p, ","));
    expr_parser_expect(p, ":");
}

enum err
expr_parse(struct slice source, struct expr *expr, struct fault *fault)
{
    struct parser p = {.expr = expr};

    p.lexer = (struct lexer){.source = source, .line = 1, .arena = &expr->arena, .fault = fault};
    expr_parser_advance(&p);
    parse_parameters(&p);
    if (!p.err) {
        expr->body = expr_parser_test(&p);
    }
    if (!p.err && p.token.kind != T_END) {
        expr_parser_refuse(&p, &p.token, "the expression should end here");
    }
    expr_parser_resolve(&p, expr->body);
    return p.err;
}
