/* workflow_expr_call_number.c -- the functions of the expression language that make and compare
 * numbers.  See workflow_expr.h. */
#include "state/workflow_expr_private.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>

/* 's' without blanks around it, as a C string in 'room'; false if it does not fit or holds a NUL.
 */
static bool
trimmed(struct slice s, char *room, size_t size)
{
    while (s.len && isspace((unsigned char)s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len && isspace((unsigned char)s.data[s.len - 1])) {
        s.len--;
    }
    if (s.len >= size || (s.len && memchr(s.data, '\0', s.len))) {
        return false;
    }
    memcpy(room, s.data ? s.data : "", s.len);
    room[s.len] = '\0';
    return true;
}

CALL(expr_call_int)
{
    struct value v = count ? args[0] : INTEGER(0);
    char text[64], *digits, *end;
    long long value;

    CALL_UNUSED;
    if (expr_value_is_whole(v)) {
        return INTEGER(expr_value_integer(v));
    }
    if (v.type == V_FLOAT) {
        double whole = trunc(v.as.number);
        return whole >= -9223372036854775808.0 && whole < 9223372036854775808.0
                   ? INTEGER((int64_t)whole)
                   : expr_raise(m, "a number that is no integer of 64 bits");
    }
    if (v.type != V_STR) {
        return expr_raise(m, "int() of %s", expr_value_type_name(v.type));
    }
    if (!trimmed(v.as.text, text, sizeof text)) {
        return expr_raise(m, "int() of a text that is no integer");
    }
    digits = text + (*text == '-' || *text == '+');
    errno = 0;
    value = strtoll(text, &end, 10);
    if (!isdigit((unsigned char)*digits) || *end || errno) {
        return expr_raise(m, "int() of a text that is no integer of 64 bits");
    }
    return INTEGER(value);
}

CALL(expr_call_float)
{
    struct value v = count ? args[0] : NUMBER(0);
    char text[400], *end;
    double value;

    CALL_UNUSED;
    if (v.type == V_FLOAT) {
        return v;
    }
    if (expr_value_is_whole(v)) {
        return NUMBER((double)expr_value_integer(v));
    }
    if (v.type != V_STR) {
        return expr_raise(m, "float() of %s", expr_value_type_name(v.type));
    }
    if (!trimmed(v.as.text, text, sizeof text) || strpbrk(text, "xX(")) {
        return expr_raise(m, "float() of a text that is no number");
    }
    value = strtod(text, &end);
    return *end || end == text ? expr_raise(m, "float() of a text that is no number")
                               : NUMBER(value);
}

CALL(expr_call_abs)
{
    struct value v = args[0];

    CALL_UNUSED;
    if (v.type == V_FLOAT) {
        return NUMBER(fabs(v.as.number));
    }
    if (!expr_value_is_whole(v)) {
        return expr_raise(m, "abs() of %s", expr_value_type_name(v.type));
    }
    if (expr_value_integer(v) == INT64_MIN) {
        return expr_raise(m, "an integer outside 64 bits");
    }
    return INTEGER(expr_value_integer(v) < 0 ? -expr_value_integer(v) : expr_value_integer(v));
}

/* The smallest (sign -1) or largest (sign 1) of several arguments, or of one that holds several. */
static struct value
extreme(struct machine *m, const struct value *args, size_t count, int sign)
{
    struct items few = {.count = count};
    struct value over = args[0], best = NONE, v;
    struct iter it;
    bool any = false;

    if (count > 1) {
        memcpy(&few.at, &args, sizeof few.at); /* Only read. */
        over = (struct value){.type = V_TUPLE, .as.items = &few};
    }
    it = expr_value_iterate(m, over);
    while (expr_value_next(m, &it, &v)) {
        bool ordered = true;
        if (!any || (expr_values_compare(m, v, best, &ordered) * sign > 0 && ordered)) {
            best = v;
        }
        any = true;
    }
    return any ? best : expr_raise(m, "the smallest or largest of nothing");
}

CALL(expr_call_min)
{
    CALL_UNUSED;
    return extreme(m, args, count, -1);
}

CALL(expr_call_max)
{
    CALL_UNUSED;
    return extreme(m, args, count, 1);
}

CALL(expr_call_sum)
{
    struct value sum = count > 1 ? args[1] : INTEGER(0), v;
    struct iter it = expr_value_iterate(m, args[0]);

    CALL_UNUSED;
    if (sum.type == V_STR) {
        return expr_raise(m, "sum() of texts");
    }
    while (expr_value_next(m, &it, &v)) {
        sum = expr_binary(m, '+', sum, v);
    }
    return sum;
}

/* Rounds to even, as Python does; exact, because the C library prints exactly. */
static struct value
round_places(struct machine *m, double d, int64_t places)
{
    char text[400];
    double scale;

    if (isnan(d) || isinf(d) || places > 300) {
        return NUMBER(d);
    }
    if (places < -300) {
        return NUMBER(0 * d);
    }
    if (places < 0) {
        scale = pow(10, (double)-places);
        d = nearbyint(d / scale) * scale;
        return isfinite(d) ? NUMBER(d) : expr_raise(m, "a number too large");
    }
    if (snprintf(text, sizeof text, "%.*f", (int)places, d) >= (int)sizeof text) {
        return NUMBER(d);
    }
    return NUMBER(strtod(text, NULL));
}

static struct value
round_integer(struct machine *m, int64_t i, int64_t places)
{
    int64_t unit = 1, rest, down;

    if (places >= 0) {
        return INTEGER(i);
    }
    if (places < -18) {
        return INTEGER(0);
    }
    for (; places < 0; places++) {
        unit *= 10;
    }
    rest = i % unit;
    rest = rest < 0 ? rest + unit : rest;
    if (__builtin_sub_overflow(i, rest, &down)) {
        return expr_raise(m, "an integer outside 64 bits");
    }
    if (rest > unit - rest || (rest == unit - rest && (down / unit) % 2 != 0)) {
        if (__builtin_add_overflow(down, unit, &down)) {
            return expr_raise(m, "an integer outside 64 bits");
        }
    }
    return INTEGER(down);
}

CALL(expr_call_round)
{
    struct value v = args[0];
    bool places = count > 1 && args[1].type != V_NONE;

    CALL_UNUSED;
    if (!expr_value_is_number(v) || (places && !expr_value_is_whole(args[1]))) {
        return expr_raise(m, "round() of %s", expr_value_type_name(v.type));
    }
    if (v.type != V_FLOAT) {
        return round_integer(m, expr_value_integer(v), places ? expr_value_integer(args[1]) : 0);
    }
    if (places) {
        return round_places(m, v.as.number, expr_value_integer(args[1]));
    }
    v.as.number = nearbyint(v.as.number);
    return expr_call_int(m, node, &v, 1);
}
