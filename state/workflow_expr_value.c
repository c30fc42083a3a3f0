/* workflow_expr_value.c -- the values of the expression language: making, comparing, hashing and
 * going through them.  See workflow_expr_private.h. */
#include "state/workflow_expr_private.h"

#include "state/base/rune.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

struct value
expr_raise(struct machine *m, const char *format, ...)
{
    char text[256];
    va_list args;

    if (!m->err) {
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        m->err = fault_at(m->fault, E_REFUSED, m->line, m->column, "%s", text);
    }
    return NONE;
}

bool
expr_spend(struct machine *m, uint64_t n)
{
    if (m->err) {
        return false;
    }
    if (m->budget->steps < n) {
        m->budget->steps = 0;
        m->err =
            fault_at(m->fault, E_LIMIT, m->line, m->column, "the expression took too many steps");
        return false;
    }
    m->budget->steps -= n;
    return true;
}

void *
expr_grab(struct machine *m, size_t count, size_t size)
{
    void *p = NULL;

    if (!m->err) {
        p = arena_take(&m->arena, count ? count : 1, size);
    }
    if (!p) {
        expr_no_room(m, m->arena.full, "the expression needs too much memory");
    }
    return p;
}

void
expr_no_room(struct machine *m, bool full, const char *what)
{
    if (!m->err) {
        m->err = fault_at(m->fault, full ? E_LIMIT : E_OVERLOAD, m->line, m->column, "%s",
                          full ? what : "no memory for an expression");
    }
}

const char *
expr_value_type_name(enum value_type type)
{
    static const char *const names[] = {"NoneType", "bool", "int",  "float", "str",  "list",
                                        "tuple",    "set",  "dict", "range", "type", "match"};
    return names[type];
}

bool
expr_value_is_number(struct value v)
{
    return v.type == V_BOOL || v.type == V_INT || v.type == V_FLOAT;
}

int64_t
expr_value_length(struct value v)
{
    const struct range *r;

    switch (v.type) {
    case V_STR:
        return (int64_t)rune_count(v.as.text);
    case V_LIST:
    case V_TUPLE:
        return (int64_t)v.as.items->count;
    case V_SET:
    case V_DICT:
        return (int64_t)v.as.table->count;
    case V_RANGE:
        r = v.as.range;
        if (r->step > 0 ? r->start >= r->stop : r->start <= r->stop) {
            return 0;
        }
        return (int64_t)((expr_distance(r->start, r->stop) - 1) / expr_distance(0, r->step)) + 1;
    default:
        return -1;
    }
}

bool
expr_value_is_true(struct value v)
{
    switch (v.type) {
    case V_NONE:
        return false;
    case V_BOOL:
        return v.as.truth;
    case V_INT:
        return v.as.integer != 0;
    case V_FLOAT:
        return v.as.number != 0;
    case V_STR:
        return v.as.text.len != 0;
    case V_TYPE:
    case V_MATCH:
        return true;
    default:
        return expr_value_length(v) != 0;
    }
}

/* -1, 0, 1 for an integer against a finite or infinite float, exactly. */
static int
compare_mixed(int64_t i, double d)
{
    double whole;

    if (d >= 9223372036854775808.0) {
        return -1;
    }
    if (d < -9223372036854775808.0) {
        return 1;
    }
    whole = floor(d);
    if (i != (int64_t)whole) {
        return i < (int64_t)whole ? -1 : 1;
    }
    return d > whole ? -1 : 0;
}

/* Orders two numbers; '*ordered' becomes false if one is not a number in the float's sense. */
static int
compare_numbers(struct value a, struct value b, bool *ordered)
{
    bool real_a = a.type == V_FLOAT, real_b = b.type == V_FLOAT;

    if ((real_a && isnan(a.as.number)) || (real_b && isnan(b.as.number))) {
        *ordered = false;
        return 1;
    }
    if (real_a && real_b) {
        return (a.as.number > b.as.number) - (a.as.number < b.as.number);
    }
    if (real_a) {
        return -compare_mixed(expr_value_integer(b), a.as.number);
    }
    if (real_b) {
        return compare_mixed(expr_value_integer(a), b.as.number);
    }
    return (expr_value_integer(a) > expr_value_integer(b)) -
           (expr_value_integer(a) < expr_value_integer(b));
}

static int
compare_texts(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;

    return order ? (order < 0 ? -1 : 1) : (a.len > b.len) - (a.len < b.len);
}

static bool equal_at(struct machine *m, struct value a, struct value b, unsigned depth);

static bool
equal_tables(struct machine *m, struct value a, struct value b, unsigned depth)
{
    const struct table *x = a.as.table, *y = b.as.table;

    for (size_t i = 0; x->count == y->count && i < x->count && expr_spend(m, 1); i++) {
        const struct value *other = expr_value_find(m, y, x->entries[i].key);
        if (!other || (a.type == V_DICT && !equal_at(m, x->entries[i].value, *other, depth))) {
            return false;
        }
    }
    return x->count == y->count && !m->err;
}

static bool
equal_at(struct machine *m, struct value a, struct value b, unsigned depth)
{
    bool ordered = true;

    if (depth > VALUE_DEPTH_MAX) {
        expr_raise(m, "values nested too deep");
    }
    if (!expr_spend(m, 1)) {
        return false;
    }
    if (expr_value_is_number(a) && expr_value_is_number(b)) {
        return compare_numbers(a, b, &ordered) == 0 && ordered;
    }
    if (a.type != b.type) {
        return false;
    }
    switch (a.type) {
    case V_NONE:
        return true;
    case V_STR:
        return slice_equal(a.as.text, b.as.text);
    case V_TYPE:
        return a.as.named == b.as.named;
    case V_LIST:
    case V_TUPLE:
        if (a.as.items->count != b.as.items->count) {
            return false;
        }
        for (size_t i = 0; i < a.as.items->count; i++) {
            if (!equal_at(m, a.as.items->at[i], b.as.items->at[i], depth + 1)) {
                return false;
            }
        }
        return true;
    case V_SET:
    case V_DICT:
        return equal_tables(m, a, b, depth + 1);
    case V_RANGE:
        return expr_value_length(a) == expr_value_length(b) &&
               (expr_value_length(a) == 0 ||
                (a.as.range->start == b.as.range->start &&
                 (expr_value_length(a) == 1 || a.as.range->step == b.as.range->step)));
    default:
        return false;
    }
}

bool
expr_values_equal(struct machine *m, struct value a, struct value b)
{
    return equal_at(m, a, b, 0);
}

bool
expr_value_within(struct machine *m, struct value a, struct value b)
{
    for (size_t i = 0; i < a.as.table->count && expr_spend(m, 1); i++) {
        if (!expr_value_find(m, b.as.table, a.as.table->entries[i].key)) {
            return false;
        }
    }
    return !m->err;
}

static int
compare_at(struct machine *m, struct value a, struct value b, bool *ordered, unsigned depth)
{
    const struct items *x = a.as.items, *y = b.as.items;

    if (depth > VALUE_DEPTH_MAX) {
        expr_raise(m, "values nested too deep");
    }
    if (!expr_spend(m, 1)) {
        return 0;
    }
    if (expr_value_is_number(a) && expr_value_is_number(b)) {
        return compare_numbers(a, b, ordered);
    }
    if (a.type == V_STR && b.type == V_STR) {
        return compare_texts(a.as.text, b.as.text);
    }
    if (a.type != b.type || (a.type != V_LIST && a.type != V_TUPLE)) {
        expr_raise(m, "%s and %s have no order", expr_value_type_name(a.type),
                   expr_value_type_name(b.type));
        return 0;
    }
    for (size_t i = 0; i < x->count && i < y->count && !m->err; i++) {
        if (!equal_at(m, x->at[i], y->at[i], depth + 1)) {
            return compare_at(m, x->at[i], y->at[i], ordered, depth + 1);
        }
    }
    return (x->count > y->count) - (x->count < y->count);
}

int
expr_values_compare(struct machine *m, struct value a, struct value b, bool *ordered)
{
    return compare_at(m, a, b, ordered, 0);
}
