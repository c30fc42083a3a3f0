/* test_workflow_validators.c -- every named validator with a good and a bad value; the types of
 * evidence; what outputs tell; files beneath the workspace only. */
#include "state/workflow_validators.h"
#include "state/workflow_evidence.h"
#include "state/workflow_validators_private.h"
#include "tests/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static json_t *
parse(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    if (!json) {
        fail_msg("not JSON: %s", text);
    }
    return json;
}

static struct validator *
bind(const char *name, const char *params)
{
    struct validator *v = NULL;
    struct fault fault = FAULT_INIT;
    json_t *json = params ? parse(params) : NULL;

    if (validator_bind(name, json, &v, &fault)) {
        fail_msg("%s: %s", name, fault.text);
    }
    json_decref(json);
    return v;
}

static bool
check_in(const struct dir *workspace, const char *name, const char *params, const char *value)
{
    struct validator *v = bind(name, params);
    uint64_t steps = 100000;
    struct validator_context context = {.workspace = workspace, .steps = &steps};
    struct fault why = FAULT_INIT;
    json_t *json = parse(value);
    bool holds = validator_check(v, json, &context, &why);

    if (!holds && !why.text[0]) {
        fail_msg("%s on %s does not say why", name, value);
    }
    json_decref(json);
    validator_free(v);
    return holds;
}

struct row {
    const char *name, *params, *good[6], *bad[8];
};

static const struct row rows[] = {
    {"non_empty",
     NULL,
     {"\"a\"", "[0]", "{\"a\":1}"},
     {"\"\"", "\" \\n\\u00a0\"", "[]", "{}", "5", "null", "true"}},
    {"min_length",
     "{\"min\":2}",
     {"\"ab\"", "\"\\u00e9\\u00e9\"", "[1,2]", "{\"a\":1,\"b\":2}"},
     {"\"a\"", "\"\\u00e9\"", "[1]", "5", "null"}},
    {"min_length", "{\"length\":1}", {"\"a\""}, {"\"\""}},
    {"min_length_10", NULL, {"\"0123456789\"", "[1,2,3,4,5,6,7,8,9,0]"}, {"[1,2]", "10"}},
    {"max_length", "{\"max\":2}", {"\"ab\"", "[]"}, {"\"abc\"", "[1,2,3]", "1"}},
    {"max_length_1", NULL, {"\"a\""}, {"\"ab\""}},
    {"contains_any",
     "{\"patterns\":[\"x\",\"yy\"]}",
     {"\"axb\"", "\"yy\"", "[\"x\"]"},
     {"\"a\"", "[\"xx\"]", "5", "{}"}},
    {"contains_text", "{\"text\":\"ab\"}", {"\"cabd\"", "[1,\"ab\"]"}, {"\"a b\"", "[]", "5"}},
    {"contains_text", "{\"texts\":[\"a\",\"b\"]}", {"\"ab\""}, {"\"a\""}},
    {"not_contains_text", "{\"value\":\"TODO\"}", {"\"done\"", "[]"}, {"\"a TODO\"", "5", "null"}},
    {"matches_pattern", "{\"pattern\":\"\\\\d+\"}", {"\"12a\""}, {"\"a12\"", "12", "null"}},
    {"custom:regex:^[a-f0-9]{7,40}$",
     NULL,
     {"\"8681ee3\""},
     {"\"8681EE3\"", "\"x8681ee3\"", "8681123"}},
    {"positive", NULL, {"1", "0.5"}, {"0", "-1", "\"1\"", "true"}},
    {"non_negative", NULL, {"0", "2"}, {"-0.1", "null"}},
    {"negative", NULL, {"-1"}, {"0", "1", "\"-1\""}},
    {"in_range", "{\"min\":1,\"max\":3}", {"1", "3", "2.5"}, {"0", "3.1", "\"2\"", "[2]"}},
    {"in_range_1_3", NULL, {"1", "3"}, {"0", "4"}},
    {"between", "{\"low\":1,\"high\":3}", {"2", "1.01"}, {"1", "3", "\"2\""}},
    {"between_1_3", NULL, {"1", "3"}, {"0", "3.5"}},
    {"between_0_5_1_5", NULL, {"0.5", "1.5"}, {"0.4", "1.6"}},
    {"between_minus_1_1", NULL, {"-1", "0"}, {"-2", "2"}},
    {"equals", "{\"expected\":[1,\"a\"]}", {"[1,\"a\"]"}, {"[1]", "\"a\""}},
    {"equals", "{\"value\":5}", {"5", "5.0"}, {"5.5", "\"5\"", "true"}},
    {"equals_5", NULL, {"5", "5.0", "\"5\""}, {"6", "\"five\"", "[5]"}},
    {"equals_high", NULL, {"\"high\""}, {"\"High\"", "\"low\"", "1", "\"high\\u0000\""}},
    {"equals_in_progress", NULL, {"\"in_progress\""}, {"\"progress\""}},
    {"equals_true", NULL, {"true", "\"true\""}, {"false", "1"}},
    {"equals_2_0", NULL, {"2", "2.0"}, {"2.1"}},
    {"not_equals", "{\"value\":\"x\"}", {"\"y\"", "1"}, {"\"x\""}},
    {"not_equals_0", NULL, {"1"}, {"0", "0.0"}},
    {"greater_than", "{\"threshold\":2}", {"2.1", "3"}, {"2", "1", "\"3\""}},
    {"greater_than_0_85", NULL, {"0.86", "1"}, {"0.85", "0.5", "\"0.9\"", "true"}},
    {"greater_than_-1", NULL, {"0"}, {"-1"}},
    {"less_than", "{\"value\":2}", {"1.9"}, {"2", "\"1\""}},
    {"less_than_10", NULL, {"9"}, {"10"}},
    {"greater_than_or_equal_0_85", NULL, {"0.85", "1"}, {"0.84"}},
    {"greater_than_or_equal", "{\"min\":4}", {"4"}, {"3"}},
    {"less_than_or_equal_2_0", NULL, {"2", "1.5"}, {"2.01"}},
    {"percent_gte_80",
     NULL,
     {"80", "99.5", "\"85%\"", "\"80.0 %\"", "\" 81\""},
     {"79.9", "\"79%\"", "\"many\"", "\"\"", "\"85% of all\"", "\"inf\"", "\"0x99\""}},
    {"percent_gte_99_5", NULL, {"99.5"}, {"99.4"}},
    {"has_fields",
     "{\"fields\":[\"a\",\"b\"]}",
     {"{\"a\":1,\"b\":null}"},
     {"{\"a\":1}", "[\"a\",\"b\"]", "{}"}},
    {"has_fields", "{\"fields\":\"a\"}", {"{\"a\":1}"}, {"{\"b\":1}"}},
    {"valid_structure", NULL, {"{\"a\":1}"}, {"{}", "[]", "\"a\""}},
    {"valid_structure", "{\"required\":[\"a\"]}", {"{\"a\":1}"}, {"{\"b\":1}"}},
    {"yaml_parseable", NULL, {"\"a: [1]\"", "\"text\""}, {"\"a: [1\"", "\"\"", "\"# only\"", "{}"}},
    {"contains_success",
     NULL,
     {"\"5 passed in 1s\"", "\"Build OK\"", "\"\\u2705 done\""},
     {"\"0 passed, 5 failed\"", "\"unsuccessful\"", "\"not ok 1\"", "\"\"", "true",
      "\"passed: 0\""}},
    {"no_errors",
     NULL,
     {"\"5 passed, 0 failed\"", "\"Errors: 0, warnings: 3\"", "\"no errors\"", "\"\"",
      "\"test_error_handling ok\"", "\"failures=0\""},
     {"\"1 failed\"", "\"error: x\"", "\"Errors: 10\"", "\"Traceback (most recent\"", "\"\\u274c\"",
      "null", "\"10 errors\"", "\"errors: 0.5\""}},
    {"list_not_empty", NULL, {"[0]"}, {"[]", "\"a\"", "{\"a\":1}"}},
    {"non_empty_list", NULL, {"[0]"}, {"[]", "\"a\""}},
    {"list_min_length", "{\"min_length\":2}", {"[1,2]"}, {"[1]", "\"ab\"", "{\"a\":1,\"b\":2}"}},
    {"list_min_length_2", NULL, {"[1,2]"}, {"[1]"}},
    {"all_items_type", "{\"type\":\"int\"}", {"[1,2.0]", "[]"}, {"[1,\"a\"]", "[true]", "5"}},
    {"all_items_type", "{\"item_type\":\"string\"}", {"[\"a\"]"}, {"[1]"}},
    {"is_true", NULL, {"true"}, {"false", "1", "\"true\"", "null"}},
    {"is_false", NULL, {"false"}, {"true", "0", "null"}},
};

static void
each_validator_takes_the_good_and_refuses_the_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t k = 0; k < 6 && rows[i].good[k]; k++) {
            if (!check_in(NULL, rows[i].name, rows[i].params, rows[i].good[k])) {
                fail_msg("%s refuses %s", rows[i].name, rows[i].good[k]);
            }
        }
        for (size_t k = 0; k < 8 && rows[i].bad[k]; k++) {
            if (check_in(NULL, rows[i].name, rows[i].params, rows[i].bad[k])) {
                fail_msg("%s takes %s", rows[i].name, rows[i].bad[k]);
            }
        }
    }
}

static void
binds(const char *name, const char *params, enum err err, const char *part)
{
    struct validator *v = NULL;
    struct fault fault = FAULT_INIT;
    json_t *json = params ? parse(params) : NULL;

    CHECK_INT(validator_bind(name, json, &v, &fault), err);
    CHECK(!v);
    if (!strstr(fault.text, part)) {
        fail_msg("%s: %s", name, fault.text);
    }
    json_decref(json);
}

static void
wrong_names_and_parameters_are_told(void **state)
{
    static const char *const unknown[] = {
        "",
        "nonsense",
        "non_empty_",
        "min_length_",
        "min_length_x",
        "min_length_1_2_3",
        "min_length_5x",
        "greater_than_",
        "greater_than_one",
        "between_1",
        "between_1_2_3",
        "between_a_b",
        "equals_",
        "positive_5",
        "is_truely",
        "percent_gte_many",
        "custom:regexp:a",
        "greater_than_or_equal_",
        "greater_than_99999999999999999999999999999999999999999999999999999999999999999999",
        "less_than_.5"};

    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        binds(unknown[i], NULL, E_NOT_FOUND, "no validator is called");
    }
    binds("min_length", NULL, E_REFUSED, "needs the parameter 'min'");
    binds("min_length", "{\"min\":\"5\"}", E_REFUSED, "must be a number");
    binds("min_length", "{\"min\":5,\"colour\":1}", E_REFUSED, "no parameter 'colour'");
    binds("min_length", "{\"min\":5,\"value\":1}", E_REFUSED, "two words");
    binds("min_length_5", "{\"min\":5}", E_REFUSED, "in its name already");
    binds("non_empty", "{\"min\":5}", E_REFUSED, "no parameter");
    binds("in_range", "{\"min\":5}", E_REFUSED, "needs the parameter 'max'");
    binds("contains_any", "{\"texts\":[]}", E_REFUSED, "list of texts");
    binds("contains_any", "{\"texts\":[1]}", E_REFUSED, "list of texts");
    binds("contains_text", "{\"text\":5}", E_REFUSED, "list of texts");
    binds("matches_pattern", "{\"pattern\":5}", E_REFUSED, "must be a text");
    binds("matches_pattern", "{\"pattern\":\"(\"}", E_REFUSED, "does not end");
    binds("custom:regex:", NULL, E_REFUSED, "needs a pattern");
    binds("custom:regex:(?=a)", NULL, E_REFUSED, "not taken");
    binds("custom:regex:a", "{\"x\":1}", E_REFUSED, "takes no parameters");
    binds("all_items_type", "{\"type\":\"colour\"}", E_REFUSED, "name of a type");
    binds("all_items_type", "{\"type\":5}", E_REFUSED, "name of a type");
    validator_free(NULL);
}

static void
matching_is_bounded(void **state)
{
    struct validator *v = bind("custom:regex:(a+)+$", NULL);
    uint64_t steps = 100;
    struct validator_context context = {.steps = &steps};
    struct fault why = FAULT_INIT;
    json_t *value = json_string("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");

    (void)state;
    CHECK(!validator_check(v, value, &context, &why));
    CHECK(strstr(why.text, "too many steps"));
    json_decref(value);
    validator_free(v);
}

static void
touch(int dir, const char *name)
{
    int fd = openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    close(fd);
}

static void
files_are_looked_for_beneath_the_workspace_only(void **state)
{
    char path[] = "/tmp/tandem-validators-XXXXXX", inner[64];
    struct dir *workspace = NULL;
    int fd;

    (void)state;
    CHECK(mkdtemp(path));
    snprintf(inner, sizeof inner, "%s/ws", path);
    CHECK_INT(dir_open(inner, true, &workspace, NULL), E_OK);
    fd = dir_fd(workspace);
    touch(fd, "a.md");
    CHECK_INT(mkdirat(fd, "sub", 0700), 0);
    touch(fd, "sub/b.md");
    touch(fd, "../outside");
    CHECK_INT(symlinkat("../outside", fd, "link"), 0);
    CHECK_INT(symlinkat("a.md", fd, "near"), 0);
    CHECK(check_in(workspace, "file_exists", NULL, "\"a.md\""));
    CHECK(check_in(workspace, "file_exists", NULL, "\"sub/b.md\""));
    CHECK(check_in(workspace, "file_exists", NULL, "[\"a.md\",\"./sub/b.md\"]"));
    CHECK(check_in(workspace, "directory_exists", NULL, "\"sub\""));
    CHECK(check_in(workspace, "directory_exists", NULL, "\".\""));
    /* The path in the gate, the claim in the evidence. */
    CHECK(check_in(workspace, "file_exists", "{\"path\":\"a.md\"}", "true"));
    CHECK(check_in(workspace, "file_exists", "{\"files\":[\"a.md\",\"sub/b.md\"]}", "true"));
    CHECK(!check_in(workspace, "file_exists", "{\"path\":\"a.md\"}", "false"));
    CHECK(!check_in(workspace, "file_exists", "{\"path\":\"no.md\"}", "true"));
    CHECK(!check_in(workspace, "directory_exists", "{\"path\":\"a.md\"}", "true"));
    static const char *const absent[] = {"\"no.md\"",
                                         "\"sub\"",
                                         "\"../outside\"",
                                         "\"sub/../../outside\"",
                                         "\"link\"",
                                         "\"near\"",
                                         "\"/etc/passwd\"",
                                         "\"\"",
                                         "\"a.md\\u0000x\"",
                                         "[]",
                                         "[\"a.md\",1]",
                                         "[\"a.md\",\"no\"]",
                                         "true",
                                         "5",
                                         "null"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        if (check_in(workspace, "file_exists", NULL, absent[i])) {
            fail_msg("file_exists takes %s", absent[i]);
        }
    }
    CHECK(!check_in(workspace, "directory_exists", NULL, "\"a.md\""));
    CHECK(!check_in(workspace, "directory_exists", NULL, "\"..\""));
    CHECK(!check_in(NULL, "file_exists", NULL, "\"a.md\""));
    unlinkat(fd, "near", 0);
    unlinkat(fd, "link", 0);
    unlinkat(fd, "../outside", 0);
    unlinkat(fd, "sub/b.md", 0);
    unlinkat(fd, "sub", AT_REMOVEDIR);
    unlinkat(fd, "a.md", 0);
    dir_unref(workspace);
    rmdir(inner);
    rmdir(path);
}

static void
types_and_proof_forms(void **state)
{
    static const struct {
        const char *name, *value;
        bool is;
    } cases[] = {{"bool", "true", true},     {"boolean", "1", false},   {"int", "3", true},
                 {"integer", "3.0", true},   {"integer", "3.5", false}, {"integer", "true", false},
                 {"integer", "1e30", false}, {"float", "3", true},      {"number", "3.5", true},
                 {"number", "true", false},  {"str", "\"a\"", true},    {"string", "null", false},
                 {"array", "[]", true},      {"list", "{}", false},     {"dict", "{}", true},
                 {"object", "[]", false}};
    enum evidence_type type;
    json_t *a, *b;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        a = parse(cases[i].value);
        CHECK(evidence_type_named(cases[i].name, &type));
        if (evidence_is(a, type) != cases[i].is) {
            fail_msg("%s as %s", cases[i].value, cases[i].name);
        }
        CHECK(evidence_is(a, EVIDENCE_ANY));
        json_decref(a);
    }
    CHECK(!evidence_type_named("any", &type) && !evidence_type_named("Boolean", &type));
    CHECK_STR(evidence_type_name(EVIDENCE_LIST), "list");
    CHECK_STR(evidence_type_name(EVIDENCE_ANY), "any");
    CHECK_STR(evidence_value_name(NULL), "null");
    a = parse("5.0");
    b = parse("5");
    CHECK(evidence_equal(a, b) && evidence_equal(b, a) && evidence_equal(a, a));
    json_decref(a);
    json_decref(b);
    a = parse("{\"value\":true,\"command\":\"make\",\"exit_code\":0,\"output\":\"ok\"}");
    CHECK(evidence_is_proof(a) && json_is_true(evidence_value(a)));
    json_object_set_new(a, "exit_code", json_string("0"));
    CHECK(!evidence_is_proof(a) && evidence_value(a) == a);
    json_object_set_new(a, "exit_code", json_integer(0));
    json_object_set_new(a, "output", json_integer(0));
    CHECK(!evidence_is_proof(a));
    json_object_del(a, "output");
    CHECK(evidence_is_proof(a));
    json_object_set_new(a, "more", json_integer(0));
    CHECK(!evidence_is_proof(a));
    json_decref(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_validator_takes_the_good_and_refuses_the_bad),
        cmocka_unit_test(wrong_names_and_parameters_are_told),
        cmocka_unit_test(matching_is_bounded),
        cmocka_unit_test(files_are_looked_for_beneath_the_workspace_only),
        cmocka_unit_test(types_and_proof_forms),
    };
    return CHECK_RUN(tests);
}
