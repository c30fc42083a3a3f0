/* What stands in a URI as it is, and what is encoded. */
#include "tests/check.h"

#include "state/uri.h"

static void
paths_are_encoded_but_for_their_slashes(void **state)
{
    static const struct {
        const char *path, *want;
    } cases[] = {
        {"", ""},
        {"a/b-c_d.e~f", "a/b-c_d.e~f"},
        {"a b%c", "a%20b%25c"},
        {"\xC3\xA9?#", "%C3%A9%3F%23"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT;

        uri_add_path(&out, slice_of(cases[i].path));
        CHECK_STR(out.data ? out.data : "", cases[i].want);
        buf_fini(&out);
    }
    CHECK(uri_is_unreserved('~') && !uri_is_unreserved('/') && !uri_is_unreserved('\0'));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_encoded_but_for_their_slashes),
    };
    return CHECK_RUN(tests);
}
