/* workflow_expr.c -- evaluates a compiled expression.  See workflow_expr.h. */
#include "state/workflow_expr_private.h"

#include "state/base/rune.h"

#include <math.h>

enum err
expr_compile(struct slice source, struct expr **expr, struct fault *fault)
{
    struct expr *e;
    const char *copy;
    enum err err;

    *expr = NULL;
    if (source.len > EXPR_BYTES_MAX) {
        return fault_set(fault, E_TOO_LARGE, "an expression of %zu bytes, more than %u", source.len,
                         EXPR_BYTES_MAX);
    }
    if (!rune_valid(source)) {
        return fault_set(fault, E_REFUSED, "the expression is not UTF-8");
    }
    e = xcalloc(1, sizeof *e);
    copy = arena_text(&e->arena, source);
    if (!copy) {
        expr_free(e);
        return fault_set(fault, E_OVERLOAD, "no memory for an expression");
    }
    err = expr_parse((struct slice){copy, source.len}, e, fault);
    if (err) {
        expr_free(e);
        return err;
    }
    *expr = e;
    return E_OK;
}

void
expr_free(struct expr *expr)
{
    if (!expr) {
        return;
    }
    for (size_t i = 0; i < expr->pattern_count; i++) {
        regex_free(expr->patterns[i]->regex);
    }
    free(expr->patterns);
    free(expr->strings);
    arena_fini(&expr->arena);
    free(expr);
}

unsigned
expr_param_count(const struct expr *expr)
{
    return expr->params;
}

const char *
expr_param_name(const struct expr *expr, unsigned i)
{
    return expr->names[i];
}

bool
expr_mentions(const struct expr *expr, const char *text)
{
    for (size_t i = 0; i < expr->string_count; i++) {
        if (slice_is(expr->strings[i], text)) {
            return true;
        }
    }
    return false;
}

static struct value
compare_chain(struct machine *m, const struct node *n)
{
    struct value left = expr_evaluate(m, n->kids[0]);

    for (size_t i = 1; i < n->count && !m->err; i++) {
        struct value right = expr_evaluate(m, n->kids[i]);
        if (m->err || !expr_compare(m, n->ops[i - 1], left, right)) {
            return TRUTH(false);
        }
        left = right;
    }
    return TRUTH(true);
}

/* ---- Indexing. ---- */

/* The code points of 's' from 'start' on, 'count' of them. */
static struct slice
part_of(struct slice s, size_t start, size_t count)
{
    size_t from = 0, to;
    uint32_t rune;

    if (rune_count(s) == s.len) {
        return (struct slice){s.data + start, count};
    }
    while (start--) {
        from += rune_decode(s, from, &rune);
    }
    for (to = from; count--;) {
        to += rune_decode(s, to, &rune);
    }
    return (struct slice){s.data + from, to - from};
}

static struct value
item_of(struct machine *m, struct value v, int64_t i)
{
    if (v.type == V_STR) {
        expr_spend(m, v.as.text.len / 16);
        return TEXT(part_of(v.as.text, (size_t)i, 1));
    }
    if (v.type == V_RANGE) {
        struct iter it = {.over = v, .i = (size_t)i};
        expr_value_next(m, &it, &v);
        return v;
    }
    return v.as.items->at[i];
}

static struct value
index_value(struct machine *m, struct value object, struct value index)
{
    const struct value *found;
    int64_t len = expr_value_length(object), i;

    if (object.type == V_DICT) {
        found = expr_value_find(m, object.as.table, index);
        if (found || m->err) {
            return found ? *found : NONE;
        }
        if (index.type != V_STR) {
            return expr_raise(m, "no such key");
        }
        return expr_raise(m, "no key '%.*s'", (int)rune_cut(index.as.text, 100),
                          index.as.text.data);
    }
    if (!expr_value_is_sequence(object) && object.type != V_RANGE) {
        return expr_raise(m, "%s cannot be indexed", expr_value_type_name(object.type));
    }
    if (index.type != V_INT && index.type != V_BOOL) {
        return expr_raise(m, "an index must be an integer, not %s",
                          expr_value_type_name(index.type));
    }
    i = expr_value_integer(index);
    i = i < 0 ? i + len : i;
    if (i < 0 || i >= len) {
        return expr_raise(m, "index out of range");
    }
    return item_of(m, object, i);
}

/* One end of a slice, brought into the range that 'step' allows. */
static int64_t
slice_end(struct machine *m, const struct node *n, int64_t len, int64_t otherwise, bool down)
{
    struct value v = n ? expr_evaluate(m, n) : NONE;
    int64_t least = down ? -1 : 0, most = down ? len - 1 : len, i;

    if (v.type == V_NONE) {
        return otherwise;
    }
    if (v.type != V_INT && v.type != V_BOOL) {
        expr_raise(m, "a slice takes integers, not %s", expr_value_type_name(v.type));
        return 0;
    }
    i = expr_value_integer(v);
    i = i < 0 ? i + len : i;
    return i < least ? least : i > most ? most : i;
}

/* The step of a slice; 0 if it has none that will do. */
static int64_t
slice_step(struct machine *m, const struct node *n)
{
    struct value step = n->kids[3] ? expr_evaluate(m, n->kids[3]) : NONE;

    return step.type == V_NONE ? 1 : step.type == V_INT ? step.as.integer : 0;
}

/* What was put together, in the machine's memory; 'text' is freed. */
static struct value
kept_text(struct machine *m, struct buf *text)
{
    char *copy = text->failed ? NULL : expr_grab(m, text->len, 1);
    size_t len = text->len;

    if (text->failed) {
        expr_no_room(m, text->full, "the text is too long");
    }
    if (copy && len) {
        memcpy(copy, text->data, len);
    }
    buf_fini(text);
    return copy ? TEXT(((struct slice){copy, len})) : NONE;
}

static struct value
slice_value(struct machine *m, const struct node *n)
{
    struct value object = expr_evaluate(m, n->kids[0]);
    struct builder b = {.at = NULL};
    struct buf text = {.limit = m->budget->memory};
    int64_t len = expr_value_length(object), by, i, stop;

    if (m->err || !expr_value_is_sequence(object)) {
        return expr_raise(m, "%s cannot be sliced", expr_value_type_name(object.type));
    }
    by = slice_step(m, n);
    if (by == 0) {
        return expr_raise(m, "the step of a slice must be an integer, and not 0");
    }
    i = slice_end(m, n->kids[1], len, by < 0 ? len - 1 : 0, by < 0);
    stop = slice_end(m, n->kids[2], len, by < 0 ? -1 : len, by < 0);
    if (object.type == V_STR && by == 1 && !m->err) {
        expr_spend(m, object.as.text.len / 16);
        return TEXT(part_of(object.as.text, (size_t)i, stop > i ? (size_t)(stop - i) : 0));
    }
    while (!m->err && (by > 0 ? i < stop : i > stop) && expr_spend(m, 1)) {
        struct value item = item_of(m, object, i);
        if (object.type == V_STR) {
            buf_add_slice(&text, item.as.text);
        } else {
            expr_value_builder_add(m, &b, item);
        }
        if (__builtin_add_overflow(i, by, &i)) {
            break;
        }
    }
    if (object.type == V_STR) {
        return kept_text(m, &text);
    }
    return expr_value_builder_done(m, &b, object.type);
}

/* ---- The tree. ---- */

static void
set_targets(struct machine *m, const struct node *comp, struct value v)
{
    struct iter it;
    unsigned i = 0;

    if (comp->targets == 1) {
        m->slots[comp->slot] = v;
        return;
    }
    it = expr_value_iterate(m, v);
    while (expr_value_next(m, &it, &v)) {
        if (i == comp->targets) {
            break;
        }
        m->slots[comp->slot + i++] = v;
    }
    if (i != comp->targets || expr_value_length(it.over) != comp->targets) {
        expr_raise(m, "%u values are wanted for %u variables, not %lld", comp->targets,
                   comp->targets, (long long)expr_value_length(it.over));
    }
}

void
expr_each(struct machine *m, const struct node *comp,
          bool (*each)(struct machine *m, struct value v, void *context), void *context)
{
    struct iter it = expr_value_iterate(m, expr_evaluate(m, comp->kids[1]));
    struct value v;

    while (expr_value_next(m, &it, &v)) {
        set_targets(m, comp, v);
        if (comp->kids[2] && !expr_value_is_true(expr_evaluate(m, comp->kids[2]))) {
            continue;
        }
        v = expr_evaluate(m, comp->kids[0]);
        if (m->err || !each(m, v, context)) {
            return;
        }
    }
}

static bool
collect(struct machine *m, struct value v, void *context)
{
    expr_value_builder_add(m, context, v);
    return !m->err;
}

static struct value
comprehension(struct machine *m, const struct node *n)
{
    struct builder b = {.at = NULL};

    expr_each(m, n, collect, &b);
    return m->err ? NONE : expr_value_builder_done(m, &b, V_LIST);
}

static struct value
display(struct machine *m, const struct node *n)
{
    struct builder b = {.at = NULL};
    struct value *keys, *values;

    if (n->kind != N_DICT) {
        for (size_t i = 0; i < n->count && !m->err; i++) {
            expr_value_builder_add(m, &b, expr_evaluate(m, n->kids[i]));
        }
        return m->err ? NONE : expr_value_builder_done(m, &b, n->kind == N_LIST ? V_LIST : V_TUPLE);
    }
    keys = expr_grab(m, n->count / 2, sizeof *keys);
    values = expr_grab(m, n->count / 2, sizeof *values);
    for (size_t i = 0; i < n->count && !m->err; i += 2) {
        keys[i / 2] = expr_evaluate(m, n->kids[i]);
        values[i / 2] = expr_evaluate(m, n->kids[i + 1]);
    }
    return m->err ? NONE : expr_value_table(m, V_DICT, keys, values, n->count / 2);
}

static struct value
call(struct machine *m, const struct node *n)
{
    struct value args[16];
    struct value *at = args;

    if (n->function->lazy && n->kids[0]->kind == N_COMP && n->kids[0]->generator) {
        return n->function->call(m, n, NULL, 0);
    }
    if (n->count > sizeof args / sizeof args[0]) {
        at = expr_grab(m, n->count, sizeof *at);
    }
    for (size_t i = 0; i < n->count && !m->err; i++) {
        at[i] = expr_evaluate(m, n->kids[i]);
    }
    m->line = n->line;
    m->column = n->column;
    return m->err ? NONE : n->function->call(m, n, at, n->count);
}

static struct value
either(struct machine *m, const struct node *n)
{
    struct value v = NONE;

    for (size_t i = 0; i < n->count && !m->err; i++) {
        v = expr_evaluate(m, n->kids[i]);
        if (expr_value_is_true(v) == (n->kind == N_OR)) {
            break;
        }
    }
    return v;
}

struct value
expr_evaluate(struct machine *m, const struct node *n)
{
    struct value a, b;

    if (!expr_spend(m, 1)) {
        return NONE;
    }
    m->line = n->line;
    m->column = n->column;
    switch (n->kind) {
    case N_CONST:
        return n->constant;
    case N_LOCAL:
        return m->slots[n->slot];
    case N_OR:
    case N_AND:
        return either(m, n);
    case N_NOT:
        a = expr_evaluate(m, n->kids[0]);
        return TRUTH(!expr_value_is_true(a));
    case N_NEGATE:
    case N_PLUS:
        a = expr_evaluate(m, n->kids[0]);
        return m->err ? NONE : expr_unary(m, n->kind, a);
    case N_COMPARE:
        return compare_chain(m, n);
    case N_IF:
        a = expr_evaluate(m, n->kids[0]);
        return m->err ? NONE : expr_evaluate(m, n->kids[expr_value_is_true(a) ? 1 : 2]);
    case N_BINARY:
    case N_INDEX:
        a = expr_evaluate(m, n->kids[0]);
        b = expr_evaluate(m, n->kids[1]);
        m->line = n->line;
        m->column = n->column;
        return m->err               ? NONE
               : n->kind == N_INDEX ? index_value(m, a, b)
                                    : expr_binary(m, n->op, a, b);
    case N_SLICE:
        return slice_value(m, n);
    case N_CALL:
    case N_METHOD:
        return call(m, n);
    case N_COMP:
        return comprehension(m, n);
    default:
        return display(m, n);
    }
}

enum err
expr_test(const struct expr *expr, const json_t *const *args, struct expr_budget *budget,
          bool *holds, struct fault *fault)
{
    struct machine m = {.budget = budget, .fault = fault, .line = 1, .column = 1};
    struct value v;

    m.arena.limit = budget->memory;
    for (unsigned i = 0; i < expr->params && !m.err; i++) {
        m.slots[i] = expr_value_from_json(&m, args[i]);
    }
    v = expr_evaluate(&m, expr->body);
    *holds = !m.err && expr_value_is_true(v);
    arena_fini(&m.arena);
    return m.err;
}
