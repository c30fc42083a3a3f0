/* file_write.c -- write-flush-rename-flush.
 *
 * DESIGN.  A failed fsync() is not tried again on the same descriptor (the kernel may have dropped
 * the pages); the caller's next write makes a new file.  Temporary names begin with a dot, so that
 * listings never show them, and hold random bytes, so that two writers never meet in one. */
#include "state/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define NAME_MAX_BYTES 200 /* Leaves room for what a temporary name adds. */

static int
write_all(int fd, struct slice data)
{
    while (data.len) {
        ssize_t n = write(fd, data.data, data.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        data.data += n;
        data.len -= (size_t)n;
    }
    return 0;
}

/* One component, which a name joined to the folder cannot lead out of. */
static enum err
check_name(const char *name, struct fault *f)
{
    size_t len = strlen(name);

    if (len == 0 || len > NAME_MAX_BYTES || strchr(name, '/') || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0) {
        return fault_set(f, E_ARGUMENT, "'%s' is not a file name", name);
    }
    return E_OK;
}

/* Whether a change must survive a crash of the machine, or only one of the process. */
enum lasting { FLUSHED, VOLATILE };

/* Writes 'data' to a new temporary file, whose name goes to 'temp'. */
static enum err
write_temporary(const struct dir *dir, const char *name, struct slice data, enum lasting lasting,
                char temp[288], struct fault *f)
{
    uint64_t salt;
    int fd, failed;

    if (check_name(name, f)) {
        return E_ARGUMENT;
    }
    if (getrandom(&salt, sizeof salt, 0) != (ssize_t)sizeof salt) {
        return fault_set(f, E_IO, "no random bytes: %s", strerror(errno));
    }
    snprintf(temp, 288, ".%s.%016llx.tmp", name, (unsigned long long)salt);
    fd = dir_open_at(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return fault_set(f, E_IO, "file '%s' cannot be written: %s", name, strerror(errno));
    }
    failed = write_all(fd, data) != 0 || (lasting == FLUSHED && fsync(fd) != 0) ? errno : 0;
    if (close(fd) != 0 && !failed) {
        failed = errno;
    }
    if (failed) {
        unlinkat(dir_fd(dir), temp, 0);
        return fault_set(f, E_IO, "file '%s' cannot be written: %s", name, strerror(failed));
    }
    return E_OK;
}

/* Flushes the folder, so that a rename or removal in it survives a crash. */
static enum err
flush_folder(const struct dir *dir, const char *name, struct fault *f)
{
    if (fsync(dir_fd(dir)) != 0) {
        return fault_set(f, E_IO, "the folder of '%s' cannot be flushed: %s", name,
                         strerror(errno));
    }
    return E_OK;
}

static enum err
write_then(const struct dir *dir, const char *name, struct slice data, unsigned rename_flags,
           enum lasting lasting, struct fault *f)
{
    char temp[288];
    enum err err = write_temporary(dir, name, data, lasting, temp, f);

    if (err) {
        return err;
    }
    if (renameat2(dir_fd(dir), temp, dir_fd(dir), name, rename_flags) != 0) {
        int failed = errno;
        unlinkat(dir_fd(dir), temp, 0);
        return fault_set(f, failed == EEXIST ? E_CONFLICT : E_IO, "file '%s' cannot be put: %s",
                         name, strerror(failed));
    }
    return lasting == FLUSHED ? flush_folder(dir, name, f) : E_OK;
}

enum err
dir_write(const struct dir *dir, const char *name, struct slice data, struct fault *f)
{
    return write_then(dir, name, data, 0, FLUSHED, f);
}

enum err
dir_write_volatile(const struct dir *dir, const char *name, struct slice data, struct fault *f)
{
    return write_then(dir, name, data, 0, VOLATILE, f);
}

enum err
dir_create_file(const struct dir *dir, const char *name, struct slice data, struct fault *f)
{
    return write_then(dir, name, data, RENAME_NOREPLACE, FLUSHED, f);
}

enum err
dir_rename(const struct dir *dir, const char *from, const char *to, struct fault *f)
{
    if (check_name(from, f) || check_name(to, f)) {
        return E_ARGUMENT;
    }
    if (renameat(dir_fd(dir), from, dir_fd(dir), to) != 0) {
        return fault_set(f, errno == ENOENT ? E_NOT_FOUND : E_IO, "file '%s' cannot be renamed: %s",
                         from, strerror(errno));
    }
    return flush_folder(dir, from, f);
}

enum err
dir_remove_volatile(const struct dir *dir, const char *name, struct fault *f)
{
    if (check_name(name, f)) {
        return E_ARGUMENT;
    }
    if (unlinkat(dir_fd(dir), name, 0) != 0) {
        return fault_set(f, errno == ENOENT ? E_NOT_FOUND : E_IO, "file '%s' cannot be removed: %s",
                         name, strerror(errno));
    }
    return E_OK;
}

enum err
dir_remove(const struct dir *dir, const char *name, struct fault *f)
{
    enum err err = dir_remove_volatile(dir, name, f);

    return err ? err : flush_folder(dir, name, f);
}

/* Whether 'name' is ".<name>.<16 hex digits>.tmp", as write_temporary() makes them. */
static bool
is_temporary(const char *name)
{
    size_t len = strlen(name);

    return len >= 23 && name[0] == '.' && name[len - 21] == '.' &&
           strspn(name + len - 20, "0123456789abcdef") == 16 && strcmp(name + len - 4, ".tmp") == 0;
}

unsigned
dir_sweep(const struct dir *dir)
{
    unsigned swept = 0;
    struct dirent *entry;
    int fd = dir_open_at(dir, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

    if (!stream) {
        if (fd >= 0) {
            close(fd);
        }
        return 0;
    }
    while ((entry = readdir(stream)) != NULL) {
        swept += is_temporary(entry->d_name) && unlinkat(dir_fd(dir), entry->d_name, 0) == 0;
    }
    closedir(stream);
    return swept;
}
