/* fuzz_chunk.c -- any bytes, cut as a standard is.  Run by "make fuzz-chunk".
 *
 * Whatever the text, the chunks put one after another are it, none is empty or too long, none
 * begins inside a character, and their lines rise. */
#include "state/base/rune.h"
#include "state/search_chunk.h"
#include "state/search_tags.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(CONDITION)                                                     \
    do {                                                                    \
        if (!(CONDITION)) {                                                 \
            fprintf(stderr, "fuzz_chunk: does not hold: %s\n", #CONDITION); \
            abort();                                                        \
        }                                                                   \
    } while (0)

static bool
is_inside_character(struct slice text, size_t at)
{
    for (size_t back = 1; back <= 3 && back <= at; back++) {
        uint32_t rune;

        if (rune_decode(text, at - back, &rune) > back) {
            return true;
        }
    }
    return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct tag_list tags = {.count = 0};
    struct fault f = FAULT_INIT;
    struct chunks c;
    size_t at = 0;
    unsigned line = 1;

    if (chunks_make(text, &c, &f) != E_OK) {
        MUST(f.code == E_TOO_LARGE);
        return 0;
    }
    for (size_t i = 0; i < c.count; i++) {
        const struct chunk *chunk = &c.items[i];

        MUST(chunk->text.data == text.data + at);
        MUST(chunk->text.len > 0 && chunk->text.len <= CHUNK_BYTES_MAX);
        MUST(!is_inside_character(text, at));
        MUST(chunk->line >= line);
        MUST(chunk->path && chunk->more);
        (void)search_phase(chunk);
        line = chunk->line;
        at += chunk->text.len;
    }
    MUST(at == size);
    search_document_tags(&tags, "a/b-c.md", text);
    MUST(tags.count <= SEARCH_TAGS_MAX);
    search_tags_fini(&tags);
    chunks_fini(&c);
    return 0;
}
