/* bus_keep.h -- what the bus does by the clock: it tells that the server lives, and those who
 * subscribe to resources that events have changed them.
 *
 * Both are the keeper's.  However many events there are, a resource is told of at most once a
 * second; and while there are none, nobody is woken but for the heartbeat. */
#ifndef TANDEM_BUS_KEEP_H
#define TANDEM_BUS_KEEP_H

#include "state/base/keeper.h"
#include "state/bus.h"
#include "state/changes.h"

#define BUS_HEARTBEAT_MS 60000u
#define BUS_TELL_MS 1000u

struct bus_keep;

struct bus_keep_options {
    struct bus *bus; /* All borrowed; must outlive it. */
    struct changes *changes;
    struct keeper *keeper;
    const struct clock *clock;
    int64_t started_mono; /* When the server was. */
    unsigned heartbeat_ms, tell_ms;
};

/* No lock may be held, as for the next two. */
struct bus_keep *bus_keep_start(const struct bus_keep_options *options);
/* Nothing is told any more.  Null is ignored. */
void bus_keep_stop(struct bus_keep *k);

/* Publishes "system.heartbeat" {uptime_seconds, clients, events, ...} now. */
void bus_keep_beat(struct bus_keep *k);

#endif
