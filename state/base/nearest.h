/* nearest.h -- which known word was probably meant: for "did you mean" in error messages.
 *
 * Pure; bounded work; any thread. */
#ifndef TANDEM_NEAREST_H
#define TANDEM_NEAREST_H

#include "state/base/mem.h"

/* The index of the word nearest to 'text' by insertions, deletions, replacements and swaps of
 * neighbours, ignoring case; -1 if none is near enough (a third of its length, at least 2) or
 * 'text' is overlong.  Of two equally near the first. */
int text_nearest(struct slice text, const char *const *words, size_t count);

#endif
