/* ws_client.h -- a WebSocket client on a plain socket, for tests: it sends any frames, and reads
 * those that come. */
#ifndef TANDEM_TESTS_WS_CLIENT_H
#define TANDEM_TESTS_WS_CLIENT_H

#include "tests/http_client.h"

enum { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };
#define WS_FIN 0x80

struct ws_frame {
    int opcode;           /* -1: nothing came in time; -2: the connection was closed. */
    bool whole;           /* FIN. */
    unsigned code;        /* Of a close frame; 0: it has none. */
    struct slice payload; /* Ended by NUL; borrowed until the next call. */
};

/* Sends the handshake on an open connection, 'token' null for none, and reads the answer.  Returns
 * its status; what is wrong with a 101 aborts. */
int ws_shake(struct client *c, const char *token);
/* The same elsewhere than on the MCP endpoint; 'subprotocol' "" for none. */
int ws_shake_at(struct client *c, const char *path, const char *subprotocol, const char *token);
/* Opens a connection and shakes hands, which must succeed. */
void ws_open(struct client *c, unsigned port, const char *token);
/* Sends one frame, masked; 'first' is its first byte.  False if the server has gone. */
bool ws_send(struct client *c, unsigned first, struct slice payload);
bool ws_text(struct client *c, const char *message);
/* Sends a close frame. */
bool ws_leave(struct client *c, unsigned code);
/* The next frame. */
struct ws_frame ws_next(struct client *c, int seconds);
/* The next message, new; pings are answered.  Null if none comes in 'seconds'; then '*code', if not
 * null, is that of a close frame, else 0. */
char *ws_message(struct client *c, int seconds, unsigned *code);

#endif
