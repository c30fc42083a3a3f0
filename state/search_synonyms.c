/* search_synonyms.c -- groups of words, found by the stems of their members. */
#include "state/search_synonyms.h"

#include "state/base/hash.h"
#include "state/base/rune.h"
#include "state/base/sql.h"
#include "state/search_synonyms_own.h"
#include "state/search_words.h"

#define GROUP_MAX 16u /* Words of one group. */

struct entry {
    UT_hash_handle hh;
    uint32_t hash;
    size_t count;
    struct synonym *words; /* Owned, as is the text of each. */
};

struct synonyms {
    struct entry *entries;
};

struct group {
    uint32_t hashes[GROUP_MAX];
    char *words[GROUP_MAX]; /* Owned. */
    size_t count;
    bool full, form, own;
};

static bool
take_word(void *arg, const struct word *word)
{
    struct group *g = arg;

    if (g->count == GROUP_MAX) {
        g->full = true;
        return false;
    }
    g->hashes[g->count] = word->hash;
    g->words[g->count++] = xstrndup(word->text.data, word->text.len);
    return true;
}

static void
add_to(struct synonyms *s, uint32_t hash, const char *word, const struct group *of)
{
    struct entry *e;

    HASH_FIND(hh, s->entries, &hash, sizeof hash, e);
    if (!e) {
        e = xcalloc(1, sizeof *e);
        e->hash = hash;
        HASH_ADD(hh, s->entries, hash, sizeof hash, e);
    }
    for (size_t i = 0; i < e->count; i++) {
        if (strcmp(e->words[i].word, word) == 0) {
            return;
        }
    }
    e->words = xrealloc(e->words, (e->count + 1) * sizeof *e->words);
    e->words[e->count++] = (struct synonym){xstrdup(word), of->form, of->own};
}

/* Each word of a group stands for each other one. */
static void
add_group(struct synonyms *s, struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        for (size_t j = 0; j < g->count; j++) {
            if (g->hashes[i] != g->hashes[j]) {
                add_to(s, g->hashes[i], g->words[j], g);
            }
        }
    }
    for (size_t i = 0; i < g->count; i++) {
        free(g->words[i]);
    }
}

static enum err
add_list(struct synonyms *s, struct words *words, struct slice text, bool own, struct fault *f)
{
    enum err err = E_OK;

    for (unsigned line = 1; text.len && !err; line++) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;
        const char *comment = memchr(text.data, '#', len);
        struct slice said = {text.data, comment ? (size_t)(comment - text.data) : len};
        struct group group = {.form = said.len && memchr(said.data, '=', said.len), .own = own};

        words_each(words, said, take_word, &group);
        if (group.full) {
            fault_at(f, E_REFUSED, line, 1, "a group of synonyms has more than %u words",
                     GROUP_MAX);
            err = fault_remedy(f, "make two groups of it");
        } else if (group.count == 1) {
            fault_at(f, E_REFUSED, line, 1, "a group of synonyms has one word only");
            err = fault_remedy(f, "put words that mean the same on one line, with commas between");
        }
        add_group(s, &group);
        len += end != NULL;
        text.data += len;
        text.len -= len;
    }
    return err;
}

enum err
synonyms_create(struct slice own, bool stems, struct synonyms **synonyms, struct fault *f)
{
    struct synonyms *s = xcalloc(1, sizeof *s);
    struct words *words = NULL;
    sqlite3 *db = NULL;
    enum err err = E_OK;

    *synonyms = NULL;
    if (own.len > SYNONYMS_BYTES_MAX) {
        err =
            fault_set(f, E_TOO_LARGE, "the list of synonyms is over %u bytes", SYNONYMS_BYTES_MAX);
    } else if (!rune_valid(own)) {
        err = fault_set(f, E_REFUSED, "the list of synonyms is not UTF-8");
    }
    err = err ? err : sql_open(":memory:", true, &db, f);
    err = err ? err : words_create(db, stems, &words, f);
    err = err ? err : add_list(s, words, own, true, f);
    err = err ? err : add_list(s, words, slice_of(search_synonyms_own), false, f);
    err = err ? err : add_list(s, words, slice_of(search_forms_own), false, f);
    words_destroy(words);
    sql_close(db);
    if (err) {
        synonyms_destroy(s);
        return err;
    }
    *synonyms = s;
    return E_OK;
}

void
synonyms_destroy(struct synonyms *s)
{
    struct entry *e, *next;

    if (!s) {
        return;
    }
    HASH_ITER(hh, s->entries, e, next) {
        HASH_DEL(s->entries, e);
        for (size_t i = 0; i < e->count; i++) {
            free((void *)(uintptr_t)e->words[i].word);
        }
        free(e->words);
        free(e);
    }
    free(s);
}

void
synonyms_each(const struct synonyms *s, uint32_t hash,
              void (*take)(void *arg, const struct synonym *synonym), void *arg)
{
    struct entry *e;

    HASH_FIND(hh, s->entries, &hash, sizeof hash, e);
    for (size_t i = 0; e && i < e->count; i++) {
        take(arg, &e->words[i]);
    }
}
