/* test_schema.c -- values against schemas: what fits, what does not and how that is told, bounds.
 * */
#include "handlers/schema.h"

#include <stdio.h>
#include <string.h>

#include "state/base/mem.h"
#include "state/regex.h"
#include "tests/check.h"

static struct fault f;

/* 'left' 'times' times, 'middle', 'right' as often. */
static char *
nested(const char *left, size_t times, const char *middle, const char *right)
{
    struct buf b = BUF_INIT;
    size_t i;

    for (i = 0; i < times; i++) {
        buf_adds(&b, left);
    }
    buf_adds(&b, middle);
    for (i = 0; i < times; i++) {
        buf_adds(&b, right);
    }
    return buf_steal(&b);
}

static json_t *
load(const char *text)
{
    json_error_t error;
    json_t *tree = json_loads(text, JSON_DECODE_ANY, &error);

    if (!tree) {
        fail_msg("%s: %s", text, error.text);
    }
    return tree;
}

static enum err
check(const char *schema, const char *value)
{
    json_t *s = load(schema), *v = load(value);
    enum err err, bad;

    bad = schema_check(s, &f);
    if (bad) {
        fail_msg("%s: %s", schema, f.text);
    }
    f = (struct fault)FAULT_INIT;
    err = schema_validate(s, v, "arguments", &f);
    assert_true(f.code == err && (err == E_OK) == (f.text[0] == '\0'));
    assert_true(schema_validate(s, v, "arguments", NULL) == err);
    json_decref(s);
    json_decref(v);
    return err;
}

#define FITS(SCHEMA, VALUE)                           \
    if (check(SCHEMA, VALUE) != E_OK) {               \
        fail_msg("%s %s: %s", SCHEMA, VALUE, f.text); \
    }
#define UNFIT(SCHEMA, VALUE, TEXT)                                         \
    if (check(SCHEMA, VALUE) != E_ARGUMENT || strcmp(f.text, TEXT) != 0) { \
        fail_msg("%s %s:\n%s\n%s", SCHEMA, VALUE, f.text, TEXT);           \
    }

static void
types_are_checked(void **state)
{
    static const char *const types[] = {"object", "array",   "string", "integer",
                                        "number", "boolean", "null"};
    static const struct {
        const char *value, *fits;
    } rows[] = {
        {"{}", "1000000"},   {"[]", "0100000"},    {"\"\"", "0010000"}, {"5", "0001100"},
        {"5.5", "0000100"},  {"5.0", "0001100"},   {"1e15", "0001100"}, {"1e30", "0000100"},
        {"true", "0000010"}, {"false", "0000010"}, {"null", "0000001"},
    };
    char schema[64];
    size_t i, j;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (j = 0; j < 7; j++) {
            snprintf(schema, sizeof schema, "{\"type\":\"%s\"}", types[j]);
            CHECK((check(schema, rows[i].value) == E_OK) == (rows[i].fits[j] == '1'));
        }
    }
    FITS("{\"type\":[\"string\",\"null\"]}", "null");
    UNFIT("{\"type\":[\"string\",\"integer\",\"null\"]}", "[1,2]",
          "arguments: expected a string, an integer or null, got an array of 2");
    UNFIT("{\"type\":\"integer\"}", "\"five\"", "arguments: expected an integer, got \"five\"");
    UNFIT("{\"type\":\"string\"}", "-1.5", "arguments: expected a string, got -1.5");
    UNFIT("{\"type\":\"object\"}", "true", "arguments: expected an object, got true");
    UNFIT("{\"type\":\"array\"}", "{\"a\":1}", "arguments: expected an array, got an object");
    UNFIT("{\"type\":\"boolean\"}", "\"a\\nb\\u007f\\u0001\"",
          "arguments: expected a boolean, got \"a?b??\"");
    UNFIT("{\"type\":\"null\"}", "\"0123456789012345678901234567890123456789\"",
          "arguments: expected null, got \"0123456789012345678901234567890123456789\"");
    UNFIT("{\"type\":\"null\"}", "\"012345678901234567890123456789012345\xE2\x82\xAC\xE2\x82\xAC\"",
          "arguments: expected null, got \"012345678901234567890123456789012345...\"");
    FITS("true", "1");
    FITS("{}", "1");
    UNFIT("false", "1", "arguments: nothing is allowed here");
}

static void
arguments_are_checked(void **state)
{
    static const char schema[] =
        "{\"type\":\"object\",\"properties\":{\"query\":{\"type\":\"string\",\"description\":\"Wh"
        "at "
        "to look for.\"},\"n_results\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":50},"
        "\"filters\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"name\":{"
        "\"type\":\"string\"}},\"required\":[\"name\"],\"additionalProperties\":false}}},"
        "\"required\":[\"query\"],\"additionalProperties\":false}";

    (void)state;
    FITS(schema, "{\"query\":\"x\"}");
    FITS(schema, "{\"query\":\"x\",\"n_results\":50,\"filters\":[{\"name\":\"a\"}]}");
    UNFIT(schema, "{}", "arguments: the required argument 'query' is missing; it is a string");
    CHECK_STR(f.remedy, "query: What to look for.");
    UNFIT(schema, "{\"qurey\":\"x\"}",
          "arguments: unknown argument 'qurey'; did you mean 'query'?");
    CHECK_STR(f.remedy, "allowed: query, n_results, filters");
    UNFIT(schema, "{\"query\":\"x\",\"zzz\":1}", "arguments: unknown argument 'zzz'");
    UNFIT(schema, "{\"query\":\"x\",\"results\":1}",
          "arguments: unknown argument 'results'; did you mean 'n_results'?");
    UNFIT(schema, "{\"query\":\"x\",\"n-Results\":1}",
          "arguments: unknown argument 'n-Results'; did you mean 'n_results'?");
    UNFIT(schema, "{\"query\":\"x\",\"n_resutls\":1}",
          "arguments: unknown argument 'n_resutls'; did you mean 'n_results'?");
    UNFIT(schema, "{\"query\":\"x\",\"\":1}", "arguments: unknown argument ''");
    UNFIT(schema, "{\"query\":\"x\",\"n_results\":51}",
          "arguments.n_results: expected a number of at most 50, got 51");
    UNFIT(schema, "{\"query\":\"x\",\"filters\":[{\"name\":\"a\"},{\"name\":1}]}",
          "arguments.filters[1].name: expected a string, got 1");
    UNFIT(schema, "{\"query\":\"x\",\"filters\":[{}]}",
          "arguments.filters[0]: the required member 'name' is missing; it is a string");
    UNFIT(schema, "{\"query\":\"x\",\"filters\":[{\"nam\":1}]}",
          "arguments.filters[0]: unknown member 'nam'; did you mean 'name'?");
    UNFIT("{\"additionalProperties\":false}", "{\"a\":1}", "arguments: unknown argument 'a'");
    CHECK_STR(f.remedy, "no argument is allowed here");
    UNFIT("{\"required\":[\"a\"]}", "{}",
          "arguments: the required argument 'a' is missing; it is any value");
    FITS("{\"required\":[\"a\"],\"properties\":{\"a\":false},\"additionalProperties\":false}", "1");
    FITS("{\"additionalProperties\":true}", "{\"a\":1}");
    FITS("{\"additionalProperties\":{\"type\":\"string\"}}", "{\"a\":\"\"}");
    UNFIT("{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"string\"}}",
          "{\"a\":1,\"b c\":2}", "arguments['b c']: expected a string, got 2");
    UNFIT("{\"minProperties\":2}", "{\"a\":1}", "arguments: expected at least 2 members, got 1");
    UNFIT("{\"maxProperties\":0}", "{\"a\":1}", "arguments: expected at most 0 members, got 1");
    FITS("{\"maxProperties\":1,\"minProperties\":1}", "{\"a\":1}");
    FITS("{\"maxProperties\":1,\"minProperties\":1}", "[]");
}

static void
numbers_are_checked(void **state)
{
    (void)state;
    FITS("{\"minimum\":5}", "5");
    FITS("{\"minimum\":5}", "5.0");
    FITS("{\"minimum\":5}", "\"a\"");
    UNFIT("{\"minimum\":5}", "4", "arguments: expected a number of at least 5, got 4");
    FITS("{\"maximum\":5.5}", "5.5");
    UNFIT("{\"maximum\":5.5}", "6", "arguments: expected a number of at most 5.5, got 6");
    UNFIT("{\"exclusiveMinimum\":0}", "0", "arguments: expected a number above 0, got 0");
    FITS("{\"exclusiveMinimum\":0}", "0.001");
    UNFIT("{\"exclusiveMaximum\":1}", "1.0", "arguments: expected a number below 1, got 1");
    FITS("{\"exclusiveMaximum\":1}", "0.999");
    /* Next to each other, and the same as doubles. */
    UNFIT("{\"maximum\":9223372036854775806}", "9223372036854775807",
          "arguments: expected a number of at most 9223372036854775806, got 9223372036854775807");
    FITS("{\"minimum\":9007199254740993}", "9007199254740993");
    FITS("{\"multipleOf\":5}", "-15");
    FITS("{\"multipleOf\":5}", "0");
    UNFIT("{\"multipleOf\":5}", "14", "arguments: expected a multiple of 5, got 14");
    FITS("{\"multipleOf\":0.1}", "0.3");
    FITS("{\"multipleOf\":0.01}", "4.35");
    UNFIT("{\"multipleOf\":0.5}", "0.7", "arguments: expected a multiple of 0.5, got 0.7");
    UNFIT("{\"minimum\":5}", "0.30000000000000004",
          "arguments: expected a number of at least 5, got 0.30000000000000004");
    FITS("{\"multipleOf\":1}", "-9223372036854775808");
    FITS("{\"multipleOf\":2}", "\"x\"");
}

static void
integral_reals_become_integers(void **state)
{
    json_t *schema = load("{\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"number"
                          "\"},"
                          "\"c\":{\"items\":{\"type\":[\"integer\",\"null\"]}},"
                          "\"d\":{\"type\":[\"integer\",\"number\"]}},"
                          "\"additionalProperties\":{\"type\":\"integer\"}}");
    json_t *value = load("{\"a\":5.0,\"b\":5.0,\"c\":[1e3,null,2],\"d\":1.0,\"e\":-0.0,\"f\":7.0}");

    (void)state;
    CHECK(schema_validate(schema, value, "arguments", &f) == E_OK);
    CHECK_INT(json_integer_value(json_object_get(value, "a")), 5);
    CHECK(json_is_real(json_object_get(value, "b")));
    CHECK_INT(json_integer_value(json_array_get(json_object_get(value, "c"), 0)), 1000);
    CHECK(json_is_real(json_object_get(value, "d")));
    CHECK(json_is_integer(json_object_get(value, "e")));
    CHECK_INT(json_integer_value(json_object_get(value, "f")), 7);
    json_decref(schema);
    json_decref(value);
    UNFIT("{\"properties\":{\"a\":{\"type\":\"integer\"}}}", "{\"a\":5.5}",
          "arguments.a: expected an integer, got 5.5");
}

static void
strings_are_checked(void **state)
{
    (void)state;
    FITS("{\"minLength\":3,\"maxLength\":3}", "\"\xE2\x82\xAC\xC3\xA9x\"");
    UNFIT("{\"minLength\":3}", "\"\xE2\x82\xAC\xC3\xA9\"",
          "arguments: expected at least 3 characters, got 2");
    UNFIT("{\"maxLength\":3}", "\"abcd\"", "arguments: expected at most 3 characters, got 4");
    FITS("{\"minLength\":3,\"maxLength\":0}", "5");
    FITS("{\"pattern\":\"^[a-z]+$\"}", "\"abc\"");
    FITS("{\"pattern\":\"b\"}", "\"abc\"");
    FITS("{\"pattern\":\"b\"}", "5");
    UNFIT("{\"pattern\":\"^[a-z]+$\"}", "\"abC\"",
          "arguments: expected text that matches ^[a-z]+$, got \"abC\"");
    /* The end is the end, not before a last newline; a dollar that is no anchor stays one. */
    UNFIT("{\"pattern\":\"^[a-z]+$\"}", "\"abc\\n\"",
          "arguments: expected text that matches ^[a-z]+$, got \"abc?\"");
    FITS("{\"pattern\":\"^a[$]\\\\$[\\\\]$]$\"}", "\"a$$$\"");
    FITS("{\"pattern\":\"^(a|b$)\"}", "\"ax\"");
    UNFIT("{\"enum\":[\"start\",\"finish\",1]}", "\"strat\"",
          "arguments: expected one of \"start\", \"finish\", 1, got \"strat\"");
    CHECK_STR(f.remedy, "did you mean \"start\"?");
    UNFIT("{\"enum\":[\"start\",\"finish\"]}", "3",
          "arguments: expected one of \"start\", \"finish\", got 3");
    CHECK_STR(f.remedy, "");
    FITS("{\"enum\":[1,[2,{\"a\":null}]]}", "[2,{\"a\":null}]");
    FITS("{\"const\":1}", "1.0");
    FITS("{\"const\":{\"a\":1,\"b\":[true,false]}}", "{\"b\":[true,false],\"a\":1}");
    UNFIT("{\"const\":{\"a\":1}}", "{\"a\":2}", "arguments: expected an object, got an object");
    UNFIT("{\"const\":{\"a\":1}}", "{\"b\":1}", "arguments: expected an object, got an object");
    UNFIT("{\"const\":{\"a\":1}}", "{}", "arguments: expected an object, got an object");
    UNFIT("{\"const\":[1]}", "[1,2]", "arguments: expected an array of 1, got an array of 2");
    UNFIT("{\"const\":[1]}", "[2]", "arguments: expected an array of 1, got an array of 1");
    UNFIT("{\"const\":false}", "0", "arguments: expected false, got 0");
    UNFIT("{\"const\":\"a\"}", "\"b\"", "arguments: expected \"a\", got \"b\"");
    UNFIT("{\"const\":null}", "\"b\"", "arguments: expected null, got \"b\"");
    FITS("{\"format\":\"email\"}", "\"no email\"");
}

static void
arrays_are_checked(void **state)
{
    (void)state;
    FITS("{\"items\":{\"type\":\"string\"}}", "[]");
    FITS("{\"items\":{\"type\":\"string\"}}", "{}");
    UNFIT("{\"items\":{\"type\":\"string\"}}", "[\"a\",2]",
          "arguments[1]: expected a string, got 2");
    UNFIT("{\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}", "[\"a\",\"b\"]",
          "arguments[1]: expected an integer, got \"b\"");
    FITS("{\"prefixItems\":[{\"type\":\"string\"}]}", "[\"a\",\"b\",3]");
    UNFIT("{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\",\"b\"]",
          "arguments[1]: nothing is allowed here");
    UNFIT("{\"minItems\":1}", "[]", "arguments: expected at least 1 elements, got 0");
    UNFIT("{\"maxItems\":1}", "[1,2]", "arguments: expected at most 1 elements, got 2");
    FITS("{\"maxItems\":1,\"minItems\":1}", "[1]");
    FITS("{\"maxItems\":1,\"minItems\":1}", "\"\"");
    FITS("{\"uniqueItems\":true}", "[1,\"1\",[1],{\"a\":1},{\"a\":2},true,false,null]");
    FITS("{\"uniqueItems\":false}", "[1,1]");
    FITS("{\"uniqueItems\":true}", "5");
    UNFIT("{\"uniqueItems\":true}", "[2,1,1.0]", "arguments: elements 1 and 2 are the same");
}

static void
combinators_are_checked(void **state)
{
    (void)state;
    FITS("{\"allOf\":[{\"minimum\":1},{\"maximum\":3}]}", "2");
    UNFIT("{\"allOf\":[{\"minimum\":1},{\"maximum\":3}]}", "4",
          "arguments: expected a number of at most 3, got 4");
    FITS("{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":3}]}", "3");
    UNFIT("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"integer\",\"minimum\":3}]}", "2",
          "arguments: expected a number of at least 3, got 2");
    UNFIT("{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}", "[]",
          "arguments: expected one of 2 alternatives, got an array of 0");
    FITS("{\"oneOf\":[{\"type\":\"string\"},{\"minimum\":3}]}", "5");
    UNFIT("{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":3}]}", "5",
          "arguments: fits 2 alternatives, only 1 is allowed");
    UNFIT("{\"oneOf\":[{\"type\":\"integer\",\"maximum\":1},{\"type\":\"string\"}]}", "5",
          "arguments: expected a number of at most 1, got 5");
    FITS("{\"not\":{\"type\":\"string\"}}", "5");
    UNFIT("{\"not\":{\"type\":\"string\"}}", "\"x\"",
          "arguments: expected something that the schema does not exclude, got \"x\"");
    FITS("{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":1},\"else\":{\"minimum\":1}}", "1");
    UNFIT("{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":1},\"else\":{\"minimum\":1}}", "0",
          "arguments: expected a number of at least 1, got 0");
    UNFIT("{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":1}}", "\"\"",
          "arguments: expected at least 1 characters, got 0");
    FITS("{\"if\":{\"type\":\"string\"},\"then\":{\"minLength\":1}}", "0");
    FITS("{\"then\":false,\"else\":false}", "0");
    UNFIT("{\"anyOf\":[{\"anyOf\":[{\"type\":\"string\"}],\"type\":\"integer\"}]}", "7",
          "arguments: expected one of 1 alternatives, got 7");
}

static void
references_stay_inside(void **state)
{
    static const char tree[] =
        "{\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"integer\"},"
        "\"next\":{\"$ref\":\"#/$defs/node\"}},\"required\":[\"v\"]}},\"$ref\":\"#/$defs/node\"}";

    (void)state;
    FITS(tree, "{\"v\":1,\"next\":{\"v\":2,\"next\":{\"v\":3}}}");
    UNFIT(tree, "{\"v\":1,\"next\":{\"v\":2,\"next\":{}}}",
          "arguments.next.next: the required member 'v' is missing; it is an integer");
    FITS("{\"$defs\":{\"a\":{\"$anchor\":\"here\",\"type\":\"string\"}},\"$ref\":\"#here\"}", "\""
                                                                                              "\"");
    UNFIT("{\"$defs\":{\"a\":{\"$anchor\":\"here\",\"type\":\"string\"}},\"$ref\":\"#here\"}", "1",
          "arguments: expected a string, got 1");
    UNFIT("{\"$defs\":{\"a/b~c d\":{\"type\":\"string\"}},\"$ref\":\"#/$defs/a~1b~0c%20d\"}", "1",
          "arguments: expected a string, got 1");
    UNFIT("{\"allOf\":[true,{\"type\":\"string\"}],\"properties\":{\"x\":{\"$ref\":\"#/allOf/1\"}"
          "}}",
          "5", "arguments: expected a string, got 5");
    /* A $ref does not shut its neighbours out. */
    UNFIT("{\"$defs\":{\"s\":{\"type\":\"string\"}},\"$ref\":\"#/$defs/s\",\"minLength\":2}",
          "\"a\"", "arguments: expected at least 2 characters, got 1");
    FITS("{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"type\":\"object\"}", "{\"a\":{\"a\":{}}}");
}

/* What schema_check() refuses, schema_validate() survives. */
static void
bad_schemas_are_refused(void **state)
{
    static const struct {
        const char *schema, *text;
    } rows[] = {
        {"5", "schema: must be a schema: an object, true or false"},
        {"{\"type\":\"strnig\"}", "schema.type: must be a JSON type or an array of them"},
        {"{\"type\":[]}", "schema.type: must be a JSON type or an array of them"},
        {"{\"type\":[\"string\",5]}", "schema.type: must be a JSON type or an array of them"},
        {"{\"type\":5}", "schema.type: must be a JSON type or an array of them"},
        {"{\"properties\":[]}", "schema.properties: must be an object of schemas"},
        {"{\"properties\":{\"a\":{\"items\":[{}]}}}",
         "schema.properties.a.items: must be a schema: an object, true or false"},
        {"{\"required\":\"a\"}", "schema.required: must be an array of strings"},
        {"{\"required\":[1]}", "schema.required: must be an array of strings"},
        {"{\"minimum\":\"1\"}", "schema.minimum: must be a number"},
        {"{\"multipleOf\":0}", "schema.multipleOf: must be a number above 0"},
        {"{\"minLength\":-1}", "schema.minLength: must be an integer of at least 0"},
        {"{\"maxItems\":1.5}", "schema.maxItems: must be an integer of at least 0"},
        {"{\"uniqueItems\":1}", "schema.uniqueItems: must be true or false"},
        {"{\"enum\":[]}", "schema.enum: must be an array of values"},
        {"{\"title\":1}", "schema.title: must be a string"},
        {"{\"pattern\":1}", "schema.pattern: must be a string"},
        {"{\"allOf\":[]}", "schema.allOf: must be an array of schemas"},
        {"{\"anyOf\":{}}", "schema.anyOf: must be an array of schemas"},
        {"{\"oneOf\":[true,1]}", "schema.oneOf[1]: must be a schema: an object, true or false"},
        {"{\"patternProperties\":{}}", "schema.patternProperties: is a keyword that is not taken"},
        {"{\"$dynamicRef\":\"#\"}", "schema.$dynamicRef: is a keyword that is not taken"},
        {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}",
         "schema.$schema: only https://json-schema.org/draft/2020-12/schema is spoken"},
        {"{\"$ref\":\"http://example.org/x\"}",
         "schema.$ref: leads to no schema inside this one; nothing is fetched"},
        {"{\"$ref\":\"other.json\"}",
         "schema.$ref: leads to no schema inside this one; nothing is fetched"},
        {"{\"$ref\":\"#/$defs/no\"}",
         "schema.$ref: leads to no schema inside this one; nothing is fetched"},
        {"{\"$ref\":\"#no\"}", "schema.$ref: leads to no schema inside this one; nothing is fetch"
                               "ed"},
        {"{\"$ref\":\"#/required\",\"required\":[]}",
         "schema.$ref: leads to no schema inside this one; nothing is fetched"},
        {"{\"$ref\":\"#/allOf/01x\",\"allOf\":[true]}",
         "schema.$ref: leads to no schema inside this one; nothing is fetched"},
        {"{\"$ref\":\"#/a~\",\"a~\":{}}",
         "schema.$ref: leads to no schema inside this one; nothing is fetched"},
        {"{\"$ref\":\"#/a%00\",\"a\":{}}",
         "schema.$ref: leads to no schema inside this one; nothing is fetched"},
        {"{\"$ref\":5}", "schema.$ref: leads to no schema inside this one; nothing is fetched"},
    };
    static const char *const values[] = {"1", "1.5", "\"a\"", "[1,2]", "{\"a\":[1]}", "null"};
    size_t i, j;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *schema = load(rows[i].schema);
        if (schema_check(schema, &f) != E_ARGUMENT || strcmp(f.text, rows[i].text) != 0) {
            fail_msg("%s: %s", rows[i].schema, f.text);
        }
        for (j = 0; j < sizeof values / sizeof *values; j++) {
            json_t *value = load(values[j]);
            enum err err = schema_validate(schema, value, "arguments", &f);
            CHECK(err == E_OK || err == E_ARGUMENT || err == E_INTERNAL);
            json_decref(value);
        }
        json_decref(schema);
    }
    json_t *schema = load("{\"pattern\":\"(\"}");
    json_t *value = load("\"x\"");
    CHECK(schema_check(schema, &f) == E_ARGUMENT);
    CHECK(strstr(f.text, "schema.pattern: is no pattern that is taken: ") == f.text);
    CHECK(schema_validate(schema, value, "arguments", &f) == E_INTERNAL);
    json_object_set_new(schema, "pattern", json_string("(a*)*(a*)*(a*)*b"));
    json_decref(value);
    char *text = nested("a", 60000, "", "");
    value = json_string(text);
    free(text);
    enum err bound = schema_validate(schema, value, "arguments", &f);
    CHECK(bound == E_TOO_LARGE || bound == E_ARGUMENT); /* And not a minute later. */
    json_decref(value);
    text = nested("a", REGEX_BYTES_MAX + 1, "", "");
    json_object_set_new(schema, "pattern", json_string(text));
    CHECK(schema_check(schema, &f) == E_ARGUMENT && strstr(f.text, "bytes"));
    free(text);
    json_decref(schema);
    schema = load("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
                  "\"x-other\":[1],"
                  "\"default\":1,\"examples\":[],\"readOnly\":true,\"type\":[\"string\",\"null\"]"
                  "}");
    CHECK(schema_check(schema, &f) == E_OK);
    json_decref(schema);
}

static enum err
check_bound(const char *schema, char *value)
{
    json_t *s = load(schema), *v = load(value);
    enum err err;

    f = (struct fault)FAULT_INIT;
    err = schema_validate(s, v, "arguments", &f);
    CHECK(f.code == err);
    json_decref(s);
    json_decref(v);
    free(value);
    return err;
}

static void
depth_and_work_are_bounded(void **state)
{
    static const char list[] = "{\"items\":{\"$ref\":\"#\"}}";
    json_t *schema, *value;
    char *text;

    (void)state;
    /* Each level takes two schemas: the list and its reference. */
    CHECK(check_bound(list, nested("[", 64, "", "]")) == E_OK);
    CHECK(check_bound(list, nested("[", 65, "", "]")) == E_TOO_LARGE);
    CHECK(strstr(f.text, "arguments...") == NULL && strstr(f.text, "too deep"));
    CHECK(check_bound("{\"$ref\":\"#\"}", xstrdup("1")) == E_TOO_LARGE);
    CHECK(check_bound("{\"not\":{\"$ref\":\"#\"}}", xstrdup("1")) == E_TOO_LARGE);
    CHECK(check_bound("{\"anyOf\":[{\"$ref\":\"#\"}]}", xstrdup("1")) == E_TOO_LARGE);
    CHECK(check_bound("{\"oneOf\":[{\"$ref\":\"#\"}]}", xstrdup("1")) == E_TOO_LARGE);
    CHECK(check_bound("{\"if\":{\"$ref\":\"#\"}}", xstrdup("1")) == E_TOO_LARGE);
    /* Two ways at each of many levels: more work than anybody has. */
    CHECK(check_bound("{\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/b\"},{\"$ref\":\"#/$defs"
                      "/b\""
                      "}]},\"b\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/a\"},\"minItem"
                      "s\":1"
                      "}},\"$ref\":\"#/$defs/a\"}",
                      nested("[", 40, "", "]")) == E_TOO_LARGE);
    CHECK(strstr(f.text, "too much"));
    CHECK(check_bound("{\"uniqueItems\":true}", nested("", 1, "[0", "]")) == E_OK);
    text = nested(",7", SCHEMA_UNIQUE_MAX, "]", "");
    text[0] = '[';
    CHECK(check_bound("{\"uniqueItems\":true}", text) == E_ARGUMENT);
    text = nested(",7", SCHEMA_UNIQUE_MAX + 1, "]", "");
    text[0] = '[';
    CHECK(check_bound("{\"uniqueItems\":true}", text) == E_TOO_LARGE);
    /* Long equal beginnings make comparing dear: 300 arrays of 300 that differ in the last only. */
    value = json_array();
    for (int i = 0; i < 300; i++) {
        json_t *one = json_array();
        for (int j = 0; j < 300; j++) {
            json_array_append_new(one, json_integer(j < 299 ? 0 : i));
        }
        json_array_append_new(value, one);
    }
    schema = load("{\"uniqueItems\":true}");
    CHECK(schema_validate(schema, value, "arguments", &f) == E_TOO_LARGE);
    json_decref(schema);
    json_decref(value);
    /* Many names, long names: an error that still fits. */
    text = nested("\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                  "aaaa\":{",
                  20, "", "}");
    free(text);
    UNFIT("{\"properties\":{\"a1234567890123456789012345678901234567890123456789012345678901234567"
          "890\":{\"type\":\"null\"}}}",
          "{\"a1234567890123456789012345678901234567890123456789012345678901234567890\":1}",
          "arguments.a12345678901234567890123456789012345678901234567890123456789: expected null, "
          "got 1");
}

static void
long_lists_are_cut(void **state)
{
    struct buf b = BUF_INIT;
    json_t *schema, *value = load("{\"q\":1}");
    int i;

    (void)state;
    buf_adds(&b, "{\"properties\":{\"a0\":{}");
    for (i = 1; i < 200; i++) {
        buf_addf(&b, ",\"\xE2\x82\xAC%d\":{}", i);
    }
    buf_adds(&b, "},\"additionalProperties\":false}");
    schema = load(b.data);
    CHECK(schema_validate(schema, value, "arguments", &f) == E_ARGUMENT);
    CHECK(strstr(f.remedy, "allowed: a0, ") == f.remedy);
    CHECK(strcmp(f.remedy + strlen(f.remedy) - 5, ", ...") == 0);
    json_decref(schema);
    json_decref(value);
    buf_fini(&b);
    /* A path of many steps keeps its end. */
    UNFIT("{\"items\":{\"$ref\":\"#\"},\"not\":{\"const\":1}}",
          "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
          "...[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: expected something that the "
          "schema does not exclude, got 1");
}

static void
profile_is_checked(void **state)
{
    static const struct {
        const char *schema, *text;
    } rows[] = {
        {"{\"type\":\"object\"}", NULL},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":{}}}}", NULL},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"anyOf\":[{\"type\":\"string\"}]}}}", NULL},
        {"{}", "schema: the root must have \"type\": \"object\""},
        {"true", "schema: the root must have \"type\": \"object\""},
        {"{\"type\":[\"object\"]}", "schema: the root must have \"type\": \"object\""},
        {"{\"type\":\"object\",\"anyOf\":[true]}", "schema: the root must not have \"anyOf\""},
        {"{\"type\":\"object\",\"$ref\":\"#\"}", "schema: the root must not have \"$ref\""},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\"}}}",
         "schema.properties.a: an array needs items"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"null\",\"array\"]}}}",
         "schema.properties.a: an array needs items"},
        {"{\"type\":\"object\",\"properties\":{\"a b\":{}}}",
         "schema: the property 'a b' needs a name of 1 to 64 of A-Z a-z 0-9 _ . -"},
        {"{\"type\":\"object\",\"properties\":{\"\":{}}}",
         "schema: the property '' needs a name of 1 to 64 of A-Z a-z 0-9 _ . -"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"x\"}}}",
         "schema.properties.a.type: must be a JSON type or an array of them"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *schema = load(rows[i].schema);
        enum err err = schema_check_profile(schema, &f);
        if (rows[i].text ? err != E_ARGUMENT || strcmp(f.text, rows[i].text) != 0 : err != E_OK) {
            fail_msg("%s: %s", rows[i].schema, f.text);
        }
        json_decref(schema);
    }
}

static void
size_of_schemas_is_bounded(void **state)
{
    struct buf b = BUF_INIT;
    json_t *schema;
    char *text = nested("{\"items\":", 32, "true", "}");
    unsigned i;

    (void)state;
    schema = load(text);
    CHECK(schema_check(schema, &f) == E_OK);
    json_decref(schema);
    free(text);
    text = nested("{\"items\":", 33, "true", "}");
    schema = load(text);
    CHECK(schema_check(schema, &f) == E_ARGUMENT && strstr(f.text, "too large or too deep"));
    json_decref(schema);
    free(text);
    buf_adds(&b, "{\"allOf\":[{}");
    for (i = 2; i < SCHEMA_NODES_MAX; i++) {
        buf_adds(&b, ",{}");
    }
    buf_adds(&b, "]}");
    schema = load(b.data);
    CHECK(schema_check(schema, &f) == E_OK);
    json_array_append_new(json_object_get(schema, "allOf"), json_object());
    CHECK(schema_check(schema, &f) == E_ARGUMENT);
    json_decref(schema);
    buf_fini(&b);
}

static void
required_members_are_known(void **unused)
{
    json_t *schema = json_loads("{\"required\":[7,\"a\"]}", 0, NULL);
    json_t *none = json_object();

    (void)unused;
    CHECK(schema_requires(schema, "a"));
    CHECK(!schema_requires(schema, "b"));
    CHECK(!schema_requires(none, "a"));
    json_decref(schema);
    json_decref(none);
}

/* Arguments are looked up from the side that has fewer: what is told does not show which. */
static void
the_first_that_does_not_fit_is_told(void **state)
{
    static const char few[] = "{\"properties\":{\"a\":{\"type\":\"integer\"},"
                              "\"b\":{\"type\":\"integer\"},\"c\":{\"type\":\"string\"}}}";
    json_t *schema = load(few), *value = load("{\"b\":3.0,\"d\":1}");

    (void)state;
    UNFIT(few, "{\"b\":\"x\",\"a\":\"y\"}", "arguments.a: expected an integer, got \"y\"");
    UNFIT(few, "{\"b\":\"x\",\"a\":\"y\",\"c\":\"\",\"d\":1}",
          "arguments.a: expected an integer, got \"y\"");
    UNFIT(few, "{\"d\":{},\"c\":7}", "arguments.c: expected a string, got 7");
    FITS(few, "{\"d\":{},\"e\":7}");
    CHECK_INT(schema_validate(schema, value, "arguments", &f), E_OK);
    CHECK(json_is_integer(json_object_get(value, "b"))); /* As it was meant. */
    json_decref(schema);
    json_decref(value);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(required_members_are_known),
        cmocka_unit_test(types_are_checked),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(numbers_are_checked),
        cmocka_unit_test(integral_reals_become_integers),
        cmocka_unit_test(strings_are_checked),
        cmocka_unit_test(arrays_are_checked),
        cmocka_unit_test(combinators_are_checked),
        cmocka_unit_test(references_stay_inside),
        cmocka_unit_test(bad_schemas_are_refused),
        cmocka_unit_test(depth_and_work_are_bounded),
        cmocka_unit_test(long_lists_are_cut),
        cmocka_unit_test(profile_is_checked),
        cmocka_unit_test(the_first_that_does_not_fit_is_told),
        cmocka_unit_test(size_of_schemas_is_bounded),
    };
    return CHECK_RUN(tests);
}
