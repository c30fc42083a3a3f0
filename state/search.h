/* search.h -- the search over a project's standards: always fresh, never in the way.
 *
 * A thread of its own builds a generation of the index when the server starts and when the files
 * have changed, beside the one that is in use; then it is put in its place.  Whoever searches uses
 * the generation that is current when he begins, and waits for no build.  While there is none yet,
 * the files are searched as they are ("scan"), not all of them if they are many.
 *
 * Answers are kept by query, filters and generation.  Any thread that holds no lock. */
#ifndef TANDEM_SEARCH_H
#define TANDEM_SEARCH_H

#include "state/base/clock.h"
#include "state/base/slots.h"
#include "state/search_embed.h"
#include "state/search_find.h"

struct bus;
struct search;

/* In the folder of standards: the user's own synonyms (search_synonyms.h). */
#define SYNONYMS_FILE "synonyms.txt"

struct search_options {
    struct dir_place standards; /* With SYNONYMS_FILE in it; copied, as is the next. */
    struct dir_place index;     /* Where the index may be kept on disk; made when it is needed. */
    const struct clock *clock;  /* Borrowed. */
    struct embedder *embedder;  /* Makes vectors that the ranking goes by too; counted; or null. */
    int64_t query_ns;           /* How long a question waits for its vector. */
    bool keep;                  /* The index may be kept on disk: nobody else writes it. */
    struct bus *bus;            /* Is told of each new index; borrowed; may be null. */
};

/* A new search, which looks at all files for each question until it is prepared.  Never null. */
struct search *search_create(const struct search_options *options);
/* Says that it will be started: a question that is asked before there is an index looks at some
 * files only.  At most once, before others ask.  E_IO if there can be no threads for vectors. */
enum err search_prepare(struct search *s, struct fault *f);
/* Starts the thread that keeps an index, of one that is prepared: what a server does, which then
 * stirs it.  At most once; others may ask meanwhile.  E_IO if there can be no thread. */
enum err search_start(struct search *s, struct fault *f);
/* Ends the thread within a moment, and frees.  Null is ignored. */
void search_destroy(struct search *s);

/* The files may have changed: they are looked at again.  Any thread, whatever it holds but SEARCH
 * and what is below it. */
void search_stir(struct search *s);
/* Waits until all changes made before the call are in the current generation, or it is clear that
 * they cannot be; false when 'deadline_ns' (monotonic) came first. */
bool search_settle(struct search *s, int64_t deadline_ns);

/* Whether an answer went by vectors too. */
enum search_vectors_use {
    SEARCH_NO_VECTORS,     /* Nobody makes any. */
    SEARCH_WITH_VECTORS,   /* It did. */
    SEARCH_VECTORS_UNMADE, /* The passages have none yet. */
    SEARCH_VECTOR_LATE,    /* That of the question did not come in time, */
    SEARCH_VECTOR_TROUBLE, /* or could not be had. */
};

struct search_answer {
    const struct search_hits *hits; /* Valid until released. */
    bool scan;                      /* There was no index yet. */
    bool partial;                   /* And not all files could be looked at. */
    bool stale;                     /* Files have changed since, and are being looked at. */
    bool cached;                    /* Somebody had asked that before. */
    bool nothing;                   /* There is no standard at all. */
    enum search_vectors_use vectors;
    struct slot_pin pin;
};

/* Answers 'ask', whose 'synonyms' are the search's own affair.  As search_find(); E_NOT_READY. */
enum err search_ask(struct search *s, const struct search_ask *ask, struct search_answer *answer,
                    struct fault *f);
void search_release(struct search *s, struct search_answer *answer);

/* What a caller has made of a kept answer may be kept with it: text, as a rule the answer as it is
 * told.  Keeps 'text' (a reference is taken) with 'answer', unless something is kept with it
 * already, or the answer is not kept itself. */
void search_keep_text(const struct search_answer *answer, struct bytes *text);
/* The text that is kept with the answer to 'ask', counted, if search_ask() would tell that answer
 * now, of files that have not changed since; else null, as always where answers go by vectors.
 * Reads no file and waits for nobody: for a transport's thread. */
struct bytes *search_kept_text(struct search *s, const struct search_ask *ask);

struct search_status {
    struct search_store_info index; /* All 0 while there is none. */
    bool ready, stale;
    unsigned skipped; /* Files that could not be read, or are no UTF-8. */
    uint64_t builds, failures;
    char trouble[512]; /* Why the last build failed; empty if it did not. */
    bool embeds;       /* There is an embedder, and this is how far it is: */
    struct search_embed_status vectors;
};
/* How the index is, and what its caches have counted, now. */
void search_status(struct search *s, struct search_status *status);
struct slots_counters search_counters(struct search *s);
/* Of the vectors of questions; all 0 without an embedder. */
struct slots_counters search_query_counters(struct search *s);

#endif
