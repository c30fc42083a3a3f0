/* standards.c -- finds and reads the Markdown files in the data folder's "standards".
 *
 * The kernel keeps every path beneath the data folder and refuses links; the rules here make the
 * set that is listed and the set that can be read the same.  What standards mean is for others. */
#include "state/standards.h"

#include "state/base/rune.h"

#include <fcntl.h>
#include <unistd.h>

#define FOLDER "standards"
#define WHOLE_MAX (sizeof FOLDER + 1 + STANDARDS_PATH_MAX)

static bool
is_markdown(struct slice path)
{
    return path.len > 3 && memcmp(path.data + path.len - 3, ".md", 3) == 0;
}

bool
standards_path_is_valid(struct slice path)
{
    size_t depth;

    return path_is_visible(path, STANDARDS_PATH_MAX, &depth) && depth <= STANDARDS_DEPTH_MAX &&
           is_markdown(path);
}

static int
compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct walk {
    const struct dir *data; /* Borrowed. */
    struct standards_list *list;
    size_t room;
    size_t seen; /* Entries of any kind: what a walk may cost. */
    struct fault *f;
};

static enum err
add_path(struct walk *w, const char *path)
{
    struct standards_list *list = w->list;

    if (list->count == STANDARDS_MAX) {
        return fault_set(w->f, E_TOO_LARGE, "there are more than %u standards", STANDARDS_MAX);
    }
    if (list->count == w->room) {
        w->room = w->room ? w->room * 2 : 64;
        list->paths = xrealloc(list->paths, w->room * sizeof *list->paths);
    }
    list->paths[list->count++] = xstrdup(path);
    return E_OK;
}

/* Adds what is in 'folder', relative to the data folder, and below it. */
static enum err
walk_folder(struct walk *w, const char *folder, size_t depth)
{
    struct dir_list entries;
    enum err err = dir_list(w->data, folder, STANDARDS_MAX, &entries, w->f);

    if (err == E_NOT_FOUND) {
        return E_OK; /* There are none, or it went away meanwhile. */
    }
    if (err) {
        return err;
    }
    w->seen += entries.count;
    if (w->seen > 4 * STANDARDS_MAX) {
        err = fault_set(w->f, E_TOO_LARGE, "the folder of standards holds more than %u entries",
                        4 * STANDARDS_MAX);
    }
    for (size_t i = 0; i < entries.count && !err; i++) {
        char *path = xasprintf("%s/%s", folder, entries.entries[i].name);
        struct slice named = slice_of(path + sizeof FOLDER);
        size_t ignored;

        if (entries.entries[i].folder) {
            if (depth < STANDARDS_DEPTH_MAX &&
                path_is_visible(named, STANDARDS_PATH_MAX, &ignored)) {
                err = walk_folder(w, path, depth + 1);
            }
        } else if (standards_path_is_valid(named)) {
            err = add_path(w, named.data);
        }
        free(path);
    }
    dir_list_fini(&entries);
    return err;
}

enum err
standards_find(const struct dir *data, struct standards_list *list, struct fault *f)
{
    struct walk w = {.data = data, .list = list, .f = f};
    enum err err;

    *list = (struct standards_list){.paths = NULL};
    err = walk_folder(&w, FOLDER, 0);
    if (err) {
        standards_list_fini(list);
    } else if (list->count) {
        qsort(list->paths, list->count, sizeof *list->paths, compare_paths);
    }
    return err;
}

void
standards_list_fini(struct standards_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->paths[i]);
    }
    free(list->paths);
    *list = (struct standards_list){.paths = NULL};
}

/* Stores the path of a standard in the data folder; false for what names none. */
static bool
place_of(struct slice path, char whole[WHOLE_MAX])
{
    if (!standards_path_is_valid(path)) {
        return false;
    }
    memcpy(whole, FOLDER "/", sizeof FOLDER);
    memcpy(whole + sizeof FOLDER, path.data, path.len);
    whole[sizeof FOLDER + path.len] = '\0';
    return true;
}

bool
standards_look(const struct dir *data, struct slice path, struct standard_look *look)
{
    char whole[WHOLE_MAX], front[4096];
    struct file_identity identity;
    ssize_t len = -1;
    int fd = -1;

    if (place_of(path, whole) && dir_identity(data, whole, &identity, NULL) == E_OK) {
        fd = dir_open_at(data, whole, O_RDONLY | O_NONBLOCK, 0);
    }
    if (fd >= 0) {
        len = read(fd, front, sizeof front);
        close(fd);
    }
    if (len < 0) {
        return false;
    }
    look->size = identity.size;
    look->modified_ns = identity.mtime_ns;
    skill_title_of((struct slice){front, (size_t)len}, look->title);
    return true;
}

enum err
standards_read(const struct dir *data, struct slice path, struct buf *out, struct fault *f)
{
    char whole[WHOLE_MAX];
    size_t start = out->len;
    enum err err;

    if (!place_of(path, whole)) {
        return fault_set(f, E_NOT_FOUND, "this names no standard");
    }
    err = dir_read(data, whole, STANDARDS_TEXT_MAX, out, NULL, f);
    if (err == E_ARGUMENT) { /* A link, or no regular file. */
        return fault_set(f, E_NOT_FOUND, "there is no standard '%s'", whole + sizeof FOLDER);
    }
    if (!err && !out->failed && !rune_valid((struct slice){out->data + start, out->len - start})) {
        return fault_set(f, E_REFUSED, "standard '%s' is not UTF-8", whole + sizeof FOLDER);
    }
    return err;
}

enum err
standards_identity(const struct dir *data, struct slice path, struct file_identity *identity,
                   struct fault *f)
{
    char whole[WHOLE_MAX];
    enum err err = place_of(path, whole) ? dir_identity(data, whole, identity, f) : E_ARGUMENT;

    return err == E_ARGUMENT ? fault_set(f, E_NOT_FOUND, "this names no standard") : err;
}
