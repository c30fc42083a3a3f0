/* test_search_synonyms.c -- lists of synonyms: ours, the user's, and what is no list. */
#include "state/search_synonyms.h"
#include "state/base/sql.h"
#include "state/search_words.h"
#include "tests/check.h"

static bool
take_hash(void *arg, const struct word *word)
{
    *(uint32_t *)arg = word->hash;
    return true;
}

static void
add_word(void *arg, const struct synonym *synonym)
{
    buf_addf(arg, "%s%s%s ", synonym->own ? "" : "-", synonym->form ? "=" : "", synonym->word);
}

static void
stand_for(const struct synonyms *s, const char *word, const char *expected)
{
    struct words *words;
    struct buf out = BUF_INIT;
    struct fault f = FAULT_INIT;
    uint32_t hash = 0;
    sqlite3 *db;

    CHECK_INT(sql_open(":memory:", true, &db, &f), E_OK);
    CHECK_INT(words_create(db, true, &words, &f), E_OK);
    CHECK(words_each(words, slice_of(word), take_hash, &hash));
    synonyms_each(s, hash, add_word, &out);
    CHECK_STR(out.data ? out.data : "", expected);
    buf_fini(&out);
    words_destroy(words);
    sql_close(db);
}

static void
groups_of_words(void **state)
{
    struct synonyms *s;
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK_INT(synonyms_create(SLICE("# ours\nzebra, quagga , okapi\n\nzebras, stripes # too\n"),
                              true, &s, &f),
              E_OK);
    stand_for(s, "zebra", "quagga okapi stripes ");
    stand_for(s, "Quaggas", "zebra okapi ");
    stand_for(s, "unheard", "");
    synonyms_destroy(s);
}

/* A word of the user's list is his, whatever ours say of it; his come first. */
static void
own_words_first(void **state)
{
    struct synonyms *s;
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK_INT(synonyms_create(SLICE("chart, figure\ndiagram = chart\n"), true, &s, &f), E_OK);
    stand_for(s, "chart", "figure =diagram -drawing ");
    stand_for(s, "diagram", "=chart -drawing ");
    stand_for(s, "wrote", "-=write -=written ");
    synonyms_destroy(s);
}

static void
lists_that_are_none(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *why;
    } cases[] = {
        {"a, b\n\nalone\n", 3, "a group of synonyms has one word only"},
        {"a1,a2,a3,a4,a5,a6,a7,a8,a9,b1,b2,b3,b4,b5,b6,b7,b8", 1,
         "a group of synonyms has more than 16 words"},
        {"\xff\n", 0, "the list of synonyms is not UTF-8"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct synonyms *s;
        struct fault f = FAULT_INIT;

        CHECK_INT(synonyms_create(slice_of(cases[i].text), true, &s, &f), E_REFUSED);
        CHECK(s == NULL);
        CHECK_STR(f.text, cases[i].why);
        CHECK_INT(f.line, cases[i].line);
    }
}

static void
too_long_a_list(void **state)
{
    char *text = xcalloc(1, 300 * 1024);
    struct synonyms *s;
    struct fault f = FAULT_INIT;

    (void)state;
    memset(text, '#', 300 * 1024 - 1);
    CHECK_INT(synonyms_create(slice_of(text), true, &s, &f), E_TOO_LARGE);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_of_words),
        cmocka_unit_test(own_words_first),
        cmocka_unit_test(lists_that_are_none),
        cmocka_unit_test(too_long_a_list),
    };
    return CHECK_RUN(tests);
}
