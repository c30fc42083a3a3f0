/* judged.h -- queries of which it is known what should be found, and how well it was.
 *
 * Everything aborts on failure: nothing can be measured without its files. */
#ifndef TANDEM_TESTS_JUDGED_H
#define TANDEM_TESTS_JUDGED_H

#include "state/search_find.h"
#include "tests/tree.h"

struct judged {
    char *query;
    char *relevant; /* Paths, with commas between; any of them counts. */
};

struct judged_set {
    struct judged *items; /* Owned, as are their texts. */
    size_t count;
};

/* Reads a file of queries: the query, TAB, its paths, a line each. */
void judged_read(struct judged_set *set, const char *path);
/* Takes out of the standards in 'tree' what their authors expect to be asked (the sections
 * "Questions this answers" and "When to query this standard"), and makes queries of it whose answer
 * is the standard each one came from. */
void judged_take(struct judged_set *set, const struct tree *tree);
/* The same queries with one letter wrong in each of their two longest words; always the same ones.
 */
void judged_misspell(struct judged_set *set, const struct judged_set *right);
void judged_fini(struct judged_set *set);

/* An index of the standards in 'tree', in memory, as the generation 1; counted.  'stems': of their
 * words. */
struct search_store *judged_index(const struct tree *tree, bool stems);

struct judged_vectors;
/* Vectors of all passages, made of their letters (embed_hashed.h). */
struct judged_vectors *judged_embed(struct search_store *store);
/* Null is ignored. */
void judged_vectors_free(struct judged_vectors *v);

struct judged_figures {
    unsigned all, first, five; /* Queries; those with a relevant document first, among five. */
    double mrr;                /* Mean of 1 / the place of the first relevant document. */
};
/* Asks all, each as 'ask' says but for its query; with 'vectors' (of that store; null: none) the
 * passages that are near by them are fused. */
struct judged_figures judged_ask(const struct judged_set *set, struct search_store *store,
                                 const struct search_ask *ask,
                                 const struct judged_vectors *vectors);

#endif
