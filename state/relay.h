/* relay.h -- who reads events by WebSocket: one card for each client, for as long as it may come
 * back.
 *
 * A client is known by an id that only it was told: with that, and for the same tenant, it comes
 * back to its card.  Cards of clients that have left are kept for a while, and no more of them than
 * clients may be connected.
 *
 * Any thread that holds no lock; takes RELAY. */
#ifndef TANDEM_RELAY_H
#define TANDEM_RELAY_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/tenant_id.h"

#include <stdbool.h>
#include <stdint.h>

#define RELAY_ID_SIZE 33 /* 128 bits in hex, and NUL. */

struct relay;
struct relay_card;

struct relay_options {
    const struct clock *clock; /* Borrowed; must outlive it. */
    unsigned clients;          /* Connected at once; */
    int64_t keep_ns;           /* and how long one that has left is known. */
};

/* A new one, without cards; the options are copied. */
struct relay *relay_create(const struct relay_options *options);
/* Every card has been left.  Null is ignored. */
void relay_destroy(struct relay *r);

/* A client comes: back to the card 'id', if that is of the same tenant and nobody is there, and
 * then
 * '*resumed'; else to a new one.  '*card' is its own until it leaves.  E_OVERLOAD over the number
 * of clients, or without random bytes. */
enum err relay_enter(struct relay *r, struct slice id, const char *tenant, struct relay_card **card,
                     bool *resumed, struct fault *f);
/* It has gone; the card may not be used any more. */
void relay_leave(struct relay *r, struct relay_card *card);
/* What it comes back by; borrowed. */
const char *relay_card_id(const struct relay_card *card);

/* What has become of it; by its owner's thread. */
struct relay_tally {
    uint64_t sent, dropped, acked; /* Events; events dropped before; the newest it has confirmed. */
    uint64_t buffered;             /* That wait for it now. */
};
/* Adds what was sent and dropped since; puts the others in the place of what was known.  Takes no
 * lock: whoever looks meanwhile may see some of them before the others. */
void relay_tell(struct relay *r, struct relay_card *card, const struct relay_tally *tally);

/* One card as others may see it. */
struct relay_view {
    char name[9]; /* The id's beginning: enough to tell it from others, not to be it. */
    char tenant[TENANT_ID_SIZE];
    bool connected;
    unsigned reconnects;
    int64_t since_ns,
        active_ns; /* Wall time: when it came first; when it was last told or heard. */
    struct relay_tally tally;
};
/* Stores up to 'max' cards of 'tenant' (null: of all), those that came first first, and returns how
 * many. */
size_t relay_views(struct relay *r, const char *tenant, struct relay_view *views, size_t max);

struct relay_counters {
    unsigned connected, known;
    uint64_t connections, resumed, refused;
};
/* What is counted, as it is now. */
struct relay_counters relay_counters(struct relay *r);

#endif
