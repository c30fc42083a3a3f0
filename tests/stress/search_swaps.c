/* search_swaps.c -- twenty threads search while a thousand generations take each other's place.
 *
 * All files of a version carry its number, and a query finds all of them: an answer that holds two
 * numbers, or not all files, has seen two generations.  Half of the queries are all the same, so
 * that kept answers and single flight are in it, half are each asked once.  In memory, and on disk,
 * where each old generation's file goes with its last reader. */
#include "tests/check.h"
#include "tests/harness.h"
#include "tests/search_rig.h"
#include "tests/threads.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define SEARCHERS 20u
#define FILES 6u

struct swaps {
    struct search_rig rig;
    struct findings findings;
    unsigned wanted;
    _Atomic bool over;
    _Atomic unsigned answers, cached, generations[SEARCHERS + 1];
};

static void
write_version(const struct search_rig *r, unsigned number)
{
    char text[128], path[64];

    for (unsigned i = 0; i < FILES; i++) {
        snprintf(text, sizeof text, "# Part %u\n\nzebra version%u\n", i, number);
        snprintf(path, sizeof path, "standards/%u.md", i);
        tree_write(r->tree, path, text);
    }
}

/* The number in the text of a hit; -1 if there is none. */
static int
version_of(const struct search_hit *hit)
{
    const char *at = strstr(hit->text, "version");
    unsigned number;

    return at && sscanf(at, "version%u", &number) == 1 ? (int)number : -1;
}

static void
check_answer(struct swaps *s, const struct search_answer *answer)
{
    const struct search_hits *hits = answer->hits;

    if (answer->scan) {
        finding(&s->findings, "the files were read, though there was an index");
    }
    if (hits->count != FILES) {
        finding(&s->findings, "%zu of %u files were found", hits->count, FILES);
    }
    for (size_t i = 0; i < hits->count; i++) {
        if (version_of(&hits->items[i]) != version_of(&hits->items[0])) {
            finding(&s->findings, "versions %d and %d in one answer", version_of(&hits->items[0]),
                    version_of(&hits->items[i]));
        }
    }
}

static void
search_on(struct swaps *s, unsigned thread)
{
    uint64_t last = 0;

    setpriority(PRIO_PROCESS, (id_t)gettid(), 19); /* This thread's: the builder is to get on. */
    for (unsigned i = 0; !atomic_load(&s->over); i++) {
        struct search_answer answer;
        struct fault f = FAULT_INIT;
        char query[64];

        snprintf(query, sizeof query, i % 2 ? "zebra" : "zebra %u %u", thread, i);
        if (search_rig_ask(&s->rig, query, &answer, &f) != E_OK) {
            finding(&s->findings, "a query failed: %s", f.text);
            continue;
        }
        check_answer(s, &answer);
        if (answer.hits->generation < last) {
            finding(&s->findings, "generation %llu came after %llu",
                    (unsigned long long)answer.hits->generation, (unsigned long long)last);
        }
        atomic_fetch_add(&s->generations[thread], answer.hits->generation != last);
        last = answer.hits->generation;
        atomic_fetch_add(&s->answers, 1);
        atomic_fetch_add(&s->cached, answer.cached);
        search_release(s->rig.search, &answer);
    }
}

/* Each version is whole when the files are looked at. */
static void
swap_on(struct swaps *s)
{
    for (unsigned i = 1; i <= s->wanted; i++) {
        write_version(&s->rig, i);
        search_stir(s->rig.search);
        if (!search_settle(s->rig.search, now_ns() + PATIENCE)) {
            finding(&s->findings, "generation %u was not built", i);
            break;
        }
    }
    atomic_store(&s->over, true);
}

static void
search_or_swap(void *arg, unsigned thread)
{
    struct swaps *s = arg;

    if (thread == 0) {
        swap_on(s);
    } else {
        search_on(s, thread);
    }
}

static void
every_answer_is_of_one_generation(bool keep, unsigned swaps)
{
    struct swaps s = {.findings = FINDINGS_INIT, .wanted = stress_count(swaps, 10)};
    struct search_status status;
    unsigned seen = 0;

    search_rig_create_empty(&s.rig, keep);
    write_version(&s.rig, 0);
    search_rig_start(&s.rig);
    threads_run(SEARCHERS + 1, search_or_swap, &s);
    status = search_rig_status(&s.rig);
    for (unsigned i = 1; i <= SEARCHERS; i++) {
        seen += atomic_load(&s.generations[i]);
    }
    printf("%u swaps %s, %u threads: %u answers, %u of them kept ones, of %.0f generations each\n",
           s.wanted, keep ? "on disk" : "in memory", SEARCHERS, atomic_load(&s.answers),
           atomic_load(&s.cached), (double)seen / SEARCHERS);
    CHECK_INT((int)findings_tell(&s.findings), 0);
    CHECK_INT((int)status.index.generation, (int)s.wanted + 1);
    CHECK_INT((int)status.failures, 0);
    CHECK_INT(status.index.on_disk, keep);
    if (keep) {
        search_rig_expect_one_generation(&s.rig); /* The old ones' files have gone. */
    }
    search_rig_destroy(&s.rig);
}

static void
swaps_in_memory(void **state)
{
    (void)state;
    every_answer_is_of_one_generation(false, 200);
}

static void
swaps_on_disk(void **state)
{
    (void)state;
    every_answer_is_of_one_generation(true, sanitized() ? 500 : 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swaps_in_memory),
        cmocka_unit_test(swaps_on_disk),
    };
    return CHECK_RUN(tests);
}
