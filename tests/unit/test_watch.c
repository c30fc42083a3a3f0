/* The watch, on a real tree: what is told is what differs, once, whatever happened in between.
 *
 * What must be one burst is done on the keeper's own thread: its events wait until it is done. */
#include "tests/check.h"

#include "state/base/mem.h"
#include "state/watch.h"
#include "tests/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* What was told: "+path", "*path" or "-path", with '/' behind a folder. */
struct listener {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    char *words[20000];
    size_t count;
    unsigned tellings;
    bool more;
};

static struct tree *tree;
static struct keeper *keeper;
static struct watch *watch;
static struct listener heard = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                                .cond = PTHREAD_COND_INITIALIZER};

static void
listen(void *arg, const struct watch_news *news)
{
    struct listener *l = arg;

    pthread_mutex_lock(&l->mutex);
    for (size_t i = 0; i < news->count && l->count < 20000; i++) {
        const struct watch_change *c = &news->all[i];
        l->words[l->count++] =
            xasprintf("%c%s%s", "+*-"[c->kind], c -> path, c -> folder ? "/" : "");
    }
    l->tellings++;
    l->more |= news->more;
    pthread_cond_signal(&l->cond);
    pthread_mutex_unlock(&l->mutex);
}

static int
compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Waits until something is told; returns it, sorted, with blanks between; new. */
static char *
next_told(struct listener *l)
{
    struct buf text = BUF_INIT;
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&l->mutex);
    while (!l->tellings && pthread_cond_timedwait(&l->cond, &l->mutex, &until) != ETIMEDOUT) {
    }
    if (l->count) {
        qsort(l->words, l->count, sizeof *l->words, compare);
    }
    for (size_t i = 0; i < l->count; i++) {
        buf_addf(&text, "%s%s", i ? " " : "", l->words[i]);
        free(l->words[i]);
    }
    l->count = 0;
    l->tellings = 0;
    l->more = false;
    pthread_mutex_unlock(&l->mutex);
    buf_adds(&text, "");
    return text.data ? buf_steal(&text) : xstrdup("(nothing)");
}

static void
expect_of(struct listener *l, const char *want)
{
    char *told = next_told(l);

    if (strcmp(told, want) != 0) {
        fail_msg("told   %.2000s\nwanted %s", told, want);
    }
    free(told);
}

static void
expect(const char *want)
{
    expect_of(&heard, want);
}

struct deed {
    void (*run)(const char *arg);
    const char *arg;
};

static void
do_deed(void *arg)
{
    const struct deed *deed = arg;

    deed->run(deed->arg);
}

/* Does it all on the keeper's thread, so that it is one burst. */
static void
at_once(void (*run)(const char *arg), const char *arg)
{
    struct deed deed = {run, arg};

    keeper_call(keeper, do_deed, &deed);
}

static void
write_it(const char *path)
{
    tree_write(tree, path, "as it is now");
}

static void
remove_it(const char *path)
{
    tree_remove(tree, path);
}

static void
begin(const struct watch_options *options)
{
    struct fault f = FAULT_INIT;

    CHECK_INT(keeper_start(&keeper, &f), E_OK);
    watch = watch_create(keeper, options);
}

/* Adds a tree, and waits until it has been looked at: what is there is not told. */
static struct watch_tree *
add(const char *path, struct listener *l)
{
    struct watch_tree *added;

    files_settle();
    added = watch_add(watch, tree_dir(tree), path, listen, l);
    watch_counters(watch);
    return added;
}

static struct watch_options
quick(void)
{
    struct watch_options options = WATCH_OPTIONS_INIT;

    options.quiet_ms = 10;
    options.cap_ms = 60000;
    options.look_ms = 600000;
    return options;
}

static int
set_up(void **state)
{
    (void)state;
    tree = tree_create();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    watch_destroy(watch);
    keeper_stop(keeper);
    watch = NULL;
    keeper = NULL;
    tree_destroy(tree);
    for (size_t i = 0; i < heard.count; i++) {
        free(heard.words[i]);
    }
    heard.count = 0;
    heard.tellings = 0;
    return 0;
}

static void
write_two(const char *arg)
{
    (void)arg;
    tree_write(tree, "t/a.md", "one");
    tree_write(tree, "t/b.md", "one");
}

static void
change_and_remove(const char *arg)
{
    (void)arg;
    tree_write(tree, "t/a.md", "two");
    tree_remove(tree, "t/b.md");
}

static void
write_often(const char *arg)
{
    int fd = dir_open_at(tree_dir(tree), "t/a.md", O_WRONLY, 0);

    (void)arg;
    for (int i = 0; i < 10; i++) {
        if (pwrite(fd, "xyz", 3, i) != 3) {
            abort();
        }
    }
    close(fd);
    tree_write(tree, "t/c.md", "comes and goes");
    tree_remove(tree, "t/c.md");
    tree_write(tree, "t/.hidden", "nobody's");
    tree_symlink(tree, "a.md", "t/link.md");
}

static void
files_come_change_and_go(void **state)
{
    struct watch_options options = quick();

    (void)state;
    tree_write(tree, "t/old.md", "was there");
    begin(&options);
    add("t", &heard);
    at_once(write_two, NULL);
    expect("+a.md +b.md");
    at_once(change_and_remove, NULL);
    expect("*a.md -b.md");
    at_once(write_often, NULL);
    expect("*a.md");
    tree_remove(tree, "t/old.md");
    expect("-old.md");
    CHECK_INT(watch_counters(watch).unwatched, 0);
    CHECK_INT(watch_counters(watch).entries, 1);
}

static void
make_folders(const char *arg)
{
    (void)arg;
    tree_write(tree, "t/x/y/one.md", "1");
    tree_write(tree, "t/x/two.md", "2");
}

static void
move_folder(const char *arg)
{
    (void)arg;
    CHECK_INT(renameat(dir_fd(tree_dir(tree)), "t/x", dir_fd(tree_dir(tree)), "t/z"), 0);
}

/* As a tool does that makes a folder anew: what is in it now may have the old one's inode. */
static void
make_anew(const char *arg)
{
    (void)arg;
    tree_remove(tree, "t/z");
    tree_write(tree, "t/z/y/one.md", "now");
}

static void
folders_come_move_and_go(void **state)
{
    struct watch_options options = quick();

    (void)state;
    tree_mkdir(tree, "t");
    begin(&options);
    add("t", &heard);
    at_once(make_folders, NULL);
    expect("+x/ +x/two.md +x/y/ +x/y/one.md");
    at_once(write_it, "t/x/y/one.md");
    expect("*x/y/one.md");
    at_once(move_folder, NULL);
    expect("+z/ +z/two.md +z/y/ +z/y/one.md -x/ -x/two.md -x/y/ -x/y/one.md");
    at_once(write_it, "t/z/y/three.md");
    expect("+z/y/three.md");
    at_once(make_anew, NULL);
    expect("*z/y/one.md -z/two.md -z/y/three.md");
    at_once(write_it, "t/z/y/four.md");
    expect("+z/y/four.md");
    at_once(remove_it, "t/z");
    expect("-z/ -z/y/ -z/y/four.md -z/y/one.md");
    CHECK_INT(watch_counters(watch).folders, 1);
    CHECK_INT(watch_counters(watch).entries, 0);
}

static void
replace_tree(const char *arg)
{
    (void)arg;
    tree_remove(tree, "p");
    tree_write(tree, "p/q/t/b.md", "here");
}

static void
a_tree_vanishes_and_comes_back(void **state)
{
    struct watch_options options = quick();

    (void)state;
    begin(&options);
    add("p/q/t", &heard); /* Nothing of it is there. */
    at_once(write_it, "p/q/t/a.md");
    expect("+/ +a.md");
    at_once(write_it, "p/q/t/a.md");
    expect("*a.md");
    at_once(remove_it, "p/q/t");
    expect("-/ -a.md");
    at_once(remove_it, "p/q"); /* Tells nobody anything. */
    at_once(write_it, "p/q/t/a.md");
    expect("+/ +a.md");
    at_once(replace_tree, NULL);
    expect("+b.md -a.md");
    at_once(write_it, "p/q/t/c.md");
    expect("+c.md");
}

static void
make_many(const char *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        char path[64];
        snprintf(path, sizeof path, "t/%d/%d.md", i % 10, i);
        tree_write(tree, path, "one of many");
    }
}

static void
a_storm_is_told_once(void **state)
{
    struct watch_options options = quick();

    (void)state;
    tree_mkdir(tree, "t");
    begin(&options);
    add("t", &heard);
    at_once(make_many, NULL);
    free(next_told(&heard));
    CHECK_INT(watch_counters(watch).tellings, 1);
    CHECK_INT(watch_counters(watch).entries, 1010);
    at_once(write_it, "t/5/5.md");
    expect("*5/5.md");
}

static unsigned
queue_length(void)
{
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    unsigned length = 16384;

    if (file) {
        if (fscanf(file, "%u", &length) != 1) {
            length = 16384;
        }
        fclose(file);
    }
    return length;
}

/* Fills the kernel's queue; what comes then, it loses. */
static void
overflow(const char *arg)
{
    int fd = dir_fd(tree_dir(tree));

    (void)arg;
    for (unsigned i = 0; i <= queue_length() / 2 + 100; i++) {
        int made = openat(fd, "t/a/x", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (made < 0 || close(made) != 0 || unlinkat(fd, "t/a/x", 0) != 0) {
            abort();
        }
    }
    tree_write(tree, "t/b/late.md", "lost");
}

static void
what_the_kernel_lost_is_found(void **state)
{
    struct watch_options options = quick();

    (void)state;
    tree_mkdir(tree, "t/a");
    tree_mkdir(tree, "t/b");
    begin(&options);
    add("t", &heard);
    at_once(overflow, NULL);
    expect("+b/late.md");
}

static void
what_cannot_be_watched_is_looked_at(void **state)
{
    struct watch_options options = quick();

    (void)state;
    options.folders = 2;
    options.look_soon_ms = 10;
    tree_mkdir(tree, "t/a");
    tree_mkdir(tree, "t/b/x");
    tree_mkdir(tree, "t/c/x");
    begin(&options);
    add("t", &heard);
    CHECK_INT(watch_counters(watch).unwatched, 4);
    at_once(remove_it, "t/c/x");
    expect("-c/x/");
    at_once(remove_it, "t/b/x");
    expect("-b/x/");
    at_once(remove_it, "t/b");
    expect("-b/");
    at_once(remove_it, "t/c");
    expect("-c/");
    CHECK_INT(watch_counters(watch).unwatched, 0);
}

/* Where the kernel tells of nothing, who knows may say so. */
static void
a_look_that_is_asked_for_finds_all(void **state)
{
    struct watch_options options = quick();

    (void)state;
    options.folders = 0;
    options.look_soon_ms = 3600000;
    tree_mkdir(tree, "t/a");
    begin(&options);
    add("t", &heard);
    CHECK_INT(watch_counters(watch).unwatched, 2);
    at_once(write_it, "t/a/one.md");
    watch_look(watch);
    expect("+a/one.md");
    at_once(remove_it, "t/a");
    watch_look(watch);
    expect("-a/ -a/one.md");
}

/* A parent that moves away tells nobody: only a look finds it. */
static void
a_look_finds_what_no_event_tells(void **state)
{
    struct watch_options options = quick();

    (void)state;
    options.look_ms = 10;
    tree_mkdir(tree, "p/t/a");
    begin(&options);
    add("p/t", &heard);
    CHECK_INT(renameat(dir_fd(tree_dir(tree)), "p", dir_fd(tree_dir(tree)), "q"), 0);
    expect("-/ -a/");
    CHECK_INT(renameat(dir_fd(tree_dir(tree)), "q", dir_fd(tree_dir(tree)), "p"), 0);
    expect("+/ +a/");
}

static void
a_burst_that_lasts_is_told_in_between(void **state)
{
    struct watch_options options = quick();

    (void)state;
    options.quiet_ms = 600000; /* It never ends. */
    options.cap_ms = 10;
    tree_write(tree, "t/b.md", "1");
    begin(&options);
    add("t", &heard);
    tree_mkdir(tree, "t/new");
    expect("+new/");
    tree_remove(tree, "t/b.md");
    expect("-b.md");
}

static void
each_tree_is_told_its_own(void **state)
{
    static struct listener other = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                                    .cond = PTHREAD_COND_INITIALIZER};
    struct watch_options options = quick();
    struct watch_tree *dropped;

    (void)state;
    tree_mkdir(tree, "t");
    tree_mkdir(tree, "u");
    begin(&options);
    dropped = add("t", &heard);
    add("u", &other);
    CHECK_INT(watch_counters(watch).trees, 2);
    at_once(write_it, "u/a.md");
    expect_of(&other, "+a.md");
    at_once(write_it, "t/b.md");
    expect("+b.md");
    watch_drop(dropped);
    at_once(write_it, "t/c.md");
    at_once(write_it, "u/d.md");
    expect_of(&other, "+d.md");
    CHECK_INT(heard.tellings, 0);
    CHECK_INT(watch_counters(watch).trees, 1);
    watch_destroy(NULL);
}

/* What is changed after a tree was added is told, though it has not been looked at yet. */

static sem_t released;

static void
wait_for_release(void *arg)
{
    (void)arg;
    sem_wait(&released);
}

/* Adds "t" while the keeper is busy, and does that all before it is looked at. */
static void
add_and_do_before_the_look(void (*run)(const char *arg), const char *arg)
{
    sem_init(&released, 0, 0);
    files_settle();
    keeper_post(keeper, wait_for_release, NULL);
    watch_add(watch, tree_dir(tree), "t", listen, &heard); /* Does not wait for the keeper. */
    run(arg);
    sem_post(&released);
    watch_counters(watch);
    sem_destroy(&released);
}

/* What was told by then, and whether there was more. */
static void
expect_by_now(const char *want, bool more)
{
    bool was_more;

    pthread_mutex_lock(&heard.mutex);
    was_more = heard.more;
    heard.tellings++; /* It is not waited for. */
    pthread_mutex_unlock(&heard.mutex);
    expect(want);
    CHECK_INT(was_more, more);
}

static void
do_nothing(const char *arg)
{
    (void)arg;
}

static void
go(const char *arg)
{
    (void)arg;
    tree_remove(tree, "t/f/b");
    tree_remove(tree, "t/f");
    tree_remove(tree, "t/a");
    tree_remove(tree, "t");
}

static void
what_comes_before_the_first_look_is_told(void **state)
{
    static const struct {
        void (*run)(const char *arg);
        const char *arg, *told;
        bool more;
    } rows[] = {
        {do_nothing, "", "(nothing)", false},
        {write_it, "t/f/b", "*f/b", true}, /* It is replaced: its folder has changed too. */
        {write_it, "t/new", "*new", true},
        {remove_it, "t/f/b", "(nothing)", true},
        {go, "", "-/", true},
    };
    struct watch_options options = quick();

    (void)state;
    begin(&options);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tree_write(tree, "t/a", "a");
        tree_write(tree, "t/f/b", "b");
        add_and_do_before_the_look(rows[i].run, rows[i].arg);
        expect_by_now(rows[i].told, rows[i].more);
        watch_destroy(watch);
        watch = watch_create(keeper, &options);
        if (i == 2) {
            tree_remove(tree, "t/new");
        }
    }
    add_and_do_before_the_look(write_it, "t/a"); /* There was no such folder. */
    expect_by_now("+/ +a", false);
    at_once(write_it, "t/b");
    expect("+b"); /* And the watch goes on from there. */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_comes_before_the_first_look_is_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(files_come_change_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folders_come_move_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tree_vanishes_and_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_storm_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_kernel_lost_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_watched_is_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_look_that_is_asked_for_finds_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_look_finds_what_no_event_tells, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_burst_that_lasts_is_told_in_between, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_tree_is_told_its_own, set_up, tear_down),
    };
    return CHECK_RUN(tests);
}
