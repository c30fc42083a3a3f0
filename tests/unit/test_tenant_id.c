/* test_tenant_id.c -- which ids are ids, and who is bound to which. */
#include "tests/check.h"

#include "state/tenant_id.h"

static void
ids(void **unused)
{
    static const char *const good[] = {"a", "0", "acme", "acme-2_x", "9lives", "default"};
    static const char *const bad[] = {
        "",       "-a",    "_a",   "A",   "acmE", "a.b",      "..",        ".",
        "a/b",    "../a",  "a b",  "a\n", "a%2e", "\xc3\xa4", "a\xcc\x80", "a\\b",
        "/etc/x", "a\x7f", "con:", "a,b", "a=b",  "%",        "\xff",      "a*",
    };
    char longest[66];

    (void)unused;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK(tenant_id_valid(slice_of(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!tenant_id_valid(slice_of(bad[i])));
    }
    CHECK(!tenant_id_valid(SLICE_NONE));
    CHECK(!tenant_id_valid((struct slice){"a\0b", 3}));
    memset(longest, 'a', sizeof longest);
    CHECK(tenant_id_valid((struct slice){longest, 64}));
    CHECK(!tenant_id_valid((struct slice){longest, 65}));
}

static void
lists_of_ids(void **unused)
{
    struct slice list = SLICE("  acme beta   c "), id;

    (void)unused;
    CHECK(tenant_ids_next(&list, &id) && slice_is(id, "acme"));
    CHECK(tenant_ids_next(&list, &id) && slice_is(id, "beta"));
    CHECK(tenant_ids_next(&list, &id) && slice_is(id, "c"));
    CHECK(!tenant_ids_next(&list, &id));
    list = SLICE_NONE;
    CHECK(!tenant_ids_next(&list, &id));
}

static void
expect_bound(const char *bindings, const char *principal, const char *want)
{
    struct buf out = BUF_INIT;

    tenant_bindings_find(bindings, slice_of(principal), &out);
    CHECK_STR(out.data ? out.data : "", want);
    buf_fini(&out);
}

static void
bindings(void **unused)
{
    static const char list[] = "token=acme, alice=beta,alice=gamma, https://i.example bob=delta,"
                               "q=r=eps, nonsense, x=NO";

    (void)unused;
    expect_bound("", "token", "");
    expect_bound(list, "token", "acme");
    expect_bound(list, "https://i.example alice", "beta gamma");
    expect_bound(list, "https://i.example bob", "delta");
    expect_bound(list, "https://other.example bob", "");
    expect_bound(list, "q=r", "eps");
    expect_bound(list, "x", "");
    expect_bound(list, "", "");
    expect_bound("*=shared,token=acme", "token", "acme");
    expect_bound("*=shared,token=acme", "anyone", "shared");
}

static void
bad_bindings_are_named(void **unused)
{
    struct slice bad;

    (void)unused;
    CHECK(tenant_bindings_valid("", &bad));
    CHECK(tenant_bindings_valid("token=acme,*=x", &bad));
    CHECK(!tenant_bindings_valid("token=acme,nothing", &bad) && slice_is(bad, "nothing"));
    CHECK(!tenant_bindings_valid("=acme", &bad) && slice_is(bad, "=acme"));
    CHECK(!tenant_bindings_valid("a=", &bad) && slice_is(bad, "a="));
    CHECK(!tenant_bindings_valid("a=../b", &bad) && slice_is(bad, "a=../b"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids),
        cmocka_unit_test(lists_of_ids),
        cmocka_unit_test(bindings),
        cmocka_unit_test(bad_bindings_are_named),
    };
    return CHECK_RUN(tests);
}
