/* bridge_ledger.h -- what a bridge has passed on, and what is still owed for it.
 *
 * Every line of the client is written down on its way to the server, and struck out once the server
 * has answered it.  When the server dies the ledger says what another is to be asked: all that the
 * dead one surely had not taken, and of the rest what may be done twice without harm.  Of what then
 * remains the client is told that it may or may not have been done.  So every request gets exactly
 * one answer.  The ledger also knows what makes up a legacy session, so that another server can be
 * given the same.
 *
 * Pure: no descriptor, no clock.  One thread. */
#ifndef TANDEM_BRIDGE_LEDGER_H
#define TANDEM_BRIDGE_LEDGER_H

#include "handlers/request.h"

struct ledger_entry;
struct ledger_question;

#define LEDGER_LISTS 3

struct ledger_options {
    struct json_limits json; /* Of the client's lines. */
    size_t
        keep; /* Bytes of taken requests that are kept to be made again; what is over cannot be. */
    /* Whether a call of a tool may be made again when nobody knows if it was done.  Any other
     * request may: it reads, or doing it twice is doing it once. */
    bool (*repeatable)(const struct rpc_message *call);
};

struct ledger {
    struct ledger_options options;
    struct ledger_entry *first, **last;        /* In the order in which they were sent. */
    size_t kept;                               /* Bytes of their texts. */
    uint64_t sent, taken;                      /* Lines, to and by the server of now. */
    unsigned replayed;                         /* Answers to come that are not for the client. */
    struct buf initialize, initialized, level; /* The client's own lines; empty before they come. */
    struct ledger_entry *subscribed;   /* Requests that subscribed to what is subscribed now. */
    bool lost;                         /* Its server, and there is no other yet. */
    bool batches;                      /* Its revision has them. */
    bool changes[LEDGER_LISTS];        /* What it is told of: tools, prompts, resources. */
    struct ledger_question *questions; /* Requests of the server that wait for the client. */
};

/* An empty ledger; the options are copied.  Its end frees all that is written down. */
void ledger_init(struct ledger *l, const struct ledger_options *options);
void ledger_fini(struct ledger *l);

/* A line of the client's, without its end: writes it down, and adds it to 'up', with its end. */
void ledger_say(struct ledger *l, struct slice line, struct buf *up);
/* A line of the server's, without its end: true if it is for the client. */
bool ledger_hear(struct ledger *l, struct slice line);
/* True if a request waits for its answer. */
bool ledger_owes(const struct ledger *l);

/* The server is gone.  Adds to 'told' what the client is to be told in its place, as lines.  What
 * is left in the ledger is for another server. */
void ledger_lose(struct ledger *l, struct buf *told);
/* There is another server: adds to 'up' what it is to be sent first, to 'told' what the client may
 * have missed. */
void ledger_resume(struct ledger *l, struct buf *up, struct buf *told);
/* There will be no other: tells the client so for all that is owed. */
void ledger_give_up(struct ledger *l, struct buf *told);

/* What a server in this process goes on with, each a number of lines. */
struct ledger_estate {
    struct buf session; /* Makes the session; what is answered is not for the client. */
    struct buf listens; /* Subscriptions, whose acknowledgement the client has already. */
    struct buf lines;   /* What is to be done. */
};
/* This process is the server from now on.  'told' as above.  The ledger is empty
 * afterwards. */
void ledger_hand_over(struct ledger *l, struct ledger_estate *estate, struct buf *told);

#endif
