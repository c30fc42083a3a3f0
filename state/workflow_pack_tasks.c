/* workflow_pack_tasks.c -- see workflow_pack_private.h: the tasks of a phase.
 *
 * Listed ones come in the order of the list, whatever their numbers; then the task files that
 * nobody lists, by their number, as numbers.  A number that is taken gives way to the next free one
 * above all, so that each task can be asked for. */
#include "state/workflow_pack_private.h"

#include <stdio.h>

struct task_list {
    struct pack_maker *m;
    struct pack_phase *phase;
    struct pack_task *tasks; /* Room for PACK_TASKS_MAX. */
    size_t count;
};

static bool
number_is_taken(const struct task_list *t, int number)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->tasks[i].number == number) {
            return true;
        }
    }
    return false;
}

static int
free_number(const struct task_list *t)
{
    int number = 1;

    for (size_t i = 0; i < t->count; i++) {
        if (t->tasks[i].number >= number) {
            number = t->tasks[i].number + 1;
        }
    }
    return number;
}

/* Reads "task-<n>-name.md" or "task-<n>.md". */
static bool
read_file_name(const char *name, int *number, struct slice *rest)
{
    size_t len = strlen(name), n;

    if (strncmp(name, "task-", 5) != 0 || len < 9 || strcmp(name + len - 3, ".md") != 0) {
        return false;
    }
    n = strspn(name + 5, "0123456789");
    if (n == 0 || n > 4 || (name[5 + n] != '-' && 5 + n != len - 3)) {
        return false;
    }
    *number = (int)strtol(name + 5, NULL, 10);
    *rest = SLICE_NONE;
    if (name[5 + n] == '-') {
        *rest = (struct slice){name + 6 + n, len - 9 - n};
    }
    return true;
}

/* The name of the task in 'file', a path. */
static const char *
name_from_file(struct task_list *t, const char *file, int number)
{
    const char *name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    struct slice rest;
    char text[32];
    int ignored;

    if (read_file_name(name, &ignored, &rest) && rest.len > 0) {
        return arena_text(&t->m->pack->arena, rest);
    }
    snprintf(text, sizeof text, "task %d", number);
    return arena_text(&t->m->pack->arena, slice_of(text));
}

/* The path of a listed file relative to the pack: beside phase.md, or, if it is not there, from the
 * pack's folder.  '*found' tells whether it is there; E_ARGUMENT if it leaves the pack. */
static enum err
find_file(struct task_list *t, const char *file, char path[PACK_PATH_MAX], bool *found)
{
    struct file_identity identity;
    enum err err;

    *found = false;
    if (!pack_path_is_safe(file) || (size_t)snprintf(path, PACK_PATH_MAX, "phases/%d/%s",
                                                     t->phase->number, file) >= PACK_PATH_MAX) {
        return E_ARGUMENT;
    }
    err = dir_identity(t->m->pack->dir, path, &identity, NULL);
    if (err == E_NOT_FOUND && strchr(file, '/') &&
        dir_identity(t->m->pack->dir, file, &identity, NULL) == E_OK) {
        snprintf(path, PACK_PATH_MAX, "%s", file);
        err = E_OK;
    }
    *found = err == E_OK;
    return err == E_ARGUMENT ? err : E_OK;
}

/* The file in the phase's folder that bears 'number', if its entry names none. */
static bool
guess_file(struct task_list *t, int number, char path[PACK_PATH_MAX])
{
    char folder[32];
    struct dir_list list;
    bool found = false;

    snprintf(folder, sizeof folder, "phases/%d", t->phase->number);
    if (dir_list(t->m->pack->dir, folder, PACK_ENTRIES_MAX, &list, NULL)) {
        return false;
    }
    for (size_t i = 0; !found && i < list.count; i++) {
        struct slice rest;
        int n;

        found = !list.entries[i].folder && read_file_name(list.entries[i].name, &n, &rest) &&
                n == number;
        if (found) {
            snprintf(path, PACK_PATH_MAX, "%s/%s", folder, list.entries[i].name);
        }
    }
    dir_list_fini(&list);
    return found;
}

/* Chooses the number of a listed task. */
static int
listed_number(struct task_list *t, const json_t *entry, const char *at)
{
    const json_t *value = json_object_get(entry, "task_number");
    int number = free_number(t);
    int wanted;

    if (!value) {
        if (json_is_object(entry)) {
            pack_complain(t->m, PROBLEM_WARNING, at, "'task_number' is missing: taken for %d",
                          number);
        }
    } else if (!pack_number(t->m, value, at, &wanted)) {
        pack_complain(t->m, PROBLEM_ERROR, at, "'task_number' must be a number of 0 to %d",
                      PACK_NUMBER_MAX);
    } else if (number_is_taken(t, wanted)) {
        pack_complain(t->m, PROBLEM_WARNING, at, "task %d is there already: this one is task %d",
                      wanted, number);
    } else {
        number = wanted;
    }
    return number;
}

static void
add_listed(struct task_list *t, const json_t *entry, const char *at)
{
    const char *file = json_is_string(entry) ? json_string_value(entry)
                                             : json_string_value(json_object_get(entry, "file"));
    struct pack_task *task;
    char path[PACK_PATH_MAX] = "";
    char *file_at = xasprintf("%s/file", at);
    bool found = false;
    int number;

    if (!json_is_object(entry) && !json_is_string(entry)) {
        pack_complain(t->m, PROBLEM_ERROR, at, "a task must be an object");
        free(file_at);
        return;
    }
    number = listed_number(t, entry, at);
    if (!file) {
        pack_complain(t->m, json_object_get(entry, "file") ? PROBLEM_ERROR : PROBLEM_WARNING, at,
                      "'file' is missing");
        found = guess_file(t, number, path);
    } else if (find_file(t, file, path, &found)) {
        pack_complain(t->m, PROBLEM_ERROR, file_at, "this path leaves the workflow's folder");
    } else if (!found && (t->phase->folder || !t->m->pack->is_dynamic)) {
        pack_complain(t->m, PROBLEM_WARNING, file_at, "there is no file %.200s", path);
    }
    task = &t->tasks[t->count++];
    task->number = number;
    task->listed = true;
    task->missing = !found;
    task->file = arena_text(&t->m->pack->arena, slice_of(path));
    task->name = json_is_object(entry) ? pack_text(t->m, entry, at, "name", "", false) : "";
    if (task->name[0] == '\0') {
        task->name = name_from_file(t, path, number);
    }
    task->purpose = json_is_object(entry) ? pack_text(t->m, entry, at, "purpose", "", false) : "";
    free(file_at);
}

static bool
is_listed(const struct task_list *t, const char *path)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->tasks[i].file && strcmp(t->tasks[i].file, path) == 0) {
            return true;
        }
    }
    return false;
}

/* A task file that no entry names. */
struct found_file {
    int number;
    char *name; /* Borrowed from the listing. */
};

static int
compare_files(const void *a, const void *b)
{
    const struct found_file *x = a, *y = b;

    return x->number != y->number ? (x->number > y->number) - (x->number < y->number)
                                  : strcmp(x->name, y->name);
}

static void
add_unlisted(struct task_list *t, const struct found_file *file, const char *path)
{
    struct pack_task *task;
    int number = file->number;

    if (t->count == PACK_TASKS_MAX) {
        pack_complain(t->m, PROBLEM_ERROR, "/phases", "phase %d has more than %u tasks",
                      t->phase->number, PACK_TASKS_MAX);
        return;
    }
    if (number_is_taken(t, number)) {
        number = free_number(t);
        problems_add(&t->m->pack->warnings, PROBLEM_WARNING, path, 0, 0,
                     "no entry lists this file, and task %d is there already: it is task %d",
                     file->number, number);
    } else if (t->phase->metadata) {
        problems_add(&t->m->pack->warnings, PROBLEM_WARNING, path, 0, 0,
                     "no entry lists this file: it is task %d", number);
    }
    task = &t->tasks[t->count++];
    task->number = number;
    task->file = arena_text(&t->m->pack->arena, slice_of(path));
    task->name = name_from_file(t, path, number);
    task->purpose = "";
}

static void
add_files(struct task_list *t)
{
    char folder[32];
    struct dir_list list;
    struct found_file *files;
    size_t count = 0;

    snprintf(folder, sizeof folder, "phases/%d", t->phase->number);
    if (dir_list(t->m->pack->dir, folder, PACK_ENTRIES_MAX, &list, t->m->fault)) {
        pack_complain(t->m, PROBLEM_ERROR, "/phases", "folder %s cannot be listed", folder);
        return;
    }
    files = xcalloc(list.count, sizeof *files);
    for (size_t i = 0; i < list.count; i++) {
        struct slice rest;

        if (!list.entries[i].folder &&
            read_file_name(list.entries[i].name, &files[count].number, &rest)) {
            files[count++].name = list.entries[i].name;
        }
    }
    qsort(files, count, sizeof *files, compare_files);
    for (size_t i = 0; i < count; i++) {
        char *path = xasprintf("%s/%s", folder, files[i].name);

        if (!is_listed(t, path)) {
            add_unlisted(t, &files[i], path);
        }
        free(path);
    }
    free(files);
    dir_list_fini(&list);
}

void
pack_make_tasks(struct pack_maker *m, struct pack_phase *phase, const json_t *entry,
                const char *path)
{
    const json_t *list = json_object_get(entry, "tasks");
    struct task_list t = {.m = m, .phase = phase};
    char *at = xasprintf("%s/tasks", path);
    struct pack_task *tasks;

    t.tasks = xcalloc(PACK_TASKS_MAX, sizeof *t.tasks);
    if (list && !json_is_array(list)) {
        pack_complain(m, PROBLEM_ERROR, at, "'tasks' must be a list");
    } else if (json_array_size(list) > PACK_TASKS_MAX) {
        pack_complain(m, PROBLEM_ERROR, at, "phase %d has more than %u tasks", phase->number,
                      PACK_TASKS_MAX);
        list = NULL;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        char *item = xasprintf("%s/%zu", at, i);

        add_listed(&t, json_array_get(list, i), item);
        free(item);
    }
    if (phase->folder) {
        add_files(&t);
    }
    tasks = arena_take(&m->pack->arena, t.count, sizeof *tasks);
    if (tasks) {
        memcpy(tasks, t.tasks, t.count * sizeof *tasks);
        phase->tasks = tasks;
        phase->task_count = t.count;
    }
    free(t.tasks);
    free(at);
}
