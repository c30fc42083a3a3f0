/* learnings_file.c -- the files of lessons: listed and read when first wanted, written by a thread.
 *
 * DESIGN.  What is in memory is what the file is to hold, so the queue to the writer is a mark on
 * each lesson and has no length of its own: a disk that is slow or full holds up nobody, and what
 * waits for it is bounded by what a file may hold.  A file is read once, by whoever needs it first,
 * before anything is written to it; one that cannot be written holds up no other. */
#include "state/learnings_private.h"

#include "state/base/log.h"
#include "state/base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define AGAIN_NS INT64_C(1000000000)

LOG_MODULE("learnings");

#define NAME_SIZE (LEARNINGS_TARGET_SIZE + 8u)
#define READ_MAX (4u * LEARNINGS_BYTES)
#define SUFFIX ".jsonl"
/* Of a folder: that of the default tenant has those of all others in it. */
#define ENTRIES_MAX 65536u

/* ---- Folders ---- */

static enum err
open_folder(struct learnings *l, const char *tenant, bool create, struct dir **dir, struct fault *f)
{
    bool home = strcmp(tenant, l->home) == 0;
    char path[TENANT_ID_SIZE + 16];

    snprintf(path, sizeof path, "learnings%s%s", home ? "" : "/", home ? "" : tenant);
    return dir_sub(l->data, path, create, dir, f);
}

static void
name_file(char name[NAME_SIZE], const struct learner *r)
{
    snprintf(name, NAME_SIZE, "%s" SUFFIX, r->name);
}

/* Adds whom the files of a folder are of. */
static void
add_listed(struct learner_tenant *tenant, const struct dir_list *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const char *file = files->entries[i].name, *dot = strrchr(file, '.');
        char name[LEARNINGS_TARGET_SIZE];

        if (files->entries[i].folder || !dot || strcmp(dot, SUFFIX) != 0 ||
            (size_t)(dot - file) >= sizeof name) {
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)(dot - file), file);
        if (learnings_target_valid(name) && !learner_find(tenant, name)) {
            learner_add(tenant, name);
        }
    }
}

enum err
learnings_list(struct learnings *l, struct learner_tenant *tenant, struct fault *f)
{
    struct dir_list files = {.count = 0};
    struct dir *dir = NULL;
    bool listed;
    enum err err;

    LOCK(FAILURES, &l->lock);
    listed = tenant->listed;
    UNLOCK(FAILURES, &l->lock);
    if (listed) {
        return E_OK;
    }
    err = open_folder(l, tenant->id, false, &dir, f);
    err = err ? err : dir_list(dir, ".", ENTRIES_MAX, &files, f);
    if (!err || err == E_NOT_FOUND) {
        err = E_OK;
        LOCK(FAILURES, &l->lock);
        add_listed(tenant, &files);
        tenant->listed = true;
        UNLOCK(FAILURES, &l->lock);
    }
    dir_list_fini(&files);
    dir_unref(dir);
    return err;
}

/* ---- Reading ---- */

/* Reads a file as it is; nothing if there is none.  One that is none of ours is put aside. */
static enum err
read_file(struct learnings *l, const struct learner *r, struct buf *text, struct fault *f)
{
    char name[NAME_SIZE], stamp[CLOCK_TEXT_SIZE];
    struct dir *dir = NULL;
    enum err err = open_folder(l, r->tenant->id, false, &dir, f);

    name_file(name, r);
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

enum err
learnings_load(struct learnings *l, struct learner *r, struct fault *f)
{
    struct buf text = BUF_INIT;
    bool loaded;
    enum err err;

    LOCK(FAILURES, &l->lock);
    loaded = r->loaded;
    UNLOCK(FAILURES, &l->lock);
    if (loaded) {
        return E_OK;
    }
    err = read_file(l, r, &text, f);
    if (!err) {
        LOCK(FAILURES, &l->lock);
        if (!r->loaded) { /* Another may have been faster, and something written since. */
            r->loaded = true;
            lessons_put_before(l, r, buf_slice(&text));
        }
        UNLOCK(FAILURES, &l->lock);
    }
    buf_fini(&text);
    return err;
}

/* ---- Writing ---- */

/* What is to be done for one learner. */
struct work {
    bool rewrite;
    uint64_t fresh;  /* Lessons that are not in the file. */
    struct buf text; /* All of it, or those. */
};

/* The next one that has something to be written and that this writing has not tried, pinned. */
static struct learner *
next_dirty(struct learnings *l) REQUIRES(LC_FAILURES)
{
    for (struct learner_tenant *t = l->tenants; t; t = t->hh.next) {
        for (struct learner *r = t->learners; r; r = r->hh.next) {
            if (r->tried != l->writings && learner_is_dirty(r)) {
                r->tried = l->writings;
                r->pins++;
                return r;
            }
        }
    }
    return NULL;
}

/* Takes what is to be written; it is not asked for again. */
static void
take_work(struct learner *r, struct work *w)
{
    struct lesson *lesson;

    *w = (struct work){.rewrite = r->rewrite, .fresh = r->owed};
    DL_FOREACH(r->lessons, lesson) {
        if (w->rewrite || !lesson->written) {
            buf_add(&w->text, lesson->line->data, lesson->line->len);
        }
        w->fresh += !lesson->written;
        lesson->written = true;
    }
    r->rewrite = false;
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

static enum err
do_work(struct learnings *l, const struct learner *r, const struct work *w, struct fault *f)
{
    char name[NAME_SIZE];
    struct dir *dir = NULL;
    enum err err = open_folder(l, r->tenant->id, true, &dir, f);

    name_file(name, r);
    if (!err && w->text.failed) {
        err = fault_set(f, E_OVERLOAD, "there is no memory to write lessons");
    } else if (!err) {
        err = w->rewrite ? dir_write(dir, name, buf_slice(&w->text), f)
                         : append(dir, name, buf_slice(&w->text), f);
    }
    dir_unref(dir);
    return err;
}

/* Writes what 'r', which is pinned, has for its file. */
static enum err
write_one(struct learnings *l, struct learner *r, struct fault *f)
{
    struct work w;
    enum err err = learnings_load(l, r, f);

    if (err) {
        return err; /* They wait, as they are. */
    }
    LOCK(FAILURES, &l->lock);
    take_work(r, &w);
    UNLOCK(FAILURES, &l->lock);
    err = do_work(l, r, &w, f);
    LOCK(FAILURES, &l->lock);
    r->owed = err ? w.fresh : 0;
    if (err) {
        r->rewrite = true; /* What the file holds now nobody knows. */
    } else {
        l->counters.written += w.fresh;
        l->counters.rewrites += w.rewrite;
    }
    UNLOCK(FAILURES, &l->lock);
    buf_fini(&w.text);
    return err;
}

enum err
learnings_write(struct learnings *l, struct fault *f)
{
    struct fault first = FAULT_INIT, fault = FAULT_INIT;
    struct learner *r;

    LOCK(FAILURES, &l->lock);
    while (l->writing) {
        cond_wait(&l->idle, &l->lock, INT64_MAX);
    }
    l->writing = true;
    l->dirty = false;
    l->writings++;
    while ((r = next_dirty(l)) != NULL) {
        enum err err;

        UNLOCK(FAILURES, &l->lock);
        err = write_one(l, r, &fault);
        LOCK(FAILURES, &l->lock);
        r->pins--;
        l->counters.failures += err != E_OK;
        if (err && !first.code) {
            first = fault;
        }
    }
    l->writing = false;
    cond_broadcast(&l->idle);
    UNLOCK(FAILURES, &l->lock);
    if (first.code) {
        log_warn_rl("lessons were not written", F_STR("why", first.text));
        if (f) {
            *f = first;
        }
    }
    return first.code;
}

void *
learnings_run(void *arg)
{
    struct learnings *l = arg;
    int64_t again_ns = INT64_MAX;

    LOCK(FAILURES, &l->lock);
    while (!l->ending) {
        if (!l->dirty && clock_mono(clock_real()) < again_ns) {
            cond_wait(&l->wanted, &l->lock, again_ns);
            continue;
        }
        UNLOCK(FAILURES, &l->lock);
        /* What fails is logged, and tried with the next lesson, or after a while. */
        again_ns = learnings_write(l, NULL) ? clock_mono(clock_real()) + AGAIN_NS : INT64_MAX;
        LOCK(FAILURES, &l->lock);
    }
    UNLOCK(FAILURES, &l->lock);
    return NULL;
}
