/* workflow_store.h -- the live workflow sessions, and their files.
 *
 * One live object per session id, made once by whoever asks first (base/slots) and shared by all.
 * It holds the current record, which is immutable and counted, and what its class has built for it
 * (the content of pack and source).  A reader takes a view and never waits for a disk or for a
 * writer.  A change runs alone: take the action lock, derive the new record from the old one, save
 * it, and only then make it the current one.  So a change that fails has not happened, and what was
 * answered is on disk.
 *
 * A live object that is no longer to be used (its session was deleted or completed, or a save went
 * wrong so that only the disk knows the truth) is marked gone under its session lock and dropped
 * from the table; who finds the mark looks the id up again.  Who holds a view keeps it.
 *
 * Any thread; no lock may be held by the caller.  Takes WF_START, WF_ACTION, SLOTS, WF_SESSION. */
#ifndef TANDEM_WORKFLOW_STORE_H
#define TANDEM_WORKFLOW_STORE_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/file.h"
#include "state/base/slots.h"
#include "state/workflow_index.h"
#include "state/workflow_record.h"

struct workflow_store;

/* What goes with a session while it is live: 'content'.  Called with no lock held; may be slow. */
struct session_class {
    /* Builds the content of the session in the file 'raw' (borrowed), new, or null if that cannot
     * be had now.  With 'structure' not null, the file tells none: stores a new one there, or null.
     */
    void *(*open)(void *owner, const json_t *raw, json_t **structure);
    /* Frees what open() or a start's build() made.  Any thread; null is ignored. */
    void (*close)(void *content);
    /* A session was made, changed or removed; 'list': its state or phase is another one.  May be
     * null. */
    void (*changed)(void *owner, const char *id, bool list);
};

struct workflow_store_options {
    struct dir *dir;           /* The state folder; a reference is taken. */
    const struct clock *clock; /* Borrowed, as are class and owner. */
    const struct session_class *class;
    void *owner;
    size_t live_max;   /* Live objects; those in use are never dropped to make room. */
    size_t active_max; /* Sessions neither completed nor paused. */
    size_t file_max;   /* Bytes of a session file. */
    size_t files_max;  /* Session files; the oldest completed ones make room. */
    int64_t stale_ns;  /* An active session untouched for so long is removed by a clean-up. */
    int64_t lock_ns;   /* How long a save waits for another process. */
};
#define WORKFLOW_LIVE_MAX 256u
#define WORKFLOW_ACTIVE_MAX 100u
#define WORKFLOW_FILES_MAX 10000u
#define WORKFLOW_STALE_NS (7ll * 24 * 3600 * 1000000000)
#define WORKFLOW_LOCK_NS (2ll * 1000000000)

/* A new store; removes what crashed writers left in its folder.  Null members of 'options' but dir,
 * clock and class are as they say.  E_IO if the folder cannot be made private (0700). */
enum err workflow_store_create(const struct workflow_store_options *options,
                               struct workflow_store **store, struct fault *f);
/* Null is ignored.  No other thread may be using it, and no view may be open. */
void workflow_store_destroy(struct workflow_store *store);

/* One session as it was at one moment.  Valid, and unchanging, until it is released. */
struct session_view {
    json_t *record; /* Borrowed from the view. */
    void *content;  /* Likewise; may be null. */
    struct live *live;
    struct slot_pin pin;
};
#define SESSION_VIEW_INIT \
    {                     \
        .record = NULL    \
    }
/* An empty view is ignored. */
void workflow_store_release(struct workflow_store *store, struct session_view *view);

/* What was made of a session as it is, for who asks the same again: of each live session the last
 * few, by key.  They go when it changes.  First member of what it is. */
struct kept {
    _Atomic unsigned refs; /* 1 when it is made. */
    uint64_t key;
    void (*end)(struct kept *kept); /* Frees it.  Any thread. */
};
#define SESSION_KEPT_MAX 4u
/* Keeps 'kept' (stolen) with the session of 'view', unless that has changed since. */
void workflow_store_keep(const struct session_view *view, struct kept *kept);
/* What is kept by 'key' with the session 'id', counted; null if there is nothing, or the session is
 * not live.  Loads nothing, and waits for no change. */
struct kept *workflow_store_kept(struct workflow_store *store, const char *id, uint64_t key);
/* Null is ignored. */
void kept_unref(struct kept *kept);

/* Looks a session up, loading its file if need be.  On E_OK the view must be released. E_NOT_FOUND;
 * E_IO, naming what a damaged file was set aside as; E_TOO_LARGE; E_STATE (a newer format);
 * E_TIMEOUT. */
enum err workflow_store_get(struct workflow_store *store, const char *id, struct session_view *view,
                            struct fault *f);

/* Derives '*next', new, from 'old' (borrowed, immutable), at the next revision; quick, no I/O.  An
 * error changes nothing and is the caller's answer. */
typedef enum err session_change_fn(void *arg, json_t *old, json_t **next, struct fault *f);
/* Changes a session, alone.  On E_OK the change is on disk and 'view' shows it; else it was not
 * made, except after E_IO, when the next look at the session tells.  The change's errors; those of
 * get(); E_CONFLICT and E_TIMEOUT as session_file_save().  The function may be called again if the
 * session was reloaded. */
enum err workflow_store_change(struct workflow_store *store, const char *id,
                               session_change_fn *change, void *arg, struct session_view *view,
                               struct fault *f);

struct session_start {
    const char *pack, *target;
    bool fresh; /* Make a new session even if there is an unfinished one. */
    /* Makes the record of a new session and its content (may be null), both stolen by the store.
     * Slow; no lock held; not called if a session is resumed. */
    enum err (*build)(void *arg, json_t **record, void **content, struct fault *f);
    void *arg;
};
/* Finds the unfinished session of pack and target, or makes one: of any number of callers at once,
 * one makes it and the others resume it.  On error nothing remains.  The build's errors; those of
 * get(); E_LIMIT when there are too many active sessions or files. */
enum err workflow_store_start(struct workflow_store *store, const struct session_start *start,
                              struct session_view *view, bool *resumed, struct fault *f);

/* Removes a session: later calls get E_NOT_FOUND, as does this one if there was none. */
enum err workflow_store_delete(struct workflow_store *store, const char *id, struct fault *f);

/* Drops the live object, after a change that is under way, so that the next look loads the file
 * again. */
void workflow_store_forget(struct workflow_store *store, const char *id);

/* The sessions in the folder and the live ones, newest change first, as a new array of '*count'
 * references, each to be unref'ed and the array freed; with 'state' not -1 those in that state.
 * '*unreadable' counts files that are no session; they are left as they are.  Waits for no session.
 */
enum err workflow_store_list(struct workflow_store *store, int state,
                             struct session_summary ***list, size_t *count, size_t *unreadable,
                             struct fault *f);

/* Removes active sessions untouched for longer than the limit, never one that is paused, or live
 * and used since; then the oldest completed ones over the limit of files.  At start and daily.
 * Returns how many were removed. */
size_t workflow_store_clean(struct workflow_store *store);

struct workflow_store_counters {
    struct slots_counters sessions;
    struct workflow_index_counts on_disk;       /* As far as is known without looking. */
    uint64_t action_acquisitions, action_waits; /* Of all action locks. */
    uint64_t saves, conflicts, started, resumed, deleted, cleaned, set_aside;
};
/* What is counted, as it is now. */
struct workflow_store_counters workflow_store_counters(struct workflow_store *store);

#endif
