/* test_seal.c -- what is sealed opens again, and nothing else does. */
#include "tests/check.h"

#include "handlers/seal.h"

#include <string.h>

#define SECRET SLICE("0123456789abcdef0123456789abcdef")

/* Whether 'sealed' opens; then it must say 'want'. */
static bool
opens(const struct seal *s, struct slice sealed, const char *want)
{
    struct buf text = BUF_INIT;
    struct fault f = FAULT_INIT;
    enum err err = seal_open(s, sealed, &text, &f);

    if (err) {
        CHECK_INT(err, E_PARAMS);
        CHECK_INT(text.len, 0);
    } else {
        CHECK(slice_is(buf_slice(&text), want));
    }
    buf_fini(&text);
    return !err;
}

static struct buf
closed(const struct seal *s, const char *text)
{
    struct buf out = BUF_INIT;

    CHECK_INT(seal_close(s, slice_of(text), &out, NULL), E_OK);
    CHECK(strncmp(out.data, "v1.", 3) == 0);
    return out;
}

static void
opens_what_it_closed(void **unused)
{
    static const char *const texts[] = {"", "a", "{\"sub\":\"x\"}", "four", "\xC3\xA9\n\t"};
    struct seal *s = seal_create(SLICE_NONE), *other = seal_create(SLICE_NONE);

    (void)unused;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf one = closed(s, texts[i]), two = closed(s, texts[i]);

        CHECK(opens(s, buf_slice(&one), texts[i]));
        CHECK(!opens(other, buf_slice(&one), NULL));
        CHECK(!slice_equal(buf_slice(&one), buf_slice(&two))); /* A nonce of its own. */
        buf_fini(&one);
        buf_fini(&two);
    }
    seal_destroy(s);
    seal_destroy(other);
    seal_destroy(NULL);
}

static void
replicas_with_one_secret_open_each_others(void **unused)
{
    struct seal *a = seal_create(SECRET), *b = seal_create(SECRET);
    struct buf text = closed(a, "hello");

    (void)unused;
    CHECK(opens(b, buf_slice(&text), "hello"));
    buf_fini(&text);
    seal_destroy(a);
    seal_destroy(b);
}

/* Every character changed, every cut, everything appended: none opens. */
static void
nothing_changed_opens(void **unused)
{
    struct seal *s = seal_create(SECRET);
    struct buf text = closed(s, "{\"exp\":1}");
    char *copy = xstrndup(text.data, text.len);

    (void)unused;
    for (size_t i = 0; i < text.len; i++) {
        for (const char *c = "A_-z9.=+ "; *c; c++) {
            if (*c != text.data[i]) {
                copy[i] = *c;
                CHECK(!opens(s, slice_of(copy), NULL));
            }
        }
        copy[i] = text.data[i];
        CHECK(!opens(s, (struct slice){copy, i}, NULL));
    }
    buf_adds(&text, "-TAMPERED");
    CHECK(!opens(s, buf_slice(&text), NULL));
    CHECK(!opens(s, SLICE("v1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), NULL));
    CHECK(!opens(s, SLICE_NONE, NULL));
    free(copy);
    buf_fini(&text);
    seal_destroy(s);
}

static void
digests_tell_texts_apart(void **unused)
{
    char a[SEAL_DIGEST_SIZE], b[SEAL_DIGEST_SIZE];

    (void)unused;
    seal_digest(SLICE("abc"), a);
    seal_digest(SLICE("abd"), b);
    CHECK_STR(a, "ba7816bf8f01cfea414140de5dae2223"); /* FIPS 180-2, its first half. */
    CHECK(strcmp(a, b) != 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_what_it_closed),
        cmocka_unit_test(replicas_with_one_secret_open_each_others),
        cmocka_unit_test(nothing_changed_opens),
        cmocka_unit_test(digests_tell_texts_apart),
    };
    return CHECK_RUN(tests);
}
