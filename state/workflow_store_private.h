/* workflow_store_private.h -- what the two halves of the store share, and nobody else needs. */
#ifndef TANDEM_WORKFLOW_STORE_PRIVATE_H
#define TANDEM_WORKFLOW_STORE_PRIVATE_H

#include "state/base/lock.h"
#include "state/workflow_store.h"

#include <stdatomic.h>

/* A session start under way, on its caller's stack. */
struct starting {
    const char *pack, *target;
    struct starting *next;
};

struct workflow_store {
    struct workflow_store_options options; /* Set once. */
    struct slots *sessions;                /* Of struct live, by id. */
    struct lock start_lock;       /* RANK_WF_START; guards the index and what follows it. */
    struct cond started;          /* A start has ended, or the first reading of the folder. */
    struct workflow_index *index; /* LC_WF_START. */
    struct starting *starting GUARDED_BY(LC_WF_START);
    size_t reserved GUARDED_BY(LC_WF_START); /* Sessions being made, not in the index yet. */
    enum { SCAN_NONE, SCAN_RUNNING, SCAN_DONE } scan GUARDED_BY(LC_WF_START);
    _Atomic uint64_t action_acquisitions, action_waits;
    _Atomic uint64_t saves, conflicts, starts, resumes, deletes, cleaned, set_aside;
};

/* One live session. */
struct live {
    char id[RECORD_ID_SIZE]; /* Set once. */
    const struct session_class *class;
    void *content;       /* Set once; may be null. */
    struct lock action;  /* RANK_WF_ACTION: one change at a time, held over its save. */
    struct lock current; /* RANK_WF_SESSION. */
    json_t *record
        GUARDED_BY(LC_WF_SESSION);       /* Counted; every drop of a record is under this lock. */
    bool gone GUARDED_BY(LC_WF_SESSION); /* Not to be used any more: look the id up again. */
    int64_t used_ns GUARDED_BY(LC_WF_SESSION);                     /* Wall time of the last look. */
    struct kept *kept[SESSION_KEPT_MAX] GUARDED_BY(LC_WF_SESSION); /* Counted; the last first. */
    uint64_t waits_seen GUARDED_BY(LC_WF_ACTION);
};

/* workflow_store_keep.c: takes what is kept with 'live' into 'kept', for store_end_kept(). */
void store_take_kept(struct live *live, struct kept *kept[SESSION_KEPT_MAX])
    REQUIRES(LC_WF_SESSION);
void store_end_kept(struct kept *kept[SESSION_KEPT_MAX]);

/* A new live object; steals both. */
struct live *live_create(const struct session_class *class, json_t *record, void *content);
void live_free(void *live);
/* Reads a session file and brings it to today's form; sets a damaged one aside.  'content' may be
 * null: then none is built unless the structure has to be asked for. */
enum err store_load(struct workflow_store *store, const char *id, json_t **record, void **content,
                    struct fault *f);
/* Tells the index of a change; or of a session created in the place that was reserved for it. */
void store_tell_index(struct workflow_store *store, const json_t *record, bool created)
    EXCLUDES(LC_WF_START);
/* Tells the class; no lock is held. */
void store_tell_change(struct workflow_store *store, const char *id, bool list)
    EXCLUDES(LC_WF_START);
/* Waits for, or makes, the first reading of the folder. */
enum err store_scan_once(struct workflow_store *store, struct fault *f) EXCLUDES(LC_WF_START);
/* As workflow_store_delete(), but only if 'may' (null: always) agrees under the action lock. */
enum err store_delete_if(struct workflow_store *store, const char *id,
                         bool (*may)(void *arg, const json_t *record, int64_t used_ns), void *arg,
                         struct fault *f);

#endif
