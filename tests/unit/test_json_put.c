/* test_json_put.c -- JSON that is built without an unchecked step, and written in one line. */
#include "tests/check.h"

#include "state/base/json_put.h"

static void
text_is_made_valid(void **unused)
{
    static const struct {
        struct slice in;
        const char *out;
    } cases[] = {
        {{"plain", 5}, "plain"},
        {{"", 0}, ""},
        {{NULL, 0}, ""},
        {{"\xE2\x9C\x93", 3}, "\xE2\x9C\x93"},
        {{"a\xFFz", 3}, "a\xEF\xBF\xBDz"},
        {{"\xE2\x9C", 2}, "\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* Cut. */
        {{"\xC0\xAF", 2}, "\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* Overlong. */
        {{"\xED\xA0\x80", 3}, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* A surrogate. */
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *value = json_text_slice(cases[i].in);

        CHECK_STR(json_string_value(value), cases[i].out);
        json_decref(value);
    }
    CHECK(json_is_null(json_text(NULL)));
}

static void
a_document_is_built(void **unused)
{
    json_t *object = json_object(), *list = json_array(), *copy;
    struct buf out = BUF_INIT;

    (void)unused;
    json_add(list, json_integer(1));
    json_put(object, "list", list);
    json_put_text(object, "text", "x");
    json_put_int(object, "int", -5);
    json_put_bool(object, "bool", true);
    copy = json_clone(object);
    json_add(list, json_true());
    json_write(&out, object);
    CHECK_STR(out.data, "{\"list\":[1,true],\"text\":\"x\",\"int\":-5,\"bool\":true}");
    CHECK_INT(json_size(object), out.len);
    buf_reset(&out);
    json_write(&out, copy);
    CHECK_STR(out.data, "{\"list\":[1],\"text\":\"x\",\"int\":-5,\"bool\":true}");
    CHECK(json_is_null(json_clone(NULL)));
    CHECK_INT(json_size(NULL), 0);
    buf_fini(&out);
    json_decref(copy);
    json_decref(object);
}

/* What is changed is copied on the way to it; the rest stays shared. */
static void
an_owned_member_leaves_the_old_document_alone(void **unused)
{
    json_t *old = json_pack("{s:{s:i}, s:[i]}", "a", "x", 1, "b", 2);
    json_t *next = json_copy(old);
    json_t *a = json_own(next, "a", json_object());

    (void)unused;
    json_put_int(a, "x", 9);
    CHECK_INT(json_integer_value(json_object_get(json_object_get(old, "a"), "x")), 1);
    CHECK_INT(json_integer_value(json_object_get(json_object_get(next, "a"), "x")), 9);
    CHECK(json_object_get(next, "b") == json_object_get(old, "b"));
    CHECK_INT(json_array_size(json_own(next, "a", json_array())), 0); /* Of another type. */
    CHECK_INT(json_object_size(json_own(next, "new", json_object())), 0);
    json_decref(next);
    json_decref(old);
}

static void
written_text_is_one_line_for_every_reader(void **unused)
{
    json_t *value =
        json_pack("[s, s, s]", "a\nb\r\xE2\x80\xA8", "\xE2\x80\xA9\xE2\x80\xA9", "\xE2\x80\xAA");
    struct buf out = BUF_INIT, small = {.limit = 8};

    (void)unused;
    json_write(&out, value);
    CHECK_STR(out.data, "[\"a\\nb\\r\\u2028\",\"\\u2029\\u2029\",\"\xE2\x80\xAA\"]");
    json_write(&small, value);
    CHECK(small.failed);
    buf_fini(&small);
    buf_fini(&out);
    json_decref(value);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_made_valid),
        cmocka_unit_test(a_document_is_built),
        cmocka_unit_test(an_owned_member_leaves_the_old_document_alone),
        cmocka_unit_test(written_text_is_one_line_for_every_reader),
    };
    return CHECK_RUN(tests);
}
