/* ws_frame.h -- text frames as a server writes them (RFC 6455, 5.2): a message each, not masked.
 *
 * So what is written is the same for whoever it is for, and many frames may leave by one system
 * call.  Reading, and all frames that control the connection, are libwebsockets' (ws_channel.h).
 *
 * Pure; any thread. */
#ifndef TANDEM_WS_FRAME_H
#define TANDEM_WS_FRAME_H

#include "state/base/mem.h"

#define WS_HEAD_MAX 10u /* Bytes in front of a message. */

/* Writes the head of a frame of 'len' bytes so that it ends before 'end', with WS_HEAD_MAX bytes of
 * room there; returns its own length. */
size_t ws_frame_head(char *end, size_t len);

/* Frames that will be written together. */
struct ws_batch {
    char *data; /* Borrowed from whoever writes. */
    size_t len, size;
};

/* Adds a frame of the message that 'parts' make up.  False, and nothing is added, where there is no
 * room for it. */
bool ws_batch_add(struct ws_batch *batch, const struct slice *parts, unsigned count);

#endif
