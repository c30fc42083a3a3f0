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

/* The shortest of 15 to 17 digits that give the same number again. */
static void
reals_are_written_as_they_are_read(void **unused)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.714, "0.714"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {0.5, "0.5"},
        {-0.3, "-0.3"},
        {12, "12.0"},
        {1e300, "1e+300"},
        {-1.7976931348623157e+308, "-1.7976931348623157e+308"},
        {5e-324, "4.94065645841247e-324"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {0, "0.0"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *list = json_array();
        struct buf out = BUF_INIT;
        char *text = xasprintf("[%s]", cases[i].text);

        json_add(list, json_real(cases[i].value));
        json_write(&out, list);
        CHECK_STR(out.data, text);
        CHECK_INT(json_size(list), out.len);
        CHECK(strtod(out.data + 1, NULL) == cases[i].value);
        free(text);
        buf_fini(&out);
        json_decref(list);
    }
}

/* What looks like a number in a string, or as a key, is text, and stays as it is. */
static void
text_is_not_taken_for_a_number(void **unused)
{
    static const char text[] = "{\"0.71399999999999997\":\"0.71399999999999997\",\"\\\"\":\"\\\"\","
                               "\"\\\\\":[0.714,\"0.29999999999999999\"]}";
    json_t *value = json_loads(text, 0, NULL);
    struct buf out = BUF_INIT;

    (void)unused;
    json_write(&out, value);
    CHECK_STR(out.data, text);
    CHECK_INT(json_size(value), out.len);
    buf_fini(&out);
    json_decref(value);
}

static void
what_is_measured_is_rounded(void **unused)
{
    json_t *object = json_object();
    struct buf out = BUF_INIT;

    (void)unused;
    json_put_real(object, "score", 16.297859092915115, 4);
    json_put_real(object, "ms", 0.24418100000000001, 3);
    json_put_real(object, "none", -1e-9, 0);
    json_write(&out, object);
    CHECK_STR(out.data, "{\"score\":16.2979,\"ms\":0.244,\"none\":-0.0}");
    buf_fini(&out);
    json_decref(object);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_made_valid),
        cmocka_unit_test(a_document_is_built),
        cmocka_unit_test(an_owned_member_leaves_the_old_document_alone),
        cmocka_unit_test(written_text_is_one_line_for_every_reader),
        cmocka_unit_test(reals_are_written_as_they_are_read),
        cmocka_unit_test(text_is_not_taken_for_a_number),
        cmocka_unit_test(what_is_measured_is_rounded),
    };
    return CHECK_RUN(tests);
}
