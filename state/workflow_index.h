/* workflow_index.h -- what is known of every workflow session without opening it.
 *
 * A table of immutable, counted summaries by session id, filled from the state folder and kept up
 * to date by whoever changes a session.  It answers "is there an unfinished session of this pack
 * for this target?" and makes listings.  It has no lock of its own: the store calls it under
 * WF_START.
 *
 * News may arrive out of order, as a session is saved under its own lock and the index told
 * afterwards: a summary counts only if its revision is newer than what is known.  What a reading of
 * the folder finds counts, whatever its revision, if the entry was not changed since that reading
 * began. */
#ifndef TANDEM_WORKFLOW_INDEX_H
#define TANDEM_WORKFLOW_INDEX_H

#include "state/base/file.h"
#include "state/base/lock.h"
#include "state/workflow_record.h"

#include <stdatomic.h>
#include <stddef.h>

struct session_summary {
    _Atomic unsigned refs;
    char id[RECORD_ID_SIZE];
    char *pack, *target;           /* Owned. */
    char *created_at, *updated_at; /* Owned; UTC. */
    enum record_state state;
    int current_phase;
    int64_t revision;
    int64_t updated_ns; /* 'updated_at' as a number. */
};

/* A new summary of 'record', with one reference. */
struct session_summary *session_summary_of(const json_t *record);
struct session_summary *session_summary_ref(struct session_summary *s);
/* Null is ignored. */
void session_summary_unref(struct session_summary *s);

struct workflow_index;

/* A new, empty one. */
struct workflow_index *workflow_index_create(void);
/* Null is ignored. */
void workflow_index_destroy(struct workflow_index *ix);

/* A session was made: adds it. Steals 'summary'. */
void workflow_index_add(struct workflow_index *ix, struct session_summary *summary)
    REQUIRES(LC_WF_START);
/* A session was changed: steals 'summary', which counts if it is newer; an id that is not there has
 * been removed meanwhile and stays away.  True if state or phase are others than those known. */
bool workflow_index_update(struct workflow_index *ix, struct session_summary *summary)
    REQUIRES(LC_WF_START);
void workflow_index_remove(struct workflow_index *ix, const char *id) REQUIRES(LC_WF_START);

/* A reading of the folder: begin, then for each file known() or found(), then end(), which removes
 * what was not seen.  Several may be under way. */
uint64_t workflow_index_begin(struct workflow_index *ix) REQUIRES(LC_WF_START);
/* True, and seen, if the entry was made from this version of the file. */
bool workflow_index_known(struct workflow_index *ix, uint64_t reading, const char *id,
                          const struct file_identity *identity) REQUIRES(LC_WF_START);
/* Steals 'summary'. */
void workflow_index_found(struct workflow_index *ix, uint64_t reading,
                          const struct file_identity *identity, struct session_summary *summary)
    REQUIRES(LC_WF_START);
void workflow_index_end(struct workflow_index *ix, uint64_t reading) REQUIRES(LC_WF_START);

/* The id of the unfinished session of 'pack' for 'target' that was changed last.  False if there is
 * none. */
bool workflow_index_unfinished(struct workflow_index *ix, const char *pack, const char *target,
                               char id[RECORD_ID_SIZE]) REQUIRES(LC_WF_START);

struct workflow_index_counts {
    size_t all, by_state[RECORD_STATE_COUNT];
};
/* How many there are, in all and in each state. */
struct workflow_index_counts workflow_index_counts(const struct workflow_index *ix)
    REQUIRES(LC_WF_START);
/* All summaries, each a new reference, in a new array of '*count'; unsorted. */
struct session_summary **workflow_index_all(const struct workflow_index *ix, size_t *count)
    REQUIRES(LC_WF_START);

#endif
