/* search_keep.c -- keeps the index: what its thread does when files may have changed.
 *
 * DESIGN.  An index that turns out to be damaged is forgotten, and made anew. Where
 * it cannot be kept on disk it lives in memory, and now and then the disk is tried again; so is
 * whatever else went wrong, as nobody may tell when it is well again. */
#include "state/base/json_put.h"
#include "state/base/log.h"
#include "state/bus.h"
#include "state/search_life.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

LOG_MODULE("search");

#define NAME "standards"
/* Of the prior art: an index older than this file is not to be used. */
#define REBUILD_FLAG ".rebuild_index"
#define SECOND_NS INT64_C(1000000000)
/* What went wrong is tried again after so long, then after twice that, ... */
#define AGAIN_FIRST_NS (5 * SECOND_NS)
#define AGAIN_LAST_NS (3600 * SECOND_NS)

/* ---- One look ---- */

/* Puts 'e' (counted, taken over; or null) in the place of the current one. */
static void
publish(struct search *s, struct edition *e)
{
    struct search_store *store = e ? search_store_ref(e->store) : NULL; /* It may be forgotten. */
    struct edition *old;

    LOCK(SEARCH, &s->lock);
    old = s->current;
    s->current = e;
    s->damaged = false;
    UNLOCK(SEARCH, &s->lock);
    if (store && s->embed && (!old || old->store != store)) {
        search_embed_want(s->embed, store, s->index);
    }
    if (old && old->store != store) {
        search_store_supersede(old->store);
    }
    search_store_unref(store);
    edition_unref(old);
}

/* Makes another generation (stolen) the current one, and says so. */
static void
publish_store(struct search *s, struct search_store *store)
{
    const struct search_store_info *info = search_store_info(store);
    json_t *data = json_must(json_object());

    json_put_int(data, "generation", (int64_t)info->generation);
    json_put_int(data, "files", (int64_t)info->files);
    json_put_int(data, "passages", (int64_t)info->passages);
    publish(s, edition_make(s, store, ++s->editions));
    bus_publish(s->options.bus,
                &(struct bus_draft){.topic = "rag.index.ready", .source = "search", .data = data});
}

/* Puts another edition of the generation of 'e' in its place, with 'vectors' (or null). */
static void
publish_again(struct search *s, const struct edition *e, struct search_vectors *vectors)
{
    struct edition *again = edition_make(s, search_store_ref(e->store), ++s->editions);

    again->vectors = vectors ? search_vectors_ref(vectors) : NULL;
    publish(s, again);
}

/* Takes the vectors that have been made, if they are of the current generation; has them made anew
 * if they turned out to be another model's. */
static void
take_vectors(struct search *s, bool outdated)
{
    struct search_vectors *vectors = search_embed_take(s->embed);
    bool ignored;
    struct edition *e = edition_current(s, &ignored);

    if (e && vectors &&
        search_vectors_info(vectors).generation == search_store_info(e->store)->generation) {
        publish_again(s, e, vectors);
    }
    if (e && outdated) {
        search_embed_want(s->embed, e->store, s->index);
    }
    search_vectors_unref(vectors);
    edition_unref(e);
}

/* Whether the user's synonyms are others than at the last call. */
static bool
synonyms_changed(struct search *s)
{
    struct file_identity now = {.size = -1};
    bool changed;

    if (dir_identity(s->options.standards.base, s->synonyms_path, &now, NULL) != E_OK) {
        now = (struct file_identity){.size = -1};
    }
    changed = !file_identity_equal(&now, &s->synonyms);
    s->synonyms = now;
    return changed;
}

/* Builds a generation after the current one, or from nothing if that is of no use. */
static enum err
build(struct search *s, bool anew, struct search_look *told, struct fault *f)
{
    struct search_place place = {
        .standards = &s->options.standards,
        .index = s->index,
        .clock = s->options.clock,
        .stop = &s->stopping,
    };
    struct search_store *store = NULL;
    struct edition *old;
    bool ignored, new_synonyms = synonyms_changed(s);
    enum err err;

    LOCK(SEARCH, &s->lock);
    anew |= s->damaged;
    UNLOCK(SEARCH, &s->lock);
    old = edition_current(s, &ignored);
    search_look_fini(told);
    err = search_look(&place, old && !anew ? old->store : NULL, s->generation + 1, &store, told, f);
    if (!err && store) {
        s->generation++;
        publish_store(s, store);
    } else if (!err && old && new_synonyms) {
        publish_again(s, old, old->vectors);
    }
    edition_unref(old);
    return err;
}

/* ---- Its place on disk ---- */

/* From here on the index lives in memory; the disk is tried again later. */
static void
leave_folder(struct search *s, const struct fault *why)
{
    log_warn("the index cannot be kept on disk and lives in memory", F_STR("why", why->text));
    dir_unref(s->index);
    s->index = NULL;
    s->homeless = true;
}

/* Opens the folder of the index, made if need be. */
static bool
open_folder(struct search *s, struct fault *f)
{
    const struct dir_place *at = &s->options.index;

    s->homeless = false;
    return dir_sub(at->base, at->path, true, &s->index, f) == E_OK;
}

/* Opens what an earlier server has left. */
static void
open_index(struct search *s)
{
    struct search_store *store = NULL;
    struct fault f = FAULT_INIT;

    if (!s->options.keep) {
        return;
    }
    if (!open_folder(s, &f)) {
        leave_folder(s, &f);
        return;
    }
    dir_sweep(s->index);
    if (search_store_open(s->index, NAME, &store, &f) == E_OK) {
        s->generation = search_store_info(store)->generation;
        publish_store(s, store);
    }
}

/* The prior art's way to ask for another index: a file that is removed once there is one. */
static char *
rebuild_flag(const struct search *s)
{
    char *path = xasprintf("%s/" REBUILD_FLAG, s->options.standards.path);

    if (!dir_is_file(s->options.standards.base, path)) {
        free(path);
        return NULL;
    }
    return path;
}

static void
take_flag(const struct search *s, char *flag)
{
    if (flag && unlinkat(dir_fd(s->options.standards.base), flag, 0) != 0) {
        log_warn("the request to make the index anew cannot be removed", F_STR("file", flag));
    }
    free(flag);
}

/* Builds after the folder of the index was lost, or could not be written: in the folder as it is
 * now, else in memory. */
static enum err
build_elsewhere(struct search *s, struct search_look *told, struct fault *f)
{
    enum err err = E_IO;

    log_warn("the index cannot be written", F_STR("why", f->text));
    dir_unref(s->index);
    s->index = NULL;
    if (open_folder(s, f)) {
        err = build(s, true, told, f);
    }
    if (err == E_IO) {
        leave_folder(s, f);
        err = build(s, true, told, f);
    }
    return err;
}

/* ---- When to look ---- */

/* Looks, and mends what stands in the way. */
static enum err
make_current(struct search *s, struct search_look *told, struct fault *f)
{
    char *flag = NULL;
    bool was_homeless = s->homeless;
    enum err err;

    if (!s->opened) {
        struct dir *standards;
        enum err there =
            dir_sub(s->options.standards.base, s->options.standards.path, false, &standards, f);

        dir_unref(standards);
        if (there) { /* A project without standards costs no index; else it is looked for again. */
            return there == E_IO ? E_IO : E_OK;
        }
        s->opened = true;
        flag = rebuild_flag(s);
        open_index(s);
    } else if (s->homeless && clock_mono(s->options.clock) >= s->again_ns) {
        if (!open_folder(s, f)) {
            s->homeless = true;
        }
    }
    err = build(s, flag != NULL, told, f);
    if (err == E_REFUSED) {
        log_warn("a damaged index is made anew", F_STR("why", f->text));
        publish(s, NULL);
        err = build(s, true, told, f);
    }
    if (err == E_IO && s->index) {
        err = build_elsewhere(s, told, f);
    }
    if (err) {
        free(flag);
        return err;
    }
    if (was_homeless && !s->homeless) {
        log_info("the index is kept on disk again");
    }
    take_flag(s, flag);
    return E_OK;
}

/* Tells the log what is skipped now and was not before. */
static void
log_skipped(const struct search_look *before, const struct search_look *now)
{
    for (size_t i = 0; i < now->problems.count; i++) {
        const struct problem *p = &now->problems.items[i];
        bool known = false;

        for (size_t j = 0; j < before->problems.count && !known; j++) {
            const struct problem *q = &before->problems.items[j];
            known = strcmp(p->file, q->file) == 0 && strcmp(p->text, q->text) == 0;
        }
        if (!known) {
            log_warn("a standard cannot be searched", F_STR("file", p->file),
                     F_STR("why", p->text));
        }
    }
}

/* When to look again without being told to. */
static void
plan_again(struct search *s, bool wanted)
{
    int64_t now = clock_mono(s->options.clock);

    if (!wanted) {
        s->again_ns = INT64_MAX;
    } else if (s->again_ns == INT64_MAX) {
        s->again_after_ns = AGAIN_FIRST_NS;
        s->again_ns = now + s->again_after_ns;
    } else if (now >= s->again_ns) {
        s->again_after_ns =
            s->again_after_ns < AGAIN_LAST_NS / 2 ? 2 * s->again_after_ns : AGAIN_LAST_NS;
        s->again_ns = now + s->again_after_ns;
    }
}

static void
look(struct search *s, uint64_t wanted)
{
    struct search_look told = SEARCH_LOOK_INIT;
    struct fault f = FAULT_INIT;
    enum err err = make_current(s, &told, &f);

    if (err && err != E_CANCELLED) {
        log_error("the index could not be built", F_STR("why", f.text));
    }
    plan_again(s, err || told.skipped || s->homeless);
    if (err) {
        search_look_fini(&told); /* It was not seen to the end. */
    } else {
        log_skipped(&s->told, &told);
        search_look_fini(&s->told);
        s->told = told;
    }
    LOCK(SEARCH, &s->lock);
    s->seen = wanted;
    s->builds += !err;
    s->failures += err != E_OK;
    s->skipped = s->told.skipped;
    snprintf(s->trouble, sizeof s->trouble, "%s", err ? f.text : "");
    cond_broadcast(&s->settled);
    UNLOCK(SEARCH, &s->lock);
    malloc_trim(0); /* What building one took: 2.4 MiB of the 4.7 for 41 standards come back. */
}

/* What the thread is woken for. */
struct work {
    struct edition *gone; /* To be freed. */
    bool changed;         /* The files may have changed, */
    uint64_t wanted;      /* and this is what the next look will have seen. */
    bool vectors;         /* There are others, */
    bool outdated;        /* of another model. */
};

static struct work
wait_for_work(struct search *s)
{
    int64_t now = clock_mono(s->options.clock), until = INT64_MAX;
    struct work work;

    if (s->again_ns != INT64_MAX) {
        until = clock_mono(clock_real()) + s->again_ns - now;
    }
    LOCK(SEARCH, &s->lock);
    if (s->seen == s->wanted && !s->gone && !s->offered && !s->outdated &&
        !atomic_load(&s->stopping) && now < s->again_ns) {
        cond_wait(&s->wake, &s->lock, until); /* Woken for nothing, it is back here at once. */
    }
    work = (struct work){
        .gone = s->gone,
        .changed = s->seen != s->wanted,
        .wanted = s->wanted,
        .vectors = s->offered || s->outdated,
        .outdated = s->outdated,
    };
    s->gone = NULL;
    s->offered = s->outdated = false;
    UNLOCK(SEARCH, &s->lock);
    return work;
}

void *
search_run_thread(void *arg)
{
    struct search *s = arg;

    for (;;) {
        struct work work = wait_for_work(s);

        editions_free(work.gone);
        if (atomic_load(&s->stopping)) {
            return NULL;
        }
        if (work.vectors) {
            take_vectors(s, work.outdated);
        }
        if (work.changed || clock_mono(s->options.clock) >= s->again_ns) {
            look(s, work.wanted);
        }
    }
}
