/* search_chunk.h -- a standard cut into the passages that a search finds.
 *
 * Every byte of the text belongs to exactly one chunk: put one after another they are the text.
 * A heading begins a chunk (a line in a fenced sample is none); what stands before the first one is
 * a chunk too.  Small neighbours of one parent heading share a chunk, long sections are cut at a
 * blank line, then at the end of a sentence, then at a line, then anywhere but inside a character.
 * Pure; any thread. */
#ifndef TANDEM_SEARCH_CHUNK_H
#define TANDEM_SEARCH_CHUNK_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdbool.h>

#define CHUNK_PATH_STEP " > "
#define CHUNK_BYTES_MAX 2000u /* About 500 tokens. */

struct chunk {
    struct slice text; /* Borrowed from the whole. */
    unsigned line;     /* Of its first byte, from 1. */
    bool sample;       /* It begins inside a code sample, which was too long for one chunk. */
    /* The heading it begins with or goes on under, after those above it, CHUNK_PATH_STEP between;
     * "" before the first.  Owned. */
    char *path;
    char *more; /* The other headings inside it, a line each; owned. */
};

struct chunks {
    struct chunk *items; /* In the order of the text; owned. */
    size_t count;
    char *title; /* The first heading of level 1, else the first of any; "" if none.  Owned. */
};

/* Cuts 'text', which must outlive '*chunks'.  E_TOO_LARGE past the bounds of markdown.h. */
enum err chunks_make(struct slice text, struct chunks *chunks, struct fault *f);
void chunks_fini(struct chunks *chunks);

/* Adds the name of a chunk, "path#ordinal-hash", where the hash is that of its text: the same for
 * as long as its document is the same up to and with it. */
void chunk_id(const char *path, unsigned ordinal, struct slice text, struct buf *out);

/* About how many tokens a model makes of it. */
static inline unsigned
chunk_tokens(size_t bytes)
{
    return (unsigned)((bytes + 3) / 4);
}

#endif
