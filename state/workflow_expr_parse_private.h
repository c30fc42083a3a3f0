/* workflow_expr_parse_private.h -- the parser of the expression language, shared by its parts. */
#ifndef TANDEM_WORKFLOW_EXPR_PARSE_PRIVATE_H
#define TANDEM_WORKFLOW_EXPR_PARSE_PRIVATE_H

#include "state/workflow_expr_private.h"

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

/* Notes the first error, at token 't'.  Returns null. */
struct node *expr_parser_refuse(struct parser *p, const struct token *t, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct node *expr_parser_too_large(struct parser *p, const char *what);
struct node *expr_parser_no_memory(struct parser *p);

/* Looks at the next token; after an error it is T_END for ever. */
void expr_parser_advance(struct parser *p);
/* Whether a sign or word is looked at; "take" goes on behind it if so. */
bool expr_parser_at(const struct parser *p, const char *sign);
bool expr_parser_at_word(const struct parser *p, const char *word);
bool expr_parser_take(struct parser *p, const char *sign);
bool expr_parser_take_word(struct parser *p, const char *word);
/* As expr_parser_take(); it is an error if the sign is not there. */
void expr_parser_expect(struct parser *p, const char *sign);
/* The name that is looked at, taken; an error if it is none, or a keyword. */
struct slice expr_parser_name(struct parser *p);
bool expr_parser_is_keyword(struct slice name);

/* A new node at token 't'; null after an error. */
struct node *expr_parser_node(struct parser *p, enum node_kind kind, const struct token *t);
/* Gives 'n' a copy of its kids; any may be null after an error.  Returns 'n', or null then. */
struct node *expr_parser_with_kids(struct parser *p, struct node *n, struct node *const *kids,
                                   size_t count);
void expr_parser_add_kid(struct parser *p, struct kids *kids, struct node *n);

/* An expression; one without "if" and "else"; a value with what stands behind it. */
struct node *expr_parser_test(struct parser *p);
struct node *expr_parser_or(struct parser *p);
struct node *expr_parser_postfix(struct parser *p);

/* Makes 'name' a variable, innermost from now on; an error at 'n' (may be null) if there are too
 * many. */
unsigned expr_parser_add_local(struct parser *p, struct slice name, const struct node *n);
/* The innermost variable of that name, or null. */
const struct local *expr_parser_find_local(const struct parser *p, struct slice name);
/* Gives each name below 'n' its variable, or makes it a type, or refuses it. */
void expr_parser_resolve(struct parser *p, struct node *n);

#endif
