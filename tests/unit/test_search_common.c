/* test_search_common.c -- words that only ask, and forms of words that stems do not bring together.
 */
#include "state/search_common.h"
#include "state/search_synonyms_own.h"
#include "state/search_words.h"
#include "tests/check.h"

#include <stdio.h>

static void
words_that_only_ask(void **state)
{
    static const char *const common[] = {"a", "How", "SHOULD", "yourselves", "yourself", "zzz"};
    static const bool expected[] = {true, true, true, false, true, false};

    (void)state;
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
        CHECK_INT(search_is_common(slice_of(common[i])), expected[i]);
    }
    CHECK(!search_is_common(SLICE("")));
    CHECK(!search_is_common(SLICE("lock")));
    CHECK(!search_is_common(SLICE("a word that is longer than any")));
}

struct line {
    uint32_t hashes[8];
    size_t count;
};

static bool
take(void *arg, const struct word *word)
{
    struct line *line = arg;

    CHECK(line->count < 8);
    line->hashes[line->count++] = word->hash;
    return true;
}

/* A line of forms whose words have one stem, or that says a word twice, is idle. */
static void
no_form_is_idle(void **state)
{
    const char *at = search_forms_own;
    struct words *words;
    sqlite3 *db;
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK_INT(sql_open(":memory:", true, &db, &f), E_OK);
    CHECK_INT(words_create(db, true, &words, &f), E_OK);
    while (*at) {
        size_t len = strcspn(at, "\n");
        struct line line = {.count = 0};

        CHECK(words_each(words, (struct slice){at, len}, take, &line));
        CHECK(line.count >= 2);
        for (size_t i = 0; i < line.count; i++) {
            for (size_t j = 0; j < i; j++) {
                if (line.hashes[i] == line.hashes[j]) {
                    fprintf(stderr, "idle: %.*s\n", (int)len, at);
                    CHECK(false);
                }
            }
        }
        at += len + (at[len] == '\n');
    }
    words_destroy(words);
    sql_close(db);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_only_ask),
        cmocka_unit_test(no_form_is_idle),
    };
    return CHECK_RUN(tests);
}
