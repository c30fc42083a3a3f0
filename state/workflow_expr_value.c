/* workflow_expr_value.c -- the values of the expression language: making, comparing, hashing and
 * going through them.  See workflow_expr_private.h. */
#include "state/workflow_expr_private.h"

#include "state/base/rune.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define VALUE_DEPTH_MAX 100u

struct value
raise(struct machine *m, const char *format, ...)
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
spend(struct machine *m, uint64_t n)
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
grab(struct machine *m, size_t count, size_t size)
{
    void *p = NULL;

    if (!m->err) {
        p = arena_take(&m->arena, count ? count : 1, size);
    }
    if (!p && !m->err) {
        m->err =
            fault_at(m->fault, E_LIMIT, m->line, m->column, "the expression needs too much memory");
    }
    return p;
}

const char *
type_name(enum value_type type)
{
    static const char *const names[] = {"NoneType", "bool", "int",  "float", "str",  "list",
                                        "tuple",    "set",  "dict", "range", "type", "match"};
    return names[type];
}

bool
is_number(struct value v)
{
    return v.type == V_BOOL || v.type == V_INT || v.type == V_FLOAT;
}

int64_t
length_of(struct value v)
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
        /* In unsigned arithmetic, as the ends may be 2^64 apart. */
        return (int64_t)(r->step > 0
                             ? ((uint64_t)r->stop - (uint64_t)r->start - 1) / (uint64_t)r->step
                             : ((uint64_t)r->start - (uint64_t)r->stop - 1) /
                                   (0 - (uint64_t)r->step)) +
               1;
    default:
        return -1;
    }
}

bool
is_true(struct value v)
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
        return length_of(v) != 0;
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

static int64_t
integer_of(struct value v)
{
    return v.type == V_BOOL ? v.as.truth : v.as.integer;
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
        return -compare_mixed(integer_of(b), a.as.number);
    }
    if (real_b) {
        return compare_mixed(integer_of(a), b.as.number);
    }
    return (integer_of(a) > integer_of(b)) - (integer_of(a) < integer_of(b));
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

    for (size_t i = 0; x->count == y->count && i < x->count && spend(m, 1); i++) {
        const struct value *other = table_find(m, y, x->entries[i].key);
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
        raise(m, "values nested too deep");
    }
    if (!spend(m, 1)) {
        return false;
    }
    if (is_number(a) && is_number(b)) {
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
        return length_of(a) == length_of(b) &&
               (length_of(a) == 0 || (a.as.range->start == b.as.range->start &&
                                      (length_of(a) == 1 || a.as.range->step == b.as.range->step)));
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
set_within(struct machine *m, struct value a, struct value b)
{
    for (size_t i = 0; i < a.as.table->count && spend(m, 1); i++) {
        if (!table_find(m, b.as.table, a.as.table->entries[i].key)) {
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
        raise(m, "values nested too deep");
    }
    if (!spend(m, 1)) {
        return 0;
    }
    if (is_number(a) && is_number(b)) {
        return compare_numbers(a, b, ordered);
    }
    if (a.type == V_STR && b.type == V_STR) {
        return compare_texts(a.as.text, b.as.text);
    }
    if (a.type != b.type || (a.type != V_LIST && a.type != V_TUPLE)) {
        raise(m, "%s and %s have no order", type_name(a.type), type_name(b.type));
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
values_compare(struct machine *m, struct value a, struct value b, bool *ordered)
{
    return compare_at(m, a, b, ordered, 0);
}

/* ---- Sets and dicts. ---- */

static uint64_t
mix(uint64_t h)
{
    h ^= h >> 31;
    h *= 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

/* Equal values have equal hashes; raises for what cannot be a key. */
static uint64_t
hash_of(struct machine *m, struct value v)
{
    uint64_t h = 0;

    switch (v.type) {
    case V_NONE:
        return mix(0x6E6F6E65);
    case V_BOOL:
    case V_INT:
        return mix((uint64_t)integer_of(v));
    case V_FLOAT:
        if (v.as.number >= -9223372036854775808.0 && v.as.number < 9223372036854775808.0 &&
            floor(v.as.number) == v.as.number) {
            return mix((uint64_t)(int64_t)v.as.number);
        }
        memcpy(&h, &v.as.number, sizeof h);
        return mix(h);
    case V_STR:
        spend(m, v.as.text.len / 16);
        for (size_t i = 0; i < v.as.text.len; i++) {
            h = (h ^ (unsigned char)v.as.text.data[i]) * 0x100000001B3u;
        }
        return mix(h);
    case V_TYPE:
        return mix(v.as.named + 1000u);
    case V_TUPLE:
        for (size_t i = 0; i < v.as.items->count && spend(m, 1); i++) {
            h = mix(h + 1) ^ hash_of(m, v.as.items->at[i]);
        }
        return mix(h);
    default:
        raise(m, "%s cannot be in a set or the key of a dict", type_name(v.type));
        return 0;
    }
}

/* The slot of 'key', or the free one where it would go. */
static uint32_t *
table_slot(struct machine *m, const struct table *t, struct value key, uint64_t hash)
{
    size_t i = hash & t->mask;

    while (t->slots[i] && spend(m, 1)) {
        const struct entry *e = &t->entries[t->slots[i] - 1];
        if (e->hash == hash && expr_values_equal(m, e->key, key)) {
            break;
        }
        i = (i + 1) & t->mask;
    }
    return &t->slots[i];
}

const struct value *
table_find(struct machine *m, const struct table *t, struct value key)
{
    uint64_t hash = hash_of(m, key);
    uint32_t slot;

    if (m->err) {
        return NULL;
    }
    slot = *table_slot(m, t, key, hash);
    return slot && !m->err ? &t->entries[slot - 1].value : NULL;
}

struct value
make_table(struct machine *m, enum value_type type, const struct value *keys,
           const struct value *values, size_t count)
{
    struct table *t = grab(m, 1, sizeof *t);
    size_t size = 8;

    while (size < count * 2) {
        size *= 2;
    }
    if (!t || !(t->entries = grab(m, count, sizeof *t->entries)) ||
        !(t->slots = grab(m, size, sizeof *t->slots))) {
        return NONE;
    }
    t->mask = size - 1;
    for (size_t i = 0; i < count && spend(m, 1); i++) {
        uint64_t hash = hash_of(m, keys[i]);
        uint32_t *slot = table_slot(m, t, keys[i], hash);
        if (m->err) {
            break;
        }
        if (!*slot) {
            t->entries[t->count] = (struct entry){.key = keys[i], .hash = hash};
            *slot = (uint32_t)++t->count;
        }
        t->entries[*slot - 1].value = values ? values[i] : NONE;
    }
    return m->err ? NONE : (struct value){.type = type, .as.table = t};
}

/* ---- Lists. ---- */

struct value
make_items(struct machine *m, enum value_type type, const struct value *at, size_t count)
{
    struct items *items = grab(m, 1, sizeof *items);

    if (!items || !(items->at = grab(m, count, sizeof *at))) {
        return NONE;
    }
    items->count = count;
    if (count) {
        memcpy(items->at, at, count * sizeof *at);
    }
    return (struct value){.type = type, .as.items = items};
}

void
builder_add(struct machine *m, struct builder *b, struct value v)
{
    if (b->count == b->size) {
        size_t size = b->size ? b->size * 2 : 8;
        struct value *at = grab(m, size, sizeof *at);
        if (!at) {
            return;
        }
        if (b->count) {
            memcpy(at, b->at, b->count * sizeof *at);
        }
        b->at = at;
        b->size = size;
    }
    b->at[b->count++] = v;
}

struct value
builder_done(struct machine *m, struct builder *b, enum value_type type)
{
    struct items *items;

    if (type == V_SET) {
        return make_table(m, V_SET, b->at, NULL, b->count);
    }
    items = grab(m, 1, sizeof *items);
    if (!items) {
        return NONE;
    }
    *items = (struct items){b->count, b->at};
    return (struct value){.type = type, .as.items = items};
}

struct iter
iterate(struct machine *m, struct value over)
{
    if (length_of(over) < 0) {
        raise(m, "%s cannot be gone through", type_name(over.type));
    }
    return (struct iter){.over = over};
}

bool
next_value(struct machine *m, struct iter *it, struct value *v)
{
    const struct value *over = &it->over;
    uint32_t rune;
    size_t n;

    if (!spend(m, 1)) {
        return false;
    }
    switch (over->type) {
    case V_STR:
        if (it->i >= over->as.text.len) {
            return false;
        }
        n = rune_decode(over->as.text, it->i, &rune);
        *v = TEXT(((struct slice){over->as.text.data + it->i, n}));
        it->i += n;
        return true;
    case V_RANGE:
        if (it->i >= (size_t)length_of(*over)) {
            return false;
        }
        *v = INTEGER((int64_t)((uint64_t)over->as.range->start +
                               (uint64_t)it->i++ * (uint64_t)over->as.range->step));
        return true;
    case V_SET:
    case V_DICT:
        if (it->i >= over->as.table->count) {
            return false;
        }
        *v = over->as.table->entries[it->i++].key;
        return true;
    default:
        if (it->i >= over->as.items->count) {
            return false;
        }
        *v = over->as.items->at[it->i++];
        return true;
    }
}

static bool
in_range(const struct range *r, int64_t i)
{
    if (r->step > 0 ? i < r->start || i >= r->stop : i > r->start || i <= r->stop) {
        return false;
    }
    return r->step > 0 ? ((uint64_t)i - (uint64_t)r->start) % (uint64_t)r->step == 0
                       : ((uint64_t)r->start - (uint64_t)i) % (0 - (uint64_t)r->step) == 0;
}

bool
value_in(struct machine *m, struct value item, struct value container)
{
    struct iter it;
    struct value v;

    if (container.type == V_STR) {
        if (item.type != V_STR) {
            raise(m, "a str can only hold a str, not %s", type_name(item.type));
            return false;
        }
        spend(m, container.as.text.len / 16);
        return item.as.text.len == 0 ||
               (container.as.text.len && memmem(container.as.text.data, container.as.text.len,
                                                item.as.text.data, item.as.text.len));
    }
    if (container.type == V_SET || container.type == V_DICT) {
        return table_find(m, container.as.table, item) != NULL;
    }
    if (container.type == V_RANGE && (item.type == V_INT || item.type == V_BOOL)) {
        return in_range(container.as.range, integer_of(item));
    }
    it = iterate(m, container);
    while (next_value(m, &it, &v)) {
        if (expr_values_equal(m, v, item)) {
            return true;
        }
    }
    return false;
}

/* ---- From JSON. ---- */

static struct value json_at(struct machine *m, const json_t *json, unsigned depth);

static struct value
list_of_json(struct machine *m, const json_t *json, unsigned depth)
{
    struct builder b = {.size = json_array_size(json)};
    json_t *item;
    size_t i;

    b.at = grab(m, b.size, sizeof *b.at);
    json_array_foreach(json, i, item) {
        if (!m->err) {
            builder_add(m, &b, json_at(m, item, depth));
        }
    }
    return m->err ? NONE : builder_done(m, &b, V_LIST);
}

static struct value
dict_of_json(struct machine *m, const json_t *json, unsigned depth)
{
    size_t count = json_object_size(json), i = 0;
    struct value *keys = grab(m, count, sizeof *keys);
    struct value *values = grab(m, count, sizeof *values);
    /* jansson's iterators want a pointer that could write, and do not. */
    json_t *object;
    void *at;

    memcpy(&object, &json, sizeof object);
    for (at = json_object_iter(object); at && !m->err; at = json_object_iter_next(object, at)) {
        keys[i] = TEXT(slice_of(json_object_iter_key(at)));
        values[i++] = json_at(m, json_object_iter_value(at), depth);
    }
    return m->err ? NONE : make_table(m, V_DICT, keys, values, i);
}

static struct value
json_at(struct machine *m, const json_t *json, unsigned depth)
{
    if (depth > VALUE_DEPTH_MAX) {
        raise(m, "values nested too deep");
    }
    if (!spend(m, 1)) {
        return NONE;
    }
    switch (json ? json_typeof(json) : JSON_NULL) {
    case JSON_TRUE:
    case JSON_FALSE:
        return TRUTH(json_is_true(json));
    case JSON_INTEGER:
        return INTEGER(json_integer_value(json));
    case JSON_REAL:
        return NUMBER(json_real_value(json));
    case JSON_STRING:
        return TEXT(((struct slice){json_string_value(json), json_string_length(json)}));
    case JSON_ARRAY:
        return list_of_json(m, json, depth + 1);
    case JSON_OBJECT:
        return dict_of_json(m, json, depth + 1);
    default:
        return NONE;
    }
}

struct value
value_of_json(struct machine *m, const json_t *json)
{
    return json_at(m, json, 0);
}
