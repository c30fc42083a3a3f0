/* test_tenant_mask.c -- secrets are not told, and come back as they were. */
#include "tests/check.h"

#include "state/base/json_put.h"
#include "state/tenant_mask.h"

static void
names(void **unused)
{
    static const char *const secret[] = {
        "api_key", "API_KEY", "x_key",       "key",           "password",     "secret",     "token",
        "apiKey",  "apikey",  "db_password", "client_secret", "access-token", "private_key"};
    static const char *const plain[] = {"",           "keys",   "monkey",    "keyboard",
                                        "max_tokens", "tokens", "secretary", "name",
                                        "passwords",  "_",      "tokenizer"};

    (void)unused;
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++) {
        CHECK(tenant_key_is_secret(secret[i]));
    }
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        CHECK(!tenant_key_is_secret(plain[i]));
    }
}

static void
expect(json_t *tree, const char *want)
{
    struct buf text = BUF_INIT;

    json_write(&text, tree);
    CHECK_STR(text.data, want);
    buf_fini(&text);
    json_decref(tree);
}

static void
tenant_secrets_masked(void **unused)
{
    json_t *config = json_loads("{\"llm\":{\"api_key\":\"s\",\"deep\":[{\"token\":{\"a\":1}},[{"
                                "\"secret\":7,\"x\":\"y\"}]]},\"password\":null,\"n\":1}",
                                0, NULL);

    (void)unused;
    expect(tenant_mask(config), "{\"llm\":{\"api_key\":\"***\",\"deep\":[{\"token\":\"***\"},[{"
                                "\"secret\":\"***\",\"x\":\"y\"}]]},\"password\":null,\"n\":1}");
    json_decref(config);
}

static void
masked_means_unchanged(void **unused)
{
    json_t *stored = json_loads("{\"a\":{\"key\":\"1\",\"list\":[{\"token\":\"2\"}]}}", 0, NULL);
    json_t *config = json_loads("{\"a\":{\"key\":\"***\",\"list\":[{\"token\":\"***\"},{\"token\":"
                                "\"***\"}],\"name\":\"***\"},\"b\":{\"secret\":\"***\"},"
                                "\"password\":\"new\"}",
                                0, NULL);

    (void)unused;
    tenant_unmask(config, stored);
    expect(config, "{\"a\":{\"key\":\"1\",\"list\":[{\"token\":\"2\"},{}],\"name\":\"***\"},"
                   "\"b\":{},\"password\":\"new\"}");
    json_decref(stored);
}

static void
wiped_is_wiped(void **unused)
{
    json_t *config = json_loads("{\"a\":[{\"key\":\"abc\",\"token\":{\"x\":[\"def\"]},\"name\":"
                                "\"ghi\"}]}",
                                0, NULL);

    (void)unused;
    tenant_wipe(config);
    tenant_wipe(NULL);
    CHECK_STR(
        json_string_value(json_object_get(json_array_get(json_object_get(config, "a"), 0), "key")),
        "");
    CHECK_STR(
        json_string_value(json_object_get(json_array_get(json_object_get(config, "a"), 0), "name")),
        "ghi");
    json_decref(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(tenant_secrets_masked),
        cmocka_unit_test(masked_means_unchanged),
        cmocka_unit_test(wiped_is_wiped),
    };
    return CHECK_RUN(tests);
}
