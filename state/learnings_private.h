/* learnings_private.h -- what the files of the lessons share.
 *
 *   learnings.c        adding, asking, life
 *   learnings_table.c  tenants, who learns there, lessons; room
 *   learnings_file.c   reading, writing, and the thread that does */
#ifndef TANDEM_LEARNINGS_PRIVATE_H
#define TANDEM_LEARNINGS_PRIVATE_H

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/learnings.h"
#include "state/tenant_id.h"

struct lesson {
    struct bytes *line; /* Counted: JSON in one line, with its end. */
    bool written;
    struct lesson *next, *prev;
};

/* Who learns, and has a file.  It is in the table as long as its tenant; its lessons come and go.
 */
struct learner {
    char name[LEARNINGS_TARGET_SIZE];
    struct learner_tenant *tenant;
    struct lesson *lessons; /* Oldest first. */
    size_t bytes;
    bool loaded;       /* What the file held is among them. */
    bool rewrite;      /* The file holds more than they are, or what is no lesson. */
    uint64_t owed;     /* Lessons that a writing took, and failed. */
    unsigned pins;     /* Threads that read or write its file: its lessons stay. */
    uint64_t tried;    /* Number of the writing that has looked at it last. */
    UT_hash_handle hh; /* In the order of last use: the oldest first. */
};

struct learner_tenant {
    char id[TENANT_ID_SIZE];
    struct learner *learners;
    size_t bytes;      /* Of all their lessons. */
    bool listed;       /* All that have files are there. */
    unsigned pins;     /* Threads that use it: it stays. */
    UT_hash_handle hh; /* As above. */
};

struct learnings {
    struct dir *data;
    const struct clock *clock;
    char *home;
    bool threaded;
    pthread_t thread;
    struct lock lock; /* RANK_FAILURES; guards all below. */
    struct cond wanted;
    struct cond idle; /* Nobody writes. */
    struct learner_tenant *tenants GUARDED_BY(LC_FAILURES);
    size_t bytes GUARDED_BY(LC_FAILURES);
    bool dirty GUARDED_BY(LC_FAILURES), ending GUARDED_BY(LC_FAILURES);
    bool writing GUARDED_BY(LC_FAILURES);
    uint64_t writings GUARDED_BY(LC_FAILURES);
    struct learnings_counters counters GUARDED_BY(LC_FAILURES);
};

/* ---- learnings_table.c ---- */

/* A tenant, pinned, and from now on the one that was used last.  E_LIMIT: there are too many whose
 * lessons are not written. */
enum err learner_tenant_get(struct learnings *l, const char *id, struct learner_tenant **tenant,
                            struct fault *f) REQUIRES(LC_FAILURES);
/* The learner, now the one that was used last; null if it is not there. */
struct learner *learner_find(struct learner_tenant *tenant, const char *name);
/* Adds one that is not there. */
struct learner *learner_add(struct learner_tenant *tenant, const char *name);
/* Whether its file is to be written. */
bool learner_is_dirty(const struct learner *r);
/* Adds a lesson, stolen, as the newest; the oldest make room, and then others' that are in files.
 */
void lessons_add(struct learnings *l, struct learner *r, struct lesson *lesson)
    REQUIRES(LC_FAILURES);
/* Puts what the file held before what has been added since. */
void lessons_put_before(struct learnings *l, struct learner *r, struct slice text)
    REQUIRES(LC_FAILURES);
/* Frees all; nobody uses any. */
void learners_free(struct learnings *l) REQUIRES(LC_FAILURES);

/* ---- learnings_file.c: no lock is held ---- */

/* Sees to it that all who have files are in the table of 'tenant', which is pinned. */
enum err learnings_list(struct learnings *l, struct learner_tenant *tenant, struct fault *f)
    EXCLUDES(LC_FAILURES);
/* Reads the file of 'r', which is pinned, unless that was done. */
enum err learnings_load(struct learnings *l, struct learner *r, struct fault *f)
    EXCLUDES(LC_FAILURES);
/* The thread that writes; 'arg' is the store. */
void *learnings_run(void *arg);

#endif
