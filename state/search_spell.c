/* search_spell.c -- words by their edits: a letter more, less, or another, or two exchanged. */
#include "state/search_spell.h"

#include "state/base/hash.h"

#include <stdbool.h>

#define PAIRS_OF_EDIT 3 /* Pairs of letters that one edit can change. */

/* ---- Letters ---- */

/* The word in small letters in 'out'; its length, or 0 if it is none that this is for. */
static size_t
fold(struct slice word, char out[SPELL_BYTES_MAX + 1])
{
    if (word.len < SPELL_BYTES_MIN || word.len > SPELL_BYTES_MAX) {
        return 0;
    }
    for (size_t i = 0; i < word.len; i++) {
        unsigned char c = (unsigned char)word.data[i];

        if (c >= 'A' && c <= 'Z') {
            c = (unsigned char)(c - 'A' + 'a');
        }
        if (c < 0x80 && (c < 'a' || c > 'z')) {
            return 0;
        }
        out[i] = (char)c;
    }
    out[word.len] = '\0';
    return word.len;
}

/* A bit for each pair of neighbouring letters, the ends of the word being letters too. */
static uint64_t
pairs_of(const char *word, size_t len)
{
    uint64_t bits = 0;
    unsigned last = 0;

    for (size_t i = 0; i <= len; i++) {
        unsigned next = i < len ? (unsigned char)word[i] : 0;

        bits |= UINT64_C(1) << (((last << 8 | next) * 2654435761u) >> 26);
        last = next;
    }
    return bits;
}

static unsigned
least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many edits make one word the other. */
static unsigned
edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][SPELL_BYTES_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_len; j++) {
        above[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *next = before;

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = least(above[j], row[j - 1]) + 1;
            row[j] = least(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
        before = above;
        above = row;
        row = next;
    }
    return above[b_len];
}

/* ---- While a generation is built ---- */

struct spelling_seen {
    UT_hash_handle hh;
    uint32_t hash;
    char text[]; /* The key. */
};

void
spelling_note(struct spelling_set *set, const struct word *word)
{
    char text[SPELL_BYTES_MAX + 1];
    size_t len = fold(word->text, text);
    struct spelling_seen *s = NULL;

    if (!len) {
        return;
    }
    HASH_FIND(hh, set->seen, text, len, s);
    if (!s) {
        s = xcalloc(1, sizeof *s + len + 1);
        s->hash = word->hash;
        memcpy(s->text, text, len);
        HASH_ADD(hh, set->seen, text, len, s);
    }
}

enum err
spelling_write(const struct spelling_set *set, sqlite3 *db, struct fault *f)
{
    sqlite3_stmt *add = NULL;
    enum err err =
        sql_prepare(db, "INSERT OR IGNORE INTO spellings(word, hash) VALUES(?1, ?2)", &add, f);

    for (struct spelling_seen *s = set->seen; s && !err; s = s->hh.next) {
        sql_bind_text(add, 1, slice_of(s->text));
        sqlite3_bind_int64(add, 2, s->hash);
        err = sql_do(add, f);
    }
    sqlite3_finalize(add);
    return err ? err
               : sql_run(db, "DELETE FROM spellings WHERE hash NOT IN (SELECT hash FROM words)", f);
}

void
spelling_set_fini(struct spelling_set *set)
{
    struct spelling_seen *s, *next;

    HASH_ITER(hh, set->seen, s, next) {
        HASH_DEL(set->seen, s);
        free(s);
    }
}

/* ---- In a finished one ---- */

struct known_word {
    uint64_t pairs;
    uint32_t hash;
    uint32_t at; /* Where it is in the text, ended by NUL. */
    unsigned char len;
};

struct spellings {
    struct buf items; /* struct known_word, in the order of the alphabet. */
    struct buf text;
};

static void
add_known(struct spellings *list, struct slice word, uint32_t hash)
{
    struct known_word known = {.pairs = pairs_of(word.data, word.len),
                               .hash = hash,
                               .at = (uint32_t)list->text.len,
                               .len = (unsigned char)word.len};

    buf_add(&list->items, &known, sizeof known);
    buf_add(&list->text, word.data, word.len);
    buf_addc(&list->text, '\0');
}

enum err
spellings_load(sqlite3 *db, struct spellings **list, struct fault *f)
{
    struct spellings *l = xcalloc(1, sizeof *l);
    sqlite3_stmt *ask = NULL;
    bool row = true;
    enum err err = sql_prepare(db, "SELECT word, hash FROM spellings ORDER BY word", &ask, f);

    while (!err && row) {
        err = sql_step(ask, &row, f);
        if (!err && row) {
            struct slice word = sql_slice(ask, 0);

            if (word.len <= SPELL_BYTES_MAX) {
                add_known(l, word, (uint32_t)sqlite3_column_int64(ask, 1));
            }
        }
    }
    sqlite3_finalize(ask);
    if (!err && (l->items.failed || l->text.failed)) {
        err = fault_set(f, E_OVERLOAD, "there is no memory for the words of the index now");
    }
    if (err) {
        spellings_free(l);
        l = NULL;
    }
    *list = l;
    return err;
}

void
spellings_free(struct spellings *list)
{
    if (list) {
        buf_fini(&list->items);
        buf_fini(&list->text);
        free(list);
    }
}

static bool
has_stem(const struct spelling *near, size_t count, uint32_t hash)
{
    size_t i = 0;

    while (i < count && near[i].hash != hash) {
        i++;
    }
    return i < count;
}

size_t
spellings_near(const struct spellings *list, struct slice word, struct spelling near[SPELL_NEAREST])
{
    const struct known_word *k = (const struct known_word *)(const void *)list->items.data;
    size_t left = list->items.len / sizeof *k;
    char text[SPELL_BYTES_MAX + 1];
    size_t len = fold(word, text), count = 0;
    unsigned most = len >= SPELL_LONG ? 2 : 1;
    uint64_t pairs = pairs_of(text, len);

    for (; left > 0 && len; k++, left--) {
        int changed = (int)(PAIRS_OF_EDIT * most);
        unsigned needed;

        if (k->len > len + most || k->len + most < len ||
            __builtin_popcountll(pairs & ~k->pairs) > changed ||
            __builtin_popcountll(k->pairs & ~pairs) > changed) {
            continue;
        }
        needed = edits(text, len, list->text.data + k->at, k->len);
        if (needed < most) {
            most = needed;
            count = 0;
        }
        if (needed == most && count < SPELL_NEAREST && !has_stem(near, count, k->hash)) {
            near[count++] = (struct spelling){k->hash, list->text.data + k->at};
        }
    }
    return count;
}
