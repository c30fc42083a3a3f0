/* relay_client_private.h -- what the files of a client of the relay share.
 *
 *   relay_client.c          its beginning and end; hello; which frame means what
 *   relay_client_tell.c     what it is told of events
 *   relay_client_ask.c      what it asks for: patterns, history, replay
 *   relay_client_publish.c  what it publishes
 *
 * The owner's thread, but where it says otherwise. */
#ifndef TANDEM_RELAY_CLIENT_PRIVATE_H
#define TANDEM_RELAY_CLIENT_PRIVATE_H

#include "handlers/dispatch_private.h"
#include "handlers/relay_client.h"
#include "handlers/relay_frames.h"
#include "state/bus_reader.h"
#include "state/relay.h"
#include "state/state.h"

#define RELAY_HISTORY_FIRST 50 /* Events of the past that a new client is told. */

struct relay_client {
    _Atomic unsigned refs; /* The owner's, and one an event that is being published. */
    /* What each event that it is told touches stands together. */
    struct relay_client_options options; /* 'env' is not used. */
    struct bus_reader *reader;           /* Owned; null before hello. */
    struct relay_card *card;             /* Its own, likewise. */
    const char *over;                    /* Why it ends; borrowed for ever. */
    bool nothing;  /* It has unsubscribed from all: an empty set would stand for everything. */
    bool complete; /* None was missing before what it is told of the past. */
    struct relay_tally tally;
    int64_t began_ns;
    struct envelope env;            /* Whose events it sees, and for whom it publishes. */
    struct buf texts;               /* What its slices are of. */
    char client_id[TENANT_ID_SIZE]; /* Asked for by hello. */
    struct rate rate;
    struct bus_patterns patterns;
};

/* relay_client.c */

struct relay *relay_client_relay(const struct relay_client *c);
/* Sends what has been written, and frees it. */
void relay_client_send(struct relay_client *c, struct buf *frame);
/* Any thread. */
void relay_client_unref(struct relay_client *c);

/* What was said under 'key', a text; without data if it is none. */
struct slice relay_said_text(const json_t *said, const char *key);
/* Reads a whole number that is not negative.  False if there is none under that key. */
bool relay_said_number(const json_t *said, const char *key, uint64_t *number);
/* Reads the patterns of what was said; none if it names none. */
enum err relay_said_patterns(const json_t *said, struct bus_patterns *patterns, struct fault *f);

/* relay_client_tell.c */

/* A reader of what the client is to be told, beginning as 'options' says. */
enum err relay_client_read(struct relay_client *c, struct bus_reader_options *options,
                           struct bus_reader **reader, struct bus_reader_start *start,
                           struct fault *f);
/* Has all others know what became of it; 'data' as events_tell_relay() takes it. */
void relay_client_tell_all(struct relay_client *c, const char *topic, json_t *data);

/* relay_client_ask.c, each for a frame of its name; after hello. */
enum err relay_take_subscribe(struct relay_client *c, const json_t *said, struct fault *f);
enum err relay_take_unsubscribe(struct relay_client *c, const json_t *said, struct fault *f);
enum err relay_take_ack(struct relay_client *c, const json_t *said, struct fault *f);
enum err relay_take_get_history(struct relay_client *c, const json_t *said, struct fault *f);
enum err relay_take_request_replay(struct relay_client *c, const json_t *said, struct fault *f);

/* relay_client_publish.c */

/* As a script's POST /api/events: the members of the frame are those of its body. */
void relay_take_publish(struct relay_client *c, struct slice text);

#endif
