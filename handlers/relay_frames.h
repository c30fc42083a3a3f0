/* relay_frames.h -- the texts of the event relay, services.md 5 as JSON.
 *
 *     client: hello{tenant?, client_id?, epoch?, last_seq?, patterns?, token?},
 *             subscribe{patterns}, unsubscribe{patterns}, ack{seq},
 *             get_history{patterns?, limit?, before?}, request_replay{last_seq},
 *             publish{topic, data?, correlation_id?}, ping
 *     server: welcome, subscribed{patterns}, event{event},
 *             replay{events, count, from_seq, complete}, gap{from, to},
 *             history{events, count, left_out, before?}, published, pong,
 *             error{code, message, remedy?}, bye{reason}
 *
 * A history is EVENTS_RECENT_BYTES of events at most.  If that leaves out some of those asked for,
 * 'before' is what to ask with for them.  A replay comes in as many frames as it takes.
 *
 * Each has its name as "type".  Appending to a buf; any thread. */
#ifndef TANDEM_RELAY_FRAMES_H
#define TANDEM_RELAY_FRAMES_H

#include "state/base/err.h"
#include "state/base/mem.h"
#include "state/bus.h"
#include "state/bus_pattern.h"
#include "state/bus_reader.h"

struct relay_welcome {
    const char *client_id;
    const struct bus_reader_start *start;
    const struct bus_patterns *patterns;
    unsigned heartbeat_s;
};
/* Frames of the server, added to 'out' as JSON text. */
void relay_write_welcome(struct buf *out, const struct relay_welcome *welcome);
void relay_write_subscribed(struct buf *out, const struct bus_patterns *patterns);
/* The frame of an event is its text between these two: what is the same for all who are told is
 * written once. */
#define RELAY_EVENT_BEGINS "{\"type\":\"event\",\"event\":"
#define RELAY_EVENT_ENDS "}"
/* An event as {event, type, subtype, timestamp, data, source}. */
void relay_write_compat(struct buf *out, const struct bus_event *event);
/* Several, at least one, oldest first: as "replay", 'complete' if none is missing before the first
 * that was asked for; or as "history", of which there may be none, and 'left_out' older ones. */
void relay_write_replay(struct buf *out, struct bus_event *const *events, size_t count,
                        bool complete);
void relay_write_history(struct buf *out, struct bus_event *const *events, size_t count,
                         size_t left_out);
void relay_write_gap(struct buf *out, uint64_t from, uint64_t to);
void relay_write_pong(struct buf *out);
void relay_write_error(struct buf *out, const struct fault *f);
/* 'body' is a JSON object, whose members the frame has. */
void relay_write_error_of(struct buf *out, struct slice body);
void relay_write_published(struct buf *out);
void relay_write_bye(struct buf *out, const char *reason);

#endif
