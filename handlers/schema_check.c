/* schema_check.c -- checks schemas themselves, once, when a tool or a form is made.  Pure. */
#include <stdio.h>

#include "handlers/schema_private.h"

/* Schemas inside each other. */
#define NESTING_MAX 32

#define DIALECT "https://json-schema.org/draft/2020-12/schema"

/* What the value of a keyword has to be. */
enum form {
    FORM_SCHEMA,     /* An object, true or false. */
    FORM_SCHEMAS,    /* An array of them, not empty. */
    FORM_SCHEMA_MAP, /* An object of them. */
    FORM_NUMBER,
    FORM_POSITIVE,
    FORM_COUNT, /* An integer from 0. */
    FORM_FLAG,
    FORM_NAMES,  /* An array of strings. */
    FORM_VALUES, /* An array, not empty. */
    FORM_STRING,
    FORM_PATTERN,
    FORM_REF,
    FORM_TYPE,
    FORM_DIALECT,
    FORM_REFUSED
};

/* clang-format off */
static const struct {
    const char *name;
    enum form form;
} keywords[] = {
    {"type", FORM_TYPE}, {"$ref", FORM_REF}, {"$schema", FORM_DIALECT}, {"$anchor", FORM_STRING},
    {"$defs", FORM_SCHEMA_MAP}, {"definitions", FORM_SCHEMA_MAP},
    {"properties", FORM_SCHEMA_MAP}, {"additionalProperties", FORM_SCHEMA},
    {"required", FORM_NAMES}, {"minProperties", FORM_COUNT}, {"maxProperties", FORM_COUNT},
    {"items", FORM_SCHEMA}, {"prefixItems", FORM_SCHEMAS}, {"minItems", FORM_COUNT},
    {"maxItems", FORM_COUNT}, {"uniqueItems", FORM_FLAG}, {"enum", FORM_VALUES},
    {"minimum", FORM_NUMBER}, {"maximum", FORM_NUMBER}, {"exclusiveMinimum", FORM_NUMBER},
    {"exclusiveMaximum", FORM_NUMBER}, {"multipleOf", FORM_POSITIVE}, {"minLength", FORM_COUNT},
    {"maxLength", FORM_COUNT}, {"pattern", FORM_PATTERN}, {"allOf", FORM_SCHEMAS},
    {"anyOf", FORM_SCHEMAS}, {"oneOf", FORM_SCHEMAS}, {"not", FORM_SCHEMA}, {"if", FORM_SCHEMA},
    {"then", FORM_SCHEMA}, {"else", FORM_SCHEMA}, {"title", FORM_STRING},
    {"description", FORM_STRING},
#define ROW(NAME) {NAME, FORM_REFUSED},
    SCHEMA_REFUSED(ROW)
#undef ROW
};
/* clang-format on */

struct walk {
    const json_t *root;
    struct fault *fault;
    size_t nodes;
    unsigned depth;
    bool profile;
};

static enum err check_schema(struct walk *w, const json_t *schema, const struct place *at);

static enum err bad(const struct walk *w, const struct place *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum err
bad(const struct walk *w, const struct place *at, const char *format, ...)
{
    char path[160], text[200];
    va_list args;

    place_text(at, path, sizeof path);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    mend_end(text);
    return fault_set(w->fault, E_ARGUMENT, "%s: %s", path, text);
}

/* The member 'token' of a JSON pointer, of 'len' bytes with its ~ and % escapes; null if there is
 * none. */
static const json_t *
step_into(const json_t *at, const char *token, size_t len)
{
    char name[256], *end;
    size_t used = 0, i;

    for (i = 0; i < len; i++) {
        unsigned c = (unsigned char)token[i];
        if (c == '%' && len - i > 2 && sscanf(token + i + 1, "%2x", &c) == 1) {
            i += 2;
        }
        if (used + 1 >= sizeof name || c == 0) {
            return NULL;
        }
        name[used++] = (char)c;
    }
    name[used] = '\0';
    for (i = 0, used = 0; name[i]; i++) {
        name[used++] = name[i] != '~' ? name[i] : name[++i] == '1' ? '/' : '~';
        if (name[i] == '\0') {
            return NULL;
        }
    }
    name[used] = '\0';
    if (json_is_array(at)) {
        unsigned long index = strtoul(name, &end, 10);
        return *end || !used || name[0] == '-' || name[0] == '+' ? NULL : json_array_get(at, index);
    }
    return json_object_get(at, name);
}

/* The schema inside 'at' whose $anchor is 'name'; looks at 'left' values at most. */
static const json_t *
find_anchor(const json_t *at, const char *name, unsigned depth, size_t *left)
{
    const json_t *found = NULL;
    const char *anchor = json_string_value(json_object_get(at, "$anchor"));
    const char *key;
    json_t *inner;
    size_t i;

    if (depth > NESTING_MAX || *left == 0) {
        return NULL;
    }
    --*left;
    if (anchor && strcmp(anchor, name) == 0) {
        return at;
    }
    json_object_foreach(walkable(at), key, inner) {
        if (!found && strcmp(key, "const") != 0 && strcmp(key, "enum") != 0 &&
            strcmp(key, "default") != 0 && strcmp(key, "examples") != 0) {
            found = find_anchor(inner, name, depth + 1, left);
        }
    }
    json_array_foreach(at, i, inner) {
        found = found ? found : find_anchor(inner, name, depth + 1, left);
    }
    return found;
}

const json_t *
schema_resolve(const json_t *root, const char *ref)
{
    const json_t *at = root;
    size_t left = SCHEMA_NODES_MAX;

    if (ref[0] != '#') {
        return NULL; /* Elsewhere: never fetched. */
    }
    ref++;
    if (ref[0] != '/' && ref[0] != '\0') {
        return find_anchor(root, ref, 0, &left);
    }
    while (at && *ref == '/') {
        size_t len = strcspn(++ref, "/");
        at = step_into(at, ref, len);
        ref += len;
    }
    return json_is_object(at) || json_is_boolean(at) ? at : NULL;
}

static bool
is_type_name(const json_t *value)
{
    static const char *const types[] = {"object", "array",   "string", "integer",
                                        "number", "boolean", "null"};
    const char *name = json_string_value(value);
    size_t i;

    for (i = 0; name && i < sizeof types / sizeof *types; i++) {
        if (strcmp(name, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether all elements of an array that is not empty are strings, or names of types. */
static bool
all_are(const json_t *array, bool types)
{
    const json_t *one;
    size_t i;

    json_array_foreach(array, i, one) {
        if (types ? !is_type_name(one) : !json_is_string(one)) {
            return false;
        }
    }
    return json_is_array(array) && (json_array_size(array) > 0 || !types);
}

static enum err
check_each(struct walk *w, const json_t *schemas, const struct place *at)
{
    struct place inner = {.up = at};
    enum err err = E_OK;
    json_t *schema;

    if (json_is_array(schemas)) {
        for (; inner.index < json_array_size(schemas) && !err; inner.index++) {
            err = check_schema(w, json_array_get(schemas, inner.index), &inner);
        }
        return err;
    }
    json_object_foreach(walkable(schemas), inner.name, schema) {
        err = err ? err : check_schema(w, schema, &inner);
    }
    return err;
}

static enum err
check_pattern(struct walk *w, const json_t *rule, const struct place *at)
{
    struct slice text = {json_string_value(rule), json_string_length(rule)};
    struct regex *regex = NULL;
    struct fault why = FAULT_INIT;

    if (!text.data) {
        return bad(w, at, "must be a string");
    }
    if (schema_pattern(text, &regex, &why)) {
        return bad(w, at, "is no pattern that is taken: %s", why.text);
    }
    regex_free(regex);
    return E_OK;
}

/* Checks a keyword whose value holds no schema. */
static enum err
check_plain(struct walk *w, enum form form, const json_t *rule, const struct place *at)
{
    switch (form) {
    case FORM_NUMBER:
        return json_is_number(rule) ? E_OK : bad(w, at, "must be a number");
    case FORM_POSITIVE:
        return json_number_value(rule) > 0 ? E_OK : bad(w, at, "must be a number above 0");
    case FORM_COUNT:
        return json_is_integer(rule) && json_integer_value(rule) >= 0
                   ? E_OK
                   : bad(w, at, "must be an integer of at least 0");
    case FORM_FLAG:
        return json_is_boolean(rule) ? E_OK : bad(w, at, "must be true or false");
    case FORM_NAMES:
        return all_are(rule, false) ? E_OK : bad(w, at, "must be an array of strings");
    case FORM_VALUES:
        return json_array_size(rule) > 0 ? E_OK : bad(w, at, "must be an array of values");
    case FORM_STRING:
        return json_is_string(rule) ? E_OK : bad(w, at, "must be a string");
    case FORM_PATTERN:
        return check_pattern(w, rule, at);
    case FORM_REF:
        return json_is_string(rule) && schema_resolve(w->root, json_string_value(rule))
                   ? E_OK
                   : bad(w, at, "leads to no schema inside this one; nothing is fetched");
    case FORM_TYPE:
        return is_type_name(rule) || all_are(rule, true)
                   ? E_OK
                   : bad(w, at, "must be a JSON type or an array of them");
    case FORM_DIALECT:
        return json_is_string(rule) && strcmp(json_string_value(rule), DIALECT) == 0
                   ? E_OK
                   : bad(w, at, "only %s is spoken", DIALECT);
    default:
        return bad(w, at, "is a keyword that is not taken");
    }
}

static enum err
check_rule(struct walk *w, enum form form, const json_t *rule, const struct place *at)
{
    switch (form) {
    case FORM_SCHEMA:
        return check_schema(w, rule, at);
    case FORM_SCHEMAS:
        return json_array_size(rule) > 0 ? check_each(w, rule, at)
                                         : bad(w, at, "must be an array of schemas");
    case FORM_SCHEMA_MAP:
        return json_is_object(rule) ? check_each(w, rule, at)
                                    : bad(w, at, "must be an object of schemas");
    default:
        return check_plain(w, form, rule, at);
    }
}

/* Whether a "type" keyword allows arrays. */
static bool
allows_arrays(const json_t *type)
{
    const json_t *name;
    size_t i;

    if (json_is_string(type)) {
        return strcmp(json_string_value(type), "array") == 0;
    }
    json_array_foreach(type, i, name) {
        if (strcmp(json_string_value(name), "array") == 0) {
            return true;
        }
    }
    return false;
}

/* What the profile asks of every schema inside. */
static enum err
check_profile(struct walk *w, const json_t *schema, const struct place *at)
{
    const char *name;
    json_t *inner;

    if (allows_arrays(json_object_get(schema, "type")) && !json_object_get(schema, "items")) {
        return bad(w, at, "an array needs items");
    }
    json_object_foreach(walkable(json_object_get(schema, "properties")), name, inner) {
        size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "_.-");
        if (len == 0 || len > 64 || name[len]) {
            return bad(w, at, "the property '%s' needs a name of 1 to 64 of A-Z a-z 0-9 _ . -",
                       short_name(name).text);
        }
    }
    return E_OK;
}

static enum err
check_schema(struct walk *w, const json_t *schema, const struct place *at)
{
    struct place inner = {.up = at};
    enum err err = E_OK;
    json_t *rule;
    size_t i;

    if (json_is_boolean(schema)) {
        return E_OK;
    }
    if (!json_is_object(schema)) {
        return bad(w, at, "must be a schema: an object, true or false");
    }
    if (++w->nodes > SCHEMA_NODES_MAX || w->depth == NESTING_MAX) {
        return bad(w, at, "the schema is too large or too deep");
    }
    w->depth++;
    json_object_foreach(walkable(schema), inner.name, rule) {
        for (i = 0; i < sizeof keywords / sizeof *keywords && !err; i++) {
            if (strcmp(inner.name, keywords[i].name) == 0) {
                err = check_rule(w, keywords[i].form, rule, &inner);
            }
        }
    }
    w->depth--;
    return err || !w->profile ? err : check_profile(w, schema, at);
}

enum err
schema_check(const json_t *schema, struct fault *f)
{
    struct walk w = {.root = schema, .fault = f};
    const struct place at = {.name = "schema"};

    return check_schema(&w, schema, &at);
}

enum err
schema_check_profile(const json_t *schema, struct fault *f)
{
    static const char *const not_at_root[] = {"$ref", "allOf", "anyOf", "oneOf", "not",
                                              "if",   "then",  "else",  "enum",  "const"};
    struct walk w = {.root = schema, .fault = f, .profile = true};
    const struct place at = {.name = "schema"};
    const char *type = json_string_value(json_object_get(schema, "type"));
    size_t i;

    if (!type || strcmp(type, "object") != 0) {
        return bad(&w, &at, "the root must have \"type\": \"object\"");
    }
    for (i = 0; i < sizeof not_at_root / sizeof *not_at_root; i++) {
        if (json_object_get(schema, not_at_root[i])) {
            return bad(&w, &at, "the root must not have \"%s\"", not_at_root[i]);
        }
    }
    return check_schema(&w, schema, &at);
}
