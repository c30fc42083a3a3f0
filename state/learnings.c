/* learnings.c -- lessons in memory, and the thread that writes them.
 *
 * DESIGN.  What is in memory is what the file is to hold, so the queue to the writer is a mark on
 * each lesson and has no length of its own: a disk that is slow or full holds up nobody, and what
 * waits for it is bounded by what a file may hold.
 *
 * A file is read once, by whoever needs it first, before anything is written to it. */
#include "state/learnings.h"

#include "state/base/hash.h"
#include "state/base/json_put.h"
#include "state/base/lock.h"
#include "state/base/log.h"
#include "state/base/thread.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

LOG_MODULE("learnings");

#define KEY_SIZE 136u
#define NAME_SIZE (LEARNINGS_TARGET_SIZE + 8u)
#define READ_MAX (4u * LEARNINGS_BYTES)

struct lesson {
    struct bytes *line; /* Counted: JSON in one line, with its end. */
    bool written;
    struct lesson *next, *prev;
};

struct target {
    char key[KEY_SIZE];     /* "TENANT/TARGET". */
    struct lesson *lessons; /* Oldest first. */
    size_t bytes;
    bool loaded;  /* What the file held is among them. */
    bool rewrite; /* The file holds more than they are, or what is no lesson. */
    UT_hash_handle hh;
};

struct learnings {
    struct dir *data;
    const struct clock *clock;
    char *home;
    bool threaded;
    pthread_t thread;
    struct lock lock; /* RANK_FAILURES; guards all below. */
    struct cond wanted;
    struct cond idle; /* Nobody writes. */
    struct target *table GUARDED_BY(LC_FAILURES);
    bool dirty GUARDED_BY(LC_FAILURES), ending GUARDED_BY(LC_FAILURES);
    bool writing GUARDED_BY(LC_FAILURES);
    struct learnings_counters counters GUARDED_BY(LC_FAILURES);
};

bool
learnings_target_valid(const char *target)
{
    size_t len = strlen(target);

    if (len == 0 || len >= LEARNINGS_TARGET_SIZE || !isalnum((unsigned char)target[0])) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)target[i]) && target[i] != '-' && target[i] != '_') {
            return false;
        }
    }
    return true;
}

static enum err
check_target(const char *target, struct fault *f)
{
    if (learnings_target_valid(target)) {
        return E_OK;
    }
    fault_set(f, E_ARGUMENT, "'%.40s' is no name of who learns", target);
    return fault_remedy(f, "use letters, digits, '-' and '_', 64 at most, as qa or engineer");
}

/* ---- Files: no lock is held ---- */

/* Opens the folder of a target's file; stores the file's name. */
static enum err
open_folder(struct learnings *l, const char *key, bool create, struct dir **dir,
            char name[NAME_SIZE], struct fault *f)
{
    const char *slash = strchr(key, '/');
    size_t tenant = (size_t)(slash - key);
    char path[KEY_SIZE + 16];

    snprintf(name, NAME_SIZE, "%.64s.jsonl", slash + 1);
    if (strlen(l->home) == tenant && strncmp(l->home, key, tenant) == 0) {
        snprintf(path, sizeof path, "learnings");
    } else {
        snprintf(path, sizeof path, "learnings/%.*s", (int)tenant, key);
    }
    return dir_sub(l->data, path, create, dir, f);
}

/* Reads a target's file, as it is; nothing if there is none.  One that is none of ours is put
 * aside. */
static enum err
read_file(struct learnings *l, const char *key, struct buf *text, struct fault *f)
{
    char name[NAME_SIZE], stamp[CLOCK_TEXT_SIZE];
    struct dir *dir = NULL;
    enum err err = open_folder(l, key, false, &dir, name, f);

    if (!err) {
        err = dir_read(dir, name, READ_MAX, text, NULL, f);
        if (err == E_TOO_LARGE) {
            char *aside;
            clock_format_stamp(clock_wall(l->clock), stamp);
            aside = xasprintf("%s.corrupt-%s", name, stamp);
            log_error("a file of lessons is too large: it is put aside", F_STR("file", aside));
            err = dir_rename(dir, name, aside, f);
            free(aside);
        }
    }
    dir_unref(dir);
    return err == E_NOT_FOUND ? E_OK : err;
}

static enum err
append(struct dir *dir, const char *name, struct slice text, struct fault *f)
{
    int fd = dir_open_at(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
    ssize_t n = fd < 0 ? -1 : write(fd, text.data, text.len);
    bool good = n == (ssize_t)text.len && fdatasync(fd) == 0;

    if (!good) {
        fault_set(f, E_IO, "lessons cannot be written to '%s': %s", name,
                  n >= 0 && n < (ssize_t)text.len ? "there is no room" : strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return good ? E_OK : E_IO;
}

/* ---- In memory ---- */

static void
drop(struct target *t, struct lesson *lesson)
{
    DL_DELETE(t->lessons, lesson);
    t->bytes -= lesson->line->len;
    bytes_unref(lesson->line);
    free(lesson);
}

/* The oldest make room. */
static void
trim(struct learnings *l, struct target *t) REQUIRES(LC_FAILURES)
{
    while (t->bytes > LEARNINGS_BYTES) {
        t->rewrite = t->rewrite || t->lessons->written;
        drop(t, t->lessons);
        l->counters.dropped++;
    }
}

/* Puts what the file held before what has been added since. */
static void
put_before(struct learnings *l, struct target *t, struct slice text) REQUIRES(LC_FAILURES)
{
    struct lesson *old = NULL, *lesson, *next;
    const char *end;

    for (; text.len; text.data = end + 1) {
        json_t *json = NULL;
        size_t len;
        end = memchr(text.data, '\n', text.len);
        len = end ? (size_t)(end - text.data) : 0;
        json = len && len < LEARNINGS_LINE_MAX ? json_loadb(text.data, len, 0, NULL) : NULL;
        if (json_is_object(json)) {
            lesson = xcalloc(1, sizeof *lesson);
            lesson->line = bytes_new(text.data, len + 1);
            lesson->written = true;
            if (!lesson->line) {
                out_of_memory();
            }
            t->bytes += len + 1;
            DL_APPEND(old, lesson);
        } else {
            t->rewrite = true; /* A line that a crash has torn: it goes. */
        }
        json_decref(json);
        if (!end) {
            break;
        }
        text.len -= len + 1;
    }
    DL_FOREACH_SAFE(t->lessons, lesson, next)
    {
        DL_DELETE(t->lessons, lesson);
        DL_APPEND(old, lesson);
    }
    t->lessons = old;
    trim(l, t);
}

static enum err
find_or_add(struct learnings *l, const char *key, struct target **target, struct fault *f)
    REQUIRES(LC_FAILURES)
{
    HASH_FIND_STR(l->table, key, *target);
    if (*target) {
        return E_OK;
    }
    if (HASH_COUNT(l->table) >= LEARNINGS_TARGETS_MAX) {
        return fault_set(f, E_LIMIT, "lessons for more than %u are kept already",
                         LEARNINGS_TARGETS_MAX);
    }
    *target = xcalloc(1, sizeof **target);
    memcpy((*target)->key, key, strlen(key) + 1);
    HASH_ADD_STR(l->table, key, *target);
    return E_OK;
}

/* Reads the file of 'key' unless that was done.  A target that has no file, and that nobody has
 * added to, is not noted: anybody may ask for any.  Targets are never freed before the end. */
static enum err
load(struct learnings *l, const char *key, struct fault *f)
{
    struct buf text = BUF_INIT;
    struct target *t;
    bool loaded;
    enum err err;

    LOCK(FAILURES, &l->lock);
    HASH_FIND_STR(l->table, key, t);
    loaded = t && t->loaded;
    UNLOCK(FAILURES, &l->lock);
    if (loaded) {
        return E_OK;
    }
    err = read_file(l, key, &text, f);
    if (!err && (t || text.len)) {
        LOCK(FAILURES, &l->lock);
        err = find_or_add(l, key, &t, f);
        if (!err && !t->loaded) {
            put_before(l, t, buf_slice(&text));
            t->loaded = true;
        }
        UNLOCK(FAILURES, &l->lock);
    }
    buf_fini(&text);
    return err;
}

static void
make_key(char key[KEY_SIZE], const char *tenant, const char *target)
{
    snprintf(key, KEY_SIZE, "%.64s/%.64s", tenant, target);
}

enum err
learnings_add(struct learnings *l, const char *tenant, const char *target, const json_t *lesson,
              struct fault *f)
{
    struct buf line = {.limit = LEARNINGS_LINE_MAX};
    struct lesson *added = NULL;
    struct target *t;
    char key[KEY_SIZE];
    enum err err = check_target(target, f);

    if (err) {
        return err;
    }
    make_key(key, tenant, target);
    json_write(&line, lesson);
    buf_addc(&line, '\n');
    if (line.failed) {
        buf_fini(&line);
        return fault_set(f, E_TOO_LARGE, "a lesson is over %u bytes", LEARNINGS_LINE_MAX);
    }
    added = xcalloc(1, sizeof *added);
    added->line = bytes_new(line.data, line.len);
    buf_fini(&line);
    if (!added->line) {
        free(added);
        return fault_set(f, E_OVERLOAD, "there is no memory for a lesson");
    }
    LOCK(FAILURES, &l->lock);
    err = find_or_add(l, key, &t, f);
    if (!err) {
        DL_APPEND(t->lessons, added);
        t->bytes += added->line->len;
        trim(l, t);
        l->counters.added++;
        l->dirty = true;
        cond_signal(&l->wanted);
    }
    UNLOCK(FAILURES, &l->lock);
    if (err) {
        bytes_unref(added->line);
        free(added);
    }
    return err;
}

enum err
learnings_get(struct learnings *l, const char *tenant, const char *target, size_t limit,
              json_t **lessons, struct fault *f)
{
    struct bytes **lines;
    struct lesson *lesson;
    struct target *t;
    char key[KEY_SIZE];
    size_t count = 0;
    enum err err = check_target(target, f);

    make_key(key, tenant, target);
    err = err ? err : load(l, key, f);
    if (err) {
        return err;
    }
    lines = xcalloc(limit + 1, sizeof(struct bytes *)); /* The caller bounds it. */
    LOCK(FAILURES, &l->lock);
    HASH_FIND_STR(l->table, key, t);
    lesson = t && t->lessons ? t->lessons->prev : NULL; /* The newest. */
    while (lesson && count < limit) {
        lines[count++] = bytes_ref(lesson->line);
        lesson = lesson == t->lessons ? NULL : lesson->prev;
    }
    UNLOCK(FAILURES, &l->lock);
    *lessons = json_must(json_array());
    for (size_t i = 0; i < count; i++) {
        json_add(*lessons, json_must(json_loadb(lines[i]->data, lines[i]->len, 0, NULL)));
        bytes_unref(lines[i]);
    }
    free(lines);
    return err;
}

json_t *
learnings_targets(struct learnings *l, const char *tenant)
{
    json_t *targets = json_must(json_array());
    size_t len = strlen(tenant);
    struct buf keys = BUF_INIT; /* A key each, ended by NUL. */

    LOCK(FAILURES, &l->lock);
    for (const struct target *t = l->table; t; t = t->hh.next) {
        if (strncmp(t->key, tenant, len) == 0 && t->key[len] == '/') {
            buf_add(&keys, t->key + len + 1, strlen(t->key + len));
        }
    }
    UNLOCK(FAILURES, &l->lock);
    for (size_t at = 0; !keys.failed && at < keys.len; at += strlen(keys.data + at) + 1) {
        json_add(targets, json_text(keys.data + at));
    }
    buf_fini(&keys);
    return targets;
}

/* ---- Writing ---- */

/* What is to be done for one target. */
struct work {
    char key[KEY_SIZE];
    bool rewrite;
    struct buf text; /* All of it, or what is not written. */
};

/* Takes one target that has something to be written; its lessons count as written from now on. */
static bool
take_work(struct learnings *l, struct work *w) REQUIRES(LC_FAILURES)
{
    for (struct target *t = l->table; t; t = t->hh.next) {
        struct lesson *lesson, *newest = t->lessons ? t->lessons->prev : NULL;

        if (!t->loaded || (!t->rewrite && (!newest || newest->written))) {
            continue;
        }
        *w = (struct work){.rewrite = t->rewrite};
        memcpy(w->key, t->key, sizeof w->key);
        DL_FOREACH(t->lessons, lesson) {
            if (w->rewrite || !lesson->written) {
                buf_add(&w->text, lesson->line->data, lesson->line->len);
            }
            l->counters.written += !lesson->written;
            lesson->written = true;
        }
        t->rewrite = false;
        l->counters.rewrites += w->rewrite;
        return true;
    }
    return false;
}

static enum err
do_work(struct learnings *l, const struct work *w, struct fault *f)
{
    char name[NAME_SIZE];
    struct dir *dir = NULL;
    enum err err = open_folder(l, w->key, true, &dir, name, f);

    if (!err && w->text.failed) {
        err = fault_set(f, E_OVERLOAD, "there is no memory to write lessons");
    } else if (!err) {
        err = w->rewrite ? dir_write(dir, name, buf_slice(&w->text), f)
                         : append(dir, name, buf_slice(&w->text), f);
    }
    dir_unref(dir);
    return err;
}

/* Reads the files of targets that were only added to. */
static enum err
load_all(struct learnings *l, struct fault *f)
{
    enum err err = E_OK, each;
    char key[KEY_SIZE];
    bool found = true;

    while (found && !err) {
        found = false;
        LOCK(FAILURES, &l->lock);
        for (struct target *t = l->table; t && !found; t = t->hh.next) {
            if (!t->loaded) {
                found = true;
                memcpy(key, t->key, sizeof key);
            }
        }
        UNLOCK(FAILURES, &l->lock);
        each = found ? load(l, key, f) : E_OK;
        err = err ? err : each;
    }
    return err;
}

enum err
learnings_write(struct learnings *l, struct fault *f)
{
    struct fault fault = FAULT_INIT;
    enum err err;
    bool more = true;

    LOCK(FAILURES, &l->lock);
    while (l->writing) {
        cond_wait(&l->idle, &l->lock, INT64_MAX);
    }
    l->writing = true;
    l->dirty = false;
    UNLOCK(FAILURES, &l->lock);
    err = load_all(l, &fault);
    while (more) {
        struct work w;
        enum err each;

        LOCK(FAILURES, &l->lock);
        more = take_work(l, &w);
        UNLOCK(FAILURES, &l->lock);
        each = more ? do_work(l, &w, &fault) : E_OK;
        if (each) {
            struct target *t;
            LOCK(FAILURES, &l->lock);
            HASH_FIND_STR(l->table, w.key, t);
            t->rewrite = true; /* What the file holds now nobody knows. */
            l->counters.failures++;
            UNLOCK(FAILURES, &l->lock);
            err = each;
            more = false;
        }
        if (more || each) {
            buf_fini(&w.text);
        }
    }
    LOCK(FAILURES, &l->lock);
    l->writing = false;
    cond_broadcast(&l->idle);
    UNLOCK(FAILURES, &l->lock);
    if (err) {
        log_warn_rl("lessons were not written", F_STR("why", fault.text));
        if (f) {
            *f = fault;
        }
    }
    return err;
}

static void *
run(void *arg)
{
    struct learnings *l = arg;

    LOCK(FAILURES, &l->lock);
    while (!l->ending) {
        if (!l->dirty) {
            cond_wait(&l->wanted, &l->lock, INT64_MAX);
            continue;
        }
        UNLOCK(FAILURES, &l->lock);
        learnings_write(l, NULL); /* What fails is logged, and tried with the next lesson. */
        LOCK(FAILURES, &l->lock);
    }
    UNLOCK(FAILURES, &l->lock);
    return NULL;
}

/* ---- Life ---- */

UNSHARED enum err
learnings_create(struct dir *data, const struct clock *clock, const char *home, bool thread,
                 struct learnings **learnings, struct fault *f)
{
    struct learnings *l = xcalloc(1, sizeof *l);

    l->data = dir_ref(data);
    l->clock = clock;
    l->home = xstrdup(home);
    lock_init(&l->lock, RANK_FAILURES);
    cond_init(&l->wanted);
    cond_init(&l->idle);
    *learnings = l;
    l->threaded = thread && thread_start(&l->thread, "tandem-lessons", run, l) == 0;
    if (thread && !l->threaded) {
        learnings_destroy(l);
        *learnings = NULL;
        return fault_set(f, E_IO, "there is no thread for lessons");
    }
    return E_OK;
}

UNSHARED void
learnings_destroy(struct learnings *l)
{
    struct target *t, *next;

    if (!l) {
        return;
    }
    if (l->threaded) {
        LOCK(FAILURES, &l->lock);
        l->ending = true;
        cond_signal(&l->wanted);
        UNLOCK(FAILURES, &l->lock);
        pthread_join(l->thread, NULL);
    }
    if (l->table) {
        learnings_write(l, NULL); /* What fails is logged. */
    }
    HASH_ITER(hh, l->table, t, next) {
        while (t->lessons) {
            drop(t, t->lessons);
        }
        HASH_DEL(l->table, t);
        free(t);
    }
    cond_fini(&l->wanted);
    cond_fini(&l->idle);
    lock_fini(&l->lock);
    dir_unref(l->data);
    free(l->home);
    free(l);
}

struct learnings_counters
learnings_counters(struct learnings *l)
{
    struct learnings_counters counters;

    LOCK(FAILURES, &l->lock);
    counters = l->counters;
    counters.targets = HASH_COUNT(l->table);
    UNLOCK(FAILURES, &l->lock);
    return counters;
}
