/* workflow_expr_method.c -- the methods of the expression language: args[0] is the object.  See
 * workflow_expr.h. */
#include "state/workflow_expr_private.h"

#include "state/base/rune.h"

static bool
object_is(struct machine *m, const struct node *node, const struct value *args,
          enum value_type type)
{
    if (args[0].type != type) {
        expr_raise(m, "%s has no .%s()", expr_value_type_name(args[0].type), node->function->name);
        return false;
    }
    return expr_spend(m, type == V_STR ? args[0].as.text.len / 16 : 1);
}

static CALL(method_get)
{
    const struct value *found;

    if (!object_is(m, node, args, V_DICT)) {
        return NONE;
    }
    found = expr_value_find(m, args[0].as.table, args[1]);
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
    for (size_t i = 0; i < args[0].as.table->count && expr_spend(m, 1); i++) {
        const struct entry *e = &args[0].as.table->entries[i];
        struct value pair[2] = {e->key, e->value};
        expr_value_builder_add(
            m, &b, what == 'p' ? expr_value_list(m, V_TUPLE, pair, 2) : pair[what == 'v']);
    }
    return m->err ? NONE : expr_value_builder_done(m, &b, V_LIST);
}

static CALL(method_keys)
{
    CALL_UNUSED;
    return members(m, node, args, 'k');
}

static CALL(method_values)
{
    CALL_UNUSED;
    return members(m, node, args, 'v');
}

static CALL(method_items)
{
    CALL_UNUSED;
    return members(m, node, args, 'p');
}

static struct value
change_case(struct machine *m, const struct node *node, const struct value *args,
            uint32_t (*change)(uint32_t))
{
    struct slice s = args[0].as.text;
    char *text;
    size_t len = 0;

    if (!object_is(m, node, args, V_STR) || !expr_spend(m, s.len / 4)) {
        return NONE;
    }
    text = expr_grab(m, s.len + 4, 1);
    for (size_t at = 0; text && at < s.len;) {
        uint32_t rune;
        at += rune_decode(s, at, &rune);
        len += rune_encode(change(rune), text + len);
    }
    return text ? TEXT(((struct slice){text, len})) : NONE;
}

static CALL(method_lower)
{
    CALL_UNUSED;
    return change_case(m, node, args, rune_lower);
}

static CALL(method_upper)
{
    CALL_UNUSED;
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

static CALL(method_strip)
{
    struct slice s = args[0].as.text;
    const struct slice *set = NULL;
    uint32_t rune;

    if (!object_is(m, node, args, V_STR)) {
        return NONE;
    }
    if (count > 1 && args[1].type != V_NONE) {
        if (args[1].type != V_STR) {
            return expr_raise(m, ".strip() takes a text");
        }
        set = &args[1].as.text;
    }
    while (s.len) {
        size_t n = rune_decode(s, 0, &rune);
        if (!strips(rune, set) || !expr_spend(m, set ? set->len : 1)) {
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
        if (!strips(rune, set) || !expr_spend(m, set ? set->len : 1)) {
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
        for (size_t i = 0; i < part.as.items->count && expr_spend(m, 1); i++) {
            if (touches(m, s, part.as.items->at[i], end)) {
                return true;
            }
        }
        return false;
    }
    if (part.type != V_STR) {
        expr_raise(m, "a text or a tuple of texts is wanted, not %s",
                   expr_value_type_name(part.type));
        return false;
    }
    len = part.as.text.len;
    return len <= s.len &&
           (len == 0 || memcmp(end ? s.data + s.len - len : s.data, part.as.text.data, len) == 0);
}

static CALL(method_startswith)
{
    CALL_UNUSED;
    return TRUTH(object_is(m, node, args, V_STR) && touches(m, args[0].as.text, args[1], false));
}

static CALL(method_endswith)
{
    CALL_UNUSED;
    return TRUTH(object_is(m, node, args, V_STR) && touches(m, args[0].as.text, args[1], true));
}

/* At runs of white space, as split() without a separator. */
static struct value
split_blanks(struct machine *m, struct slice s, int64_t most)
{
    struct builder b = {.at = NULL};
    size_t at = 0, n;
    uint32_t rune;

    while (at < s.len && expr_spend(m, 1)) {
        size_t start;
        while (at < s.len && (n = rune_decode(s, at, &rune)) && rune_is_space(rune)) {
            at += n;
        }
        if (at == s.len) {
            break;
        }
        start = at;
        if (most-- == 0) {
            expr_value_builder_add(m, &b, TEXT(((struct slice){s.data + start, s.len - start})));
            break;
        }
        while (at < s.len && (n = rune_decode(s, at, &rune)) && !rune_is_space(rune)) {
            at += n;
        }
        expr_value_builder_add(m, &b, TEXT(((struct slice){s.data + start, at - start})));
    }
    return m->err ? NONE : expr_value_builder_done(m, &b, V_LIST);
}

static CALL(method_split)
{
    struct slice s = args[0].as.text, by;
    struct builder b = {.at = NULL};
    int64_t most = -1;
    size_t at = 0;

    if (!object_is(m, node, args, V_STR) || !expr_spend(m, s.len / 4)) {
        return NONE;
    }
    if (count > 2) {
        if (!expr_value_is_whole(args[2])) {
            return expr_raise(m, ".split() counts with an integer");
        }
        most = expr_value_integer(args[2]);
    }
    if (count < 2 || args[1].type == V_NONE) {
        return split_blanks(m, s, most);
    }
    if (args[1].type != V_STR || !args[1].as.text.len) {
        return expr_raise(m, ".split() takes a text that is not empty");
    }
    by = args[1].as.text;
    while (expr_spend(m, 1)) {
        const char *found = most == 0 || s.len - at < by.len
                                ? NULL
                                : memmem(s.data + at, s.len - at, by.data, by.len);
        size_t end = found ? (size_t)(found - s.data) : s.len;
        struct slice piece = s.len ? (struct slice){s.data + at, end - at} : SLICE("");

        expr_value_builder_add(m, &b, TEXT(piece));
        if (!found) {
            break;
        }
        at = end + by.len;
        most--;
    }
    return m->err ? NONE : expr_value_builder_done(m, &b, V_LIST);
}

static struct value
all_runes(struct machine *m, const struct node *node, const struct value *args,
          bool (*is)(uint32_t))
{
    struct slice s = args[0].as.text;
    uint32_t rune;

    if (!object_is(m, node, args, V_STR) || !expr_spend(m, s.len / 4)) {
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

static CALL(method_isalnum)
{
    CALL_UNUSED;
    return all_runes(m, node, args, rune_is_alnum);
}

static CALL(method_isdigit)
{
    CALL_UNUSED;
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
    while (s.len - at >= part.len && expr_spend(m, 1)) {
        const char *found = memmem(s.data + at, s.len - at, part.data, part.len);
        if (!found) {
            break;
        }
        n++;
        at = (size_t)(found - s.data) + part.len;
    }
    return INTEGER(n);
}

static CALL(method_count)
{
    int64_t n = 0;

    CALL_UNUSED;
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
                                 : expr_raise(m, ".count() in a text takes a text");
}

static CALL(method_issubset)
{
    struct value other;

    CALL_UNUSED;
    if (!object_is(m, node, args, V_SET)) {
        return NONE;
    }
    other =
        args[1].type == V_SET || args[1].type == V_DICT ? args[1] : expr_gather(m, args[1], V_SET);
    return TRUTH(!m->err && expr_value_within(m, args[0], other));
}

static const struct function methods[] = {
    {"get", 1, 2, method_get, false},           {"keys", 0, 0, method_keys, false},
    {"values", 0, 0, method_values, false},     {"items", 0, 0, method_items, false},
    {"lower", 0, 0, method_lower, false},       {"upper", 0, 0, method_upper, false},
    {"strip", 0, 1, method_strip, false},       {"startswith", 1, 1, method_startswith, false},
    {"endswith", 1, 1, method_endswith, false}, {"split", 0, 2, method_split, false},
    {"isalnum", 0, 0, method_isalnum, false},   {"isdigit", 0, 0, method_isdigit, false},
    {"count", 1, 1, method_count, false},       {"issubset", 1, 1, method_issubset, false},
};

const struct function *
expr_method(struct slice name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (slice_is(name, methods[i].name)) {
            return &methods[i];
        }
    }
    return NULL;
}
