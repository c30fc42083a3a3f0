/* fuzz_framing.c -- any bytes in any pieces: the events are those of a reader that has the whole
 * text.
 *
 * The first byte is the longest line, the second how the rest is cut.  Run by "make fuzz-framing";
 * finds are kept in tests/fuzz/corpus/framing. */
#include "transports/framing.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Adds what a line amounts to: "[line]", "!", or nothing. */
static void
tell(struct buf *out, struct slice line, size_t max_line)
{
    bool blank = true;

    if (line.len && line.data[line.len - 1] == '\r') {
        line.len--;
    }
    for (size_t i = 0; i < line.len; i++) {
        blank = blank && strchr(" \t\r", line.data[i]) && line.data[i];
    }
    if (line.len > max_line) {
        buf_addc(out, '!');
    } else if (!blank) {
        buf_addc(out, '[');
        buf_add_slice(out, line);
        buf_addc(out, ']');
    }
}

static void
read_whole(struct buf *out, struct slice text, size_t max_line)
{
    while (text.len) {
        const char *lf = memchr(text.data, '\n', text.len);
        size_t len = lf ? (size_t)(lf - text.data) : text.len;

        tell(out, (struct slice){text.data, len}, max_line);
        text.data += len + (lf != NULL);
        text.len -= len + (lf != NULL);
    }
}

static bool
take(struct buf *out, enum framing_event event, struct slice line)
{
    if (event == FRAMING_LINE) {
        buf_addc(out, '[');
        buf_add_slice(out, line);
        buf_addc(out, ']');
    } else if (event == FRAMING_TOO_LONG) {
        buf_addc(out, '!');
    }
    return event != FRAMING_MORE;
}

static void
read_in_pieces(struct buf *out, struct slice text, size_t max_line, unsigned seed)
{
    struct framing fr;
    struct slice line;

    framing_init(&fr, max_line);
    while (text.len) {
        size_t n;
        char *piece;

        seed = seed * 1103515245u + 12345u;
        n = 1 + (seed >> 16) % (seed >> 24 & 7 ? 5 : 300);
        n = n < text.len ? n : text.len;
        piece = xstrndup(text.data, n);
        framing_feed(&fr, (struct slice){piece, n});
        while (take(out, framing_next(&fr, &line), line)) {
        }
        free(piece);
        text.data += n;
        text.len -= n;
    }
    take(out, framing_end(&fr, &line), line);
    framing_fini(&fr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf expected = BUF_INIT, got = BUF_INIT;

    if (size >= 2) {
        struct slice text = {(const char *)data + 2, size - 2};

        read_whole(&expected, text, data[0]);
        read_in_pieces(&got, text, data[0], data[1]);
        if (!slice_equal(buf_slice(&expected), buf_slice(&got))) {
            fprintf(stderr, "fuzz_framing: pieces give other lines than the whole\n");
            abort();
        }
    }
    buf_fini(&expected);
    buf_fini(&got);
    return 0;
}
