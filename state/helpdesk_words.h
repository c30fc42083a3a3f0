/* helpdesk_words.h -- the words of a helpdesk index: the index core of the standards search, over
 * the same passages.
 *
 * Filled by one thread and finished, then immutable, for any thread. */
#ifndef TANDEM_HELPDESK_WORDS_H
#define TANDEM_HELPDESK_WORDS_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdbool.h>

#define HELPDESK_WORDS_MAX 50u /* Passages that are found. */

struct helpdesk_words;

/* A new index of words, without documents, in '*words'.  E_IO, E_OVERLOAD. */
enum err helpdesk_words_create(struct helpdesk_words **words, struct fault *f);
/* Null is ignored. */
void helpdesk_words_destroy(struct helpdesk_words *words);
/* Adds a document by the number of its first passage.  E_TOO_LARGE as search_builder_put(); after
 * any other error it is good for nothing but its end. */
enum err helpdesk_words_add(struct helpdesk_words *words, size_t first, const char *source,
                            struct slice text, struct fault *f);
/* Nothing is added any more; from now on it can be asked. */
enum err helpdesk_words_finish(struct helpdesk_words *words, struct fault *f);

/* Where a passage is: which of the chunks of which document. */
struct helpdesk_word_hit {
    size_t first;
    unsigned ordinal;
};
/* Stores the passages that fit the words of 'query', best first, in 'hits', and how many they are:
 * none for a query without a word.  E_REFUSED, E_IO, E_OVERLOAD. */
enum err helpdesk_words_find(struct helpdesk_words *words, struct slice query,
                             struct helpdesk_word_hit hits[HELPDESK_WORDS_MAX], size_t *count,
                             struct fault *f);

#endif
