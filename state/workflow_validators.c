/* workflow_validators.c -- named validators: one row each.  See workflow_validators.h.
 *
 * DESIGN.  A row names its parameters by what they are for, each with the words that packs use for
 * it; a check sees the bound values only.  Checks are closed: what is of a kind that a check cannot
 * judge has not passed it. */
#include "state/workflow_validators.h"

#include "state/base/rune.h"
#include "state/regex.h"
#include "state/workflow_evidence.h"
#include "state/workflow_validators_private.h"
#include "state/yaml.h"

#include <math.h>

static bool
fails(struct fault *why, const char *what)
{
    fault_set(why, E_REFUSED, "%s", what);
    return false;
}

/* The length of a text, list or object; -1 for anything else. */
static double
length_of(const json_t *v)
{
    if (json_is_string(v)) {
        return (double)rune_count((struct slice){json_string_value(v), json_string_length(v)});
    }
    return json_is_array(v)    ? (double)json_array_size(v)
           : json_is_object(v) ? (double)json_object_size(v)
                               : -1;
}

static bool
is_blank(const json_t *v)
{
    struct slice s = {json_string_value(v), json_string_length(v)};
    uint32_t rune;

    for (size_t at = 0; at < s.len;) {
        at += rune_decode(s, at, &rune);
        if (!rune_is_space(rune)) {
            return false;
        }
    }
    return true;
}

#define CHECK_FN(NAME)                                               \
    static bool NAME(const struct validator *v, const json_t *value, \
                     const struct validator_context *c, struct fault *why)
/* Most checks need only some of what they are given. */
#define UNUSED (void)v, (void)c

CHECK_FN(check_non_empty)
{
    UNUSED;
    if (json_is_string(value) ? is_blank(value) : length_of(value) <= 0) {
        return fails(why, length_of(value) < 0 ? "has no length" : "is empty");
    }
    return true;
}

CHECK_FN(check_list_not_empty)
{
    UNUSED;
    return (json_is_array(value) && json_array_size(value)) || fails(why, "is no list, or empty");
}

/* 'value' must be a text, list or object, or a list if the row says so, of a length in bounds. */
CHECK_FN(check_length)
{
    double length = length_of(value);

    (void)c;
    if (length < 0 || (v->row->lists_only && !json_is_array(value))) {
        return fails(why, "is of a kind that has no such length");
    }
    if (length < v->low || length > v->high) {
        fault_set(why, E_REFUSED, "has length %.0f", length);
        return false;
    }
    return true;
}

/* 'value' must be a number in the bounds, which an open end excludes. */
CHECK_FN(check_number)
{
    double d = json_number_value(value);

    (void)c;
    if (!json_is_number(value)) {
        return fails(why, "is no number");
    }
    if ((v->row->low_open ? d > v->low : d >= v->low) &&
        (v->row->high_open ? d < v->high : d <= v->high)) {
        return true;
    }
    fault_set(why, E_REFUSED, "is %g", d);
    return false;
}

/* As check_number(); a text such as "87.5 %" is a number, too. */
CHECK_FN(check_percent)
{
    const char *text = json_string_value(value);
    json_t *number;
    char *end = NULL;
    bool holds;
    double d;

    if (!text) {
        return check_number(v, value, c, why);
    }
    d = strtod(text, &end);
    while (end != text && (*end == ' ' || *end == '%')) {
        end++;
    }
    if (end == text || *end || strpbrk(text, "xX") || !isfinite(d) ||
        strlen(text) != json_string_length(value)) {
        return fails(why, "is no percentage");
    }
    number = json_real(d);
    holds = check_number(v, number, c, why);
    json_decref(number);
    return holds;
}

CHECK_FN(check_equals)
{
    /* A number in a name may be meant as a word: equals_5 takes "5", too. */
    bool equal =
        evidence_equal(value, v->expected) ||
        (v->word && json_is_string(value) && strcmp(json_string_value(value), v->word) == 0 &&
         strlen(v->word) == json_string_length(value));

    (void)c;
    return equal || fails(why, "is another value");
}

CHECK_FN(check_not_equals)
{
    struct fault unused;

    return !check_equals(v, value, c, &unused) || fails(why, "is the value that it must not be");
}

CHECK_FN(check_true)
{
    UNUSED;
    return json_is_true(value) || fails(why, "is not true");
}

CHECK_FN(check_false)
{
    UNUSED;
    return json_is_false(value) || fails(why, "is not false");
}

/* Whether 'value', a text or list, holds 'part'. */
static bool
holds_part(const json_t *value, const json_t *part)
{
    const json_t *item;
    size_t i;

    if (json_is_string(value) && json_is_string(part)) {
        size_t len = json_string_length(part);
        return len == 0 || memmem(json_string_value(value), json_string_length(value),
                                  json_string_value(part), len);
    }
    json_array_foreach(value, i, item) {
        if (evidence_equal(item, part)) {
            return true;
        }
    }
    return false;
}

CHECK_FN(check_contains_any)
{
    const json_t *part;
    size_t i;

    (void)c;
    json_array_foreach(v->texts, i, part) {
        if (holds_part(value, part)) {
            return true;
        }
    }
    return fails(why, "holds none of what is looked for");
}

CHECK_FN(check_contains_text)
{
    const json_t *part;
    size_t i;

    (void)c;
    json_array_foreach(v->texts, i, part) {
        if (!holds_part(value, part)) {
            return fails(why, "does not hold what is looked for");
        }
    }
    return true;
}

CHECK_FN(check_not_contains_text)
{
    struct fault unused;

    if (!json_is_string(value) && !json_is_array(value)) {
        return fails(why, "is no text and no list");
    }
    return !check_contains_any(v, value, c, &unused) || fails(why, "holds what it must not");
}

CHECK_FN(check_pattern)
{
    struct slice text = {json_string_value(value), json_string_length(value)};
    bool matched = false;

    if (!json_is_string(value)) {
        return fails(why, "is no text");
    }
    if (regex_run(v->regex, text, REGEX_MATCH, c->steps, &matched, why)) {
        return false;
    }
    return matched || fails(why, "does not match");
}

CHECK_FN(check_fields)
{
    const json_t *name;
    size_t i;

    (void)c;
    if (!json_is_object(value) || !json_object_size(value)) {
        return fails(why, "is no object, or empty");
    }
    json_array_foreach(v->texts, i, name) {
        if (!json_object_get(value, json_string_value(name))) {
            return fails(why, "lacks a member");
        }
    }
    return true;
}

CHECK_FN(check_yaml)
{
    struct ytree *tree = NULL;
    struct fault fault = FAULT_INIT;
    bool something;

    UNUSED;
    if (!json_is_string(value)) {
        return fails(why, "is no text");
    }
    if (ytree_parse((struct slice){json_string_value(value), json_string_length(value)}, NULL,
                    &tree, &fault)) {
        fault_at(why, fault.code == E_OVERLOAD ? E_OVERLOAD : E_REFUSED, fault.line, fault.column,
                 "line %u, column %u: %s", fault.line, fault.column, fault.text);
        return false;
    }
    something = ynode_kind(ytree_root(tree)) != YNODE_NULL;
    ytree_free(tree);
    return something || fails(why, "is empty as YAML");
}

CHECK_FN(check_success)
{
    UNUSED;
    if (!json_is_string(value)) {
        return fails(why, "is no text");
    }
    return output_tells_success(
               (struct slice){json_string_value(value), json_string_length(value)}) ||
           fails(why, "tells of no success");
}

CHECK_FN(check_no_errors)
{
    UNUSED;
    if (!json_is_string(value)) {
        return fails(why, "is no text");
    }
    return !output_tells_error(
               (struct slice){json_string_value(value), json_string_length(value)}) ||
           fails(why, "tells of an error");
}

CHECK_FN(check_item_types)
{
    const json_t *item;
    size_t i;

    (void)c;
    if (!json_is_array(value)) {
        return fails(why, "is no list");
    }
    json_array_foreach(value, i, item) {
        if (!evidence_is(item, v->type)) {
            fault_set(why, E_REFUSED, "item %zu is of type %s", i, evidence_value_name(item));
            return false;
        }
    }
    return true;
}

/* Whether 'path' (a text) is there, of the row's kind, beneath the workspace. */
static bool
path_exists(const struct validator *v, const json_t *path, const struct validator_context *c)
{
    const char *text = json_string_value(path);

    if (!text || strlen(text) != json_string_length(path) || !*text) {
        return false;
    }
    return v->row->folder ? dir_is_folder(c->workspace, text) : dir_is_file(c->workspace, text);
}

CHECK_FN(check_path)
{
    const json_t *paths = v->texts ? v->texts : value, *path;
    size_t i;

    if (!c->workspace) {
        return fails(why, "cannot be looked for without a workspace");
    }
    if (v->texts && (json_is_false(value) || json_is_null(value))) {
        return fails(why, "is denied by the evidence itself");
    }
    if (json_is_array(paths) && json_array_size(paths)) {
        json_array_foreach(paths, i, path) {
            if (!path_exists(v, path, c)) {
                return fails(why, "is not all there in the workspace");
            }
        }
        return true;
    }
    return path_exists(v, paths, c) || fails(why, "is not there in the workspace");
}

#define INF ((double)INFINITY)
static const struct validator_row rows[] = {
    /* name, parameters and whether each may be left out, suffix, bounds, open ends, check */
    {.name = "non_empty", .check = check_non_empty},
    {.name = "min_length", .params = {P_LOW}, .high = INF, .suffix = true, .check = check_length},
    {.name = "max_length", .params = {P_HIGH}, .low = 0, .suffix = true, .check = check_length},
    {.name = "contains_any", .params = {P_TEXTS}, .check = check_contains_any},
    {.name = "contains_text", .params = {P_TEXTS}, .check = check_contains_text},
    {.name = "not_contains_text", .params = {P_TEXTS}, .check = check_not_contains_text},
    {.name = "matches_pattern", .params = {P_PATTERN}, .check = check_pattern},
    {.name = "positive", .high = INF, .low_open = true, .check = check_number},
    {.name = "non_negative", .high = INF, .check = check_number},
    {.name = "negative", .low = -INF, .high_open = true, .check = check_number},
    {.name = "in_range", .params = {P_LOW, P_HIGH}, .suffix = true, .check = check_number},
    {.name = "between",
     .params = {P_LOW, P_HIGH},
     .low_open = true,
     .high_open = true,
     .check = check_number},
    {.name = "between",
     .params = {P_LOW, P_HIGH},
     .suffix = true,
     .suffix_only = true,
     .check = check_number},
    {.name = "equals", .params = {P_EXPECTED}, .suffix = true, .check = check_equals},
    {.name = "not_equals", .params = {P_EXPECTED}, .suffix = true, .check = check_not_equals},
    {.name = "greater_than_or_equal",
     .params = {P_LOW},
     .high = INF,
     .suffix = true,
     .check = check_number},
    {.name = "less_than_or_equal",
     .params = {P_HIGH},
     .low = -INF,
     .suffix = true,
     .check = check_number},
    {.name = "greater_than",
     .params = {P_LOW},
     .high = INF,
     .low_open = true,
     .suffix = true,
     .check = check_number},
    {.name = "less_than",
     .params = {P_HIGH},
     .low = -INF,
     .high_open = true,
     .suffix = true,
     .check = check_number},
    {.name = "percent_gte", .params = {P_LOW}, .high = INF, .suffix = true, .check = check_percent},
    {.name = "has_fields", .params = {P_FIELDS}, .check = check_fields},
    {.name = "valid_structure", .params = {P_FIELDS}, .optional = true, .check = check_fields},
    {.name = "yaml_parseable", .check = check_yaml},
    {.name = "contains_success", .check = check_success},
    {.name = "no_errors", .check = check_no_errors},
    {.name = "list_not_empty", .check = check_list_not_empty},
    {.name = "non_empty_list", .check = check_list_not_empty},
    {.name = "list_min_length",
     .params = {P_LOW},
     .high = INF,
     .lists_only = true,
     .suffix = true,
     .check = check_length},
    {.name = "all_items_type", .params = {P_TYPE}, .check = check_item_types},
    {.name = "is_true", .check = check_true},
    {.name = "is_false", .check = check_false},
    {.name = "file_exists", .params = {P_PATH}, .optional = true, .check = check_path},
    {.name = "directory_exists",
     .params = {P_PATH},
     .optional = true,
     .folder = true,
     .check = check_path},
    {.name = "custom:regex:", .params = {P_PATTERN}, .prefix = true, .check = check_pattern},
};

const struct validator_row *
validator_rows(size_t *count)
{
    *count = sizeof rows / sizeof rows[0];
    return rows;
}

void
validator_free(struct validator *v)
{
    if (!v) {
        return;
    }
    json_decref(v->expected);
    json_decref(v->texts);
    regex_free(v->regex);
    free(v->word);
    free(v);
}

bool
validator_check(const struct validator *v, const json_t *value,
                const struct validator_context *context, struct fault *why)
{
    return v->row->check(v, value, context, why);
}
