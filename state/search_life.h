/* search_life.h -- what the files of the search share:
 *
 *   search.c          the whole: begins, ends, is told of changes
 *   search_keep.c     its thread: builds, and puts in place what it has built
 *   search_answers.c  questions, and the answers that are kept */
#ifndef TANDEM_SEARCH_LIFE_H
#define TANDEM_SEARCH_LIFE_H

#include "state/base/lock.h"
#include "state/embed_queries.h"
#include "state/search.h"
#include "state/search_look.h"

#include <pthread.h>
#include <stdatomic.h>

#define SEARCH_ANSWER_NS INT64_C(3600000000000) /* How long an answer is kept. */

struct edition {
    _Atomic unsigned refs;
    uint64_t number;                /* Of all editions, rising. */
    struct search_store *store;     /* Counted. */
    struct synonyms *synonyms;      /* Owned. */
    struct search_vectors *vectors; /* Counted; or null. */
    bool scan, partial;             /* Made for one query, of some files. */
    struct edition *next_gone;      /* Of those that nobody uses any more. */
};

struct search {
    struct search_options options;
    struct slots *answers;
    struct search_embed *embed;    /* Owned; null without an embedder, as is the next, */
    struct embed_queries *queries; /* which is there once it is prepared. */
    pthread_t thread;
    bool prepared; /* Set before there are other threads. */
    bool started;  /* Of who starts and destroys. */
    _Atomic bool stopping;

    struct lock lock;
    struct cond wake;                              /* The thread: there is something to do. */
    struct cond settled;                           /* Others: 'seen' has risen. */
    uint64_t wanted GUARDED_BY(LC_SEARCH);         /* Rises with each change. */
    uint64_t seen GUARDED_BY(LC_SEARCH);           /* What the last look had. */
    bool damaged GUARDED_BY(LC_SEARCH);            /* The current index is to be made anew. */
    struct edition *current GUARDED_BY(LC_SEARCH); /* Counted, or null. */
    bool offered GUARDED_BY(LC_SEARCH);            /* There are new vectors to be taken. */
    bool outdated GUARDED_BY(LC_SEARCH);           /* They are another model's: anew. */
    struct edition *gone GUARDED_BY(LC_SEARCH);    /* To be freed by the thread. */
    unsigned skipped GUARDED_BY(LC_SEARCH);        /* By the last look. */
    uint64_t builds GUARDED_BY(LC_SEARCH), failures GUARDED_BY(LC_SEARCH);
    char trouble[512] GUARDED_BY(LC_SEARCH);

    char *synonyms_path; /* Relative to the base of the standards; set once; owned. */

    /* The thread's own. */
    bool opened;            /* There have been standards. */
    struct dir *index;      /* Counted; null: generations live in memory, */
    bool homeless;          /* though they were to be on disk. */
    int64_t again_ns;       /* By the clock: when to look unasked; INT64_MAX: never. */
    int64_t again_after_ns; /* How long to wait for that the next time. */
    uint64_t generation;    /* The highest there was. */
    uint64_t editions;
    struct search_look told;       /* By the last look that was seen to its end. */
    struct file_identity synonyms; /* Of the file that the current edition has. */
};

/* What the thread runs; 'search' is a struct search. */
void *search_run_thread(void *search);

/* Of search_edition.c: a new edition, counted.  Takes the reference to 'store'. */
struct edition *edition_make(const struct search *s, struct search_store *store, uint64_t number);
/* Null is ignored.  Who drops the last reference frees, and may wait for the disk. */
void edition_unref(struct edition *e);
/* The same for those who ask: the thread frees, so that no query waits for what a swap leaves. */
void edition_drop(struct search *s, struct edition *e);
/* Frees a list of them. */
void editions_free(struct edition *gone);
/* The one in use, counted, or null; '*stale': files have changed since it was made. */
struct edition *edition_current(struct search *s, bool *stale);

extern const struct slots_class search_answers_class;

#endif
