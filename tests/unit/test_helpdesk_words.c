/* test_helpdesk_words.c -- passages by the words of a question. */
#include "tests/check.h"

#include "state/helpdesk_words.h"

static struct helpdesk_words *
words_of(const char *const *texts, size_t count)
{
    struct helpdesk_words *w = NULL;

    CHECK_INT(helpdesk_words_create(&w, NULL), E_OK);
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(helpdesk_words_add(w, i * 100, "a/b.md", slice_of(texts[i]), NULL), E_OK);
    }
    CHECK_INT(helpdesk_words_finish(w, NULL), E_OK);
    return w;
}

static size_t
find(struct helpdesk_words *w, struct slice query, struct helpdesk_word_hit *hits)
{
    size_t count = 99;

    CHECK_INT(helpdesk_words_find(w, query, hits, &count, NULL), E_OK);
    return count;
}

static void
documents_are_found_by_their_first_number(void **unused)
{
    static const char *const texts[] = {"# Refunds\n\nMoney comes back.\n",
                                        "# Visas\n\nAsk the embassy.\n", "# Hours\n\nOpen.\n"};
    struct helpdesk_words *w = words_of(texts, 3);
    struct helpdesk_word_hit hits[HELPDESK_WORDS_MAX];
    static char long_one[10000];

    (void)unused;
    CHECK_INT(find(w, SLICE("which embassy"), hits), 1);
    CHECK(hits[0].first == 100 && hits[0].ordinal == 0);
    CHECK_INT(find(w, SLICE("when is it opened"), hits), 1); /* By the stem of the word. */
    CHECK_INT(hits[0].first, 200);
    CHECK_INT(find(w, SLICE("zeppelin"), hits), 0);
    CHECK_INT(find(w, SLICE("?!"), hits), 0);
    for (size_t i = 0; i + 2 < sizeof long_one; i += 2) {
        memcpy(long_one + i, "\xc3\xa9", 2);
    }
    CHECK_INT(find(w, slice_of(long_one), hits), 0);
    helpdesk_words_destroy(w);
}

static void
none_is_found_where_there_is_none(void **unused)
{
    struct helpdesk_words *w = words_of(NULL, 0);
    struct helpdesk_word_hit hits[HELPDESK_WORDS_MAX];

    (void)unused;
    CHECK_INT(find(w, SLICE("refund"), hits), 0);
    helpdesk_words_destroy(w);
    CHECK_INT(helpdesk_words_create(&w, NULL), E_OK); /* Given up before it is finished. */
    CHECK_INT(helpdesk_words_add(w, 0, "a", SLICE("refund"), NULL), E_OK);
    helpdesk_words_destroy(w);
    helpdesk_words_destroy(NULL);
}

static void
no_more_than_there_is_room_for(void **unused)
{
    const char *texts[2 * HELPDESK_WORDS_MAX];
    struct helpdesk_word_hit hits[HELPDESK_WORDS_MAX];
    struct helpdesk_words *w;

    (void)unused;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        texts[i] = "the same refund";
    }
    w = words_of(texts, sizeof texts / sizeof texts[0]);
    CHECK_INT(find(w, SLICE("refund"), hits), HELPDESK_WORDS_MAX);
    helpdesk_words_destroy(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_found_by_their_first_number),
        cmocka_unit_test(none_is_found_where_there_is_none),
        cmocka_unit_test(no_more_than_there_is_room_for),
    };
    return CHECK_RUN(tests);
}
