/* bus_event.h -- one event: its envelope as JSON text, made once for all who are told of it.
 *
 * Immutable once it has its number, but for its place in the subscribers' queue, and counted. */
#ifndef TANDEM_BUS_EVENT_H
#define TANDEM_BUS_EVENT_H

#include "state/base/mem.h"

#include <stdint.h>

#define BUS_EPOCH_MAX 32
#define BUS_DATA_MAX (64u * 1024u) /* Bytes of its text. */
#define BUS_WORD_MAX 256u          /* Bytes of a session, correlation or source; longer: cut. */
#define BUS_ID_SIZE (BUS_EPOCH_MAX + 22)

struct bus_event {
    _Atomic unsigned refs;
    uint64_t seq;
    int64_t wall_ns, mono_ns; /* When it was published. */
    /* {"v":1,"seq":,"epoch":,"id":"EPOCH-SEQ","topic":,"type":,"subtype":,"source":,"timestamp":,
     * "tenant":,("session_id":,)("correlation_id":,)"data":}, in one line. */
    struct slice text;
    struct slice topic, data; /* Of the text. */
    const char *tenant;       /* Null: the server's. */
    /* Of bus_event.c. */
    char *memory;
    /* Of bus_subscribe.c: the event behind it in the queue. */
    struct bus_event *behind;
};

/* Takes a reference, and returns it. */
struct bus_event *bus_event_ref(struct bus_event *event);
/* Null is ignored. */
void bus_event_unref(struct bus_event *event);
/* Whether someone of 'tenant' (null: of none) may see it. */
bool bus_event_is_for(const struct bus_event *event, const char *tenant);
/* Writes "EPOCH-SEQ", by which a client comes back for what follows. */
void bus_event_write_id(const char *epoch, uint64_t seq, char out[BUS_ID_SIZE]);
/* Reads one.  False if it is none. */
bool bus_event_read_id(struct slice id, char epoch[BUS_EPOCH_MAX + 1], uint64_t *seq);

#endif
