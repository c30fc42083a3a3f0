/* test_workflow_store.c -- live sessions: single flight, one change at a time, start, delete, list,
 * clean. */
#include "tests/check.h"

#include "tests/workflow_rig.h"

#include "state/base/json_put.h"
#include "state/session_file.h"

#define DAY (24ll * 3600 * 1000000000)

static void
a_session_lives_on_disk(void **state)
{
    struct store_rig rig;
    struct session_view view, before;
    struct fault f = FAULT_INIT;
    char id[RECORD_ID_SIZE];
    enum record_state at;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, id, &resumed, &f), E_OK);
    CHECK(!resumed);
    CHECK_INT(workflow_store_get(rig.store, id, &before, &f), E_OK);
    CHECK(before.content == &rig);
    CHECK_INT(store_rig_complete(&rig, id, 0, true, 1, &f), E_OK);
    CHECK_INT(record_current(before.record), 0); /* A view does not change. */
    workflow_store_release(rig.store, &before);
    store_rig_restart(&rig);
    CHECK_INT(workflow_store_get(rig.store, id, &view, &f), E_OK);
    CHECK_INT(record_current(view.record), 1);
    CHECK_INT(record_revision(view.record), 2);
    workflow_store_release(rig.store, &view);
    workflow_store_release(rig.store, &view); /* Empty: nothing happens. */
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, id, &resumed, &f), E_OK);
    CHECK(resumed);
    CHECK_INT(store_rig_complete(&rig, id, 1, true, 1, &f), E_OK);
    CHECK_INT(store_rig_complete(&rig, id, 2, true, 1, &f), E_OK);
    CHECK_INT(workflow_store_counters(rig.store).sessions.size, 0); /* It left the table. */
    CHECK_INT(store_rig_completed(&rig, id, &at), 3);
    CHECK_INT(at, RECORD_COMPLETED);
    store_rig_fini(&rig);
}

static void
unknown_ids(void **state)
{
    static const char *const bad[] = {"", "x", "../../etc/passwd",
                                      "0A1B2C3D-0000-4000-8000-00000000000F",
                                      "------------------------------------"};
    struct store_rig rig;
    struct session_view view;
    struct fault f = FAULT_INIT;
    (void)state;

    store_rig_init(&rig);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(workflow_store_get(rig.store, bad[i], &view, &f), E_ARGUMENT);
        CHECK_INT(workflow_store_delete(rig.store, bad[i], &f), E_ARGUMENT);
        CHECK_INT(store_rig_pause(&rig, bad[i], &f), E_ARGUMENT);
    }
    CHECK_INT(workflow_store_get(rig.store, "0a1b2c3d-0000-4000-8000-00000000000f", &view, &f),
              E_NOT_FOUND);
    CHECK_INT(workflow_store_delete(rig.store, "0a1b2c3d-0000-4000-8000-00000000000f", &f),
              E_NOT_FOUND);
    CHECK_INT(workflow_store_counters(rig.store).sessions.size, 0);
    store_rig_fini(&rig);
}

/* R2: many first look-ups of one id. */
struct lookups {
    struct store_rig *rig;
    char id[RECORD_ID_SIZE];
    _Atomic(struct live *) seen;
    _Atomic unsigned got, differ;
};

static void
look_up(void *arg, unsigned i)
{
    struct lookups *l = arg;
    struct session_view view;
    struct live *none = NULL;

    (void)i;
    if (workflow_store_get(l->rig->store, l->id, &view, NULL) == E_OK) {
        atomic_fetch_add(&l->got, 1);
        if (!atomic_compare_exchange_strong(&l->seen, &none, view.live) && none != view.live) {
            atomic_fetch_add(&l->differ, 1);
        }
        workflow_store_release(l->rig->store, &view);
    }
}

static void
first_lookups_make_one_object(void **state)
{
    static const unsigned threads[] = {10, 20, 50, 100, 200};
    struct store_rig rig;
    struct fault f = FAULT_INIT;
    struct lookups l = {.rig = &rig};
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, l.id, &resumed, &f), E_OK);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        unsigned n = threads[i];
        struct slots_counters before, after;

        workflow_store_forget(rig.store, l.id);
        workflow_store_forget(rig.store, l.id);
        before = workflow_store_counters(rig.store).sessions;
        atomic_store(&l.seen, NULL);
        atomic_store(&l.got, 0);
        run_together(n, look_up, &l);
        after = workflow_store_counters(rig.store).sessions;
        CHECK_INT(l.got, n);
        CHECK_INT(l.differ, 0);
        CHECK_INT(after.misses - before.misses, 1);
        CHECK_INT(after.hits + after.double_loads - before.hits - before.double_loads, n - 1);
    }
    store_rig_fini(&rig);
}

static void
a_failed_load_is_not_kept(void **state)
{
    struct store_rig rig;
    struct fault f = FAULT_INIT;
    struct lookups l = {.rig = &rig};
    char name[64];
    bool resumed;
    struct workflow_store_counters c;
    (void)state;

    store_rig_init(&rig);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, l.id, &resumed, &f), E_OK);
    workflow_store_forget(rig.store, l.id);
    store_rig_file(l.id, name);
    CHECK_INT(dir_rename(rig.dir, name, "kept", &f), E_OK);
    run_together(10, look_up, &l);
    CHECK_INT(l.got, 0);
    CHECK_INT(dir_rename(rig.dir, "kept", name, &f), E_OK);
    run_together(10, look_up, &l);
    CHECK_INT(l.got, 10);
    c = workflow_store_counters(rig.store);
    CHECK_INT(c.sessions.size, 1);
    store_rig_fini(&rig);
}

/* R11: many completions of one phase. */
struct completions {
    struct store_rig *rig;
    char id[RECORD_ID_SIZE];
    int phase;
    _Atomic unsigned passed, mismatched, other;
};

static void
complete_it(void *arg, unsigned i)
{
    struct completions *c = arg;
    struct fault f = FAULT_INIT;
    enum err err = store_rig_complete(c->rig, c->id, c->phase, true, (int)i, &f);

    atomic_fetch_add(&c->passed, err == E_OK);
    atomic_fetch_add(&c->mismatched, err == E_STATE);
    atomic_fetch_add(&c->other, err != E_OK && err != E_STATE);
}

static void
one_of_many_completions_succeeds(void **state)
{
    static const unsigned threads[] = {10, 20, 50, 100, 200};
    struct store_rig rig;
    struct fault f = FAULT_INIT;
    enum record_state at;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        struct completions c = {.rig = &rig};

        CHECK_INT(store_rig_start(&rig, "pack", "a", true, c.id, &resumed, &f), E_OK);
        for (c.phase = 0; c.phase < 3; c.phase++) {
            atomic_store(&c.passed, 0);
            atomic_store(&c.mismatched, 0);
            run_together(threads[i], complete_it, &c);
            CHECK_INT(c.passed, 1);
            CHECK_INT(c.mismatched, threads[i] - 1);
            CHECK_INT(c.other, 0);
        }
        CHECK_INT(store_rig_completed(&rig, c.id, &at), 3);
        CHECK_INT(at, RECORD_COMPLETED);
    }
    CHECK(workflow_store_counters(rig.store).action_acquisitions >= 3 * 380);
    CHECK_INT(workflow_store_counters(rig.store).conflicts, 0);
    store_rig_fini(&rig);
}

/* R9: many starts of one pack and target. */
struct starts {
    struct store_rig *rig;
    bool fresh;
    char ids[200][RECORD_ID_SIZE];
    _Atomic unsigned created, resumed, failed;
};

static void
start_it(void *arg, unsigned i)
{
    struct starts *s = arg;
    bool resumed;

    if (store_rig_start(s->rig, "pack", "same", s->fresh, s->ids[i], &resumed, NULL) != E_OK) {
        atomic_fetch_add(&s->failed, 1);
        return;
    }
    atomic_fetch_add(resumed ? &s->resumed : &s->created, 1);
}

static void
one_of_many_starts_creates(void **state)
{
    static const unsigned threads[] = {10, 20, 50, 100, 200};
    (void)state;

    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        struct store_rig rig;
        struct starts s = {.rig = &rig};

        store_rig_init(&rig);
        run_together(threads[i], start_it, &s);
        CHECK_INT(s.failed, 0);
        CHECK_INT(s.created, 1);
        CHECK_INT(s.resumed, threads[i] - 1);
        CHECK_INT(rig.built, 1);
        for (unsigned t = 1; t < threads[i]; t++) {
            CHECK_STR(s.ids[t], s.ids[0]);
        }
        CHECK_INT(workflow_store_counters(rig.store).on_disk.all, 1);
        store_rig_fini(&rig);
    }
}

static void
new_sessions_on_purpose(void **state)
{
    struct store_rig rig;
    struct starts s = {.rig = &rig, .fresh = true};
    struct fault f = FAULT_INIT;
    char id[RECORD_ID_SIZE];
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    run_together(20, start_it, &s);
    CHECK_INT(s.created, 20);
    for (unsigned i = 1; i < 20; i++) {
        CHECK(strcmp(s.ids[i], s.ids[0]) != 0);
    }
    fake_clock_pass(&rig.clock, 1000000000);
    CHECK_INT(store_rig_pause(&rig, s.ids[7], &f), E_OK);
    CHECK_INT(store_rig_start(&rig, "pack", "same", false, id, &resumed, &f), E_OK);
    CHECK(resumed);
    CHECK_STR(id, s.ids[7]); /* The one changed last, paused or not. */
    store_rig_fini(&rig);
}

static enum err
failing_build(void *arg, json_t **record, void **content, struct fault *f)
{
    (void)record;
    (void)content;
    ++*(int *)arg;
    return fault_set(f, E_REFUSED, "broken");
}

static void
a_start_that_fails_leaves_nothing(void **state)
{
    struct store_rig rig;
    int built = 0;
    struct session_start start = {"pack", "a", false, failing_build, &built};
    struct session_view view;
    struct fault f = FAULT_INIT;
    struct dir_list list;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    rig.options.active_max = 1;
    store_rig_restart(&rig);
    for (int i = 0; i < 3; i++) { /* Nor does it keep its place. */
        CHECK_INT(workflow_store_start(rig.store, &start, &view, &resumed, &f), E_REFUSED);
    }
    CHECK_INT(built, 3);
    CHECK_INT(dir_list(rig.dir, ".", 10, &list, &f), E_OK);
    CHECK_INT(list.count, 0);
    dir_list_fini(&list);
    store_rig_fini(&rig);
}

static void
limits_of_sessions(void **state)
{
    struct store_rig rig;
    struct fault f = FAULT_INIT;
    char a[RECORD_ID_SIZE], b[RECORD_ID_SIZE], c[RECORD_ID_SIZE];
    struct session_view view;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    rig.options.active_max = 2;
    rig.options.files_max = 4;
    store_rig_restart(&rig);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, a, &resumed, &f), E_OK);
    CHECK_INT(store_rig_start(&rig, "pack", "b", false, b, &resumed, &f), E_OK);
    CHECK_INT(store_rig_start(&rig, "pack", "c", false, c, &resumed, &f), E_LIMIT);
    CHECK(strstr(f.text, "2") && strstr(f.remedy, "list_sessions"));
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, a, &resumed, &f), E_OK);
    CHECK(resumed);
    CHECK_INT(store_rig_pause(&rig, a, &f), E_OK); /* Paused ones do not count. */
    CHECK_INT(store_rig_start(&rig, "pack", "c", false, c, &resumed, &f), E_OK);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(store_rig_complete(&rig, b, i, true, 0, &f), E_OK);
    }
    fake_clock_pass(&rig.clock, 1000000000);
    CHECK_INT(store_rig_start(&rig, "pack", "d", false, b, &resumed, &f), E_OK);
    /* Four files; b, the finished one, makes room. */
    CHECK_INT(store_rig_pause(&rig, c, &f), E_OK);
    CHECK_INT(store_rig_start(&rig, "pack", "e", false, c, &resumed, &f), E_OK);
    CHECK_INT(workflow_store_counters(rig.store).on_disk.all, 4);
    CHECK_INT(workflow_store_counters(rig.store).on_disk.by_state[RECORD_COMPLETED], 0);
    CHECK_INT(store_rig_pause(&rig, c, &f), E_OK);
    CHECK_INT(store_rig_start(&rig, "pack", "f", false, c, &resumed, &f), E_LIMIT);
    CHECK(strstr(f.text, "files"));
    CHECK_INT(workflow_store_get(rig.store, a, &view, &f), E_OK);
    workflow_store_release(rig.store, &view);
    store_rig_fini(&rig);
}

/* R12: delete against completion. */
struct contest {
    struct store_rig *rig;
    char id[RECORD_ID_SIZE];
    _Atomic unsigned deleted, passed, not_found, other;
};

static void
delete_or_complete(void *arg, unsigned i)
{
    struct contest *c = arg;
    struct fault f = FAULT_INIT;
    enum err err = i % 2 ? workflow_store_delete(c->rig->store, c->id, &f)
                         : store_rig_complete(c->rig, c->id, 0, true, (int)i, &f);

    if (err == E_OK) {
        atomic_fetch_add(i % 2 ? &c->deleted : &c->passed, 1);
    } else if (err == E_NOT_FOUND) {
        atomic_fetch_add(&c->not_found, 1);
    } else {
        atomic_fetch_add(&c->other, err != E_STATE);
    }
}

static void
nothing_comes_back_after_a_delete(void **state)
{
    struct store_rig rig;
    struct dir_list list;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    for (int round = 0; round < 60; round++) {
        struct contest c = {.rig = &rig};
        struct session_view view;

        CHECK_INT(store_rig_start(&rig, "pack", "a", false, c.id, &resumed, NULL), E_OK);
        CHECK(!resumed);
        run_together(10, delete_or_complete, &c);
        CHECK_INT(c.deleted, 1);
        CHECK(c.passed <= 1);
        CHECK_INT(c.other, 0);
        CHECK_INT(workflow_store_get(rig.store, c.id, &view, NULL), E_NOT_FOUND);
        CHECK_INT(store_rig_complete(&rig, c.id, 1, true, 0, NULL), E_NOT_FOUND);
        CHECK_INT(workflow_store_delete(rig.store, c.id, NULL), E_NOT_FOUND);
    }
    CHECK_INT(workflow_store_counters(rig.store).deleted, 60);
    CHECK_INT(workflow_store_counters(rig.store).on_disk.all, 0);
    CHECK_INT(workflow_store_counters(rig.store).sessions.size, 0);
    CHECK_INT(dir_list(rig.dir, ".", 10, &list, NULL), E_OK);
    CHECK_INT(list.count, 0);
    dir_list_fini(&list);
    store_rig_fini(&rig);
}

static void
listing(void **state)
{
    struct store_rig rig;
    struct session_summary **list;
    struct fault f = FAULT_INIT;
    char ids[5][RECORD_ID_SIZE], target[2] = "a", name[64];
    size_t count, unreadable;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    for (int i = 0; i < 5; i++, target[0]++) {
        fake_clock_pass(&rig.clock, 1000000000);
        CHECK_INT(store_rig_start(&rig, "pack", target, false, ids[i], &resumed, &f), E_OK);
    }
    CHECK_INT(store_rig_complete(&rig, ids[1], 0, false, 0, &f), E_OK);
    fake_clock_pass(&rig.clock, 1000000000);
    CHECK_INT(store_rig_pause(&rig, ids[2], &f), E_OK);
    store_rig_file(ids[0], name);
    CHECK_INT(dir_remove(rig.dir, name, &f), E_OK); /* By another hand. */
    CHECK_INT(dir_write(rig.dir, "notes.json", SLICE("x"), &f), E_OK);
    for (int round = 0; round < 3; round++) {
        CHECK_INT(workflow_store_list(rig.store, -1, &list, &count, &unreadable, &f), E_OK);
        CHECK_INT(unreadable, 0);
        CHECK_INT(count, 4);
        CHECK_STR(list[0]->id, ids[2]);
        CHECK_INT(list[0]->state, RECORD_PAUSED);
        CHECK(list[1]->updated_ns >= list[2]->updated_ns);
        CHECK_STR(list[3]->id, ids[3]);
        for (size_t i = 0; i < count; i++) {
            session_summary_unref(list[i]);
        }
        free(list);
        if (round == 1) {
            store_rig_restart(&rig);
        }
    }
    CHECK_INT(workflow_store_list(rig.store, RECORD_FAILED, &list, &count, &unreadable, &f), E_OK);
    CHECK_INT(count, 1);
    CHECK_STR(list[0]->id, ids[1]);
    session_summary_unref(list[0]);
    free(list);
    store_rig_fini(&rig);
}

static void
stale_sessions_are_removed(void **state)
{
    struct store_rig rig;
    struct session_view view;
    struct fault f = FAULT_INIT;
    char stale[RECORD_ID_SIZE], paused[RECORD_ID_SIZE], looked[RECORD_ID_SIZE],
        done[RECORD_ID_SIZE], young[RECORD_ID_SIZE];
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    CHECK_INT(store_rig_start(&rig, "pack", "stale", false, stale, &resumed, &f), E_OK);
    CHECK_INT(store_rig_start(&rig, "pack", "paused", false, paused, &resumed, &f), E_OK);
    CHECK_INT(store_rig_start(&rig, "pack", "looked", false, looked, &resumed, &f), E_OK);
    CHECK_INT(store_rig_start(&rig, "pack", "done", false, done, &resumed, &f), E_OK);
    CHECK_INT(store_rig_pause(&rig, paused, &f), E_OK);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(store_rig_complete(&rig, done, i, true, 0, &f), E_OK);
    }
    fake_clock_pass(&rig.clock, 8 * DAY);
    CHECK_INT(workflow_store_get(rig.store, looked, &view, &f), E_OK);
    workflow_store_release(rig.store, &view);
    CHECK_INT(store_rig_start(&rig, "pack", "young", false, young, &resumed, &f), E_OK);
    CHECK_INT(workflow_store_clean(rig.store), 1);
    CHECK_INT(workflow_store_get(rig.store, stale, &view, &f), E_NOT_FOUND);
    CHECK_INT(workflow_store_counters(rig.store).on_disk.all, 4);
    CHECK_INT(workflow_store_clean(rig.store), 0);
    CHECK_INT(workflow_store_counters(rig.store).cleaned, 1);
    store_rig_restart(&rig);
    CHECK_INT(workflow_store_clean(rig.store), 1); /* Looked at, but by a process that has ended. */
    CHECK_INT(workflow_store_get(rig.store, looked, &view, &f), E_NOT_FOUND);
    store_rig_fini(&rig);
}

static void
objects_in_use_are_never_dropped(void **state)
{
    struct store_rig rig;
    struct session_view a, b, c;
    struct fault f = FAULT_INIT;
    char ids[3][RECORD_ID_SIZE], target[2] = "a";
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    rig.options.live_max = 2;
    store_rig_restart(&rig);
    for (int i = 0; i < 3; i++, target[0]++) {
        CHECK_INT(store_rig_start(&rig, "pack", target, false, ids[i], &resumed, &f), E_OK);
    }
    CHECK_INT(workflow_store_get(rig.store, ids[0], &a, &f), E_OK);
    CHECK_INT(workflow_store_get(rig.store, ids[1], &b, &f), E_OK);
    CHECK_INT(workflow_store_get(rig.store, ids[2], &c, &f), E_NOT_READY);
    workflow_store_release(rig.store, &a);
    CHECK_INT(workflow_store_get(rig.store, ids[2], &c, &f), E_OK);
    workflow_store_release(rig.store, &b);
    workflow_store_release(rig.store, &c);
    store_rig_fini(&rig);
}

/* An old file whose end is known only with its pack does not make a start loop. */
static void
a_session_that_turns_out_finished(void **state)
{
    static const char text[] = "{\"workflow_type\": \"pack\", \"target_file\": \"a\", "
                               "\"current_phase\": 3, \"completed_phases\": [0, 1, 2]}";
    static const char name[] = "10000000-0000-4000-8000-000000000009.json";
    struct store_rig rig;
    struct session_summary **list;
    struct fault f = FAULT_INIT;
    char id[RECORD_ID_SIZE];
    size_t count, unreadable;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    CHECK_INT(dir_write(rig.dir, name, slice_of(text), &f), E_OK);
    rig.no_content = true; /* Its pack cannot be asked yet. */
    CHECK_INT(workflow_store_list(rig.store, RECORD_ACTIVE, &list, &count, &unreadable, &f), E_OK);
    CHECK_INT(count, 1);
    session_summary_unref(list[0]);
    free(list);
    rig.no_content = false;
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, id, &resumed, &f), E_OK);
    CHECK(!resumed);
    store_rig_fini(&rig);
}

/* R6 and 4.5: readers among writers see whole records whose revisions never go back. */
struct mixed {
    struct store_rig *rig;
    char id[RECORD_ID_SIZE];
    _Atomic unsigned torn, backwards, changes;
};

static void
read_or_write(void *arg, unsigned i)
{
    struct mixed *m = arg;
    int64_t last = 0;

    for (int round = 0; round < 40; round++) {
        struct session_view view;
        json_t *raw;

        if (i < 2) {
            atomic_fetch_add(&m->changes,
                             store_rig_complete(m->rig, m->id, 0, false, round, NULL) == E_OK);
            continue;
        }
        if (i % 3 == 0) { /* Another process would read the file. */
            if (session_file_read(m->rig->dir, m->id, RECORD_FILE_MAX, &raw, NULL, NULL) != E_OK) {
                atomic_fetch_add(&m->torn, 1);
                continue;
            }
            atomic_fetch_add(&m->backwards, record_revision(raw) < last);
            last = record_revision(raw);
            json_decref(raw);
        } else if (workflow_store_get(m->rig->store, m->id, &view, NULL) == E_OK) {
            atomic_fetch_add(&m->backwards, record_revision(view.record) < last);
            last = record_revision(view.record);
            atomic_fetch_add(&m->torn,
                             json_array_size(json_object_get(view.record, "history")) == 0);
            workflow_store_release(m->rig->store, &view);
        } else {
            atomic_fetch_add(&m->torn, 1);
        }
    }
}

static void
readers_see_whole_records(void **state)
{
    struct store_rig rig;
    struct mixed m = {.rig = &rig};
    struct session_view view;
    bool resumed;
    (void)state;

    store_rig_init(&rig);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, m.id, &resumed, NULL), E_OK);
    run_together(12, read_or_write, &m);
    CHECK_INT(m.torn, 0);
    CHECK_INT(m.backwards, 0);
    CHECK_INT(m.changes, 80);
    CHECK_INT(workflow_store_get(rig.store, m.id, &view, NULL), E_OK);
    CHECK_INT(record_revision(view.record), 81);
    workflow_store_release(rig.store, &view);
    store_rig_fini(&rig);
}

/* ---- What is kept with a session ---- */

static _Atomic unsigned kept_ended;

static void
end_kept(struct kept *kept)
{
    atomic_fetch_add(&kept_ended, 1);
    free(kept);
}

static void
keep(struct store_rig *rig, const char *id, uint64_t key)
{
    struct kept *kept = xcalloc(1, sizeof *kept);
    struct session_view view;

    atomic_init(&kept->refs, 1);
    kept->key = key;
    kept->end = end_kept;
    CHECK_INT(workflow_store_get(rig->store, id, &view, NULL), E_OK);
    workflow_store_keep(&view, kept);
    workflow_store_release(rig->store, &view);
}

static bool
is_kept(struct store_rig *rig, const char *id, uint64_t key)
{
    struct kept *kept = workflow_store_kept(rig->store, id, key);
    bool is = kept && kept->key == key;

    kept_unref(kept);
    return is;
}

static void
what_is_kept_goes_with_a_change(void **state)
{
    struct kept *used, *late = xcalloc(1, sizeof *late);
    char id[RECORD_ID_SIZE], other[RECORD_ID_SIZE];
    struct session_view before;
    struct store_rig rig;
    bool resumed;
    (void)state;

    atomic_store(&kept_ended, 0);
    store_rig_init(&rig);
    CHECK_INT(store_rig_start(&rig, "pack", "a", false, id, &resumed, NULL), E_OK);
    CHECK_INT(store_rig_start(&rig, "pack", "b", false, other, &resumed, NULL), E_OK);
    for (uint64_t key = 0; key < SESSION_KEPT_MAX + 1; key++) {
        keep(&rig, id, key);
    }
    CHECK_INT(kept_ended, 1); /* The oldest made room. */
    CHECK(!is_kept(&rig, id, 0) && is_kept(&rig, id, 1) && !is_kept(&rig, other, 1));
    keep(&rig, id, 2);
    CHECK_INT(kept_ended, 2); /* The one of its key did. */
    CHECK(is_kept(&rig, id, 1) && is_kept(&rig, id, 2));
    used = workflow_store_kept(rig.store, id, 2);
    CHECK_INT(workflow_store_get(rig.store, id, &before, NULL), E_OK);
    CHECK_INT(store_rig_complete(&rig, id, 0, true, 1, NULL), E_OK);
    CHECK(!is_kept(&rig, id, 1) && !is_kept(&rig, id, 2));
    CHECK_INT(kept_ended, 2 + SESSION_KEPT_MAX - 1);
    kept_unref(used); /* Who has it may go on using it. */
    CHECK_INT(kept_ended, 2 + SESSION_KEPT_MAX);
    atomic_init(&late->refs, 1); /* It is of how the session was. */
    late->key = 1;
    late->end = end_kept;
    workflow_store_keep(&before, late);
    workflow_store_release(rig.store, &before);
    CHECK(!is_kept(&rig, id, 1));
    CHECK_INT(kept_ended, 3 + SESSION_KEPT_MAX);
    keep(&rig, id, 1);
    workflow_store_forget(rig.store, id);
    CHECK(!is_kept(&rig, id, 1) && !is_kept(&rig, "no-session", 1));
    keep(&rig, id, 1); /* With the live object ends what is kept. */
    store_rig_fini(&rig);
    CHECK_INT(kept_ended, 5 + SESSION_KEPT_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_lives_on_disk),
        cmocka_unit_test(unknown_ids),
        cmocka_unit_test(first_lookups_make_one_object),
        cmocka_unit_test(a_failed_load_is_not_kept),
        cmocka_unit_test(one_of_many_completions_succeeds),
        cmocka_unit_test(one_of_many_starts_creates),
        cmocka_unit_test(new_sessions_on_purpose),
        cmocka_unit_test(a_start_that_fails_leaves_nothing),
        cmocka_unit_test(limits_of_sessions),
        cmocka_unit_test(nothing_comes_back_after_a_delete),
        cmocka_unit_test(listing),
        cmocka_unit_test(stale_sessions_are_removed),
        cmocka_unit_test(objects_in_use_are_never_dropped),
        cmocka_unit_test(a_session_that_turns_out_finished),
        cmocka_unit_test(readers_see_whole_records),
        cmocka_unit_test(what_is_kept_goes_with_a_change),
    };
    return CHECK_RUN(tests);
}
