/* ws_frame.c -- heads of text frames, and frames one behind the other. */
#include "transports/ws_frame.h"

#define WHOLE_TEXT 0x81 /* FIN, and the opcode of a text. */

size_t
ws_frame_head(char *end, size_t len)
{
    size_t bytes = len < 126 ? 0 : len < 65536 ? 2 : 8; /* Of the length, behind its first. */
    unsigned char *head = (unsigned char *)end - 2 - bytes;

    head[0] = WHOLE_TEXT;
    head[1] = (unsigned char)(bytes == 0 ? len : bytes == 2 ? 126 : 127);
    for (size_t i = 0; i < bytes; i++) {
        head[2 + i] = (unsigned char)((uint64_t)len >> 8 * (bytes - 1 - i));
    }
    return 2 + bytes;
}

bool
ws_batch_add(struct ws_batch *batch, const struct slice *parts, unsigned count)
{
    char head[WS_HEAD_MAX];
    size_t len = 0, head_len;

    for (unsigned i = 0; i < count; i++) {
        len += parts[i].len;
    }
    head_len = ws_frame_head(head + sizeof head, len);
    if (len > batch->size || head_len + len > batch->size - batch->len) {
        return false;
    }
    memcpy(batch->data + batch->len, head + sizeof head - head_len, head_len);
    batch->len += head_len;
    for (unsigned i = 0; i < count; i++) {
        if (parts[i].len) {
            memcpy(batch->data + batch->len, parts[i].data, parts[i].len);
            batch->len += parts[i].len;
        }
    }
    return true;
}
