/* test_search_fields.c -- what of a passage is tokenized, and its words as they are stored: what is
 * damaged is told from what there was no memory for, as the one costs the index and the other must
 * not. */
#include "state/search_private.h"
#include "tests/check.h"

#define WORDS 3u

/* The stored form: how many words each field has, then their hashes. */
struct stored {
    uint32_t counts[FIELD_COUNT], hashes[WORDS];
};
static const struct stored whole = {.counts = {[FIELD_BODY] = WORDS}, .hashes = {7, 8, 9}};

static enum err
read_stored(const void *bytes, size_t len, struct buf *room, struct fault *f)
{
    struct rank_words words;
    enum err err = search_words_read((struct slice){bytes, len}, room, &words, f);

    if (!err) {
        CHECK_INT(words.counts[FIELD_BODY], WORDS);
        CHECK(memcmp(words.hashes, whole.hashes, sizeof whole.hashes) == 0);
    }
    return err;
}

static void
words_are_read_as_they_were_stored(void **state)
{
    char odd[sizeof whole + 1];
    struct buf room = BUF_INIT;
    struct fault f = FAULT_INIT;

    (void)state;
    memcpy(odd + 1, &whole, sizeof whole); /* A row lies anywhere. */
    CHECK_INT(read_stored(odd + 1, sizeof whole, &room, &f), E_OK);
    buf_fini(&room);
}

static void
damaged_words_are_refused(void **state)
{
    struct stored more = whole;
    struct buf room = BUF_INIT;
    struct fault f = FAULT_INIT;

    (void)state;
    more.counts[FIELD_TITLE] = 1;
    CHECK_INT(read_stored(&more, sizeof more, &room, &f), E_REFUSED);
    CHECK_STR(f.text, "the index is damaged");
    CHECK_INT(read_stored(&whole, sizeof whole - 1, &room, &f), E_REFUSED);
    CHECK_INT(read_stored(&whole, sizeof whole - sizeof(uint32_t), &room, &f), E_REFUSED);
    CHECK_INT(read_stored(&whole, sizeof whole.counts - sizeof(uint32_t), &room, &f), E_REFUSED);
    CHECK_INT(read_stored(NULL, 0, &room, &f), E_REFUSED);
    buf_fini(&room);
}

static void
words_without_memory_are_not_damaged(void **state)
{
    struct buf room = {.limit = sizeof whole - 1};
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK_INT(read_stored(&whole, sizeof whole, &room, &f), E_OVERLOAD);
    CHECK_STR(f.text, "there is no memory for the index now");
    buf_fini(&room);
}

static void
fields_that_are_not_whole_are_told(void **state)
{
    static char path[] = "Title > Part", more[] = "";
    const struct chunk chunk = {
        .path = path, .more = more, .text = SLICE("prose\n```\nsample\n```\n")};
    const struct search_about about = {SLICE("Title"), SLICE("a.md"), SLICE("tag")};
    struct search_fields fields = {0};
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK_INT(search_fields_fill(&fields, &about, &chunk, &f), E_OK);
    CHECK(slice_is(buf_slice(&fields.text[FIELD_BODY]), "prose\n"));
    CHECK(slice_is(buf_slice(&fields.text[FIELD_SAMPLE]), "```\nsample\n```\n"));
    for (int i = 0; i < FIELD_COUNT; i++) {
        fields.text[i].limit = 1;
        CHECK_INT(search_fields_fill(&fields, &about, &chunk, &f), E_OVERLOAD);
        fields.text[i].limit = 0;
    }
    CHECK_INT(search_fields_fill(&fields, &about, &chunk, &f), E_OK);
    search_fields_fini(&fields);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_read_as_they_were_stored),
        cmocka_unit_test(damaged_words_are_refused),
        cmocka_unit_test(words_without_memory_are_not_damaged),
        cmocka_unit_test(fields_that_are_not_whole_are_told),
    };
    return CHECK_RUN(tests);
}
