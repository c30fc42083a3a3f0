/* yaml_scalar.c -- YAML's core schema, and readers of nodes.  See yaml.h. */
#include "state/yaml_private.h"

#include <errno.h>
#include <math.h>

static bool
one_of(const char *text, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(text, *words) == 0) {
            return true;
        }
    }
    return false;
}

static size_t
digits(const char *p)
{
    return strspn(p, "0123456789");
}

/* True if 's' is [-+]? (. digits | digits (. digits?)?) ([eE] [-+]? digits)? and no plain integer.
 */
static bool
is_float(const char *s)
{
    const char *p = s + (*s == '-' || *s == '+');
    size_t whole = digits(p);
    bool point, exponent;

    p += whole;
    point = *p == '.';
    if (point) {
        size_t fraction = digits(p + 1);
        if (!whole && !fraction) {
            return false;
        }
        p += 1 + fraction;
    } else if (!whole) {
        return false;
    }
    exponent = *p == 'e' || *p == 'E';
    if (exponent) {
        p++;
        p += *p == '-' || *p == '+';
        if (!digits(p)) {
            return false;
        }
        p += digits(p);
    }
    return *p == '\0' && (point || exponent);
}

/* Tells the base if 's' is an integer of the core schema, else 0; '*start' skips 0o and 0x. */
static int
integer_base(const char *s, const char **start)
{
    const char *p = s + (*s == '-' || *s == '+');

    *start = s;
    if (*p && p[digits(p)] == '\0') {
        return 10;
    }
    if (s[0] == '0' && s[1] == 'o' && s[2] && s[2 + strspn(s + 2, "01234567")] == '\0') {
        *start = s + 2;
        return 8;
    }
    if (s[0] == '0' && s[1] == 'x' && s[2] &&
        s[2 + strspn(s + 2, "0123456789abcdefABCDEF")] == '\0') {
        *start = s + 2;
        return 16;
    }
    return 0;
}

static const char *
resolve_integer(struct ynode *node, const char *digits_at, int base)
{
    long long value;

    errno = 0;
    value = strtoll(digits_at, NULL, base);
    if (errno == ERANGE) {
        return "the integer is outside 64 bits; quote it to keep it as text";
    }
    node->kind = YNODE_INT;
    node->as.integer = value;
    return NULL;
}

const char *
yaml_resolve_plain(struct ynode *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const unreal[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                         "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                         ".NaN",  ".NAN",  NULL};
    const char *start;
    int base;

    node->kind = YNODE_STRING;
    if (strlen(node->text) != node->len) {
        return NULL;
    }
    if (one_of(node->text, nulls)) {
        node->kind = YNODE_NULL;
    } else if (one_of(node->text, trues) || one_of(node->text, falses)) {
        node->kind = YNODE_BOOL;
        node->as.truth = one_of(node->text, trues);
    } else if (one_of(node->text, unreal)) {
        return "infinity and not-a-number are not taken; quote it to keep it as text";
    } else if ((base = integer_base(node->text, &start)) != 0) {
        return resolve_integer(node, start, base);
    } else if (is_float(node->text)) {
        node->kind = YNODE_FLOAT;
        node->as.number = strtod(node->text, NULL);
        if (!isfinite(node->as.number)) {
            return "the number is too large; quote it to keep it as text";
        }
    }
    return NULL;
}

enum ynode_kind
ynode_kind(const struct ynode *node)
{
    return node ? node->kind : YNODE_NULL;
}

const char *
ynode_kind_name(const struct ynode *node)
{
    static const char *const names[] = {"null",   "boolean", "integer", "number",
                                        "string", "list",    "map"};
    return names[ynode_kind(node)];
}

unsigned
ynode_line(const struct ynode *node)
{
    return node ? node->line : 0;
}

unsigned
ynode_column(const struct ynode *node)
{
    return node ? node->column : 0;
}

bool
ynode_one_line(const struct ynode *node)
{
    return node && node->one_line;
}

bool
ynode_quoted(const struct ynode *node)
{
    return node && node->quoted;
}

struct slice
ynode_text(const struct ynode *node)
{
    return node && node->text ? (struct slice){node->text, node->len} : SLICE("");
}

bool
ynode_bool(const struct ynode *node)
{
    return ynode_kind(node) == YNODE_BOOL && node->as.truth;
}

int64_t
ynode_int(const struct ynode *node)
{
    return ynode_kind(node) == YNODE_INT ? node->as.integer : 0;
}

double
ynode_float(const struct ynode *node)
{
    if (ynode_kind(node) == YNODE_FLOAT) {
        return node->as.number;
    }
    return (double)ynode_int(node);
}

size_t
ynode_count(const struct ynode *node)
{
    return node ? node->count : 0;
}

const struct ynode *
ynode_at(const struct ynode *node, size_t i)
{
    return i < ynode_count(node) ? node->items[i] : NULL;
}

const struct ynode *
ynode_key(const struct ynode *node, size_t i)
{
    return ynode_kind(node) == YNODE_MAP && i < node->count ? node->keys[i] : NULL;
}

const struct ynode *
ynode_get(const struct ynode *node, const char *key)
{
    if (ynode_kind(node) == YNODE_MAP) {
        for (size_t i = 0; i < node->count; i++) {
            if (strcmp(node->keys[i]->text, key) == 0) {
                return node->items[i];
            }
        }
    }
    return NULL;
}

const char *
ynode_get_string(const struct ynode *node, const char *key)
{
    const struct ynode *value = ynode_get(node, key);

    return ynode_kind(value) == YNODE_STRING && strlen(value->text) == value->len ? value->text
                                                                                  : NULL;
}

static json_t *
list_to_json(const struct ynode *node)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < node->count; i++) {
        if (json_array_append_new(list, ynode_to_json(node->items[i]))) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *
map_to_json(const struct ynode *node)
{
    json_t *map = json_object();

    for (size_t i = 0; map && i < node->count; i++) {
        if (json_object_set_new(map, node->keys[i]->text, ynode_to_json(node->items[i]))) {
            json_decref(map);
            map = NULL;
        }
    }
    return map;
}

json_t *
ynode_to_json(const struct ynode *node)
{
    switch (ynode_kind(node)) {
    case YNODE_NULL:
        return json_null();
    case YNODE_BOOL:
        return json_boolean(node->as.truth);
    case YNODE_INT:
        return json_integer(node->as.integer);
    case YNODE_FLOAT:
        return json_real(node->as.number);
    case YNODE_STRING:
        return json_stringn(node->text, node->len);
    case YNODE_LIST:
        return list_to_json(node);
    default:
        return map_to_json(node);
    }
}
