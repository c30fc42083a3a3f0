/* events.h -- the event bus as clients see it: what they publish, and how events and counters are
 * told. */
#ifndef TANDEM_EVENTS_H
#define TANDEM_EVENTS_H

#include "state/bus.h"

struct bus_reader;
struct request;

/* Publishes what a client says, in the tenant of the request; 'draft' as for bus_publish(), its
 * tenant left out.  On success '*told' says what became of it: {published, topic, seq, epoch, id};
 * null 'told' is not told.  E_ARGUMENT: no topic, or not for clients.  E_OVERLOAD: no memory. */
enum err events_publish(struct request *req, const struct bus_draft *draft, json_t **told,
                        struct fault *f);

/* Reads an array of patterns, or null, into 'patterns', which must be empty and is the caller's to
 * free in any case. */
enum err events_read_patterns(const json_t *array, struct bus_patterns *patterns, struct fault *f);

/* Publishes what became of one who reads events, for his tenant: 'topic' with {client, sent,
 * dropped} and the members of 'more', which is stolen and may be null.  'client' names him; or
 * null.  The reader is open still; no lock is held. */
void events_tell_relay(struct bus *bus, const char *topic, struct bus_reader *reader,
                       const char *client, json_t *more);

#define EVENTS_RECENT_MAX 100u
/* What a list of events may come to: an agent reads it whole, and a client of the relay in one
 * frame. */
#define EVENTS_RECENT_BYTES ((size_t)256 * 1024)
/* Stores the newest events that 'query' asks for, oldest first and counted, and returns how many:
 * up to 'limit', which is EVENTS_RECENT_MAX at most, with up to EVENTS_RECENT_BYTES of text.  For
 * that, '*left_out' of the limit are left out: the oldest. */
size_t events_find(struct bus *bus, const struct bus_query *query, unsigned limit,
                   struct bus_event **found, size_t *left_out);
/* {events, count, left_out, epoch, seq}: the newest 'limit' that match, oldest first.  New. */
json_t *events_recent(struct request *req, const struct bus_patterns *patterns, unsigned limit);
/* The counters of the bus; of its readers.  New. */
json_t *events_stats(struct request *req);
json_t *events_relay_status(struct request *req);

#endif
