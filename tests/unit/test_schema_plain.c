/* test_schema_plain.c -- what surely fits a plain schema, and that nothing else is said to. */
#include "handlers/schema_plain.h"

#include "handlers/tool.h"
#include "state/base/mem.h"
#include "tests/check.h"

#define PLAIN                                                                          \
    "{\"type\":\"object\",\"title\":\"t\",\"properties\":{"                            \
    "\"text\":{\"type\":\"string\",\"description\":\"d\"},"                            \
    "\"word\":{\"type\":\"string\",\"enum\":[\"a\",\"b\"],\"default\":\"a\"},"         \
    "\"name\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":3},"                  \
    "\"count\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9},"                    \
    "\"size\":{\"type\":\"number\"},\"part\":{\"type\":\"number\",\"maximum\":1},"     \
    "\"flag\":{\"type\":\"boolean\"},\"any\":{},\"list\":{\"type\":\"array\"},"        \
    "\"deep\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"                   \
    "\"two\":{\"type\":[\"string\",\"null\"]},\"bool\":true,"                          \
    "\"mixed\":{\"enum\":[\"a\",1]},\"half\":{\"type\":\"integer\",\"minimum\":0.5}}," \
    "\"required\":[\"text\"],\"additionalProperties\":false}"
#define OPEN "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}"

static json_t *
load(const char *text)
{
    json_t *tree = json_loads(text, JSON_DECODE_ANY, NULL);

    if (!tree) {
        fail_msg("%s", text);
    }
    return tree;
}

/* Whether it is said to fit.  If so it must fit, and stay what it is. */
static bool
said_to_fit(const char *schema_text, const char *value_text)
{
    json_t *schema = load(schema_text), *value = load(value_text);
    struct schema_plain *plain = schema_plain_create(schema);
    struct fault f = FAULT_INIT;
    bool fits = schema_plain_fits(plain, value);
    json_t *same = json_deep_copy(value);

    CHECK_INT(schema_check(schema, &f), E_OK);
    if (fits && (schema_validate(schema, value, "value", &f) || !json_equal(value, same))) {
        fail_msg("%s %s: %s", schema_text, value_text, f.text);
    }
    json_decref(same);
    schema_plain_destroy(plain);
    json_decref(value);
    json_decref(schema);
    return fits;
}

static void
what_is_plain_fits_at_once(void **unused)
{
    static const char *const values[] = {
        "{\"text\":\"\"}",
        "{\"text\":\"x\",\"word\":\"b\",\"name\":\"\xC3\xA9\xC3\xA9\xC3\xA9\",\"count\":9}",
        "{\"name\":\"ab\",\"text\":\"\",\"count\":1,\"size\":1.5,\"flag\":false}",
        "{\"text\":\"\",\"size\":-3,\"part\":1,\"flag\":true,\"any\":{\"x\":[null]},\"list\":[1]}",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (!said_to_fit(PLAIN, values[i])) {
            fail_msg("%s", values[i]);
        }
    }
    assert_true(said_to_fit(OPEN, "{\"a\":\"\",\"b\":[]}") && said_to_fit(OPEN, "{}"));
}

static void
the_rest_is_left_to_who_knows_more(void **unused)
{
    static const char *const values[] = {
        "{}",
        "[]",
        "{\"text\":null}",
        "{\"text\":\"\",\"other\":1}",
        "{\"text\":\"\",\"word\":\"c\"}",
        "{\"text\":\"\",\"name\":\"a\"}",
        "{\"text\":\"\",\"name\":\"abcd\"}",
        "{\"text\":\"\",\"count\":0}",
        "{\"text\":\"\",\"count\":10}",
        "{\"text\":\"\",\"count\":5.0}", /* It is to be replaced by 5. */
        "{\"text\":\"\",\"part\":0.5}",  /* It fits, but who compares is elsewhere. */
        "{\"text\":\"\",\"flag\":0}",
        "{\"text\":\"\",\"deep\":[]}",
        "{\"text\":\"\",\"two\":\"\"}",
        "{\"text\":\"\",\"bool\":1}",
        "{\"text\":\"\",\"mixed\":\"a\"}",
        "{\"text\":\"\",\"half\":1}",
    };
    static const char *const schemas[] = {
        "{\"type\":\"object\",\"properties\":{},\"minProperties\":0}",
        "{\"type\":\"object\",\"required\":[\"a\"]}",
        "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}",
        "{\"properties\":{\"a\":{}}}",
        "{\"type\":[\"object\"]}",
        "true",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (said_to_fit(PLAIN, values[i])) {
            fail_msg("%s", values[i]);
        }
    }
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        if (said_to_fit(schemas[i], "{\"a\":\"x\"}")) {
            fail_msg("%s", schemas[i]);
        }
    }
}

static void
more_properties_than_bits_are_not_plain(void **unused)
{
    struct buf schema = BUF_INIT;

    (void)unused;
    for (unsigned count = 64; count <= 65; count++) {
        buf_reset(&schema);
        buf_adds(&schema, "{\"type\":\"object\",\"properties\":{");
        for (unsigned i = 0; i < count; i++) {
            buf_addf(&schema, "%s\"p%u\":{}", i ? "," : "", i);
        }
        buf_adds(&schema, "},\"required\":[\"p63\"]}");
        CHECK_INT(said_to_fit(schema.data, "{\"p63\":1}"), count == 64);
        CHECK_INT(said_to_fit(schema.data, "{\"p0\":1}"), false);
    }
    buf_fini(&schema);
}

/* Every property of every tool, with values of all kinds: what is said to fit does. */
static void
tools_arguments_are_taken_as_the_schema_takes_them(void **unused)
{
    static const struct tool *const rows[] = {
#define ROW(NAME, FILE) &tool_##NAME,
        TOOLS(ROW)
#undef ROW
    };
    static const char *const values[] = {"null",  "true",          "0",         "1",   "-1",
                                         "7",     "1000000000000", "0.5",       "5.0", "\"\"",
                                         "\"x\"", "\"text\"",      "\"start\"", "[]",  "[\"x\"]",
                                         "{}",    "{\"x\":1}"};
    size_t fitting = 0;

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *schema = load(rows[i]->input_schema), *property;
        const char *name;

        json_object_foreach(json_object_get(schema, "properties"), name, property) {
            for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
                char *object = xasprintf("{\"%s\":%s}", name, values[j]);

                fitting += said_to_fit(rows[i]->input_schema, object);
                free(object);
            }
        }
        json_decref(schema);
    }
    CHECK(fitting > 100); /* Most arguments are plain. */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_plain_fits_at_once),
        cmocka_unit_test(the_rest_is_left_to_who_knows_more),
        cmocka_unit_test(more_properties_than_bits_are_not_plain),
        cmocka_unit_test(tools_arguments_are_taken_as_the_schema_takes_them),
    };

    return CHECK_RUN(tests);
}
