/* search_rig.c -- see search_rig.h. */
#include "tests/search_rig.h"

#include "tests/check.h"
#include "tests/harness.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

void
search_rig_open(struct search_rig *r)
{
    r->search = search_create(&(struct search_options){
        .standards = {tree_dir(r->tree), "standards"},
        .index = {tree_dir(r->tree), "index"},
        .clock = r->clock ? r->clock : clock_real(),
        .embedder = r->embedder,
        .query_ns = r->query_ns,
        .keep = r->keep,
    });
}

void
search_rig_start(struct search_rig *r)
{
    struct fault f = FAULT_INIT;

    search_rig_open(r);
    CHECK_INT(search_prepare(r->search, &f), E_OK);
    CHECK_INT(search_start(r->search, &f), E_OK);
    CHECK(search_settle(r->search, INT64_MAX));
}

void
search_rig_create_empty(struct search_rig *r, bool keep)
{
    *r = (struct search_rig){.tree = tree_create(), .keep = keep};
}

void
search_rig_create(struct search_rig *r, bool keep)
{
    search_rig_create_empty(r, keep);
    tree_write(r->tree, "standards/locks.md", "# Locks\n\nTake a mutex before you write.\n");
    tree_write(r->tree, "standards/tests/doubles.md",
               "---\ntags: [Mocking, unit tests]\n---\n# Test doubles\n\nA spy records calls.\n\n"
               "## Phase 3\n\nReplace the spy.\n");
    search_rig_start(r);
}

void
search_rig_destroy(struct search_rig *r)
{
    search_destroy(r->search);
    tree_destroy(r->tree);
}

void
search_rig_follow(struct search_rig *r)
{
    search_stir(r->search);
    CHECK(search_settle(r->search, INT64_MAX));
}

struct search_status
search_rig_status(struct search_rig *r)
{
    struct search_status status;

    search_status(r->search, &status);
    return status;
}

enum err
search_rig_ask(struct search_rig *r, const char *query, struct search_answer *answer,
               struct fault *f)
{
    return search_ask(r->search,
                      &(struct search_ask){.query = slice_of(query), .limit = 10, .phase = -1},
                      answer, f);
}

void
search_rig_finds(struct search_rig *r, const char *query, const char *expected)
{
    struct search_answer answer;
    struct fault f = FAULT_INIT;
    struct buf paths = BUF_INIT;

    CHECK_INT(search_rig_ask(r, query, &answer, &f), E_OK);
    for (size_t i = 0; i < answer.hits->count; i++) {
        buf_addf(&paths, "%s%s", i ? " " : "", answer.hits->items[i].path);
    }
    CHECK_STR(paths.data ? paths.data : "", expected);
    buf_fini(&paths);
    search_release(r->search, &answer);
}

int
search_rig_be_nobody(void **state)
{
    (void)state;
    return geteuid() == 0 ? seteuid(NOBODY) : 0;
}

int
search_rig_be_oneself(void **state)
{
    (void)state;
    return geteuid() == NOBODY && getuid() == 0 ? seteuid(0) : 0;
}

void
search_rig_set_mode(const struct search_rig *r, const char *path, mode_t mode)
{
    CHECK_INT(fchmodat(dir_fd(tree_dir(r->tree)), path, mode, 0), 0);
}

static size_t
count_generations(const struct search_rig *r)
{
    struct dir_list list;
    size_t count;

    CHECK_INT(dir_list(tree_dir(r->tree), "index", 100, &list, NULL), E_OK);
    count = list.count;
    dir_list_fini(&list);
    return count;
}

void
search_rig_expect_one_generation(const struct search_rig *r)
{
    int64_t deadline = now_ns() + PATIENCE;

    while (count_generations(r) != 1 && now_ns() < deadline) {
        look_again_soon();
    }
    CHECK_INT(count_generations(r), 1);
}
