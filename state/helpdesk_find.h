/* helpdesk_find.h -- which passages of a helpdesk index are near a question's vector.
 *
 * The score of a passage is 1 / (1 + d), d being the square of the distance of the two vectors, to
 * three decimals: from 1 for the same text down to 0.2 for the opposite, if both have length 1.
 * Most texts have little to do with each other and are near 0.333, so a threshold below that keeps
 * nearly all.  The cosine is told beside it.
 *
 * Nearest come first, ties by number.  A search for context may be told what the words of the
 * question find: then the order is that of both, by places (search_fuse.h), and scores stay what
 * they are.  With diversity wanted (maximal marginal relevance), the best
 * is taken, and then again and again what has the most of lambda * score - (1 - lambda) * its
 * greatest cosine to those taken; this is the order then.  Where words have a say, the score there
 * is not its own but the one that its place in that order has among the scores.  Pure; any thread.
 */
#ifndef TANDEM_HELPDESK_FIND_H
#define TANDEM_HELPDESK_FIND_H

#include "state/helpdesk_index.h"

#define HELPDESK_TOP_MAX 50u    /* Hits. */
#define HELPDESK_FETCH_MAX 200u /* Candidates that diversity may choose from. */
#define HELPDESK_LEAST_KEPT 3u  /* Fewer are over the threshold: see helpdesk_find(). */

struct helpdesk_search {
    unsigned top_k;   /* 1 to HELPDESK_TOP_MAX. */
    unsigned fetch_k; /* At least top_k; at most HELPDESK_FETCH_MAX. */
    bool mmr;         /* Diversity is wanted: of 'fetch_k' candidates. */
    double lambda;    /* 0: nothing but diversity; 1: nothing but nearness. */
    double min_score; /* The threshold; 0 for none. */
    bool context;     /* As context for an answer: better a poor passage than none. */
};

/* What the words of the question find. */
struct helpdesk_found {
    size_t numbers[HELPDESK_WORDS_MAX]; /* Different ones, best first. */
    size_t count;
    double weight; /* Of a place there; one among the nearest has 1. */
};

struct helpdesk_hit {
    size_t number;
    double score, cosine;
    bool below; /* The threshold. */
};

struct helpdesk_hits {
    struct helpdesk_hit items[HELPDESK_TOP_MAX];
    size_t count;
    size_t before; /* How many there were before the threshold. */
    bool fallback; /* Too few were over it: these are the first whatever their scores. */
    bool unscored; /* They are what the words found: nobody knows their scores. */
};

/* The score for the square of a distance. */
double helpdesk_score(double square);

/* Finds what is near 'vector', which has the index' dimension.  Hits below the threshold are left
 * out; in a search for context, if fewer than HELPDESK_LEAST_KEPT would remain, the hits are the
 * first HELPDESK_LEAST_KEPT of all instead, or all if they are fewer.  'found' may be null. */
void helpdesk_find(const struct helpdesk_index *index, const float *vector,
                   const struct helpdesk_found *found, const struct helpdesk_search *search,
                   struct helpdesk_hits *hits);
/* What the words found, best first, where there is no vector to compare with: there is no threshold
 * then, and no diversity. */
void helpdesk_find_by_words(const struct helpdesk_found *found,
                            const struct helpdesk_search *search, struct helpdesk_hits *hits);

#endif
