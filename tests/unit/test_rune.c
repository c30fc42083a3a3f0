/* test_rune.c -- code points in and out of UTF-8, and what kind of character they are. */
#include "tests/check.h"

#include "state/base/rune.h"
#include "tests/hostile.h"

static void
every_code_point_goes_there_and_back(void **unused)
{
    (void)unused;
    for (uint32_t rune = 0; rune <= 0x10FFFF; rune++) {
        char bytes[4];
        struct slice text = {bytes, rune_encode(rune, bytes)};
        uint32_t back = 0;
        bool surrogate = rune >= 0xD800 && rune <= 0xDFFF;
        size_t n = rune_decode(text, 0, &back);

        if (surrogate ? n != 0 : n != text.len || back != rune) {
            fail_msg("U+%04X", rune);
        }
        for (size_t cut = 1; !surrogate && cut < text.len; cut++) {
            CHECK_INT(rune_decode((struct slice){bytes, cut}, 0, &back), 0);
        }
    }
}

static void
judge(const struct hostile_case *c, void *arg)
{
    (void)arg;
    if (json_is_boolean(json_object_get(c->row, "valid")) &&
        memchr(c->bytes.data, '"', c->bytes.len) == NULL &&
        rune_valid(c->bytes) != json_is_true(json_object_get(c->row, "valid"))) {
        /* In JSON control characters are not valid; as UTF-8 they are. */
        for (size_t i = 0; i < c->bytes.len; i++) {
            if ((unsigned char)c->bytes.data[i] < 0x20 || c->bytes.data[i] == '\\') {
                return;
            }
        }
        fail_msg("%s", c->id);
    }
}

static void
bytes_that_are_no_text_are_known(void **unused)
{
    uint32_t rune;

    (void)unused;
    CHECK_INT(hostile_lines("own/utf8.jsonl", judge, NULL), 79);
    CHECK(rune_valid(SLICE_NONE));
    for (unsigned lead = 0x80; lead <= 0xFF; lead++) { /* None stands alone. */
        char byte = (char)lead;
        CHECK_INT(rune_decode((struct slice){&byte, 1}, 0, &rune), 0);
    }
    CHECK_INT(rune_decode(SLICE("\xF4\x90\x80\x80"), 0, &rune), 0); /* Above U+10FFFF. */
    CHECK_INT(rune_decode(SLICE("\xE0\x9F\xBF"), 0, &rune), 0);     /* Overlong. */
    CHECK_INT(rune_decode(SLICE("\xF0\x8F\xBF\xBF"), 0, &rune), 0);
}

static void
text_is_counted_and_cut_at_whole_characters(void **unused)
{
    static const char text[] =
        "a\xC3\xA9\xE2\x9C\x93\xF0\x9F\x98\x80z"; /* 1, 2, 3, 4 and 1 bytes. */
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

    (void)unused;
    CHECK_INT(rune_count(slice_of(text)), 5);
    CHECK_INT(rune_count(SLICE_NONE), 0);
    for (size_t max = 0; max < sizeof cuts / sizeof cuts[0]; max++) {
        CHECK_INT(rune_cut(slice_of(text), max), cuts[max]);
    }
}

static void
kinds_and_cases_are_known(void **unused)
{
    static const uint32_t letters[] = {'a',   'Z',   '0',   0xE9,   0xDF,
                                       0x3B1, 0x416, 0x5D0, 0x4E2D, 0xAC00};
    static const uint32_t others[] = {' ',    '_',    '-',    0xD7,   0xF7,
                                      0x2014, 0x20AC, 0x2713, 0x3002, 0x1F600};
    static const uint32_t spaces[] = {' ', '\t', '\n', 0xA0, 0x2003, 0x2028, 0x3000};
    static const uint32_t pairs[][2] = {{'a', 'A'},     {'z', 'Z'},     {0xE9, 0xC9},
                                        {0x3B1, 0x391}, {0x436, 0x416}, {0x451, 0x401},
                                        {0x101, 0x100}};

    (void)unused;
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        CHECK(rune_is_alnum(letters[i]) && !rune_is_space(letters[i]));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CHECK(!rune_is_alnum(others[i]));
    }
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        CHECK(rune_is_space(spaces[i]) && !rune_is_alnum(spaces[i]));
    }
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        CHECK_INT(rune_upper(pairs[i][0]), pairs[i][1]);
        CHECK_INT(rune_lower(pairs[i][1]), pairs[i][0]);
        CHECK_INT(rune_lower(pairs[i][0]), pairs[i][0]);
        CHECK_INT(rune_upper(pairs[i][1]), pairs[i][1]);
    }
    CHECK(rune_is_digit('7') && rune_is_digit(0xFF17) && !rune_is_digit('a'));
    CHECK_INT(rune_lower(0xD7), 0xD7); /* The signs between the letters have no case. */
    CHECK_INT(rune_upper(0xF7), 0xF7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_goes_there_and_back),
        cmocka_unit_test(bytes_that_are_no_text_are_known),
        cmocka_unit_test(text_is_counted_and_cut_at_whole_characters),
        cmocka_unit_test(kinds_and_cases_are_known),
    };
    return CHECK_RUN(tests);
}
