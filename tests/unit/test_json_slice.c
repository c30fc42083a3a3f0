/* test_json_slice.c -- members, elements, integers and strings out of JSON bytes, good and bad. */
#include "handlers/json_slice.h"

#include "tests/check.h"

static void
strings_are_unescaped_into_a_given_size(void **state)
{
    char out[16];

    (void)state;
    CHECK_INT(json_string_into(SLICE("\"\""), out, 1), 0);
    CHECK_STR(out, "");
    CHECK_INT(json_string_into(SLICE("\"abc\""), out, 4), 3);
    CHECK_STR(out, "abc");
    CHECK_INT(json_string_into(SLICE("\"abc\""), out, 3), -1);
    CHECK_INT(json_string_into(SLICE("\"abc\""), out, 0), -1);
    CHECK_INT(json_string_into(SLICE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), out, sizeof out), 8);
    CHECK_STR(out, "\"\\/\b\f\n\r\t");
    CHECK_INT(json_string_into(SLICE("\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00x\""), out, sizeof out),
              11);
    CHECK_STR(out, "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80x");
    CHECK_INT(json_string_into(SLICE("\"\\u007f\\u0080\\u07ff\\u0800\""), out, sizeof out), 8);
    CHECK_STR(out, "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80");
    CHECK_INT(json_string_into(SLICE("\"\\ud800\\udc00\\udbff\\udfff\""), out, sizeof out), 8);
    CHECK_STR(out, "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
}

static void
what_is_no_string_is_refused(void **state)
{
    static const char *const bad[] = {
        "",       "\"",          "abc",         "\"a",     "a\"",    "\"a\"b",       "\"a\" ",
        " \"a\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\x\"", "\"\n\"", "\"\xC0\x80\"", "1",
        "null",   "[\"a\"]",     "\"a\\\"",
    };
    struct buf b = BUF_INIT;
    char out[16];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(json_string_into(slice_of(bad[i]), out, sizeof out), -1);
        if (!strstr(bad[i], "u0000")) {
            CHECK(!json_string_add(slice_of(bad[i]), &b));
            CHECK(!json_string_is(slice_of(bad[i]), "a"));
        }
    }
    CHECK(!json_string_add(SLICE_NONE, &b) && b.len == 0);
    CHECK(json_string_add(SLICE("\"a\\u0000b\""), &b) && b.len == 3 && !memcmp(b.data, "a\0b", 3));
    b.limit = 4;
    CHECK(!json_string_add(SLICE("\"cd\""), &b) && b.failed);
    buf_fini(&b);
}

/* Where it lies if it can be; in the room, within its limit, if not. */
static void
what_a_string_says_is_read_in_place(void **state)
{
    static const char plain[] = "\"plain\"", escaped[] = "\"\\u0061b\"";
    struct buf room = {.limit = 5};
    struct slice said;

    (void)state;
    CHECK(json_string_said(slice_of(plain), &room, &said));
    CHECK(said.data == plain + 1 && slice_is(said, "plain") && !room.data);
    CHECK(!json_string_said(SLICE("\"longer\""), &room, &said));
    CHECK(!json_string_said(SLICE("\"open"), &room, &said));
    CHECK(json_string_said(slice_of(escaped), &room, &said));
    CHECK(said.data == room.data && slice_is(said, "ab"));
    buf_reset(&room);
    CHECK(!json_string_said(SLICE("\"\\nlonger\""), &room, &said));
    buf_fini(&room);
}

static void
strings_compare_unescaped(void **state)
{
    struct json_text a = {.raw = SLICE("a\\u0062\\u0063d"), .escaped = true};
    struct json_text b = {.raw = SLICE("\\u0061bc\\u0064"), .escaped = true};
    struct json_text c = {.raw = SLICE("abcd")}, d = {.raw = SLICE("abcde")};
    struct json_text broken = {.raw = SLICE("abc\\u00"), .escaped = true};
    char out[4];

    (void)state;
    CHECK(json_text_equal(&a, &b) && json_text_equal(&a, &c) && json_text_equal(&c, &b));
    CHECK(!json_text_equal(&a, &d) && !json_text_equal(&d, &a) && !json_text_equal(&c, &d));
    CHECK(json_text_hash(&a) == json_text_hash(&b) && json_text_hash(&a) == json_text_hash(&c));
    CHECK(json_text_hash(&a) != json_text_hash(&d));
    CHECK_INT(json_text_length(&a), 4);
    CHECK_INT(json_text_into(&a, out, 4), 4);
    CHECK_INT(json_text_into(&d, out, 4), -1);
    CHECK_INT(json_text_length(&broken), 3); /* Ends where it stops being a string. */
    CHECK(json_string_is(SLICE("\"\\u0061\""), "a"));
    CHECK(json_string_is(SLICE("\"\""), ""));
    CHECK(!json_string_is(SLICE("\"a\\u0000\""), "a"));
}

static void
integers_fit_64_bits_or_are_refused(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"7", 7},
        {"-7", -7},
        {"10", 10},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    static const char *const bad[] = {
        "",
        "-",
        "+1",
        "01",
        "-01",
        "00",
        "1.0",
        "1e2",
        "1 ",
        " 1",
        "1a",
        "\"1\"",
        "/",
        ":",
        "0x1",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999",
    };
    int64_t value;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK(json_slice_int(slice_of(good[i].text), &value) && value == good[i].value);
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!json_slice_int(slice_of(bad[i]), &value));
    }
}

static void
containers_are_walked(void **state)
{
    struct json_value value;
    struct json_iter it;
    struct slice name;

    (void)state;
    CHECK(json_iter_init(&it, SLICE(" { \"a\" : [1 , 2] , \"b\\n\":{} } ")));
    CHECK(json_iter_next(&it, &name, &value));
    CHECK(slice_is(name, "\"a\"") && slice_is(value.raw, "[1 , 2]") && value.kind == KIND_ARRAY);
    CHECK(json_iter_next(&it, &name, &value));
    CHECK(json_string_is(name, "b\n") && value.kind == KIND_OBJECT);
    CHECK(!json_iter_next(&it, &name, &value) && !it.broken);
    CHECK(name.len == 0 && value.kind == KIND_NONE);
    CHECK(!json_iter_next(&it, &name, &value));
    CHECK(json_iter_init(&it, SLICE("[1,\"x\",null]")));
    CHECK(json_iter_next(&it, &name, &value) && value.kind == KIND_INTEGER && name.len == 0);
    CHECK(json_iter_next(&it, NULL, &value) && slice_is(value.raw, "\"x\""));
    CHECK(json_iter_next(&it, NULL, &value) && value.kind == KIND_NULL);
    CHECK(!json_iter_next(&it, NULL, &value) && !it.broken);
    CHECK(!json_iter_init(&it, SLICE("1")) && it.broken && !json_iter_next(&it, &name, &value));
    CHECK(!json_iter_init(&it, SLICE_NONE) && !json_iter_next(&it, &name, &value));
    CHECK(json_iter_init(&it, SLICE("[1,?]")) && json_iter_next(&it, &name, &value));
    CHECK(!json_iter_next(&it, &name, &value) && it.broken && value.kind == KIND_NONE);
    CHECK(json_iter_init(&it, SLICE("{\"a\":1,")) && json_iter_next(&it, &name, &value));
    CHECK(!json_iter_next(&it, &name, &value) && it.broken);
    CHECK(!json_iter_next(&it, &name, &value));
}

static void
members_are_found_by_name(void **state)
{
    struct slice object = SLICE("{\"a\":1,\"\\u0062\":{\"c\":2},\"c\":3,\"c\":4}");
    struct json_value value;

    (void)state;
    CHECK(json_slice_member(object, "a", &value) && slice_is(value.raw, "1"));
    CHECK(json_slice_member(object, "b", &value) && slice_is(value.raw, "{\"c\":2}"));
    CHECK(json_slice_member(value.raw, "c", &value) && slice_is(value.raw, "2"));
    CHECK(json_slice_member(object, "c", &value) && slice_is(value.raw, "3"));
    CHECK(!json_slice_member(object, "A", &value) && value.kind == KIND_NONE);
    CHECK(!json_slice_member(SLICE("[\"a\"]"), "a", &value));
    CHECK(!json_slice_member(SLICE("{\"x\":?,\"a\":1}"), "a", &value));
    CHECK(!json_slice_member(SLICE_NONE, "a", &value));
}

/* As what scans it and then unescapes it: all escapes, at every distance from the end of 16 bytes.
 */
static void
a_string_is_read_again(void **state)
{
    static const char *const parts[] = {
        "",         "a",       "\\\"", "\\u00e9", "\\ud83d\\ude42",
        "\xC3\xA9", "\\u0000", "\\/",  "\\n\\t",  "0123456789abcdef"};
    (void)state;
    for (size_t lead = 0; lead < 40; lead++) {
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            struct buf text = BUF_INIT, room = BUF_INIT, other = BUF_INIT;
            struct json_scan s;
            struct slice said;

            buf_addf(&text, " \"%.*s%s%s\" ", (int)lead, "0123456789012345678901234567890123456789",
                     parts[i], lead % 3 ? "tail" : "");
            json_scan_init(&s, buf_slice(&text), NULL);
            CHECK(json_string_again(&s, &room, &said));
            CHECK(json_scan_end(&s));
            CHECK(json_string_add((struct slice){text.data + 1, text.len - 2}, &other));
            CHECK(said.len == other.len &&
                  !memcmp(said.data, other.data ? other.data : "", said.len));
            for (size_t cut = 0; cut + 2 < text.len; cut++) { /* None that is cut is one. */
                char *copy = xstrndup(text.data, cut);

                json_scan_init(&s, (struct slice){copy, cut}, NULL);
                CHECK(!json_string_again(&s, &room, &said));
                free(copy);
            }
            buf_fini(&text);
            buf_fini(&room);
            buf_fini(&other);
        }
    }
}

/* A long string says what its parts do, wherever they stand in it. */
static void
mixtures_say_what_their_parts_do(void **state)
{
    static const struct {
        const char *written, *says;
    } parts[] = {{"plain text, and ", "plain text, and "},
                 {"\\\"", "\""},
                 {"\\\\", "\\"},
                 {"\\/", "/"},
                 {"\\n", "\n"},
                 {"\\t", "\t"},
                 {"\\b", "\b"},
                 {"\\u00e9", "\xC3\xA9"},
                 {"\\u0022", "\""},
                 {"\\ud83d\\ude42", "\xF0\x9F\x99\x82"},
                 {"\xC3\xA9", "\xC3\xA9"},
                 {"a", "a"}};
    unsigned seed = 7;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct buf text = BUF_INIT, expected = BUF_INIT, room = BUF_INIT;
        struct slice said = SLICE_NONE;
        struct json_scan s;

        buf_addc(&text, '"');
        for (unsigned count = round % 120; count; count--) {
            size_t i;

            seed = seed * 1103515245u + 12345u;
            i = (seed >> 16) % (round % 2 ? sizeof parts / sizeof parts[0] : 6);
            buf_adds(&text, parts[i].written);
            buf_adds(&expected, parts[i].says);
        }
        buf_adds(&text, round % 5 ? "\"" : "\", \"and more that is not of this string\"");
        json_scan_init(&s, buf_slice(&text), NULL);
        CHECK(json_string_again(&s, &room, &said));
        CHECK(slice_equal(said, buf_slice(&expected)));
        CHECK(s.p[-1] == '"' && (round % 5 ? s.p == s.end : *s.p == ','));
        buf_fini(&text);
        buf_fini(&expected);
        buf_fini(&room);
    }
}

static void
without_room_no_string_is_read_again(void **state)
{
    struct buf room = {.limit = 4};
    struct json_scan s;
    struct slice said;
    (void)state;

    json_scan_init(&s, SLICE("\"plain and long\""), NULL);
    CHECK(json_string_again(&s, &room, &said)); /* It lies in the text. */
    CHECK(slice_is(said, "plain and long"));
    json_scan_init(&s, SLICE("\"a\\nb\""), NULL);
    CHECK(!json_string_again(&s, &room, &said));
    CHECK(room.failed);
    json_scan_init(&s, SLICE("7"), NULL);
    CHECK(!json_string_again(&s, &room, &said));
    buf_fini(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_string_says_is_read_in_place),
        cmocka_unit_test(strings_are_unescaped_into_a_given_size),
        cmocka_unit_test(what_is_no_string_is_refused),
        cmocka_unit_test(strings_compare_unescaped),
        cmocka_unit_test(integers_fit_64_bits_or_are_refused),
        cmocka_unit_test(containers_are_walked),
        cmocka_unit_test(members_are_found_by_name),
        cmocka_unit_test(a_string_is_read_again),
        cmocka_unit_test(mixtures_say_what_their_parts_do),
        cmocka_unit_test(without_room_no_string_is_read_again),
    };
    return CHECK_RUN(tests);
}
