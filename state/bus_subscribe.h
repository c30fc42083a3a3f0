/* bus_subscribe.h -- subscribers in the process: functions that the bus calls, on a thread of its
 * own, in the order of the events.
 *
 * The thread starts with the first subscriber.  What waits for it is bounded; what is over that is
 * not told here, but kept and read by others, and is counted.  Subscribers see the events of all
 * tenants. */
#ifndef TANDEM_BUS_SUBSCRIBE_H
#define TANDEM_BUS_SUBSCRIBE_H

#include "state/bus.h"

/* Tells of 'event', borrowed for the call.  The thread of the bus, which holds no lock: it may
 * publish, subscribe and unsubscribe, itself too; what takes long holds up all other subscribers.
 * What it returns other than E_OK is counted, and no more comes of it. */
typedef enum err (*bus_callback)(void *arg, const struct bus_event *event);

/* From the next event on, has 'callback' told of those that match 'patterns' (copied; null: all).
 * Stores what to unsubscribe by in '*id'.  E_IO if there is no thread for it. */
enum err bus_subscribe(struct bus *bus, const struct bus_patterns *patterns, bus_callback callback,
                       void *arg, uint64_t *id, struct fault *f);
/* The same for the first of them only: it unsubscribes itself then. */
enum err bus_subscribe_once(struct bus *bus, const struct bus_patterns *patterns,
                            bus_callback callback, void *arg, uint64_t *id, struct fault *f);
/* Ends it: the callback is not running when this returns, unless it is the one that calls, and is
 * not called again.  False if there was none (any more). */
bool bus_unsubscribe(struct bus *bus, uint64_t id);

#endif
