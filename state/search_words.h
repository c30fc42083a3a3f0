/* search_words.h -- text as the words that an index knows: folded, stemmed, identifiers taken
 * apart.
 *
 * The tokenizer is that of SQLite's FTS5 (unicode61 with Porter's stemmer), so a word here is a
 * word there.  Before it sees a text, names in camelCase are split; snake_case it splits itself. */
#ifndef TANDEM_SEARCH_WORDS_H
#define TANDEM_SEARCH_WORDS_H

#include "state/base/sql.h"

#include <stdbool.h>

/* How a table of passages is to split its text: the same way. */
#define WORDS_STEMMED "porter unicode61"
#define WORDS_AS_WRITTEN "unicode61"

struct words;

struct word {
    struct slice text; /* As it stands in the split text. */
    struct slice stem;
    uint32_t hash; /* Of the stem: what stands for the word in an index. */
};

/* A new tokenizer, of one connection and, like it, for one thread at a time; without 'stems' a word
 * is its own stem.  E_INTERNAL if this SQLite has no FTS5; E_OVERLOAD. */
enum err words_create(sqlite3 *db, bool stems, struct words **words, struct fault *f);
/* Null is ignored. */
void words_destroy(struct words *w);

/* Adds 'text' with a blank put into each name at "aB" and "ABc": what a table is given, and
 * words_each(). */
void words_split(struct slice text, struct buf *out);
/* Calls 'take' for each word of a text that has been split, in order; its slices are valid during
 * the call.  False if 'take' said so, or there was no memory. */
bool words_each(struct words *w, struct slice split, bool (*take)(void *arg, const struct word *),
                void *arg);

#endif
