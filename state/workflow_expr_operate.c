/* workflow_expr_operate.c -- the operators of the expression language: arithmetic and comparison.
 * See workflow_expr.h. */
#include "state/workflow_expr_private.h"

#include <math.h>

/* ---- Arithmetic. ---- */

static double
number_of(struct value v)
{
    return v.type == V_FLOAT ? v.as.number : (double)expr_value_integer(v);
}

static struct value
overflow(struct machine *m)
{
    return expr_raise(m, "an integer outside 64 bits");
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
            return expr_raise(m, "division by zero");
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
        return expr_raise(m, "division by zero");
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
            for (size_t k = 0; k < v.as.items->count && expr_spend(m, 1); k++) {
                expr_value_builder_add(m, &b, v.as.items->at[k]);
            }
            if (!v.as.items->count) {
                break;
            }
        }
        return expr_value_builder_done(m, &b, v.type);
    }
    len = v.as.text.len;
    if (!len || !n) {
        return TEXT(SLICE(""));
    }
    text = expr_grab(m, n, len);
    if (!text || !expr_spend(m, n * len / 16)) {
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
        text = expr_grab(m, a.as.text.len + b.as.text.len + 1, 1);
        if (!text || !expr_spend(m, (a.as.text.len + b.as.text.len) / 16)) {
            return NONE;
        }
        memcpy(text, a.as.text.data ? a.as.text.data : "", a.as.text.len);
        memcpy(text + a.as.text.len, b.as.text.data ? b.as.text.data : "", b.as.text.len);
        return TEXT(((struct slice){text, a.as.text.len + b.as.text.len}));
    }
    for (size_t i = 0; i < a.as.items->count && expr_spend(m, 1); i++) {
        expr_value_builder_add(m, &out, a.as.items->at[i]);
    }
    for (size_t i = 0; i < b.as.items->count && expr_spend(m, 1); i++) {
        expr_value_builder_add(m, &out, b.as.items->at[i]);
    }
    return expr_value_builder_done(m, &out, a.type);
}

static struct value
set_minus(struct machine *m, struct value a, struct value b)
{
    struct builder out = {.at = NULL};

    for (size_t i = 0; i < a.as.table->count && expr_spend(m, 1); i++) {
        if (!expr_value_find(m, b.as.table, a.as.table->entries[i].key)) {
            expr_value_builder_add(m, &out, a.as.table->entries[i].key);
        }
    }
    return expr_value_builder_done(m, &out, V_SET);
}

struct value
expr_binary(struct machine *m, char op, struct value a, struct value b)
{
    bool whole_a = a.type == V_INT || a.type == V_BOOL,
         whole_b = b.type == V_INT || b.type == V_BOOL;

    if (whole_a && whole_b) {
        return integer_binary(m, op, expr_value_integer(a), expr_value_integer(b));
    }
    if (expr_value_is_number(a) && expr_value_is_number(b)) {
        return float_binary(m, op, number_of(a), number_of(b));
    }
    if (op == '+' && expr_value_is_sequence(a) && a.type == b.type) {
        return join(m, a, b);
    }
    if (op == '*' && expr_value_is_sequence(a) && whole_b) {
        return repeat(m, a, expr_value_integer(b));
    }
    if (op == '*' && whole_a && expr_value_is_sequence(b)) {
        return repeat(m, b, expr_value_integer(a));
    }
    if (op == '-' && a.type == V_SET && b.type == V_SET) {
        return set_minus(m, a, b);
    }
    return expr_raise(m, "%s %s %s cannot be computed", expr_value_type_name(a.type),
                      op == 'i' ? "//" : (char[2]){op, '\0'}, expr_value_type_name(b.type));
}

struct value
expr_unary(struct machine *m, enum node_kind kind, struct value v)
{
    if (!expr_value_is_number(v)) {
        return expr_raise(m, "%s has no sign", expr_value_type_name(v.type));
    }
    if (v.type == V_FLOAT) {
        return kind == N_NEGATE ? NUMBER(-v.as.number) : v;
    }
    return kind == N_NEGATE ? integer_binary(m, '-', 0, expr_value_integer(v))
                            : INTEGER(expr_value_integer(v));
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
        return expr_value_within(m, a, b);
    case C_LT:
        return x < y && expr_value_within(m, a, b);
    case C_GE:
        return expr_value_within(m, b, a);
    default:
        return y < x && expr_value_within(m, b, a);
    }
}

bool
expr_compare(struct machine *m, unsigned op, struct value a, struct value b)
{
    bool ordered = true;
    int order;

    switch (op) {
    case C_EQ:
        return expr_values_equal(m, a, b);
    case C_NE:
        return !expr_values_equal(m, a, b);
    case C_IN:
        return expr_value_in(m, a, b);
    case C_NOT_IN:
        return !expr_value_in(m, a, b);
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
    order = expr_values_compare(m, a, b, &ordered);
    return ordered && (op == C_LT   ? order < 0
                       : op == C_LE ? order <= 0
                       : op == C_GT ? order > 0
                                    : order >= 0);
}
