/* documents.c -- finds and reads the Markdown files of a folder.
 *
 * The kernel keeps every path beneath the root and refuses links; the rules here make the set that
 * is listed and the set that can be read the same.  What documents mean is for others. */
#include "state/documents.h"

#include "state/base/rune.h"

static bool
is_markdown(struct slice path)
{
    return path.len > 3 && memcmp(path.data + path.len - 3, ".md", 3) == 0;
}

bool
documents_path_is_valid(const struct document_folder *folder, struct slice path)
{
    size_t depth;

    return path_is_visible(path, DOCUMENT_PATH_MAX, &depth) && depth <= folder->depth &&
           is_markdown(path);
}

static int
compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct walk {
    const struct dir *root; /* Borrowed, as the next. */
    const struct document_folder *folder;
    size_t prefix; /* Bytes of its name with '/'. */
    struct document_list *list;
    size_t room;
    size_t seen; /* Entries of any kind: what a walk may cost. */
    struct fault *f;
};

static enum err
add_path(struct walk *w, const char *path)
{
    struct document_list *list = w->list;

    if (list->count == DOCUMENTS_MAX) {
        return fault_set(w->f, E_TOO_LARGE, "there are more than %u %ss", DOCUMENTS_MAX,
                         w->folder->noun);
    }
    if (list->count == w->room) {
        w->room = w->room ? w->room * 2 : 64;
        list->paths = xrealloc(list->paths, w->room * sizeof *list->paths);
    }
    list->paths[list->count++] = xstrdup(path);
    return E_OK;
}

/* Lists what is in 'folder'; what cannot be read is noted, and as good as empty.  E_TOO_LARGE. */
static enum err
list_folder(struct walk *w, const char *folder, struct dir_list *entries)
{
    struct document_list *list = w->list;
    enum err err = dir_list(w->root, folder, DOCUMENTS_MAX, entries, w->f);

    if (err && err != E_TOO_LARGE && err != E_NOT_FOUND) { /* It may have gone meanwhile. */
        list->unread = xrealloc(list->unread, (list->unread_count + 1) * sizeof *list->unread);
        list->unread[list->unread_count++] =
            xstrdup(strlen(folder) < w->prefix ? "" : folder + w->prefix);
    }
    w->seen += entries->count;
    return err == E_TOO_LARGE ? err : E_OK;
}

/* Adds what is in 'folder', relative to the root, and below it. */
static enum err
walk_folder(struct walk *w, const char *folder, size_t depth)
{
    struct dir_list entries;
    enum err err = list_folder(w, folder, &entries);

    if (!err && w->seen > 4 * DOCUMENTS_MAX) {
        err = fault_set(w->f, E_TOO_LARGE, "the folder of %ss holds more than %u entries",
                        w->folder->noun, 4 * DOCUMENTS_MAX);
    }
    for (size_t i = 0; i < entries.count && !err; i++) {
        char *path = xasprintf("%s/%s", folder, entries.entries[i].name);
        struct slice named = slice_of(path + w->prefix);
        size_t ignored;

        if (entries.entries[i].folder) {
            if (depth < w->folder->depth && path_is_visible(named, DOCUMENT_PATH_MAX, &ignored)) {
                err = walk_folder(w, path, depth + 1);
            }
        } else if (documents_path_is_valid(w->folder, named)) {
            err = add_path(w, named.data);
        }
        free(path);
    }
    dir_list_fini(&entries);
    return err;
}

enum err
documents_find(const struct dir *root, const struct document_folder *folder,
               struct document_list *list, struct fault *f)
{
    struct walk w = {
        .root = root, .folder = folder, .prefix = strlen(folder->name) + 1, .list = list, .f = f};
    enum err err;

    *list = (struct document_list){.paths = NULL};
    err = walk_folder(&w, folder->name, 0);
    if (err) {
        document_list_fini(list);
    } else if (list->count) {
        qsort(list->paths, list->count, sizeof *list->paths, compare_paths);
    }
    return err;
}

void
document_list_fini(struct document_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->paths[i]);
    }
    for (size_t i = 0; i < list->unread_count; i++) {
        free(list->unread[i]);
    }
    free(list->paths);
    free(list->unread);
    *list = (struct document_list){.paths = NULL};
}

char *
documents_place(const struct document_folder *folder, struct slice path)
{
    return documents_path_is_valid(folder, path)
               ? xasprintf("%s/%.*s", folder->name, (int)path.len, path.data)
               : NULL;
}

enum err
documents_read(const struct dir *root, const struct document_folder *folder, struct slice path,
               struct buf *out, struct fault *f)
{
    char *place = documents_place(folder, path);
    size_t start = out->len;
    enum err err;

    if (!place) {
        return fault_set(f, E_NOT_FOUND, "this names no %s", folder->noun);
    }
    err = dir_read(root, place, DOCUMENT_TEXT_MAX, out, NULL, f);
    if (err == E_ARGUMENT) { /* A link, or no regular file. */
        err = fault_set(f, E_NOT_FOUND, "there is no %s '%.*s'", folder->noun, (int)path.len,
                        path.data);
    }
    if (!err && !out->failed && !rune_valid((struct slice){out->data + start, out->len - start})) {
        fault_set(f, E_REFUSED, "%s '%.*s' is not UTF-8", folder->noun, (int)path.len, path.data);
        err = fault_remedy(f, "save it as UTF-8");
    }
    free(place);
    return err;
}

enum err
documents_identity(const struct dir *root, const struct document_folder *folder, struct slice path,
                   struct file_identity *identity, struct fault *f)
{
    char *place = documents_place(folder, path);
    enum err err = place ? dir_identity(root, place, identity, f) : E_ARGUMENT;

    free(place);
    return err == E_ARGUMENT ? fault_set(f, E_NOT_FOUND, "this names no %s", folder->noun) : err;
}
