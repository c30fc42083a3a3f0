/* watch_tree.c -- the picture of a tree: what was there when it was last looked at, and what
 * differs now.
 *
 * DESIGN.  What the kernel tells is only taken as a hint where to look; the news are the difference
 * of two pictures.  So they hold whatever was lost, doubled or out of order on the way, and looking
 * without a hint finds the same.  An eye is opened before its folder is listed: what happens in
 * between is looked at twice, and nothing is missed.
 *
 * Before the first picture there is none to compare with.  What was changed since the tree was
 * added is found by the times that the kernel keeps (ctime): of a file, it was changed; of a
 * folder, something came or went, and who knows what.  A folder is asked for its time after it was
 * listed, when its eye sees what comes. */
#include "state/watch_private.h"

#include "state/base/log.h"
#include "state/base/mem.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

LOG_MODULE("watch");

#define FOLDER_ENTRIES_MAX (WATCH_ENTRIES_MAX / 10)
/* The clock of file times ticks at least so often. */
#define FILE_TICK_NS 20000000

/* One look at one tree. */
struct walk {
    struct watch_tree *tree;
    const struct watch_look *look;
    bool first; /* What is there is no news, unless it is newer than the tree. */
};

/* ---- News ---- */

static void
note(const struct walk *w, enum watch_kind kind, bool folder, const char *path)
{
    struct watch_tree *tree = w->tree;

    if (tree->news_count == WATCH_CHANGES_MAX) {
        tree->news_more = true;
        return;
    }
    if (tree->news_count == tree->news_room) {
        tree->news_room = tree->news_room ? tree->news_room * 2 : 16;
        tree->news = xrealloc(tree->news, tree->news_room * sizeof *tree->news);
    }
    tree->news[tree->news_count++] =
        (struct watch_change){.kind = kind, .folder = folder, .path = xstrdup(path)};
}

void
watch_tree_told(struct watch_tree *tree)
{
    for (size_t i = 0; i < tree->news_count; i++) {
        free(tree->news[i].path);
    }
    free(tree->news);
    tree->news = NULL;
    tree->news_count = tree->news_room = 0;
    tree->news_more = false;
}

/* ---- The picture ---- */

static char *
join(const char *folder, const char *name)
{
    return *folder ? xasprintf("%s/%s", folder, name) : xstrdup(name);
}

/* Where a folder is beneath the tree's base; new. */
static char *
place_of(const struct watch_folder *folder)
{
    return *folder->path ? join(folder->tree->path, folder->path) : xstrdup(folder->tree->path);
}

static struct watch_folder *
new_folder(struct watch_tree *tree, const char *path, unsigned depth)
{
    struct watch_folder *folder = xcalloc(1, sizeof *folder);

    folder->tree = tree;
    folder->path = xstrdup(path);
    folder->depth = depth;
    folder->dirty = true;
    tree->folders++;
    return folder;
}

static void
free_folder(struct watch_folder *folder)
{
    if (!folder) {
        return;
    }
    for (size_t i = 0; i < folder->count; i++) {
        free_folder(folder->entries[i].folder);
        free(folder->entries[i].name);
    }
    folder->tree->entries -= folder->count;
    folder->tree->folders--;
    eye_close(folder->eye);
    free(folder->entries);
    free(folder->path);
    free(folder);
}

void
watch_tree_clear(struct watch_tree *tree)
{
    free_folder(tree->top);
    tree->top = NULL;
    eye_close(tree->above);
    tree->above = NULL;
}

static void
note_below(const struct walk *w, const struct watch_folder *folder)
{
    note(w, WATCH_REMOVED, true, folder->path);
    for (size_t i = 0; i < folder->count; i++) {
        const struct watch_entry *e = &folder->entries[i];

        if (e->folder) {
            note_below(w, e->folder);
        } else {
            char *path = join(folder->path, e->name);
            note(w, WATCH_REMOVED, false, path);
            free(path);
        }
    }
}

static void
complain(struct watch_tree *tree, const char *what)
{
    if (!tree->complained) {
        tree->complained = true;
        log_warn("a watched folder is too large; some of its changes are not seen",
                 F_STR("folder", tree->path), F_STR("why", what));
    }
}

static void
remove_entry(const struct walk *w, const struct watch_folder *in, struct watch_entry *e)
{
    if (e->folder) {
        note_below(w, e->folder);
        free_folder(e->folder);
    } else {
        char *path = join(in->path, e->name);
        note(w, WATCH_REMOVED, false, path);
        free(path);
    }
    free(e->name);
    w->tree->entries--;
}

/* When a file was changed last.  One that was changed just now, while writers may be at work, could
 * be written again without any difference in its times: it is looked at once more. */
static int64_t
changed(const struct walk *w, struct watch_folder *in, const struct dir_entry *seen)
{
    if (seen->folder || !w->look->hurried || w->look->wall_ns - seen->changed_ns >= FILE_TICK_NS) {
        return seen->changed_ns;
    }
    in->dirty = true;
    return -1;
}

/* Steals the name of 'seen' into '*e', unless there is no room for it. */
static bool
add_entry(const struct walk *w, struct watch_folder *in, struct dir_entry *seen,
          struct watch_entry *e)
{
    struct watch_tree *tree = w->tree;
    char *path;

    if (tree->entries == WATCH_ENTRIES_MAX || (seen->folder && in->depth == WATCH_DEPTH_MAX)) {
        complain(tree, "entries or depth");
        return false;
    }
    path = join(in->path, seen->name);
    if (!w->first) {
        note(w, WATCH_ADDED, seen->folder, path);
    } else if (!seen->folder && seen->changed_ns >= tree->since_ns) {
        note(w, WATCH_CHANGED, false, path);
    }
    *e = (struct watch_entry){
        .name = seen->name,
        .identity = seen->identity,
        .changed_ns = changed(w, in, seen),
        .folder = seen->folder ? new_folder(tree, path, in->depth + 1) : NULL,
    };
    seen->name = NULL;
    free(path);
    tree->entries++;
    return true;
}

/* Brings '*e' to what is 'seen' now: still a folder, or still a file. */
static void
compare_entry(const struct walk *w, struct watch_folder *in, const struct dir_entry *seen,
              struct watch_entry *e)
{
    if (e->folder) {
        e->folder->gone |= e->folder->eye && (seen->identity.device != e->folder->device ||
                                              seen->identity.inode != e->folder->inode);
    } else if (!file_identity_equal(&seen->identity, &e->identity) ||
               seen->changed_ns != e->changed_ns) {
        char *path = join(in->path, e->name);
        note(w, WATCH_CHANGED, false, path);
        free(path);
    }
    e->identity = seen->identity;
    e->changed_ns = changed(w, in, seen);
}

/* Makes the entries of 'folder' those of 'list', which loses its names. */
static void
merge(const struct walk *w, struct watch_folder *folder, struct dir_list *list)
{
    struct watch_entry *old = folder->entries, *now;
    size_t old_count = folder->count, i = 0, j = 0, count = 0;

    now = list->count ? xcalloc(list->count, sizeof *now) : NULL;
    while (i < old_count || j < list->count) {
        int order = i == old_count     ? 1
                    : j == list->count ? -1
                                       : strcmp(old[i].name, list->entries[j].name);

        if (order == 0 && !old[i].folder == !list->entries[j].folder) {
            now[count] = old[i++];
            compare_entry(w, folder, &list->entries[j++], &now[count++]);
            continue;
        }
        if (order <= 0) {
            remove_entry(w, folder, &old[i++]);
        }
        if (order >= 0) {
            count += add_entry(w, folder, &list->entries[j++], &now[count]);
        }
    }
    free(old);
    folder->entries = now;
    folder->count = count;
}

/* ---- Looking ---- */

static enum err look_into(const struct walk *w, struct watch_folder *folder);

/* A folder that vanishes meanwhile is told by its parent, which is looked at again then. */
static void
look_below(const struct walk *w, struct watch_folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        struct watch_folder *child = folder->entries[i].folder;

        if (child && (w->look->all || child->dirty || child->gone)) {
            look_into(w, child);
        } else if (child) {
            look_below(w, child);
        }
    }
}

/* Sees to it that a folder has an eye, if it can have one. */
static enum err
keep_eye(struct watch_folder *folder, const char *place)
{
    enum err err;

    if (folder->gone) {
        eye_close(folder->eye);
        folder->eye = NULL;
        folder->gone = false;
    }
    if (folder->eye) {
        return E_OK;
    }
    err = eye_open(folder->tree, folder, place, &folder->eye, &folder->device, &folder->inode);
    return err == E_LIMIT ? E_OK : err;
}

/* After the first look at a folder: has anything come or gone since the tree was added? */
static void
check_age(const struct walk *w, const char *place)
{
    int fd = dir_open_at(w->tree->base, place, O_PATH | O_DIRECTORY, 0);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0 ||
        (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec >= w->tree->since_ns) {
        w->tree->news_more = true;
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* Looks at a folder and at all below it that must be looked at.  E_NOT_FOUND. */
static enum err
look_into(const struct walk *w, struct watch_folder *folder)
{
    char *place = place_of(folder);
    struct dir_list list = {.entries = NULL};
    enum err err = keep_eye(folder, place);

    folder->dirty = false;
    err = err ? err : dir_list(w->tree->base, place, FOLDER_ENTRIES_MAX, &list, NULL);
    if (w->first) {
        check_age(w, place);
    }
    if (!err) {
        merge(w, folder, &list);
        dir_list_fini(&list);
        look_below(w, folder);
    } else if (err == E_TOO_LARGE) {
        complain(w->tree, "entries of a folder");
        look_below(w, folder);
    }
    folder->unread = err && err != E_TOO_LARGE && err != E_NOT_FOUND;
    free(place);
    return err;
}

/* Whether the folder of the tree is the one that is watched as its top. */
static enum err
check_top(struct watch_tree *tree)
{
    int fd = dir_open_at(tree->base, tree->path, O_PATH | O_DIRECTORY, 0);
    struct stat st;
    bool there = fd >= 0 && fstat(fd, &st) == 0;

    if (fd >= 0) {
        close(fd);
    }
    if (there && tree->top->eye) {
        tree->top->gone |= st.st_dev != tree->top->device || st.st_ino != tree->top->inode;
    }
    return there ? E_OK : E_NOT_FOUND;
}

/* Finds out whether the tree is there now. */
static bool
find_top(const struct walk *w)
{
    struct watch_tree *tree = w->tree;
    struct watch_folder *top = new_folder(tree, "", 0);

    if (look_into(w, top) == E_NOT_FOUND) {
        free_folder(top);
        return false;
    }
    if (!w->first) {
        note(w, WATCH_ADDED, true, "");
    }
    tree->top = top;
    eye_close(tree->above);
    tree->above = NULL;
    return true;
}

/* Puts an eye on the nearest folder that is there. */
static void
watch_above(struct watch_tree *tree)
{
    char *place = xstrdup(tree->path), *slash;
    enum err err;

    eye_close(tree->above);
    tree->above = NULL;
    do {
        uint64_t device, inode;

        slash = strrchr(place, '/');
        if (slash) {
            *slash = '\0';
        }
        err = eye_open(tree, NULL, slash ? place : ".", &tree->above, &device, &inode);
    } while (err == E_NOT_FOUND && slash);
    free(place);
}

void
watch_tree_begin(struct watch_tree *tree)
{
    static const struct watch_look all = {.all = true};
    const struct walk w = {.tree = tree, .look = &all, .first = tree->was_there};

    if (!find_top(&w)) {
        if (tree->was_there) { /* With all that was in it. */
            note(&w, WATCH_REMOVED, true, "");
            tree->news_more = true;
        }
        watch_tree_look(tree, &all);
    }
}

void
watch_tree_look(struct watch_tree *tree, const struct watch_look *look)
{
    const struct walk w = {.tree = tree, .look = look};
    struct watch_folder *top = tree->top;

    if (top && (look->all || top->dirty || top->gone)) {
        if (check_top(tree) || look_into(&w, top) == E_NOT_FOUND) {
            note_below(&w, top);
            free_folder(top);
            tree->top = NULL;
        }
    } else if (top) {
        look_below(&w, top);
    }
    if (!tree->top && !find_top(&w)) {
        watch_above(tree);
        find_top(&w); /* It may have come just before the eye was there. */
    }
}
