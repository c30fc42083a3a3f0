/* test_offers.c -- the text of URIs.  Pages are tested where they are listed: test_resources.c. */
#include "tests/check.h"

#include "handlers/offers.h"
#include "state/uri.h"

static void
paths_survive_a_uri(void **unused)
{
    static const char *const paths[] = {"a.md", "a b/c%d.md", "\xC3\xA4/\xE2\x9C\x93?#.md", "~-_."};

    (void)unused;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct buf uri = BUF_INIT, back = BUF_INIT;

        uri_add_path(&uri, slice_of(paths[i]));
        for (size_t at = 0; at < uri.len; at++) {
            CHECK(uri.data[at] > ' ' && uri.data[at] < 0x7F && !strchr("?#\"<>", uri.data[at]));
        }
        CHECK(offers_decode_path(buf_slice(&uri), &back));
        CHECK_STR(back.data, paths[i]);
        buf_fini(&uri);
        buf_fini(&back);
    }
}

static void
what_a_uri_must_encode_is_refused(void **unused)
{
    static const struct {
        const char *text, *want; /* Null: refused. */
    } cases[] = {
        {"a%2Fb", "a/b"}, {"a%2fb", "a/b"},   {"a%252Fb", "a%2Fb"}, {"a+b@c", "a+b@c"},
        {"%", NULL},      {"%2", NULL},       {"%2G", NULL},        {"%G2", NULL},
        {"%00", NULL},    {"a b", NULL},      {"a?b", NULL},        {"a#b", NULL},
        {"a\\b", NULL},   {"\xC3\xA4", NULL}, {"a\"b", NULL},       {"a%", NULL},
        {"%%41", NULL},   {"%u0041", NULL},   {"a\nb", NULL},       {"[a]", NULL},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT;

        if (offers_decode_path(slice_of(cases[i].text), &out) != (cases[i].want != NULL)) {
            fail_msg("%s", cases[i].text);
        }
        if (cases[i].want) {
            CHECK_STR(out.data, cases[i].want);
        }
        buf_fini(&out);
    }
}

static void
a_path_too_long_is_refused(void **unused)
{
    struct buf out = {.limit = 3};

    (void)unused;
    CHECK(!offers_decode_path(SLICE("a\0b"), &out));
    CHECK(!offers_decode_path(SLICE("abcd"), &out));
    buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_survive_a_uri),
        cmocka_unit_test(what_a_uri_must_encode_is_refused),
        cmocka_unit_test(a_path_too_long_is_refused),
    };
    return CHECK_RUN(tests);
}
