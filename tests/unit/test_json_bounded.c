/* test_json_bounded.c -- what is past the bounds never reaches the parser. */
#include "tests/check.h"

#include "state/json_bounded.h"

static bool
loads(const char *text, unsigned depth, unsigned values)
{
    const struct json_bounds bounds = {depth, values};
    json_t *value = json_load_bounded(slice_of(text), &bounds);
    bool loaded = value != NULL;

    json_decref(value);
    return loaded;
}

static void
depth_is_bounded(void **state)
{
    char deep[4001] = "";

    (void)state;
    CHECK(loads("{\"a\":[1,{\"b\":2}]}", 3, 100));
    CHECK(!loads("{\"a\":[1,{\"b\":2}]}", 2, 100));
    memset(deep, '[', 2000);
    memset(deep + 2000, ']', 2000);
    CHECK(!loads(deep, 8, 100000));
    /* Brackets in strings are text. */
    CHECK(loads("[\"[[[[\\\"[[[[\",\"\\\\\"]", 1, 100));
}

static void
values_are_bounded(void **state)
{
    (void)state;
    CHECK(loads("[1,2,3]", 1, 4));
    CHECK(!loads("[1,2,3]", 1, 3));
    CHECK(loads("{\"a\":\",,,,,\"}", 1, 2));
}

static void
what_is_no_json_is_none(void **state)
{
    static const char *const bad[] = {
        "",      "1",  "\"x\"",  "{", "}", "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}",
        "[1] x", "\"", "{\"a\\",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!loads(bad[i], 8, 100));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(values_are_bounded),
        cmocka_unit_test(what_is_no_json_is_none),
    };
    return CHECK_RUN(tests);
}
