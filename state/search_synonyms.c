/* search_synonyms.c -- groups of words, found by the stems of their members. */
#include "state/search_synonyms.h"

#include "state/base/rune.h"
#include "state/base/sql.h"
#include "state/search_synonyms_own.h"
#include "state/search_words.h"

#define GROUP_MAX 16u /* Words of one group. */

/* A word that stands for those whose stem has a hash. */
struct link {
    uint32_t hash;
    uint32_t word; /* Where it begins in the text. */
    bool form, own;
};

/* DESIGN.  One text and one array, not an entry with words of its own for each hash: as 6,600
 * pieces of memory the words of the trade took 341 KB, and search and the helpdesk have them each.
 */
struct synonyms {
    struct buf text;    /* The words of all groups, each ended by NUL, in the order of the lists. */
    struct link *links; /* Owned; by hash, and those of one hash in the order of the lists. */
    size_t count, size; /* Of 'links': how many, and room for how many. */
};

struct group {
    struct synonyms *of;
    uint32_t hashes[GROUP_MAX];
    uint32_t words[GROUP_MAX]; /* Where they begin in the text. */
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
    g->words[g->count++] = (uint32_t)g->of->text.len;
    buf_add_slice(&g->of->text, word->text);
    buf_addc(&g->of->text, '\0');
    return true;
}

static void
add_link(struct synonyms *s, const struct link *link)
{
    if (s->count == s->size) {
        s->size = s->size ? s->size * 2 : 1024;
        s->links = xrealloc(s->links, s->size * sizeof *s->links);
    }
    s->links[s->count++] = *link;
}

/* Each word of a group stands for each other one. */
static void
add_group(struct synonyms *s, const struct group *g)
{
    for (size_t i = 0; i < g->count; i++) {
        for (size_t j = 0; j < g->count; j++) {
            if (g->hashes[i] != g->hashes[j]) {
                add_link(s, &(struct link){g->hashes[i], g->words[j], g->form, g->own});
            }
        }
    }
}

static int
by_hash(const struct link *a, const struct link *b)
{
    return (a->hash > b->hash) - (a->hash < b->hash);
}

static int
by_place(const void *a, const void *b)
{
    const struct link *x = a, *y = b;
    int order = by_hash(x, y);

    return order ? order : (x->word > y->word) - (x->word < y->word);
}

static int
by_word(const void *a, const void *b, void *text)
{
    const struct link *x = a, *y = b;
    int order = by_hash(x, y);

    order = order ? order : strcmp((const char *)text + x->word, (const char *)text + y->word);
    return order ? order : by_place(a, b);
}

/* Puts them into order; of a word that comes again for the same hash the first stays. */
static void
finish(struct synonyms *s)
{
    const char *text = s->text.data;
    size_t kept = 0;

    qsort_r(s->links, s->count, sizeof *s->links, by_word, s->text.data);
    for (size_t i = 0; i < s->count; i++) {
        const struct link *last = kept ? &s->links[kept - 1] : NULL;

        if (!last || last->hash != s->links[i].hash ||
            strcmp(text + last->word, text + s->links[i].word) != 0) {
            s->links[kept++] = s->links[i];
        }
    }
    s->count = s->size = kept;
    s->links = xrealloc(s->links, kept * sizeof *s->links);
    qsort(s->links, kept, sizeof *s->links, by_place);
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
        struct group group = {
            .of = s, .form = said.len && memchr(said.data, '=', said.len), .own = own};

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
    if (!err && s->text.failed) {
        err = fault_set(f, E_OVERLOAD, "there is no memory for the list of synonyms");
    }
    if (err) {
        synonyms_destroy(s);
        return err;
    }
    finish(s);
    *synonyms = s;
    return E_OK;
}

void
synonyms_destroy(struct synonyms *s)
{
    if (s) {
        buf_fini(&s->text);
        free(s->links);
        free(s);
    }
}

void
synonyms_each(const struct synonyms *s, uint32_t hash,
              void (*take)(void *arg, const struct synonym *synonym), void *arg)
{
    size_t low = 0, high = s->count;

    while (low < high) { /* The first of this hash. */
        size_t middle = low + (high - low) / 2;

        if (s->links[middle].hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < s->count && s->links[low].hash == hash; low++) {
        const struct link *link = &s->links[low];

        take(arg, &(struct synonym){s->text.data + link->word, link->form, link->own});
    }
}
