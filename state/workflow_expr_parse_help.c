/* workflow_expr_parse_help.c -- what all parts of the parser stand on: errors, tokens, nodes.  See
 * workflow_expr_parse_private.h. */
#include "state/workflow_expr_parse_private.h"

#include <stdarg.h>
#include <stdio.h>

#define NODES_MAX 2000u
#define HEIGHT_MAX 64u /* Of the tree: evaluating recurses as deep, on the stack of a worker. */

/* Notes the first error, at token 't'.  Returns null. */
struct node *
expr_parser_refuse(struct parser *p, const struct token *t, const char *format, ...)
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

struct node *
expr_parser_too_large(struct parser *p, const char *what)
{
    if (!p->err) {
        p->err = fault_at(p->lexer.fault, E_TOO_LARGE, p->token.line, p->token.column, "%s", what);
    }
    return NULL;
}

struct node *
expr_parser_no_memory(struct parser *p)
{
    if (!p->err) {
        p->err = fault_at(p->lexer.fault, E_OVERLOAD, p->token.line, p->token.column,
                          "no memory for an expression");
    }
    return NULL;
}

void
expr_parser_advance(struct parser *p)
{
    if (!p->err) {
        p->err = expr_lex(&p->lexer, &p->token);
    }
    if (p->err) {
        p->token.kind = T_END;
    }
}

bool
expr_parser_at(const struct parser *p, const char *sign)
{
    return p->token.kind == T_SIGN && slice_is(p->token.text, sign);
}

bool
expr_parser_at_word(const struct parser *p, const char *word)
{
    return p->token.kind == T_NAME && slice_is(p->token.text, word);
}

bool
expr_parser_take(struct parser *p, const char *sign)
{
    bool there = expr_parser_at(p, sign);

    if (there) {
        expr_parser_advance(p);
    }
    return there;
}

bool
expr_parser_take_word(struct parser *p, const char *word)
{
    bool there = expr_parser_at_word(p, word);

    if (there) {
        expr_parser_advance(p);
    }
    return there;
}

void
expr_parser_expect(struct parser *p, const char *sign)
{
    if (!expr_parser_take(p, sign)) {
        expr_parser_refuse(p, &p->token, "'%s' is missing here", sign);
    }
}

struct node *
expr_parser_node(struct parser *p, enum node_kind kind, const struct token *t)
{
    struct node *n;

    if (p->err || ++p->nodes > NODES_MAX) {
        return expr_parser_too_large(p, "an expression of too many parts");
    }
    n = arena_take(&p->expr->arena, 1, sizeof *n);
    if (!n) {
        return expr_parser_no_memory(p);
    }
    n->kind = kind;
    n->line = t->line;
    n->column = t->column;
    return n;
}

/* Gives 'n' a copy of its kids; either may be null after an error. */
struct node *
expr_parser_with_kids(struct parser *p, struct node *n, struct node *const *kids, size_t count)
{
    if (!n || p->err) {
        return NULL;
    }
    n->kids = arena_take(&p->expr->arena, count ? count : 1, sizeof *n->kids);
    if (!n->kids) {
        return expr_parser_no_memory(p);
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
    return n->height > HEIGHT_MAX ? expr_parser_too_large(p, "too long a chain") : n;
}

void
expr_parser_add_kid(struct parser *p, struct kids *kids, struct node *n)
{
    if (kids->count == kids->size) {
        size_t size = kids->size ? kids->size * 2 : 4;
        struct node **at = arena_take(&p->expr->arena, size, sizeof *at);
        if (!at) {
            expr_parser_no_memory(p);
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

bool
expr_parser_is_keyword(struct slice name)
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
struct slice
expr_parser_name(struct parser *p)
{
    struct token t = p->token;

    if (t.kind != T_NAME || expr_parser_is_keyword(t.text)) {
        expr_parser_refuse(p, &t, "a name is missing here");
    } else if (t.text.len >= 2 && t.text.data[0] == '_' && t.text.data[1] == '_') {
        expr_parser_refuse(p, &t, "names must not begin with two underscores");
    }
    expr_parser_advance(p);
    return t.text;
}
