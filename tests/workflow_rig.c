/* workflow_rig.c -- a store for tests, on a folder of its own. */
#include "tests/workflow_rig.h"

#include "tests/check.h"

#include "state/base/json_put.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static json_t *
make_structure(int phases)
{
    json_t *structure = json_object(), *list = json_array();

    for (int i = 0; i < phases; i++) {
        json_add(list, json_integer(i));
    }
    json_put(structure, "phases", list);
    return structure;
}

static void *
rig_open(void *owner, const json_t *raw, json_t **structure)
{
    struct store_rig *rig = owner;

    (void)raw;
    if (structure) {
        *structure = rig->no_content ? NULL : make_structure(rig->phases);
    }
    if (rig->no_content) {
        return NULL;
    }
    atomic_fetch_add(&rig->opened, 1);
    return rig;
}

static void
rig_close(void *content)
{
    struct store_rig *rig = content;

    if (rig) {
        atomic_fetch_add(&rig->closed, 1);
    }
}

static const struct session_class rig_class = {rig_open, rig_close};

void
store_rig_init(struct store_rig *rig)
{
    char path[] = "/tmp/tandem-store-XXXXXX";

    assert_non_null(mkdtemp(path));
    store_rig_open(rig, path);
}

void
store_rig_open(struct store_rig *rig, const char *path)
{
    *rig = (struct store_rig){.phases = 3};
    snprintf(rig->path, sizeof rig->path, "%s", path);
    assert_int_equal(dir_open(rig->path, false, &rig->dir, NULL), E_OK);
    fake_clock_init(&rig->clock);
    rig->options = (struct workflow_store_options){
        .dir = rig->dir,
        .clock = &rig->clock.clock,
        .class = &rig_class,
        .owner = rig,
        .live_max = WORKFLOW_LIVE_MAX,
        .active_max = WORKFLOW_ACTIVE_MAX,
        .file_max = RECORD_FILE_MAX,
        .files_max = WORKFLOW_FILES_MAX,
        .stale_ns = WORKFLOW_STALE_NS,
        .lock_ns = WORKFLOW_LOCK_NS,
    };
    assert_int_equal(workflow_store_create(&rig->options, &rig->store, NULL), E_OK);
}

void
store_rig_restart(struct store_rig *rig)
{
    workflow_store_destroy(rig->store);
    assert_int_equal(workflow_store_create(&rig->options, &rig->store, NULL), E_OK);
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void
store_rig_fini(struct store_rig *rig)
{
    workflow_store_destroy(rig->store);
    dir_unref(rig->dir);
    nftw(rig->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    assert_int_equal(rig->opened + rig->built, rig->closed);
}

struct build {
    struct store_rig *rig;
    const char *pack, *target;
};

static enum err
build_session(void *arg, json_t **record, void **content, struct fault *f)
{
    struct build *b = arg;
    json_t *structure = make_structure(b->rig->phases);
    char id[RECORD_ID_SIZE];
    struct record_start start = {id, b->pack, b->target, NULL, structure};
    enum err err = record_make_id(id, f);

    if (!err) {
        *record = record_create(&start, clock_wall(&b->rig->clock.clock));
        *content = b->rig;
        atomic_fetch_add(&b->rig->built, 1);
    }
    json_decref(structure);
    return err;
}

enum err
store_rig_start(struct store_rig *rig, const char *pack, const char *target, bool fresh,
                char id[RECORD_ID_SIZE], bool *resumed, struct fault *f)
{
    struct build build = {rig, pack, target};
    struct session_start start = {pack, target, fresh, build_session, &build};
    struct session_view view;
    enum err err = workflow_store_start(rig->store, &start, &view, resumed, f);

    if (!err) {
        memcpy(id, record_id(view.record), RECORD_ID_SIZE);
        workflow_store_release(rig->store, &view);
    }
    return err;
}

struct completion {
    struct store_rig *rig;
    struct record_attempt attempt;
};

static enum err
complete(void *arg, json_t *old, json_t **next, struct fault *f)
{
    struct completion *c = arg;

    return record_complete(old, &c->attempt, clock_wall(&c->rig->clock.clock), next, f);
}

enum err
store_rig_complete(struct store_rig *rig, const char *id, int phase, bool passed, int by,
                   struct fault *f)
{
    json_t *evidence = json_pack("{s:i}", "by", by);
    struct completion c = {rig,
                           {.phase = phase,
                            .passed = passed,
                            .evidence = evidence,
                            .gate_source = "yaml",
                            .message = "refused"}};
    struct session_view view;
    enum err err = workflow_store_change(rig->store, id, complete, &c, &view, f);

    workflow_store_release(rig->store, &view);
    json_decref(evidence);
    return err;
}

static enum err
pause_session(void *arg, json_t *old, json_t **next, struct fault *f)
{
    struct store_rig *rig = arg;

    return record_pause(old, "later", clock_wall(&rig->clock.clock), next, f);
}

int
store_rig_completed(struct store_rig *rig, const char *id, enum record_state *state)
{
    struct session_view view;
    int n;

    CHECK_INT(workflow_store_get(rig->store, id, &view, NULL), E_OK);
    n = (int)json_array_size(json_object_get(view.record, "completed_phases"));
    *state = record_state(view.record);
    workflow_store_release(rig->store, &view);
    return n;
}

void
store_rig_file(const char *id, char name[64])
{
    snprintf(name, 64, "%s.json", id);
}

enum err
store_rig_pause(struct store_rig *rig, const char *id, struct fault *f)
{
    struct session_view view;
    enum err err = workflow_store_change(rig->store, id, pause_session, rig, &view, f);

    workflow_store_release(rig->store, &view);
    return err;
}

struct together {
    pthread_barrier_t *barrier;
    void (*body)(void *arg, unsigned i);
    void *arg;
    unsigned i;
};

static void *
run_one(void *arg)
{
    struct together *t = arg;

    pthread_barrier_wait(t->barrier);
    t->body(t->arg, t->i);
    return NULL;
}

void
run_together(unsigned count, void (*body)(void *arg, unsigned i), void *arg)
{
    pthread_t *threads = xcalloc(count, sizeof *threads);
    struct together *each = xcalloc(count, sizeof *each);
    pthread_barrier_t barrier;

    pthread_barrier_init(&barrier, NULL, count);
    for (unsigned i = 0; i < count; i++) {
        each[i] = (struct together){&barrier, body, arg, i};
        assert_int_equal(pthread_create(&threads[i], NULL, run_one, &each[i]), 0);
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&barrier);
    free(each);
    free(threads);
}
