/* search_query.h -- a query as it is answered: its words, what stands for them, what they are
 * worth.
 *
 * For search_find.c. */
#ifndef TANDEM_SEARCH_QUERY_H
#define TANDEM_SEARCH_QUERY_H

#include "state/search_find.h"
#include "state/search_private.h"

#define PHRASES_MAX 4u         /* Parts between quotes. */
#define SEARCH_CANDIDATES 128u /* Passages that are ranked. */

struct term {
    uint32_t hash;
    char *text; /* As it is asked for in a match expression; owned. */
    enum rank_kind kind;
    unsigned of; /* The index of the query's word that it is, or stands for. */
    uint64_t passages, documents;
};

/* A query being answered. */
struct search_run {
    struct search_store *store;
    struct search_reader *reader;
    const struct search_ask *ask;
    struct term terms[RANK_TERMS_MAX]; /* Those of the query first. */
    size_t count;
    char *phrases[PHRASES_MAX]; /* Owned. */
    size_t phrase_count;
    unsigned words;
    struct rank_query query;
};

/* Reads the words of the query and its quoted parts.  E_ARGUMENT if it has no word, or is too long;
 * E_OVERLOAD. */
enum err search_read_query(struct search_run *s, struct fault *f);
/* Adds what may stand for its words, the user's own synonyms before others, and finds out what each
 * is worth. */
enum err search_expand_query(struct search_run *s, struct fault *f);
/* Writes the expression that chooses candidates: the phrases, if wanted, and any of the rarest
 * words.  False if the index knows none of them. */
bool search_write_match(const struct search_run *s, bool with_phrases, struct buf *out);

#endif
