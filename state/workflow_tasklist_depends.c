/* workflow_tasklist_depends.c -- what a task depends on: ids picked out of a line of prose.
 *
 * "Task 1.1, Task 1.2", "Tasks 1.1-1.3", "2.1 (must exist)"; what names no task stays words, split
 * at commas.  A number such as 3.11 is an id only if the list has that task, or the line speaks of
 * tasks. */
#include "state/workflow_tasklist_private.h"

#include <stdio.h>
#include <strings.h>

#define DEPENDS_MAX 4096u /* Bytes of a line of dependencies that are looked at. */
#define DEPENDENCIES_MAX 64u
#define RANGE_MAX 64 /* Tasks that "1.1 - 1.9" can stand for. */

static int
compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static bool
has_id(const struct task_ids *ids, int phase, int number)
{
    uint32_t id = (uint32_t)phase << 16 | (uint32_t)number;

    return ids->count > 0 && bsearch(&id, ids->ids, ids->count, sizeof id, compare_ids);
}

bool
task_ids_collect(const struct tasklist *t, struct task_ids *ids)
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

void
task_ids_fini(struct task_ids *ids)
{
    free(ids->ids);
    *ids = (struct task_ids)TASK_IDS_INIT;
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
    if (part == phase || i == begin ||
        (i + 1 < text.len && text.data[i] == '.' && is_digit(text.data[i + 1]))) {
        return 0;
    }
    return i;
}

/* The bytes of what makes "1.1 - 1.4" a range; 0 if 'text' does not go on so. */
static size_t
range_mark(struct slice text)
{
    static const char *const marks[] = {"-",    " - ",      "\xE2\x80\x93", " \xE2\x80\x93 ",
                                        " to ", " through "};

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
pick_ids(struct dependencies *d, const struct task_ids *ids, struct slice text)
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
        more =
            gap ? read_id((struct slice){rest.data + gap, rest.len - gap}, &last_phase, &last) : 0;
        for (int n = number + 1; more && last_phase == phase && n < last && n < number + RANGE_MAX;
             n++) {
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

void
tasklist_depends(struct tasklist *t, struct wf_task *task, const struct draft_task *draft,
                 const struct task_ids *ids)
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
