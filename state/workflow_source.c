/* workflow_source.c -- see workflow_source.h. */
#include "state/workflow_source.h"

#include "state/yaml.h"

#include <string.h>

struct wf_source *
wf_source_create(size_t limit)
{
    struct wf_source *source = try_malloc(sizeof *source);

    if (source) {
        *source = (struct wf_source){.refs = 1, .arena = ARENA_INIT(limit)};
    }
    return source;
}

struct wf_source *
wf_source_ref(struct wf_source *source)
{
    atomic_fetch_add_explicit(&source->refs, 1, memory_order_relaxed);
    return source;
}

void
wf_source_unref(struct wf_source *source)
{
    if (source && atomic_fetch_sub_explicit(&source->refs, 1, memory_order_acq_rel) == 1) {
        wf_source_unref(source->base);
        ytree_free(source->tree);
        arena_fini(&source->arena);
        free(source);
    }
}

void
wf_source_count(struct wf_source *source)
{
    source->task_count = source->criterion_count = source->done_count = 0;
    for (size_t i = 0; i < source->phase_count; i++) {
        const struct wf_phase *phase = &source->phases[i];

        source->task_count += phase->task_count;
        for (size_t j = 0; j < phase->task_count; j++) {
            const struct wf_task *task = &phase->tasks[j];

            source->criterion_count += task->criterion_count;
            for (size_t k = 0; k < task->criterion_count; k++) {
                source->done_count += task->criteria[k].done;
            }
        }
    }
}

const struct wf_phase *
wf_source_phase(const struct wf_source *source, int number)
{
    for (size_t i = 0; i < source->phase_count; i++) {
        if (source->phases[i].number == number) {
            return &source->phases[i];
        }
    }
    return NULL;
}

const struct wf_task *
wf_phase_task(const struct wf_phase *phase, unsigned number)
{
    for (size_t i = 0; i < phase->task_count; i++) {
        if (phase->tasks[i].number == number) {
            return &phase->tasks[i];
        }
    }
    return NULL;
}

static bool
is_among(const int *numbers, size_t count, int number)
{
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] == number) {
            return true;
        }
    }
    return false;
}

static bool
collides(const struct wf_source *source, const int *taken, size_t count, int offset)
{
    for (size_t i = 0; i < source->phase_count; i++) {
        const struct wf_phase *phase = &source->phases[i];

        if (!phase->relative && is_among(taken, count, phase->source_phase + offset)) {
            return true;
        }
    }
    return false;
}

int
wf_source_place(struct wf_source *source, const int *taken, size_t count)
{
    struct wf_phase *phases = source->phases;
    int generated = 0, offset = 0, last = -1;

    /* Ends: above the largest number taken nothing collides. */
    while (collides(source, taken, count, offset)) {
        offset++;
    }
    for (size_t i = 0; i < source->phase_count; i++) {
        generated += !phases[i].relative;
    }
    for (size_t i = 0; i < source->phase_count; i++) {
        if (phases[i].relative) {
            phases[i].number = generated + phases[i].source_phase;
            if (phases[i].number <= last) {
                phases[i].number = last + 1;
            }
            while (is_among(taken, count, phases[i].number)) {
                phases[i].number++;
            }
        } else {
            phases[i].number = phases[i].source_phase + offset;
        }
        last = phases[i].number;
    }
    return offset;
}

static const char *
copy_text(struct wf_source *copy, const char *text)
{
    return arena_text(&copy->arena, slice_of(text));
}

static struct wf_criterion *
copy_criteria(struct wf_source *copy, const struct wf_criterion *criteria, size_t count)
{
    struct wf_criterion *mine = arena_take(&copy->arena, count, sizeof *mine);

    for (size_t i = 0; mine && i < count; i++) {
        mine[i] = criteria[i];
        mine[i].text = copy_text(copy, criteria[i].text);
    }
    return mine;
}

static void
copy_task(struct wf_source *copy, struct wf_task *mine, const struct wf_task *task)
{
    *mine = *task;
    mine->id = copy_text(copy, task->id);
    mine->name = copy_text(copy, task->name);
    mine->description = copy_text(copy, task->description);
    mine->estimated_time = copy_text(copy, task->estimated_time);
    mine->text = copy_text(copy, task->text);
    mine->criteria = copy_criteria(copy, task->criteria, task->criterion_count);
    mine->dependencies =
        arena_take(&copy->arena, task->dependency_count, sizeof *mine->dependencies);
    for (size_t i = 0; mine->dependencies && i < task->dependency_count; i++) {
        mine->dependencies[i] = copy_text(copy, task->dependencies[i]);
    }
}

static void
copy_phase(struct wf_source *copy, struct wf_phase *mine, const struct wf_phase *phase)
{
    *mine = *phase;
    mine->source_label = copy_text(copy, phase->source_label);
    mine->name = copy_text(copy, phase->name);
    mine->description = copy_text(copy, phase->description);
    mine->duration = copy_text(copy, phase->duration);
    mine->gate = copy_criteria(copy, phase->gate, phase->gate_count);
    mine->tasks = arena_take(&copy->arena, phase->task_count, sizeof *mine->tasks);
    for (size_t i = 0; mine->tasks && i < phase->task_count; i++) {
        copy_task(copy, &mine->tasks[i], &phase->tasks[i]);
    }
}

/* A text and its tick in the later reading. */
struct tick {
    const char *text;
    size_t index;
    bool done;
    size_t taken; /* Of the first of equal texts: how many of them have answered. */
};

static int
compare_ticks(const void *a, const void *b)
{
    const struct tick *x = a, *y = b;
    int order = strcmp(x->text, y->text);

    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* The first of the ticks whose text is 'text', or null. */
static struct tick *
first_tick(struct tick *ticks, size_t count, const char *text)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(ticks[middle].text, text) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && strcmp(ticks[low].text, text) == 0 ? &ticks[low] : NULL;
}

/* Ticks 'mine' as in 'now'.  Equal texts answer in their order, each once. */
static enum err
tick_criteria(struct wf_criterion *mine, size_t mine_count, const struct wf_criterion *now,
              size_t now_count, bool *changed)
{
    struct tick *ticks = try_malloc((now_count + 1) * sizeof *ticks);

    if (!ticks) {
        return E_LIMIT;
    }
    for (size_t i = 0; i < now_count; i++) {
        ticks[i] = (struct tick){.text = now[i].text, .index = i, .done = now[i].done};
    }
    qsort(ticks, now_count, sizeof *ticks, compare_ticks);
    *changed = *changed || mine_count != now_count;
    for (size_t i = 0; i < mine_count; i++) {
        struct tick *first = first_tick(ticks, now_count, mine[i].text);
        struct tick *next = first ? first + first->taken : NULL;

        if (next && next < ticks + now_count && strcmp(next->text, mine[i].text) == 0) {
            mine[i].done = next->done;
            first->taken++;
        } else {
            *changed = true;
        }
    }
    free(ticks);
    return E_OK;
}

static enum err
tick_phase(struct wf_phase *mine, const struct wf_phase *now, bool *changed)
{
    enum err err = tick_criteria(mine->gate, mine->gate_count, now->gate, now->gate_count, changed);

    *changed =
        *changed || mine->task_count != now->task_count || strcmp(mine->name, now->name) != 0;
    for (size_t i = 0; !err && i < mine->task_count; i++) {
        struct wf_task *task = &mine->tasks[i];
        const struct wf_task *again = i < now->task_count && now->tasks[i].number == task->number
                                          ? &now->tasks[i]
                                          : wf_phase_task(now, task->number);

        if (!again) {
            *changed = true;
            continue;
        }
        *changed = *changed || strcmp(task->name, again->name) != 0;
        task->done = again->done;
        err = tick_criteria(task->criteria, task->criterion_count, again->criteria,
                            again->criterion_count, changed);
    }
    return err;
}

/* The phase of 'now' that the source numbers as 'phase', or null. */
static const struct wf_phase *
find_again(const struct wf_source *now, const struct wf_phase *phase)
{
    for (size_t i = 0; i < now->phase_count; i++) {
        if (now->phases[i].source_phase == phase->source_phase &&
            now->phases[i].relative == phase->relative) {
            return &now->phases[i];
        }
    }
    return NULL;
}

/* A reference to the source that owns the nodes of 'source', or null if it has none.  One step back
 * at most, so that many refreshes do not make a chain. */
static struct wf_source *
keeper_of(struct wf_source *source)
{
    if (source->base) {
        return wf_source_ref(source->base);
    }
    return source->tree ? wf_source_ref(source) : NULL;
}

enum err
wf_source_refresh(struct wf_source *old, const struct wf_source *now, struct wf_source **result,
                  bool *changed, struct fault *f)
{
    struct wf_source *copy = wf_source_create(0);
    enum err err = E_OK;

    *result = NULL;
    *changed = old->phase_count != now->phase_count;
    if (copy) {
        copy->base = keeper_of(old);
        copy->phases = arena_take(&copy->arena, old->phase_count, sizeof *copy->phases);
        copy->phase_count = copy->phases ? old->phase_count : 0;
    }
    for (size_t i = 0; copy && i < copy->phase_count; i++) {
        copy_phase(copy, &copy->phases[i], &old->phases[i]);
    }
    if (!copy || copy->arena.failed) {
        err = E_LIMIT;
    }
    for (size_t i = 0; !err && i < copy->phase_count; i++) {
        const struct wf_phase *again = find_again(now, &copy->phases[i]);

        if (again) {
            err = tick_phase(&copy->phases[i], again, changed);
        } else {
            *changed = true;
        }
    }
    if (err) {
        wf_source_unref(copy);
        return fault_set(f, err, "no memory to read the source's ticks again");
    }
    wf_source_count(copy);
    *result = copy;
    return E_OK;
}
