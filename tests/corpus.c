/* corpus.c -- see corpus.h. */
#include "tests/corpus.h"

#include "tests/check.h"

static void
corpus_holds(void **state)
{
    const struct corpus *corpus = *state;

    CHECK(hostile_corpus(corpus->name, corpus->one) >= corpus->least);
}

static void
hostile_inputs_hold(void **state)
{
    const struct corpus *corpus = *state;
    hostile_target *one = corpus->one;

    for (const struct corpus_set *set = corpus->sets; set->kind != CORPUS_END; set++) {
        hostile_fn *replay = set->replay ? set->replay : hostile_replay;
        size_t count = set->kind == CORPUS_LINES   ? hostile_lines(set->path, replay, &one)
                       : set->kind == CORPUS_FILES ? hostile_files(set->path, replay, &one)
                                                   : hostile_strings(replay, &one);

        CHECK(count >= set->least);
    }
}

int
corpus_run(const struct corpus *corpus)
{
    void *state = (void *)(uintptr_t)corpus;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(corpus_holds, state),
        cmocka_unit_test_prestate(hostile_inputs_hold, state),
    };

    return cmocka_run_group_tests(tests, NULL, corpus->end);
}
