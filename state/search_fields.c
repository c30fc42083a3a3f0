/* search_fields.c -- what of a passage is tokenized, and how its words are stored. */
#include "state/search_private.h"

void
search_fields_fill(struct search_fields *fields, struct slice title, struct slice document,
                   struct slice path, struct slice more, struct slice text)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        buf_reset(&fields->text[i]);
    }
    if (path.len >= title.len && memcmp(path.data, title.data, title.len) == 0) {
        path.data += title.len; /* It has a field of its own. */
        path.len -= title.len;
    }
    words_split(title, &fields->text[FIELD_TITLE]);
    words_split(path, &fields->text[FIELD_HEAD]);
    buf_addc(&fields->text[FIELD_HEAD], '\n');
    words_split(more, &fields->text[FIELD_HEAD]);
    words_split(document, &fields->text[FIELD_PATH]);
    words_split(text, &fields->text[FIELD_BODY]);
}

void
search_fields_fini(struct search_fields *fields)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        buf_fini(&fields->text[i]);
    }
}

bool
search_words_read(struct slice blob, struct buf *room, struct rank_words *words)
{
    size_t sum = 0;

    buf_reset(room);
    buf_add_slice(room, blob); /* Where it lies now it need not be aligned. */
    if (room->failed || blob.len < sizeof words->counts || blob.len % sizeof(uint32_t)) {
        return false;
    }
    memcpy(words->counts, room->data, sizeof words->counts);
    for (int i = 0; i < FIELD_COUNT; i++) {
        sum += words->counts[i];
    }
    words->hashes = (const uint32_t *)(const void *)(room->data + sizeof words->counts);
    return sum == (blob.len - sizeof words->counts) / sizeof(uint32_t);
}
