/* quota_journal.c -- adding to the journal, flushing it, beginning the next.
 *
 * DESIGN.  Adders hold no lock while they write: the kernel orders appends.  A file counts who is
 * adding to it, so that a sync, which has turned the others to the next file, knows when it has
 * seen everything of the old one.  The generation is read again after one has been counted: who
 * came too late leaves and tries the next file.  Two files are enough, for a sync ends with the old
 * one closed.
 *
 * The road not taken is one lock around write(2): it would say nothing more than the kernel does,
 * and hold up a check while a disk is slow. */
#include "state/quota_journal_private.h"

#include "state/quota_record.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static struct quota_journal *
journal_of(struct quota_store *s)
{
    return (struct quota_journal *)s;
}

void
journal_name(uint64_t generation, char name[JOURNAL_NAME_SIZE])
{
    snprintf(name, JOURNAL_NAME_SIZE, "journal-%016" PRIu64, generation);
}

/* ---- Adding ---- */

/* The folder, made by whoever needs it first. */
static enum err
open_folder(struct quota_journal *j, struct dir **dir, struct fault *f)
{
    struct dir *none = NULL, *made = NULL;
    enum err err = E_OK;

    *dir = atomic_load(&j->dir);
    if (!*dir) {
        err = dir_sub(j->data, "quota", true, &made, f);
        if (!err && !atomic_compare_exchange_strong(&j->dir, &none, made)) {
            dir_unref(made);
            made = none;
        }
        *dir = made;
    }
    return err;
}

/* The file of 'generation', which the caller is counted in, made by whoever needs it first: those
 * that race open the same one, and one descriptor stays. */
static enum err
open_file(struct quota_journal *j, struct journal_file *file, uint64_t generation, int *fd,
          struct fault *f)
{
    char name[JOURNAL_NAME_SIZE];
    struct dir *dir;
    int none = -1;
    enum err err = E_OK;

    *fd = atomic_load(&file->fd);
    if (*fd >= 0) {
        return E_OK;
    }
    err = open_folder(j, &dir, f);
    if (err) {
        return err;
    }
    journal_name(generation, name);
    *fd = dir_open_at(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
    if (*fd < 0) {
        return fault_set(f, E_IO, "the journal of quotas cannot be opened: %s", strerror(errno));
    }
    atomic_store(&file->fresh, true);
    if (!atomic_compare_exchange_strong(&file->fd, &none, *fd)) {
        close(*fd);
        *fd = none;
    }
    return E_OK;
}

static void
leave_locked(struct quota_journal *j, struct journal_file *file) REQUIRES(LC_QUOTA_STORE)
{
    if (atomic_fetch_sub(&file->busy, 1) == 1) {
        cond_broadcast(&j->idle);
    }
}

/* Counts the caller in the file of the generation that is added to, and tells which it is. */
static struct journal_file *
enter(struct quota_journal *j, uint64_t *generation)
{
    for (;;) {
        struct journal_file *file;

        *generation = atomic_load(&j->generation);
        file = &j->files[*generation & 1];
        atomic_fetch_add(&file->busy, 1);
        if (atomic_load(&j->generation) == *generation) {
            return file;
        }
        LOCK(QUOTA_STORE, &j->lock);
        leave_locked(j, file);
        UNLOCK(QUOTA_STORE, &j->lock);
    }
}

static enum err
append(int fd, const unsigned char record[QUOTA_RECORD_SIZE], struct fault *f)
{
    ssize_t n;

    do {
        n = write(fd, record, QUOTA_RECORD_SIZE);
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)QUOTA_RECORD_SIZE) {
        return E_OK;
    }
    /* A part of it is no record: whoever reads finds the next one. */
    return fault_set(f, E_IO, "the journal of quotas cannot be written: %s",
                     n < 0 ? strerror(errno) : "there is no room");
}

static enum err
journal_add(struct quota_store *s, const struct quota_add *add, struct quota_total *total,
            struct fault *f)
{
    struct quota_journal *j = journal_of(s);
    unsigned char record[QUOTA_RECORD_SIZE];
    struct journal_file *file;
    uint64_t generation;
    enum err err;
    int fd;

    quota_record_put(RECORD_ADD, add, record);
    file = enter(j, &generation);
    err = open_file(j, file, generation, &fd, f);
    err = err ? err : append(fd, record, f);
    LOCK(QUOTA_STORE, &j->lock);
    if (!err) {
        quota_rows_add(j->rows, generation & 1 ? PART_ODD : PART_EVEN, add, total);
        atomic_store_explicit(&file->dirty, true, memory_order_relaxed);
    }
    leave_locked(j, file);
    UNLOCK(QUOTA_STORE, &j->lock);
    return err;
}

static enum err
journal_load(struct quota_store *s, const char *key, const struct quota_window *window, int64_t day,
             struct quota_total *total, struct fault *f)
{
    struct quota_journal *j = journal_of(s);

    (void)f;
    LOCK(QUOTA_STORE, &j->lock);
    quota_rows_load(j->rows, key, window, day, total);
    UNLOCK(QUOTA_STORE, &j->lock);
    return E_OK;
}

/* ---- Flushing and tidying up: one thread at a time ---- */

static enum err
flush_file(struct quota_journal *j, struct journal_file *file, struct fault *f)
{
    int fd = atomic_load(&file->fd);

    if (fd < 0 || !atomic_exchange(&file->dirty, false)) {
        return E_OK;
    }
    if (fdatasync(fd) != 0 ||
        (atomic_exchange(&file->fresh, false) && fsync(dir_fd(atomic_load(&j->dir))) != 0)) {
        j->stale =
            true; /* The kernel tells it once, and may have dropped what it could not write. */
        return fault_set(f, E_IO, "the journal of quotas cannot be flushed: %s", strerror(errno));
    }
    return E_OK;
}

static enum err
journal_flush(struct quota_store *s, struct fault *f)
{
    struct quota_journal *j = journal_of(s);

    return flush_file(j, &j->files[atomic_load(&j->generation) & 1], f);
}

/* Turns adders to the next file; returns when nobody adds to the old one any more. */
static void
turn(struct quota_journal *j, uint64_t generation)
{
    struct journal_file *old = &j->files[generation & 1];

    assert(atomic_load(&j->files[~generation & 1].fd) < 0);
    atomic_store(&j->generation, generation + 1);
    LOCK(QUOTA_STORE, &j->lock);
    while (atomic_load(&old->busy) > 0) {
        cond_wait(&j->idle, &j->lock, INT64_MAX);
    }
    UNLOCK(QUOTA_STORE, &j->lock);
}

/* All counters without those of the journal that is added to now, new; null if there is no memory.
 */
static struct quota_row *
take_rows(struct quota_journal *j, uint64_t generation, int64_t wall_ns, size_t *count)
{
    int64_t before = wall_ns / 1000000000 - QUOTA_KEEP_S;
    struct quota_row *rows;

    LOCK(QUOTA_STORE, &j->lock);
    quota_rows_fold(j->rows, generation & 1 ? PART_ODD : PART_EVEN);
    quota_rows_expire(j->rows, before, QUOTA_ROWS_MAX);
    *count = quota_rows_count(j->rows);
    rows = try_malloc((*count + 1) * sizeof *rows); /* Bounded by QUOTA_ROWS_MAX. */
    if (rows) {
        *count = quota_rows_copy(j->rows, rows, *count);
    }
    UNLOCK(QUOTA_STORE, &j->lock);
    return rows;
}

static void
remove_journals(struct quota_journal *j, struct dir *dir, uint64_t below)
{
    for (; j->oldest < below; j->oldest++) {
        char name[JOURNAL_NAME_SIZE];
        journal_name(j->oldest, name);
        dir_remove_volatile(dir, name, NULL); /* One that comes back is covered, and skipped. */
    }
}

/* The old file is no longer added to: what it holds is in the snapshot, or must be on disk. */
static enum err
end_file(struct quota_journal *j, struct journal_file *file, bool covered, struct fault *f)
{
    enum err err = covered ? E_OK : flush_file(j, file, f);
    int fd = atomic_exchange(&file->fd, -1);

    atomic_store(&file->dirty, false);
    if (fd >= 0) {
        close(fd);
    }
    return err;
}

static enum err
journal_sync(struct quota_store *s, int64_t wall_ns, struct fault *f)
{
    struct quota_journal *j = journal_of(s);
    uint64_t generation = atomic_load(&j->generation);
    struct journal_file *file = &j->files[generation & 1];
    struct quota_row *rows;
    struct dir *dir = atomic_load(&j->dir);
    size_t count = 0;
    enum err err;

    if (!dir || (atomic_load(&file->fd) < 0 && j->oldest == generation && !j->stale)) {
        return E_OK; /* Nothing was added since the last time. */
    }
    turn(j, generation);
    rows = take_rows(j, generation, wall_ns, &count);
    err = rows ? journal_write_snapshot(dir, generation + 1, rows, count, f)
               : fault_set(f, E_OVERLOAD, "there is no memory for a snapshot of quotas");
    free(rows);
    if (!err) {
        remove_journals(j, dir, generation + 1);
        j->stale = false;
    }
    if (end_file(j, file, !err, f) != E_OK && !err) {
        err = E_IO;
    }
    return err;
}

static void
journal_close(struct quota_store *s)
{
    struct quota_journal *j = journal_of(s);

    for (int i = 0; i < 2; i++) {
        int fd = atomic_load(&j->files[i].fd);
        if (fd >= 0) {
            close(fd);
        }
    }
    quota_rows_destroy(j->rows);
    dir_unref(atomic_load(&j->dir));
    dir_unref(j->data);
    cond_fini(&j->idle);
    lock_fini(&j->lock);
    free(j);
}

static const struct quota_store_class journal_class = {
    .name = "journal",
    .add = journal_add,
    .load = journal_load,
    .flush = journal_flush,
    .sync = journal_sync,
    .close = journal_close,
};

enum err
quota_journal_open(struct dir *data, int64_t wall_ns, struct quota_store **store, struct fault *f)
{
    struct quota_journal *j = xcalloc(1, sizeof *j);
    struct dir *dir = NULL;
    enum err err;

    j->store.class = &journal_class;
    j->data = dir_ref(data);
    j->rows = quota_rows_create();
    j->oldest = 1;
    atomic_init(&j->generation, 1);
    atomic_init(&j->files[0].fd, -1);
    atomic_init(&j->files[1].fd, -1);
    lock_init(&j->lock, RANK_QUOTA_STORE);
    cond_init(&j->idle);
    err = dir_sub(data, "quota", false, &dir, f);
    if (!err) {
        atomic_store(&j->dir, dir);
        err = journal_replay(j, dir, wall_ns, f);
    } else if (err == E_NOT_FOUND) {
        err = E_OK;
    }
    if (err) {
        journal_close(&j->store);
        return err;
    }
    *store = &j->store;
    return E_OK;
}
