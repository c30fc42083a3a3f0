/* test_json_tree.c -- trees as jansson's own reader builds them, of hostile and of random texts;
 * and what is refused.
 *
 * Where the two differ, on purpose: jansson takes a NUL byte as the end of the text after a number,
 * and goes deeper. */
#include "handlers/json_tree.h"

#include "handlers/json_slice.h"
#include "state/base/json_put.h"
#include "tests/check.h"
#include "tests/hostile.h"

static struct json_tree_flaw flaw;

/* What a scan has let pass is read the second time as it was read before, and refused for the same;
 * what it has not is read within its bounds, whatever comes of it. */
static void
agree_again(const struct hostile_case *c, const json_t *ours)
{
    const struct json_tree_flaw before = flaw;
    char *copy = try_malloc(c->bytes.len ? c->bytes.len : 1); /* For AddressSanitizer. */
    struct json_value value;
    struct json_scan scan;
    json_t *again;

    CHECK(copy != NULL);
    memcpy(copy, c->bytes.data, c->bytes.len);
    json_scan_init(&scan, c->bytes, NULL);
    again = json_tree_again((struct slice){copy, c->bytes.len}, &flaw);
    if (json_scan_value(&scan, &value) && json_scan_end(&scan) && !scan.flaw) {
        if (!again != !ours || (ours && !json_equal(again, (json_t *)(uintptr_t)ours))) {
            fail_msg("%s: read again it is another", c->id);
        } else if (!ours && (strcmp(flaw.text, before.text) != 0 || flaw.at != before.at)) {
            fail_msg("%s: refused again for another reason: %s", c->id, flaw.text);
        }
    }
    json_decref(again);
    free(copy);
}

static void
agree(const struct hostile_case *c, void *arg)
{
    json_error_t error;
    json_t *theirs =
        json_loadb(c->bytes.data, c->bytes.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    json_t *ours = json_tree(c->bytes, &flaw);

    (void)arg;
    if (ours && !theirs) {
        fail_msg("%s: jansson refuses it: %s", c->id, error.text);
    } else if (!ours && theirs) {
        if (!strstr(flaw.text, "too deep") && !memchr(c->bytes.data, 0, c->bytes.len)) {
            fail_msg("%s: jansson takes it, not so json_tree(): %s", c->id, flaw.text);
        }
    } else if (ours && !json_equal(ours, theirs)) {
        fail_msg("%s: the trees differ", c->id);
    }
    agree_again(c, ours);
    json_decref(ours);
    json_decref(theirs);
}

static void
hostile_texts_are_read_as_jansson_reads_them(void **state)
{
    (void)state;
    CHECK_INT(hostile_files("json", agree, NULL), 318);
    CHECK_INT(hostile_files("json-transform", agree, NULL), 22);
}

/* What was written is read again as it was, wherever its odd characters lie: the pieces in which
 * strings are read and written must not show. */
static void
what_is_written_is_read_again(void **state)
{
    static const char *const parts[] = {"plain text of some length, ",
                                        "\"",
                                        "\\",
                                        "\n",
                                        "\x01",
                                        "\x7F",
                                        "\xC3\xA9",
                                        "\xE2\x80\xA8",
                                        "\xF0\x9F\x99\x82",
                                        "/"};
    unsigned seed = 7;

    (void)state;
    for (int round = 0; round < 500; round++) {
        struct buf text = BUF_INIT, written = BUF_INIT;
        json_t *document = json_object(), *again;

        while (text.len < (size_t)(round * 3)) {
            seed = seed * 1103515245u + 12345u;
            buf_adds(&text, parts[(seed >> 16) % (sizeof parts / sizeof parts[0])]);
        }
        json_put(document, text.data ? text.data : "", json_text_slice(buf_slice(&text)));
        json_put(document, "more", json_pack("[i, f, b, b, n, {}, []]", round, 0.1, 1, 0));
        json_write(&written, document);
        again = json_tree(buf_slice(&written), &flaw);
        CHECK(again && json_equal(again, document));
        json_decref(again);
        again = json_tree_again(buf_slice(&written), &flaw);
        CHECK(again && json_equal(again, document));
        json_decref(again);
        again = json_loadb(written.data, written.len, 0, NULL);
        CHECK(again && json_equal(again, document));
        json_decref(again);
        json_decref(document);
        buf_fini(&written);
        buf_fini(&text);
    }
}

static void
what_no_tree_can_hold_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *why;
        size_t at;
        bool nul;
    } cases[] = {
        {"{\"a\":1,\"b\":{},\"\\u0061\":2}", "an object has a name twice", 15, false},
        {"[{\"a\":1,\"a\":2}]", "an object has a name twice", 9, false},
        {"[\"x\\u0000\"]", "it holds the character U+0000", 2, true},
        {"{\"x\\u0000\":1}", "a name holds the character U+0000", 2, false},
        {"[9223372036854775808]", "an integer is too large", 1, false},
        {"[1,-9223372036854775809]", "an integer is too large", 3, false},
        {"[1e999]", "a number is out of range", 1, false},
        {"[1,]", "a value was expected", 3, false},
        {"[1 2]", "',' or ']' was expected", 3, false},
        {"{\"a\" 1}", "':' was expected", 5, false},
        {"{\"a\":1 2}", "',' or '}' was expected", 7, false},
        {"[\"\t\"]", "a control character in a string must be escaped", 2, false},
        {"[1] 2", "there is more text after the end of the value", 4, false},
        {"", "the text ends in the middle of a value", 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK(!json_tree(slice_of(cases[i].text), &flaw));
        CHECK_STR(flaw.text, cases[i].why);
        CHECK_INT(flaw.at, cases[i].at);
        CHECK(flaw.nul == cases[i].nul && !flaw.memory);
    }
}

static void
the_ends_of_the_integers_are_read(void **state)
{
    json_t *tree = json_tree(SLICE("[9223372036854775807,-9223372036854775808,-0,\"\"]"), &flaw);

    (void)state;
    CHECK(json_integer_value(json_array_get(tree, 0)) == INT64_MAX);
    CHECK(json_integer_value(json_array_get(tree, 1)) == INT64_MIN);
    CHECK(json_is_integer(json_array_get(tree, 2)));
    CHECK_INT(json_string_length(json_array_get(tree, 3)), 0);
    json_decref(tree);
}

/* As deep as a scan goes, and one deeper. */
static void
depth_is_bounded(void **state)
{
    char text[2 * (JSON_DEPTH_TOP + 1)];

    (void)state;
    for (size_t depth = JSON_DEPTH_TOP; depth <= JSON_DEPTH_TOP + 1; depth++) {
        json_t *tree;

        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        tree = json_tree((struct slice){text, 2 * depth}, &flaw);
        CHECK((tree != NULL) == (depth == JSON_DEPTH_TOP));
        json_decref(tree);
    }
}

/* ---- Without memory ---- */

static unsigned left;

static void *
allocate(size_t size)
{
    return left ? left--, malloc(size) : NULL;
}

static void
each_lack_of_memory_is_told(void **state)
{
    static const char text[] = "{\"a\":[1,\"x\",\"\\n\",{\"\\u0041\":true}],\"b\":12}";
    unsigned allocations = 0;
    json_t *tree = NULL;

    (void)state;
    json_set_alloc_funcs(allocate, free);
    for (; !tree; allocations++) {
        left = allocations;
        tree = json_tree(slice_of(text), &flaw);
        CHECK(tree || flaw.memory);
        CHECK(allocations < 100);
    }
    CHECK(allocations > 10);
    json_decref(tree);
    json_set_alloc_funcs(malloc, free);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_texts_are_read_as_jansson_reads_them),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(what_no_tree_can_hold_is_refused_with_its_place),
        cmocka_unit_test(the_ends_of_the_integers_are_read),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(each_lack_of_memory_is_told),
    };

    return CHECK_RUN(tests);
}
