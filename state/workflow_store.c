/* workflow_store.c -- live sessions: looking up, reading, changing, deleting.
 *
 * DESIGN.  The revision on disk is compared before every save, so a second process, or an object
 * that outlived its place in the table, can lose a race but never write over what another has
 * saved.  The road not taken is to pin live objects in the table for ever: a table that may forget
 * is bounded, and a mark (gone) costs a reader nothing. */
#include "state/workflow_store_private.h"

#include "state/session_file.h"

#include "state/base/json_put.h"
#include "state/base/log.h"

#include <assert.h>
#include <errno.h>
#include <sys/stat.h>

LOG_MODULE("workflow");

UNSHARED struct live *
live_create(const struct session_class *class, json_t *record, void *content)
{
    struct live *live = xcalloc(1, sizeof *live);

    memcpy(live->id, record_id(record), RECORD_ID_SIZE);
    live->class = class;
    live->content = content;
    live->record = record;
    lock_init(&live->action, RANK_WF_ACTION);
    lock_init(&live->current, RANK_WF_SESSION);
    return live;
}

UNSHARED void
live_free(void *value)
{
    struct live *live = value;

    store_end_kept(live->kept);
    json_decref(live->record);
    live->class->close(live->content);
    lock_fini(&live->current);
    lock_fini(&live->action);
    free(live);
}

/* The current record, a new reference, or null if the object is gone. */
static json_t *
take_record(struct live *live, int64_t now_ns)
{
    json_t *record = NULL;

    LOCK(WF_SESSION, &live->current);
    if (!live->gone) {
        record = json_incref(live->record);
        live->used_ns = now_ns;
    }
    UNLOCK(WF_SESSION, &live->current);
    return record;
}

/* Drops a reference to a record of this session.  jansson's decrement does not order what came
 * before it: the lock does. */
static void
drop_record(struct live *live, json_t *record)
{
    LOCK(WF_SESSION, &live->current);
    json_decref(record);
    UNLOCK(WF_SESSION, &live->current);
}

/* Makes 'next' (stolen) the current record; with 'last' the object is gone after it. */
static void
publish(struct live *live, json_t *next, bool last) REQUIRES(LC_WF_ACTION)
{
    struct kept *kept[SESSION_KEPT_MAX];
    json_t *old;

    LOCK(WF_SESSION, &live->current);
    old = live->record;
    live->record = next;
    live->gone = live->gone || last;
    json_decref(old);
    store_take_kept(live, kept);
    UNLOCK(WF_SESSION, &live->current);
    store_end_kept(kept);
}

static void
mark_gone(struct live *live) REQUIRES(LC_WF_ACTION)
{
    LOCK(WF_SESSION, &live->current);
    live->gone = true;
    UNLOCK(WF_SESSION, &live->current);
}

enum err
store_load(struct workflow_store *store, const char *id, json_t **record, void **content,
           struct fault *f)
{
    const struct workflow_store_options *o = &store->options;
    json_t *raw = NULL, *structure = NULL;
    void *built = NULL;
    enum err err = session_file_read(o->dir, id, o->file_max, &raw, NULL, f);

    *record = NULL;
    if (err == E_REFUSED) {
        log_warn("session file damaged", F_STR("session", id), F_STR("why", f ? f->text : ""));
        err = session_file_set_aside(o->dir, id, clock_wall(o->clock), f);
        atomic_fetch_add(&store->set_aside, 1);
    }
    if (err) {
        return err;
    }
    if (content || !record_has_structure(raw)) {
        built = o->class->open(o->owner, raw, record_has_structure(raw) ? NULL : &structure);
    }
    *record = record_upgrade(raw, structure, clock_wall(o->clock));
    json_decref(structure);
    json_decref(raw);
    if (content) {
        *content = built;
    } else {
        o->class->close(built);
    }
    return E_OK;
}

static enum err
load_live(void *owner, const char *key, const char *version, void *arg, void **value,
          struct fault *f)
{
    struct workflow_store *store = owner;
    void *content = NULL;
    json_t *record;
    enum err err = store_load(store, key, &record, &content, f);

    (void)version;
    (void)arg;
    if (!err) {
        *value = live_create(store->options.class, record, content);
    }
    return err;
}

static const struct slots_class session_slots = {"workflow_sessions", load_live, live_free};

UNSHARED enum err
workflow_store_create(const struct workflow_store_options *options, struct workflow_store **store,
                      struct fault *f)
{
    struct workflow_store *s;
    unsigned swept;

    *store = NULL;
    if (fchmod(dir_fd(options->dir), 0700) != 0) {
        return fault_set(f, E_IO, "the folder of workflow sessions cannot be made private: %s",
                         strerror(errno));
    }
    swept = session_file_sweep(options->dir);
    if (swept) {
        log_info("removed what a crash left", F_UINT("files", swept));
    }
    s = xcalloc(1, sizeof *s);
    s->options = *options;
    dir_ref(options->dir);
    s->sessions = slots_create(&session_slots, s, options->live_max);
    lock_init(&s->start_lock, RANK_WF_START);
    cond_init(&s->started);
    s->index = workflow_index_create();
    *store = s;
    return E_OK;
}

UNSHARED void
workflow_store_destroy(struct workflow_store *store)
{
    if (!store) {
        return;
    }
    slots_destroy(store->sessions);
    workflow_index_destroy(store->index);
    cond_fini(&store->started);
    lock_fini(&store->start_lock);
    dir_unref(store->options.dir);
    free(store);
}

void
workflow_store_release(struct workflow_store *store, struct session_view *view)
{
    if (!view->live) {
        return;
    }
    drop_record(view->live, view->record);
    slots_unpin(store->sessions, &view->pin);
    *view = (struct session_view)SESSION_VIEW_INIT;
}

/* Pins the live object of 'id'. */
static enum err
pin_live(struct workflow_store *store, const char *id, struct slot_pin *pin, struct fault *f)
{
    if (!record_is_id(id)) {
        fault_set(f, E_ARGUMENT, "session_id is not a UUID in lower case");
        return fault_remedy(f, "give the session_id that start answered, or see list_sessions");
    }
    return slots_get(store->sessions, id, NULL, NULL, INT64_MAX, pin, f);
}

/* Lets go of an object that was found gone; the next look makes another. */
static void
leave_gone(struct workflow_store *store, struct slot_pin *pin)
{
    struct live *live = pin->value;

    slots_drop(store->sessions, live->id, live);
    slots_unpin(store->sessions, pin);
}

enum err
workflow_store_get(struct workflow_store *store, const char *id, struct session_view *view,
                   struct fault *f)
{
    struct slot_pin pin;

    *view = (struct session_view)SESSION_VIEW_INIT;
    for (;;) {
        enum err err = pin_live(store, id, &pin, f);
        struct live *live = pin.value;
        json_t *record;

        if (err) {
            return err;
        }
        record = take_record(live, clock_wall(store->options.clock));
        if (record) {
            *view = (struct session_view){record, live->content, live, pin};
            return E_OK;
        }
        leave_gone(store, &pin);
    }
}

/* Counts an acquisition of an action lock, and whether it had to wait. */
static void
count_action(struct workflow_store *store, struct live *live) REQUIRES(LC_WF_ACTION)
{
    uint64_t waits = live->action.waits - live->waits_seen;

    live->waits_seen = live->action.waits;
    atomic_fetch_add_explicit(&store->action_acquisitions, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->action_waits, waits, memory_order_relaxed);
}

/* Saves 'next' (stolen) in place of 'old', and makes it current.  After an error of the save the
 * object is gone: the disk has the truth. */
static enum err
save_locked(struct workflow_store *store, struct live *live, const json_t *old, json_t *next,
            struct fault *f) REQUIRES(LC_WF_ACTION)
{
    bool last = record_state(next) == RECORD_COMPLETED;
    enum err err = session_file_save(store->options.dir, next, record_revision(old),
                                     store->options.file_max, store->options.lock_ns, f);

    assert(record_revision(next) == record_revision(old) + 1);
    if (err) {
        atomic_fetch_add(&store->conflicts, err == E_CONFLICT);
        drop_record(live, next);
        mark_gone(live);
    } else {
        atomic_fetch_add(&store->saves, 1);
        publish(live, next, last);
    }
    if (err || last) {
        slots_drop(store->sessions, live->id, live);
    }
    return err;
}

/* One change on a pinned object.  '*record' is a new reference to what is current after it; null,
 * with E_OK, if the object is gone. */
static enum err
change_live(struct workflow_store *store, struct live *live, session_change_fn *change, void *arg,
            json_t **record, struct fault *f)
{
    enum err err = E_OK;
    json_t *old, *next = NULL;

    *record = NULL;
    LOCK(WF_ACTION, &live->action);
    count_action(store, live);
    old = take_record(live, clock_wall(store->options.clock));
    if (old) {
        err = change(arg, old, &next, f);
        err = err ? err : record_fit(&next, store->options.file_max, f);
        if (!err) {
            json_incref(next);
            err = save_locked(store, live, old, next, f);
            if (err) {
                drop_record(live, next);
            } else {
                *record = next;
            }
        }
        drop_record(live, old);
    }
    UNLOCK(WF_ACTION, &live->action);
    return err;
}

enum err
workflow_store_change(struct workflow_store *store, const char *id, session_change_fn *change,
                      void *arg, struct session_view *view, struct fault *f)
{
    struct slot_pin pin;

    *view = (struct session_view)SESSION_VIEW_INIT;
    for (;;) {
        enum err err = pin_live(store, id, &pin, f);
        struct live *live = pin.value;
        json_t *record;

        if (err) {
            return err;
        }
        err = change_live(store, live, change, arg, &record, f);
        if (record) {
            store_tell_index(store, record, false);
            *view = (struct session_view){record, live->content, live, pin};
            return E_OK;
        }
        if (err) {
            slots_unpin(store->sessions, &pin);
            return err;
        }
        leave_gone(store, &pin);
    }
}

/* Deletes a pinned session.  '*done' is false, with E_OK, if the object was gone. */
static enum err
delete_live(struct workflow_store *store, struct live *live,
            bool (*may)(void *arg, const json_t *record, int64_t used_ns), void *arg, bool *done,
            struct fault *f)
{
    enum err err = E_OK;
    int64_t used_ns;
    json_t *record;

    LOCK(WF_ACTION, &live->action);
    count_action(store, live);
    LOCK(WF_SESSION, &live->current);
    record = live->gone ? NULL : json_incref(live->record);
    used_ns = live->used_ns;
    UNLOCK(WF_SESSION, &live->current);
    *done = record != NULL;
    if (record && may && !may(arg, record, used_ns)) {
        err = fault_set(f, E_STATE, "session %s is in use", live->id);
    } else if (record) {
        /* The file goes first: a look-up meanwhile finds the object, or waits for this lock. */
        err = session_file_remove(store->options.dir, live->id, store->options.lock_ns, f);
        mark_gone(live);
        slots_drop(store->sessions, live->id, live);
    }
    if (record) {
        drop_record(live, record);
    }
    UNLOCK(WF_ACTION, &live->action);
    return err;
}

enum err
store_delete_if(struct workflow_store *store, const char *id,
                bool (*may)(void *arg, const json_t *record, int64_t used_ns), void *arg,
                struct fault *f)
{
    bool done = false;
    enum err err;

    do {
        struct slot_pin pin;

        err = pin_live(store, id, &pin, f);
        if (err) {
            return err;
        }
        err = delete_live(store, pin.value, may, arg, &done, f);
        if (done) {
            slots_unpin(store->sessions, &pin);
        } else {
            leave_gone(store, &pin);
        }
    } while (!done);
    if (!err || err == E_NOT_FOUND) {
        LOCK(WF_START, &store->start_lock);
        workflow_index_remove(store->index, id);
        UNLOCK(WF_START, &store->start_lock);
        store_tell_change(store, id, true);
    }
    return err;
}

enum err
workflow_store_delete(struct workflow_store *store, const char *id, struct fault *f)
{
    enum err err = store_delete_if(store, id, NULL, NULL, f);

    atomic_fetch_add(&store->deletes, err == E_OK);
    return err;
}

void
workflow_store_forget(struct workflow_store *store, const char *id)
{
    struct slot_pin pin;

    if (slots_peek(store->sessions, id, &pin)) {
        struct live *live = pin.value;

        /* Not in the middle of a change: the next object would be loaded from before its save. */
        LOCK(WF_ACTION, &live->action);
        count_action(store, live);
        mark_gone(live);
        UNLOCK(WF_ACTION, &live->action);
        leave_gone(store, &pin);
    }
}

struct workflow_store_counters
workflow_store_counters(struct workflow_store *store)
{
    struct workflow_store_counters c = {
        .sessions = slots_counters(store->sessions),
        .action_acquisitions = atomic_load(&store->action_acquisitions),
        .action_waits = atomic_load(&store->action_waits),
        .saves = atomic_load(&store->saves),
        .conflicts = atomic_load(&store->conflicts),
        .started = atomic_load(&store->starts),
        .resumed = atomic_load(&store->resumes),
        .deleted = atomic_load(&store->deletes),
        .cleaned = atomic_load(&store->cleaned),
        .set_aside = atomic_load(&store->set_aside),
    };

    LOCK(WF_START, &store->start_lock);
    c.on_disk = workflow_index_counts(store->index);
    UNLOCK(WF_START, &store->start_lock);
    return c;
}
