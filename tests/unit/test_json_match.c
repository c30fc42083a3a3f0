/* The matcher of the transcripts refuses what it should: a matcher that is pleased with anything
 * proves nothing. */
#include "tests/check.h"
#include "tests/json_match.h"

static bool
matches(const char *expected, const char *got, const char *said)
{
    json_t *e = json_loads(expected, JSON_DECODE_ANY, NULL);
    json_t *g = json_loads(got, JSON_DECODE_ANY, NULL);
    struct buf why = BUF_INIT;
    bool is;

    CHECK(e && g);
    is = json_match(e, g, &why);
    CHECK(is == (why.len == 0));
    CHECK(is == json_match(e, g, NULL));
    if (said) {
        CHECK_STR(why.data ? why.data : "", said);
    }
    buf_fini(&why);
    json_decref(e);
    json_decref(g);
    return is;
}

static void
plain_values_are_equal_or_not(void **state)
{
    (void)state;
    CHECK(matches("1", "1", ""));
    CHECK(!matches("1", "2", "another value wanted, got 2"));
    CHECK(!matches("1", "1.0", NULL));
    CHECK(!matches("1", "\"1\"", NULL));
    CHECK(!matches("null", "false", NULL));
    CHECK(matches("\"a\"", "\"a\"", ""));
    CHECK(!matches("\"a\"", "\"b\"", NULL));
    CHECK(!matches("\"a\"", "1", NULL));
}

static void
words_stand_for_values(void **state)
{
    (void)state;
    CHECK(matches("\"*\"", "null", ""));
    CHECK(matches("\"*int\"", "7", ""));
    CHECK(!matches("\"*int\"", "7.5", "*int, got 7.5"));
    CHECK(matches("\"*number\"", "7.5", ""));
    CHECK(!matches("\"*number\"", "\"7\"", NULL));
    CHECK(matches("\"*string\"", "\"x\"", ""));
    CHECK(!matches("\"*string\"", "null", NULL));
    CHECK(matches("\"*bool\"", "false", ""));
    CHECK(!matches("\"*bool\"", "0", NULL));
    CHECK(matches("\"*null\"", "null", ""));
    CHECK(matches("\"*object\"", "{\"a\":1}", ""));
    CHECK(!matches("\"*object\"", "[]", NULL));
    CHECK(matches("\"*array\"", "[1]", ""));
    CHECK(matches("\"~part\"", "\"a party\"", ""));
    CHECK(!matches("\"~part\"", "\"a pact\"", NULL));
    CHECK(matches("\"\\\\*\"", "\"*\"", ""));
    CHECK(!matches("\"\\\\*\"", "\"x\"", NULL));
}

static void
objects_have_at_least_what_is_named(void **state)
{
    (void)state;
    CHECK(matches("{\"a\":1}", "{\"b\":2,\"a\":1}", ""));
    CHECK(!matches("{\"a\":1}", "{\"b\":2}", "a: is not there"));
    CHECK(!matches("{\"a\":{\"b\":[1,{\"c\":2}]}}", "{\"a\":{\"b\":[1,{\"c\":3}]}}",
                   "a.b[1].c: another value wanted, got 3"));
    CHECK(!matches("{\"a\":\"!\"}", "{\"a\":null}", "a: must not be there, got null"));
    CHECK(matches("{\"a\":\"!\",\"b\":1}", "{\"b\":1}", ""));
    CHECK(matches("{}", "{}", ""));
    CHECK(!matches("{}", "{\"a\":1}", "a: was not expected, got 1"));
    CHECK(matches("{\"=\":\"\",\"a\":1}", "{\"a\":1}", ""));
    CHECK(!matches("{\"=\":\"\",\"a\":1}", "{\"a\":1,\"b\":2}", NULL));
    CHECK(!matches("{\"a\":1}", "[]", NULL));
}

static void
arrays_are_whole_open_or_in_any_order(void **state)
{
    (void)state;
    CHECK(matches("[1,2]", "[1,2]", ""));
    CHECK(!matches("[1,2]", "[2,1]", NULL));
    CHECK(!matches("[1]", "[1,2]", NULL));
    CHECK(!matches("[]", "[1]", NULL));
    CHECK(!matches("[1]", "1", NULL));
    CHECK(matches("[1,\"*\"]", "[1]", ""));
    CHECK(matches("[1,\"*\"]", "[1,2,3]", ""));
    CHECK(!matches("[1,\"*\"]", "[2,1]", NULL));
    CHECK(!matches("[1,\"*\"]", "[]", NULL));
    CHECK(matches("[\"~\",1,2]", "[2,1]", ""));
    CHECK(!matches("[\"~\",1,1]", "[1,2]", NULL));
    CHECK(!matches("[\"~\",1]", "[1,2]", NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_values_are_equal_or_not),
        cmocka_unit_test(words_stand_for_values),
        cmocka_unit_test(objects_have_at_least_what_is_named),
        cmocka_unit_test(arrays_are_whole_open_or_in_any_order),
    };
    return CHECK_RUN(tests);
}
