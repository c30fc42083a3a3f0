/* test_late.c -- libraries that are there, that are not, and that lack something; many who come at
 * once. */
#include "tests/check.h"

#include "state/base/late.h"
#include "state/crypto.h"
#include "state/digest.h"
#include "tests/threads.h"

static unsigned told; /* How often the library was handed over. */

static void
count(void *handle)
{
    told += handle != NULL;
}

static const char *const names[] = {"floor", "fabs"};
static const char *const more[] = {"floor", "tandem_has_no_such_function"};

static double
call(struct late *late, size_t i, double x)
{
    void *at = late_call(late, i);
    double (*function)(double);

    memcpy(&function, &at, sizeof function);
    return function(x);
}

static void
its_functions_are_found_once(void **unused)
{
    static _Atomic(void *) calls[2];
    struct late late = {"libm.so.6", names, 2, calls, count, false};

    (void)unused;
    told = 0;
    CHECK(call(&late, 0, 3.5) == 3);
    CHECK(call(&late, 1, -2) == 2);
    CHECK(late_load(&late));
    CHECK_INT(told, 1);
}

static void
what_is_not_there_can_still_come(void **unused)
{
    static _Atomic(void *) calls[2];
    struct late late = {"libtandem-has-no-such.so.0", names, 2, calls, count, false};

    (void)unused;
    told = 0;
    CHECK(!late_load(&late));
    CHECK(!late_call(&late, 0));
    CHECK_INT(told, 0);
    late.file = "libm.so.6";
    CHECK(call(&late, 0, 2.5) == 2);
    CHECK_INT(told, 1);
}

static void
half_a_library_is_none(void **unused)
{
    static _Atomic(void *) calls[2];
    struct late late = {"libm.so.6", more, 2, calls, count, false};

    (void)unused;
    told = 0;
    CHECK(!late_load(&late));
    CHECK(!late_call(&late, 0));
    CHECK_INT(told, 0);
}

/* ---- libcrypto, by those who need it first ---- */

static void
make_digest(void *wrong, unsigned number)
{
    unsigned char digest[DIGEST_SIZE];
    char text[9] = "";

    (void)number;
    if (digest_make(SLICE("abc"), digest)) {
        digest_format(digest, text, sizeof text);
    }
    atomic_fetch_add((_Atomic unsigned *)wrong, strcmp(text, "ba7816bf") != 0);
}

static void
many_may_come_first(void **unused)
{
    _Atomic unsigned wrong = 0;

    (void)unused;
    threads_run(8, make_digest, &wrong);
    CHECK_INT(wrong, 0);
    CHECK(crypto_prepare());
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_functions_are_found_once),
        cmocka_unit_test(what_is_not_there_can_still_come),
        cmocka_unit_test(half_a_library_is_none),
        cmocka_unit_test(many_may_come_first),
    };

    return CHECK_RUN(tests);
}
