/* harness.c -- projects that vanish, findings, times. */
#include "tests/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define DEFAULT_SCALE 0.2
#elif defined(__SANITIZE_ADDRESS__)
#define DEFAULT_SCALE 0.4
#else
#define DEFAULT_SCALE 1.0
#endif

#define PATH_SIZE 4096

const char *const bug_fix_evidence[BUG_FIX_PHASES] = {
    "{\"failing_test\":\"test_leap_day\",\"test_output\":\"FAIL: test_leap_day: 29 expected, got "
    "28\","
    "\"expected_behaviour\":\"February of a leap year has 29 days\"}",
    "{\"cause\":\"The century rule was applied to years that can be divided by 400 as well\","
    "\"changed_files\":[\"calendar.c\"],\"lines_changed\":3}",
    "{\"tests_passed\":41,\"tests_failed\":0,\"test_output\":\"41 tests, all passed, success\"}",
};

void
harness_give_up(const char *what)
{
    fprintf(stderr, "harness: %s: %s\n", what, strerror(errno));
    abort();
}

/* ---- findings, time, samples ---- */

void
finding(struct findings *f, const char *format, ...)
{
    va_list args;

    pthread_mutex_lock(&f->mutex);
    if (f->count < FINDINGS_KEPT) {
        va_start(args, format);
        vsnprintf(f->text[f->count], sizeof f->text[0], format, args);
        va_end(args);
    }
    f->count++;
    pthread_mutex_unlock(&f->mutex);
}

unsigned
findings_tell(struct findings *f)
{
    unsigned count;

    pthread_mutex_lock(&f->mutex);
    count = f->count;
    for (unsigned i = 0; i < count && i < FINDINGS_KEPT; i++) {
        printf("finding %u of %u: %s\n", i + 1, count, f->text[i]);
    }
    pthread_mutex_unlock(&f->mutex);
    fflush(stdout);
    return count;
}

int64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

void
look_again_soon(void)
{
    poll(NULL, 0, 1);
}

unsigned
stress_count(unsigned count, unsigned least)
{
    const char *text = getenv("STRESS_SCALE");
    double scale = text ? strtod(text, NULL) : DEFAULT_SCALE;
    unsigned scaled = (unsigned)(count * scale + 0.5);

    return scaled > least ? scaled : least;
}

bool
sanitized(void)
{
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
    return false;
#else
    return true;
#endif
}

void
samples_add(struct samples *s, int64_t ns)
{
    if (s->count == s->size) {
        s->size = s->size ? s->size * 2 : 256;
        s->ns = xrealloc(s->ns, s->size * sizeof *s->ns);
    }
    s->ns[s->count++] = ns;
}

void
samples_merge(struct samples *to, const struct samples *from)
{
    for (size_t i = 0; i < from->count; i++) {
        samples_add(to, from->ns[i]);
    }
}

static int
compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int64_t
samples_percentile(struct samples *s, double percent)
{
    size_t at;

    if (s->count == 0) {
        return 0;
    }
    qsort(s->ns, s->count, sizeof *s->ns, compare_ns);
    at = (size_t)((double)s->count * percent / 100.0);
    return s->ns[at < s->count ? at : s->count - 1];
}

void
samples_fini(struct samples *s)
{
    free(s->ns);
    *s = (struct samples){.ns = NULL};
}

/* ---- projects ---- */

static void
make_folders(const char *path)
{
    char part[PATH_SIZE];

    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1; *p; p++) {
        if (*p == '/') {
            *p = '\0';
            mkdir(part, 0700);
            *p = '/';
        }
    }
    if (mkdir(part, 0700) != 0 && errno != EEXIST) {
        harness_give_up(path);
    }
}

static void
copy_file(const char *from, const char *to)
{
    char chunk[16384];
    ssize_t n;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (in < 0 || out < 0) {
        harness_give_up(from);
    }
    while ((n = read(in, chunk, sizeof chunk)) > 0) {
        if (write(out, chunk, (size_t)n) != n) {
            harness_give_up(to);
        }
    }
    close(in);
    close(out);
}

/* nftw() takes no argument, so a walk fills a list, which is then worked off. */
struct walk {
    struct {
        char *path;
        int kind;
    } * entries;
    size_t count, size;
};
static __thread struct walk *walking;

static int
note_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)ftw;
    if (walking->count == walking->size) {
        walking->size = walking->size ? walking->size * 2 : 64;
        walking->entries = xrealloc(walking->entries, walking->size * sizeof *walking->entries);
    }
    walking->entries[walking->count].path = xstrdup(path);
    walking->entries[walking->count++].kind = kind;
    return 0;
}

static struct walk
walk_tree(const char *root, int flags)
{
    struct walk w = {.entries = NULL};

    walking = &w;
    nftw(root, note_entry, 16, flags | FTW_PHYS);
    walking = NULL;
    return w;
}

static void
walk_fini(struct walk *w)
{
    for (size_t i = 0; i < w->count; i++) {
        free(w->entries[i].path);
    }
    free(w->entries);
}

void
harness_copy(const char *from, const char *to)
{
    struct walk w = walk_tree(from, 0);
    char path[PATH_SIZE];

    if (w.count == 0) {
        harness_give_up(from);
    }
    for (size_t i = 0; i < w.count; i++) {
        snprintf(path, sizeof path, "%s%s", to, w.entries[i].path + strlen(from));
        if (w.entries[i].kind == FTW_D) {
            make_folders(path);
        } else {
            copy_file(w.entries[i].path, path);
        }
    }
    walk_fini(&w);
}

void
harness_project(char root[HARNESS_ROOT], const char *const packs[])
{
    char path[PATH_SIZE];

    signal(SIGPIPE, SIG_IGN); /* Peers vanish in these tests. */
    snprintf(root, HARNESS_ROOT, "/tmp/tandem-test-XXXXXX");
    if (!mkdtemp(root)) {
        harness_give_up(root);
    }
    snprintf(path, sizeof path, "%s/.tandem/workflows", root);
    make_folders(path);
    for (size_t i = 0; packs && packs[i]; i++) {
        snprintf(path, sizeof path, "%s/.tandem/workflows%s", root, strrchr(packs[i], '/'));
        harness_copy(packs[i], path);
    }
}

void
harness_remove(const char *root)
{
    struct walk w = walk_tree(root, FTW_DEPTH);

    for (size_t i = 0; i < w.count; i++) {
        remove(w.entries[i].path);
    }
    walk_fini(&w);
}

void
harness_show_log(const char *root)
{
    char path[PATH_SIZE], chunk[4096];
    size_t n;
    FILE *file;

    snprintf(path, sizeof path, "%s/server.log", root);
    file = fopen(path, "re");
    if (!file) {
        return;
    }
    printf("--- the server said:\n");
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0) {
        fwrite(chunk, 1, n, stdout);
    }
    printf("---\n");
    fflush(stdout);
    fclose(file);
}

unsigned
harness_count_files(const char *root, const char *part)
{
    struct walk w = walk_tree(root, 0);
    unsigned count = 0;

    for (size_t i = 0; i < w.count; i++) {
        const char *slash = strrchr(w.entries[i].path, '/');
        count += w.entries[i].kind == FTW_F && slash && strstr(slash, part);
    }
    walk_fini(&w);
    return count;
}

unsigned
harness_descriptors(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    if (!dir) {
        harness_give_up(path);
    }
    while (readdir(dir)) {
        count++;
    }
    closedir(dir);
    return count;
}
