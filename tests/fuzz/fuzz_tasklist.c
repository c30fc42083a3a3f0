/* fuzz_tasklist.c -- any bytes as a task list and as a task's text: what must hold whatever they
 * are.
 *
 * Run by "make fuzz-tasklist"; finds are kept in tests/fuzz/corpus/tasklist. */
#include "state/base/rune.h"
#include "state/workflow_steps.h"
#include "state/workflow_tasklist.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(CONDITION)                                                        \
    do {                                                                       \
        if (!(CONDITION)) {                                                    \
            fprintf(stderr, "fuzz_tasklist: does not hold: %s\n", #CONDITION); \
            abort();                                                           \
        }                                                                      \
    } while (0)

static void
must_be_text(const char *text)
{
    MUST(text && rune_valid(slice_of(text)));
}

static void
must_be_criteria(const struct wf_criterion *criteria, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        must_be_text(criteria[i].text);
        MUST(criteria[i].line > 0);
    }
}

static void
must_be_whole(const struct wf_source *source)
{
    size_t tasks = 0;

    MUST(source->phase_count > 0 && source->task_count > 0);
    for (size_t i = 0; i < source->phase_count; i++) {
        const struct wf_phase *phase = &source->phases[i];

        MUST(i == 0 || phase->number > phase[-1].number);
        MUST(phase->number >= 0 && phase->number <= WF_NUMBER_MAX && phase->name[0]);
        must_be_text(phase->name);
        must_be_text(phase->description);
        must_be_text(phase->duration);
        must_be_criteria(phase->gate, phase->gate_count);
        for (size_t j = 0; j < phase->task_count; j++) {
            const struct wf_task *task = &phase->tasks[j];

            MUST(wf_phase_task(phase, task->number) == task);
            must_be_text(task->name);
            must_be_text(task->description);
            must_be_text(task->estimated_time);
            must_be_text(task->text);
            must_be_criteria(task->criteria, task->criterion_count);
            for (size_t k = 0; k < task->dependency_count; k++) {
                must_be_text(task->dependencies[k]);
            }
            tasks++;
        }
    }
    MUST(tasks == source->task_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct wf_source *source = NULL, *fresh = NULL;
    struct problems problems = PROBLEMS_INIT;
    struct fault f = FAULT_INIT;
    bool changed = true;
    json_t *steps = wf_steps(text);

    MUST(steps && json_array_size(steps) <= WF_STEPS_MAX);
    json_decref(steps);
    if (wf_tasklist_parse(text, "tasks.md", &problems, &source, &f)) {
        MUST(!source && f.text[0]);
    } else {
        must_be_whole(source);
        MUST(wf_source_refresh(source, source, &fresh, &changed, &f) == E_OK && !changed);
        must_be_whole(fresh);
        MUST(fresh->done_count == source->done_count);
    }
    wf_source_unref(source);
    wf_source_unref(fresh);
    problems_fini(&problems);
    return 0;
}
