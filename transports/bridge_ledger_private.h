/* bridge_ledger_private.h -- what the files of the ledger share.
 *
 *   bridge_ledger.c        what client and server say
 *   bridge_ledger_move.c   from one server to the next */
#ifndef TANDEM_BRIDGE_LEDGER_PRIVATE_H
#define TANDEM_BRIDGE_LEDGER_PRIVATE_H

#include "transports/bridge_ledger.h"

#define META "io.modelcontextprotocol/"
#define LEDGER_REPLAY "\"tandem-bridge:" /* How our own ids begin. */

enum entry_kind {
    NOTE,     /* Needs no answer. */
    RESPONSE, /* To a request of this server: for no other. */
    REQUEST,
    INITIALIZE,
    SET_LEVEL,
    SUBSCRIBE,
    UNSUBSCRIBE,
    LISTEN,
    BATCH, /* Answered as one, by the id of its first request. */
};

struct ledger_entry {
    struct ledger_entry *next;
    enum entry_kind kind;
    uint64_t number; /* Of its line, from 1. */
    bool taken;
    bool repeatable;
    bool acknowledged;   /* LISTEN: the client knows that it is open. */
    struct buf text;     /* The line; empty once it is of no more use. */
    struct buf honoured; /* LISTEN: what was acknowledged, a JSON object. */
    size_t id_len;
    char id[]; /* As written; its length is bounded by RPC_ID_MAX. */
};

struct ledger_question {
    struct ledger_question *next;
    size_t id_len;
    char id[];
};

/* Lists that may change, by what tells of it. */
struct ledger_list {
    const char *capability; /* Of the server, in initialize. */
    const char *filter;     /* In subscriptions/listen. */
};
extern const struct ledger_list ledger_lists[LEDGER_LISTS];

struct slice ledger_id(const struct ledger_entry *e);
/* Takes out the entry that 'at' points to, and frees it. */
void ledger_strike(struct ledger *l, struct ledger_entry **at);
void ledger_forget_questions(struct ledger *l);
void ledger_forget_session(struct ledger *l);
/* The uri of a request to subscribe, as it was written; 'm' is room for it. */
struct slice ledger_uri(const struct ledger *l, const struct ledger_entry *e,
                        struct rpc_message *m);

#endif
