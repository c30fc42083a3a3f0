/* workflow_pack_find.c -- see workflow_pack.h: which packs there are, and which one a name means.
 */
#include "state/base/nearest.h"
#include "state/workflow_pack_private.h"

#include <stdio.h>

#define NEAREST_MAX 3u /* Names that an error offers. */
#define NAMES_SHOWN 8u

/* Whether the folder 'id' is a pack's.  One whose metadata cannot be opened just now may be one:
 * reading it will tell. */
static bool
may_be_pack(const struct dir *root, const char *id)
{
    char file[PACK_NAME_MAX + sizeof PACK_METADATA + 1];
    struct file_identity identity;
    enum err err;

    snprintf(file, sizeof file, "%s/%s", id, PACK_METADATA);
    err = dir_identity(root, file, &identity, NULL);
    return err == E_OK || err == E_IO;
}

/* Opens the folder of the pack 'id', in the first root that has it.  E_NOT_FOUND sets no fault. */
static enum err
open_pack(const struct pack_roots *roots, const char *id, struct dir **dir, struct fault *f)
{
    for (size_t i = 0; i < roots->count; i++) {
        if (may_be_pack(roots->dirs[i], id)) {
            return dir_sub(roots->dirs[i], id, false, dir, f);
        }
    }
    return E_NOT_FOUND;
}

/* The names of all folders that hold a metadata.json, sorted, each once. */
struct names {
    char **names; /* Owned, as are the texts. */
    size_t count, size;
};

static void
names_fini(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->names[i]);
    }
    free(names->names);
}

static void
add_name(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i], name) == 0) {
            return;
        }
    }
    if (names->count == names->size) {
        names->size = names->size ? names->size * 2 : 16;
        names->names = xrealloc(names->names, names->size * sizeof *names->names);
    }
    names->names[names->count++] = xstrdup(name);
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum err
find_names(const struct pack_roots *roots, struct names *names, struct problems *problems,
           struct fault *f)
{
    for (size_t i = 0; i < roots->count; i++) {
        struct dir_list list;
        enum err err = dir_list(roots->dirs[i], ".", PACKS_MAX, &list, f);

        if (err) {
            return err;
        }
        for (size_t j = 0; j < list.count; j++) {
            const char *name = list.entries[j].name;

            if (!list.entries[j].folder) {
                continue;
            }
            if (!pack_name_is_valid(name)) {
                problems_add(problems, PROBLEM_WARNING, name, 0, 0,
                             "a workflow's folder is named with letters, digits, '_' and '-'");
                continue;
            }
            if (may_be_pack(roots->dirs[i], name)) {
                add_name(names, name);
            }
        }
        dir_list_fini(&list);
    }
    if (names->count > 0) {
        qsort(names->names, names->count, sizeof *names->names, compare_names);
    }
    return E_OK;
}

/* Does metadata say that 'root' is of 'category'? */
static bool
is_of_category(const json_t *root, const char *category)
{
    const char *text = json_string_value(json_object_get(root, "category"));
    const json_t *tags = json_object_get(root, "tags");

    if (text && strcmp(text, category) == 0) {
        return true;
    }
    for (size_t i = 0; i < json_array_size(tags); i++) {
        text = json_string_value(json_array_get(tags, i));
        if (text && strcmp(text, category) == 0) {
            return true;
        }
    }
    return false;
}

/* The entry of 'pack' in the list of workflows: its metadata with id and warnings.  Null without
 * memory. */
static json_t *
list_entry(const struct pack *pack)
{
    json_t *entry = json_copy(pack->metadata);

    if (!entry || json_object_set_new(entry, "id", json_string(pack->id)) ||
        json_object_set_new(entry, "warnings", pack_warning_texts(&pack->warnings))) {
        json_decref(entry);
        return NULL;
    }
    return entry;
}

enum err
pack_list(const struct pack_roots *roots, const char *category, json_t **workflows,
          struct problems *problems, struct fault *f)
{
    struct names names = {.count = 0};
    enum err err = find_names(roots, &names, problems, f);

    *workflows = err ? NULL : json_array();
    for (size_t i = 0; *workflows && i < names.count; i++) {
        struct fault local = FAULT_INIT;
        struct pack *pack = NULL;

        if (pack_load(roots, names.names[i], &pack, &local)) {
            /* Gone since it was listed is no problem. */
            if (local.code != E_NOT_FOUND) {
                char *file = xasprintf("%s/%s", names.names[i], PACK_METADATA);

                problems_add(problems, PROBLEM_ERROR, file, local.line, local.column, "%s",
                             local.text);
                free(file);
            }
            continue;
        }
        if ((!category || is_of_category(pack->metadata, category)) &&
            json_array_append_new(*workflows, list_entry(pack))) {
            json_decref(*workflows);
            *workflows = NULL;
        }
        pack_unref(pack);
    }
    names_fini(&names);
    if (!err && !*workflows) {
        err = fault_set(f, E_OVERLOAD, "no memory for the list of workflows");
    }
    return err;
}

/* Finds the pack whose workflow_type is 'type', in '*index'.  E_ARGUMENT if there are several. */
static enum err
find_type(const struct pack_roots *roots, const struct names *names, const char *type,
          size_t *index, struct fault *f)
{
    size_t found = names->count;

    for (size_t i = 0; i < names->count; i++) {
        struct dir *dir = NULL;
        json_t *root = NULL;
        const char *text = NULL;

        if (open_pack(roots, names->names[i], &dir, NULL) == E_OK &&
            pack_read_metadata(dir, names->names[i], &root, NULL, NULL, NULL) == E_OK) {
            text = json_string_value(json_object_get(root, "workflow_type"));
        }
        if (text && strcmp(text, type) == 0) {
            if (found < names->count) {
                (void)fault_set(f, E_ARGUMENT, "'%s' is the type of '%s' and of '%s'", type,
                                names->names[found], names->names[i]);
                json_decref(root);
                dir_unref(dir);
                return fault_remedy(f, "name the workflow by its folder");
            }
            found = i;
        }
        json_decref(root);
        dir_unref(dir);
    }
    *index = found;
    return E_OK;
}

/* Tells which names come near to one that is not there. */
static enum err
not_found(struct names *names, const char *name, struct fault *f)
{
    char text[256] = "";
    size_t len = 0, shown = 0;
    int i;

    (void)fault_set(f, E_NOT_FOUND, "there is no workflow '%s'", name);
    while (shown < NEAREST_MAX &&
           (i = text_nearest(slice_of(name), (const char *const *)names->names, names->count)) >=
               0) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s'%s'", shown ? ", " : "",
                                names->names[i]);
        shown++;
        free(names->names[i]);
        names->names[i] = names->names[--names->count];
    }
    if (shown > 0) {
        return fault_remedy(f, "did you mean %s?", text);
    }
    for (; shown < names->count && shown < NAMES_SHOWN && len < 160; shown++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s'%s'", shown ? ", " : "",
                                names->names[shown]);
    }
    if (names->count == 0) {
        return fault_remedy(f, "no workflows are installed");
    }
    return fault_remedy(f, "there are %s%s; list_workflows tells all", text,
                        shown < names->count ? " and others" : "");
}

/* Opens the folder of the pack that 'name' means, and stores its id. */
static enum err
resolve(const struct pack_roots *roots, const char *name, struct dir **dir,
        char id[PACK_NAME_MAX + 1], struct fault *f)
{
    struct names names = {.count = 0};
    size_t index = 0;
    enum err err;

    if (!pack_name_is_valid(name)) {
        (void)fault_set(f, E_ARGUMENT, "that is no name of a workflow");
        return fault_remedy(f, "a name has letters, digits, '_' and '-', at most %u",
                            PACK_NAME_MAX);
    }
    snprintf(id, PACK_NAME_MAX + 1, "%s", name);
    err = open_pack(roots, name, dir, f);
    if (err != E_NOT_FOUND) {
        return err;
    }
    err = find_names(roots, &names, NULL, f);
    if (!err) {
        err = find_type(roots, &names, name, &index, f);
    }
    if (!err && index == names.count) {
        err = not_found(&names, name, f);
    } else if (!err) {
        snprintf(id, PACK_NAME_MAX + 1, "%s", names.names[index]);
        err = open_pack(roots, id, dir, f);
        if (err == E_NOT_FOUND) {
            err = fault_set(f, E_NOT_FOUND, "workflow '%s' was removed just now", id);
        }
    }
    names_fini(&names);
    return err;
}

enum err
pack_load(const struct pack_roots *roots, const char *name, struct pack **pack, struct fault *f)
{
    char id[PACK_NAME_MAX + 1];
    struct dir *dir = NULL;
    enum err err = resolve(roots, name, &dir, id, f);

    *pack = NULL;
    if (!err) {
        err = pack_make(dir, id, pack, f);
    }
    dir_unref(dir);
    if (err || (*pack)->warnings.errors == 0) {
        return err;
    }
    if (f) {
        *f = (*pack)->refusal;
    }
    pack_unref(*pack);
    *pack = NULL;
    return E_REFUSED;
}
