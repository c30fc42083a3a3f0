/* workflow_expr_call.c -- the functions of the expression language.  See
 * workflow_expr.h. */
#include "state/workflow_expr_private.h"

#include "state/base/rune.h"
#include "state/yaml.h"

static CALL(call_len)
{
    int64_t len = expr_value_length(args[0]);

    CALL_UNUSED;
    if (args[0].type == V_STR) {
        expr_spend(m, args[0].as.text.len / 16);
    }
    return len < 0 ? expr_raise(m, "%s has no length", expr_value_type_name(args[0].type))
                   : INTEGER(len);
}

static CALL(call_str)
{
    CALL_UNUSED;
    return count ? expr_value_text(m, args[0]) : TEXT(SLICE(""));
}

static CALL(call_bool)
{
    CALL_UNUSED;
    return TRUTH(count && expr_value_is_true(args[0]));
}

/* Sorts at[0..n) with the help of 'room', stable. */
static void
merge_sort(struct machine *m, struct value *at, struct value *room, size_t n)
{
    size_t half = n / 2, i = 0, k = half, out = 0;

    if (n < 2 || !expr_spend(m, n)) {
        return;
    }
    merge_sort(m, at, room, half);
    merge_sort(m, at + half, room, n - half);
    while (i < half && k < n && !m->err) {
        bool ordered = true;
        bool later = expr_values_compare(m, at[k], at[i], &ordered) < 0 && ordered;
        room[out++] = later ? at[k++] : at[i++];
    }
    while (i < half) {
        room[out++] = at[i++];
    }
    memcpy(at, room, out * sizeof *at);
}

struct value
expr_gather(struct machine *m, struct value over, enum value_type type)
{
    struct builder b = {.at = NULL};
    struct iter it = expr_value_iterate(m, over);
    struct value v;

    while (expr_value_next(m, &it, &v)) {
        expr_value_builder_add(m, &b, v);
    }
    return m->err ? NONE : expr_value_builder_done(m, &b, type);
}

static CALL(call_sorted)
{
    struct value list = expr_gather(m, args[0], V_LIST);
    struct value *room;

    CALL_UNUSED;
    if (m->err) {
        return NONE;
    }
    room = expr_grab(m, list.as.items->count, sizeof *room);
    if (room) {
        merge_sort(m, list.as.items->at, room, list.as.items->count);
    }
    return list;
}

static CALL(call_list)
{
    CALL_UNUSED;
    return count ? expr_gather(m, args[0], V_LIST) : expr_value_list(m, V_LIST, NULL, 0);
}

static CALL(call_set)
{
    CALL_UNUSED;
    return count ? expr_gather(m, args[0], V_SET) : expr_value_table(m, V_SET, NULL, NULL, 0);
}

static CALL(call_dict)
{
    struct builder keys = {.at = NULL}, values = {.at = NULL};
    struct value pair, half[2];
    struct iter it;

    CALL_UNUSED;
    if (!count) {
        return expr_value_table(m, V_DICT, NULL, NULL, 0);
    }
    if (args[0].type == V_DICT) {
        return args[0];
    }
    it = expr_value_iterate(m, args[0]);
    while (expr_value_next(m, &it, &pair)) {
        struct iter two = expr_value_iterate(m, pair);
        if (expr_value_length(pair) != 2 || !expr_value_next(m, &two, &half[0]) ||
            !expr_value_next(m, &two, &half[1])) {
            return expr_raise(m, "dict() takes pairs");
        }
        expr_value_builder_add(m, &keys, half[0]);
        expr_value_builder_add(m, &values, half[1]);
    }
    return m->err ? NONE : expr_value_table(m, V_DICT, keys.at, values.at, keys.count);
}

struct search {
    bool wanted, found;
};

static bool
look_for(struct machine *m, struct value v, void *context)
{
    struct search *s = context;

    (void)m;
    s->found = expr_value_is_true(v) == s->wanted;
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
        expr_each(m, node->kids[0], look_for, &s);
        return s.found;
    }
    it = expr_value_iterate(m, args[0]);
    while (expr_value_next(m, &it, &v)) {
        if (!look_for(m, v, &s)) {
            return true;
        }
    }
    return false;
}

static CALL(call_any)
{
    CALL_UNUSED;
    return TRUTH(holds_one(m, node, args, true));
}

static CALL(call_all)
{
    CALL_UNUSED;
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
        expr_raise(m, "isinstance() takes a type or a tuple of types");
        return false;
    }
    return v.type == type.as.named || (v.type == V_BOOL && type.as.named == V_INT);
}

static CALL(call_isinstance)
{
    CALL_UNUSED;
    return TRUTH(is_instance(m, args[0], args[1]));
}

static CALL(call_enumerate)
{
    struct builder b = {.at = NULL};
    struct iter it = expr_value_iterate(m, args[0]);
    struct value pair[2];
    int64_t i = 0;

    CALL_UNUSED;
    if (count > 1) {
        if (!expr_value_is_whole(args[1])) {
            return expr_raise(m, "enumerate() counts from an integer");
        }
        i = expr_value_integer(args[1]);
    }
    while (expr_value_next(m, &it, &pair[1])) {
        pair[0] = INTEGER(i);
        expr_value_builder_add(m, &b, expr_value_list(m, V_TUPLE, pair, 2));
        if (__builtin_add_overflow(i, 1, &i)) {
            return expr_raise(m, "an integer outside 64 bits");
        }
    }
    return m->err ? NONE : expr_value_builder_done(m, &b, V_LIST);
}

static CALL(call_zip)
{
    struct builder b = {.at = NULL};
    struct iter its[8];
    struct value row[8];

    CALL_UNUSED;
    for (size_t i = 0; i < count; i++) {
        its[i] = expr_value_iterate(m, args[i]);
    }
    while (!m->err) {
        for (size_t i = 0; i < count; i++) {
            if (!expr_value_next(m, &its[i], &row[i])) {
                return m->err ? NONE : expr_value_builder_done(m, &b, V_LIST);
            }
        }
        expr_value_builder_add(m, &b, expr_value_list(m, V_TUPLE, row, count));
    }
    return NONE;
}

static CALL(call_range)
{
    struct range *r = expr_grab(m, 1, sizeof *r);

    CALL_UNUSED;
    for (size_t i = 0; i < count; i++) {
        if (!expr_value_is_whole(args[i])) {
            return expr_raise(m, "range() takes integers");
        }
    }
    if (!r) {
        return NONE;
    }
    r->start = count > 1 ? expr_value_integer(args[0]) : 0;
    r->stop = expr_value_integer(args[count > 1]);
    r->step = count > 2 ? expr_value_integer(args[2]) : 1;
    if (r->step == 0) {
        return expr_raise(m, "the step of a range must not be 0");
    }
    if (r->start < -(INT64_C(1) << 62) || r->start > INT64_C(1) << 62 ||
        r->stop < -(INT64_C(1) << 62) || r->stop > INT64_C(1) << 62) {
        return expr_raise(m, "a range too large");
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
        return expr_raise(m, "%s() takes a pattern and a text", node->function->name);
    }
    if (!regex) {
        expr_spend(m, 10000); /* Compiling costs, too. */
        err = regex_compile(args[0].as.text, &compiled, &why);
        regex = compiled;
    }
    if (!err && !m->err) {
        err = regex_run(regex, args[1].as.text, mode, &m->budget->steps, &matched, &why);
    }
    regex_free(compiled);
    if (err == E_LIMIT || err == E_OVERLOAD) {
        expr_no_room(m, err == E_LIMIT, why.text);
    } else if (err) {
        expr_raise(m, "%s", why.text);
    }
    if (matched) {
        return (struct value){.type = V_MATCH};
    }
    return NONE;
}

static CALL(call_match)
{
    CALL_UNUSED;
    return match(m, node, args, REGEX_MATCH);
}

static CALL(call_search)
{
    CALL_UNUSED;
    return match(m, node, args, REGEX_SEARCH);
}

static CALL(call_fullmatch)
{
    CALL_UNUSED;
    return match(m, node, args, REGEX_FULL);
}

static struct value
value_of_yaml(struct machine *m, const struct ynode *node)
{
    struct slice text = ynode_text(node);
    size_t count = ynode_count(node);
    struct value *values, *keys;
    char *copy;

    if (!expr_spend(m, 1)) {
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
        copy = expr_grab(m, text.len + 1, 1);
        if (!copy) {
            return NONE;
        }
        memcpy(copy, text.data, text.len);
        return TEXT(((struct slice){copy, text.len}));
    default:
        break;
    }
    values = expr_grab(m, count, sizeof *values);
    keys = expr_grab(m, count, sizeof *keys);
    for (size_t i = 0; i < count && !m->err; i++) {
        values[i] = value_of_yaml(m, ynode_at(node, i));
        if (ynode_kind(node) == YNODE_MAP && !m->err) {
            struct slice key = ynode_text(ynode_key(node, i));
            copy = expr_grab(m, key.len + 1, 1);
            if (copy) {
                memcpy(copy, key.data, key.len);
                keys[i] = TEXT(((struct slice){copy, key.len}));
            }
        }
    }
    if (m->err) {
        return NONE;
    }
    return ynode_kind(node) == YNODE_LIST ? expr_value_list(m, V_LIST, values, count)
                                          : expr_value_table(m, V_DICT, keys, values, count);
}

static CALL(call_safe_load)
{
    struct ytree *tree = NULL;
    struct fault why = FAULT_INIT;
    struct value v;

    CALL_UNUSED;
    if (args[0].type != V_STR) {
        return expr_raise(m, "yaml.safe_load() takes a text, not %s",
                          expr_value_type_name(args[0].type));
    }
    if (!expr_spend(m, args[0].as.text.len / 4)) {
        return NONE;
    }
    if (ytree_parse(args[0].as.text, NULL, &tree, &why)) {
        if (why.code == E_OVERLOAD) {
            expr_no_room(m, false, why.text);
            return NONE;
        }
        return expr_raise(m, "not YAML that is taken: line %u, column %u: %s", why.line, why.column,
                          why.text);
    }
    v = value_of_yaml(m, ytree_root(tree));
    ytree_free(tree);
    return v;
}

static const struct function functions[] = {
    {"len", 1, 1, call_len, false},
    {"str", 0, 1, call_str, false},
    {"int", 0, 1, expr_call_int, false},
    {"float", 0, 1, expr_call_float, false},
    {"bool", 0, 1, call_bool, false},
    {"abs", 1, 1, expr_call_abs, false},
    {"min", 1, 100, expr_call_min, false},
    {"max", 1, 100, expr_call_max, false},
    {"sum", 1, 2, expr_call_sum, false},
    {"round", 1, 2, expr_call_round, false},
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

const struct function *
expr_function(struct slice name)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (slice_is(name, functions[i].name)) {
            return &functions[i];
        }
    }
    return NULL;
}

bool
expr_type_name(struct slice name, enum value_type *type)
{
    static const enum value_type types[] = {V_BOOL, V_INT, V_FLOAT, V_STR, V_LIST, V_SET, V_DICT};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (slice_is(name, expr_value_type_name(types[i]))) {
            *type = types[i];
            return true;
        }
    }
    return false;
}
