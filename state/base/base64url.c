/* base64url.c -- bytes as text that can stand in a URL or a header, and back, in one way only. */
#include "state/base/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* What one character stands for; -1 if it stands for nothing. */
static int
value_of(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '-'             ? 62
           : c == '_'             ? 63
                                  : -1;
}

bool
base64url_decode(struct slice text, struct buf *out)
{
    uint32_t bits = 0;
    unsigned have = 0;

    if (text.len % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.data[i]);

        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_addc(out, (char)(bits >> have & 0xFF));
        }
    }
    return (bits & ((1u << have) - 1)) == 0 && !out->failed;
}

void
base64url_encode(struct slice bytes, struct buf *out)
{
    uint32_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | (unsigned char)bytes.data[i];
        have += 8;
        while (have >= 6) {
            have -= 6;
            buf_addc(out, alphabet[bits >> have & 63]);
        }
    }
    if (have) {
        buf_addc(out, alphabet[bits << (6 - have) & 63]);
    }
}
