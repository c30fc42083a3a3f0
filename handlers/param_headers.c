/* param_headers.c -- which arguments are headers too, and whether both say the same. */
#include "handlers/param_headers.h"

#include "handlers/era.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEYWORD "x-mcp-header"
#define PREFIX "Mcp-Param-"
#define HEADERS_MAX 32
#define DEPTH_MAX 16
#define NUMBER_MAX 64 /* Bytes of a number in a header. */

struct param_header {
    char *name;                  /* "Mcp-Param-Region"; owned. */
    const char *path[DEPTH_MAX]; /* Keys from the root; borrowed from the schema. */
    size_t depth;
};

struct param_headers {
    size_t count;
    struct param_header rows[HEADERS_MAX];
};

/* ---- Collecting ---- */

static bool
is_token(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("!#$%&'*+-.^_`|~", *p)) {
            return false;
        }
    }
    return *text != '\0';
}

/* Whether the keyword is anywhere in 'value': where it may not be. */
static bool
holds_keyword(const json_t *value, unsigned depth)
{
    const json_t *inner;
    const char *key;
    size_t i;

    if (depth > DEPTH_MAX * 4) {
        return false; /* No schema that passed schema_check() is as deep. */
    }
    if (json_object_get(value, KEYWORD)) {
        return true;
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, inner) {
        if (holds_keyword(inner, depth + 1)) {
            return true;
        }
    }
    json_array_foreach(value, i, inner) {
        if (holds_keyword(inner, depth + 1)) {
            return true;
        }
    }
    return false;
}

static enum err
add_header(struct param_headers *h, const json_t *property, const struct param_header *at,
           struct fault *f)
{
    const char *word = json_string_value(json_object_get(property, KEYWORD));
    const char *type = json_string_value(json_object_get(property, "type"));
    struct param_header *row = &h->rows[h->count];

    if (!word || !is_token(word)) {
        return fault_set(f, E_ARGUMENT, "%s of '%s' is no header name", KEYWORD,
                         at->path[at->depth - 1]);
    }
    if (!type || (strcmp(type, "string") != 0 && strcmp(type, "integer") != 0 &&
                  strcmp(type, "boolean") != 0)) {
        return fault_set(f, E_ARGUMENT,
                         "'%s' has a header, so it must be string, integer or boolean",
                         at->path[at->depth - 1]);
    }
    if (h->count == HEADERS_MAX) {
        return fault_set(f, E_ARGUMENT, "more than %d properties have headers", HEADERS_MAX);
    }
    for (size_t i = 0; i < h->count; i++) {
        if (strcasecmp(h->rows[i].name + sizeof PREFIX - 1, word) == 0) {
            return fault_set(f, E_ARGUMENT, "the header '%s' is named twice", word);
        }
    }
    *row = *at;
    row->name = xasprintf(PREFIX "%s", word);
    h->count++;
    return E_OK;
}

/* Collects from the properties of 'schema', which lies at 'at'. */
static enum err
collect(struct param_headers *h, const json_t *schema, const struct param_header *at,
        struct fault *f)
{
    const json_t *properties = json_object_get(schema, "properties"), *inner;
    enum err err = E_OK;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)schema, key, inner) {
        if (inner != properties && strcmp(key, KEYWORD) != 0 && holds_keyword(inner, 0)) {
            return fault_set(f, E_ARGUMENT, "%s inside '%s' cannot be sent as a header", KEYWORD,
                             key);
        }
    }
    json_object_foreach((json_t *)(uintptr_t)properties, key, inner) {
        struct param_header below = *at;

        if (!holds_keyword(inner, 0)) {
            continue;
        }
        if (at->depth == DEPTH_MAX) {
            return fault_set(f, E_ARGUMENT, "%s is too deep", KEYWORD);
        }
        below.path[below.depth++] = key;
        err = json_object_get(inner, KEYWORD) ? add_header(h, inner, &below, f) : E_OK;
        err = err ? err : collect(h, inner, &below, f);
        if (err) {
            return err;
        }
    }
    return E_OK;
}

enum err
param_headers_create(const json_t *schema, struct param_headers **headers, struct fault *f)
{
    struct param_headers *h = xcalloc(1, sizeof *h);
    const struct param_header root = {.depth = 0};
    enum err err = json_object_get(schema, KEYWORD)
                       ? fault_set(f, E_ARGUMENT, "%s at the root names no argument", KEYWORD)
                       : collect(h, schema, &root, f);

    if (err || h->count == 0) {
        param_headers_destroy(h);
        h = NULL;
    }
    *headers = h;
    return err;
}

void
param_headers_destroy(struct param_headers *h)
{
    if (h) {
        for (size_t i = 0; i < h->count; i++) {
            free(h->rows[i].name);
        }
        free(h);
    }
}

/* ---- Comparing ---- */

/* Whether 'text' is a decimal number of that value: 42, 42.0 and 4.2e1 are the same. */
static bool
is_number(struct slice text, double value)
{
    char number[NUMBER_MAX + 1], *end;

    if (text.len == 0 || text.len > NUMBER_MAX || strspn(text.data, "+-.0123456789eE") < text.len) {
        return false;
    }
    memcpy(number, text.data, text.len);
    number[text.len] = '\0';
    return strtod(number, &end) == value && *end == '\0';
}

static bool
says(struct slice text, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return slice_equal(text,
                           (struct slice){json_string_value(value), json_string_length(value)});
    case JSON_INTEGER:
    case JSON_REAL:
        return is_number(text, json_number_value(value));
    case JSON_TRUE:
        return slice_is(text, "true");
    case JSON_FALSE:
        return slice_is(text, "false");
    default:
        return false;
    }
}

static bool
header_says(struct slice header, const json_t *value)
{
    struct buf decoded = {.limit = 16 * 1024};
    bool same = era_header_decode(header, &decoded) &&
                says((struct slice){decoded.data ? decoded.data : "", decoded.len}, value);

    buf_fini(&decoded);
    return same;
}

static enum err
check_one(const struct param_header *row, const struct envelope *env, const json_t *args,
          struct fault *f)
{
    struct slice header = SLICE_NONE;
    unsigned found = env->param_header(env, slice_of(row->name), &header);
    const json_t *value = args;

    for (size_t i = 0; i < row->depth; i++) {
        value = json_object_get(value, row->path[i]);
    }
    if (!value || json_is_null(value)) {
        return found ? fault_set(f, E_HEADERS, "the %s header is there, but its argument is not",
                                 row->name)
                     : E_OK;
    }
    if (!found) {
        return fault_set(f, E_HEADERS, "the %s header is missing", row->name);
    }
    if (found > 1) {
        return fault_set(f, E_HEADERS, "the %s header comes twice, with two values", row->name);
    }
    if (!header_says(header, value)) {
        return fault_set(f, E_HEADERS, "the %s header and the argument '%s' differ", row->name,
                         row->path[row->depth - 1]);
    }
    return E_OK;
}

enum err
param_headers_check(const struct param_headers *h, const struct envelope *env, const json_t *args,
                    struct fault *f)
{
    enum err err = E_OK;

    for (size_t i = 0; !err && i < h->count; i++) {
        err = check_one(&h->rows[i], env, args, f);
    }
    return err;
}
