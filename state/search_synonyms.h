/* search_synonyms.h -- words that mean much the same, for queries that use another one than the
 * text.
 *
 * A list has a group on each line; '#' begins a comment.  With commas between them its words may
 * stand for each other: "mutex, lock".  With '=' they are forms of one word, which is found as well
 * by any: "write = wrote = written", "colour = color".  A word may be in several groups; of a group
 * of several words each one is looked for by itself.  Immutable once made; any thread. */
#ifndef TANDEM_SEARCH_SYNONYMS_H
#define TANDEM_SEARCH_SYNONYMS_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdbool.h>

#define SYNONYMS_BYTES_MAX (256u * 1024) /* Of the user's list. */

struct synonyms;

struct synonym {
    const char *word;
    bool form; /* Another form of the word itself. */
    bool own;  /* Of the user's list. */
};

/* The words of the trade that come with tandem, and those of 'own' (the user's list, may be empty),
 * known by their stems, as the words of an index are (see words_create()).  E_REFUSED with its line
 * for what is no such list, E_TOO_LARGE, E_OVERLOAD. */
enum err synonyms_create(struct slice own, bool stems, struct synonyms **synonyms, struct fault *f);
/* Null is ignored. */
void synonyms_destroy(struct synonyms *s);
/* Calls 'take' for each word that may stand for the one whose stem has this hash, those of the
 * user's list first. */
void synonyms_each(const struct synonyms *s, uint32_t hash,
                   void (*take)(void *arg, const struct synonym *synonym), void *arg);

#endif
