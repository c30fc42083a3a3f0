/* test_search_tags.c -- tags and phases where authors write them. */
#include "state/search_tags.h"
#include "tests/check.h"

static void
has_tags(const char *path, const char *text, const char *expected)
{
    struct tag_list list = {.count = 0};
    struct buf out = BUF_INIT;

    search_document_tags(&list, path, slice_of(text));
    for (size_t i = 0; i < list.count; i++) {
        buf_addf(&out, "%s%s", i ? " " : "", list.items[i]);
    }
    CHECK_STR(out.data ? out.data : "", expected);
    buf_fini(&out);
    search_tags_fini(&list);
}

static void
tags_of_documents(void **state)
{
    (void)state;
    has_tags("a.md", "", "");
    has_tags("Unit Tests/deep/a.md", "text", "unit-tests deep");
    has_tags("a.md", "---\ntags: [Mocking, 'C++', mocking]\n---\n# A\n", "mocking c++");
    has_tags("a.md", "---\ntags: one, two words\n---\n", "one two-words");
    has_tags("a.md", "---\ntags: [unclosed\n---\n", "");
    has_tags("a.md", "---\nno end", "");
    has_tags("a.md", "# A\n\n**Keywords for search**: N+1 query, Caf\xC3\xA9\n",
             "n+1-query caf\xC3\xA9");
    has_tags("a.md", "not **Keywords for search**: at its line's beginning\n", "");
    has_tags("a.md", "---\ntags: [\"\xff\", '--', \"\"]\n---\n", "");
}

static void
there_are_not_too_many(void **state)
{
    struct tag_list list = {.count = 0};
    struct buf text = BUF_INIT;

    (void)state;
    buf_adds(&text, "**Keywords for search**: ");
    for (int i = 0; i < 200; i++) {
        buf_addf(&text, "k%d, ", i);
    }
    search_document_tags(&list, "a.md", buf_slice(&text));
    CHECK_INT(list.count, SEARCH_TAGS_MAX);
    search_tags_fini(&list);
    buf_fini(&text);
}

static void
phases_of_passages(void **state)
{
    static const struct {
        const char *path, *more;
        int phase;
    } cases[] = {
        {"", "", -1},
        {"Guide > Phase 3: build", "", 3},
        {"Guide > PHASE  12", "", 12},
        {"Guide", "One\nphase 0 begins", 0},
        {"Phases of life", "", -1},
        {"Phase3", "", -1},
        {"Emphase 3", "", -1},
        {"Phase one", "", -1},
        {"Phase 99999999999", "", 999999},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct chunk chunk = {.path = (char *)(uintptr_t)cases[i].path,
                              .more = (char *)(uintptr_t)cases[i].more};
        CHECK_INT(search_phase(&chunk), cases[i].phase);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_of_documents),
        cmocka_unit_test(there_are_not_too_many),
        cmocka_unit_test(phases_of_passages),
    };
    return CHECK_RUN(tests);
}
