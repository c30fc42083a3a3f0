/* workflow_validators_bind.c -- from a name and its parameters to a bound validator.  See
 * workflow_validators.h. */
#include "state/workflow_validators_private.h"

#include "state/base/rune.h"
#include "state/regex.h"

#include <ctype.h>
#include <math.h>

#define TEXTS_MAX 200u

/* The words that packs use for each parameter, the best first. */
static const char *const words[][12] = {
    [P_LOW] = {"min", "minimum", "min_length", "length", "threshold", "value", "low", "lower",
               "limit", "n", "count", NULL},
    [P_HIGH] = {"max", "maximum", "max_length", "length", "threshold", "value", "high", "upper",
                "limit", "n", "count", NULL},
    [P_EXPECTED] = {"expected", "value", "to", "other", "target", NULL},
    [P_TEXTS] = {"text", "texts", "items", "values", "value", "patterns", "substring", "substrings",
                 "keywords", "words", "markers", NULL},
    [P_PATTERN] = {"pattern", "regex", "value", NULL},
    [P_FIELDS] = {"fields", "required_fields", "required", "keys", "names", "items", "value", NULL},
    [P_TYPE] = {"type", "item_type", "expected_type", "items", "value", NULL},
    [P_PATH] = {"path", "paths", "file", "files", "directory", "directories", NULL},
};

static bool
is_word_for(enum validator_param param, const char *key)
{
    for (size_t i = 0; words[param][i]; i++) {
        if (strcmp(words[param][i], key) == 0) {
            return true;
        }
    }
    return false;
}

static enum err
wrong(struct fault *fault, const struct validator *v, enum validator_param param, const char *what)
{
    return fault_set(fault, E_REFUSED, "%s: %s %s", v->row->name, words[param][0], what);
}

/* One text, or a list of at most TEXTS_MAX, as a list. */
static enum err
set_texts(struct validator *v, enum validator_param param, const json_t *value, struct fault *fault)
{
    const json_t *item;
    size_t i;

    if (json_is_string(value)) {
        v->texts = json_pack("[O]", value);
        return E_OK;
    }
    if (!json_is_array(value) || !json_array_size(value) || json_array_size(value) > TEXTS_MAX) {
        return wrong(fault, v, param, "must be a text or a list of texts");
    }
    json_array_foreach(value, i, item) {
        if (!json_is_string(item)) {
            return wrong(fault, v, param, "must be a text or a list of texts");
        }
    }
    v->texts = json_copy(evidence_same(value));
    return E_OK;
}

static enum err
set_pattern(struct validator *v, struct slice pattern, struct fault *fault)
{
    struct fault why = FAULT_INIT;

    if (regex_compile(pattern, &v->regex, &why)) {
        return fault_set(fault, E_REFUSED, "%s: %s", v->row->name, why.text);
    }
    return E_OK;
}

static enum err
set_param(struct validator *v, enum validator_param param, const json_t *value, struct fault *fault)
{
    switch (param) {
    case P_LOW:
    case P_HIGH:
        if (!json_is_number(value)) {
            return wrong(fault, v, param, "must be a number");
        }
        *(param == P_LOW ? &v->low : &v->high) = json_number_value(value);
        return E_OK;
    case P_EXPECTED:
        v->expected = json_incref(evidence_same(value));
        return E_OK;
    case P_PATTERN:
        if (!json_is_string(value)) {
            return wrong(fault, v, param, "must be a text");
        }
        return set_pattern(v, (struct slice){json_string_value(value), json_string_length(value)},
                           fault);
    case P_TYPE:
        if (!json_is_string(value) || !evidence_type_named(json_string_value(value), &v->type)) {
            return wrong(fault, v, param, "must be the name of a type");
        }
        return E_OK;
    default:
        return set_texts(v, param, value, fault);
    }
}

/* Sets each parameter of the row from 'params', and refuses members that belong to none. */
static enum err
set_params(struct validator *v, const json_t *params, struct fault *fault)
{
    size_t used = 0;

    for (size_t i = 0; i < 2 && v->row->params[i] != P_NONE; i++) {
        enum validator_param param = v->row->params[i];
        const json_t *value = NULL;
        enum err err;
        for (size_t w = 0; words[param][w] && !value; w++) {
            value = json_object_get(params, words[param][w]);
        }
        if (!value && v->row->optional) {
            continue;
        }
        if (!value) {
            return fault_set(fault, E_REFUSED, "%s needs the parameter '%s'", v->row->name,
                             words[param][0]);
        }
        used++;
        err = set_param(v, param, value, fault);
        if (err) {
            return err;
        }
    }
    if (used != json_object_size(params)) {
        const char *key;
        json_t *member;
        json_object_foreach(evidence_same(params), key, member) {
            bool known = is_word_for(v->row->params[0], key) || is_word_for(v->row->params[1], key);
            if (!known) {
                return fault_set(fault, E_REFUSED, "%s has no parameter '%.*s'", v->row->name,
                                 (int)rune_cut(slice_of(key), 60), key);
            }
        }
        return fault_set(fault, E_REFUSED, "%s has two words for one parameter", v->row->name);
    }
    return E_OK;
}

/* Reads a number of a name, "0_85" or "minus_3", from '*at' on; an underscore is a decimal point if
 * '*point' allows it, which becomes true only if there was one. */
static bool
read_number(const char **at, bool *point, double *number)
{
    bool seen = false;
    char text[48];
    size_t len = 0;
    const char *p = *at;

    if (*p == '-' || strncmp(p, "minus_", 6) == 0) {
        text[len++] = '-';
        p += *p == '-' ? 1 : 6;
    }
    if (!isdigit((unsigned char)*p)) {
        return false;
    }
    while (isdigit((unsigned char)*p) ||
           (*point && !seen && (*p == '_' || *p == '.') && isdigit((unsigned char)p[1]))) {
        if (len == sizeof text - 1) {
            return false;
        }
        seen = seen || !isdigit((unsigned char)*p);
        text[len++] = *p == '_' ? '.' : *p;
        p++;
    }
    text[len] = '\0';
    *number = strtod(text, NULL);
    *point = seen;
    *at = p;
    return true;
}

/* "N_M", where N and M both have decimals, or none has. */
static bool
read_pair(const char *suffix, double *low, double *high)
{
    for (int decimals = 0; decimals < 2; decimals++) {
        const char *at = suffix;
        bool first = decimals, second = decimals;
        if (read_number(&at, &first, low) && *at++ == '_' && read_number(&at, &second, high) &&
            !*at && first == decimals && second == decimals) {
            return true;
        }
    }
    return false;
}

/* Sets the parameters from the rest of a name; false if it cannot be one. */
static bool
set_suffix(struct validator *v, const char *suffix)
{
    const char *at = suffix;
    bool point = true;
    double number;

    if (v->row->params[1] != P_NONE) {
        return read_pair(suffix, &v->low, &v->high);
    }
    if (v->row->params[0] != P_EXPECTED) {
        return read_number(&at, &point, v->row->params[0] == P_LOW ? &v->low : &v->high) && !*at;
    }
    if (read_number(&at, &point, &number) && !*at) {
        v->expected = json_real(number);
    } else if (strcmp(suffix, "true") == 0 || strcmp(suffix, "false") == 0) {
        v->expected = json_boolean(*suffix == 't');
    } else {
        v->expected = json_string(suffix);
    }
    v->word = xstrdup(suffix);
    return *suffix != '\0';
}

/* Tries 'row' for 'name'.  E_NOT_FOUND if the name is not of this row. */
static enum err
try_row(const struct validator_row *row, const char *name, const json_t *params,
        struct validator *v, struct fault *fault)
{
    size_t len = strlen(row->name);

    v->row = row;
    v->low = row->low;
    v->high = row->high;
    if (strncmp(name, row->name, len) != 0) {
        return E_NOT_FOUND;
    }
    if (row->prefix && !name[len]) {
        return fault_set(fault, E_REFUSED, "%s needs a pattern", row->name);
    }
    if (row->prefix) {
        return json_object_size(params)
                   ? fault_set(fault, E_REFUSED, "%s takes no parameters", row->name)
                   : set_pattern(v, slice_of(name + len), fault);
    }
    if (name[len] == '\0' && !row->suffix_only) {
        return set_params(v, params, fault);
    }
    if (!row->suffix || name[len] != '_' || !set_suffix(v, name + len + 1)) {
        return E_NOT_FOUND;
    }
    return json_object_size(params)
               ? fault_set(fault, E_REFUSED, "%.*s has its parameter in its name already",
                           (int)rune_cut(slice_of(name), 80), name)
               : E_OK;
}

enum err
validator_bind(const char *name, const json_t *params, struct validator **validator,
               struct fault *fault)
{
    size_t count;
    const struct validator_row *rows = validator_rows(&count);

    *validator = NULL;
    for (size_t i = 0; i < count; i++) {
        struct validator *v = xcalloc(1, sizeof *v);
        enum err err = try_row(&rows[i], name, params, v, fault);
        if (!err) {
            *validator = v;
            return E_OK;
        }
        validator_free(v);
        if (err != E_NOT_FOUND) {
            return err;
        }
    }
    return fault_set(fault, E_NOT_FOUND, "no validator is called '%.*s'",
                     (int)rune_cut(slice_of(name), 80), name);
}
