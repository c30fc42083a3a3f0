/* workflow_store_folder.c -- what concerns many sessions: starting, listing, cleaning up.
 *
 * A start holds its (pack, target) in a list of starts under way while it builds and saves; another
 * start of the same two waits for it and then finds what it made.  The first of these calls reads
 * the state folder; from then on the index is kept up to date, and each listing looks which files
 * have changed. */
#include "state/workflow_store_private.h"

#include "state/session_file.h"

#include "state/base/log.h"

#include <assert.h>

LOG_MODULE("workflow");

void
store_tell_index(struct workflow_store *store, const json_t *record, bool created)
{
    struct session_summary *summary = session_summary_of(record);
    bool list = true;

    LOCK(WF_START, &store->start_lock);
    if (created) {
        assert(store->reserved > 0);
        store->reserved--; /* From here on it counts in the index. */
        workflow_index_add(store->index, summary);
    } else {
        list = workflow_index_update(store->index, summary);
    }
    UNLOCK(WF_START, &store->start_lock);
    store_tell_change(store, record_id(record), list);
}

void
store_tell_change(struct workflow_store *store, const char *id, bool list)
{
    if (store->options.class->changed) {
        store->options.class->changed(store->options.owner, id, list);
    }
}

/* Reads one session file for the index, unless this version of it is known.  False if it is no
 * session. */
static bool
index_file(struct workflow_store *store, uint64_t reading, const char *name, const char *id)
{
    struct file_identity identity;
    struct session_summary *summary;
    json_t *raw = NULL, *structure = NULL, *record;
    const struct workflow_store_options *o = &store->options;
    bool known;

    if (dir_identity(o->dir, name, &identity, NULL) != E_OK) {
        return true; /* It has gone since it was listed. */
    }
    LOCK(WF_START, &store->start_lock);
    known = workflow_index_known(store->index, reading, id, &identity);
    UNLOCK(WF_START, &store->start_lock);
    if (known) {
        return true;
    }
    switch (session_file_read(o->dir, id, o->file_max, &raw, &identity, NULL)) {
    case E_OK:
        break;
    case E_NOT_FOUND:
        return true;
    default:
        return false;
    }
    if (!record_has_structure(raw)) {
        o->class->close(o->class->open(o->owner, raw, &structure));
    }
    record = record_upgrade(raw, structure, clock_wall(o->clock));
    summary = session_summary_of(record);
    json_decref(record);
    json_decref(structure);
    json_decref(raw);
    LOCK(WF_START, &store->start_lock);
    workflow_index_found(store->index, reading, &identity, summary);
    UNLOCK(WF_START, &store->start_lock);
    return true;
}

/* Reads the folder into the index. */
static enum err
read_folder(struct workflow_store *store, size_t *unreadable, struct fault *f)
{
    struct dir_list list;
    uint64_t reading;
    enum err err;

    *unreadable = 0;
    LOCK(WF_START, &store->start_lock);
    reading = workflow_index_begin(store->index);
    UNLOCK(WF_START, &store->start_lock);
    err = dir_list(store->options.dir, ".", 4 * store->options.files_max + 1000, &list, f);
    if (err) {
        return err;
    }
    for (size_t i = 0; i < list.count; i++) {
        const struct dir_entry *entry = &list.entries[i];
        char id[RECORD_ID_SIZE];

        if (!entry->folder && session_file_id(entry->name, id)) {
            *unreadable += !index_file(store, reading, entry->name, id);
        }
    }
    dir_list_fini(&list);
    LOCK(WF_START, &store->start_lock);
    workflow_index_end(store->index, reading);
    UNLOCK(WF_START, &store->start_lock);
    return E_OK;
}

enum err
store_scan_once(struct workflow_store *store, struct fault *f)
{
    enum err err = E_OK;
    size_t unreadable;
    bool mine = false;

    LOCK(WF_START, &store->start_lock);
    while (store->scan == SCAN_RUNNING) {
        cond_wait(&store->started, &store->start_lock, INT64_MAX);
    }
    if (store->scan == SCAN_NONE) {
        store->scan = SCAN_RUNNING;
        mine = true;
    }
    UNLOCK(WF_START, &store->start_lock);
    if (!mine) {
        return E_OK;
    }
    err = read_folder(store, &unreadable, f);
    LOCK(WF_START, &store->start_lock);
    store->scan = err ? SCAN_NONE : SCAN_DONE;
    cond_broadcast(&store->started);
    UNLOCK(WF_START, &store->start_lock);
    return err;
}

/* True if a start of the same pack and target is under way. */
static bool
is_starting_locked(const struct workflow_store *store, const struct starting *mine)
    REQUIRES(LC_WF_START)
{
    for (const struct starting *s = store->starting; s; s = s->next) {
        if (strcmp(s->target, mine->target) == 0 && strcmp(s->pack, mine->pack) == 0) {
            return true;
        }
    }
    return false;
}

/* Enters the list of starts, once no other of the same two is in it. */
static void
enter_start(struct workflow_store *store, struct starting *mine)
{
    LOCK(WF_START, &store->start_lock);
    while (is_starting_locked(store, mine)) {
        cond_wait(&store->started, &store->start_lock, INT64_MAX);
    }
    mine->next = store->starting;
    store->starting = mine;
    UNLOCK(WF_START, &store->start_lock);
}

static void
leave_start(struct workflow_store *store, struct starting *mine)
{
    struct starting **at;

    LOCK(WF_START, &store->start_lock);
    for (at = &store->starting; *at != mine; at = &(*at)->next) {
    }
    *at = mine->next;
    cond_broadcast(&store->started);
    UNLOCK(WF_START, &store->start_lock);
}

/* Opens the unfinished session of pack and target, if there is one: E_NOT_FOUND if not. */
static enum err
find_unfinished(struct workflow_store *store, const struct session_start *start,
                struct session_view *view, struct fault *f)
{
    char id[RECORD_ID_SIZE];

    for (;;) {
        struct session_summary *now = NULL;
        enum err err;
        bool found;

        LOCK(WF_START, &store->start_lock);
        found = workflow_index_unfinished(store->index, start->pack, start->target, id);
        UNLOCK(WF_START, &store->start_lock);
        if (!found) {
            return E_NOT_FOUND;
        }
        err = workflow_store_get(store, id, view, f);
        if (!err && record_state(view->record) != RECORD_COMPLETED) {
            return E_OK;
        }
        if (!err) { /* It was completed since; or, of an old file, its structure is known only now.
                     */
            now = session_summary_of(view->record);
            workflow_store_release(store, view);
        }
        LOCK(WF_START, &store->start_lock);
        if (now) {
            workflow_index_add(store->index, now);
        } else { /* Deleted, or its file is damaged. */
            workflow_index_remove(store->index, id);
        }
        UNLOCK(WF_START, &store->start_lock);
        if (err && err != E_NOT_FOUND) {
            return err;
        }
    }
}

/* Reserves a place for one session more; E_LIMIT if there is none. */
static enum err
reserve_place(struct workflow_store *store, struct fault *f)
{
    const struct workflow_store_options *o = &store->options;
    struct workflow_index_counts c;
    size_t active, reserved;
    bool room;

    LOCK(WF_START, &store->start_lock);
    c = workflow_index_counts(store->index);
    reserved = store->reserved;
    active = c.by_state[RECORD_ACTIVE] + c.by_state[RECORD_FAILED] + reserved;
    room = active < o->active_max && c.all + reserved < o->files_max;
    store->reserved += room;
    UNLOCK(WF_START, &store->start_lock);
    if (room) {
        return E_OK;
    }
    if (active >= o->active_max) {
        fault_set(f, E_LIMIT, "there are %zu active workflow sessions, and the limit is %zu",
                  active - reserved, o->active_max);
    } else {
        fault_set(f, E_LIMIT, "there are %zu workflow session files, and the limit is %zu", c.all,
                  o->files_max);
    }
    return fault_remedy(f, "finish, pause or delete sessions that are not needed (list_sessions)");
}

static void
give_place_back(struct workflow_store *store)
{
    LOCK(WF_START, &store->start_lock);
    assert(store->reserved > 0);
    store->reserved--;
    UNLOCK(WF_START, &store->start_lock);
}

/* Builds, saves and publishes a new session in the place that is reserved for it. */
static enum err
make_session(struct workflow_store *store, const struct session_start *start,
             struct session_view *view, struct fault *f)
{
    const struct workflow_store_options *o = &store->options;
    struct slot_pin pin;
    struct live *live;
    json_t *record = NULL;
    void *content = NULL;
    char id[RECORD_ID_SIZE];
    enum err err = start->build(start->arg, &record, &content, f);

    if (err) {
        give_place_back(store);
        return err;
    }
    memcpy(id, record_id(record), RECORD_ID_SIZE);
    err = record_fit(&record, o->file_max, f);
    err = err ? err : session_file_save(o->dir, record, -1, o->file_max, o->lock_ns, f);
    if (err) {
        if (err == E_IO) { /* If only the folder's flush failed, the file is there; nothing is to
                              remain. */
            (void)session_file_remove(o->dir, id, o->lock_ns, NULL);
        }
        give_place_back(store);
        json_decref(record);
        o->class->close(content);
        return err;
    }
    store_tell_index(store, record, true);
    live = live_create(o->class, record, content);
    /* That fails only if another has loaded the file since it appeared, or every place is in use:
     * either way a look-up gives the same session. */
    if (slots_put(store->sessions, id, live, &pin, NULL) == E_OK) {
        slots_unpin(store->sessions, &pin);
    }
    return workflow_store_get(store, id, view, f);
}

/* Makes a session, cleaning up first if all places are taken. */
static enum err
make_in_place(struct workflow_store *store, const struct session_start *start,
              struct session_view *view, struct fault *f)
{
    enum err err = reserve_place(store, f);

    if (err) {
        workflow_store_clean(store);
        err = reserve_place(store, f);
    }
    return err ? err : make_session(store, start, view, f);
}

enum err
workflow_store_start(struct workflow_store *store, const struct session_start *start,
                     struct session_view *view, bool *resumed, struct fault *f)
{
    struct starting mine = {.pack = start->pack, .target = start->target};
    enum err err = store_scan_once(store, f);

    *resumed = false;
    *view = (struct session_view)SESSION_VIEW_INIT;
    if (err) {
        return err;
    }
    enter_start(store, &mine);
    err = start->fresh ? E_NOT_FOUND : find_unfinished(store, start, view, f);
    *resumed = err == E_OK;
    if (err == E_NOT_FOUND) {
        err = make_in_place(store, start, view, f);
    }
    leave_start(store, &mine);
    atomic_fetch_add(&store->starts, err == E_OK && !*resumed);
    atomic_fetch_add(&store->resumes, err == E_OK && *resumed);
    return err;
}

static int
newest_first(const void *a, const void *b)
{
    const struct session_summary *x = *(struct session_summary *const *)a;
    const struct session_summary *y = *(struct session_summary *const *)b;

    if (x->updated_ns != y->updated_ns) {
        return x->updated_ns < y->updated_ns ? 1 : -1;
    }
    return strcmp(x->id, y->id);
}

enum err
workflow_store_list(struct workflow_store *store, int state, struct session_summary ***list,
                    size_t *count, size_t *unreadable, struct fault *f)
{
    struct session_summary **all;
    size_t n, kept = 0;
    enum err err = read_folder(store, unreadable, f);

    *list = NULL;
    *count = 0;
    if (err) {
        return err;
    }
    LOCK(WF_START, &store->start_lock);
    if (store->scan == SCAN_NONE) {
        store->scan = SCAN_DONE;
    }
    all = workflow_index_all(store->index, &n);
    UNLOCK(WF_START, &store->start_lock);
    for (size_t i = 0; i < n; i++) {
        if (state < 0 || (int)all[i]->state == state) {
            all[kept++] = all[i];
        } else {
            session_summary_unref(all[i]);
        }
    }
    if (kept) {
        qsort(all, kept, sizeof(struct session_summary *), newest_first);
    }
    *list = all;
    *count = kept;
    return E_OK;
}

/* Whether a clean-up may remove a session, asked under its action lock. */
struct cleaning {
    enum record_state state; /* COMPLETED: it must be that; else any but that and PAUSED. */
    int64_t before_ns;       /* Neither changed nor looked at since. */
};

static bool
may_clean(void *arg, const json_t *record, int64_t used_ns)
{
    const struct cleaning *c = arg;
    enum record_state state = record_state(record);
    bool fits = c->state == RECORD_COMPLETED ? state == RECORD_COMPLETED
                                             : state != RECORD_COMPLETED && state != RECORD_PAUSED;

    return fits && used_ns < c->before_ns &&
           clock_parse(record_text(record, "updated_at")) < c->before_ns;
}

static bool
remove_one(struct workflow_store *store, const struct session_summary *s, struct cleaning *cleaning)
{
    struct fault fault = FAULT_INIT;

    if (store_delete_if(store, s->id, may_clean, cleaning, &fault) != E_OK) {
        return false;
    }
    log_info("session removed by clean-up", F_STR("session", s->id),
             F_STR("state", record_state_name(s->state)), F_STR("updated", s->updated_at));
    return true;
}

size_t
workflow_store_clean(struct workflow_store *store)
{
    const struct workflow_store_options *o = &store->options;
    struct cleaning stale = {RECORD_ACTIVE, clock_wall(o->clock) - o->stale_ns};
    struct cleaning finished = {RECORD_COMPLETED, INT64_MAX};
    struct session_summary **list;
    struct fault fault = FAULT_INIT;
    size_t count, unreadable, removed = 0;

    if (workflow_store_list(store, -1, &list, &count, &unreadable, &fault) != E_OK) {
        log_error("sessions cannot be cleaned up", F_STR("why", fault.text));
        return 0;
    }
    for (size_t i = count; i-- > 0;) { /* The oldest first. */
        const struct session_summary *s = list[i];

        if (s->state == RECORD_COMPLETED) {
            removed += count - removed >= o->files_max && remove_one(store, s, &finished);
        } else if (s->state != RECORD_PAUSED && s->updated_ns < stale.before_ns) {
            removed += remove_one(store, s, &stale);
        }
    }
    for (size_t i = 0; i < count; i++) {
        session_summary_unref(list[i]);
    }
    free(list);
    atomic_fetch_add(&store->cleaned, removed);
    return removed;
}
