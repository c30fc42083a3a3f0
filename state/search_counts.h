/* search_counts.h -- in how many passages and documents each word is: what a build changes of it.
 *
 * For the thread that builds. */
#ifndef TANDEM_SEARCH_COUNTS_H
#define TANDEM_SEARCH_COUNTS_H

#include "state/base/sql.h"
#include "state/search_rank.h"

struct search_delta;

/* Zero but for the lengths of the generation before is the beginning. */
struct search_counts {
    struct search_delta *deltas; /* By hash; owned. */
    uint64_t passages;           /* How many were counted. */
    double length;               /* Of all passages, as rank_length() gives it. */
    double document_length;      /* Of all documents, the sum of their frequencies. */
};

/* One passage more (by 1) or less (by -1). */
void search_count_passage(struct search_counts *c, const struct rank_words *words, int by);
/* The same for a document; 'words' holds struct rank_count, aligned. */
void search_count_document(struct search_counts *c, struct slice words, int by);
/* Adds what has changed to the table of words.  Errors as sql_do(). */
enum err search_counts_write(const struct search_counts *c, sqlite3 *db, struct fault *f);
void search_counts_fini(struct search_counts *c);

#endif
