/* uri.c -- the text of URIs. */
#include "state/uri.h"

bool
uri_is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

void
uri_add_path(struct buf *out, struct slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = path.data[i];

        if (uri_is_unreserved(c) || c == '/') {
            buf_addc(out, c);
        } else {
            buf_addc(out, '%');
            buf_addc(out, "0123456789ABCDEF"[(unsigned char)c >> 4]);
            buf_addc(out, "0123456789ABCDEF"[c & 15]);
        }
    }
}
