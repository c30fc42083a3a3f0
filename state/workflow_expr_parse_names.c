/* workflow_expr_parse_names.c -- which variable each name of an expression is.  See
 * workflow_expr.h.
 *
 * A pass of its own over the finished tree, because the element of a comprehension comes before the
 * variables it uses. */
#include "state/workflow_expr_parse_private.h"

/* Makes 'name' a variable, innermost from now on. */
unsigned
expr_parser_add_local(struct parser *p, struct slice name, const struct node *n)
{
    if (p->slots == EXPR_SLOTS_MAX) {
        p->token.line = n ? n->line : 1;
        p->token.column = n ? n->column : 1;
        expr_parser_too_large(p, "too many variables");
        return 0;
    }
    p->locals[p->local_count++] = (struct local){name, p->slots};
    return p->slots++;
}

const struct local *
expr_parser_find_local(const struct parser *p, struct slice name)
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

/* The variables are known in the element and the condition, not in what is gone through. */
static void
resolve_comprehension(struct parser *p, struct node *n)
{
    unsigned outer = p->local_count;

    expr_parser_resolve(p, n->kids[1]);
    n->slot = p->slots;
    for (unsigned i = 0; i < n->targets && !p->err; i++) {
        expr_parser_add_local(p, n->target_names[i], n);
    }
    expr_parser_resolve(p, n->kids[0]);
    expr_parser_resolve(p, n->kids[2]);
    p->local_count = outer;
}

/* Gives each name below 'n' its variable, or makes it a type, or refuses it. */
void
expr_parser_resolve(struct parser *p, struct node *n)
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
    if (n->kind == N_CALL && expr_parser_find_local(p, n->name)) {
        refuse_node(p, n, "is a variable here, and cannot be called");
        return;
    }
    if (n->kind == N_LOCAL) {
        local = expr_parser_find_local(p, n->name);
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
        expr_parser_resolve(p, n->kids[i]);
    }
}
