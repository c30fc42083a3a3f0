/* base64.c -- RFC 4648, section 4. */
#include "state/base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
buf_add_base64(struct buf *out, struct slice bytes)
{
    if (!buf_reserve(out, (bytes.len + 2) / 3 * 4)) {
        return;
    }
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t bits = (uint32_t)(unsigned char)bytes.data[i] << 16;

        bits |= left > 1 ? (uint32_t)(unsigned char)bytes.data[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)(unsigned char)bytes.data[i + 2] : 0;
        buf_addc(out, digits[bits >> 18]);
        buf_addc(out, digits[bits >> 12 & 63]);
        buf_addc(out, left > 1 ? digits[bits >> 6 & 63] : '=');
        buf_addc(out, left > 2 ? digits[bits & 63] : '=');
    }
}

bool
base64_decode(struct slice text, struct buf *out)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t pads = 0;

    while (pads < 2 && pads < text.len && text.data[text.len - pads - 1] == '=') {
        pads++;
    }
    if (text.len % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < text.len - pads; i++) {
        const char *at = memchr(digits, text.data[i], sizeof digits - 1);

        if (!at) {
            return false;
        }
        bits = bits << 6 | (uint32_t)(at - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_addc(out, (char)(bits >> have & 0xFF));
        }
    }
    return (bits & ((1u << have) - 1)) == 0 && !out->failed;
}
