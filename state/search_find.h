/* search_find.h -- one query on one generation: what fits it, best first.
 *
 * The words of the query, rarest first, choose candidates until enough passages have been looked
 * at; all words, and those that stand for them, then rank the candidates, as search_rank.h says.  A
 * document counts with its best passage and half of its second; the best passage of each document
 * comes first, then the further ones.  If it is told which passages are near to the query by some
 * vectors, both orders are fused.  The same query on the same documents gives the same order
 * always.  Any thread. */
#ifndef TANDEM_SEARCH_FIND_H
#define TANDEM_SEARCH_FIND_H

#include "state/search_rank.h"
#include "state/search_store.h"
#include "state/search_synonyms.h"
#include "state/search_tags.h"

#define SEARCH_QUERY_MAX 4096u /* Bytes. */
#define SEARCH_HITS_MAX 50u
#define SEARCH_NEAR_MAX 64u

struct search_ask {
    struct slice query;              /* A part between double quotes must stand there as it is. */
    unsigned limit;                  /* 1 to SEARCH_HITS_MAX. */
    int phase;                       /* -1: any. */
    const struct tag_list *tags;     /* A passage must have all; null or empty: any. */
    const struct synonyms *synonyms; /* Borrowed; null: none. */
    unsigned without;                /* enum rank_means that are left out. */
    const int64_t *near;             /* Passages of this very generation, nearest first: by vectors,
                                      * with the same filters.  Borrowed. */
    size_t near_count;               /* At most SEARCH_NEAR_MAX count. */
};

struct search_hit {
    char *path, *title; /* Of the document; owned, as all text here. */
    char *heading;      /* Path of headings. */
    char *text;
    unsigned ordinal, line;
    int phase; /* -1: none. */
    struct rank_score score;
    unsigned near; /* Its place by vectors, from 1; 0: none. */
};

struct search_hits {
    struct search_hit *items; /* Owned. */
    size_t count;
    unsigned words, known; /* Words of the query; those that the index has. */
    unsigned candidates;   /* Passages ranked. */
    uint64_t generation;
};

/* E_ARGUMENT for a query without a word, or too long; E_REFUSED if the index is damaged; E_IO,
 * E_OVERLOAD. */
enum err search_find(struct search_store *store, const struct search_ask *ask,
                     struct search_hits *hits, struct fault *f);
void search_hits_fini(struct search_hits *hits);

#endif
