/* text_diff.h -- what differs between two texts, for people: one hunk in the unified form.
 *
 * What is shown lies between the first and the last line that differ: right, and short where a
 * change is in one place.  Pure. */
#ifndef TANDEM_TEXT_DIFF_H
#define TANDEM_TEXT_DIFF_H

#include "state/base/mem.h"

/* Adds the difference of 'before' and 'after', both called 'name', to 'out'; nothing if they are
 * the same.  Control characters are shown as '?', but for tabs. */
void text_diff(struct buf *out, const char *name, struct slice before, struct slice after);

#endif
