/* ws_gate.h -- looks at a client's WebSocket frames as their bytes pass, before libwebsockets does.
 *
 * libwebsockets 4.1 takes frames without a mask, close codes that nobody may send, and lengths of
 * exabytes, and reads a pong's payload as part of the text around it.  So the heads of frames are
 * checked here, by RFC 6455 and by the limit of a message; pongs, which nobody waits for but as a
 * sign of life, are taken out.  What a payload says is libwebsockets' business.
 *
 * Pure and incremental: any bytes, in any pieces; one gate is one thread's at a time. */
#ifndef TANDEM_WS_GATE_H
#define TANDEM_WS_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_FRAGMENTS_MAX 1024 /* Frames of one message. */

/* Close codes of RFC 6455, 7.4.1. */
enum ws_close {
    WS_CLOSE_NONE = 0,
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_NO_TEXT = 1003,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_LARGE = 1009,
    WS_CLOSE_INTERNAL = 1011,
};

struct ws_gate {
    size_t max; /* Bytes of a message; set by ws_gate_init(). */
    /* The rest is the gate's own. */
    enum ws_close refused; /* From here on nothing passes. */
    const char *why;
    unsigned char head[14];
    unsigned have, need; /* Bytes of the head: seen, and known to come. */
    uint64_t left;       /* Of the payload, once the head is whole. */
    uint64_t message;    /* Bytes of the message so far, this frame included. */
    unsigned frames;     /* Of the message; 0 between messages. */
    unsigned code;       /* The first bytes of a close frame's payload. */
};

/* At the beginning of a connection, whose messages may have 'max' bytes. */
void ws_gate_init(struct ws_gate *g, size_t max);
/* Looks at the next 'len' bytes, takes out of them what shall not pass, and returns how many are
 * left at 'data'.  A violation passes no more, nor anything after it: then 'refused' is the code to
 * close with, and 'why' says so in words, borrowed for ever. */
size_t ws_gate_pass(struct ws_gate *g, char *data, size_t len);

#endif
