/* learnings_table.c -- who learns, of which tenant, and the lessons that are in memory.
 *
 * DESIGN.  Names are few and stay; lessons are what takes room, and what is in a file can be read
 * again.  So when there are too many, the tenant that has most of them in memory gives up those of
 * its learner that was used least recently and are in a file; only if nobody has such are some
 * lost, of who has most.  Files are bounded by the number of learners of a tenant: one cannot use
 * up another's. */
#include "state/learnings_private.h"

#include "state/base/json_put.h"

#include <assert.h>

/* ---- Lessons ---- */

static void
drop(struct learnings *l, struct learner *r, struct lesson *lesson) REQUIRES(LC_FAILURES)
{
    size_t len = lesson->line->len;

    DL_DELETE(r->lessons, lesson);
    r->bytes -= len;
    r->tenant->bytes -= len;
    l->bytes -= len;
    bytes_unref(lesson->line);
    free(lesson);
}

bool
learner_is_dirty(const struct learner *r)
{
    return r->rewrite || (r->lessons && !r->lessons->prev->written); /* The newest. */
}

/* Of one learner: the oldest make room. */
static void
trim(struct learnings *l, struct learner *r) REQUIRES(LC_FAILURES)
{
    while (r->bytes > LEARNINGS_BYTES) {
        r->rewrite = r->rewrite || r->lessons->written;
        drop(l, r, r->lessons);
        l->counters.dropped++;
    }
}

/* Takes the lessons out of memory: the file has them, or nobody will. */
static void
unload(struct learnings *l, struct learner *r) REQUIRES(LC_FAILURES)
{
    while (r->lessons) {
        l->counters.dropped += !r->lessons->written;
        drop(l, r, r->lessons);
    }
    l->counters.dropped += r->owed;
    r->owed = 0;
    r->loaded = r->rewrite = false;
    l->counters.unloaded++;
}

/* The one of the tenant whose lessons are missed least, and are in its file if 'written'; null if
 * there is none, or those are in use. */
static struct learner *
least_missed(const struct learner_tenant *tenant, bool written)
{
    struct learner *r = tenant->learners;

    while (r && (r->pins || !r->lessons || (written && learner_is_dirty(r)))) {
        r = r->hh.next;
    }
    return r;
}

/* That of the tenant which has most, of those that have one. */
static struct learner *
least_missed_of_all(struct learnings *l, bool written) REQUIRES(LC_FAILURES)
{
    struct learner *least = NULL;

    for (struct learner_tenant *t = l->tenants; t; t = t->hh.next) {
        if (!least || t->bytes > least->tenant->bytes) {
            struct learner *r = least_missed(t, written);
            least = r ? r : least;
        }
    }
    return least;
}

static void
make_room(struct learnings *l) REQUIRES(LC_FAILURES)
{
    while (l->bytes > LEARNINGS_MEMORY) {
        struct learner *r = least_missed_of_all(l, true);

        r = r ? r : least_missed_of_all(l, false);
        if (!r) {
            return; /* Whoever uses them is done soon, and the next one makes room. */
        }
        unload(l, r);
    }
}

static void
append(struct learnings *l, struct learner *r, struct lesson *lesson) REQUIRES(LC_FAILURES)
{
    DL_APPEND(r->lessons, lesson);
    r->bytes += lesson->line->len;
    r->tenant->bytes += lesson->line->len;
    l->bytes += lesson->line->len;
}

void
lessons_add(struct learnings *l, struct learner *r, struct lesson *lesson)
{
    append(l, r, lesson);
    trim(l, r);
    r->pins++; /* Not its own. */
    make_room(l);
    r->pins--;
}

/* A line of a file as a lesson, new; null if it is none. */
static struct lesson *
lesson_of(struct slice line)
{
    json_t *json = line.len < LEARNINGS_LINE_MAX ? json_loadb(line.data, line.len, 0, NULL) : NULL;
    struct lesson *lesson = NULL;

    if (json_is_object(json)) {
        lesson = xcalloc(1, sizeof *lesson);
        lesson->line = bytes_new(line.data, line.len + 1); /* With its end. */
        lesson->written = true;
        if (!lesson->line) {
            out_of_memory();
        }
    }
    json_decref(json);
    return lesson;
}

void
lessons_put_before(struct learnings *l, struct learner *r, struct slice text)
{
    struct lesson *added = r->lessons, *lesson, *next;
    const char *end;

    r->lessons = NULL;
    for (; text.len && (end = memchr(text.data, '\n', text.len)) != NULL; text.data = end + 1) {
        size_t len = (size_t)(end - text.data);

        lesson = len ? lesson_of((struct slice){text.data, len}) : NULL;
        if (lesson) {
            append(l, r, lesson);
        }
        r->rewrite = r->rewrite || !lesson;
        text.len -= len + 1;
    }
    r->rewrite = r->rewrite || text.len > 0; /* A line that a crash has torn: it goes. */
    DL_FOREACH_SAFE(added, lesson, next)
    {
        DL_DELETE(added, lesson);
        DL_APPEND(r->lessons, lesson);
    }
    trim(l, r);
    make_room(l);
}

/* ---- Who learns ---- */

struct learner *
learner_find(struct learner_tenant *tenant, const char *name)
{
    struct learner *r;

    HASH_FIND_STR(tenant->learners, name, r);
    if (r) {
        HASH_DEL(tenant->learners, r);
        HASH_ADD_STR(tenant->learners, name, r);
    }
    return r;
}

struct learner *
learner_add(struct learner_tenant *tenant, const char *name)
{
    struct learner *r = xcalloc(1, sizeof *r);

    memcpy(r->name, name, strlen(name) + 1);
    r->tenant = tenant;
    HASH_ADD_STR(tenant->learners, name, r);
    return r;
}

/* ---- Tenants ---- */

static void
free_tenant(struct learnings *l, struct learner_tenant *tenant) REQUIRES(LC_FAILURES)
{
    struct learner *r, *next;

    HASH_ITER(hh, tenant->learners, r, next) {
        while (r->lessons) {
            drop(l, r, r->lessons);
        }
        HASH_DEL(tenant->learners, r);
        free(r);
    }
    HASH_DEL(l->tenants, tenant);
    free(tenant);
}

static bool
is_idle(const struct learner_tenant *tenant)
{
    bool idle = tenant->pins == 0;

    for (const struct learner *r = tenant->learners; r && idle; r = r->hh.next) {
        idle = !r->pins && !learner_is_dirty(r);
    }
    return idle;
}

/* Forgets the tenant that was used least recently of those whose files say all that is known. */
static void
forget_one(struct learnings *l) REQUIRES(LC_FAILURES)
{
    struct learner_tenant *t, *next;

    HASH_ITER(hh, l->tenants, t, next) {
        if (is_idle(t)) {
            free_tenant(l, t);
            return;
        }
    }
}

enum err
learner_tenant_get(struct learnings *l, const char *id, struct learner_tenant **tenant,
                   struct fault *f)
{
    struct learner_tenant *t;

    HASH_FIND_STR(l->tenants, id, t);
    if (t) {
        HASH_DEL(l->tenants, t);
    } else {
        if (HASH_COUNT(l->tenants) >= LEARNINGS_TENANTS_MAX) {
            forget_one(l);
        }
        if (HASH_COUNT(l->tenants) >= LEARNINGS_TENANTS_MAX) {
            fault_set(f, E_LIMIT, "the lessons of %u tenants wait to be written",
                      LEARNINGS_TENANTS_MAX);
            return fault_remedy(f, "make room on the disk of the project's data folder");
        }
        t = xcalloc(1, sizeof *t);
        assert(strlen(id) < sizeof t->id);
        memcpy(t->id, id, strlen(id) + 1);
    }
    HASH_ADD_STR(l->tenants, id, t);
    t->pins++;
    *tenant = t;
    return E_OK;
}

void
learners_free(struct learnings *l)
{
    while (l->tenants) {
        free_tenant(l, l->tenants);
    }
}
