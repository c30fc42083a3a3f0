/* test_tenant_expand.c -- variables, and which of them are nobody's business. */
#include "tests/check.h"

#include "state/base/json_put.h"
#include "state/tenant_expand.h"

static char one[] = "TENANT_ONE=eins",
            empty[] = "TENANT_EMPTY=", odd[] = "TENANT_ODD=${TENANT_ONE}",
            secret[] = "AWS_SECRET=s3cret", near[] = "TENANT_ONE_MORE=two", bare[] = "TENANT_BARE";
static char *const environment[] = {bare, near, one, empty, odd, secret, NULL};

static void
expect(const char *json, const char *want)
{
    const struct tenant_variables variables = {environment, "TENANT_*, EXACT"};
    json_t *value = json_loads(json, 0, NULL), *expanded = NULL;
    struct buf text = BUF_INIT;

    CHECK(value != NULL);
    CHECK_INT(tenant_expand(value, &variables, &expanded, NULL), E_OK);
    json_write(&text, expanded);
    CHECK_STR(text.data, want);
    buf_fini(&text);
    json_decref(expanded);
    json_decref(value);
}

static void
references(void **unused)
{
    (void)unused;
    expect("[\"${TENANT_ONE}\"]", "[\"eins\"]");
    expect("[\"a${TENANT_ONE}b${TENANT_ONE}\"]", "[\"aeinsbeins\"]");
    expect("[\"${TENANT_NO}\",\"${TENANT_NO:-}\",\"${TENANT_NO:-d e:f-}\"]",
           "[\"\",\"\",\"d e:f-\"]");
    expect("[\"${TENANT_EMPTY:-x}\"]", "[\"\"]"); /* It is set. */
    expect("[\"${TENANT_BARE:-x}\"]", "[\"x\"]");
    expect("[\"${TENANT_ODD}\"]", "[\"${TENANT_ONE}\"]"); /* What comes out is not looked at. */
    expect("{\"${TENANT_ONE}\":{\"a\":[[\"${TENANT_ONE_MORE}\"]],\"b\":[1,2.5,true,null]}}",
           "{\"${TENANT_ONE}\":{\"a\":[[\"two\"]],\"b\":[1,2.5,true,null]}}");
}

static void
nothing_else(void **unused)
{
    static const char *const same[] = {
        "[\"${AWS_SECRET}\"]",
        "[\"${AWS_SECRET:-x}\"]",
        "[\"$TENANT_ONE\"]",
        "[\"${TENANT_ONE\"]",
        "[\"${tenant_one}\"]",
        "[\"${}\"]",
        "[\"$\"]",
        "[\"${\"]",
        "[\"${1TENANT}\"]",
        "[\"${TENANT_ONE:x}\"]",
        "[\"${TENANT_ONE:}\"]",
        "[\"${EXACTLY}\"]",
        "[\"${TENANT ONE}\"]",
        "[\"\xc3\xa4$\"]",
        "[\"${TENAN}\"]",
        "[\"${ENT_ONE}\"]",
    };

    (void)unused;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        expect(same[i], same[i]);
    }
    expect("[\"$${TENANT_ONE}\",\"${${TENANT_ONE}}\"]", "[\"$eins\",\"${eins}\"]");
    expect("[\"${EXACT}\"]", "[\"\"]");
}

static void
what_was_expanded_goes_back(void **unused)
{
    const struct tenant_variables variables = {environment, "TENANT_*"};
    json_t *stored = json_loads("{\"a\":\"${TENANT_ONE}\",\"b\":[\"x\",\"${TENANT_ONE}y\"],\"c\":"
                                "{\"d\":\"${TENANT_ONE}\"},\"e\":\"plain\"}",
                                0, NULL);
    json_t *config = json_loads("{\"a\":\"eins\",\"b\":[\"eins\",\"einsy\",\"eins\"],\"c\":{"
                                "\"d\":\"zwei\",\"n\":\"eins\"},\"e\":\"plain\",\"f\":1}",
                                0, NULL);
    json_t *expanded = NULL;
    struct buf text = BUF_INIT;

    (void)unused;
    CHECK_INT(tenant_expand(stored, &variables, &expanded, NULL), E_OK);
    tenant_unexpand(config, stored, expanded);
    json_write(&text, config);
    CHECK_STR(text.data, "{\"a\":\"${TENANT_ONE}\",\"b\":[\"eins\",\"${TENANT_ONE}y\",\"eins\"],"
                         "\"c\":{\"d\":\"zwei\",\"n\":\"eins\"},\"e\":\"plain\",\"f\":1}");
    tenant_unexpand(config, NULL, NULL);
    tenant_unexpand(NULL, stored, expanded);
    buf_fini(&text);
    json_decref(expanded);
    json_decref(config);
    json_decref(stored);
}

static void
what_grows_too_much_is_refused(void **unused)
{
    size_t len = 64 * 1024;
    char *big = xcalloc(1, len + 32);
    char *list[] = {big, NULL};
    const struct tenant_variables variables = {list, "TENANT_*"}, none = {NULL, "*"};
    json_t *value = json_must(json_array()), *expanded = NULL;
    struct fault f = FAULT_INIT;

    (void)unused;
    memset(big, 'x', len);
    memcpy(big, "TENANT_BIG=", 11);
    for (int i = 0; i < 100; i++) {
        json_add(value, json_text("${TENANT_BIG}"));
    }
    CHECK_INT(tenant_expand(value, &variables, &expanded, &f), E_TOO_LARGE);
    CHECK(expanded == NULL);
    CHECK_INT(tenant_expand(value, &none, &expanded, &f), E_OK);
    json_decref(expanded);
    json_decref(value);
    free(big);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),
        cmocka_unit_test(nothing_else),
        cmocka_unit_test(what_was_expanded_goes_back),
        cmocka_unit_test(what_grows_too_much_is_refused),
    };
    return CHECK_RUN(tests);
}
