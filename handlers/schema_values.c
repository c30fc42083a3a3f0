/* schema_values.c -- a schema's rules for single values: types, numbers, strings.  Pure. */
#include <math.h>

#include "handlers/schema_private.h"
#include "state/base/rune.h"

enum err
schema_rule_type(struct check *c, const struct node *n, const json_t *rule)
{
    const json_t *word;
    char types[100];
    size_t i;

    if (json_is_string(rule) && type_fits(json_string_value(rule), n->value)) {
        return E_OK;
    }
    json_array_foreach(rule, i, word) {
        if (json_is_string(word) && type_fits(json_string_value(word), n->value)) {
            return E_OK;
        }
    }
    if (!c->fault) {
        return E_ARGUMENT;
    }
    type_text(rule, types, sizeof types);
    return schema_expected(c, n, "%s", types);
}

enum err
schema_rule_const(struct check *c, const struct node *n, const json_t *rule)
{
    char text[64];

    if (schema_values_equal(n->value, rule, &c->work)) {
        return E_OK;
    }
    value_text(rule, text, sizeof text);
    return schema_expected(c, n, "%s", text);
}

enum err
schema_rule_enum(struct check *c, const struct node *n, const json_t *rule)
{
    const char *meant;
    const json_t *one;
    char list[180];
    size_t i;

    json_array_foreach(rule, i, one) {
        if (schema_values_equal(n->value, one, &c->work)) {
            return E_OK;
        }
    }
    if (!c->fault) {
        return E_ARGUMENT;
    }
    list_text(rule, list, sizeof list);
    schema_expected(c, n, "one of %s", list);
    meant = json_is_string(n->value) ? likely_name(rule, json_string_value(n->value)) : NULL;
    return meant ? fault_remedy(c->fault, "did you mean \"%s\"?", short_name(meant).text)
                 : E_ARGUMENT;
}

/* A number without loss where long double has 64 bits for it. */
static long double
exactly(const json_t *number)
{
    return json_is_integer(number) ? (long double)json_integer_value(number)
                                   : json_real_value(number);
}

/* -1, 0 or 1 as 'a' is below, at or above 'b'; both are numbers. */
static int
compare_numbers(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);
        return x < y ? -1 : x > y;
    } else {
        long double x = exactly(a), y = exactly(b);
        return x < y ? -1 : x > y;
    }
}

/* Whether the rule and the value are numbers, and the value's side of it is 'least' to 'most'. */
static enum err
check_range(struct check *c, const struct node *n, const json_t *rule, int least, int most,
            const char *words)
{
    char text[64];
    int side;

    if (!json_is_number(n->value) || !json_is_number(rule)) {
        return E_OK;
    }
    side = compare_numbers(n->value, rule);
    if (side >= least && side <= most) {
        return E_OK;
    }
    value_text(rule, text, sizeof text);
    return schema_expected(c, n, "a number %s %s", words, text);
}

enum err
schema_rule_minimum(struct check *c, const struct node *n, const json_t *rule)
{
    return check_range(c, n, rule, 0, 1, "of at least");
}

enum err
schema_rule_maximum(struct check *c, const struct node *n, const json_t *rule)
{
    return check_range(c, n, rule, -1, 0, "of at most");
}

enum err
schema_rule_exclusive_minimum(struct check *c, const struct node *n, const json_t *rule)
{
    return check_range(c, n, rule, 1, 1, "above");
}

enum err
schema_rule_exclusive_maximum(struct check *c, const struct node *n, const json_t *rule)
{
    return check_range(c, n, rule, -1, -1, "below");
}

enum err
schema_rule_multiple_of(struct check *c, const struct node *n, const json_t *rule)
{
    bool fits;
    char text[64];

    if (!json_is_number(n->value) || !json_is_number(rule) || json_number_value(rule) <= 0) {
        return E_OK;
    }
    if (json_is_integer(n->value) && json_is_integer(rule)) {
        fits = json_integer_value(n->value) % json_integer_value(rule) == 0;
    } else { /* 0.3 is three times 0.1 for the one who wrote it, if not in binary. */
        double times = json_number_value(n->value) / json_number_value(rule);
        fits = fabs(times - round(times)) <= 1e-9 * fmax(1.0, fabs(times));
    }
    value_text(rule, text, sizeof text);
    return fits ? E_OK : schema_expected(c, n, "a multiple of %s", text);
}

static struct slice
text_of(const json_t *string)
{
    return (struct slice){json_string_value(string), json_string_length(string)};
}

enum err
schema_count(struct check *c, const struct node *n, const json_t *rule, size_t count, bool least,
             const char *what)
{
    json_int_t bound = json_integer_value(rule);

    if (!json_is_integer(rule) || bound < 0 ||
        (least ? count >= (size_t)bound : count <= (size_t)bound)) {
        return E_OK;
    }
    return schema_unfit(c, n->at, "expected at %s %lld %s, got %zu", least ? "least" : "most",
                        (long long)bound, what, count);
}

enum err
schema_rule_min_length(struct check *c, const struct node *n, const json_t *rule)
{
    return json_is_string(n->value)
               ? schema_count(c, n, rule, rune_count(text_of(n->value)), true, "characters")
               : E_OK;
}

enum err
schema_rule_max_length(struct check *c, const struct node *n, const json_t *rule)
{
    return json_is_string(n->value)
               ? schema_count(c, n, rule, rune_count(text_of(n->value)), false, "characters")
               : E_OK;
}

/* Writes a schema's pattern in the matcher's words: '$' is the very end of the text here, while the
 * matcher's own also stands before a last newline, and would let "name\n" pass for a name. */
static struct slice
translated(struct slice pattern, char *out, size_t size)
{
    bool in_class = false;
    size_t len = 0, i;

    for (i = 0; i < pattern.len && len + 2 <= size; i++) {
        char c = pattern.data[i];
        if (c == '\\' && i + 1 < pattern.len) {
            out[len++] = c;
            c = pattern.data[++i];
        } else if (c == '$' && !in_class) {
            out[len++] = '\\';
            c = 'Z';
        } else if (c == '[' && !in_class) {
            in_class = true;
        } else if (c == ']' && in_class) {
            in_class = false;
        }
        out[len++] = c;
    }
    return (struct slice){out, len};
}

enum err
schema_pattern(struct slice pattern, struct regex **regex, struct fault *f)
{
    char text[2 * REGEX_BYTES_MAX];

    if (pattern.len > REGEX_BYTES_MAX) {
        *regex = NULL;
        return fault_set(f, E_TOO_LARGE, "it has more than %u bytes", REGEX_BYTES_MAX);
    }
    return regex_compile(translated(pattern, text, sizeof text), regex, f);
}

enum err
schema_rule_pattern(struct check *c, const struct node *n, const json_t *rule)
{
    struct regex *regex = NULL;
    uint64_t steps = c->work;
    bool matched = false;
    enum err err;

    if (!json_is_string(n->value) || !json_is_string(rule)) {
        return E_OK;
    }
    if (schema_pattern(text_of(rule), &regex, NULL)) {
        return fault_set(c->fault, E_INTERNAL, "the schema's pattern \"%s\" is not taken",
                         short_name(json_string_value(rule)).text);
    }
    err = regex_run(regex, text_of(n->value), REGEX_SEARCH, &steps, &matched, NULL);
    regex_free(regex);
    c->work = (size_t)steps;
    if (err) {
        return schema_out_of_bounds(c, n->at, "there is too much to match");
    }
    return matched ? E_OK : schema_expected(c, n, "text that matches %s", json_string_value(rule));
}
