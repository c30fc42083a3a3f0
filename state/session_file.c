/* session_file.c -- session files and their locks.
 *
 * DESIGN.  F_OFD_SETLKW knows no time-out, so the lock is tried every few milliseconds; the wait is
 * rare, as within one process a session has one writer at a time by its own lock.  Who unlocks
 * removes the lock file first; who locks checks that the file it has locked is still the one of
 * that name. */
#include "state/session_file.h"

#include "state/base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_SIZE 64
#define LOCK_PAUSE_NS 5000000 /* Between two tries. */

bool
session_file_id(const char *name, char id[RECORD_ID_SIZE])
{
    if (strlen(name) != RECORD_ID_SIZE - 1 + 5 || strcmp(name + RECORD_ID_SIZE - 1, ".json") != 0) {
        return false;
    }
    memcpy(id, name, RECORD_ID_SIZE - 1);
    id[RECORD_ID_SIZE - 1] = '\0';
    return record_is_id(id);
}

static void
name_of(const char *id, const char *suffix, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%.36s.%s", id, suffix);
}

static enum err
no_session(const char *id, struct fault *f)
{
    fault_set(f, E_NOT_FOUND, "there is no workflow session %s", id);
    return fault_remedy(f, "call list_sessions for the ids there are, or start a workflow");
}

enum err
session_file_read(const struct dir *dir, const char *id, size_t max, json_t **raw,
                  struct file_identity *identity, struct fault *f)
{
    struct buf text = BUF_INIT;
    char name[NAME_SIZE];
    enum err err;

    *raw = NULL;
    name_of(id, "json", name);
    err = dir_read(dir, name, max, &text, identity, f);
    if (err == E_NOT_FOUND) {
        err = no_session(id, f);
    } else if (err == E_TOO_LARGE) {
        err = fault_set(f, E_TOO_LARGE,
                        "the file of session %s is over the limit of %zu bytes (session file)", id,
                        max);
    } else if (!err) {
        err = record_parse(buf_slice(&text), id, raw, f);
    }
    buf_fini(&text);
    return err;
}

enum err
session_file_set_aside(const struct dir *dir, const char *id, int64_t now_ns, struct fault *f)
{
    char name[NAME_SIZE], aside[NAME_SIZE + 64], stamp[CLOCK_TEXT_SIZE];
    enum err err;

    clock_format_stamp(now_ns, stamp);
    name_of(id, "json", name);
    snprintf(aside, sizeof aside, "%s.corrupt-%s", name, stamp);
    err = dir_rename(dir, name, aside, f);
    if (err == E_NOT_FOUND) {
        return no_session(id, f);
    }
    if (err) {
        return err;
    }
    fault_set(f, E_IO, "the file of session %s is damaged; it was set aside as '%s'", id, aside);
    return fault_remedy(f, "restore it from that file, or start the workflow again");
}

/* Tries once.  A descriptor; or -1 with '*again' if another has the lock, else with errno. */
static int
try_lock(const struct dir *dir, const char *name, bool *again)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat mine, named;
    int fd = dir_open_at(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    int failed;

    *again = false;
    if (fd < 0) {
        return -1;
    }
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        failed = errno;
        *again = failed == EAGAIN || failed == EACCES;
    } else if (fstat(fd, &mine) != 0) {
        failed = errno;
    } else if (fstatat(dir_fd(dir), name, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
               named.st_ino != mine.st_ino || named.st_dev != mine.st_dev) {
        failed = EAGAIN; /* Its holder removed it as we came. */
        *again = true;
    } else {
        return fd;
    }
    close(fd);
    errno = failed;
    return -1;
}

static int
take_lock(const struct dir *dir, const char *id, int64_t lock_ns, enum err *err, struct fault *f)
{
    static const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    char name[NAME_SIZE];

    name_of(id, "lock", name);
    for (int64_t waited = 0;; waited += LOCK_PAUSE_NS) {
        bool again;
        int fd = try_lock(dir, name, &again);

        if (fd >= 0) {
            return fd;
        }
        if (!again) {
            *err = fault_set(f, E_IO, "session %s cannot be locked: %s", id, strerror(errno));
            return -1;
        }
        if (waited >= lock_ns) {
            *err = fault_set(f, E_TIMEOUT, "another process keeps session %s locked", id);
            fault_remedy(f, "try again");
            return -1;
        }
        nanosleep(&pause, NULL);
    }
}

static void
drop_lock(const struct dir *dir, const char *id, int fd)
{
    char name[NAME_SIZE];

    name_of(id, "lock", name);
    unlinkat(dir_fd(dir), name, 0); /* Ours while we hold it; one that stays is swept at start. */
    close(fd);
}

/* E_OK if the revision on disk is 'expected'. */
static enum err
check_revision(const struct dir *dir, const char *id, int64_t expected, size_t max, struct fault *f)
{
    json_t *there = NULL;
    enum err err = session_file_read(dir, id, max, &there, NULL, f);

    if (err == E_REFUSED) { /* Damaged while it was in use here: the next load sets it aside. */
        return fault_set(f, E_CONFLICT, "the file of session %s was damaged; nothing was saved",
                         id);
    }
    if (!err && record_revision(there) != expected) {
        err = fault_set(f, E_CONFLICT,
                        "session %s was changed by another process (revision %lld on disk, %lld "
                        "here); nothing was saved",
                        id, (long long)record_revision(there), (long long)expected);
        fault_remedy(f, "call get_state to see where the session is now, then try again");
    }
    json_decref(there);
    return err;
}

enum err
session_file_save(const struct dir *dir, const json_t *record, int64_t expected, size_t max,
                  int64_t lock_ns, struct fault *f)
{
    struct buf text = BUF_INIT;
    const char *id = record_id(record);
    char name[NAME_SIZE];
    enum err err = record_dump(record, max, &text, f);
    int fd = err ? -1 : take_lock(dir, id, lock_ns, &err, f);

    name_of(id, "json", name);
    if (fd >= 0) {
        if (expected < 0) {
            err = dir_create_file(dir, name, buf_slice(&text), f);
        } else {
            err = check_revision(dir, id, expected, max, f);
            err = err ? err : dir_write(dir, name, buf_slice(&text), f);
        }
        drop_lock(dir, id, fd);
    }
    buf_fini(&text);
    return err;
}

enum err
session_file_remove(const struct dir *dir, const char *id, int64_t lock_ns, struct fault *f)
{
    char name[NAME_SIZE];
    enum err err = E_OK;
    int fd = take_lock(dir, id, lock_ns, &err, f);

    if (fd < 0) {
        return err;
    }
    name_of(id, "json", name);
    err = dir_remove(dir, name, f);
    if (err == E_NOT_FOUND) {
        err = no_session(id, f);
    }
    drop_lock(dir, id, fd);
    return err;
}

/* The id in the name of what a writer may have left: "<id>.lock", or ".<id>.json.<random>.tmp". */
static bool
leftover_id(const char *name, char id[RECORD_ID_SIZE])
{
    size_t len = strlen(name), at = name[0] == '.', tail = at + RECORD_ID_SIZE - 1;

    if (len < tail) {
        return false;
    }
    memcpy(id, name + at, RECORD_ID_SIZE - 1);
    id[RECORD_ID_SIZE - 1] = '\0';
    return record_is_id(id) &&
           (at ? strncmp(name + tail, ".json.", 6) == 0 && strcmp(name + len - 4, ".tmp") == 0
               : strcmp(name + tail, ".lock") == 0);
}

unsigned
session_file_sweep(const struct dir *dir)
{
    unsigned swept = 0;
    struct dirent *entry;
    int folder = dir_open_at(dir, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *stream = folder >= 0 ? fdopendir(folder) : NULL;

    if (!stream) {
        if (folder >= 0) {
            close(folder);
        }
        return 0;
    }
    while ((entry = readdir(stream)) != NULL) {
        char id[RECORD_ID_SIZE], name[NAME_SIZE];
        bool again;
        int fd;

        if (!leftover_id(entry->d_name, id)) {
            continue;
        }
        name_of(id, "lock", name);
        fd = try_lock(dir, name, &again); /* One that is held belongs to a living writer. */
        if (fd >= 0) {
            swept += entry->d_name[0] != '.' || unlinkat(dir_fd(dir), entry->d_name, 0) == 0;
            drop_lock(dir, id, fd);
        }
    }
    closedir(stream);
    return swept;
}
