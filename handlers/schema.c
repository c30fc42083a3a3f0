/* schema.c -- checks a value against a schema: the walk, references and combinators.
 *
 * DESIGN.  A schema is used as it was loaded: one walk over its members sorts the keywords into an
 * array, then those that are there are checked in the order of the table.  Alternatives (anyOf and
 * the like) are first tried without writing an error; only when none fits is the nearest one
 * checked again to say why.  Every step is counted and every nesting too, so that neither a deep
 * value nor a $ref that leads to itself can hold a thread up.  What a check needs lies on the
 * stack.  Rules for single values are in schema_values.c, for arrays and objects in
 * schema_members.c. */
#include "handlers/schema.h"

#include <stdarg.h>
#include <stdio.h>

#include "handlers/schema_private.h"

enum err
schema_unfit(const struct check *c, const struct place *at, const char *format, ...)
{
    char path[160], text[300];
    va_list args;

    if (c->fault) {
        place_text(at, path, sizeof path);
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        mend_end(text);
        fault_set(c->fault, E_ARGUMENT, "%s: %s", path, text);
    }
    return E_ARGUMENT;
}

enum err
schema_expected(const struct check *c, const struct node *n, const char *format, ...)
{
    char text[200], got[64];
    va_list args;

    if (!c->fault) {
        return E_ARGUMENT;
    }
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    mend_end(text);
    value_text(n->value, got, sizeof got);
    return schema_unfit(c, n->at, "expected %s, got %s", text, got);
}

enum err
schema_out_of_bounds(const struct check *c, const struct place *at, const char *what)
{
    char path[160];

    place_text(at, path, sizeof path);
    return fault_set(c->fault, E_TOO_LARGE, "%s: %s", path, what);
}

enum keyword
schema_find_keyword(struct slice name)
{
#define ROW(NAME, TEXT, RULE)                                                           \
    if (name.len == sizeof TEXT - 1 && memcmp(name.data, TEXT, sizeof TEXT - 1) == 0) { \
        return KEYWORD_##NAME;                                                          \
    }
    SCHEMA_KEYWORDS(ROW)
#undef ROW
    return KEYWORD_COUNT;
}

_Static_assert(KEYWORD_COUNT <= 64, "a bit each");

static enum err
check_keywords(struct check *c, struct node *n)
{
    static schema_rule_fn *const rules[KEYWORD_COUNT] = {
#define ROW(NAME, TEXT, RULE) schema_rule_##RULE,
        SCHEMA_KEYWORDS(ROW)
#undef ROW
    };
    json_t *schema = walkable(n->schema);
    enum err err = E_OK;
    uint64_t there = 0; /* Bits by keyword. */

    for (void *at = json_object_iter(schema); at; at = json_object_iter_next(schema, at)) {
        enum keyword keyword = schema_find_keyword(
            (struct slice){json_object_iter_key(at), json_object_iter_key_len(at)});
        if (keyword < KEYWORD_COUNT) {
            n->keyword[keyword] = json_object_iter_value(at);
            there |= (uint64_t)1 << keyword;
        }
    }
    for (; there && !err; there &= there - 1) { /* In the order of the table. */
        int keyword = __builtin_ctzll(there);

        err = rules[keyword](c, n, n->keyword[keyword]);
    }
    return err;
}

enum err
schema_check_value(struct check *c, const json_t *schema, json_t *value, const struct place *at)
{
    struct node n = {.schema = schema, .value = value, .at = at};
    enum err err;

    if (c->work == 0) {
        return schema_out_of_bounds(c, at, "there is too much to check");
    }
    c->work--;
    if (!json_is_object(schema)) {
        return json_is_false(schema) ? schema_unfit(c, at, "nothing is allowed here") : E_OK;
    }
    if (c->depth == SCHEMA_DEPTH_MAX) {
        return schema_out_of_bounds(c, at, "values lie too deep inside each other");
    }
    c->depth++;
    err = check_keywords(c, &n);
    c->depth--;
    if (c->work == 0 && (err == E_OK || err == E_ARGUMENT)) { /* A comparison may be cut short. */
        return schema_out_of_bounds(c, at, "there is too much to check");
    }
    return err;
}

/* The same without writing why it does not fit. */
static enum err
try_value(struct check *c, const json_t *schema, const struct node *n)
{
    struct fault *fault = c->fault;
    enum err err;

    c->fault = NULL;
    err = schema_check_value(c, schema, n->value, n->at);
    c->fault = fault;
    if (err && err != E_ARGUMENT) { /* A bound: not an answer, so it has to be told. */
        schema_out_of_bounds(c, n->at, "there is too much to check, or it lies too deep");
    }
    return err;
}

enum err
schema_rule_ref(struct check *c, const struct node *n, const json_t *rule)
{
    const char *ref = json_string_value(rule);
    const json_t *schema = ref ? schema_resolve(c->root, ref) : NULL;

    if (!schema) {
        return fault_set(c->fault, E_INTERNAL, "the schema's $ref \"%s\" leads nowhere",
                         ref ? short_name(ref).text : "");
    }
    return schema_check_value(c, schema, n->value, n->at);
}

enum err
schema_rule_all_of(struct check *c, const struct node *n, const json_t *rule)
{
    enum err err = E_OK;
    size_t i;

    for (i = 0; i < json_array_size(rule) && !err; i++) {
        err = schema_check_value(c, json_array_get(rule, i), n->value, n->at);
    }
    return err;
}

/* No alternative fits: says why the nearest does not, the first one that takes the value's type. */
static enum err
explain(struct check *c, const struct node *n, const json_t *alternatives)
{
    const json_t *schema;
    size_t i;

    if (!c->fault) {
        return E_ARGUMENT;
    }
    json_array_foreach(alternatives, i, schema) {
        struct node probe = {.value = n->value, .at = n->at};
        struct check quiet = {.root = c->root, .work = 100};
        const json_t *type = json_object_get(schema, "type");
        if (type && !schema_rule_type(&quiet, &probe, type)) {
            return schema_check_value(c, schema, n->value, n->at);
        }
    }
    return schema_expected(c, n, "one of %zu alternatives", json_array_size(alternatives));
}

enum err
schema_rule_any_of(struct check *c, const struct node *n, const json_t *rule)
{
    size_t i;

    for (i = 0; i < json_array_size(rule); i++) {
        enum err err = try_value(c, json_array_get(rule, i), n);
        if (err != E_ARGUMENT) {
            return err;
        }
    }
    return explain(c, n, rule);
}

enum err
schema_rule_one_of(struct check *c, const struct node *n, const json_t *rule)
{
    size_t fitting = 0, i;

    for (i = 0; i < json_array_size(rule); i++) {
        enum err err = try_value(c, json_array_get(rule, i), n);
        if (err && err != E_ARGUMENT) {
            return err;
        }
        fitting += err == E_OK;
    }
    if (fitting == 0) {
        return explain(c, n, rule);
    }
    return fitting == 1
               ? E_OK
               : schema_unfit(c, n->at, "fits %zu alternatives, only 1 is allowed", fitting);
}

enum err
schema_rule_not(struct check *c, const struct node *n, const json_t *rule)
{
    enum err err = try_value(c, rule, n);

    if (err == E_OK) {
        return schema_expected(c, n, "%s", "something that the schema does not exclude");
    }
    return err == E_ARGUMENT ? E_OK : err;
}

enum err
schema_rule_if(struct check *c, const struct node *n, const json_t *rule)
{
    enum err err = try_value(c, rule, n);
    const json_t *schema = json_object_get(n->schema, err ? "else" : "then");

    if (err && err != E_ARGUMENT) {
        return err;
    }
    return schema ? schema_check_value(c, schema, n->value, n->at) : E_OK;
}

enum err
schema_validate(const json_t *schema, json_t *value, const char *name, struct fault *f)
{
    struct fault own NOT_CLEARED;
    struct check c = {.root = schema, .work = SCHEMA_WORK_MAX};
    struct place at = {.name = name};

    fault_init(&own);
    c.fault = f ? f : &own;
    return schema_check_value(&c, schema, value, &at);
}

bool
schema_requires(const json_t *schema, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(schema, "required"), i, item) {
        if (json_is_string(item) && strcmp(json_string_value(item), name) == 0) {
            return true;
        }
    }
    return false;
}
