/* test_explain.c -- the table of a search, made from its result alone. */
#include "server/explain.h"

#include "tests/check.h"

#include <stdlib.h>
#include <string.h>

/* What is written of 'json'; null if it is no search.  Valid until the next call. */
static const char *
explained(const char *json)
{
    static char *text;
    size_t size;
    FILE *to;
    json_t *result = json_loads(json, JSON_DECODE_ANY, NULL);
    bool taken;

    free(text);
    text = NULL;
    to = open_memstream(&text, &size);
    CHECK(result != NULL && to != NULL);
    taken = explain_search(to, result);
    fclose(to);
    json_decref(result);
    CHECK(taken || size == 0);
    return taken ? text : NULL;
}

static void
each_part_has_a_column(void **state)
{
    (void)state;
    CHECK_STR(explained("{\"results\":["
                        "{\"file\":\"a.md\",\"line\":3,\"heading_path\":\"A > B\","
                        "\"relevance_score\":4.5,\"tokens\":12,"
                        "\"ranking\":{\"words\":4.0,\"nearness\":0.5}},"
                        "{\"file\":\"b.md\",\"line\":1,\"heading_path\":\"\","
                        "\"relevance_score\":2,\"tokens\":7,"
                        "\"ranking\":{\"words\":1.0,\"quite_a_long_one\":12}}],"
                        "\"total_tokens\":19,\"retrieval_method\":\"index\","
                        "\"index_generation\":7,\"stale\":false,\"cache_hit\":false,"
                        "\"query_time_ms\":0.25}"),
              "       score     words nearness quite_a_long_one  tokens  passage\n"
              "  1    4.500     4.000    0.500                -      12  a.md:3  A > B\n"
              "  2    2.000     1.000        -               12       7  b.md:1\n"
              "found by the index, generation 7, which has all files as they are\n"
              "19 tokens (4 bytes of UTF-8 each), 0.250 ms\n");
}

static void
how_it_was_found_is_told(void **state)
{
    (void)state;
    CHECK_STR(explained("{\"results\":[],\"total_tokens\":0,\"retrieval_method\":\"index\","
                        "\"index_generation\":2,\"stale\":true,\"cache_hit\":true,"
                        "\"query_time_ms\":0}"),
              "nothing was found\n"
              "found by the index, generation 2, which is stale: files have changed since; an "
              "answer that was kept\n"
              "0 tokens (4 bytes of UTF-8 each), 0.000 ms\n");
    CHECK_STR(explained("{\"results\":[],\"note\":\"there are none\",\"total_tokens\":0,"
                        "\"retrieval_method\":\"scan\","
                        "\"partial\":true,\"query_time_ms\":1}"),
              "there are none\n"
              "found by reading the files, not all of them: there is no index here\n"
              "0 tokens (4 bytes of UTF-8 each), 1.000 ms\n");
}

/* A server may be anybody's: what it says does not move the cursor, nor need it be whole. */
static void
any_result_is_taken(void **state)
{
    const char *text;

    (void)state;
    text = explained("{\"results\":[{\"file\":\"\\u001b[2Ja\\nb.md\"},7],"
                     "\"retrieval_method\":\"\\u0007other\"}");
    CHECK(text != NULL);
    CHECK(strchr(text, '\x1b') == NULL && strchr(text, '\a') == NULL);
    CHECK(strstr(text, " [2Ja b.md:0") != NULL);
    CHECK(explained("{\"iso_date\":\"2026-11-21\"}") == NULL);
    CHECK(explained("{\"results\":[]}") == NULL);
    CHECK(explained("[1]") == NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_has_a_column),
        cmocka_unit_test(how_it_was_found_is_told),
        cmocka_unit_test(any_result_is_taken),
    };
    return CHECK_RUN(tests);
}
