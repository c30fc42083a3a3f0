/* mixup.h -- whoever asks for what is another's hears that there is no such thing; the log hears
 * more.
 *
 * Principals are told by tags, so that a log can be searched for one and names nobody. */
#ifndef TANDEM_MIXUP_H
#define TANDEM_MIXUP_H

#include "state/base/mem.h"

/* The tag of a principal.  Pure: may be taken with a lock held. */
uint64_t mixup_tag(struct slice principal);
/* Logs that 'asker' asked for 'what' ("session"), which is 'owner's.  No lock held. */
void mixup_log(const char *what, uint64_t asker, uint64_t owner);

#endif
