/* test_json_place.c -- places of values in JSON texts. */
#include "tests/check.h"

#include "state/json_place.h"

static void
finds(const char *text, const char *path, unsigned line, unsigned column)
{
    struct json_place place = json_place(slice_of(text), path);

    if (place.line != line || place.column != column) {
        fail_msg("%s in %s: %u:%u", path, text, place.line, place.column);
    }
}

static void
values_are_found(void **state)
{
    const char *text =
        "{\n  \"a\": [1, {\"b\": \"x]\\\"}\"}, true],\n  \"\xC3\xA4\": 2, \"c\" : {\"a\":\n"
        "-1.5e3 , \"d\":null}\n}\n";

    (void)state;
    finds(text, "", 1, 1);
    finds(text, "/a", 2, 8);
    finds(text, "/a/0", 2, 9);
    finds(text, "/a/1", 2, 12);
    finds(text, "/a/1/b", 2, 18);
    finds(text, "/a/2", 2, 28);
    finds(text, "/\xC3\xA4", 3, 8);
    finds(text, "/c", 3, 17);
    finds(text, "/c/a", 4, 1);
    finds(text, "/c/d", 4, 14);
}

static void
what_is_not_there_gives_the_nearest(void **state)
{
    (void)state;
    finds(" {\"a\": [1]}", "/b", 1, 2);
    finds(" {\"a\": [1]}", "/a/1", 1, 8);
    finds(" {\"a\": [1]}", "/a/x/y", 1, 8);
    finds(" {\"a\": [1]}", "/a/0/y", 1, 9);
    finds("{}", "/a", 1, 1);
    finds("[]", "/0", 1, 1);
    finds("", "/0", 1, 1);
    finds("{\"a\": \"\\", "/b", 1, 1);
    finds("{\"a", "/a", 1, 5); /* Not JSON: some place, and no crash. */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found),
        cmocka_unit_test(what_is_not_there_gives_the_nearest),
    };

    return CHECK_RUN(tests);
}
