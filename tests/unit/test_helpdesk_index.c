/* test_helpdesk_index.c -- how a generation is filled, and how its passages get their vectors. */
#include "tests/check.h"

#include "state/helpdesk_index.h"
#include "tests/fake_embedder.h"

#include <math.h>
#include <stdio.h>

static enum err
add_vector(struct helpdesk_index *index, const char *text, const float *vector, unsigned dimension,
           struct fault *f)
{
    struct helpdesk_item item = {
        .text = slice_of(text), .source = "s", .vector = vector, .dimension = dimension};

    return helpdesk_index_add(index, &item, f);
}

static void
vectors_that_do_not_fit(void **unused)
{
    static const float good[8] = {1}, bad[8] = {0, (float)NAN};
    struct fault f = FAULT_INIT;
    struct fake_embedder embedder;
    struct helpdesk_index *index = helpdesk_index_create(10);

    (void)unused;
    fake_embedder_init(&embedder, 16);
    CHECK_INT(add_vector(index, "a", good, 8, &f), E_OK);
    CHECK_INT(add_vector(index, "b", good, 4, &f), E_REFUSED);
    CHECK_STR(f.text, "a vector has 4 numbers, the first had 8");
    CHECK_INT(add_vector(index, "c", bad, 8, &f), E_REFUSED);
    CHECK_STR(f.text, "number 2 of a vector is not finite");
    helpdesk_index_unref(index);
    index = helpdesk_index_create(10);
    CHECK_INT(add_vector(index, "a", good, 8, &f), E_OK);
    CHECK_INT(helpdesk_index_embed(index, &embedder.embedder, NULL, NULL, &f), E_REFUSED);
    CHECK_STR(f.text, "the index file has vectors of 8 numbers, the embedder makes 16");
    helpdesk_index_unref(index);
    index = helpdesk_index_create(1);
    CHECK_INT(add_vector(index, "a", good, 8, &f), E_OK);
    CHECK_INT(add_vector(index, "b", good, 8, &f), E_TOO_LARGE);
    helpdesk_index_unref(index);
    fake_embedder_fini(&embedder);
}

/* An embedder that tells its dimension only by what it makes. */
static void
a_dimension_that_is_not_known_before(void **unused)
{
    static const float given[16] = {1};
    struct fault f = FAULT_INIT;
    struct fake_embedder embedder;

    (void)unused;
    for (unsigned dimension = 8; dimension <= 16; dimension += 8) {
        struct helpdesk_index *index = helpdesk_index_create(10);

        fake_embedder_init(&embedder, dimension);
        atomic_store(&embedder.embedder.dimension, 0);
        CHECK_INT(add_vector(index, "given", given, 16, &f), E_OK);
        CHECK_INT(add_vector(index, "made", NULL, 0, &f), E_OK);
        CHECK_INT(helpdesk_index_embed(index, &embedder.embedder, NULL, NULL, &f),
                  dimension == 16 ? E_OK : E_REFUSED);
        helpdesk_index_unref(index);
        fake_embedder_fini(&embedder);
    }
}

/* More than one call of the embedder holds; a passage is found by the chunk that its words are in.
 */
static void
a_long_document_has_many_passages(void **unused)
{
    struct fault f = FAULT_INIT;
    struct fake_embedder embedder;
    struct helpdesk_index *index = helpdesk_index_create(1000), *next;
    struct buf text = BUF_INIT;
    struct helpdesk_word_hit hits[HELPDESK_WORDS_MAX];
    size_t count, number;

    (void)unused;
    fake_embedder_init(&embedder, 16);
    CHECK_INT(helpdesk_index_use_words(index, &f), E_OK);
    buf_adds(&text, "# Book\n\n");
    for (int i = 0; i < 70; i++) {
        buf_addf(&text, "## Chapter %d\n\n%s\n\n", i, i == 47 ? "the zeppelin" : "nothing new");
        for (int j = 0; j < 150; j++) {
            buf_adds(&text, "some more words ");
        }
        buf_adds(&text, "\n\n");
    }
    CHECK_INT(helpdesk_index_add_document(index, "first.md", SLICE("# First\n\nfirst\n"), NULL, &f),
              E_OK);
    CHECK_INT(helpdesk_index_add_document(index, "book.md", buf_slice(&text), NULL, &f), E_OK);
    CHECK_INT(helpdesk_index_embed(index, &embedder.embedder, NULL, NULL, &f), E_OK);
    CHECK_INT(helpdesk_words_finish(index->words, &f), E_OK);
    CHECK(index->count > 70);
    CHECK_INT(index->documents, 2);
    CHECK_INT(atomic_load(&embedder.texts), index->count);
    for (size_t i = 0; i < index->count; i++) {
        CHECK(index->passages[i].square > 0.99F && index->passages[i].square < 1.01F);
    }
    CHECK_INT(helpdesk_words_find(index->words, SLICE("zeppelin"), hits, &count, &f), E_OK);
    CHECK_INT(count, 1);
    number = helpdesk_index_number(index, &hits[0]);
    CHECK(strstr(index->passages[number].text, "zeppelin") != NULL);
    CHECK_STR(index->passages[number].heading, "Book > Chapter 47");
    hits[0].ordinal = 10000;
    CHECK_INT(helpdesk_index_number(index, &hits[0]), index->count);
    hits[0].first = 10000;
    CHECK_INT(helpdesk_index_number(index, &hits[0]), index->count);
    next = helpdesk_index_create(1000);
    CHECK_INT(helpdesk_index_add_document(next, "renamed.md", buf_slice(&text), NULL, &f), E_OK);
    CHECK_INT(helpdesk_index_embed(next, &embedder.embedder, index, NULL, &f), E_OK);
    CHECK_INT(next->reused, next->count);
    helpdesk_index_unref(next);
    helpdesk_index_unref(index);
    helpdesk_index_unref(NULL);
    buf_fini(&text);
    fake_embedder_fini(&embedder);
}

/* It fails in the middle: what waited to be embedded is let go of. */
static void
an_embedder_that_fails(void **unused)
{
    static const float given[8] = {1};
    struct fault f = FAULT_INIT;
    struct fake_embedder embedder;
    struct helpdesk_index *index = helpdesk_index_create(100);

    (void)unused;
    fake_embedder_init(&embedder, 8);
    CHECK_INT(add_vector(index, "given", given, 8, &f), E_OK);
    for (int i = 0; i < 40; i++) {
        CHECK_INT(add_vector(index, "made", NULL, 0, &f), E_OK);
    }
    atomic_store(&embedder.fails, E_TIMEOUT);
    CHECK_INT(helpdesk_index_embed(index, &embedder.embedder, NULL, NULL, &f), E_TIMEOUT);
    CHECK_STR(f.text, "the provider says no");
    CHECK_STR(index->embedder, "");
    helpdesk_index_unref(index);
    fake_embedder_fini(&embedder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_that_do_not_fit),
        cmocka_unit_test(a_dimension_that_is_not_known_before),
        cmocka_unit_test(a_long_document_has_many_passages),
        cmocka_unit_test(an_embedder_that_fails),
    };
    return CHECK_RUN(tests);
}
