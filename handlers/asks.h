/* asks.h -- what dispatch does for requests that ask their client: handlers see need.h.
 *
 * Any thread; takes INFLIGHT. */
#ifndef TANDEM_ASKS_H
#define TANDEM_ASKS_H

#include "handlers/request.h"

struct asks_limits {
    unsigned parked, parked_each; /* Requests that wait: in all, of one session. */
    int64_t ask_ns;               /* A legacy client that takes longer does not answer. */
    struct slice secret;          /* What requestStates are sealed with; empty: random. */
};

struct asks;

/* A new one; the limits are copied, and of their secret a key is made. */
struct asks *asks_create(const struct asks_limits *limits);
/* Null is ignored. */
void asks_destroy(struct asks *a);

/* What a client declared, from its capabilities (raw JSON): bits of enum asks_can. */
enum asks_can {
    CAN_FORM = 1,
    CAN_URL = 2,
    CAN_SAMPLING = 4,
    CAN_SAMPLING_TOOLS = 8,
    CAN_SAMPLING_CONTEXT = 16,
    CAN_ROOTS = 32,
};
unsigned asks_declared(struct slice capabilities);

/* Before the first run: reads the requestState of a retry.  E_PARAMS if it is none of ours, has
 * expired, or belongs to another principal or request. */
enum err asks_begin(struct request *req);
void asks_end(struct request *req);

/* After a run that ended in E_INPUT. */
enum asks_step {
    ASKS_TOLD,   /* The result is written: input_required. */
    ASKS_AGAIN,  /* It cannot be asked: run it again, and need() will tell why. */
    ASKS_OVER,   /* It was cancelled or ended meanwhile. */
    ASKS_PARKED, /* It is not the caller's any more. */
};
/* Parks it, or writes what asks a modern client: the step says whose it is now.  Only the thread
 * that has run it. */
enum asks_step asks_settle(struct request *req);
/* What waits for its client is being taken: its waiting is over.  If it was cancelled, so are its
 * questions. */
void asks_leave_locked(struct request *req) REQUIRES(LC_INFLIGHT);

/* A response of the client: gives it to the request that waits for it, or drops it. */
void asks_take_response(struct request *response);
/* The client sent notifications/initialized: it may be asked now. */
void asks_initialized(struct dispatcher *d, const struct mcp_session *session);
/* Ends the waiting of those whose time is up. */
void asks_tick(struct dispatcher *d);
/* The server is about to end: nobody is asked any more. */
void asks_close(struct dispatcher *d);
/* The client of a connection will say nothing more: who waits for it does so in vain. */
void asks_close_session(struct dispatcher *d, const struct mcp_session *session);

#endif
