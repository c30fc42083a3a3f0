/* test_stamp.c -- whether a file is still the one that was read. */
#include "tests/check.h"

#include "state/base/clock.h"
#include "state/base/stamp.h"
#include "tests/tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct tree *tree;

static int
set_up(void **unused)
{
    (void)unused;
    tree = tree_create();
    tree_write(tree, "a", "one");
    files_settle();
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    tree_destroy(tree);
    return 0;
}

static struct file_stamp
stamp_of(const char *path)
{
    struct file_stamp stamp;

    CHECK(stamp_take(tree_dir(tree), path, &stamp));
    return stamp;
}

/* Writes 'a' in its place, with as many bytes, and sets its times back. */
static void
write_unseen(const char *text)
{
    int fd = openat(dir_fd(tree_dir(tree)), "a", O_WRONLY | O_CLOEXEC);
    struct timespec times[2];
    struct stat st;

    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    CHECK_INT(write(fd, text, strlen(text)), strlen(text));
    CHECK_INT(futimens(fd, times), 0);
    CHECK_INT(close(fd), 0);
}

static void
a_stamp_holds_until_the_file_is_another(void **unused)
{
    struct file_stamp stamp = stamp_of("a");
    struct dir *dir = tree_dir(tree);

    (void)unused;
    CHECK(stamp_holds(dir, "a", &stamp));
    write_unseen("two");
    CHECK(!stamp_holds(dir, "a", &stamp));
    stamp = stamp_of("a");
    tree_write(tree, "a", "two"); /* The same, but by rename. */
    CHECK(!stamp_holds(dir, "a", &stamp));
    stamp = stamp_of("a");
    tree_remove(tree, "a");
    CHECK(!stamp_holds(dir, "a", &stamp));
}

static void
only_files_have_one(void **unused)
{
    struct file_stamp stamp;

    (void)unused;
    tree_mkdir(tree, "folder");
    tree_symlink(tree, "a", "link");
    CHECK(!stamp_take(tree_dir(tree), "folder", &stamp));
    CHECK(!stamp_take(tree_dir(tree), "link", &stamp));
    CHECK(!stamp_take(tree_dir(tree), "none", &stamp));
}

/* What was read is what the file says only if nothing can have come in between unseen. */
static void
a_stamp_covers_what_was_read_after_it(void **unused)
{
    struct file_identity read, other;
    int64_t began_ns = clock_files();
    struct file_stamp stamp;
    struct buf text = BUF_INIT;

    (void)unused;
    CHECK_INT(dir_read(tree_dir(tree), "a", 100, &text, &read, NULL), E_OK);
    stamp = stamp_of("a");
    CHECK(stamp_covers(&stamp, &read, began_ns));
    CHECK(!stamp_covers(&stamp, &read, stamp.changed_ns)); /* In the same tick. */
    write_unseen("two");
    stamp = stamp_of("a");
    CHECK(!stamp_covers(&stamp, &read, began_ns));
    other = read;
    other.inode++;
    CHECK(!stamp_covers(&stamp, &other, INT64_MAX));
    buf_fini(&text);
}

static void
the_kernels_own_files_are_on_no_disk(void **unused)
{
    struct dir *proc;

    (void)unused;
    CHECK_INT(dir_open("/proc", false, &proc, NULL), E_OK);
    CHECK(!stamp_is_cheap(proc));
    dir_unref(proc);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stamp_holds_until_the_file_is_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_files_have_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stamp_covers_what_was_read_after_it, set_up, tear_down),
        cmocka_unit_test(the_kernels_own_files_are_on_no_disk),
    };

    return CHECK_RUN(tests);
}
