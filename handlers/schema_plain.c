/* schema_plain.c -- plain schemas, made ready.
 *
 * DESIGN.  A property is plain if its schema has none but annotations and the rules of PLAIN_RULES.
 * Of any other nothing fits here, so an object that has it goes to schema_validate(), and one that
 * leaves it out does not.  A schema that is not plain itself has a table of no property, and no
 * object fits it. */
#include "handlers/schema_plain.h"

#include "handlers/schema_private.h"
#include "state/base/rune.h"

#include <limits.h>

#define PROPERTIES_MAX 64 /* A bit each tells which were there. */

struct property {
    struct slice name;
    unsigned types;         /* Bits by json_type; 0: nothing fits. */
    const json_t *words;    /* One of these strings; or null. */
    json_int_t least, most; /* Of an integer. */
    bool counted;           /* The length of a string has bounds. */
    json_int_t shortest, longest;
};

struct schema_plain {
    bool plain;        /* Else no object fits. */
    bool open;         /* Members of other names are allowed, whatever they are. */
    uint64_t required; /* Bits by property. */
    size_t count;
    struct property properties[]; /* In the schema's order, which is how most calls are written. */
};

/* The json_types that a word of a "type" keyword names: a real may be an integer, and is then
 * replaced by one, so it is none here. */
static unsigned
bits_of_type(const char *word)
{
    static const struct {
        const char *word;
        unsigned types;
    } words[] = {
        {"object", 1u << JSON_OBJECT},
        {"array", 1u << JSON_ARRAY},
        {"string", 1u << JSON_STRING},
        {"integer", 1u << JSON_INTEGER},
        {"number", 1u << JSON_INTEGER | 1u << JSON_REAL},
        {"boolean", 1u << JSON_TRUE | 1u << JSON_FALSE},
        {"null", 1u << JSON_NULL},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i].word) == 0) {
            return words[i].types;
        }
    }
    return 0;
}

/* A bound of a length or an integer; false if it is another number. */
static bool
read_bound(const json_t *rule, json_int_t *bound)
{
    *bound = json_integer_value(rule);
    return json_is_integer(rule);
}

static bool
all_strings(const json_t *array)
{
    const json_t *one;
    size_t i;

    json_array_foreach(array, i, one) {
        if (!json_is_string(one)) {
            return false;
        }
    }
    return true;
}

/* Reads one rule of a property; false if it is not plain. */
static bool
read_rule(struct property *p, enum keyword keyword, const json_t *rule)
{
    switch (keyword) {
    case KEYWORD_TYPE:
        p->types = json_is_string(rule) ? bits_of_type(json_string_value(rule)) : 0;
        return p->types != 0;
    case KEYWORD_ENUM:
        p->words = rule;
        return all_strings(rule);
    case KEYWORD_MINIMUM:
        return read_bound(rule, &p->least);
    case KEYWORD_MAXIMUM:
        return read_bound(rule, &p->most);
    case KEYWORD_MIN_LENGTH:
        p->counted = true;
        return read_bound(rule, &p->shortest);
    case KEYWORD_MAX_LENGTH:
        p->counted = true;
        return read_bound(rule, &p->longest);
    default:
        return keyword == KEYWORD_COUNT; /* An annotation. */
    }
}

static struct property
read_property(struct slice name, const json_t *schema)
{
    struct property p = {
        .name = name, .types = ~0u, .least = LLONG_MIN, .most = LLONG_MAX, .longest = LLONG_MAX};
    const char *key;
    json_t *rule;

    if (!json_is_object(schema)) {
        p.types = 0;
    }
    json_object_foreach(walkable(schema), key, rule) {
        if (!read_rule(&p, schema_find_keyword(slice_of(key)), rule)) {
            p.types = 0;
            break;
        }
    }
    return p;
}

/* Reads the names of those that must be there; false if one is no property. */
static bool
read_required(struct schema_plain *p, const json_t *names)
{
    const json_t *name;
    size_t i, at;

    json_array_foreach(names, i, name) {
        for (at = 0; at < p->count; at++) {
            if (slice_is(p->properties[at].name, json_string_value(name))) {
                break;
            }
        }
        if (at == p->count) {
            return false;
        }
        p->required |= (uint64_t)1 << at;
    }
    return true;
}

/* Whether the schema is an object's, and asks for nothing but what is read here. */
static bool
is_plain(const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type");
    const json_t *others = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *rule;

    json_object_foreach(walkable(schema), key, rule) {
        switch (schema_find_keyword(slice_of(key))) {
        case KEYWORD_TYPE:
        case KEYWORD_PROPERTIES:
        case KEYWORD_REQUIRED:
        case KEYWORD_ADDITIONAL:
        case KEYWORD_COUNT:
            break;
        default:
            return false;
        }
    }
    return json_is_string(type) && strcmp(json_string_value(type), "object") == 0 &&
           (!others || json_is_boolean(others)) &&
           json_object_size(json_object_get(schema, "properties")) <= PROPERTIES_MAX;
}

struct schema_plain *
schema_plain_create(const json_t *schema)
{
    json_t *properties = json_object_get(schema, "properties"), *property;
    bool plain = is_plain(schema);
    size_t count = plain ? json_object_size(properties) : 0;
    struct schema_plain *p = xcalloc(1, sizeof *p + count * sizeof p->properties[0]);
    const char *name;

    if (plain) {
        json_object_foreach(properties, name, property) {
            p->properties[p->count++] = read_property(slice_of(name), property);
        }
        p->open = !json_is_false(json_object_get(schema, "additionalProperties"));
        p->plain = read_required(p, json_object_get(schema, "required"));
    }
    return p;
}

void
schema_plain_destroy(struct schema_plain *p)
{
    free(p);
}

static bool
is_one_of(const json_t *words, const json_t *value)
{
    const json_t *word;
    size_t i;

    json_array_foreach(words, i, word) {
        if (json_equal(word, value)) {
            return true;
        }
    }
    return false;
}

static bool
value_fits(const struct property *p, const json_t *value)
{
    if (!(p->types >> json_typeof(value) & 1) || (p->words && !is_one_of(p->words, value))) {
        return false;
    }
    if (json_is_integer(value)) {
        return json_integer_value(value) >= p->least && json_integer_value(value) <= p->most;
    }
    if (json_is_real(value)) { /* To compare is left to who is exact. */
        return p->least == LLONG_MIN && p->most == LLONG_MAX;
    }
    if (json_is_string(value) && p->counted) {
        struct slice text = {json_string_value(value), json_string_length(value)};
        json_int_t count = (json_int_t)rune_count(text);

        return count >= p->shortest && count <= p->longest;
    }
    return true;
}

bool
schema_plain_fits(const struct schema_plain *p, const json_t *value)
{
    json_t *object = walkable(value);
    uint64_t there = 0;

    if (!p->plain || !json_is_object(value)) {
        return false;
    }
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const struct slice name = {json_object_iter_key(at), json_object_iter_key_len(at)};
        size_t i = 0;

        while (i < p->count && !slice_equal(p->properties[i].name, name)) {
            i++;
        }
        if (i == p->count ? !p->open : !value_fits(&p->properties[i], json_object_iter_value(at))) {
            return false;
        }
        there |= i < p->count ? (uint64_t)1 << i : 0;
    }
    return (p->required & ~there) == 0;
}
