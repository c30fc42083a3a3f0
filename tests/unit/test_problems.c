/* Lists of problems: every one with its place, bounded, never null, always text. */
#include "tests/check.h"

#include "state/base/mem.h"
#include "state/base/problems.h"
#include "state/base/rune.h"

static void
problems_keep_their_place(void **state)
{
    struct problems p = PROBLEMS_INIT;

    (void)state;
    problems_add(&p, PROBLEM_ERROR, "gate.yaml", 3, 7, "unknown key '%s'", "checkz");
    problems_add(&p, PROBLEM_WARNING, NULL, 0, 0, "empty");
    CHECK_INT(p.count, 2);
    CHECK_INT(p.errors, 1);
    CHECK_INT(p.left_out, 0);
    CHECK_STR(p.items[0].file, "gate.yaml");
    CHECK_INT(p.items[0].line, 3);
    CHECK_INT(p.items[0].column, 7);
    CHECK_STR(p.items[0].text, "unknown key 'checkz'");
    CHECK(p.items[0].severity == PROBLEM_ERROR);
    CHECK_STR(p.items[1].file, "");
    CHECK(p.items[1].severity == PROBLEM_WARNING);
    problems_fini(&p);
    CHECK_INT(p.count, 0);
    problems_fini(&p);
    problems_add(NULL, PROBLEM_ERROR, "x", 1, 1, "nobody asked");
}

static void
a_hostile_file_cannot_fill_memory(void **state)
{
    struct problems p = PROBLEMS_INIT;

    (void)state;
    for (unsigned i = 0; i < 3 * PROBLEMS_MAX; i++) {
        problems_add(&p, i % 2 ? PROBLEM_ERROR : PROBLEM_WARNING, "f", i, 1, "number %u", i);
    }
    CHECK_INT(p.count, PROBLEMS_MAX);
    CHECK_INT(p.left_out, 2 * PROBLEMS_MAX);
    CHECK_INT(p.errors, 3 * PROBLEMS_MAX / 2);
    CHECK_INT(p.items[PROBLEMS_MAX - 1].line, PROBLEMS_MAX - 1);
    problems_fini(&p);
}

static void
long_and_broken_text_is_cut_and_mended(void **state)
{
    struct problems p = PROBLEMS_INIT;
    char text[1001];

    (void)state;
    memset(text, 0, sizeof text);
    for (size_t i = 0; i + 2 < sizeof text; i += 3) {
        memcpy(text + i, "\xE2\x82\xAC", 3);
    }
    problems_add(&p, PROBLEM_ERROR, "f", 1, 1, "%s", text);
    problems_add(&p, PROBLEM_ERROR, "f", 1, 1, "%s", "\xFFtail");
    CHECK(rune_valid(slice_of(p.items[0].text)));
    CHECK(strlen(p.items[0].text) > 500);
    CHECK_STR(p.items[1].text, "?tail");
    problems_fini(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_keep_their_place),
        cmocka_unit_test(a_hostile_file_cannot_fill_memory),
        cmocka_unit_test(long_and_broken_text_is_cut_and_mended),
    };
    return CHECK_RUN(tests);
}
