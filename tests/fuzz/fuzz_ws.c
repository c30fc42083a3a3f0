/* fuzz_ws.c -- any bytes as a WebSocket client's: the gate says the same of them in pieces as of
 * the whole, and lets nothing pass that has no mask or is too long.
 *
 * The first byte is how the rest is cut.  Run by "make fuzz-ws"; finds are kept in
 * tests/fuzz/corpus/ws. */
#include "transports/ws_gate.h"

#include "state/base/mem.h"

#include <stdio.h>

#define MAX 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Passes 'text' in pieces of up to 'most' bytes and adds what comes through. */
static enum ws_close
pass(struct slice text, size_t most, unsigned seed, struct buf *out)
{
    struct ws_gate g;

    ws_gate_init(&g, MAX);
    while (text.len) {
        size_t n;
        char *piece;

        seed = seed * 1103515245u + 12345u;
        n = 1 + (seed >> 16) % most;
        n = n < text.len && most < SIZE_MAX ? n : text.len;
        piece = malloc(n);
        memcpy(piece, text.data, n);
        buf_add(out, piece, ws_gate_pass(&g, piece, n));
        free(piece);
        text.data += n;
        text.len -= n;
    }
    return g.refused;
}

/* Reads the frames that have come through as anybody would; the last may be cut short. */
static void
check_frames(const unsigned char *p, size_t len)
{
    while (len >= 2) {
        unsigned length = p[1] & 0x7f, more = length == 126 ? 2 : length == 127 ? 8 : 0;
        size_t head = 2 + more + 4;
        uint64_t payload = more ? 0 : length;

        if (len < head) {
            return;
        }
        for (unsigned i = 0; i < more; i++) {
            payload = payload << 8 | p[2 + i];
        }
        if (!(p[1] & 0x80) || p[0] & 0x70 || (p[0] & 0x0f) == 10 || payload > MAX) {
            fprintf(stderr, "fuzz_ws: a frame has passed that must not\n");
            abort();
        }
        if (len - head < payload) {
            return;
        }
        p += head + payload;
        len -= head + payload;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT, pieces = BUF_INIT;

    if (size > 1) {
        struct slice text = {(const char *)data + 1, size - 1};
        enum ws_close refused = pass(text, SIZE_MAX, 0, &whole);
        size_t same;

        if (pass(text, data[0] % 2 ? 3 : 40, data[0], &pieces) != refused ||
            (!refused && whole.len != pieces.len)) {
            fprintf(stderr, "fuzz_ws: pieces are judged otherwise than the whole\n");
            abort();
        }
        same = whole.len < pieces.len ? whole.len : pieces.len;
        if (same && memcmp(whole.data, pieces.data, same) != 0) { /* Before a violation. */
            fprintf(stderr, "fuzz_ws: pieces pass otherwise than the whole\n");
            abort();
        }
        check_frames((const unsigned char *)whole.data, whole.len);
    }
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}
