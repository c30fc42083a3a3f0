/* learnings.c -- lessons: added, asked for, from the first thread to the last. */
#include "state/learnings_private.h"

#include "state/base/json_put.h"
#include "state/base/thread.h"

#include <ctype.h>

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

/* The tenant of somebody who can learn, pinned, with all who have files; null on an error. */
static enum err
enter(struct learnings *l, const char *id, const char *target, struct learner_tenant **tenant,
      struct fault *f)
{
    enum err err;

    *tenant = NULL;
    if (!learnings_target_valid(target)) {
        fault_set(f, E_ARGUMENT, "'%.40s' is no name of who learns", target);
        return fault_remedy(f, "use letters, digits, '-' and '_', 64 at most, as qa or engineer");
    }
    LOCK(FAILURES, &l->lock);
    err = learner_tenant_get(l, id, tenant, f);
    UNLOCK(FAILURES, &l->lock);
    return err ? err : learnings_list(l, *tenant, f);
}

/* Null is ignored. */
static void
leave(struct learnings *l, struct learner_tenant *tenant)
{
    if (tenant) {
        LOCK(FAILURES, &l->lock);
        tenant->pins--;
        UNLOCK(FAILURES, &l->lock);
    }
}

/* ---- Adding ---- */

/* New; null if it cannot be. */
static struct lesson *
make_lesson(const json_t *json, struct fault *f)
{
    struct buf line = {.limit = LEARNINGS_LINE_MAX};
    struct lesson *lesson = NULL;

    json_write(&line, json);
    buf_addc(&line, '\n');
    if (line.failed && !line.full) {
        out_of_memory(); /* It is bounded, and small. */
    }
    if (line.failed) {
        fault_set(f, E_TOO_LARGE, "a lesson is over %u bytes", LEARNINGS_LINE_MAX);
    } else {
        lesson = xcalloc(1, sizeof *lesson);
        lesson->line = bytes_new(line.data, line.len);
        if (!lesson->line) {
            out_of_memory();
        }
    }
    buf_fini(&line);
    return lesson;
}

static enum err
find_or_add(struct learner_tenant *tenant, const char *target, struct learner **learner,
            struct fault *f)
{
    *learner = learner_find(tenant, target);
    if (!*learner && HASH_COUNT(tenant->learners) >= LEARNINGS_TARGETS_MAX) {
        fault_set(f, E_LIMIT, "lessons for %u are kept already", HASH_COUNT(tenant->learners));
        return fault_remedy(f, "name one of those in context.agent_type, as '%s'",
                            tenant->learners->name);
    }
    *learner = *learner ? *learner : learner_add(tenant, target);
    return E_OK;
}

enum err
learnings_add(struct learnings *l, const char *tenant, const char *target, const json_t *lesson,
              struct fault *f)
{
    struct learner_tenant *of;
    struct lesson *added = NULL;
    struct learner *learner;
    enum err err = enter(l, tenant, target, &of, f);

    if (!err) {
        added = make_lesson(lesson, f);
        err = added ? E_OK : E_TOO_LARGE;
    }
    if (!err) {
        LOCK(FAILURES, &l->lock);
        err = find_or_add(of, target, &learner, f);
        if (!err) {
            lessons_add(l, learner, added);
            added = NULL;
            l->counters.added++;
            l->dirty = true;
            cond_signal(&l->wanted);
        }
        UNLOCK(FAILURES, &l->lock);
    }
    leave(l, of);
    if (added) {
        bytes_unref(added->line);
        free(added);
    }
    return err;
}

/* ---- Asking ---- */

/* The newest lines of 'r', which is pinned, newest first; how many. */
static size_t
take_lines(struct learnings *l, const struct learner *r, size_t limit, struct bytes **lines)
    REQUIRES(LC_FAILURES)
{
    const struct lesson *lesson = r->lessons ? r->lessons->prev : NULL;
    size_t count = 0;

    (void)l;
    while (lesson && count < limit) {
        lines[count++] = bytes_ref(lesson->line);
        lesson = lesson == r->lessons ? NULL : lesson->prev;
    }
    return count;
}

/* The same of whoever has that name, once the file is read. */
static enum err
get_lines(struct learnings *l, struct learner_tenant *tenant, const char *target, size_t limit,
          struct bytes **lines, size_t *count, struct fault *f)
{
    struct learner *r;
    enum err err;

    *count = 0;
    LOCK(FAILURES, &l->lock);
    r = learner_find(tenant, target);
    if (r) {
        r->pins++;
    }
    UNLOCK(FAILURES, &l->lock);
    if (!r) {
        return E_OK;
    }
    err = learnings_load(l, r, f);
    LOCK(FAILURES, &l->lock);
    *count = err ? 0 : take_lines(l, r, limit, lines);
    r->pins--;
    UNLOCK(FAILURES, &l->lock);
    return err;
}

enum err
learnings_get(struct learnings *l, const char *tenant, const char *target, size_t limit,
              json_t **lessons, struct fault *f)
{
    struct bytes **lines = xcalloc(limit + 1, sizeof(struct bytes *)); /* The caller bounds it. */
    struct learner_tenant *of;
    size_t count = 0;
    enum err err = enter(l, tenant, target, &of, f);

    err = err ? err : get_lines(l, of, target, limit, lines, &count, f);
    leave(l, of);
    if (!err) {
        *lessons = json_must(json_array());
        for (size_t i = 0; i < count; i++) {
            json_add(*lessons, json_must(json_loadb(lines[i]->data, lines[i]->len, 0, NULL)));
            bytes_unref(lines[i]);
        }
    }
    free(lines);
    return err;
}

json_t *
learnings_targets(struct learnings *l, const char *tenant)
{
    json_t *targets = json_must(json_array());
    const struct learner_tenant *of;
    struct buf names = BUF_INIT; /* Each ended by NUL. */

    LOCK(FAILURES, &l->lock);
    HASH_FIND_STR(l->tenants, tenant, of);
    for (const struct learner *r = of ? of->learners : NULL; r; r = r->hh.next) {
        buf_add(&names, r->name, strlen(r->name) + 1);
    }
    UNLOCK(FAILURES, &l->lock);
    for (size_t at = 0; !names.failed && at < names.len; at += strlen(names.data + at) + 1) {
        json_add(targets, json_text(names.data + at));
    }
    buf_fini(&names);
    return targets;
}

struct learnings_counters
learnings_counters(struct learnings *l)
{
    struct learnings_counters counters;

    LOCK(FAILURES, &l->lock);
    counters = l->counters;
    counters.bytes = l->bytes;
    for (const struct learner_tenant *t = l->tenants; t; t = t->hh.next) {
        counters.targets += HASH_COUNT(t->learners);
    }
    UNLOCK(FAILURES, &l->lock);
    return counters;
}

/* ---- Life ---- */

UNSHARED struct learnings *
learnings_create(struct dir *data, const struct clock *clock, const char *home)
{
    struct learnings *l = xcalloc(1, sizeof *l);

    l->data = dir_ref(data);
    l->clock = clock;
    l->home = xstrdup(home);
    lock_init(&l->lock, RANK_FAILURES);
    cond_init(&l->wanted);
    cond_init(&l->idle);
    return l;
}

enum err
learnings_start(struct learnings *l, struct fault *f)
{
    l->threaded = thread_start(&l->thread, "tandem-lessons", learnings_run, l) == 0;
    return l->threaded ? E_OK : fault_set(f, E_IO, "there is no thread for lessons");
}

UNSHARED void
learnings_destroy(struct learnings *l)
{
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
    learnings_write(l, NULL); /* What fails is logged. */
    learners_free(l);
    cond_fini(&l->wanted);
    cond_fini(&l->idle);
    lock_fini(&l->lock);
    dir_unref(l->data);
    free(l->home);
    free(l);
}
