/* scarce_faults.c -- a disk that is full or may not be written, and few descriptors: the server
 * says what is wrong, serves what it can, loses nothing that it has acknowledged, and goes on as
 * before once there is room again. */
#include "tests/check.h"
#include "tests/fault_rig.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define DESCRIPTORS 64
#define CLIENTS 100

static struct fault_plan *plan;
static const char *const args[] = {"--listen", "127.0.0.1:0", NULL};

static void
begin(struct play *p)
{
    static const char *const packs[] = {PACK_BUG_FIX, NULL};

    *p = (struct play){.up = true};
    harness_project(p->root, packs);
    server_start(&p->server, p->root, &(struct server_options){.args = args});
}

static enum said
start_on(struct play *p, const char *target)
{
    char body[160];
    json_t *answer;
    enum said said;

    snprintf(body, sizeof body,
             "{\"action\":\"start\",\"workflow_type\":\"bug_fix_v1\",\"target_file\":\"%s\"}",
             target);
    said = play_call(p, "pos_workflow", body, &answer);
    json_decref(answer);
    return said;
}

static void
expect_sessions(struct play *p, json_int_t count)
{
    json_t *answer;

    CHECK_INT(play_call(p, "pos_workflow", "{\"action\":\"list_sessions\"}", &answer), SAID_RIGHT);
    CHECK_INT(json_integer_value(json_object_get(answer, "count")), count);
    json_decref(answer);
}

/* All that would make or fill a file fails with 'error'. */
static void
play_disk(int error)
{
    struct play p;
    char name[24];

    begin(&p);
    CHECK_INT(start_on(&p, "src/a.c"), SAID_RIGHT);
    plan->kind = FAULT_SPACE;
    plan->nth = 1;
    plan->error = error;
    atomic_store(&plan->count, 0);
    atomic_store(&plan->armed, 1);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "src/%d.c", i);
        CHECK_INT(start_on(&p, name), SAID_ERROR);
        CHECK(strstr(p.why, strerror(error)) != NULL);
        expect_sessions(&p, 1);
    }
    atomic_store(&plan->armed, 0);
    CHECK_INT(start_on(&p, "src/b.c"), SAID_RIGHT);
    expect_sessions(&p, 2);
    CHECK_INT(server_end(&p.server), 0);
    server_start(&p.server, p.root, &(struct server_options){.args = args});
    expect_sessions(&p, 2);
    CHECK_INT(harness_count_files(p.root, ".tmp"), 0);
    CHECK_INT(server_end(&p.server), 0);
    harness_remove(p.root);
}

static void
a_full_disk(void **state)
{
    (void)state;
    play_disk(ENOSPC);
}

static void
a_disk_that_may_not_be_written(void **state)
{
    (void)state;
    play_disk(EROFS);
}

static void
few_descriptors(void **state)
{
    struct rlimit before, few;
    struct play p;
    int fds[CLIENTS];

    (void)state;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = DESCRIPTORS;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
    begin(&p);
    few.rlim_max = DESCRIPTORS; /* Of the server alone, which would raise it. */
    CHECK_INT(prlimit(p.server.pid, RLIMIT_NOFILE, &few, NULL), 0);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_INT(start_on(&p, "src/a.c"), SAID_RIGHT);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = http_connect(&p.server.info); /* The kernel takes those that the server cannot. */
    }
    for (int i = 0; i < CLIENTS; i++) {
        close(fds[i]);
    }
    expect_sessions(&p, 1); /* It has come to itself. */
    CHECK_INT(start_on(&p, "src/b.c"), SAID_RIGHT);
    CHECK_INT(server_end(&p.server), 0);
    harness_remove(p.root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_disk_that_may_not_be_written),
        cmocka_unit_test(few_descriptors),
    };
    int failed;

    plan = faults_plan();
    failed = CHECK_RUN(tests);
    munmap(plan, sizeof *plan);
    return failed;
}
