/* test_search_embed.c -- vectors come after an index and never before it; what a provider does, or
 * does not, holds up no search. */
#include "tests/check.h"

#include "state/embed_http.h"
#include "state/search_life.h"
#include "tests/fake_provider.h"
#include "tests/search_rig.h"
#include "tests/threads.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define FILE_NAME "index/standards.vectors"

static struct fake_provider provider;
static struct search_rig rig;

static struct embedder *
make_embedder(const char *model)
{
    return embed_http_create(&(struct embed_http_options){.dialect = EMBED_OLLAMA,
                                                          .url = provider.url,
                                                          .model = model,
                                                          .batch = 4,
                                                          .timeout_ns = 600 * SECOND_NS});
}

/* Starts the search, or starts it again, with vectors of 'model'. */
static void
begin(const char *model)
{
    search_destroy(rig.search);
    embedder_unref(rig.embedder);
    rig.embedder = make_embedder(model);
    search_rig_start(&rig);
}

static int
start(void **state)
{
    (void)state;
    fake_provider_start(&provider);
    fake_provider_mean(&provider, "automobile", "vehicles on wheels");
    fake_provider_mean(&provider, "sedan", "vehicles on wheels");
    search_rig_create_empty(&rig, true);
    rig.query_ns = 600 * SECOND_NS;
    tree_write(rig.tree, "standards/cars.md", "# Garage\n\nAn automobile is kept dry.\n");
    tree_write(rig.tree, "standards/locks.md", "# Locks\n\nTake a mutex before you write.\n");
    tree_write(rig.tree, "standards/tests.md",
               "---\ntags: [unit]\n---\n# Tests\n\nA spy records calls.\n\n## Phase 3\n\n"
               "Replace the spy.\n");
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    search_rig_destroy(&rig);
    embedder_unref(rig.embedder);
    fake_provider_stop(&provider);
    return 0;
}

static struct search_embed_status
status(void)
{
    struct search_status s = search_rig_status(&rig);

    CHECK(s.embeds);
    return s.vectors;
}

static enum search_vectors_use
use_of(const char *query)
{
    struct search_answer answer;
    enum search_vectors_use use;

    CHECK_INT(search_rig_ask(&rig, query, &answer, NULL), E_OK);
    use = answer.vectors;
    CHECK(!answer.scan);
    search_release(rig.search, &answer);
    return use;
}

/* Waits until searches go by vectors, of all passages. */
static void
await_vectors(void)
{
    while (status().made < search_rig_status(&rig).index.passages || !status().passages ||
           use_of("anything") != SEARCH_WITH_VECTORS) {
        sched_yield();
    }
}

/* The first document found must be 'path'. */
static void
finds_first(const char *query, const char *path)
{
    struct search_answer answer;

    CHECK_INT(search_rig_ask(&rig, query, &answer, NULL), E_OK);
    CHECK_INT(answer.vectors, SEARCH_WITH_VECTORS);
    CHECK_STR(answer.hits->items[0].path, path);
    search_release(rig.search, &answer);
}

/* ---- What they are for ---- */

static void
what_is_meant_is_found(void **state)
{
    struct tag_list tags = {.items = {(char *)(uintptr_t) "unit"}, .count = 1};
    struct search_ask ask = {.query = SLICE("sedan"), .limit = 1, .phase = -1};
    struct search_answer answer;

    (void)state;
    begin("m");
    await_vectors();
    finds_first("mutex", "locks.md");
    CHECK_INT(search_ask(rig.search, &ask, &answer, NULL), E_OK);
    CHECK_INT(answer.vectors, SEARCH_WITH_VECTORS);
    CHECK_STR(answer.hits->items[0].path, "cars.md");
    CHECK(answer.hits->items[0].score.fused > 0);
    search_release(rig.search, &answer);
    ask.tags = &tags; /* Filters hold for vectors too. */
    CHECK_INT(search_ask(rig.search, &ask, &answer, NULL), E_OK);
    CHECK_STR(answer.hits->items[0].path, "tests.md");
    search_release(rig.search, &answer);
    ask.tags = NULL;
    ask.phase = 3;
    CHECK_INT(search_ask(rig.search, &ask, &answer, NULL), E_OK);
    CHECK_STR(answer.hits->items[0].path, "tests.md");
    CHECK_INT(answer.hits->items[0].phase, 3);
    search_release(rig.search, &answer);
}

static void
the_query_waits_no_longer_than_it_wants(void **state)
{
    struct search_answer answer;

    (void)state;
    rig.query_ns = 20000000;
    begin("m");
    while (status().made < 4) {
        sched_yield();
    }
    fake_provider_hang(&provider, true);
    while (use_of("mutex") == SEARCH_VECTORS_UNMADE) {
        sched_yield();
    }
    CHECK_INT(use_of("mutex"), SEARCH_VECTOR_LATE);
    search_rig_finds(&rig, "sedan", "");
    search_rig_finds(&rig, "mutex", "locks.md");
    fake_provider_hang(&provider, false);
    while (use_of("mutex") != SEARCH_WITH_VECTORS || use_of("sedan") != SEARCH_WITH_VECTORS) {
        sched_yield(); /* It was kept, though nobody had waited for it. */
    }
    CHECK_INT(search_rig_ask(&rig, " mutex\n", &answer, NULL), E_OK);
    CHECK(answer.cached); /* An answer without it was not. */
    CHECK_INT(answer.vectors, SEARCH_WITH_VECTORS);
    search_release(rig.search, &answer);
}

/* ---- What is made again, and what is not ---- */

static void
only_what_is_new_is_made(void **state)
{
    unsigned before;

    (void)state;
    begin("m");
    await_vectors();
    before = atomic_load(&provider.texts);
    CHECK_INT(status().asked, 4);
    tree_write(rig.tree, "standards/new.md", "# New\n\nSomething else.\n");
    tree_remove(rig.tree, "standards/cars.md");
    search_rig_follow(&rig);
    await_vectors();
    CHECK_INT(atomic_load(&provider.texts), before + 1);
    CHECK_INT(status().passages, 4);
    tree_write(rig.tree, "standards/moved.md", "# New\n\nSomething else.\n");
    search_rig_follow(&rig); /* What says the same has the same vector. */
    await_vectors();
    CHECK_INT(atomic_load(&provider.texts), before + 1);
}

static void
a_restart_makes_none_again(void **state)
{
    unsigned before;

    (void)state;
    begin("m");
    await_vectors();
    before = atomic_load(&provider.texts);
    begin("m");
    await_vectors();
    CHECK_INT(status().asked, 0);
    CHECK_INT(atomic_load(&provider.texts), before + 1); /* The query. */
    tree_remove(rig.tree, "index/standards.vectors");
    begin("m");
    await_vectors();
    CHECK_INT(status().asked, 4);
    CHECK(dir_is_file(tree_dir(rig.tree), FILE_NAME));
}

static void
another_model_makes_its_own(void **state)
{
    (void)state;
    begin("m");
    await_vectors();
    begin("other");
    await_vectors();
    CHECK_INT(status().asked, 4);
    CHECK_STR(status().embedder, "ollama/other");
    fake_provider_shape(&provider, 48, 0); /* And another one under the same name. */
    begin("other");
    await_vectors();
    CHECK_INT(status().dimension, 48);
    CHECK_INT(status().asked, 4);
    finds_first("sedan", "cars.md");
}

static void
damaged_vectors_are_made_again(void **state)
{
    int fd;

    (void)state;
    begin("m");
    await_vectors();
    search_destroy(rig.search);
    rig.search = NULL;
    fd = dir_open_at(tree_dir(rig.tree), FILE_NAME, O_WRONLY, 0);
    CHECK(pwrite(fd, "damaged", 7, 300) == 7);
    close(fd);
    begin("m");
    await_vectors();
    CHECK_INT(status().asked, 3); /* Behind the first. */
}

static void
what_leaves_is_forgotten_in_the_end(void **state)
{
    char path[64], text[64];
    struct file_identity id;

    (void)state;
    begin("m");
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 400; i++) {
            snprintf(path, sizeof path, "standards/%u.md", i);
            snprintf(text, sizeof text, "# Text %u\n\nof round %u\n", i, round);
            tree_write(rig.tree, path, text);
        }
        search_rig_follow(&rig);
        await_vectors();
    }
    CHECK_INT(dir_identity(tree_dir(rig.tree), FILE_NAME, &id, NULL), E_OK);
    CHECK(id.size < 404 * 56 * 4);
    CHECK_INT(status().asked, 1604);
}

/* ---- Trouble ---- */

static void
without_a_provider_the_index_is_served(void **state)
{
    struct fake_trouble bad = {.times = 3, .status = 500, .body = "{}"};
    struct search_embed_status s;

    (void)state;
    fake_provider_trouble(&provider, &bad);
    begin("m");
    search_rig_finds(&rig, "mutex", "locks.md");
    do {
        CHECK_INT(use_of("mutex"), SEARCH_VECTORS_UNMADE);
        s = status();
    } while (!s.failures);
    CHECK(strstr(s.trouble, "status 500"));
    await_vectors();
    CHECK_STR(status().trouble, "");
    CHECK_INT(status().failures, 3);
}

static void
a_provider_that_dies_takes_nothing_along(void **state)
{
    (void)state;
    begin("m");
    await_vectors();
    fake_provider_stop(&provider);
    CHECK_INT(use_of("one thing"), SEARCH_VECTOR_TROUBLE);
    CHECK_INT(use_of("anything"), SEARCH_WITH_VECTORS); /* It was asked before. */
    search_rig_finds(&rig, "mutex", "locks.md");
    tree_write(rig.tree, "standards/zebra.md", "# Zebra\n\nStripes.\n");
    search_rig_follow(&rig);
    search_rig_finds(&rig, "stripes", "zebra.md");
    while (!strstr(status().trouble, "embeddings: ")) {
        sched_yield();
    }
    CHECK_INT(status().made, 4);
    CHECK_INT(status().passages, 5);
    fake_provider_start(&provider); /* Elsewhere. */
}

static void
passages_that_are_refused_spoil_no_others(void **state)
{
    struct buf text = BUF_INIT;

    (void)state;
    buf_adds(&text, "# ");
    for (unsigned i = 0; i < 100; i++) {
        buf_adds(&text, "verylongword");
    }
    buf_adds(&text, "\n\nzebra\n");
    tree_write(rig.tree, "standards/long.md", text.data);
    fake_provider_shape(&provider, 32, 80);
    begin("m");
    await_vectors();
    CHECK_INT(status().passages, 5);
    CHECK_INT(status().made, 5);
    finds_first("sedan", "cars.md");
    buf_fini(&text);
}

static void
where_there_is_no_place_vectors_live_in_memory(void **state)
{
    (void)state;
    tree_mkdir(rig.tree, FILE_NAME);
    begin("m");
    await_vectors();
    finds_first("sedan", "cars.md");
    rig.keep = false;
    begin("m");
    await_vectors();
    tree_remove(rig.tree, "standards/cars.md");
    search_rig_follow(&rig);
    await_vectors();
    CHECK_INT(status().asked, 4);
}

static void
it_ends_while_the_provider_hangs(void **state)
{
    (void)state;
    fake_provider_hang(&provider, true);
    begin("m");
    fake_provider_await(&provider, 1);
    search_rig_finds(&rig, "mutex", "locks.md");
    search_destroy(rig.search); /* Or the test does not end. */
    rig.search = NULL;
    fake_provider_hang(&provider, false);
}

/* ---- Races ---- */

#define FILES 6u

struct race {
    _Atomic bool over;
    _Atomic unsigned wrong, answers, with_vectors;
};

static void
write_version(unsigned version)
{
    char path[64], text[96];

    for (unsigned i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "standards/v%u.md", i);
        snprintf(text, sizeof text, "# Part %u\n\nzebra version%u\n", i, version);
        tree_write(rig.tree, path, text);
    }
}

/* An answer holds one version, of all files that have one. */
static void
check_answer(struct race *r, const struct search_hits *hits)
{
    int version = -1;
    unsigned files = 0;

    for (size_t i = 0; i < hits->count; i++) {
        const char *at = strstr(hits->items[i].text, "version");
        int its = at ? (int)strtol(at + 7, NULL, 10) : -1;

        if (at) {
            files++;
            atomic_fetch_add(&r->wrong, version >= 0 && its != version);
            version = its;
        }
    }
    atomic_fetch_add(&r->wrong, files != FILES);
}

static void
race(void *arg, unsigned number)
{
    static const char *const queries[] = {"zebra", "zebra stripes", "zebra of the part", "zebra?"};
    struct fake_trouble trouble = {.times = 1, .status = 500, .body = "{}"};
    struct race *r = arg;

    if (number == 0) {
        for (unsigned i = 1; i <= scaled(40); i++) {
            write_version(i);
            if (i % 4 == 0) {
                fake_provider_trouble(&provider, &trouble);
            }
            search_rig_follow(&rig);
            if (i % 5 == 0) {
                await_vectors();
            }
        }
        await_vectors();
        atomic_store(&r->over, true);
        return;
    }
    for (unsigned i = number; !atomic_load(&r->over); i++) {
        struct search_answer answer;
        struct fault f = FAULT_INIT;

        if (search_rig_ask(&rig, queries[i % 4], &answer, &f) != E_OK) {
            atomic_fetch_add(&r->wrong, 1);
            continue;
        }
        check_answer(r, answer.hits);
        atomic_fetch_add(&r->answers, 1);
        atomic_fetch_add(&r->with_vectors, answer.vectors == SEARCH_WITH_VECTORS);
        search_release(rig.search, &answer);
    }
}

static void
answers_are_of_one_edition_while_vectors_come_and_go(void **state)
{
    struct race r = {.wrong = 0};

    (void)state;
    tree_remove(rig.tree, "standards/cars.md");
    write_version(0);
    rig.query_ns = 50000000;
    begin("m");
    threads_run(9, race, &r);
    CHECK_INT(atomic_load(&r.wrong), 0);
    CHECK(atomic_load(&r.answers) > 0);
    print_message("%u answers, %u of them with vectors\n", atomic_load(&r.answers),
                  atomic_load(&r.with_vectors));
}

int
main(void)
{
#define WITH(TEST) cmocka_unit_test_setup_teardown(TEST, start, stop)
    const struct CMUnitTest tests[] = {
        WITH(what_is_meant_is_found),
        WITH(the_query_waits_no_longer_than_it_wants),
        WITH(only_what_is_new_is_made),
        WITH(a_restart_makes_none_again),
        WITH(another_model_makes_its_own),
        WITH(damaged_vectors_are_made_again),
        WITH(what_leaves_is_forgotten_in_the_end),
        WITH(without_a_provider_the_index_is_served),
        WITH(a_provider_that_dies_takes_nothing_along),
        WITH(passages_that_are_refused_spoil_no_others),
        WITH(where_there_is_no_place_vectors_live_in_memory),
        WITH(it_ends_while_the_provider_hangs),
        WITH(answers_are_of_one_edition_while_vectors_come_and_go),
    };
    return CHECK_RUN(tests);
}
