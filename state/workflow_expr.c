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
        return fault_set(fault, E_TOO_LARGE, "no memory for an expression");
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

/* ---- Arithmetic. ---- */

static int64_t
integer_of(struct value v)
{
    return v.type == V_BOOL ? v.as.truth : v.as.integer;
}

static double
number_of(struct value v)
{
    return v.type == V_FLOAT ? v.as.number : (double)integer_of(v);
}

static struct value
overflow(struct machine *m)
{
    return raise(m, "an integer outside 64 bits");
}

/* Rounds towards minus infinity, as // does; 'b' is not 0. */
static struct value
floor_divide(struct machine *m, int64_t a, int64_t b, bool remainder)
{
    int64_t q, r;

    if (b == -1) {
        /* INT64_MIN / -1 is no int64_t, and traps. */
        return remainder ? INTEGER(0) : a == INT64_MIN ? overflow(m) : INTEGER(-a);
    }
    q = a / b;
    r = a % b;
    if (r != 0 && (r < 0) != (b < 0)) {
        q--;
        r += b;
    }
    return INTEGER(remainder ? r : q);
}

static struct value
integer_binary(struct machine *m, char op, int64_t a, int64_t b)
{
    int64_t result;

    switch (op) {
    case '+':
        return __builtin_add_overflow(a, b, &result) ? overflow(m) : INTEGER(result);
    case '-':
        return __builtin_sub_overflow(a, b, &result) ? overflow(m) : INTEGER(result);
    case '*':
        return __builtin_mul_overflow(a, b, &result) ? overflow(m) : INTEGER(result);
    default:
        if (b == 0) {
            return raise(m, "division by zero");
        }
        return op == '/' ? NUMBER((double)a / (double)b) : floor_divide(m, a, b, op == '%');
    }
}

/* Quotient rounded towards minus infinity, or the remainder with the sign of 'b'. */
static struct value
floor_parts(double a, double b, bool remainder)
{
    double r = fmod(a, b), q = (a - r) / b, whole;

    if (r != 0 && (b < 0) != (r < 0)) {
        r += b;
        q -= 1;
    }
    if (remainder) {
        return NUMBER(r == 0 ? copysign(0, b) : r);
    }
    if (q == 0) {
        return NUMBER(copysign(0, a / b));
    }
    /* 'q' is whole, but for rounding. */
    whole = floor(q);
    return NUMBER(q - whole > 0.5 ? whole + 1 : whole);
}

static struct value
float_binary(struct machine *m, char op, double a, double b)
{
    switch (op) {
    case '+':
        return NUMBER(a + b);
    case '-':
        return NUMBER(a - b);
    case '*':
        return NUMBER(a * b);
    default:
        break;
    }
    if (b == 0) {
        return raise(m, "division by zero");
    }
    if (op == '/') {
        return NUMBER(a / b);
    }
    return floor_parts(a, b, op == '%');
}

/* A text or list 'times' over. */
static struct value
repeat(struct machine *m, struct value v, int64_t times)
{
    struct builder b = {.at = NULL};
    size_t n = times > 0 ? (size_t)times : 0, len;
    char *text;

    if (v.type != V_STR) {
        for (size_t i = 0; i < n && !m->err; i++) {
            for (size_t k = 0; k < v.as.items->count && spend(m, 1); k++) {
                builder_add(m, &b, v.as.items->at[k]);
            }
            if (!v.as.items->count) {
                break;
            }
        }
        return builder_done(m, &b, v.type);
    }
    len = v.as.text.len;
    if (!len || !n) {
        return TEXT(SLICE(""));
    }
    text = grab(m, n, len);
    if (!text || !spend(m, n * len / 16)) {
        return NONE;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(text + i * len, v.as.text.data, len);
    }
    return TEXT(((struct slice){text, n * len}));
}

static struct value
join(struct machine *m, struct value a, struct value b)
{
    struct builder out = {.at = NULL};
    char *text;

    if (a.type == V_STR) {
        text = grab(m, a.as.text.len + b.as.text.len + 1, 1);
        if (!text || !spend(m, (a.as.text.len + b.as.text.len) / 16)) {
            return NONE;
        }
        memcpy(text, a.as.text.data ? a.as.text.data : "", a.as.text.len);
        memcpy(text + a.as.text.len, b.as.text.data ? b.as.text.data : "", b.as.text.len);
        return TEXT(((struct slice){text, a.as.text.len + b.as.text.len}));
    }
    for (size_t i = 0; i < a.as.items->count && spend(m, 1); i++) {
        builder_add(m, &out, a.as.items->at[i]);
    }
    for (size_t i = 0; i < b.as.items->count && spend(m, 1); i++) {
        builder_add(m, &out, b.as.items->at[i]);
    }
    return builder_done(m, &out, a.type);
}

static struct value
set_minus(struct machine *m, struct value a, struct value b)
{
    struct builder out = {.at = NULL};

    for (size_t i = 0; i < a.as.table->count && spend(m, 1); i++) {
        if (!table_find(m, b.as.table, a.as.table->entries[i].key)) {
            builder_add(m, &out, a.as.table->entries[i].key);
        }
    }
    return builder_done(m, &out, V_SET);
}

static bool
is_sequence(struct value v)
{
    return v.type == V_STR || v.type == V_LIST || v.type == V_TUPLE;
}

struct value
binary_value(struct machine *m, char op, struct value a, struct value b)
{
    bool whole_a = a.type == V_INT || a.type == V_BOOL,
         whole_b = b.type == V_INT || b.type == V_BOOL;

    if (whole_a && whole_b) {
        return integer_binary(m, op, integer_of(a), integer_of(b));
    }
    if (is_number(a) && is_number(b)) {
        return float_binary(m, op, number_of(a), number_of(b));
    }
    if (op == '+' && is_sequence(a) && a.type == b.type) {
        return join(m, a, b);
    }
    if (op == '*' && is_sequence(a) && whole_b) {
        return repeat(m, a, integer_of(b));
    }
    if (op == '*' && whole_a && is_sequence(b)) {
        return repeat(m, b, integer_of(a));
    }
    if (op == '-' && a.type == V_SET && b.type == V_SET) {
        return set_minus(m, a, b);
    }
    return raise(m, "%s %s %s cannot be computed", type_name(a.type),
                 op == 'i' ? "//" : (char[2]){op, '\0'}, type_name(b.type));
}

static struct value
unary(struct machine *m, enum node_kind kind, struct value v)
{
    if (!is_number(v)) {
        return raise(m, "%s has no sign", type_name(v.type));
    }
    if (v.type == V_FLOAT) {
        return kind == N_NEGATE ? NUMBER(-v.as.number) : v;
    }
    return kind == N_NEGATE ? integer_binary(m, '-', 0, integer_of(v)) : INTEGER(integer_of(v));
}

/* ---- Comparisons. ---- */

static bool
is_same(struct machine *m, struct value a, struct value b)
{
    if (a.type != b.type) {
        return false;
    }
    if (a.type == V_SET || a.type == V_DICT) {
        return a.as.table == b.as.table;
    }
    if (a.type == V_LIST || a.type == V_TUPLE) {
        return a.as.items == b.as.items;
    }
    return expr_values_equal(m, a, b);
}

static bool
compare_sets(struct machine *m, unsigned op, struct value a, struct value b)
{
    size_t x = a.as.table->count, y = b.as.table->count;

    switch (op) {
    case C_LE:
        return set_within(m, a, b);
    case C_LT:
        return x < y && set_within(m, a, b);
    case C_GE:
        return set_within(m, b, a);
    default:
        return y < x && set_within(m, b, a);
    }
}

static bool
compare(struct machine *m, unsigned op, struct value a, struct value b)
{
    bool ordered = true;
    int order;

    switch (op) {
    case C_EQ:
        return expr_values_equal(m, a, b);
    case C_NE:
        return !expr_values_equal(m, a, b);
    case C_IN:
        return value_in(m, a, b);
    case C_NOT_IN:
        return !value_in(m, a, b);
    case C_IS:
        return is_same(m, a, b);
    case C_IS_NOT:
        return !is_same(m, a, b);
    default:
        break;
    }
    if (a.type == V_SET && b.type == V_SET) {
        return compare_sets(m, op, a, b);
    }
    order = values_compare(m, a, b, &ordered);
    return ordered && (op == C_LT   ? order < 0
                       : op == C_LE ? order <= 0
                       : op == C_GT ? order > 0
                                    : order >= 0);
}

static struct value
compare_chain(struct machine *m, const struct node *n)
{
    struct value left = evaluate(m, n->kids[0]);

    for (size_t i = 1; i < n->count && !m->err; i++) {
        struct value right = evaluate(m, n->kids[i]);
        if (m->err || !compare(m, n->ops[i - 1], left, right)) {
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
        spend(m, v.as.text.len / 16);
        return TEXT(part_of(v.as.text, (size_t)i, 1));
    }
    if (v.type == V_RANGE) {
        struct iter it = {.over = v, .i = (size_t)i};
        next_value(m, &it, &v);
        return v;
    }
    return v.as.items->at[i];
}

static struct value
index_value(struct machine *m, struct value object, struct value index)
{
    const struct value *found;
    int64_t len = length_of(object), i;

    if (object.type == V_DICT) {
        found = table_find(m, object.as.table, index);
        if (found || m->err) {
            return found ? *found : NONE;
        }
        if (index.type != V_STR) {
            return raise(m, "no such key");
        }
        return raise(m, "no key '%.*s'", (int)rune_cut(index.as.text, 100), index.as.text.data);
    }
    if (!is_sequence(object) && object.type != V_RANGE) {
        return raise(m, "%s cannot be indexed", type_name(object.type));
    }
    if (index.type != V_INT && index.type != V_BOOL) {
        return raise(m, "an index must be an integer, not %s", type_name(index.type));
    }
    i = integer_of(index);
    i = i < 0 ? i + len : i;
    if (i < 0 || i >= len) {
        return raise(m, "index out of range");
    }
    return item_of(m, object, i);
}

/* One end of a slice, brought into the range that 'step' allows. */
static int64_t
slice_end(struct machine *m, const struct node *n, int64_t len, int64_t otherwise, bool down)
{
    struct value v = n ? evaluate(m, n) : NONE;
    int64_t least = down ? -1 : 0, most = down ? len - 1 : len, i;

    if (v.type == V_NONE) {
        return otherwise;
    }
    if (v.type != V_INT && v.type != V_BOOL) {
        raise(m, "a slice takes integers, not %s", type_name(v.type));
        return 0;
    }
    i = integer_of(v);
    i = i < 0 ? i + len : i;
    return i < least ? least : i > most ? most : i;
}

static struct value
slice_value(struct machine *m, const struct node *n)
{
    struct value object = evaluate(m, n->kids[0]), step = NONE;
    struct builder b = {.at = NULL};
    struct buf text = {.limit = m->budget->memory};
    int64_t len = length_of(object), by = 1, i, stop;

    if (m->err || !is_sequence(object)) {
        return raise(m, "%s cannot be sliced", type_name(object.type));
    }
    if (n->kids[3]) {
        step = evaluate(m, n->kids[3]);
        by = step.type == V_NONE ? 1 : step.type == V_INT ? step.as.integer : 0;
    }
    if (by == 0) {
        return raise(m, "the step of a slice must be an integer, and not 0");
    }
    i = slice_end(m, n->kids[1], len, by < 0 ? len - 1 : 0, by < 0);
    stop = slice_end(m, n->kids[2], len, by < 0 ? -1 : len, by < 0);
    if (object.type == V_STR && by == 1 && !m->err) {
        spend(m, object.as.text.len / 16);
        return TEXT(part_of(object.as.text, (size_t)i, stop > i ? (size_t)(stop - i) : 0));
    }
    while (!m->err && (by > 0 ? i < stop : i > stop) && spend(m, 1)) {
        struct value item = item_of(m, object, i);
        if (object.type == V_STR) {
            buf_add_slice(&text, item.as.text);
        } else {
            builder_add(m, &b, item);
        }
        if (__builtin_add_overflow(i, by, &i)) {
            break;
        }
    }
    if (object.type == V_STR) {
        char *copy = text.failed ? NULL : grab(m, text.len, 1);
        if (copy && text.len) {
            memcpy(copy, text.data, text.len);
        }
        object = copy ? TEXT(((struct slice){copy, text.len})) : NONE;
        buf_fini(&text);
        return object;
    }
    return builder_done(m, &b, object.type);
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
    it = iterate(m, v);
    while (next_value(m, &it, &v)) {
        if (i == comp->targets) {
            break;
        }
        m->slots[comp->slot + i++] = v;
    }
    if (i != comp->targets || length_of(it.over) != comp->targets) {
        raise(m, "%u values are wanted for %u variables, not %lld", comp->targets, comp->targets,
              (long long)length_of(it.over));
    }
}

void
each_element(struct machine *m, const struct node *comp,
             bool (*each)(struct machine *m, struct value v, void *context), void *context)
{
    struct iter it = iterate(m, evaluate(m, comp->kids[1]));
    struct value v;

    while (next_value(m, &it, &v)) {
        set_targets(m, comp, v);
        if (comp->kids[2] && !is_true(evaluate(m, comp->kids[2]))) {
            continue;
        }
        v = evaluate(m, comp->kids[0]);
        if (m->err || !each(m, v, context)) {
            return;
        }
    }
}

static bool
collect(struct machine *m, struct value v, void *context)
{
    builder_add(m, context, v);
    return !m->err;
}

static struct value
comprehension(struct machine *m, const struct node *n)
{
    struct builder b = {.at = NULL};

    each_element(m, n, collect, &b);
    return m->err ? NONE : builder_done(m, &b, V_LIST);
}

static struct value
display(struct machine *m, const struct node *n)
{
    struct builder b = {.at = NULL};
    struct value *keys, *values;

    if (n->kind != N_DICT) {
        for (size_t i = 0; i < n->count && !m->err; i++) {
            builder_add(m, &b, evaluate(m, n->kids[i]));
        }
        return m->err ? NONE : builder_done(m, &b, n->kind == N_LIST ? V_LIST : V_TUPLE);
    }
    keys = grab(m, n->count / 2, sizeof *keys);
    values = grab(m, n->count / 2, sizeof *values);
    for (size_t i = 0; i < n->count && !m->err; i += 2) {
        keys[i / 2] = evaluate(m, n->kids[i]);
        values[i / 2] = evaluate(m, n->kids[i + 1]);
    }
    return m->err ? NONE : make_table(m, V_DICT, keys, values, n->count / 2);
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
        at = grab(m, n->count, sizeof *at);
    }
    for (size_t i = 0; i < n->count && !m->err; i++) {
        at[i] = evaluate(m, n->kids[i]);
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
        v = evaluate(m, n->kids[i]);
        if (is_true(v) == (n->kind == N_OR)) {
            break;
        }
    }
    return v;
}

struct value
evaluate(struct machine *m, const struct node *n)
{
    struct value a, b;

    if (!spend(m, 1)) {
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
        a = evaluate(m, n->kids[0]);
        return TRUTH(!is_true(a));
    case N_NEGATE:
    case N_PLUS:
        a = evaluate(m, n->kids[0]);
        return m->err ? NONE : unary(m, n->kind, a);
    case N_COMPARE:
        return compare_chain(m, n);
    case N_IF:
        a = evaluate(m, n->kids[0]);
        return m->err ? NONE : evaluate(m, n->kids[is_true(a) ? 1 : 2]);
    case N_BINARY:
    case N_INDEX:
        a = evaluate(m, n->kids[0]);
        b = evaluate(m, n->kids[1]);
        m->line = n->line;
        m->column = n->column;
        return m->err               ? NONE
               : n->kind == N_INDEX ? index_value(m, a, b)
                                    : binary_value(m, n->op, a, b);
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
        m.slots[i] = value_of_json(&m, args[i]);
    }
    v = evaluate(&m, expr->body);
    *holds = !m.err && is_true(v);
    arena_fini(&m.arena);
    return m.err;
}
