/* search_common.h -- words that say how something is asked, not what about: "how do I", "should".
 *
 * Where texts are few such a word may be rare, and would count for much by that. */
#ifndef TANDEM_SEARCH_COMMON_H
#define TANDEM_SEARCH_COMMON_H

#include "state/base/mem.h"

#include <stdbool.h>

/* True for such a word of English, however its letters are written. */
bool search_is_common(struct slice word);

#endif
