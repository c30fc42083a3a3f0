/* test_content.c -- each revision gets the blocks it knows. */
#include "tests/check.h"

#include "handlers/content.h"
#include "tests/json_match.h"

static void
expect(enum revision revision, const char *content, const char *want)
{
    json_t *blocks = json_loads(content, 0, NULL), *expected = json_loads(want, 0, NULL);
    struct buf why = BUF_INIT;

    CHECK(blocks && expected);
    content_fit(blocks, revision);
    if (!json_match(expected, blocks, &why)) {
        print_message("%s\n", why.data);
        CHECK(false);
    }
    buf_fini(&why);
    json_decref(expected);
    json_decref(blocks);
}

#define BLOCKS                                                           \
    "[{\"type\":\"text\",\"text\":\"a\"},"                               \
    "{\"type\":\"audio\",\"data\":\"AAAA\",\"mimeType\":\"audio/wav\"}," \
    "{\"type\":\"resource_link\",\"uri\":\"test://b\",\"name\":\"B\"}]"

static void
older_clients_get_what_they_know(void **unused)
{
    (void)unused;
    expect(
        REVISION_2024_11_05, BLOCKS,
        "[{\"type\":\"text\",\"text\":\"a\"},"
        "{\"=\":\"\",\"type\":\"resource\",\"resource\":{\"=\":\"\",\"uri\":\"tandem://content/1\","
        "\"mimeType\":\"audio/wav\",\"blob\":\"AAAA\"}},"
        "{\"=\":\"\",\"type\":\"text\",\"text\":\"B: test://b\"}]");
    expect(
        REVISION_2025_03_26, BLOCKS,
        "[{\"type\":\"text\"},{\"type\":\"audio\"},{\"type\":\"text\",\"text\":\"B: test://b\"}]");
}

static void
newer_clients_get_all(void **unused)
{
    (void)unused;
    expect(REVISION_2025_06_18, BLOCKS, BLOCKS);
    expect(REVISION_2025_11_25, BLOCKS, BLOCKS);
    expect(REVISION_2026_07_28, BLOCKS, BLOCKS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_clients_get_what_they_know),
        cmocka_unit_test(newer_clients_get_all),
    };

    return CHECK_RUN(tests);
}
