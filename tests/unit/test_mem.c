/* Buffers, slices, JSON strings, counted bytes; and the abort that loses nothing. */
#include "tests/check.h"

#include "state/base/mem.h"

#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sanitizers would end the program where malloc() returns null. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *
__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void
slices_compare_by_content(void **state)
{
    (void)state;
    CHECK(slice_is(SLICE("abc"), "abc"));
    CHECK(!slice_is(SLICE("abc"), "ab"));
    CHECK(!slice_is(SLICE("ab\0"), "ab"));
    CHECK(slice_is(SLICE_NONE, ""));
    CHECK(slice_equal(slice_of(NULL), SLICE("")));
    CHECK(slice_equal(SLICE("x\0y"), SLICE("x\0y")));
    CHECK(!slice_equal(SLICE("x\0y"), SLICE("x\0z")));
}

static void
numbers_are_digits_and_fit(void **state)
{
    uint64_t n = 1;

    (void)state;
    CHECK(slice_number(SLICE("0"), &n) && n == 0);
    CHECK(slice_number(SLICE("0042"), &n) && n == 42);
    CHECK(slice_number(SLICE("18446744073709551615"), &n) && n == UINT64_MAX);
    CHECK(!slice_number(SLICE("18446744073709551616"), &n));
    CHECK(!slice_number(SLICE("99999999999999999999"), &n));
    CHECK(!slice_number(SLICE(""), &n));
    CHECK(!slice_number(SLICE("-1"), &n));
    CHECK(!slice_number(SLICE("1 "), &n));
    CHECK(!slice_number(SLICE("1\0"), &n));
}

static void
copies_are_new_and_ended(void **state)
{
    char *a = xstrdup("text"), *b = xstrndup("text", 2), *c = xasprintf("%d %s", 7, "x");
    char *grown = xrealloc(NULL, 3), *none = xrealloc(NULL, 0), *zero = xcalloc(0, 8);
    char *empty = xstrndup(NULL, 0), *tried = try_malloc(0);

    (void)state;
    CHECK_STR(a, "text");
    CHECK_STR(b, "te");
    CHECK_STR(c, "7 x");
    CHECK_STR(empty, "");
    CHECK(none && zero && tried);
    memcpy(grown, "ab", 3);
    grown = xrealloc(grown, 100);
    CHECK_STR(grown, "ab");
    free(a);
    free(b);
    free(c);
    free(grown);
    free(none);
    free(zero);
    free(empty);
    free(tried);
}

static void
a_buffer_grows_and_is_always_ended(void **state)
{
    struct buf b = BUF_INIT;
    char expected[5001];

    (void)state;
    for (int i = 0; i < 5000; i++) {
        buf_addc(&b, (char)('a' + i % 26));
        expected[i] = (char)('a' + i % 26);
        CHECK_INT(b.data[b.len], 0);
    }
    expected[5000] = '\0';
    CHECK_STR(b.data, expected);
    CHECK(!b.failed);
    buf_reset(&b);
    CHECK_INT(b.len, 0);
    CHECK_STR(b.data, "");
    buf_addf(&b, "%s-%d", "x", 42);
    buf_add_slice(&b, SLICE("!"));
    buf_add(&b, NULL, 0);
    buf_add_int(&b, 0);
    CHECK_STR(b.data, "x-42!0");
    CHECK(slice_is(buf_slice(&b), "x-42!0"));
    buf_fini(&b);
    buf_fini(&b);
    CHECK(b.data == NULL);
    buf_reset(&b); /* Never filled. */
}

static void
numbers_are_exact_at_the_ends(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    buf_add_int(&b, INT64_MAX);
    buf_addc(&b, ' ');
    buf_add_int(&b, INT64_MIN);
    buf_addc(&b, ' ');
    buf_add_int(&b, -1);
    CHECK_STR(b.data, "9223372036854775807 -9223372036854775808 -1");
    buf_fini(&b);
}

static void
a_full_buffer_fails_once_and_for_all(void **state)
{
    struct buf b = {.limit = 8};

    (void)state;
    buf_adds(&b, "12345678");
    CHECK(!b.failed);
    buf_adds(&b, "9");
    CHECK(b.failed);
    CHECK_STR(b.data, "12345678");
    buf_add(&b, "", 1);
    CHECK_INT(b.len, 8);
    CHECK(buf_steal(&b) == NULL);
    CHECK(b.data == NULL && !b.failed); /* And it is empty again. */

    b.limit = 8;
    buf_addf(&b, "%s", "more than eight");
    CHECK(b.failed);
    CHECK_INT(b.len, 0);
    buf_reset(&b);
    CHECK(!b.failed);
    b.limit = 0;
    CHECK(!buf_reserve(&b, SIZE_MAX)); /* Sizes that wrap around are refused, not tried. */
    buf_reset(&b);
    CHECK(!buf_reserve(&b, SIZE_MAX / 2 + 10));
    buf_reset(&b);
    CHECK(!buf_reserve(&b, SIZE_MAX / 4)); /* More than there is. */
    buf_fini(&b);
}

static void
stolen_text_is_the_callers(void **state)
{
    struct buf b = BUF_INIT;
    char *text = buf_steal(&b);

    (void)state;
    CHECK_STR(text, "");
    free(text);
    buf_adds(&b, "kept");
    text = buf_steal(&b);
    CHECK_STR(text, "kept");
    CHECK(b.data == NULL && b.len == 0);
    free(text);
}

static char *
quoted(struct slice text)
{
    struct buf b = BUF_INIT;
    buf_add_json(&b, text);
    return buf_steal(&b);
}

static void
expect_quoted(struct slice text, const char *expected)
{
    char *got = quoted(text);
    CHECK_STR(got, expected);
    free(got);
}

static void
json_strings_split_no_line(void **state)
{
    (void)state;
    expect_quoted(SLICE(""), "\"\"");
    expect_quoted(SLICE_NONE, "\"\"");
    expect_quoted(SLICE("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
    expect_quoted(SLICE("\n\r\t\b\f"), "\"\\n\\r\\t\\u0008\\u000c\"");
    expect_quoted(SLICE("a\0b"), "\"a\\u0000b\"");
    expect_quoted(SLICE("\x7F\x1B[31m"), "\"\\u007f\\u001b[31m\"");
    expect_quoted(SLICE("\xC2\x9B"
                        "31m"),
                  "\"\\u009b31m\""); /* A terminal's CSI in one character. */
    expect_quoted(SLICE("x\xE2\x80\xA8y\xE2\x80\xA9"), "\"x\\u2028y\\u2029\"");
    expect_quoted(SLICE("\xE2\x82\xAC \xC3\xA9 \xF0\x9F\x99\x82"),
                  "\"\xE2\x82\xAC \xC3\xA9 \xF0\x9F\x99\x82\"");
    expect_quoted(SLICE("a\xFF"
                        "b\xE2\x82"),
                  "\"a\xEF\xBF\xBD"
                  "b\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

/* What is plain is copied whole: of any length, into what is there, and held to a limit as all is.
 */
static void
plain_strings_are_quoted(void **state)
{
    static const char plain[] = "the quick brown fox jumps over the lazy dog, and once more";

    (void)state;
    for (size_t len = 0; len < sizeof plain; len++) {
        struct buf b = BUF_INIT, exact = {.limit = 1 + len + 2}, less = {.limit = 1 + len + 1};
        struct buf *const all[] = {&b, &exact, &less};
        char *expected = xasprintf("x\"%.*s\"", (int)len, plain);

        for (size_t i = 0; i < 3; i++) {
            buf_addc(all[i], 'x');
            buf_add_json(all[i], (struct slice){plain, len});
        }
        CHECK_STR(b.data, expected);
        CHECK_STR(exact.data, expected);
        CHECK(!b.failed && !exact.failed && less.failed && less.len <= less.limit);
        buf_add_json(&less, SLICE("a"));
        CHECK(less.failed && less.len <= less.limit);
        for (size_t i = 0; i < 3; i++) {
            buf_fini(all[i]);
        }
        free(expected);
    }
}

/* A long text is quoted as its characters are one by one, wherever they stand, and whether it is
 * written where it goes or, for a limit, beside. */
static void
mixtures_are_quoted_as_their_parts(void **state)
{
    static const char *const parts[] = {"a",
                                        "plain text, and ",
                                        "\"",
                                        "\\",
                                        "\n",
                                        "\x01",
                                        "\x7F",
                                        "\xC2\x85",
                                        "\xC2\xA0",
                                        "\xC3\xA9",
                                        "\xDF\xBF",
                                        "\xE0\xA0\x80",
                                        "\xE2\x80\x94",
                                        "\xE2\x80\xA8",
                                        "\xE2\x80\xA9",
                                        "\xE2\x82\xAC",
                                        "\xED\x9F\xBF",
                                        "\xED\xA0\x80",
                                        "\xEF\xBC\x8C",
                                        "\xF0\x9F\x99\x82",
                                        "\xFF",
                                        "\xC3(",
                                        "\xE2\x82(",
                                        "\xC0\x80",
                                        "0123456789abcdef"};
    unsigned seed = 7;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct buf text = BUF_INIT, expected = BUF_INIT, exact, less;
        char *got;

        buf_addc(&expected, '"');
        for (unsigned count = round % 300; count; count--) {
            const char *part;

            seed = seed * 1103515245u + 12345u;
            part = parts[(seed >> 16) % (sizeof parts / sizeof parts[0])];
            part = round % 3 ? part : parts[(seed >> 20) % 2 ? 9 : 1]; /* Or of few kinds. */
            buf_adds(&text, part);
            got = quoted(slice_of(part));
            buf_add(&expected, got + 1, strlen(got) - 2);
            free(got);
        }
        buf_addc(&expected, '"');
        got = quoted(buf_slice(&text));
        CHECK_STR(got, expected.data);
        exact = (struct buf){.limit = expected.len};
        less = (struct buf){.limit = expected.len - 1};
        buf_add_json(&exact, buf_slice(&text));
        buf_add_json(&less, buf_slice(&text));
        CHECK_STR(exact.data, expected.data);
        CHECK(less.failed && less.len <= less.limit);
        free(got);
        buf_fini(&text);
        buf_fini(&expected);
        buf_fini(&exact);
        buf_fini(&less);
    }
}

/* Whatever the bytes, a parser takes the string; and what was valid comes back as it was. */
static void
json_strings_are_json(void **state)
{
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        char text[24];
        char *got;
        json_t *value;

        for (size_t i = 0; i < sizeof text; i++) {
            seed = seed * 1103515245u + 12345u;
            text[i] = (char)(round % 2 ? seed >> 16 & 0x7F : seed >> 16);
        }
        got = quoted((struct slice){text, sizeof text});
        value = json_loads(got, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        CHECK(value != NULL);
        if (round % 2) {
            CHECK_INT(json_string_length(value), sizeof text);
            CHECK(memcmp(json_string_value(value), text, sizeof text) == 0);
        }
        for (const char *p = got; *p; p++) {
            CHECK((unsigned char)*p >= 0x20);
        }
        json_decref(value);
        free(got);
    }
}

static void *
ref_and_unref(void *arg)
{
    struct bytes *b = arg;

    for (int i = 0; i < 10000; i++) {
        bytes_unref(bytes_ref(b));
    }
    bytes_unref(b);
    return NULL;
}

static void
bytes_live_until_the_last_lets_go(void **state)
{
    struct bytes *b = bytes_new("a\0b", 3), *own = bytes_new(NULL, 4), *none = bytes_new("", 0);
    pthread_t threads[8];

    (void)state;
    CHECK_INT(b->len, 3);
    CHECK(memcmp(b->data, "a\0b", 4) == 0);
    CHECK_INT(own->data[4], 0);
    CHECK_STR(none->data, "");
    bytes_unref(own);
    bytes_unref(none);
    bytes_unref(NULL);
    CHECK(bytes_new(NULL, SIZE_MAX) == NULL);
    for (int i = 0; i < 8; i++) {
        pthread_create(&threads[i], NULL, ref_and_unref, bytes_ref(b));
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(b->refs, 1);
    bytes_unref(b);
}

/* A child that runs out of memory says so and aborts. */
static void
check_aborts(void *(*allocate)(void))
{
    char said[256] = "";
    int out[2], status;
    pid_t child;

    CHECK_INT(pipe(out), 0);
    child = fork();
    if (child == 0) {
        dup2(out[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        free(allocate());
        _exit(0);
    }
    close(out[1]);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(read(out[0], said, sizeof said - 1) > 0);
    close(out[0]);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(strstr(said, "out of memory") != NULL);
}

static void *
too_many(void)
{
    volatile size_t count = SIZE_MAX / 2;
    return xcalloc(count, 4);
}

static void *
too_large(void)
{
    volatile size_t size = SIZE_MAX / 2;
    return xrealloc(NULL, size);
}

static void
no_memory_for_small_things_aborts(void **state)
{
    (void)state;
    check_aborts(too_many);
    check_aborts(too_large);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare_by_content),
        cmocka_unit_test(numbers_are_digits_and_fit),
        cmocka_unit_test(copies_are_new_and_ended),
        cmocka_unit_test(a_buffer_grows_and_is_always_ended),
        cmocka_unit_test(numbers_are_exact_at_the_ends),
        cmocka_unit_test(a_full_buffer_fails_once_and_for_all),
        cmocka_unit_test(stolen_text_is_the_callers),
        cmocka_unit_test(json_strings_split_no_line),
        cmocka_unit_test(plain_strings_are_quoted),
        cmocka_unit_test(mixtures_are_quoted_as_their_parts),
        cmocka_unit_test(json_strings_are_json),
        cmocka_unit_test(bytes_live_until_the_last_lets_go),
        cmocka_unit_test(no_memory_for_small_things_aborts),
    };
    return CHECK_RUN(tests);
}
