/* embed_hashed.c -- words and character sequences, hashed into a vector.
 *
 * DESIGN.  A feature is a word, or three or four characters in a row of a word with a mark at each
 * end.  Each word gives weight 1 itself and as much again by its sequences, however long it is;
 * words that stand in every sentence give little.  Features are counted first, since the logarithm
 * is taken of the count; they are added in the order in which they came, so that the sums are the
 * same each time. */
#include "state/embed_hashed.h"

#include "state/base/rune.h"

#include <assert.h>
#include <math.h>

#define RUNES_MAX 64u /* Of a word; what is behind them does not count. */
#define SHORT_GRAM 3u
#define LONG_GRAM 4u
#define COMMON_WEIGHT 0.15f
#define EDGE UINT32_C(0x110000) /* Stands before and after a word; no code point. */

struct feature {
    uint64_t hash;
    float weight;
    unsigned count;
};

/* Those of one text, in the order in which they came, and a table of where they are. */
struct features {
    struct feature *items;
    uint32_t *table;   /* 1 + index; 0 is free. */
    size_t size, room; /* Of the table, a power of two; of the items. */
    size_t count;
    bool failed; /* There was no memory for one more. */
};

/* ---- Features ---- */

static uint64_t
hash_runes(const uint32_t *runes, size_t count, uint64_t seed)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ seed; /* FNV-1a, a rune a step; */

    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ runes[i]) * UINT64_C(1099511628211);
    }
    hash = (hash ^ (hash >> 32)) * UINT64_C(0xD6E8FEB86659FD93); /* then spread over all bits. */
    hash = (hash ^ (hash >> 32)) * UINT64_C(0xD6E8FEB86659FD93);
    return hash ^ (hash >> 32);
}

static void
put_in_table(struct features *all, size_t index)
{
    size_t at = all->items[index].hash & (all->size - 1);

    while (all->table[at]) {
        at = (at + 1) & (all->size - 1);
    }
    all->table[at] = (uint32_t)index + 1;
}

/* A text has EMBED_TEXT_MAX bytes and at most a few times as many features. */
static bool
grow(struct features *all)
{
    size_t room = all->room ? 2 * all->room : 1024;
    struct feature *items = try_malloc(room * sizeof *items);
    uint32_t *table = try_malloc(2 * room * sizeof *table);

    if (!items || !table) {
        free(items);
        free(table);
        return false;
    }
    if (all->count) {
        memcpy(items, all->items, all->count * sizeof *items);
    }
    free(all->items);
    free(all->table);
    all->items = items;
    all->table = table;
    all->room = room;
    all->size = 2 * room;
    memset(table, 0, all->size * sizeof *table);
    for (size_t i = 0; i < all->count; i++) {
        put_in_table(all, i);
    }
    return true;
}

static void
add_feature(struct features *all, uint64_t hash, float weight)
{
    size_t at;

    if (all->failed || (all->count == all->room && !grow(all))) {
        all->failed = true;
        return;
    }
    at = hash & (all->size - 1);
    while (all->table[at] && all->items[all->table[at] - 1].hash != hash) {
        at = (at + 1) & (all->size - 1);
    }
    if (all->table[at]) {
        all->items[all->table[at] - 1].count++;
        return;
    }
    all->items[all->count] = (struct feature){hash, weight, 1};
    all->table[at] = (uint32_t)++all->count;
}

/* Words that tell next to nothing of what a text is about. */
static bool
is_common(const uint32_t *runes, size_t count)
{
    static const char words[] =
        " a about all also an and any are as at be been but by can could did do does for from get "
        "had has have he her his how i if in into is it its just may me more most must my no not "
        "of on or our she should so some such than that the their them then there these they this "
        "to up use was we were what when where which who why will with would you your ";
    char word[16] = " ";
    size_t len = 1;

    while (count && len < 12 && *runes < 0x80) {
        word[len++] = (char)*runes++;
        count--;
    }
    word[len] = ' ';
    return !count && strstr(words, word);
}

/* Adds a word, which stands in 'runes' between an EDGE at each end. */
static void
add_word(struct features *all, const uint32_t *runes, size_t count)
{
    float weight = is_common(runes + 1, count - 2) ? COMMON_WEIGHT : 1;
    size_t grams = 0;

    for (size_t n = SHORT_GRAM; n <= LONG_GRAM; n++) {
        grams += count >= n ? count - n + 1 : 0;
    }
    add_feature(all, hash_runes(runes, count, 1), weight);
    for (size_t n = SHORT_GRAM; n <= LONG_GRAM; n++) {
        for (size_t i = 0; i + n <= count; i++) {
            add_feature(all, hash_runes(runes + i, n, 2), weight / sqrtf((float)grams));
        }
    }
}

static void
find_features(struct slice text, struct features *all)
{
    uint32_t runes[RUNES_MAX + 2] = {EDGE};
    size_t count = 1, at = 0;

    text.len = text.len < EMBED_TEXT_MAX ? text.len : EMBED_TEXT_MAX;
    while (at <= text.len) {
        uint32_t rune = ' ';
        size_t n = at < text.len ? rune_decode(text, at, &rune) : 1;

        at += n ? n : 1;
        if (n && rune_is_alnum(rune)) {
            if (count <= RUNES_MAX) {
                runes[count++] = rune_lower(rune);
            }
        } else if (count > 1) {
            runes[count] = EDGE;
            add_word(all, runes, count + 1);
            count = 1;
        }
    }
}

/* ---- The embedder ---- */

static enum err
embed_text(struct slice text, struct features *room, float *out, unsigned dimension,
           struct fault *f)
{
    room->count = 0;
    if (room->size) {
        memset(room->table, 0, room->size * sizeof *room->table);
    }
    find_features(text, room);
    if (room->failed) {
        return fault_set(f, E_OVERLOAD, "there is no memory for the vectors now");
    }
    for (size_t i = 0; i < room->count; i++) {
        const struct feature *one = &room->items[i];
        float value = one->weight * (1 + logf((float)one->count));

        out[(one->hash >> 32) * dimension >> 32] += one->hash & 1 ? value : -value;
    }
    vector_normalize(out, dimension);
    return E_OK;
}

static enum err
embed(struct embedder *e, const struct slice *texts, size_t count,
      const struct embed_limits *limits, struct vectors *out, struct fault *f)
{
    struct features room = {.items = NULL};
    unsigned dimension = atomic_load_explicit(&e->dimension, memory_order_relaxed);
    enum err err = vectors_make(out, count, dimension, f);

    for (size_t i = 0; i < count && !err; i++) {
        if (limits && stop_is_set(&limits->stop)) {
            err = fault_set(f, E_CANCELLED, "given up");
        } else {
            err = embed_text(texts[i], &room, vectors_at(out, i), dimension, f);
        }
    }
    free(room.items);
    free(room.table);
    return err;
}

static void
free_embedder(struct embedder *e)
{
    free(e);
}

static const struct embedder_class hashed = {embed, free_embedder, .of_letters = true};

struct embedder *
embed_hashed_create(unsigned dimension)
{
    struct embedder *e = xcalloc(1, sizeof *e);

    assert(dimension >= 8 && dimension <= EMBED_DIMENSION_MAX);
    embedder_init(e, &hashed, "hashed/1", dimension);
    return e;
}
