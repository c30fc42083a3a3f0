/* search_spell.h -- the words of an index as they are written, for a word of a query that it does
 * not know: misspelled, or spelled as elsewhere ("optimise").
 *
 * Stems will not do: that of a misspelled word may be anything.  Each known word has its pairs of
 * letters hashed into 64 bits; one edit changes three pairs at most, so comparing bits leaves few
 * words whose edits have to be counted.  A list is immutable, for any thread; a collection is for
 * the thread that builds. */
#ifndef TANDEM_SEARCH_SPELL_H
#define TANDEM_SEARCH_SPELL_H

#include "state/search_words.h"

#define SPELL_BYTES_MIN 4u /* Shorter words are near too many others. */
#define SPELL_BYTES_MAX 24u
#define SPELL_LONG 8u   /* From here on two edits make the same word, else one. */
#define SPELL_NEAREST 3 /* Words that are told. */

/* ---- While a generation is built ---- */

struct spelling_seen;
/* Zero is an empty collection. */
struct spelling_set {
    struct spelling_seen *seen; /* Owned. */
};

/* Notes a word of a passage, once however often it comes; copied. */
void spelling_note(struct spelling_set *set, const struct word *word);
/* Adds what was noted to the table, and takes out of it what no passage has any more.  Errors as
 * sql_do(). */
enum err spelling_write(const struct spelling_set *set, sqlite3 *db, struct fault *f);
void spelling_set_fini(struct spelling_set *set);

/* ---- In a finished one ---- */

struct spellings;

struct spelling {
    uint32_t hash;    /* Of the stem. */
    const char *text; /* Borrowed from the list. */
};

/* A new list of what the table holds.  Errors as sql_step(). */
enum err spellings_load(sqlite3 *db, struct spellings **list, struct fault *f);
/* Null is ignored. */
void spellings_free(struct spellings *list);
/* Puts the known words that are the fewest edits away from 'word' into 'near', in the order of the
 * alphabet, and tells how many: none if it takes too many edits, or is too short. */
size_t spellings_near(const struct spellings *list, struct slice word,
                      struct spelling near[SPELL_NEAREST]);

#endif
