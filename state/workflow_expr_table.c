/* workflow_expr_table.c -- lists, sets and dicts of the expression language: building them, finding
 * in them, going through them, and making them of JSON.  See workflow_expr_private.h. */
#include "state/workflow_expr_private.h"

#include "state/base/rune.h"

#include <math.h>

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
        return mix((uint64_t)expr_value_integer(v));
    case V_FLOAT:
        if (v.as.number >= -9223372036854775808.0 && v.as.number < 9223372036854775808.0 &&
            floor(v.as.number) == v.as.number) {
            return mix((uint64_t)(int64_t)v.as.number);
        }
        memcpy(&h, &v.as.number, sizeof h);
        return mix(h);
    case V_STR:
        expr_spend(m, v.as.text.len / 16);
        for (size_t i = 0; i < v.as.text.len; i++) {
            h = (h ^ (unsigned char)v.as.text.data[i]) * 0x100000001B3u;
        }
        return mix(h);
    case V_TYPE:
        return mix(v.as.named + 1000u);
    case V_TUPLE:
        for (size_t i = 0; i < v.as.items->count && expr_spend(m, 1); i++) {
            h = mix(h + 1) ^ hash_of(m, v.as.items->at[i]);
        }
        return mix(h);
    default:
        expr_raise(m, "%s cannot be in a set or the key of a dict", expr_value_type_name(v.type));
        return 0;
    }
}

/* The slot of 'key', or the free one where it would go. */
static uint32_t *
table_slot(struct machine *m, const struct table *t, struct value key, uint64_t hash)
{
    size_t i = hash & t->mask;

    while (t->slots[i] && expr_spend(m, 1)) {
        const struct entry *e = &t->entries[t->slots[i] - 1];
        if (e->hash == hash && expr_values_equal(m, e->key, key)) {
            break;
        }
        i = (i + 1) & t->mask;
    }
    return &t->slots[i];
}

const struct value *
expr_value_find(struct machine *m, const struct table *t, struct value key)
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
expr_value_table(struct machine *m, enum value_type type, const struct value *keys,
                 const struct value *values, size_t count)
{
    struct table *t = expr_grab(m, 1, sizeof *t);
    size_t size = 8;

    while (size < count * 2) {
        size *= 2;
    }
    if (!t || !(t->entries = expr_grab(m, count, sizeof *t->entries)) ||
        !(t->slots = expr_grab(m, size, sizeof *t->slots))) {
        return NONE;
    }
    t->mask = size - 1;
    for (size_t i = 0; i < count && expr_spend(m, 1); i++) {
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
expr_value_list(struct machine *m, enum value_type type, const struct value *at, size_t count)
{
    struct items *items = expr_grab(m, 1, sizeof *items);

    if (!items || !(items->at = expr_grab(m, count, sizeof *at))) {
        return NONE;
    }
    items->count = count;
    if (count) {
        memcpy(items->at, at, count * sizeof *at);
    }
    return (struct value){.type = type, .as.items = items};
}

void
expr_value_builder_add(struct machine *m, struct builder *b, struct value v)
{
    if (b->count == b->size) {
        size_t size = b->size ? b->size * 2 : 8;
        struct value *at = expr_grab(m, size, sizeof *at);
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
expr_value_builder_done(struct machine *m, struct builder *b, enum value_type type)
{
    struct items *items;

    if (type == V_SET) {
        return expr_value_table(m, V_SET, b->at, NULL, b->count);
    }
    items = expr_grab(m, 1, sizeof *items);
    if (!items) {
        return NONE;
    }
    *items = (struct items){b->count, b->at};
    return (struct value){.type = type, .as.items = items};
}

struct iter
expr_value_iterate(struct machine *m, struct value over)
{
    if (expr_value_length(over) < 0) {
        expr_raise(m, "%s cannot be gone through", expr_value_type_name(over.type));
    }
    return (struct iter){.over = over};
}

bool
expr_value_next(struct machine *m, struct iter *it, struct value *v)
{
    const struct value *over = &it->over;
    uint32_t rune;
    size_t n;

    if (!expr_spend(m, 1)) {
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
        if (it->i >= (size_t)expr_value_length(*over)) {
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
    return expr_distance(r->start, i) % expr_distance(0, r->step) == 0;
}

bool
expr_value_in(struct machine *m, struct value item, struct value container)
{
    struct iter it;
    struct value v;

    if (container.type == V_STR) {
        if (item.type != V_STR) {
            expr_raise(m, "a str can only hold a str, not %s", expr_value_type_name(item.type));
            return false;
        }
        expr_spend(m, container.as.text.len / 16);
        return item.as.text.len == 0 ||
               (container.as.text.len && memmem(container.as.text.data, container.as.text.len,
                                                item.as.text.data, item.as.text.len));
    }
    if (container.type == V_SET || container.type == V_DICT) {
        return expr_value_find(m, container.as.table, item) != NULL;
    }
    if (container.type == V_RANGE && (item.type == V_INT || item.type == V_BOOL)) {
        return in_range(container.as.range, expr_value_integer(item));
    }
    it = expr_value_iterate(m, container);
    while (expr_value_next(m, &it, &v)) {
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

    b.at = expr_grab(m, b.size, sizeof *b.at);
    json_array_foreach(json, i, item) {
        if (!m->err) {
            expr_value_builder_add(m, &b, json_at(m, item, depth));
        }
    }
    return m->err ? NONE : expr_value_builder_done(m, &b, V_LIST);
}

static struct value
dict_of_json(struct machine *m, const json_t *json, unsigned depth)
{
    size_t count = json_object_size(json), i = 0;
    struct value *keys = expr_grab(m, count, sizeof *keys);
    struct value *values = expr_grab(m, count, sizeof *values);
    /* jansson's iterators want a pointer that could write, and do not. */
    json_t *object;
    void *at;

    memcpy(&object, &json, sizeof object);
    for (at = json_object_iter(object); at && !m->err; at = json_object_iter_next(object, at)) {
        keys[i] = TEXT(slice_of(json_object_iter_key(at)));
        values[i++] = json_at(m, json_object_iter_value(at), depth);
    }
    return m->err ? NONE : expr_value_table(m, V_DICT, keys, values, i);
}

static struct value
json_at(struct machine *m, const json_t *json, unsigned depth)
{
    if (depth > VALUE_DEPTH_MAX) {
        expr_raise(m, "values nested too deep");
    }
    if (!expr_spend(m, 1)) {
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
expr_value_from_json(struct machine *m, const json_t *json)
{
    return json_at(m, json, 0);
}
