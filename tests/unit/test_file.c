/* Files beneath a root: nothing leads out, whatever is swapped meanwhile; a write is whole or did
 * not happen. */
#include "tests/check.h"

#include "state/base/file.h"
#include "tests/hostile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The root of a test, some folders below a folder that nothing may change: "outside" lies beside
 * it. */
struct place {
    char top[64];
    char *path; /* Of the root. */
    struct dir *root;
    struct fault f;
};

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void
put(const char *folder, const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_INT(fclose(file), 0);
    free(path);
}

static void
set_up(struct place *p)
{
    *p = (struct place){.top = "/tmp/tandem-test-XXXXXX"};
    CHECK(mkdtemp(p->top) != NULL);
    p->path = xasprintf("%s/a/b/c/root", p->top);
    CHECK(dir_open(p->path, true, &p->root, &p->f) == E_OK);
    put(p->top, "outside", "secret");
    put(p->path, "inside", "public");
}

static void
tear_down(struct place *p)
{
    dir_unref(p->root);
    nftw(p->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(p->path);
}

static char *
in_root(const struct place *p, const char *name)
{
    return xasprintf("%s/%s", p->path, name);
}

static void
link_to(const struct place *p, const char *target, const char *name)
{
    char *path = in_root(p, name);

    CHECK_INT(symlink(target, path), 0);
    free(path);
}

static void
expect_content(const struct place *p, const char *name, const char *text)
{
    struct buf b = BUF_INIT;
    struct fault f = FAULT_INIT;

    CHECK(dir_read(p->root, name, 1 << 20, &b, NULL, &f) == E_OK);
    CHECK_STR(b.data, text);
    buf_fini(&b);
}

static enum err
read_error(struct place *p, const char *name, size_t max)
{
    struct buf b = BUF_INIT;
    enum err err;

    p->f = (struct fault)FAULT_INIT;
    err = dir_read(p->root, name, max, &b, NULL, &p->f);
    CHECK_INT(b.len, 0);
    CHECK_INT(p->f.code, err);
    buf_fini(&b);
    return err;
}

static unsigned
count_entries(const char *path)
{
    DIR *stream = opendir(path);
    unsigned count = 0;

    CHECK(stream != NULL);
    while (readdir(stream)) {
        count++;
    }
    closedir(stream);
    return count - 2;
}

static void
roots_are_opened_and_made(void **state)
{
    struct place p;
    struct dir *d = NULL, *sub = NULL;
    char *path;

    (void)state;
    set_up(&p);
    path = in_root(&p, "x/y/");
    CHECK(dir_open(path, false, &d, &p.f) == E_NOT_FOUND);
    CHECK(d == NULL);
    CHECK(strstr(p.f.text, p.top) == NULL); /* An error names no absolute path. */
    CHECK(dir_open(path, true, &d, &p.f) == E_OK);
    dir_unref(d);
    CHECK(dir_open(path, true, &d, &p.f) == E_OK);
    CHECK(dir_fd(d) >= 0);
    CHECK(dir_ref(d) == d);
    dir_unref(d);
    dir_unref(d);
    free(path);
    path = in_root(&p, "inside/x");
    CHECK(dir_open(path, true, &d, &p.f) == E_IO);
    CHECK(dir_open(path, false, &d, &p.f) == E_IO);
    free(path);

    CHECK(dir_sub(p.root, "x/y", false, &sub, &p.f) == E_OK);
    dir_unref(sub);
    CHECK(dir_sub(p.root, "u/v/w", false, &sub, &p.f) == E_NOT_FOUND);
    CHECK(dir_sub(p.root, "u/v/w", true, &sub, &p.f) == E_OK);
    CHECK(dir_is_folder(p.root, "u/v/w"));
    dir_unref(sub);
    CHECK(dir_sub(p.root, "u//v/./z", true, &sub, &p.f) == E_OK);
    CHECK(dir_is_folder(p.root, "u/v/z"));
    dir_unref(sub);
    CHECK(dir_sub(p.root, "inside", true, &sub, &p.f) == E_NOT_FOUND);
    CHECK(dir_sub(p.root, "inside/x", true, &sub, &p.f) == E_NOT_FOUND);
    CHECK(sub == NULL);
    dir_unref(NULL);
    tear_down(&p);
}

static void
a_file_is_read_whole_or_not(void **state)
{
    struct place p;
    struct buf b = BUF_INIT;
    struct file_identity one, other;

    (void)state;
    set_up(&p);
    expect_content(&p, "inside", "public");
    CHECK(read_error(&p, "inside", 5) == E_TOO_LARGE);
    CHECK(strstr(p.f.text, "'inside'") != NULL && strstr(p.f.text, "5 bytes") != NULL);
    CHECK(read_error(&p, "nothing", 100) == E_NOT_FOUND);
    CHECK(read_error(&p, "inside/x", 100) == E_NOT_FOUND);
    CHECK(read_error(&p, ".", 100) == E_ARGUMENT);

    /* It is appended, and an empty file is empty text. */
    buf_adds(&b, "so: ");
    CHECK(dir_read(p.root, "inside", 6, &b, &one, &p.f) == E_OK);
    CHECK_STR(b.data, "so: public");
    put(p.path, "empty", "");
    buf_fini(&b);
    CHECK(dir_read(p.root, "empty", 0, &b, NULL, &p.f) == E_OK);
    CHECK_STR(b.data, "");
    b.limit = 3; /* What does not fit the buffer is an error too. */
    CHECK(dir_read(p.root, "inside", 100, &b, NULL, &p.f) == E_TOO_LARGE);
    CHECK_INT(b.len, 0);
    buf_fini(&b);

    CHECK_INT(one.size, 6);
    CHECK(dir_identity(p.root, "inside", &other, &p.f) == E_OK);
    CHECK(file_identity_equal(&one, &other));
    CHECK(dir_write(p.root, "inside", SLICE("PUBLIC"), &p.f) == E_OK);
    CHECK(dir_identity(p.root, "inside", &other, &p.f) == E_OK);
    CHECK(!file_identity_equal(&one, &other)); /* Same size, perhaps the same time: another file. */
    CHECK(dir_identity(p.root, "nothing", &other, &p.f) == E_NOT_FOUND);
    CHECK(dir_identity(p.root, ".", &other, &p.f) == E_ARGUMENT);
    tear_down(&p);
}

/* Files of /proc say they are empty and are not. */
static void
a_file_that_grows_is_read_to_its_end(void **state)
{
    struct dir *proc;
    struct fault f = FAULT_INIT;
    struct buf b = BUF_INIT;

    (void)state;
    CHECK(dir_open("/proc/self", false, &proc, &f) == E_OK);
    CHECK(dir_read(proc, "status", 1 << 20, &b, NULL, &f) == E_OK);
    CHECK(strstr(b.data, "Pid:") != NULL);
    buf_reset(&b);
    CHECK(dir_read(proc, "status", 100, &b, NULL, &f) == E_TOO_LARGE);
    CHECK(dir_read(proc, "fd/0", 100, &b, NULL, &f) == E_ARGUMENT); /* Magic links. */
    CHECK(dir_read(proc, "root/etc/passwd", 9999, &b, NULL, &f) == E_ARGUMENT);
    CHECK(dir_read(proc, "mem", 9999, &b, NULL, &f) == E_IO); /* Opens, and then cannot be read. */
    CHECK_INT(b.len, 0);
    buf_fini(&b);
    dir_unref(proc);
}

static void
what_is_no_file_is_not_waited_for(void **state)
{
    struct place p;
    char *path;

    (void)state;
    set_up(&p);
    path = in_root(&p, "fifo");
    CHECK_INT(mkfifo(path, 0600), 0);
    free(path);
    CHECK(read_error(&p, "fifo", 100) == E_ARGUMENT); /* And did not block. */
    CHECK(!dir_is_file(p.root, "fifo"));
    CHECK(!dir_is_folder(p.root, "fifo"));
    CHECK(dir_is_file(p.root, "inside"));
    CHECK(!dir_is_folder(p.root, "inside"));
    CHECK(dir_is_folder(p.root, "."));
    CHECK(!dir_is_file(p.root, "nothing"));
    tear_down(&p);
}

static void
links_and_dots_lead_nowhere(void **state)
{
    static const char *const names[] = {
        "../outside",   "../../../../outside",
        "/etc/passwd",  "link",
        "away/outside", "x/../../outside",
        "inner",        "loop",
        "..",           "/",
    };
    struct place p;
    struct dir *d;

    (void)state;
    set_up(&p);
    link_to(&p, p.top, "away");
    link_to(&p, "../../../../outside", "link");
    link_to(&p, "inside", "inner"); /* Links are refused also if they stay inside. */
    link_to(&p, "loop", "loop");
    CHECK(dir_sub(p.root, "x", true, &d, &p.f) == E_OK);
    dir_unref(d);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct dir_list list;

        CHECK(read_error(&p, names[i], 1 << 20) == E_ARGUMENT);
        CHECK(strstr(p.f.text, "leads out") && p.f.remedy[0]);
        CHECK(!dir_is_file(p.root, names[i]));
        CHECK(!dir_is_folder(p.root, names[i]));
        CHECK(dir_list(p.root, names[i], 100, &list, &p.f) == E_ARGUMENT);
        CHECK(dir_sub(p.root, names[i], true, &d, &p.f) == E_ARGUMENT);
        CHECK_INT(dir_open_at(p.root, names[i], O_RDWR | O_CREAT, 0600), -1);
    }
    CHECK(dir_sub(p.root, "away/made", true, &d, &p.f) == E_ARGUMENT);
    CHECK(dir_sub(p.root, "x/../../made", true, &d, &p.f) == E_ARGUMENT);
    CHECK(dir_sub(p.root, "../made", true, &d, &p.f) == E_ARGUMENT);
    CHECK(dir_sub(p.root, "new/../../made", true, &d, &p.f) == E_ARGUMENT);
    CHECK_INT(count_entries(p.top), 2); /* "a" and "outside". */
    CHECK(read_error(&p, "link", 0) == E_ARGUMENT);
    CHECK(dir_read(p.root, "link", 10, &(struct buf)BUF_INIT, NULL, NULL) == E_ARGUMENT);
    tear_down(&p);
}

static void
only_names_are_written(void **state)
{
    static const char *const names[] = {"", ".", "..", "a/b", "../x", "/tmp/x", "/"};
    struct place p;
    char long_name[202];

    (void)state;
    set_up(&p);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK(dir_write(p.root, names[i], SLICE("x"), &p.f) == E_ARGUMENT);
        CHECK(dir_create_file(p.root, names[i], SLICE("x"), &p.f) == E_ARGUMENT);
        CHECK(dir_rename(p.root, names[i], "y", &p.f) == E_ARGUMENT);
        CHECK(dir_rename(p.root, "inside", names[i], &p.f) == E_ARGUMENT);
        CHECK(dir_remove(p.root, names[i], &p.f) == E_ARGUMENT);
    }
    memset(long_name, 'n', sizeof long_name);
    long_name[201] = '\0';
    CHECK(dir_write(p.root, long_name, SLICE("x"), &p.f) == E_ARGUMENT);
    long_name[200] = '\0';
    CHECK(dir_write(p.root, long_name, SLICE("x"), &p.f) == E_OK);
    CHECK(dir_remove(p.root, long_name, &p.f) == E_OK);
    CHECK_INT(count_entries(p.path), 1);
    tear_down(&p);
}

static void
try_hostile_name(const struct hostile_case *c, void *arg)
{
    struct place *p = arg;
    char *name = xstrndup(c->bytes.data, c->bytes.len); /* Ends at a NUL, as any C string. */
    struct buf b = BUF_INIT;
    struct file_identity id;
    struct dir_list list;
    struct dir *d = NULL;
    int fd;

    CHECK(dir_read(p->root, name, 1 << 20, &b, NULL, &p->f) != E_OK);
    CHECK(dir_identity(p->root, name, &id, &p->f) != E_OK);
    if (dir_list(p->root, name, 1000, &list, &p->f) == E_OK) {
        dir_list_fini(&list);
    }
    if (dir_write(p->root, name, SLICE("x"), &p->f) == E_OK) {
        CHECK(dir_remove(p->root, name, &p->f) == E_OK);
    }
    CHECK(dir_remove(p->root, name, &p->f) != E_OK);
    fd = dir_open_at(p->root, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd >= 0) {
        close(fd);
        CHECK_INT(unlinkat(dir_fd(p->root), name, 0), 0);
    }
    if (dir_sub(p->root, name, true, &d, &p->f) == E_OK) {
        dir_unref(d);
    }
    buf_fini(&b);
    free(name);
}

static void
hostile_names_touch_nothing_outside(void **state)
{
    struct place p;
    size_t count;

    (void)state;
    set_up(&p);
    CHECK(dir_remove(p.root, "inside", &p.f) == E_OK);
    count = hostile_lines("own/path.jsonl", try_hostile_name, &p);
    count += hostile_traversals("outside", try_hostile_name, &p);
    CHECK(count > 590);
    CHECK_INT(count_entries(p.top), 2);
    *strrchr(p.path, '/') = '\0';
    CHECK_INT(count_entries(p.path), 1);
    tear_down(&p);
}

struct swapper {
    struct place *p;
    _Atomic bool stop;
    _Atomic unsigned swaps;
};

/* Puts a folder and a link to the outside in each other's place, as fast as it can. */
static void *
swap(void *arg)
{
    struct swapper *s = arg;
    int fd = dir_fd(s->p->root);

    while (!s->stop) {
        if (renameat2(fd, "door", fd, "trap", RENAME_EXCHANGE) == 0) {
            s->swaps++;
        }
    }
    return NULL;
}

/* D12: 10,000 opens while a component is swapped for a link. */
static void
a_swapped_link_is_never_followed(void **state)
{
    struct place p;
    struct swapper s = {.p = &p};
    pthread_t thread;
    struct dir *d;
    unsigned got = 0, refused = 0, escaped = 0, other = 0;

    (void)state;
    set_up(&p);
    CHECK(dir_sub(p.root, "door", true, &d, &p.f) == E_OK);
    CHECK(dir_write(d, "outside", SLICE("harmless"), &p.f) == E_OK);
    dir_unref(d);
    link_to(&p, p.top, "trap");
    pthread_create(&thread, NULL, swap, &s);
    while (s.swaps < 10) {
    }
    /* At least so many, and until both the folder and the link have been met. */
    for (unsigned i = 0; i < 10000 || got == 0 || refused == 0; i++) {
        struct buf b = BUF_INIT;

        switch (dir_read(p.root, "door/outside", 100, &b, NULL, NULL)) {
        case E_OK:
            got++;
            escaped += strcmp(b.data, "harmless") != 0;
            break;
        case E_ARGUMENT:
            refused++;
            break;
        default:
            other++;
        }
        /* What is made goes into the folder, or nowhere. */
        if (i % 10 == 0 && dir_sub(p.root, "door/made", true, &d, NULL) == E_OK) {
            dir_unref(d);
        }
        buf_fini(&b);
    }
    s.stop = true;
    pthread_join(thread, NULL);
    CHECK_INT(escaped, 0);
    CHECK_INT(other, 0);
    CHECK(got + refused >= 10000);
    CHECK_INT(count_entries(p.top), 2);
    tear_down(&p);
}

static void
a_leased_file_is_not_waited_for(void **state)
{
    struct place p;
    char *path;
    int fd, failed;

    (void)state;
    set_up(&p);
    path = in_root(&p, "inside");
    fd = open(path, O_RDWR);
    signal(SIGIO, SIG_IGN);
    CHECK(fd >= 0);
    failed = fcntl(fd, F_SETLEASE, F_WRLCK) != 0 ? errno : 0;
    if (!failed) { /* Some file systems have no leases. */
        CHECK(read_error(&p, "inside", 100) == E_IO);
    }
    close(fd);
    free(path);
    tear_down(&p);
}

static void
listings_are_sorted_and_bounded(void **state)
{
    struct place p;
    struct dir_list list;
    struct dir *d;
    char *path;

    (void)state;
    set_up(&p);
    CHECK(dir_remove(p.root, "inside", &p.f) == E_OK);
    CHECK(dir_list(p.root, ".", 10, &list, &p.f) == E_OK);
    CHECK_INT(list.count, 0);
    dir_list_fini(&list);
    for (int i = 19; i >= 0; i--) {
        char name[16];
        snprintf(name, sizeof name, "f%02d", i);
        put(p.path, name, "x");
    }
    put(p.path, ".hidden", "x");
    link_to(&p, "f01", "link");
    path = in_root(&p, "fifo");
    CHECK_INT(mkfifo(path, 0600), 0);
    free(path);
    CHECK(dir_sub(p.root, "folder", true, &d, &p.f) == E_OK);
    dir_unref(d);
    CHECK(dir_list(p.root, ".", 21, &list, &p.f) == E_OK);
    CHECK_INT(list.count, 21);
    for (size_t i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%02zu", i);
        CHECK_STR(list.entries[i].name, name);
        CHECK(!list.entries[i].folder);
    }
    CHECK_STR(list.entries[20].name, "folder");
    CHECK(list.entries[20].folder);
    dir_list_fini(&list);
    CHECK(dir_list(p.root, ".", 20, &list, &p.f) == E_TOO_LARGE);
    CHECK(list.entries == NULL && list.count == 0);
    CHECK(dir_list(p.root, "nothing", 20, &list, &p.f) == E_NOT_FOUND);
    CHECK(dir_list(p.root, "f01", 20, &list, &p.f) == E_NOT_FOUND);
    tear_down(&p);
}

static void
a_write_replaces_and_leaves_nothing_else(void **state)
{
    struct place p;
    struct stat st;
    char *path;

    (void)state;
    set_up(&p);
    CHECK(dir_write(p.root, "inside", SLICE("new"), &p.f) == E_OK);
    expect_content(&p, "inside", "new");
    CHECK(dir_write(p.root, "inside", SLICE_NONE, &p.f) == E_OK);
    expect_content(&p, "inside", "");
    CHECK(dir_write(p.root, "x", SLICE("made"), &p.f) == E_OK);
    path = in_root(&p, "x");
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 07777, 0600);
    free(path);

    CHECK(dir_create_file(p.root, "x", SLICE("again"), &p.f) == E_CONFLICT);
    expect_content(&p, "x", "made");
    CHECK(dir_create_file(p.root, "y", SLICE("first"), &p.f) == E_OK);
    expect_content(&p, "y", "first");

    CHECK(dir_rename(p.root, "y", "z", &p.f) == E_OK);
    CHECK(dir_rename(p.root, "y", "z", &p.f) == E_NOT_FOUND);
    expect_content(&p, "z", "first");
    CHECK(dir_remove(p.root, "z", &p.f) == E_OK);
    CHECK(dir_remove(p.root, "z", &p.f) == E_NOT_FOUND);

    CHECK(dir_write_volatile(p.root, "v", SLICE("one"), &p.f) == E_OK);
    CHECK(dir_write_volatile(p.root, "v", SLICE("two"), &p.f) == E_OK);
    expect_content(&p, "v", "two");
    CHECK(dir_write_volatile(p.root, "a/b", SLICE("x"), &p.f) == E_ARGUMENT);
    CHECK(dir_remove_volatile(p.root, "v", &p.f) == E_OK);
    CHECK(dir_remove_volatile(p.root, "v", &p.f) == E_NOT_FOUND);
    CHECK(dir_remove_volatile(p.root, "..", &p.f) == E_ARGUMENT);

    /* A link is replaced, not followed; a folder is not replaced. */
    link_to(&p, "../../../../outside", "link");
    CHECK(dir_write(p.root, "link", SLICE("own"), &p.f) == E_OK);
    expect_content(&p, "link", "own");
    path = in_root(&p, "folder");
    CHECK_INT(mkdir(path, 0700), 0);
    CHECK(dir_write(p.root, "folder", SLICE("x"), &p.f) == E_IO);
    CHECK(dir_remove(p.root, "folder", &p.f) == E_IO);
    CHECK(dir_rename(p.root, "x", "folder", &p.f) == E_IO);
    free(path);
    CHECK_INT(count_entries(p.path), 4); /* inside, x, link, folder. */
    tear_down(&p);
}

static void
what_a_crash_left_is_swept(void **state)
{
    struct place p;

    (void)state;
    set_up(&p);
    put(p.path, ".x.0123456789abcdef.tmp", "half");
    put(p.path, ".long.name.json.fedcba9876543210.tmp", "half");
    put(p.path, ".x.0123456789abcdeg.tmp", "not ours");
    put(p.path, ".notes.tmp", "not ours");
    put(p.path, "x.0123456789abcdef.tmp", "not ours");
    CHECK_INT(dir_sweep(p.root), 2);
    CHECK_INT(dir_sweep(p.root), 0);
    CHECK_INT(count_entries(p.path), 4);
    tear_down(&p);
}

/* Runs 'body' in a child under a limit; returns its exit code. */
static int
under_limit(struct place *p, int resource, rlim_t limit, int (*body)(struct place *p))
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(resource, &(struct rlimit){limit, limit});
        _exit(body(p));
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int
write_too_much(struct place *p)
{
    static char large[20000];

    memset(large, 'x', sizeof large);
    return (int)dir_write(p->root, "inside", (struct slice){large, sizeof large}, &p->f);
}

static int
write_and_read(struct place *p)
{
    struct buf b = BUF_INIT;
    struct dir *d;
    struct dir_list list;

    return dir_write(p->root, "inside", SLICE("x"), &p->f) == E_IO &&
           dir_read(p->root, "inside", 100, &b, NULL, &p->f) == E_IO &&
           dir_list(p->root, ".", 100, &list, &p->f) == E_IO && dir_sweep(p->root) == 0 &&
           dir_sub(p->root, "new", true, &d, &p->f) == E_IO &&
           dir_open("/tmp", false, &d, &p->f) == E_IO;
}

static void
a_failed_write_keeps_the_old_file(void **state)
{
    struct place p;

    (void)state;
    set_up(&p);
    CHECK_INT(under_limit(&p, RLIMIT_FSIZE, 10000, write_too_much), E_IO);
    expect_content(&p, "inside", "public");
    CHECK_INT(count_entries(p.path), 1);
    CHECK_INT(under_limit(&p, RLIMIT_NOFILE, (rlim_t)dir_fd(p.root) + 1, write_and_read), 1);
    expect_content(&p, "inside", "public");
    CHECK_INT(count_entries(p.path), 1);
    tear_down(&p);
}

struct versions {
    struct place *p;
    _Atomic unsigned torn, missing, reads;
    _Atomic bool stop;
};

/* Every version of the file is one letter, many times, of a length that tells the letter. */
static void *
read_versions(void *arg)
{
    struct versions *v = arg;

    while (!v->stop) {
        struct buf b = BUF_INIT;

        if (dir_read(v->p->root, "shared", 1 << 20, &b, NULL, NULL) != E_OK) {
            v->missing++;
        } else {
            bool whole = b.len > 0 && b.len == (size_t)(b.data[0] - 'a' + 1) * 1000;
            for (size_t i = 0; i < b.len; i++) {
                whole = whole && b.data[i] == b.data[0];
            }
            v->torn += !whole;
            v->reads++;
        }
        buf_fini(&b);
    }
    return NULL;
}

static void *
write_versions(void *arg)
{
    struct versions *v = arg;
    char text[26000];

    for (int i = 0; i < 100; i++) {
        size_t letter = (size_t)i % 26;

        memset(text, (int)('a' + letter), sizeof text);
        v->torn += dir_write(v->p->root, "shared", (struct slice){text, (letter + 1) * 1000},
                             NULL) != E_OK;
    }
    return NULL;
}

static void
readers_see_old_or_new_and_nothing_between(void **state)
{
    struct place p;
    struct versions v = {.p = &p};
    pthread_t readers[2], writer;
    char first[1000];

    (void)state;
    set_up(&p);
    memset(first, 'a', sizeof first);
    CHECK(dir_write(p.root, "shared", (struct slice){first, sizeof first}, &p.f) == E_OK);
    for (int i = 0; i < 2; i++) {
        pthread_create(&readers[i], NULL, read_versions, &v);
    }
    pthread_create(&writer, NULL, write_versions, &v);
    pthread_join(writer, NULL);
    v.stop = true;
    for (int i = 0; i < 2; i++) {
        pthread_join(readers[i], NULL);
    }
    CHECK_INT(v.torn, 0);
    CHECK_INT(v.missing, 0);
    CHECK(v.reads > 0);
    CHECK_INT(count_entries(p.path), 2);
    tear_down(&p);
}

static void *
create_once(void *arg)
{
    struct versions *v = arg;

    if (dir_create_file(v->p->root, "one", SLICE("x"), NULL) == E_OK) {
        v->reads++;
    }
    return NULL;
}

static void
of_many_creators_one_succeeds(void **state)
{
    struct place p;
    struct versions v = {.p = &p};
    pthread_t threads[20];

    (void)state;
    set_up(&p);
    for (int i = 0; i < 20; i++) {
        pthread_create(&threads[i], NULL, create_once, &v);
    }
    for (int i = 0; i < 20; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(v.reads, 1);
    CHECK_INT(count_entries(p.path), 2);
    tear_down(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_opened_and_made),
        cmocka_unit_test(a_file_is_read_whole_or_not),
        cmocka_unit_test(a_file_that_grows_is_read_to_its_end),
        cmocka_unit_test(what_is_no_file_is_not_waited_for),
        cmocka_unit_test(links_and_dots_lead_nowhere),
        cmocka_unit_test(only_names_are_written),
        cmocka_unit_test(hostile_names_touch_nothing_outside),
        cmocka_unit_test(a_swapped_link_is_never_followed),
        cmocka_unit_test(a_leased_file_is_not_waited_for),
        cmocka_unit_test(listings_are_sorted_and_bounded),
        cmocka_unit_test(a_write_replaces_and_leaves_nothing_else),
        cmocka_unit_test(what_a_crash_left_is_swept),
        cmocka_unit_test(a_failed_write_keeps_the_old_file),
        cmocka_unit_test(readers_see_old_or_new_and_nothing_between),
        cmocka_unit_test(of_many_creators_one_succeeds),
    };
    alarm(120);
    return CHECK_RUN(tests);
}
