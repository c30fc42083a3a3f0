/* suspension.h -- what is open for a tenant ends when the tenant is served no more.
 *
 * A call looks at its tenant's settings when it begins; a stream that was opened once would go on
 * for ever.  So about once a second each tenant for whom events are read (/ws, /events) or who has
 * a subscription is looked at, once for all its streams, by one look at its file unless that has
 * changed.  Streams of one that is suspended, or gone, end with the reason. */
#ifndef TANDEM_SUSPENSION_H
#define TANDEM_SUSPENSION_H

#include <stdbool.h>

struct dispatcher;

/* Looks at all of them.  True while there are any.  Reads files; the caller holds no lock. */
bool suspension_tick(struct dispatcher *d);

#endif
