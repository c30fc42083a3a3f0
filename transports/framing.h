/* framing.h -- newline-delimited JSON: bytes in, whole lines out.
 *
 * Pure: knows no descriptor and no JSON.  The reader owns one scratch buffer for all its
 * connections and hands over what it has just read; lines that lie whole in it are given out in
 * place, and only an unfinished tail is copied, so a connection at rest between two lines holds no
 * memory.  Each byte is looked at once, however a line is cut into pieces.
 *
 * Lines end at LF and nowhere else; one CR before it is dropped; blank lines are passed over.  Used
 * by one thread at a time. */
#ifndef TANDEM_FRAMING_H
#define TANDEM_FRAMING_H

#include "state/base/mem.h"

#include <stdbool.h>

struct framing {
    size_t max_line;    /* Bytes without the line's end; set once. */
    struct buf partial; /* The unfinished line; owned, empty between lines. */
    struct slice input; /* What is left of the bytes handed over; borrowed. */
    bool skipping;      /* Inside a line that is too long, told already. */
    bool given;         /* 'partial' was given out and ends at the next call. */
};

enum framing_event {
    FRAMING_MORE,     /* Nothing more in what was handed over. */
    FRAMING_LINE,     /* A line, not blank. */
    FRAMING_TOO_LONG, /* A line over the limit; told once, its rest is skipped up to its LF. */
};

/* Nothing was handed over yet.  Its end frees the unfinished line. */
void framing_init(struct framing *fr, size_t max_line);
void framing_fini(struct framing *fr);
/* Hands over 'bytes', borrowed until framing_next() has returned FRAMING_MORE, which must come
 * before the next call. */
void framing_feed(struct framing *fr, struct slice bytes);
/* The next event in what was handed over.  '*line' is borrowed until the next call, and empty
 * unless there is a line. */
enum framing_event framing_next(struct framing *fr, struct slice *line);
/* The input has ended: what a last line without LF amounts to, as above. */
enum framing_event framing_end(struct framing *fr, struct slice *line);

#endif
