/* bus_private.h -- what the files of the bus share.
 *
 *   bus.c             publishing, the ring of what is kept, filters, counters
 *   bus_event.c       an event's text
 *   bus_subscribe.c   subscribers in the process, and the thread that tells them
 *   bus_reader.c      queues of those who read: at their own pace, on their own threads
 *
 * Helpers whose names end in _locked are called with BUS held. */
#ifndef TANDEM_BUS_PRIVATE_H
#define TANDEM_BUS_PRIVATE_H

#include "state/base/lock.h"
#include "state/base/thread.h"
#include "state/bus.h"

#define BUS_SUBSCRIBERS_QUEUE 10000u
#define BUS_SUBSCRIBERS_BYTES ((size_t)32 << 20)

struct bus_reader;
struct bus_subscription;

struct bus {
    struct bus_options options; /* Set once, as is the epoch. */
    char epoch[BUS_EPOCH_MAX + 1];
    struct bus_patterns outside; /* What readers may read. */
    _Atomic bool enabled;
    _Atomic uint64_t disabled, invalid, failed;
    struct lock lock;
    uint64_t seq GUARDED_BY(LC_BUS);
    struct keeper_job *stirred GUARDED_BY(LC_BUS); /* Borrowed; may be null. */
    struct bus_event **ring GUARDED_BY(LC_BUS);    /* Owned, options.history places; all counted. */
    unsigned first GUARDED_BY(LC_BUS), count GUARDED_BY(LC_BUS);
    size_t bytes GUARDED_BY(LC_BUS); /* Of their texts. */
    struct bus_patterns filters GUARDED_BY(LC_BUS);
    struct bus_stats stats GUARDED_BY(LC_BUS); /* The members that count. */

    /* bus_reader.c */
    struct bus_reader *readers GUARDED_BY(LC_BUS);

    /* bus_subscribe.c */
    struct bus_subscription *subscriptions GUARDED_BY(LC_BUS); /* Owned; by rising number. */
    uint64_t last_subscription GUARDED_BY(LC_BUS);
    struct cond work, idle; /* There is something to tell, or to end; a callback has returned. */
    /* The queue: counted events, each with the next one behind it.  BUS_SUBSCRIBERS_QUEUE places
     * would take 80 KB, of which an idle server needs none. */
    struct bus_event *queue_first GUARDED_BY(LC_BUS), *queue_last GUARDED_BY(LC_BUS);
    unsigned queue_count GUARDED_BY(LC_BUS);
    size_t queue_bytes GUARDED_BY(LC_BUS);
    pthread_t thread GUARDED_BY(LC_BUS);
    bool started GUARDED_BY(LC_BUS), stopping GUARDED_BY(LC_BUS);
};

/* bus_event.c */

/* A new event without a number; null where there is no memory.  '*truncated': its data was too
 * large. */
struct bus_event *bus_event_new(const struct bus_draft *draft, int64_t wall_ns, int64_t mono_ns,
                                bool *truncated);
/* Gives it its number, before anybody else sees it. */
void bus_event_number(struct bus_event *event, const char *epoch, uint64_t seq);

/* bus.c */

/* The event 'back' places from the oldest that is kept. */
struct bus_event *bus_kept_locked(struct bus *bus, unsigned back) REQUIRES(LC_BUS);

/* Each of these hands 'event' on to all whom it concerns. */
void bus_readers_push_locked(struct bus *bus, struct bus_event *event) REQUIRES(LC_BUS);
void bus_subscribers_push_locked(struct bus *bus, struct bus_event *event) REQUIRES(LC_BUS);

/* bus_subscribe.c */
void bus_subscribers_init(struct bus *bus);
/* Joins the thread and drops what waits; no lock is held. */
void bus_subscribers_fini(struct bus *bus);

#endif
