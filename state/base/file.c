/* file.c -- openat2() beneath a root, bounded reads, lists.  What changes files is file_write.c. */
#include "state/base/file.h"

#include "state/base/rune.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPEN_TRIES 100

struct dir {
    _Atomic unsigned refs;
    int fd;
};

static struct dir *
dir_of(int fd)
{
    struct dir *d = xcalloc(1, sizeof *d);
    atomic_init(&d->refs, 1);
    d->fd = fd;
    return d;
}

/* Makes each missing folder on the way to 'path', and 'path' itself. */
static int
make_folders(const char *path)
{
    char *copy = xstrdup(path);
    int result = 0;

    for (char *p = copy + 1; result == 0; p++) {
        bool last = *p == '\0';
        if (*p == '/' || last) {
            *p = '\0';
            if (mkdir(copy, 0700) != 0 && errno != EEXIST) {
                result = -1;
            }
            if (!last) {
                *p = '/';
            }
        }
        if (last) {
            break;
        }
    }
    free(copy);
    return result;
}

enum err
dir_open(const char *path, bool create, struct dir **dir, struct fault *f)
{
    int fd;

    *dir = NULL;
    if (create && *path && make_folders(path) != 0) {
        return fault_set(f, E_IO, "the folder cannot be made: %s", strerror(errno));
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return fault_set(f, errno == ENOENT ? E_NOT_FOUND : E_IO, "the folder cannot be opened: %s",
                         strerror(errno));
    }
    *dir = dir_of(fd);
    return E_OK;
}

/* Tells why 'relative' could not be opened. */
static enum err
open_fault(struct fault *f, const char *relative)
{
    switch (errno) {
    case ENOENT:
        return fault_set(f, E_NOT_FOUND, "'%s' does not exist", relative);
    case ENOTDIR:
        return fault_set(f, E_NOT_FOUND, "'%s' is not there: a part of it is no folder", relative);
    case EXDEV:
    case ELOOP:
        fault_set(f, E_ARGUMENT, "'%s' leads out of its folder", relative);
        return fault_remedy(f, "give a relative path without '..' and without symbolic links");
    default:
        return fault_set(f, E_IO, "'%s' cannot be opened: %s", relative, strerror(errno));
    }
}

/* Opens the folder 'relative' beneath 'root', making what is missing of it.  Goes step by step,
 * each beneath the last, since mkdir(2) alone would follow links and "..".  Returns the descriptor
 * or -1. */
static int
make_beneath(const struct dir *root, const char *relative)
{
    char *copy = xstrdup(relative), *rest = NULL;
    struct dir at = {.fd = fcntl(root->fd, F_DUPFD_CLOEXEC, 0)};

    for (char *step = strtok_r(copy, "/", &rest); step && at.fd >= 0;
         step = strtok_r(NULL, "/", &rest)) {
        int fd = dir_open_at(&at, step, O_RDONLY | O_DIRECTORY, 0);
        int failed;

        if (fd < 0 && errno == ENOENT &&
            (mkdirat(at.fd, step, 0700) == 0 ? fsync(at.fd) == 0 : errno == EEXIST)) {
            fd = dir_open_at(&at, step, O_RDONLY | O_DIRECTORY, 0);
        }
        failed = errno;
        close(at.fd);
        at.fd = fd;
        errno = failed;
    }
    free(copy);
    return at.fd;
}

enum err
dir_sub(struct dir *root, const char *relative, bool create, struct dir **dir, struct fault *f)
{
    int fd = dir_open_at(root, relative, O_RDONLY | O_DIRECTORY, 0);

    *dir = NULL;
    if (fd < 0 && errno == ENOENT && create) {
        fd = make_beneath(root, relative);
    }
    if (fd < 0) {
        return open_fault(f, relative);
    }
    *dir = dir_of(fd);
    return E_OK;
}

struct dir *
dir_ref(struct dir *dir)
{
    atomic_fetch_add_explicit(&dir->refs, 1, memory_order_relaxed);
    return dir;
}

void
dir_unref(struct dir *dir)
{
    if (dir && atomic_fetch_sub_explicit(&dir->refs, 1, memory_order_acq_rel) == 1) {
        close(dir->fd);
        free(dir);
    }
}

struct dir_place
dir_place_ref(const struct dir_place *place)
{
    return (struct dir_place){dir_ref(place->base), xstrdup(place->path)};
}

void
dir_place_unref(struct dir_place *place)
{
    dir_unref(place->base);
    free((void *)(uintptr_t)place->path);
    *place = (struct dir_place){.base = NULL};
}

int
dir_fd(const struct dir *dir)
{
    return dir->fd;
}

static int
open_beneath(const struct dir *dir, const char *relative, int flags, mode_t mode, uint64_t resolve)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = (flags & O_CREAT) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve,
    };
    long fd;
    int tries = OPEN_TRIES; /* EAGAIN: something was renamed meanwhile, or the file is leased. */

    do {
        fd = syscall(SYS_openat2, dir->fd, relative, &how, sizeof how);
    } while (fd < 0 && (errno == EINTR || (errno == EAGAIN && --tries > 0)));
    return (int)fd;
}

int
dir_open_at(const struct dir *dir, const char *relative, int flags, mode_t mode)
{
    return open_beneath(dir, relative, flags, mode, RESOLVE_NO_SYMLINKS);
}

bool
dir_leads_out(const struct dir *dir, const char *relative)
{
    int fd = open_beneath(dir, relative, O_PATH, 0, 0);

    if (fd >= 0) {
        close(fd);
        return false;
    }
    return errno == EXDEV || errno == ELOOP;
}

static int64_t
nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
identity_of(const struct stat *st, struct file_identity *identity)
{
    *identity = (struct file_identity){
        .device = st->st_dev,
        .inode = st->st_ino,
        .size = st->st_size,
        .mtime_ns = nanoseconds(st->st_mtim),
    };
}

/* Opens a regular file and looks at it.  Returns the descriptor, or -1 with '*err' set. */
static int
open_regular(const struct dir *dir, const char *relative, struct stat *st, enum err *err,
             struct fault *f)
{
    int fd = dir_open_at(dir, relative, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

    if (fd < 0) {
        *err = open_fault(f, relative);
        return -1;
    }
    if (fstat(fd, st) != 0) {
        *err = fault_set(f, E_IO, "file '%s' cannot be read: %s", relative, strerror(errno));
    } else if (!S_ISREG(st->st_mode)) {
        *err = fault_set(f, E_ARGUMENT, "'%s' is not a regular file", relative);
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

enum err
dir_read(const struct dir *dir, const char *relative, size_t max, struct buf *out,
         struct file_identity *identity, struct fault *f)
{
    enum err err = E_OK;
    struct stat st;
    size_t start = out->len;
    int fd = open_regular(dir, relative, &st, &err, f);

    if (fd < 0) {
        return err;
    }
    for (;;) {
        size_t room = (size_t)st.st_size + 1 - (out->len - start);
        ssize_t n;

        if ((size_t)st.st_size > max || out->len - start > max) {
            err = fault_set(f, E_TOO_LARGE, "file '%s' is larger than %zu bytes", relative, max);
            break;
        }
        if (room == 0 || room > max + 1) {
            room = 4096; /* It grew while we read. */
        }
        if (!buf_reserve(out, room)) {
            err = out->full
                      ? fault_set(f, E_TOO_LARGE, "file '%s' is larger than there is room for",
                                  relative)
                      : fault_set(f, E_OVERLOAD, "there is no memory to read file '%s'", relative);
            break;
        }
        n = read(fd, out->data + out->len, room);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            err = fault_set(f, E_IO, "file '%s' cannot be read: %s", relative, strerror(errno));
            break;
        }
        if (n == 0) {
            break;
        }
        out->len += (size_t)n;
        out->data[out->len] = '\0';
    }
    close(fd);
    if (err) {
        out->len = start;
    } else if (identity) {
        identity_of(&st, identity);
    }
    return err;
}

bool
path_is_visible(struct slice path, size_t max, size_t *depth)
{
    bool begins = true;

    *depth = 0;
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.data[i];

        if (c < 0x20 || c == 0x7F || c == '\\' || (begins && (c == '.' || c == '/'))) {
            return false;
        }
        begins = c == '/';
        *depth += begins;
    }
    return path.len && !begins && path.len <= max && rune_valid(path);
}

enum err
dir_identity(const struct dir *dir, const char *relative, struct file_identity *identity,
             struct fault *f)
{
    enum err err = E_OK;
    struct stat st;
    int fd = open_regular(dir, relative, &st, &err, f);

    if (fd >= 0) {
        identity_of(&st, identity);
        close(fd);
    }
    return err;
}

static bool
is_kind(const struct dir *dir, const char *relative, mode_t kind)
{
    struct stat st;
    int fd = dir_open_at(dir, relative, O_PATH, 0);
    bool is = fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind;

    if (fd >= 0) {
        close(fd);
    }
    return is;
}

bool
dir_is_folder(const struct dir *dir, const char *relative)
{
    return is_kind(dir, relative, S_IFDIR);
}

bool
dir_is_file(const struct dir *dir, const char *relative)
{
    return is_kind(dir, relative, S_IFREG);
}

static int
compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct dir_entry *)a)->name, ((const struct dir_entry *)b)->name);
}

enum err
dir_list(const struct dir *dir, const char *relative, size_t max, struct dir_list *list,
         struct fault *f)
{
    enum err err = E_OK;
    size_t room = 0;
    struct dirent *entry;
    DIR *stream;
    int fd = dir_open_at(dir, relative, O_RDONLY | O_DIRECTORY, 0);

    *list = (struct dir_list){.entries = NULL};
    if (fd < 0) {
        return open_fault(f, relative);
    }
    stream = fdopendir(fd);
    if (!stream) {
        close(fd);
        return fault_set(f, E_IO, "folder '%s' cannot be listed: %s", relative, strerror(errno));
    }
    while (errno = 0, (entry = readdir(stream)) != NULL) {
        struct stat st;

        if (entry->d_name[0] == '.' || fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
            continue;
        }
        if (list->count == max) {
            err = fault_set(f, E_TOO_LARGE, "folder '%s' has more than %zu entries", relative, max);
            break;
        }
        if (list->count == room) {
            room = room ? room * 2 : 16;
            list->entries = xrealloc(list->entries, room * sizeof *list->entries);
        }
        list->entries[list->count] = (struct dir_entry){.name = xstrdup(entry->d_name),
                                                        .folder = S_ISDIR(st.st_mode),
                                                        .changed_ns = nanoseconds(st.st_ctim)};
        identity_of(&st, &list->entries[list->count++].identity);
    }
    if (!err && !entry && errno) {
        err = fault_set(f, E_IO, "folder '%s' cannot be listed: %s", relative, strerror(errno));
    }
    closedir(stream);
    if (err) {
        dir_list_fini(list);
    } else if (list->count) {
        qsort(list->entries, list->count, sizeof *list->entries, compare_entries);
    }
    return err;
}

void
dir_list_fini(struct dir_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i].name);
    }
    free(list->entries);
    *list = (struct dir_list){.entries = NULL};
}
