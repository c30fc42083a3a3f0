/* search_fields.c -- what of a passage is tokenized, and how its words are stored. */
#include "state/search_private.h"

static bool
is_fence(struct slice line)
{
    while (line.len && (*line.data == ' ' || *line.data == '\t')) {
        line.data++;
        line.len--;
    }
    return line.len >= 3 && (memcmp(line.data, "```", 3) == 0 || memcmp(line.data, "~~~", 3) == 0);
}

/* Prose and samples of code, each to its field. */
static void
split_body(struct search_fields *fields, const struct chunk *chunk)
{
    struct slice rest = chunk->text;
    bool sample = chunk->sample;

    while (rest.len) {
        const char *end = memchr(rest.data, '\n', rest.len);
        struct slice line = {rest.data, end ? (size_t)(end + 1 - rest.data) : rest.len};
        bool fence = is_fence(line);

        words_split(line, &fields->text[sample || fence ? FIELD_SAMPLE : FIELD_BODY]);
        sample ^= fence;
        rest.data += line.len;
        rest.len -= line.len;
    }
}

enum err
search_fields_fill(struct search_fields *fields, const struct search_about *about,
                   const struct chunk *chunk, struct fault *f)
{
    struct slice path = slice_of(chunk->path);
    bool failed = false;

    for (int i = 0; i < FIELD_COUNT; i++) {
        buf_reset(&fields->text[i]);
    }
    if (path.len >= about->title.len &&
        slice_equal((struct slice){path.data, about->title.len}, about->title)) {
        path.data += about->title.len; /* It has a field of its own. */
        path.len -= about->title.len;
    }
    words_split(about->title, &fields->text[FIELD_TITLE]);
    words_split(path, &fields->text[FIELD_HEAD]);
    buf_addc(&fields->text[FIELD_HEAD], '\n');
    words_split(slice_of(chunk->more), &fields->text[FIELD_HEAD]);
    words_split(about->path, &fields->text[FIELD_PATH]);
    words_split(about->tags, &fields->text[FIELD_TAGS]);
    split_body(fields, chunk);
    for (int i = 0; i < FIELD_COUNT; i++) {
        failed = failed || fields->text[i].failed;
    }
    return failed ? fault_set(f, E_OVERLOAD, "there is no memory for the index now") : E_OK;
}

void
search_fields_fini(struct search_fields *fields)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        buf_fini(&fields->text[i]);
    }
}

enum err
search_words_read(struct slice blob, struct buf *room, struct rank_words *words, struct fault *f)
{
    size_t sum = 0;

    if (blob.len < sizeof words->counts || blob.len % sizeof(uint32_t)) {
        return fault_set(f, E_REFUSED, "the index is damaged");
    }
    buf_reset(room);
    buf_add_slice(room, blob); /* Where it lies now it need not be aligned. */
    if (room->failed) {
        return fault_set(f, E_OVERLOAD, "there is no memory for the index now");
    }
    memcpy(words->counts, room->data, sizeof words->counts);
    for (int i = 0; i < FIELD_COUNT; i++) {
        sum += words->counts[i];
    }
    words->hashes = (const uint32_t *)(const void *)(room->data + sizeof words->counts);
    return sum == (blob.len - sizeof words->counts) / sizeof(uint32_t)
               ? E_OK
               : fault_set(f, E_REFUSED, "the index is damaged");
}
