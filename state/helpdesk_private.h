/* helpdesk_private.h -- what the files of the helpdesk share: helpdesk.c has the table of
 * indexes, helpdesk_life.c loads, helpdesk_wait.c waits, helpdesk_ask.c answers. */
#ifndef TANDEM_HELPDESK_PRIVATE_H
#define TANDEM_HELPDESK_PRIVATE_H

#include "state/base/lock.h"
#include "state/base/pool.h"
#include "state/helpdesk.h"

#include <stdatomic.h>

struct keeper_job;

struct helpdesk {
    struct helpdesk_options options; /* Set once, as are the next three. */
    char *folder;                    /* Owned. */
    struct slots *desks;             /* One for each index, by its name. */
    struct pool *loaders;
    _Atomic bool stopping;
    _Atomic uint64_t generations;                       /* Of all indexes. */
    struct lock lock;                                   /* Guards what changes in a desk. */
    struct cond changed;                                /* A load has ended. */
    struct keeper_job *retries GUARDED_BY(LC_HELPDESK); /* Null without a keeper. */
    struct helpdesk_totals totals GUARDED_BY(LC_HELPDESK);
};

/* An index and its life.  A desk that is in use, or loads, is never dropped. */
struct desk {
    struct job job;                                          /* First: a load. */
    struct helpdesk *helpdesk;                               /* Borrowed. */
    char *name;                                              /* Owned; set once. */
    struct slot_pin self GUARDED_BY(LC_HELPDESK);            /* As whoever uses it has it. */
    struct slot_pin working GUARDED_BY(LC_HELPDESK);         /* Of the load that is begun. */
    char tenant[HELPDESK_NAME_SIZE] GUARDED_BY(LC_HELPDESK); /* Who asked first. */
    struct helpdesk_index *current GUARDED_BY(LC_HELPDESK);  /* Counted; or null. */
    bool busy GUARDED_BY(LC_HELPDESK);                       /* A load is begun. */
    bool clear GUARDED_BY(LC_HELPDESK); /* The next load is to take nothing over. */
    /* Loads that were wanted; of them, those that the load under way is for; those that are done.
     */
    uint64_t wanted GUARDED_BY(LC_HELPDESK), running GUARDED_BY(LC_HELPDESK),
        seen GUARDED_BY(LC_HELPDESK);
    struct fault fault GUARDED_BY(LC_HELPDESK); /* Of the last load; code E_OK: none. */
    unsigned failures GUARDED_BY(LC_HELPDESK);  /* In a row. */
    unsigned attempts GUARDED_BY(LC_HELPDESK);  /* Of what somebody asked for. */
    int64_t retry_at GUARDED_BY(LC_HELPDESK);   /* Monotonic, of the helpdesk's clock. */
    uint64_t loads GUARDED_BY(LC_HELPDESK),
        load_failures GUARDED_BY(LC_HELPDESK), searches GUARDED_BY(LC_HELPDESK);
};

/* Whether it has no index, or only one that goes by words until there are vectors. */
static inline bool
REQUIRES(LC_HELPDESK) helpdesk_lacks(const struct desk *d)
{
    return !d->current || d->current->without[0];
}

/* The desk of the index that 'asker' asks for, pinned. */
enum err helpdesk_find_desk(struct helpdesk *h, const struct helpdesk_asker *asker,
                            struct slot_pin *pin, struct fault *f);
/* Notes that somebody wants a load, which is to be begun then; returns its number.  'again': it is
 * the next attempt of one that was wanted before. */
uint64_t helpdesk_want_locked(struct desk *d, bool again) REQUIRES(LC_HELPDESK);
/* Begins the load of 'd' that is wanted, unless somebody has done so since.  Takes over 'pin',
 * which is of 'd'. */
void helpdesk_begin(struct desk *d, struct slot_pin pin);
/* The index that 'asker' asks for, loaded and counted, in '*index'; that is one search of it.  As
 * helpdesk_search(). */
enum err helpdesk_pin(struct helpdesk *h, const struct helpdesk_asker *asker,
                      struct helpdesk_index **index, struct fault *f);
/* Tells what happened to those of 'tenant'; null: to all.  Steals 'data'. */
void helpdesk_tell(struct helpdesk *h, const char *topic, const char *tenant, json_t *data);

#endif
