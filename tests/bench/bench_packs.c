/* bench_packs.c -- what packs cost: reading a task list, loading a pack, showing a phase and a
 * task.
 *
 * Prints one line a thing: microseconds, and the ratio to reading the bytes it is made of from
 * disk. "make bench-packs" runs it from the root of the tree. */
#include "state/workflow_content.h"
#include "state/workflow_tasklist.h"

#include <stdio.h>
#include <time.h>

#define PACKS "tests/fixtures/praxis/workflows"
#define LISTS "tests/fixtures/praxis/specs"
#define LIST "2025-10-08-playwright-browser-tools/tasks.md"

static struct dir *packs, *lists;
static struct buf list;
static struct wf_content *content;

static double
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool
read_list(void)
{
    struct buf text = BUF_INIT;
    bool good = dir_read(lists, LIST, 1 << 20, &text, NULL, NULL) == E_OK;

    buf_fini(&text);
    return good;
}

static bool
parse_list(void)
{
    struct wf_source *source = NULL;
    bool good = wf_tasklist_parse(buf_slice(&list), LIST, NULL, &source, NULL) == E_OK;

    wf_source_unref(source);
    return good;
}

static bool
load_pack(void)
{
    struct pack_roots roots = {&packs, 1};
    struct pack *pack = NULL;
    bool good = pack_load(&roots, "spec_creation_v1", &pack, NULL) == E_OK;

    pack_unref(pack);
    return good;
}

static bool
list_packs(void)
{
    struct pack_roots roots = {&packs, 1};
    json_t *workflows = NULL;
    bool good = pack_list(&roots, NULL, &workflows, NULL, NULL) == E_OK;

    json_decref(workflows);
    return good;
}

static bool
build_content(void)
{
    struct pack_roots roots = {&packs, 1};
    struct pack *pack = NULL;
    bool good = pack_load(&roots, "spec_execution_v1", &pack, NULL) == E_OK;

    wf_content_unref(content);
    content = NULL;
    good = good && wf_content_build(pack, lists, LIST, NULL, &content, NULL) == E_OK;
    pack_unref(pack);
    return good;
}

static bool
show_phase(void)
{
    json_t *shown = NULL;
    bool good = wf_content_phase(content, 2, &shown, NULL) == E_OK;

    json_decref(shown);
    return good;
}

static bool
show_task(void)
{
    json_t *shown = NULL;
    bool good = wf_content_task(content, 2, 9, NULL, &shown, NULL) == E_OK;

    json_decref(shown);
    return good;
}

/* The best of several rounds, in microseconds a call. */
static double
measure(bool (*once)(void))
{
    double best = 1e18;
    unsigned calls = 1;

    for (unsigned round = 0; round < 10; round++) {
        double begin = now_us(), spent;

        for (unsigned i = 0; i < calls; i++) {
            if (!once()) {
                fprintf(stderr, "bench_packs: something was refused\n");
                exit(1);
            }
        }
        spent = (now_us() - begin) / calls;
        best = spent < best ? spent : best;
        calls = (unsigned)(2e4 / spent) + 1;
    }
    return best;
}

int
main(void)
{
    static const struct {
        const char *name;
        bool (*once)(void);
    } things[] = {{"read a task list of 48 KB", read_list},
                  {"parse it: 5 phases, 45 tasks", parse_list},
                  {"load a pack of 6 phases", load_pack},
                  {"list 3 packs", list_packs},
                  {"start: pack, list, digest", build_content},
                  {"show a phase of 18 tasks", show_phase},
                  {"show a task", show_task}};
    double unit = 0;

    if (dir_open(PACKS, false, &packs, NULL) || dir_open(LISTS, false, &lists, NULL) ||
        dir_read(lists, LIST, 1 << 20, &list, NULL, NULL)) {
        fprintf(stderr, "bench_packs: run it from the root of the tree\n");
        return 1;
    }
    for (size_t i = 0; i < sizeof things / sizeof things[0]; i++) {
        double us = measure(things[i].once);

        unit = i == 0 ? us : unit;
        printf("%-30s %9.1f us   ratio %6.1f\n", things[i].name, us, us / unit);
    }
    wf_content_unref(content);
    buf_fini(&list);
    dir_unref(packs);
    dir_unref(lists);
    return 0;
}
