/* ws_use.h -- what a WebSocket is used for: whoever takes its messages and fills its outbox.
 *
 * http_ws.c carries bytes and frames, whatever they are for; a use knows messages only.  All
 * functions are called on the loop's thread. */
#ifndef TANDEM_WS_USE_H
#define TANDEM_WS_USE_H

#include "state/base/mem.h"
#include "transports/outbox.h"
#include "transports/ws_frame.h"
#include "transports/ws_gate.h"

struct ws_use_class {
    /* Takes a message of the client, borrowed for the call.  Answers go into the outbox. */
    void (*take)(void *self, struct slice message);
    /* Puts what waits elsewhere into 'batch', or, where there is no room in it, from then on into
     * the outbox; null if nothing ever does.  After a wake or a message, and when there is room
     * again, once the outbox is empty.  True if there is more; else what comes wakes. */
    bool (*fill)(void *self, struct ws_batch *batch);
    /* The code to close with, and '*why', borrowed for ever; or WS_CLOSE_NONE.  Asked after each of
     * the above, and about once a second. */
    enum ws_close (*judge)(void *self, const char **why);
    /* The server is ending: no message is taken any more, and the connection is woken once nothing
     * is in flight, */
    void (*drain)(void *self);
    bool (*is_idle)(const void *self); /* which this tells. */
    /* The connection is gone, its outbox closed.  Frees what is the connection's. */
    void (*end)(void *self);
};

struct ws_use {
    const struct ws_use_class *class;
    void *self;
    struct outbox *outbox; /* Of 'self'; one message becomes one frame. */
};

#endif
