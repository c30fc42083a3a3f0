/* workflow_tasklist_finish.c -- the second half of the task-list parser: from drafts to a source.
 *
 * Which headings are phases: of those with one number the first that has tasks, as long as the numbers
 * rise down the list.  A phase without tasks counts if it fits between them and is of the same level
 * as they are; what is left is a summary and is dropped with a warning unless it repeats a
 * number. */
#include "state/workflow_tasklist_private.h"

#include "state/workflow_labels.h"

#include <stdint.h>
#include <stdio.h>
#include <strings.h>

#define DEPENDS_MAX 4096u  /* Bytes of a line of dependencies that are looked at. */
#define DEPENDENCIES_MAX 64u
#define RANGE_MAX 64

/* The ids of all tasks, to tell an id in a dependency from a version number. */
struct ids {
    uint32_t *ids; /* phase << 16 | task, sorted; owned. */
    size_t count;
};

static int
compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static bool
has_id(const struct ids *ids, int phase, int number)
{
    uint32_t id = (uint32_t)phase << 16 | (uint32_t)number;

    return ids->count > 0 && bsearch(&id, ids->ids, ids->count, sizeof id, compare_ids);
}

/* Chooses, of the phases with tasks, the first of each number, rising.  Returns the level of the first
 * one, 0 if there is none. */
static unsigned
choose_phases_with_tasks(struct tasklist *t)
{
    bool seen[WF_NUMBER_MAX + 1] = {false};
    unsigned level = 0;
    int last = -1;

    for (size_t i = 0; i < t->phases.count; i++) {
        struct draft_phase *phase = draft_phase(t, i);

        if (phase->task_count == 0 || seen[phase->number]) {
            continue;
        }
        if (phase->number > last) {
            phase->chosen = seen[phase->number] = true;
            last = phase->number;
            level = level ? level : phase->level;
        } else {
            problems_add(t->problems, PROBLEM_WARNING, t->file, phase->line, 0,
                         "phase %d after phase %d: left out, with its tasks", phase->number, last);
        }
    }
    return level;
}

/* The number of the first chosen phase after phase 'i', or one that is never reached. */
static int
next_number(const struct tasklist *t, size_t i)
{
    for (size_t j = i + 1; j < t->phases.count; j++) {
        if (draft_phase(t, j)->chosen) {
            return draft_phase(t, j)->number;
        }
    }
    return WF_NUMBER_MAX + 1;
}

static void
choose_phases_without_tasks(struct tasklist *t, unsigned level)
{
    bool seen[WF_NUMBER_MAX + 1] = {false};
    int last = -1;

    for (size_t i = 0; i < t->phases.count; i++) {
        seen[draft_phase(t, i)->number] |= draft_phase(t, i)->chosen;
    }
    for (size_t i = 0; i < t->phases.count; i++) {
        struct draft_phase *phase = draft_phase(t, i);

        if (!phase->chosen && phase->task_count == 0 && !seen[phase->number]) {
            phase->chosen = phase->level == level && phase->number > last &&
                            phase->number < next_number(t, i);
            seen[phase->number] = phase->chosen;
            problems_add(t->problems, PROBLEM_WARNING, t->file, phase->line, 0,
                         phase->chosen ? "phase %d has no task"
                                       : "phase %d has no task and is left out",
                         phase->number);
        }
        last = phase->chosen ? phase->number : last;
    }
}

static bool
is_blank(struct slice line)
{
    return mdl_trim(line).len == 0;
}

static size_t
leading_blanks(struct slice line)
{
    size_t n = 0;

    while (n < line.len && line.data[n] == ' ') {
        n++;
    }
    return n;
}

/* The lines of 'span' as Markdown: without the indentation they share, blank lines at the ends, and
 * rules. */
static const char *
span_text(struct tasklist *t, struct span span)
{
    const struct mdl_line *lines = t->md->lines;
    struct buf text = BUF_INIT;
    size_t shared = SIZE_MAX;
    const char *result;

    while (span.end > span.begin &&
           (is_blank(lines[span.end - 1].raw) || lines[span.end - 1].kind == MDL_BREAK)) {
        span.end--;
    }
    while (span.begin < span.end && is_blank(lines[span.begin].raw)) {
        span.begin++;
    }
    for (size_t i = span.begin; i < span.end; i++) {
        size_t blanks = leading_blanks(lines[i].raw);

        if (!is_blank(lines[i].raw) && blanks < shared) {
            shared = blanks;
        }
    }
    buf_add_slice(&text, mdl_trim(span.first));
    for (size_t i = span.begin; i < span.end; i++) {
        struct slice raw = lines[i].raw;
        size_t cut = raw.len < shared ? raw.len : shared;

        buf_adds(&text, text.len > 0 ? "\n" : "");
        buf_add(&text, raw.data + cut, raw.len - cut);
    }
    result = arena_text(&t->source->arena, buf_slice(&text));
    t->source->arena.failed = t->source->arena.failed || text.failed;
    buf_fini(&text);
    return result;
}

/* The description of a task or phase: below its label, else what stands before the first one. */
static const char *
description_of(struct tasklist *t, const struct span *labelled, const struct span *intro)
{
    struct span span = *intro;

    if (labelled->begin > 0) {
        return span_text(t, *labelled);
    }
    for (size_t i = span.begin; i < span.end; i++) {
        if (t->md->lines[i].kind == MDL_ITEM && t->md->lines[i].box) {
            span.end = i;
        }
    }
    return span.begin > 0 ? span_text(t, span) : "";
}

/* Which marks count: boxes below the label; else bullets there; without a label, boxes. */
static bool
mark_counts(const struct draft_task *task, const struct draft_mark *mark, bool boxed)
{
    return task->labelled ? mark->labelled && mark->boxed == boxed : mark->boxed;
}

static void
fill_criteria(struct tasklist *t, struct wf_task *task, const struct draft_task *draft)
{
    bool boxed = false;
    size_t count = 0;

    for (size_t i = 0; i < draft->mark_count; i++) {
        const struct draft_mark *mark = draft_mark(&t->marks, draft->first_mark + i);

        boxed = boxed || (mark->boxed && mark->labelled);
    }
    for (size_t i = 0; i < draft->mark_count; i++) {
        count += mark_counts(draft, draft_mark(&t->marks, draft->first_mark + i), boxed);
    }
    task->criteria = arena_take(&t->source->arena, count, sizeof *task->criteria);
    for (size_t i = 0; task->criteria && i < draft->mark_count; i++) {
        const struct draft_mark *mark = draft_mark(&t->marks, draft->first_mark + i);

        if (mark_counts(draft, mark, boxed)) {
            task->criteria[task->criterion_count++] =
                (struct wf_criterion){.text = mark->text, .done = mark->done, .line = mark->line};
        }
    }
}

/* A list of dependencies that grows in the arena's stead until it is complete. */
struct dependencies {
    struct tasklist *t;
    const char *items[DEPENDENCIES_MAX];
    size_t count;
    unsigned line;
};

static void
add_dependency(struct dependencies *d, struct slice text)
{
    for (size_t i = 0; i < d->count; i++) {
        if (slice_is(text, d->items[i])) {
            return;
        }
    }
    if (d->count < DEPENDENCIES_MAX) {
        const char *copy = arena_text(&d->t->source->arena, text);

        if (copy) {
            d->items[d->count++] = copy;
        }
    }
}

static void
add_id(struct dependencies *d, int phase, int number)
{
    char id[16];

    snprintf(id, sizeof id, "%d.%d", phase, number);
    add_dependency(d, slice_of(id));
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads "N.M" at the front of 'text'.  Returns its bytes, or 0. */
static size_t
read_id(struct slice text, int *phase, int *number)
{
    int *part = phase;
    size_t i = 0, begin = 0;

    *phase = *number = 0;
    for (; i < text.len; i++) {
        if (is_digit(text.data[i])) {
            *part = *part * 10 + (text.data[i] - '0');
            if (*part > WF_NUMBER_MAX) {
                return 0;
            }
        } else if (text.data[i] == '.' && part == phase && i > 0 && i + 1 < text.len &&
                   is_digit(text.data[i + 1])) {
            part = number;
            begin = i + 1;
        } else {
            break;
        }
    }
    if (part == phase || i == begin || (i + 1 < text.len && text.data[i] == '.' &&
                                        is_digit(text.data[i + 1]))) {
        return 0;
    }
    return i;
}

/* The bytes of what makes "1.1 - 1.4" a range; 0 if 'text' does not go on so. */
static size_t
range_mark(struct slice text)
{
    static const char *const marks[] = {"-", " - ", "\xE2\x80\x93", " \xE2\x80\x93 ", " to ",
                                        " through "};

    for (size_t i = sizeof marks / sizeof marks[0]; i-- > 0;) {
        size_t len = strlen(marks[i]);

        if (text.len > len && memcmp(text.data, marks[i], len) == 0 && is_digit(text.data[len])) {
            return len;
        }
    }
    return 0;
}

/* Does the word "task" stand in 'text'?  Then a number such as 2.1 means a task, known or not. */
static bool
speaks_of_tasks(struct slice text)
{
    for (size_t i = 0; i + 4 <= text.len; i++) {
        if (strncasecmp(text.data + i, "task", 4) == 0) {
            return true;
        }
    }
    return false;
}

/* Picks the ids out of 'text', ranges included. */
static void
pick_ids(struct dependencies *d, const struct ids *ids, struct slice text)
{
    bool tasks = speaks_of_tasks(text);

    for (size_t i = 0; i < text.len;) {
        struct slice rest = {text.data + i, text.len - i};
        int phase, number, last_phase, last;
        size_t len, gap, more;

        if (!is_digit(text.data[i])) {
            i++;
            continue;
        }
        len = read_id(rest, &phase, &number);
        if (len == 0 || !(tasks || has_id(ids, phase, number))) {
            while (i < text.len && (is_digit(text.data[i]) || text.data[i] == '.')) {
                i++;
            }
            continue;
        }
        if (!has_id(ids, phase, number)) {
            problems_add(d->t->problems, PROBLEM_WARNING, d->t->file, d->line, 0,
                         "depends on task %d.%d, which is not in the list", phase, number);
        }
        add_id(d, phase, number);
        i += len;
        rest = (struct slice){text.data + i, text.len - i};
        gap = range_mark(rest);
        more = gap ? read_id((struct slice){rest.data + gap, rest.len - gap}, &last_phase, &last) : 0;
        for (int n = number + 1; more && last_phase == phase && n < last && n < number + RANGE_MAX; n++) {
            if (has_id(ids, phase, n)) {
                add_id(d, phase, n);
            }
        }
    }
}

static bool
says_none(struct slice text)
{
    static const char *const words[] = {"none", "n/a", "nothing", "no dependencies", "-", "--"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i]);

        if (text.len >= len && strncasecmp(text.data, words[i], len) == 0 &&
            (text.len == len || text.data[len] == ' ' || text.data[len] == '.' ||
             text.data[len] == ',' || text.data[len] == '(')) {
            return true;
        }
    }
    return false;
}

/* Splits words at commas that stand in no parentheses. */
static void
split_words(struct dependencies *d, struct slice text)
{
    size_t begin = 0;
    int depth = 0;

    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.data[i] == '(') {
            depth++;
        } else if (i < text.len && text.data[i] == ')') {
            depth -= depth > 0;
        } else if (i == text.len || (text.data[i] == ',' && depth == 0)) {
            struct slice word = mdl_unmark((struct slice){text.data + begin, i - begin});

            if (word.len > 0) {
                add_dependency(d, word);
            }
            begin = i + 1;
        }
    }
}

static void
fill_dependencies(struct tasklist *t, struct wf_task *task, const struct draft_task *draft,
                  const struct ids *ids)
{
    struct dependencies d = {.t = t, .line = draft->line};
    struct slice text = mdl_unmark(draft->depends);

    if (text.len > DEPENDS_MAX) {
        text.len = DEPENDS_MAX;
        while (text.len > 0 && text.data[text.len] != ' ') {
            text.len--;
        }
    }
    if (text.len == 0 || says_none(text)) {
        return;
    }
    pick_ids(&d, ids, text);
    if (d.count == 0) {
        split_words(&d, text);
    }
    task->dependencies = arena_take(&t->source->arena, d.count, sizeof *task->dependencies);
    if (task->dependencies) {
        memcpy(task->dependencies, d.items, d.count * sizeof *task->dependencies);
        task->dependency_count = d.count;
    }
}

static void
fill_task(struct tasklist *t, struct wf_task *task, const struct draft_task *draft,
          const struct ids *ids)
{
    char id[16];

    snprintf(id, sizeof id, "%d.%d", draft_phase(t, draft->phase)->number, draft->number);
    task->number = (unsigned)draft->number;
    task->id = arena_text(&t->source->arena, slice_of(id));
    task->name = draft->name;
    if (task->name && task->name[0] == '\0') {
        char name[24];

        snprintf(name, sizeof name, "Task %s", id);
        task->name = arena_text(&t->source->arena, slice_of(name));
    }
    task->description = description_of(t, &draft->description, &draft->intro);
    task->estimated_time = arena_text(&t->source->arena, draft->time);
    task->text = span_text(t, (struct span){.begin = draft->begin, .end = draft->end});
    task->done = draft->done;
    task->line = draft->line;
    fill_criteria(t, task, draft);
    fill_dependencies(t, task, draft, ids);
}

/* Does 'gate' belong to phase 'i'? */
static bool
gate_is_of(const struct tasklist *t, const struct draft_gate *gate, size_t i)
{
    return gate->phase == NOWHERE ? gate->number == draft_phase(t, i)->number : gate->phase == i;
}

/* How many marks of 'gate' count; stores them at 'to' unless it is null. */
static size_t
gate_marks(const struct tasklist *t, const struct draft_gate *gate, struct wf_criterion *to)
{
    size_t count = 0;

    for (size_t i = 0; i < gate->mark_count; i++) {
        const struct draft_mark *mark = draft_mark(&t->gate_marks, gate->first_mark + i);

        if (mark->boxed == gate->boxed) {
            if (to) {
                to[count] = (struct wf_criterion){
                    .text = mark->text, .done = mark->done, .line = mark->line};
            }
            count++;
        }
    }
    return count;
}

static void
fill_gate(struct tasklist *t, struct wf_phase *phase, size_t index)
{
    size_t count = 0;

    for (size_t g = 0; g < t->gates.count; g++) {
        if (gate_is_of(t, draft_gate(t, g), index)) {
            count += gate_marks(t, draft_gate(t, g), NULL);
        }
    }
    phase->gate = arena_take(&t->source->arena, count, sizeof *phase->gate);
    for (size_t g = 0; phase->gate && g < t->gates.count; g++) {
        if (gate_is_of(t, draft_gate(t, g), index)) {
            phase->gate_count +=
                gate_marks(t, draft_gate(t, g), phase->gate + phase->gate_count);
        }
    }
}

static void
fill_phase(struct tasklist *t, struct wf_phase *phase, size_t index, const struct ids *ids)
{
    const struct draft_phase *draft = draft_phase(t, index);
    char label[16];

    snprintf(label, sizeof label, "%d", draft->number);
    phase->number = phase->source_phase = draft->number;
    phase->source_label = arena_text(&t->source->arena, slice_of(label));
    phase->name = draft->name;
    phase->description = description_of(t, &draft->description, &draft->intro);
    phase->duration = arena_text(&t->source->arena, draft->duration);
    phase->line = draft->line;
    phase->tasks = arena_take(&t->source->arena, draft->task_count, sizeof *phase->tasks);
    for (size_t i = 0; phase->tasks && i < draft->task_count; i++) {
        fill_task(t, &phase->tasks[i], draft_task(t, draft->first_task + i), ids);
        phase->task_count++;
    }
    fill_gate(t, phase, index);
}

/* Gates that name a phase which is not there. */
static void
check_gates(struct tasklist *t)
{
    for (size_t g = 0; g < t->gates.count; g++) {
        const struct draft_gate *gate = draft_gate(t, g);
        bool found = gate->phase != NOWHERE;

        for (size_t i = 0; !found && i < t->phases.count; i++) {
            found = draft_phase(t, i)->chosen && draft_phase(t, i)->number == gate->number;
        }
        if (!found) {
            problems_add(t->problems, PROBLEM_WARNING, t->file, gate->line, 0,
                         "this gate is for phase %d, which is not in the list", gate->number);
        }
    }
}

static bool
collect_ids(const struct tasklist *t, struct ids *ids)
{
    ids->ids = try_malloc((t->tasks.count + 1) * sizeof *ids->ids);
    if (!ids->ids) {
        return false;
    }
    for (size_t i = 0; i < t->tasks.count; i++) {
        const struct draft_phase *phase = draft_phase(t, draft_task(t, i)->phase);

        if (phase->chosen) {
            ids->ids[ids->count++] =
                (uint32_t)phase->number << 16 | (uint32_t)draft_task(t, i)->number;
        }
    }
    qsort(ids->ids, ids->count, sizeof *ids->ids, compare_ids);
    return true;
}

static enum err
build(struct tasklist *t, struct fault *f)
{
    struct wf_source *source = t->source;
    struct ids ids = {.count = 0};
    size_t count = 0;

    for (size_t i = 0; i < t->phases.count; i++) {
        count += draft_phase(t, i)->chosen;
    }
    source->phases = arena_take(&source->arena, count, sizeof *source->phases);
    if (!source->phases || !collect_ids(t, &ids)) {
        return fault_set(f, E_LIMIT, "no memory for the task list");
    }
    for (size_t i = 0; i < t->phases.count; i++) {
        if (draft_phase(t, i)->chosen) {
            fill_phase(t, &source->phases[source->phase_count++], i, &ids);
        }
    }
    free(ids.ids);
    if (source->arena.failed) {
        return fault_set(f, E_LIMIT, "no memory for the task list");
    }
    check_gates(t);
    wf_source_count(source);
    return E_OK;
}

enum err
tasklist_finish(struct tasklist *t, struct fault *f)
{
    unsigned level;

    if (t->too_many) {
        return fault_set(f, E_TOO_LARGE, "the task list has more than %zu %s", t->most,
                         t->too_many);
    }
    if (t->source->arena.failed) {
        return fault_set(f, E_LIMIT, "no memory for the task list");
    }
    level = choose_phases_with_tasks(t);
    if (level == 0) {
        (void)fault_set(f, E_REFUSED,
                        t->phases.count > 0 ? "none of the phases in the task list has a task"
                                            : "the task list has no phase");
        return fault_remedy(f, "write a heading \"## Phase 1: Name\" and below it tasks such as "
                               "\"- [ ] **Task 1.1**: Name\"");
    }
    if (!t->numbered) {
        choose_phases_without_tasks(t, level);
    }
    return build(t, f);
}
