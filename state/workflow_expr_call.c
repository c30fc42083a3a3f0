/* workflow_expr_call.c -- the functions and methods of the expression language.  See
 * workflow_expr.h. */
#include "state/workflow_expr_private.h"

#include "state/base/rune.h"
#include "state/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>

#define CALL(NAME)                                                                                 \
    static struct value NAME(struct machine *m, const struct node *node, const struct value *args, \
                             size_t count)
/* Most calls do not look at their node, many not at their count. */
#define UNUSED (void)node, (void)count

static int64_t
integer_of(struct value v)
{
    return v.type == V_BOOL ? v.as.truth : v.as.integer;
}

static bool
is_whole(struct value v)
{
    return v.type == V_INT || v.type == V_BOOL;
}

CALL(call_len)
{
    int64_t len = length_of(args[0]);

    UNUSED;
    if (args[0].type == V_STR) {
        spend(m, args[0].as.text.len / 16);
    }
    return len < 0 ? raise(m, "%s has no length", type_name(args[0].type)) : INTEGER(len);
}

CALL(call_str)
{
    UNUSED;
    return count ? text_of(m, args[0]) : TEXT(SLICE(""));
}

CALL(call_bool)
{
    UNUSED;
    (void)m;
    return TRUTH(count && is_true(args[0]));
}

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

CALL(call_int)
{
    struct value v = count ? args[0] : INTEGER(0);
    char text[64], *digits, *end;
    long long value;

    UNUSED;
    if (is_whole(v)) {
        return INTEGER(integer_of(v));
    }
    if (v.type == V_FLOAT) {
        double whole = trunc(v.as.number);
        return whole >= -9223372036854775808.0 && whole < 9223372036854775808.0
                   ? INTEGER((int64_t)whole)
                   : raise(m, "a number that is no integer of 64 bits");
    }
    if (v.type != V_STR) {
        return raise(m, "int() of %s", type_name(v.type));
    }
    if (!trimmed(v.as.text, text, sizeof text)) {
        return raise(m, "int() of a text that is no integer");
    }
    digits = text + (*text == '-' || *text == '+');
    errno = 0;
    value = strtoll(text, &end, 10);
    if (!isdigit((unsigned char)*digits) || *end || errno) {
        return raise(m, "int() of a text that is no integer of 64 bits");
    }
    return INTEGER(value);
}

CALL(call_float)
{
    struct value v = count ? args[0] : NUMBER(0);
    char text[400], *end;
    double value;

    UNUSED;
    if (v.type == V_FLOAT) {
        return v;
    }
    if (is_whole(v)) {
        return NUMBER((double)integer_of(v));
    }
    if (v.type != V_STR) {
        return raise(m, "float() of %s", type_name(v.type));
    }
    if (!trimmed(v.as.text, text, sizeof text) || strpbrk(text, "xX(")) {
        return raise(m, "float() of a text that is no number");
    }
    value = strtod(text, &end);
    return *end || end == text ? raise(m, "float() of a text that is no number") : NUMBER(value);
}

CALL(call_abs)
{
    struct value v = args[0];

    UNUSED;
    if (v.type == V_FLOAT) {
        return NUMBER(fabs(v.as.number));
    }
    if (!is_whole(v)) {
        return raise(m, "abs() of %s", type_name(v.type));
    }
    if (integer_of(v) == INT64_MIN) {
        return raise(m, "an integer outside 64 bits");
    }
    return INTEGER(integer_of(v) < 0 ? -integer_of(v) : integer_of(v));
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
    it = iterate(m, over);
    while (next_value(m, &it, &v)) {
        bool ordered = true;
        if (!any || (values_compare(m, v, best, &ordered) * sign > 0 && ordered)) {
            best = v;
        }
        any = true;
    }
    return any ? best : raise(m, "the smallest or largest of nothing");
}

CALL(call_min)
{
    UNUSED;
    return extreme(m, args, count, -1);
}

CALL(call_max)
{
    UNUSED;
    return extreme(m, args, count, 1);
}

CALL(call_sum)
{
    struct value sum = count > 1 ? args[1] : INTEGER(0), v;
    struct iter it = iterate(m, args[0]);

    UNUSED;
    if (sum.type == V_STR) {
        return raise(m, "sum() of texts");
    }
    while (next_value(m, &it, &v)) {
        sum = binary_value(m, '+', sum, v);
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
        return isfinite(d) ? NUMBER(d) : raise(m, "a number too large");
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
        return raise(m, "an integer outside 64 bits");
    }
    if (rest > unit - rest || (rest == unit - rest && (down / unit) % 2 != 0)) {
        if (__builtin_add_overflow(down, unit, &down)) {
            return raise(m, "an integer outside 64 bits");
        }
    }
    return INTEGER(down);
}

CALL(call_round)
{
    struct value v = args[0];
    bool places = count > 1 && args[1].type != V_NONE;

    UNUSED;
    if (!is_number(v) || (places && !is_whole(args[1]))) {
        return raise(m, "round() of %s", type_name(v.type));
    }
    if (v.type != V_FLOAT) {
        return round_integer(m, integer_of(v), places ? integer_of(args[1]) : 0);
    }
    if (places) {
        return round_places(m, v.as.number, integer_of(args[1]));
    }
    v.as.number = nearbyint(v.as.number);
    return call_int(m, node, &v, 1);
}

/* Sorts at[0..n) with the help of 'room', stable. */
static void
merge_sort(struct machine *m, struct value *at, struct value *room, size_t n)
{
    size_t half = n / 2, i = 0, k = half, out = 0;

    if (n < 2 || !spend(m, n)) {
        return;
    }
    merge_sort(m, at, room, half);
    merge_sort(m, at + half, room, n - half);
    while (i < half && k < n && !m->err) {
        bool ordered = true;
        bool later = values_compare(m, at[k], at[i], &ordered) < 0 && ordered;
        room[out++] = later ? at[k++] : at[i++];
    }
    while (i < half) {
        room[out++] = at[i++];
    }
    memcpy(at, room, out * sizeof *at);
}

static struct value
gather(struct machine *m, struct value over, enum value_type type)
{
    struct builder b = {.at = NULL};
    struct iter it = iterate(m, over);
    struct value v;

    while (next_value(m, &it, &v)) {
        builder_add(m, &b, v);
    }
    return m->err ? NONE : builder_done(m, &b, type);
}

CALL(call_sorted)
{
    struct value list = gather(m, args[0], V_LIST);
    struct value *room;

    UNUSED;
    if (m->err) {
        return NONE;
    }
    room = grab(m, list.as.items->count, sizeof *room);
    if (room) {
        merge_sort(m, list.as.items->at, room, list.as.items->count);
    }
    return list;
}

CALL(call_list)
{
    UNUSED;
    return count ? gather(m, args[0], V_LIST) : make_items(m, V_LIST, NULL, 0);
}

CALL(call_set)
{
    UNUSED;
    return count ? gather(m, args[0], V_SET) : make_table(m, V_SET, NULL, NULL, 0);
}

CALL(call_dict)
{
    struct builder keys = {.at = NULL}, values = {.at = NULL};
    struct value pair, half[2];
    struct iter it;

    UNUSED;
    if (!count) {
        return make_table(m, V_DICT, NULL, NULL, 0);
    }
    if (args[0].type == V_DICT) {
        return args[0];
    }
    it = iterate(m, args[0]);
    while (next_value(m, &it, &pair)) {
        struct iter two = iterate(m, pair);
        if (length_of(pair) != 2 || !next_value(m, &two, &half[0]) ||
            !next_value(m, &two, &half[1])) {
            return raise(m, "dict() takes pairs");
        }
        builder_add(m, &keys, half[0]);
        builder_add(m, &values, half[1]);
    }
    return m->err ? NONE : make_table(m, V_DICT, keys.at, values.at, keys.count);
}

struct search {
    bool wanted, found;
};

static bool
look_for(struct machine *m, struct value v, void *context)
{
    struct search *s = context;

    (void)m;
    s->found = is_true(v) == s->wanted;
    return !s->found;
}

/* Tells if one of what the call was given is true, or false. */
static bool
holds_one(struct machine *m, const struct node *node, const struct value *args, bool wanted)
{
    struct search s = {.wanted = wanted};
    struct iter it;
    struct value v;

    if (!args) {
        each_element(m, node->kids[0], look_for, &s);
        return s.found;
    }
    it = iterate(m, args[0]);
    while (next_value(m, &it, &v)) {
        if (!look_for(m, v, &s)) {
            return true;
        }
    }
    return false;
}

CALL(call_any)
{
    UNUSED;
    return TRUTH(holds_one(m, node, args, true));
}

CALL(call_all)
{
    UNUSED;
    return TRUTH(!holds_one(m, node, args, false));
}

static bool
is_instance(struct machine *m, struct value v, struct value type)
{
    if (type.type == V_TUPLE) {
        bool is = false;
        for (size_t i = 0; i < type.as.items->count && !m->err; i++) {
            is = is || is_instance(m, v, type.as.items->at[i]);
        }
        return is;
    }
    if (type.type != V_TYPE) {
        raise(m, "isinstance() takes a type or a tuple of types");
        return false;
    }
    return v.type == type.as.named || (v.type == V_BOOL && type.as.named == V_INT);
}

CALL(call_isinstance)
{
    UNUSED;
    return TRUTH(is_instance(m, args[0], args[1]));
}

CALL(call_enumerate)
{
    struct builder b = {.at = NULL};
    struct iter it = iterate(m, args[0]);
    struct value pair[2];
    int64_t i = 0;

    UNUSED;
    if (count > 1) {
        if (!is_whole(args[1])) {
            return raise(m, "enumerate() counts from an integer");
        }
        i = integer_of(args[1]);
    }
    while (next_value(m, &it, &pair[1])) {
        pair[0] = INTEGER(i);
        builder_add(m, &b, make_items(m, V_TUPLE, pair, 2));
        if (__builtin_add_overflow(i, 1, &i)) {
            return raise(m, "an integer outside 64 bits");
        }
    }
    return m->err ? NONE : builder_done(m, &b, V_LIST);
}

CALL(call_zip)
{
    struct builder b = {.at = NULL};
    struct iter its[8];
    struct value row[8];

    UNUSED;
    for (size_t i = 0; i < count; i++) {
        its[i] = iterate(m, args[i]);
    }
    while (!m->err) {
        for (size_t i = 0; i < count; i++) {
            if (!next_value(m, &its[i], &row[i])) {
                return m->err ? NONE : builder_done(m, &b, V_LIST);
            }
        }
        builder_add(m, &b, make_items(m, V_TUPLE, row, count));
    }
    return NONE;
}

CALL(call_range)
{
    struct range *r = grab(m, 1, sizeof *r);

    UNUSED;
    for (size_t i = 0; i < count; i++) {
        if (!is_whole(args[i])) {
            return raise(m, "range() takes integers");
        }
    }
    if (!r) {
        return NONE;
    }
    r->start = count > 1 ? integer_of(args[0]) : 0;
    r->stop = integer_of(args[count > 1]);
    r->step = count > 2 ? integer_of(args[2]) : 1;
    if (r->step == 0) {
        return raise(m, "the step of a range must not be 0");
    }
    if (r->start < -(INT64_C(1) << 62) || r->start > INT64_C(1) << 62 ||
        r->stop < -(INT64_C(1) << 62) || r->stop > INT64_C(1) << 62) {
        return raise(m, "a range too large");
    }
    return (struct value){.type = V_RANGE, .as.range = r};
}

static struct value
match(struct machine *m, const struct node *node, const struct value *args, enum regex_mode mode)
{
    struct regex *compiled = NULL;
    const struct regex *regex = node->regex;
    struct fault why = FAULT_INIT;
    bool matched = false;
    enum err err = E_OK;

    if (args[0].type != V_STR || args[1].type != V_STR) {
        return raise(m, "%s() takes a pattern and a text", node->function->name);
    }
    if (!regex) {
        spend(m, 10000); /* Compiling costs, too. */
        err = regex_compile(args[0].as.text, &compiled, &why);
        regex = compiled;
    }
    if (!err && !m->err) {
        err = regex_run(regex, args[1].as.text, mode, &m->budget->steps, &matched, &why);
    }
    regex_free(compiled);
    if (err == E_LIMIT && !m->err) {
        m->err = fault_at(m->fault, E_LIMIT, m->line, m->column, "%s", why.text);
    } else if (err) {
        raise(m, "%s", why.text);
    }
    return matched ? (struct value){.type = V_MATCH} : NONE;
}

CALL(call_match)
{
    UNUSED;
    return match(m, node, args, REGEX_MATCH);
}

CALL(call_search)
{
    UNUSED;
    return match(m, node, args, REGEX_SEARCH);
}

CALL(call_fullmatch)
{
    UNUSED;
    return match(m, node, args, REGEX_FULL);
}

static struct value
value_of_yaml(struct machine *m, const struct ynode *node)
{
    struct slice text = ynode_text(node);
    size_t count = ynode_count(node);
    struct value *values, *keys;
    char *copy;

    if (!spend(m, 1)) {
        return NONE;
    }
    switch (ynode_kind(node)) {
    case YNODE_NULL:
        return NONE;
    case YNODE_BOOL:
        return TRUTH(ynode_bool(node));
    case YNODE_INT:
        return INTEGER(ynode_int(node));
    case YNODE_FLOAT:
        return NUMBER(ynode_float(node));
    case YNODE_STRING:
        copy = grab(m, text.len + 1, 1);
        if (!copy) {
            return NONE;
        }
        memcpy(copy, text.data, text.len);
        return TEXT(((struct slice){copy, text.len}));
    default:
        break;
    }
    values = grab(m, count, sizeof *values);
    keys = grab(m, count, sizeof *keys);
    for (size_t i = 0; i < count && !m->err; i++) {
        values[i] = value_of_yaml(m, ynode_at(node, i));
        if (ynode_kind(node) == YNODE_MAP && !m->err) {
            struct slice key = ynode_text(ynode_key(node, i));
            copy = grab(m, key.len + 1, 1);
            if (copy) {
                memcpy(copy, key.data, key.len);
                keys[i] = TEXT(((struct slice){copy, key.len}));
            }
        }
    }
    if (m->err) {
        return NONE;
    }
    return ynode_kind(node) == YNODE_LIST ? make_items(m, V_LIST, values, count)
                                          : make_table(m, V_DICT, keys, values, count);
}

CALL(call_safe_load)
{
    struct ytree *tree = NULL;
    struct fault why = FAULT_INIT;
    struct value v;

    UNUSED;
    if (args[0].type != V_STR) {
        return raise(m, "yaml.safe_load() takes a text, not %s", type_name(args[0].type));
    }
    if (!spend(m, args[0].as.text.len / 4)) {
        return NONE;
    }
    if (ytree_parse(args[0].as.text, NULL, &tree, &why)) {
        return raise(m, "not YAML that is taken: line %u, column %u: %s", why.line, why.column,
                     why.text);
    }
    v = value_of_yaml(m, ytree_root(tree));
    ytree_free(tree);
    return v;
}

/* ---- Methods: args[0] is the object. ---- */

static bool
object_is(struct machine *m, const struct node *node, const struct value *args,
          enum value_type type)
{
    if (args[0].type != type) {
        raise(m, "%s has no .%s()", type_name(args[0].type), node->function->name);
        return false;
    }
    return spend(m, type == V_STR ? args[0].as.text.len / 16 : 1);
}

CALL(method_get)
{
    const struct value *found;

    if (!object_is(m, node, args, V_DICT)) {
        return NONE;
    }
    found = table_find(m, args[0].as.table, args[1]);
    return found ? *found : count > 2 ? args[2] : NONE;
}

/* Keys, values or pairs of a dict, as 'what' says: 'k', 'v' or 'p'. */
static struct value
members(struct machine *m, const struct node *node, const struct value *args, char what)
{
    struct builder b = {.at = NULL};

    if (!object_is(m, node, args, V_DICT)) {
        return NONE;
    }
    for (size_t i = 0; i < args[0].as.table->count && spend(m, 1); i++) {
        const struct entry *e = &args[0].as.table->entries[i];
        struct value pair[2] = {e->key, e->value};
        builder_add(m, &b, what == 'p' ? make_items(m, V_TUPLE, pair, 2) : pair[what == 'v']);
    }
    return m->err ? NONE : builder_done(m, &b, V_LIST);
}

CALL(method_keys)
{
    UNUSED;
    return members(m, node, args, 'k');
}

CALL(method_values)
{
    UNUSED;
    return members(m, node, args, 'v');
}

CALL(method_items)
{
    UNUSED;
    return members(m, node, args, 'p');
}

static struct value
change_case(struct machine *m, const struct node *node, const struct value *args,
            uint32_t (*change)(uint32_t))
{
    struct slice s = args[0].as.text;
    char *text;
    size_t len = 0;

    if (!object_is(m, node, args, V_STR) || !spend(m, s.len / 4)) {
        return NONE;
    }
    text = grab(m, s.len + 4, 1);
    for (size_t at = 0; text && at < s.len;) {
        uint32_t rune;
        at += rune_decode(s, at, &rune);
        len += rune_encode(change(rune), text + len);
    }
    return text ? TEXT(((struct slice){text, len})) : NONE;
}

CALL(method_lower)
{
    UNUSED;
    return change_case(m, node, args, rune_lower);
}

CALL(method_upper)
{
    UNUSED;
    return change_case(m, node, args, rune_upper);
}

/* True if 'rune' is one of 'set', or white space if there is none. */
static bool
strips(uint32_t rune, const struct slice *set)
{
    uint32_t other;

    if (!set) {
        return rune_is_space(rune);
    }
    for (size_t at = 0; at < set->len;) {
        at += rune_decode(*set, at, &other);
        if (other == rune) {
            return true;
        }
    }
    return false;
}

CALL(method_strip)
{
    struct slice s = args[0].as.text;
    const struct slice *set = NULL;
    uint32_t rune;

    if (!object_is(m, node, args, V_STR)) {
        return NONE;
    }
    if (count > 1 && args[1].type != V_NONE) {
        if (args[1].type != V_STR) {
            return raise(m, ".strip() takes a text");
        }
        set = &args[1].as.text;
    }
    while (s.len) {
        size_t n = rune_decode(s, 0, &rune);
        if (!strips(rune, set) || !spend(m, set ? set->len : 1)) {
            break;
        }
        s.data += n;
        s.len -= n;
    }
    while (s.len) {
        size_t last = s.len - 1;
        while (((unsigned char)s.data[last] & 0xC0) == 0x80) {
            last--;
        }
        rune_decode(s, last, &rune);
        if (!strips(rune, set) || !spend(m, set ? set->len : 1)) {
            break;
        }
        s.len = last;
    }
    return TEXT(s);
}

static bool
touches(struct machine *m, struct slice s, struct value part, bool end)
{
    size_t len;

    if (part.type == V_TUPLE) {
        for (size_t i = 0; i < part.as.items->count && spend(m, 1); i++) {
            if (touches(m, s, part.as.items->at[i], end)) {
                return true;
            }
        }
        return false;
    }
    if (part.type != V_STR) {
        raise(m, "a text or a tuple of texts is wanted, not %s", type_name(part.type));
        return false;
    }
    len = part.as.text.len;
    return len <= s.len &&
           (len == 0 || memcmp(end ? s.data + s.len - len : s.data, part.as.text.data, len) == 0);
}

CALL(method_startswith)
{
    UNUSED;
    return TRUTH(object_is(m, node, args, V_STR) && touches(m, args[0].as.text, args[1], false));
}

CALL(method_endswith)
{
    UNUSED;
    return TRUTH(object_is(m, node, args, V_STR) && touches(m, args[0].as.text, args[1], true));
}

/* At runs of white space, as split() without a separator. */
static struct value
split_blanks(struct machine *m, struct slice s, int64_t most)
{
    struct builder b = {.at = NULL};
    size_t at = 0, n;
    uint32_t rune;

    while (at < s.len && spend(m, 1)) {
        size_t start;
        while (at < s.len && (n = rune_decode(s, at, &rune)) && rune_is_space(rune)) {
            at += n;
        }
        if (at == s.len) {
            break;
        }
        start = at;
        if (most-- == 0) {
            builder_add(m, &b, TEXT(((struct slice){s.data + start, s.len - start})));
            break;
        }
        while (at < s.len && (n = rune_decode(s, at, &rune)) && !rune_is_space(rune)) {
            at += n;
        }
        builder_add(m, &b, TEXT(((struct slice){s.data + start, at - start})));
    }
    return m->err ? NONE : builder_done(m, &b, V_LIST);
}

CALL(method_split)
{
    struct slice s = args[0].as.text, by;
    struct builder b = {.at = NULL};
    int64_t most = -1;
    size_t at = 0;

    if (!object_is(m, node, args, V_STR) || !spend(m, s.len / 4)) {
        return NONE;
    }
    if (count > 2) {
        if (!is_whole(args[2])) {
            return raise(m, ".split() counts with an integer");
        }
        most = integer_of(args[2]);
    }
    if (count < 2 || args[1].type == V_NONE) {
        return split_blanks(m, s, most);
    }
    if (args[1].type != V_STR || !args[1].as.text.len) {
        return raise(m, ".split() takes a text that is not empty");
    }
    by = args[1].as.text;
    while (spend(m, 1)) {
        const char *found = most == 0 || s.len - at < by.len
                                ? NULL
                                : memmem(s.data + at, s.len - at, by.data, by.len);
        size_t end = found ? (size_t)(found - s.data) : s.len;
        builder_add(m, &b, TEXT(((struct slice){s.data ? s.data + at : "", end - at})));
        if (!found) {
            break;
        }
        at = end + by.len;
        most--;
    }
    return m->err ? NONE : builder_done(m, &b, V_LIST);
}

static struct value
all_runes(struct machine *m, const struct node *node, const struct value *args,
          bool (*is)(uint32_t))
{
    struct slice s = args[0].as.text;
    uint32_t rune;

    if (!object_is(m, node, args, V_STR) || !spend(m, s.len / 4)) {
        return TRUTH(false);
    }
    for (size_t at = 0; at < s.len;) {
        at += rune_decode(s, at, &rune);
        if (!is(rune)) {
            return TRUTH(false);
        }
    }
    return TRUTH(s.len != 0);
}

CALL(method_isalnum)
{
    UNUSED;
    return all_runes(m, node, args, rune_is_alnum);
}

CALL(method_isdigit)
{
    UNUSED;
    return all_runes(m, node, args, rune_is_digit);
}

static struct value
count_text(struct machine *m, struct slice s, struct slice part)
{
    int64_t n = 0;
    size_t at = 0;

    if (!part.len) {
        return INTEGER((int64_t)rune_count(s) + 1);
    }
    while (s.len - at >= part.len && spend(m, 1)) {
        const char *found = memmem(s.data + at, s.len - at, part.data, part.len);
        if (!found) {
            break;
        }
        n++;
        at = (size_t)(found - s.data) + part.len;
    }
    return INTEGER(n);
}

CALL(method_count)
{
    int64_t n = 0;

    UNUSED;
    if (args[0].type == V_LIST || args[0].type == V_TUPLE) {
        for (size_t i = 0; i < args[0].as.items->count && !m->err; i++) {
            n += expr_values_equal(m, args[0].as.items->at[i], args[1]);
        }
        return INTEGER(n);
    }
    if (!object_is(m, node, args, V_STR)) {
        return NONE;
    }
    return args[1].type == V_STR ? count_text(m, args[0].as.text, args[1].as.text)
                                 : raise(m, ".count() in a text takes a text");
}

CALL(method_issubset)
{
    struct value other;

    UNUSED;
    if (!object_is(m, node, args, V_SET)) {
        return NONE;
    }
    other = args[1].type == V_SET || args[1].type == V_DICT ? args[1] : gather(m, args[1], V_SET);
    return TRUTH(!m->err && set_within(m, args[0], other));
}

static const struct function functions[] = {
    {"len", 1, 1, call_len, false},
    {"str", 0, 1, call_str, false},
    {"int", 0, 1, call_int, false},
    {"float", 0, 1, call_float, false},
    {"bool", 0, 1, call_bool, false},
    {"abs", 1, 1, call_abs, false},
    {"min", 1, 100, call_min, false},
    {"max", 1, 100, call_max, false},
    {"sum", 1, 2, call_sum, false},
    {"round", 1, 2, call_round, false},
    {"sorted", 1, 1, call_sorted, false},
    {"set", 0, 1, call_set, false},
    {"list", 0, 1, call_list, false},
    {"dict", 0, 1, call_dict, false},
    {"any", 1, 1, call_any, true},
    {"all", 1, 1, call_all, true},
    {"isinstance", 2, 2, call_isinstance, false},
    {"enumerate", 1, 2, call_enumerate, false},
    {"zip", 1, 8, call_zip, false},
    {"range", 1, 3, call_range, false},
    {"re.match", 2, 2, call_match, false},
    {"re.search", 2, 2, call_search, false},
    {"re.fullmatch", 2, 2, call_fullmatch, false},
    {"yaml.safe_load", 1, 1, call_safe_load, false},
};

static const struct function methods[] = {
    {"get", 1, 2, method_get, false},           {"keys", 0, 0, method_keys, false},
    {"values", 0, 0, method_values, false},     {"items", 0, 0, method_items, false},
    {"lower", 0, 0, method_lower, false},       {"upper", 0, 0, method_upper, false},
    {"strip", 0, 1, method_strip, false},       {"startswith", 1, 1, method_startswith, false},
    {"endswith", 1, 1, method_endswith, false}, {"split", 0, 2, method_split, false},
    {"isalnum", 0, 0, method_isalnum, false},   {"isdigit", 0, 0, method_isdigit, false},
    {"count", 1, 1, method_count, false},       {"issubset", 1, 1, method_issubset, false},
};

static const struct function *
find(const struct function *table, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_is(name, table[i].name)) {
            return &table[i];
        }
    }
    return NULL;
}

const struct function *
expr_function(struct slice name)
{
    return find(functions, sizeof functions / sizeof functions[0], name);
}

const struct function *
expr_method(struct slice name)
{
    return find(methods, sizeof methods / sizeof methods[0], name);
}

bool
expr_type_name(struct slice name, enum value_type *type)
{
    static const enum value_type types[] = {V_BOOL, V_INT, V_FLOAT, V_STR, V_LIST, V_SET, V_DICT};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (slice_is(name, type_name(types[i]))) {
            *type = types[i];
            return true;
        }
    }
    return false;
}
