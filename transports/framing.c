/* framing.c -- lines out of pieces.
 *
 * DESIGN.  The unfinished line may grow to one byte over the limit, as that byte may be the CR that
 * does not count.  A tail for which there is no memory is treated as a line that is too long: the
 * peer is told, and the next line has its chance. */
#include "transports/framing.h"

#include <assert.h>

void
framing_init(struct framing *fr, size_t max_line)
{
    *fr = (struct framing){.max_line = max_line, .partial = {.limit = max_line + 1}};
}

/* Forgets the unfinished line, with its memory. */
static void
drop_partial(struct framing *fr)
{
    size_t limit = fr->partial.limit;

    buf_fini(&fr->partial);
    fr->partial.limit = limit;
    fr->given = false;
}

void
framing_fini(struct framing *fr)
{
    drop_partial(fr);
    fr->input = SLICE_NONE;
}

void
framing_feed(struct framing *fr, struct slice bytes)
{
    assert(fr->input.len == 0);
    fr->input = bytes;
}

static bool
is_blank(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r') {
            return false;
        }
    }
    return true;
}

/* What a whole line, without its LF, amounts to; FRAMING_MORE if to nothing. */
static enum framing_event
judge(const struct framing *fr, struct slice whole, struct slice *line)
{
    if (whole.len && whole.data[whole.len - 1] == '\r') {
        whole.len--;
    }
    if (whole.len > fr->max_line) {
        return FRAMING_TOO_LONG;
    }
    if (is_blank(whole)) {
        return FRAMING_MORE;
    }
    *line = whole;
    return FRAMING_LINE;
}

/* Keeps a piece of an unfinished line.  False if the line is too long, or there is no memory for
 * it. */
static bool
keep(struct framing *fr, struct slice piece)
{
    buf_add_slice(&fr->partial, piece);
    if (!fr->partial.failed) {
        return true;
    }
    drop_partial(fr);
    return false;
}

enum framing_event
framing_next(struct framing *fr, struct slice *line)
{
    enum framing_event event = FRAMING_MORE;

    *line = SLICE_NONE;
    if (fr->given) {
        drop_partial(fr);
    }
    while (event == FRAMING_MORE && fr->input.len) {
        const char *lf = memchr(fr->input.data, '\n', fr->input.len);
        struct slice piece = {fr->input.data, lf ? (size_t)(lf - fr->input.data) : fr->input.len};

        fr->input.data += piece.len + (lf != NULL);
        fr->input.len -= piece.len + (lf != NULL);
        if (fr->skipping) {
            fr->skipping = !lf;
        } else if (lf && fr->partial.len == 0) {
            event = judge(fr, piece, line);
        } else if (!keep(fr, piece)) {
            fr->skipping = !lf;
            event = FRAMING_TOO_LONG;
        } else if (lf) {
            event = judge(fr, buf_slice(&fr->partial), line);
            fr->given = true;
            if (event != FRAMING_LINE) {
                drop_partial(fr);
            }
        }
    }
    return event;
}

enum framing_event
framing_end(struct framing *fr, struct slice *line)
{
    enum framing_event event = FRAMING_MORE;

    *line = SLICE_NONE;
    assert(fr->input.len == 0);
    if (fr->given) {
        drop_partial(fr);
    }
    if (fr->partial.len) {
        event = judge(fr, buf_slice(&fr->partial), line);
        fr->given = true;
    }
    fr->skipping = false;
    return event;
}
