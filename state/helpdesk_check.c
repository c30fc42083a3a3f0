/* helpdesk_check.c -- reads what the helpdesk would load, and keeps what went wrong. */
#include "state/helpdesk_check.h"

#include "state/documents_check.h"
#include "state/helpdesk_file.h"
#include "state/helpdesk_load.h"

#define FOLDERS_MAX 10000u
#define PASSAGES_MAX 1000000u /* The most that helpdesk.passages may allow. */

static const char *const index_files[] = {"index.jsonl", "index.json"};
#define INDEX_FILES (sizeof index_files / sizeof index_files[0])

static const char *
name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

bool
helpdesk_check_knows(const char *name)
{
    for (size_t i = 0; i < INDEX_FILES; i++) {
        if (strcmp(name, index_files[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What a failure says without the file and line that it begins with. */
static const char *
reason_of(const struct fault *f, const char *name)
{
    const char *text = f->text, *colon;

    if (strncmp(text, name, strlen(name)) != 0) {
        return text;
    }
    colon = strstr(text + strlen(name), ": ");
    return colon ? colon + 2 : text;
}

bool
helpdesk_check_file(const struct dir *dir, const char *path, const char *shown,
                    struct problems *problems)
{
    const char *name = name_of(path);
    struct helpdesk_index *index = helpdesk_index_create(PASSAGES_MAX);
    struct buf text = BUF_INIT;
    struct fault f = FAULT_INIT;
    enum err err = dir_read(dir, path, HELPDESK_FILE_MOST, &text, NULL, &f);
    bool there = err != E_NOT_FOUND;

    if (!err && text.failed) {
        err = fault_set(&f, E_OVERLOAD, "there is no memory to check it");
    }
    err = err ? err
              : helpdesk_file_read(buf_slice(&text), name, strcmp(name, index_files[0]) == 0, NULL,
                                   index, &f);
    if (err && there) {
        problems_add(problems, PROBLEM_ERROR, shown, f.line, f.column, "%s", reason_of(&f, name));
    }
    helpdesk_index_unref(index);
    buf_fini(&text);
    return there;
}

/* A folder of an index: its documents as deep as 'depth', and its index files. */
static size_t
check_index(const struct dir *base, const char *path, unsigned depth, const char *prefix,
            struct problems *problems)
{
    const struct document_folder folder = {path, "document", depth};
    size_t count = documents_check(base, &folder, prefix, problems);

    for (size_t i = 0; i < INDEX_FILES; i++) {
        char *file = xasprintf("%s/%s", path, index_files[i]);
        char *shown = xasprintf("%s%s", prefix, index_files[i]);

        count += helpdesk_check_file(base, file, shown, problems);
        free(shown);
        free(file);
    }
    return count;
}

size_t
helpdesk_check(const struct dir_place *at, struct problems *problems)
{
    struct dir_list list;
    struct fault f = FAULT_INIT;
    size_t count;
    enum err err = dir_list(at->base, at->path, FOLDERS_MAX, &list, &f);

    if (err) {
        if (err != E_NOT_FOUND) {
            check_add_fault(problems, "", &f);
        }
        return 0;
    }
    count = check_index(at->base, at->path, 0, "", problems);
    for (size_t i = 0; i < list.count; i++) {
        const char *name = list.entries[i].name;
        char *path = xasprintf("%s/%s", at->path, name);
        char *prefix = xasprintf("%s/", name);

        if (list.entries[i].folder && helpdesk_name_valid(slice_of(name))) {
            count += check_index(at->base, path, DOCUMENT_DEPTH_MAX, prefix, problems);
        } else if (list.entries[i].folder) {
            problems_add(problems, PROBLEM_WARNING, name, 0, 0,
                         "no settings of a tenant can name this folder: an index is called as a "
                         "tenant is, and what is in it is not searched");
        }
        free(prefix);
        free(path);
    }
    dir_list_fini(&list);
    return count;
}
