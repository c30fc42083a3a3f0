/* search_builder.h -- a generation that is being made: for search_begin.c, which opens it, and
 * search_build.c, which fills and publishes it. */
#ifndef TANDEM_SEARCH_BUILDER_H
#define TANDEM_SEARCH_BUILDER_H

#include "state/base/hash.h"
#include "state/search_counts.h"
#include "state/search_private.h"

/* What there is of a document. */
struct known {
    UT_hash_handle hh;
    int64_t id;
    bool kept;
    char *stamp; /* Owned. */
    char path[]; /* The key. */
};

struct search_builder {
    struct dir *dir; /* Counted; null in memory. */
    const char *name;
    uint64_t generation;
    char *temp; /* The file that is being written; owned, or null. */
    sqlite3 *db;
    struct words *words;
    sqlite3_stmt *add_file, *find_file, *set_words, *add_chunk, *add_words, *add_passage, *add_tag,
        *remove_passage, *find_chunks;
    struct known *known;
    struct search_counts counts;
    struct spelling_set spellings;
    struct search_fields fields;
    struct buf hashes;        /* Of the chunk at hand: its stored form. */
    struct buf words_of;      /* struct rank_count, of the document at hand. */
    const _Atomic bool *stop; /* Borrowed; may be null. */
    bool anew, changed;
};

#endif
