/* ws_gate.c -- one frame's head after the other, byte by byte; payloads in leaps. */
#include "transports/ws_gate.h"

#include <string.h>

#define OPCODE 0x0f
#define CONTROL 0x08
#define RESERVED 0x70
#define FIN 0x80
#define MASKED 0x80
#define LENGTH 0x7f

enum { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

void
ws_gate_init(struct ws_gate *g, size_t max)
{
    *g = (struct ws_gate){.max = max, .need = 2};
}

static bool
refuse(struct ws_gate *g, enum ws_close code, const char *why)
{
    g->refused = code;
    g->why = why;
    return false;
}

static unsigned
opcode(const struct ws_gate *g)
{
    return g->head[0] & OPCODE;
}

static bool
check_first(struct ws_gate *g)
{
    unsigned char first = g->head[0];
    bool within = g->frames > 0;

    if (first & RESERVED) {
        return refuse(g, WS_CLOSE_PROTOCOL, "a reserved bit is set: no extension was agreed");
    }
    switch (opcode(g)) {
    case CONTINUATION:
        return within || refuse(g, WS_CLOSE_PROTOCOL, "a continuation of nothing");
    case TEXT:
        return !within || refuse(g, WS_CLOSE_PROTOCOL, "a message begins within another");
    case BINARY:
        return within ? refuse(g, WS_CLOSE_PROTOCOL, "a message begins within another")
                      : refuse(g, WS_CLOSE_NO_TEXT, "messages are text frames");
    case CLOSE:
    case PING:
    case PONG:
        return (first & FIN) || refuse(g, WS_CLOSE_PROTOCOL, "a control frame in parts");
    default:
        return refuse(g, WS_CLOSE_PROTOCOL, "an unknown opcode");
    }
}

/* The second byte: mask and short length; tells how long the head is. */
static bool
check_second(struct ws_gate *g)
{
    unsigned length = g->head[1] & LENGTH;

    if (!(g->head[1] & MASKED)) {
        return refuse(g, WS_CLOSE_PROTOCOL, "a client's frames are masked");
    }
    if ((g->head[0] & CONTROL) && length > 125) {
        return refuse(g, WS_CLOSE_PROTOCOL, "a control frame is too long");
    }
    if (opcode(g) == CLOSE && length == 1) {
        return refuse(g, WS_CLOSE_PROTOCOL, "half a close code");
    }
    g->need = 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + 4;
    return true;
}

/* Reads the length; false if it is longer written than it had to be, or has its highest bit set. */
static bool
read_length(struct ws_gate *g)
{
    unsigned length = g->head[1] & LENGTH, bytes = g->need - 6;

    g->left = bytes ? 0 : length;
    for (unsigned i = 0; i < bytes; i++) {
        g->left = g->left << 8 | g->head[2 + i];
    }
    return bytes == 0 || (bytes == 2 && g->left > 125) ||
           (bytes == 8 && g->left > 0xffff && g->left <= INT64_MAX);
}

/* The length is there: counts the message, and bounds it. */
static bool
check_length(struct ws_gate *g)
{
    if (!read_length(g)) {
        return refuse(g, WS_CLOSE_PROTOCOL, "a frame's length is not written as it has to be");
    }
    if (g->head[0] & CONTROL) {
        g->code = 0;
        return true;
    }
    g->message = g->frames ? g->message : 0;
    if (g->left > g->max - g->message) {
        return refuse(g, WS_CLOSE_TOO_LARGE, "the message is too long (limits.message)");
    }
    if (g->frames == WS_FRAGMENTS_MAX) {
        return refuse(g, WS_CLOSE_POLICY, "the message has too many fragments");
    }
    g->message += g->left;
    g->frames = g->head[0] & FIN ? 0 : g->frames + 1;
    return true;
}

static bool
take_head(struct ws_gate *g, unsigned char byte)
{
    g->head[g->have++] = byte;
    if (g->have == 1) {
        return check_first(g);
    }
    if (g->have == 2 && !check_second(g)) {
        return false;
    }
    return g->have != g->need - 4 || check_length(g);
}

/* Whether a code may be on the wire: RFC 6455, 7.4.2, and the registry. */
static bool
may_be_sent(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

/* Looks at the next 'n' bytes of a close frame's payload. */
static bool
take_close(struct ws_gate *g, const char *data, size_t n)
{
    const unsigned char *mask = g->head + g->need - 4;
    uint64_t at = (g->head[1] & LENGTH) - g->left;

    for (size_t i = 0; i < n && at + i < 2; i++) {
        g->code = g->code << 8 | (unsigned)((unsigned char)data[i] ^ mask[at + i]);
        if (at + i == 1 && !may_be_sent(g->code)) {
            return refuse(g, WS_CLOSE_PROTOCOL, "a close code that may not be sent");
        }
    }
    return true;
}

/* Takes bytes of the payload, or one of the head; returns how many, 0 for a violation. */
static size_t
take_some(struct ws_gate *g, const char *data, size_t len)
{
    size_t n = 1;

    if (g->have < g->need) {
        return take_head(g, (unsigned char)*data) ? 1 : 0;
    }
    n = g->left < len ? (size_t)g->left : len;
    if (opcode(g) == CLOSE && !take_close(g, data, n)) {
        return 0;
    }
    g->left -= n;
    return n;
}

size_t
ws_gate_pass(struct ws_gate *g, char *data, size_t len)
{
    size_t passed = 0, at = 0;

    while (at < len && !g->refused) {
        size_t n = take_some(g, data + at, len - at);

        if (opcode(g) != PONG) {
            if (passed < at) {
                memmove(data + passed, data + at, n);
            }
            passed += n;
        }
        at += n;
        if (g->have == g->need && g->left == 0) {
            g->have = 0;
            g->need = 2;
        }
    }
    return passed;
}
