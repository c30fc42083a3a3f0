/* tree.c -- see tree.h. */
#include "tests/tree.h"

#include "state/base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct tree {
    char path[64];
    struct dir *dir;
};

static void
must(bool good, const char *what, const char *path)
{
    if (!good) {
        perror(what);
        fprintf(stderr, "%s\n", path);
        abort();
    }
}

struct tree *
tree_create(void)
{
    struct tree *t = xcalloc(1, sizeof *t);

    snprintf(t->path, sizeof t->path, "/tmp/tandem-test-XXXXXX");
    must(mkdtemp(t->path) != NULL, "mkdtemp", t->path);
    must(dir_open(t->path, false, &t->dir, NULL) == E_OK, "dir_open", t->path);
    return t;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void
tree_destroy(struct tree *t)
{
    dir_unref(t->dir);
    (void)nftw(t->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(t);
}

const char *
tree_path(const struct tree *t)
{
    return t->path;
}

struct dir *
tree_dir(const struct tree *t)
{
    return t->dir;
}

static char *
full(const struct tree *t, const char *path)
{
    return xasprintf("%s/%s", t->path, path);
}

/* Makes the folders of 'path', and, if 'whole', its last part too. */
static void
make_folders(char *path, bool whole)
{
    for (char *c = path + 1; *c; c++) {
        if (*c == '/') {
            *c = '\0';
            (void)mkdir(path, 0700);
            *c = '/';
        }
    }
    if (whole) {
        (void)mkdir(path, 0700);
    }
}

void
tree_mkdir(const struct tree *t, const char *path)
{
    char *to = full(t, path);

    make_folders(to, true);
    free(to);
}

void
tree_write_bytes(const struct tree *t, const char *path, struct slice bytes)
{
    char *to = full(t, path);
    char *temporary = xasprintf("%s.new", to);
    int fd;

    make_folders(to, false);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len && close(fd) == 0,
         "write", to);
    must(rename(temporary, to) == 0, "rename", to);
    free(temporary);
    free(to);
}

void
tree_write(const struct tree *t, const char *path, const char *text)
{
    tree_write_bytes(t, path, slice_of(text));
}

void
tree_symlink(const struct tree *t, const char *target, const char *path)
{
    char *to = full(t, path);

    make_folders(to, false);
    must(symlink(target, to) == 0, "symlink", to);
    free(to);
}

void
tree_remove(const struct tree *t, const char *path)
{
    char *what = full(t, path);

    must(nftw(what, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, "remove", what);
    free(what);
}

void
tree_copy(const struct tree *t, const char *from, const char *path)
{
    DIR *folder = opendir(from);
    struct dirent *entry;

    must(folder != NULL, "opendir", from);
    tree_mkdir(t, path);
    while ((entry = readdir(folder))) {
        char *source = xasprintf("%s/%s", from, entry->d_name);
        char *to = xasprintf("%s/%s", path, entry->d_name);
        struct stat st;

        if (entry->d_name[0] != '.' && stat(source, &st) == 0) {
            if (S_ISDIR(st.st_mode)) {
                tree_copy(t, source, to);
            } else {
                struct dir *dir = NULL;
                struct buf text = BUF_INIT;

                must(dir_open(from, false, &dir, NULL) == E_OK &&
                         dir_read(dir, entry->d_name, 8 << 20, &text, NULL, NULL) == E_OK,
                     "read", source);
                tree_write_bytes(t, to, buf_slice(&text));
                buf_fini(&text);
                dir_unref(dir);
            }
        }
        free(source);
        free(to);
    }
    closedir(folder);
}

/* A file may be stamped with the true time, which is ahead of the ticks of clock_files(). */
void
files_settle(void)
{
    int64_t now = clock_wall(clock_real());

    while (clock_files() <= now) {
        sched_yield();
    }
}
