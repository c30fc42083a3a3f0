/* test_param_headers.c -- which schemas may name headers, and which headers agree with the
 * arguments. */
#include "tests/check.h"

#include "handlers/param_headers.h"

#include <string.h>

static json_t *schema;
static struct param_headers *headers;

static enum err
make(const char *properties)
{
    char *text = xasprintf("{\"type\":\"object\",\"properties\":{%s}}", properties);
    struct fault f = FAULT_INIT;
    enum err err;

    param_headers_destroy(headers);
    json_decref(schema);
    schema = json_loads(text, 0, NULL);
    CHECK(schema != NULL);
    err = param_headers_create(schema, &headers, &f);
    CHECK(err == E_OK || (headers == NULL && f.text[0]));
    free(text);
    return err;
}

static int
tear_down(void **unused)
{
    (void)unused;
    param_headers_destroy(headers);
    json_decref(schema);
    headers = NULL;
    schema = NULL;
    return 0;
}

static void
schemas_that_name_headers(void **unused)
{
    (void)unused;
    CHECK_INT(make("\"a\":{\"type\":\"string\"}"), E_OK);
    CHECK(headers == NULL);
    CHECK_INT(make("\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"},"
                   "\"b\":{\"type\":\"integer\",\"x-mcp-header\":\"b-!#$%\"},"
                   "\"o\":{\"type\":\"object\",\"properties\":{\"c\":{\"type\":\"boolean\","
                   "\"x-mcp-header\":\"C\"}}}"),
              E_OK);
    CHECK(headers != NULL);
}

static void
schemas_that_clients_would_drop(void **unused)
{
    static const char *const bad[] = {
        "\"a\":{\"type\":\"string\",\"x-mcp-header\":\"\"}",
        "\"a\":{\"type\":\"string\",\"x-mcp-header\":7}",
        "\"a\":{\"type\":\"string\",\"x-mcp-header\":\"a b\"}",
        "\"a\":{\"type\":\"string\",\"x-mcp-header\":\"a:\"}",
        "\"a\":{\"type\":\"string\",\"x-mcp-header\":\"\\u00e9\"}",
        "\"a\":{\"type\":\"number\",\"x-mcp-header\":\"A\"}",
        "\"a\":{\"type\":\"object\",\"x-mcp-header\":\"A\"}",
        "\"a\":{\"type\":[\"string\"],\"x-mcp-header\":\"A\"}",
        "\"a\":{\"x-mcp-header\":\"A\"}",
        "\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"},"
        "\"b\":{\"type\":\"string\",\"x-mcp-header\":\"a\"}",
        "\"a\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}",
        "\"a\":{\"anyOf\":[{\"type\":\"string\",\"x-mcp-header\":\"A\"}]}",
        "\"a\":{\"not\":{\"properties\":{\"b\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}}",
        "\"a\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\",\"x-mcp-header\":"
        "\"A\"}}",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (make(bad[i]) != E_ARGUMENT) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

/* The headers of one request: "name=value" one after the other; a name may come again. */
static unsigned
find(const struct envelope *env, struct slice name, struct slice *value)
{
    unsigned found = 0;

    for (const char *const *row = env->transport_data; *row; row++) {
        size_t len = strcspn(*row, "=");
        if (name.len == len && memcmp(name.data, *row, len) == 0) {
            *value = found++ ? *value : slice_of(*row + len + 1);
        }
    }
    return found;
}

static enum err
check(const char *arguments, const char *const rows[])
{
    const struct envelope env = {
        .transport = TRANSPORT_HTTP, .param_header = find, .transport_data = rows};
    json_t *args = json_loads(arguments, 0, NULL);
    struct fault f = FAULT_INIT;
    enum err err = param_headers_check(headers, &env, args, &f);

    CHECK((err != E_OK) == (f.text[0] != '\0'));
    json_decref(args);
    return err;
}

#define S(VALUE) ((const char *const[]){"Mcp-Param-S=" VALUE, NULL})
#define I(VALUE) ((const char *const[]){"Mcp-Param-I=" VALUE, NULL})
#define B(VALUE) ((const char *const[]){"Mcp-Param-B=" VALUE, NULL})
#define NONE ((const char *const[]){NULL})

static void
headers_that_agree(void **unused)
{
    (void)unused;
    make("\"s\":{\"type\":\"string\",\"x-mcp-header\":\"S\"},"
         "\"i\":{\"type\":\"integer\",\"x-mcp-header\":\"I\"},"
         "\"o\":{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"boolean\","
         "\"x-mcp-header\":\"B\"}}}");
    CHECK_INT(check("{\"s\":\"us-west\"}", S("us-west")), E_OK);
    CHECK_INT(check("{\"s\":\"\"}", S("")), E_OK);
    CHECK_INT(check("{\"s\":\"Gr\\u00fc\\u00dfe\"}", S("=?base64?R3LDvMOfZQ==?=")), E_OK);
    CHECK_INT(check("{\"s\":\"=?base64?x\"}", S("=?base64?x")), E_OK);
    CHECK_INT(check("{\"s\":\"x?=\"}", S("x?=")), E_OK);
    CHECK_INT(check("{\"i\":42}", I("42")), E_OK);
    CHECK_INT(check("{\"i\":42}", I("42.0")), E_OK);
    CHECK_INT(check("{\"i\":-7}", I("-7")), E_OK);
    CHECK_INT(check("{\"o\":{\"b\":true}}", B("true")), E_OK);
    CHECK_INT(check("{\"o\":{\"b\":false}}", B("false")), E_OK);
    CHECK_INT(check("{}", NONE), E_OK);
    CHECK_INT(check("{\"s\":null}", NONE), E_OK);
    CHECK_INT(check("{}", ((const char *const[]){"Mcp-Param-Other=1", NULL})), E_OK);
}

static void
headers_that_do_not(void **unused)
{
    (void)unused;
    make("\"s\":{\"type\":\"string\",\"x-mcp-header\":\"S\"},"
         "\"i\":{\"type\":\"integer\",\"x-mcp-header\":\"I\"},"
         "\"b\":{\"type\":\"boolean\",\"x-mcp-header\":\"B\"}");
    CHECK_INT(check("{\"s\":\"a\"}", NONE), E_HEADERS);
    CHECK_INT(check("{\"s\":\"a\"}", S("A")), E_HEADERS);
    CHECK_INT(check("{\"s\":\"a\"}", S("=?base64?YQ?=")), E_HEADERS);
    CHECK_INT(check("{\"s\":\"a\"}", S("=?base64?Y!==?=")), E_HEADERS);
    CHECK_INT(check("{\"s\":\"\\u00e9\"}", S("\xc3\xa9")), E_HEADERS);
    CHECK_INT(
        check("{\"s\":\"a\"}", ((const char *const[]){"Mcp-Param-S=a", "Mcp-Param-S=b", NULL})),
        E_HEADERS);
    CHECK_INT(check("{}", S("a")), E_HEADERS);
    CHECK_INT(check("{\"s\":null}", S("")), E_HEADERS);
    CHECK_INT(check("{\"i\":42}", I("43")), E_HEADERS);
    CHECK_INT(check("{\"i\":42}", I("42x")), E_HEADERS);
    CHECK_INT(check("{\"i\":0}", I("")), E_HEADERS);
    CHECK_INT(check("{\"i\":16}", I("0x10")), E_HEADERS);
    CHECK_INT(check("{\"b\":true}", B("True")), E_HEADERS);
    CHECK_INT(check("{\"b\":true}", B("1")), E_HEADERS);
    CHECK_INT(check("{\"s\":[\"a\"]}", S("a")), E_HEADERS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemas_that_name_headers),
        cmocka_unit_test(schemas_that_clients_would_drop),
        cmocka_unit_test(headers_that_agree),
        cmocka_unit_test(headers_that_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
