/* test_durable.c -- what is acknowledged would outlive a power cut: a file's bytes are flushed
 * before its name is put, and the folder before the answer.  What kill -9 shows
 * (tests/stress/crash) is another thing: the kernel keeps what was written.
 *
 * The calls that matter are ours here: they note which files and folders hold what a power cut
 * would take, and pass on.  One thread at a time looks; any may call. */
#include "tests/check.h"

#include "state/base/file.h"
#include "state/quota_journal.h"
#include "tests/tree.h"
#include "tests/workflow_rig.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A file or folder that has changed. */
struct changed {
    dev_t device;
    ino_t inode;
    bool lasts;        /* It has been flushed since. */
    unsigned removals; /* Of a folder, from which something went that may come back. */
};
#define CHANGED_MAX 256
static struct changed changed[CHANGED_MAX];
static unsigned changed_count;
static unsigned early; /* Names given to bytes that were not flushed. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* The entry of what 'st' is, made if it is not there. */
static struct changed *
find_locked(const struct stat *st)
{
    unsigned i = 0;

    while (i < changed_count &&
           (changed[i].inode != st->st_ino || changed[i].device != st->st_dev)) {
        i++;
    }
    if (i == CHANGED_MAX) {
        abort();
    }
    if (i == changed_count) {
        changed[changed_count++] =
            (struct changed){.device = st->st_dev, .inode = st->st_ino, .lasts = true};
    }
    return &changed[i];
}

enum change { WRITTEN, REMOVED_FROM, FLUSHED };

/* Notes what has become of what 'fd' is. */
static void
note(int fd, enum change change)
{
    struct changed *c;
    struct stat st;

    if (fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
        return;
    }
    pthread_mutex_lock(&mutex);
    c = find_locked(&st);
    c->lasts = change == FLUSHED || (change == REMOVED_FROM && c->lasts);
    c->removals = change == FLUSHED ? 0 : c->removals + (change == REMOVED_FROM);
    pthread_mutex_unlock(&mutex);
}

/* How many files and folders a power cut would take back now. */
static unsigned
at_risk(void)
{
    unsigned count = 0;

    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < changed_count; i++) {
        count += !changed[i].lasts;
    }
    pthread_mutex_unlock(&mutex);
    return count;
}

/* How many files it would bring back. */
static unsigned
may_return(void)
{
    unsigned count = 0;

    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < changed_count; i++) {
        count += changed[i].removals;
    }
    pthread_mutex_unlock(&mutex);
    return count;
}

static void
forget(void)
{
    changed_count = early = 0;
}

/* ---- The calls ---- */

ssize_t
write(int fd, const void *data, size_t len)
{
    ssize_t n = syscall(SYS_write, fd, data, len);

    if (n > 0) {
        note(fd, WRITTEN);
    }
    return n;
}

int
fsync(int fd)
{
    int failed = (int)syscall(SYS_fsync, fd);

    if (!failed) {
        note(fd, FLUSHED);
    }
    return failed;
}

int
fdatasync(int fd)
{
    int failed = (int)syscall(SYS_fdatasync, fd);

    if (!failed) {
        note(fd, FLUSHED);
    }
    return failed;
}

int
renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    struct stat st;
    bool there = fstatat(from_dir, from, &st, AT_SYMLINK_NOFOLLOW) == 0;
    int failed = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);

    if (!failed) {
        pthread_mutex_lock(&mutex);
        early += there && !find_locked(&st)->lasts;
        pthread_mutex_unlock(&mutex);
        note(to_dir, WRITTEN);
    }
    return failed;
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return renameat2(from_dir, from, to_dir, to, 0);
}

int
unlinkat(int dir, const char *name, int flags)
{
    struct stat st;
    bool there = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    int failed = (int)syscall(SYS_unlinkat, dir, name, flags);

    if (!failed) {
        size_t len = strlen(name);

        pthread_mutex_lock(&mutex);
        if (there) {
            find_locked(&st)->lasts = true; /* Nothing of it is missed. */
        }
        pthread_mutex_unlock(&mutex);
        if (len < 5 || strcmp(name + len - 5, ".lock") != 0) { /* Which says nothing afterwards. */
            note(dir, REMOVED_FROM);
        }
    }
    return failed;
}

/* ---- Tests ---- */

static void
files_last_once_they_are_there(void **state)
{
    struct tree *tree = tree_create();
    struct dir *dir = tree_dir(tree);
    struct fault f = FAULT_INIT;

    (void)state;
    forget();
    CHECK_INT(dir_write(dir, "a", SLICE("one"), &f), E_OK);
    CHECK_INT(changed_count, 2); /* The file, and the folder. */
    CHECK_INT(at_risk(), 0);
    CHECK_INT(dir_create_file(dir, "b", SLICE("two"), &f), E_OK);
    CHECK_INT(at_risk(), 0);
    CHECK_INT(dir_rename(dir, "b", "c", &f), E_OK);
    CHECK_INT(at_risk(), 0);
    CHECK_INT(dir_remove(dir, "c", &f), E_OK);
    CHECK_INT(may_return(), 0);
    CHECK_INT(at_risk(), 0);
    CHECK_INT(early, 0);
    CHECK_INT(dir_remove_volatile(dir, "a", &f), E_OK);
    CHECK_INT(may_return(), 1); /* It is seen where nobody promises. */
    CHECK_INT(dir_write_volatile(dir, "d", SLICE("who cares"), &f), E_OK);
    CHECK(at_risk() == 2 && early == 1);
    tree_destroy(tree);
}

static void
sessions_last_once_they_are_acknowledged(void **state)
{
    struct store_rig rig;
    struct fault f = FAULT_INIT;
    char id[RECORD_ID_SIZE];
    bool resumed;

    (void)state;
    store_rig_init(&rig);
    forget();
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, id, &resumed, &f), E_OK);
    CHECK(changed_count >= 2 && at_risk() == 0);
    for (int phase = 0; phase < rig.phases; phase++) {
        forget();
        CHECK_INT(store_rig_complete(&rig, id, phase, true, 1, &f), E_OK);
        CHECK(changed_count >= 2 && at_risk() == 0);
        CHECK_INT(early, 0);
    }
    CHECK_INT(store_rig_start(&rig, "pack", "b", false, id, &resumed, &f), E_OK);
    forget();
    CHECK_INT(store_rig_pause(&rig, id, &f), E_OK);
    CHECK(changed_count >= 2 && at_risk() == 0);
    forget();
    CHECK_INT(workflow_store_delete(rig.store, id, &f), E_OK);
    CHECK(changed_count >= 1 && at_risk() == 0 && may_return() == 0);
    CHECK_INT(early, 0);
    store_rig_fini(&rig);
}

/* A unit is in the journal when it is granted; a flush, each second and at the end, makes it last.
 */
static void
quotas_last_once_they_are_flushed(void **state)
{
    struct tree *tree = tree_create();
    struct fault f = FAULT_INIT;
    struct quota_total total;
    struct quota_store *store;
    struct quota_add add = {
        .key = "key", .id = 1, .window = quota_window_at(PERIOD_DAY, 0), .more = {.used = 1}};

    (void)state;
    CHECK_INT(quota_journal_open(tree_dir(tree), 0, &store, &f), E_OK);
    forget();
    CHECK_INT(store->class->add(store, &add, &total, &f), E_OK);
    CHECK_INT(at_risk(), 1);
    CHECK_INT(store->class->flush(store, &f), E_OK);
    CHECK_INT(at_risk(), 0);
    CHECK_INT(store->class->add(store, &add, &total, &f), E_OK);
    CHECK_INT(store->class->flush(store, &f), E_OK);
    CHECK_INT(at_risk(), 0);
    CHECK_INT(store->class->add(store, &add, &total, &f), E_OK);
    CHECK_INT(store->class->sync(store, 0, &f), E_OK);
    CHECK_INT(at_risk(), 0);
    CHECK_INT(early, 0);
    store->class->close(store);
    tree_destroy(tree);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_last_once_they_are_there),
        cmocka_unit_test(sessions_last_once_they_are_acknowledged),
        cmocka_unit_test(quotas_last_once_they_are_flushed),
    };
    return CHECK_RUN(tests);
}
