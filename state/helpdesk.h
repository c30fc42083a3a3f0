/* helpdesk.h -- the helpdesk's indexes: one that all tenants share, and those of their own.
 *
 * An index is loaded when it is first asked for (or preloaded), once however many ask: they wait,
 * each to its own deadline, and the load is nobody's in particular, so that who gives up takes
 * nothing from the others.  What is loaded is immutable; a search pins it and holds no lock.  A
 * reload builds another beside it and puts that in its place; searches that run end on the old one.
 *
 *   UNLOADED -> LOADING -> READY     once there is an index it stays, even if a reload fails
 *                                    (by words alone, and tried again as FAILED, if the embedder
 *                                    could not be used)
 *                       -> FAILED    tried again after 2 s, 4 s, ... 10 s: by the helpdesk itself
 *                                    until the third attempt, then by whoever asks next
 *
 * Any thread that holds no lock; takes HELPDESK. */
#ifndef TANDEM_HELPDESK_H
#define TANDEM_HELPDESK_H

#include "state/base/clock.h"
#include "state/base/slots.h"
#include "state/helpdesk_find.h"
#include "state/helpdesk_load.h"

#define HELPDESK_QUERY_MAX 2000u /* Characters. */
#define HELPDESK_ATTEMPTS 3u     /* Of one load. */
#define HELPDESK_RETRY_NS INT64_C(2000000000)
#define HELPDESK_RETRY_MOST_NS INT64_C(10000000000)

struct bus;
struct helpdesk;
struct keeper;

struct helpdesk_options {
    /* The root and the embedder are counted, the folder is copied; 'remote' is taken over. */
    struct helpdesk_place place;
    const struct clock *clock; /* Borrowed. */
    struct bus *bus;           /* Borrowed; null: nobody is told. */
    unsigned indexes;          /* At most so many at once; the longest unused makes room. */
};

/* A new helpdesk, which has loaded nothing. */
struct helpdesk *helpdesk_create(const struct helpdesk_options *options);
/* Has 'keeper', who must outlive it, see to retries; with 'preload' the shared index is loaded.  At
 * most once. */
void helpdesk_keep(struct helpdesk *h, struct keeper *keeper, bool preload);
/* Begins what is to be tried again and whose time has come; true if there will be more.  What the
 * keeper does. */
bool helpdesk_retry(struct helpdesk *h);
/* The server is ending: loads that run give up, and there will be no others. */
void helpdesk_give_up(struct helpdesk *h);
/* No other thread may be using it.  Null is ignored. */
void helpdesk_destroy(struct helpdesk *h);

/* Who asks, of which index, and how long he waits. */
struct helpdesk_asker {
    const char *tenant;  /* Whom events are told to. */
    const char *index;   /* Null: the shared one. */
    int64_t deadline_ns; /* On the machine's monotonic clock. */
    bool (*stopped)(
        void *arg); /* Asked now and then: he does not want it any more.  May be null. */
    void *arg;
};

struct helpdesk_ask {
    struct slice query;            /* Not empty; at most HELPDESK_QUERY_MAX characters. */
    struct helpdesk_search search; /* Within the bounds of helpdesk_find.h. */
};

struct helpdesk_answer {
    const struct helpdesk_index *index; /* What the hits are numbers of; until released. */
    struct helpdesk_hits hits;
    bool words;                           /* Had a say in the order; */
    char degraded[512];                   /* all of it: why there were no vectors.  Else empty. */
    int64_t waited_ns, embed_ns, find_ns; /* For the index, for the question's vector, to find. */
};

/* Searches.  An index without documents has no hits, which is no error.  Where the embedder cannot
 * be used the words of the question answer alone, and the answer says so.  E_ARGUMENT: the query or
 * the bounds; E_NOT_READY: the index cannot be loaded now, or it has no words and the embedder
 * cannot be used; E_LIMIT: likewise, not so often; E_TIMEOUT and E_CANCELLED: the asker waited in
 * vain. */
enum err helpdesk_search(struct helpdesk *h, const struct helpdesk_asker *asker,
                         const struct helpdesk_ask *ask, struct helpdesk_answer *answer,
                         struct fault *f);
/* Lets go of the index; 'answer' may be zero. */
void helpdesk_release(struct helpdesk_answer *answer);

/* Loads the index anew and waits for it: by a load that begins after this call, shared with all who
 * call meanwhile.  With 'clear' no vector is taken over from the index before, and no copy of a
 * remote file is used.  On an error, what the load says, the old index stays; E_TIMEOUT and
 * E_CANCELLED as above, then it goes on. */
enum err helpdesk_reload(struct helpdesk *h, const struct helpdesk_asker *asker, bool clear,
                         struct fault *f);

#define HELPDESK_STATES(ROW)  \
    ROW(UNLOADED, "unloaded") \
    ROW(LOADING, "loading")   \
    ROW(READY, "ready")       \
    ROW(FAILED, "failed")
enum helpdesk_state {
#define ROW(NAME, WORD) HELPDESK_##NAME,
    HELPDESK_STATES(ROW)
#undef ROW
};
/* As it is told; borrowed for ever. */
const char *helpdesk_state_name(enum helpdesk_state state);

struct helpdesk_status {
    enum helpdesk_state state;
    bool reloading;   /* READY, and another is being made. */
    char error[512];  /* Of the last load, if it failed; else empty. */
    int64_t retry_ns; /* FAILED or degraded: not before so long from now is it tried again. */
    bool degraded;    /* It goes by words alone, until there are vectors: 'error' says why. */
    size_t vectors, documents, skipped, reused;
    unsigned dimension;                 /* 0: not known yet. */
    char embedder[EMBED_IDENTITY_SIZE]; /* Of the index, or the one that there is. */
    int64_t loaded_ns;                  /* Wall clock; 0: never. */
    bool stale;
    uint64_t generation; /* 0: none. */
    uint64_t loads;      /* How often the files were read, with or without success; */
    uint64_t failures;   /* without. */
    uint64_t searches;
};
/* Never waits, and loads nothing.  'index' as in struct helpdesk_asker. */
void helpdesk_status(struct helpdesk *h, const char *index, struct helpdesk_status *status);
/* Of all indexes since the start, those that are no longer in memory too; as above. */
struct helpdesk_totals {
    uint64_t loads, failures, searches;
};
/* What is counted, as it is now. */
struct helpdesk_totals helpdesk_totals(struct helpdesk *h);
/* Of the table of indexes. */
struct slots_counters helpdesk_counters(struct helpdesk *h);

#endif
