/* search_query.h -- a query as it is answered: its words, what stands for them, what they are
 * worth.
 *
 * For search_find.c. */
#ifndef TANDEM_SEARCH_QUERY_H
#define TANDEM_SEARCH_QUERY_H

#include "state/search_find.h"
#include "state/search_private.h"

#define PHRASES_MAX 4u        /* Parts between quotes. */
#define SEARCH_CANDIDATES 64u /* Passages that are ranked. */

struct term {
    uint32_t hash;
    char *text; /* As it is asked for in a match expression; owned. */
    uint64_t passages;
    bool synonym;
};

/* A query being answered. */
struct search_run {
    struct search_store *store;
    struct search_reader *reader;
    const struct search_ask *ask;
    struct term terms[RANK_TERMS_MAX];
    size_t count;
    char *phrases[PHRASES_MAX]; /* Owned. */
    size_t phrase_count;
    unsigned words;
    struct rank_query query;
};

/* Reads the words of the query, its quoted parts, and what may stand for its words.  E_ARGUMENT if
 * there is none, or it is too long; E_OVERLOAD. */
enum err search_read_query(struct search_run *s, struct fault *f);
/* Finds out how many passages have each word, and what that makes it worth. */
enum err search_weigh_terms(struct search_run *s, struct fault *f);
/* Writes the expression that chooses candidates: the phrases, if wanted, and any of the rarest
 * words.  False if the index knows none of them. */
bool search_write_match(const struct search_run *s, bool with_phrases, struct buf *out);

#endif
