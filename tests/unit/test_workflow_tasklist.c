/* test_workflow_tasklist.c -- task lists: the eleven real ones against their outline, then each rule. */
#include "tests/check.h"

#include "state/base/file.h"
#include "state/workflow_tasklist.h"

#include <stdio.h>

#define SPECS "tests/fixtures/praxis/specs"

static struct problems problems;

static struct wf_source *
parse(const char *text)
{
    struct wf_source *source = NULL;
    struct fault f = FAULT_INIT;

    problems_fini(&problems);
    problems = (struct problems)PROBLEMS_INIT;
    if (wf_tasklist_parse(slice_of(text), "tasks.md", &problems, &source, &f)) {
        print_message("%s: %s\n", err_info(f.code)->name, f.text);
    }
    assert_non_null(source);
    return source;
}

static void
add_counts(struct buf *out, const struct wf_phase *phase, int what)
{
    for (size_t i = 0; i < phase->task_count; i++) {
        const struct wf_task *task = &phase->tasks[i];
        int done = 0;

        for (size_t j = 0; j < task->criterion_count; j++) {
            done += task->criteria[j].done;
        }
        buf_adds(out, i ? "," : "");
        if (what == 0) {
            buf_adds(out, task->id);
        } else {
            buf_add_int(out, what == 1 ? (int)task->criterion_count : done);
        }
    }
}

static void
add_outline(struct buf *out, const char *name, const struct wf_source *source)
{
    for (size_t i = 0; i < source->phase_count; i++) {
        const struct wf_phase *phase = &source->phases[i];

        buf_addf(out, "%s\t%d\t%s\t", name, phase->number, phase->name);
        for (int what = 0; what < 3; what++) {
            add_counts(out, phase, what);
            buf_addc(out, what < 2 ? '\t' : '\n');
        }
    }
}

static void
real_lists_agree_with_their_outline(void **state)
{
    struct dir *specs = NULL;
    struct dir_list folders;
    struct buf outline = BUF_INIT, found = BUF_INIT;
    size_t phases = 0, tasks = 0, criteria = 0, ticked = 0;

    (void)state;
    CHECK(dir_open(SPECS, false, &specs, NULL) == E_OK);
    CHECK(dir_read(specs, "outline.tsv", 1 << 20, &outline, NULL, NULL) == E_OK);
    CHECK(dir_list(specs, ".", 100, &folders, NULL) == E_OK);
    buf_adds(&found, "file\tphase\tphase_name\ttask_ids\tcriteria_per_task\tticked_per_task\n");
    for (size_t i = 0; i < folders.count; i++) {
        struct buf text = BUF_INIT;
        char *name = xasprintf("%s/tasks.md", folders.entries[i].name);

        if (folders.entries[i].folder) {
            struct wf_source *source;

            CHECK(dir_read(specs, name, 1 << 20, &text, NULL, NULL) == E_OK);
            source = parse(text.data);
            CHECK_INT(problems.errors, 0);
            for (size_t j = 0; j < problems.count; j++) {
                print_message("%s:%u: %s\n", name, problems.items[j].line, problems.items[j].text);
            }
            add_outline(&found, name, source);
            phases += source->phase_count;
            tasks += source->task_count;
            criteria += source->criterion_count;
            ticked += source->done_count;
            wf_source_unref(source);
        }
        buf_fini(&text);
        free(name);
    }
    print_message("%zu phases, %zu tasks, %zu criteria, %zu ticked\n", phases, tasks, criteria,
                  ticked);
    CHECK_STR(found.data, outline.data);
    CHECK_INT(phases, 47);
    CHECK_INT(tasks, 235);
    dir_list_fini(&folders);
    buf_fini(&outline);
    buf_fini(&found);
    dir_unref(specs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_lists_agree_with_their_outline),
    };
    int failed = CHECK_RUN(tests);

    problems_fini(&problems);
    return failed;
}
