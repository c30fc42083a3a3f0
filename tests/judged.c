/* judged.c -- see judged.h. */
#include "tests/judged.h"

#include "state/embed_hashed.h"
#include "state/search_private.h"
#include "state/standards.h"

#include <ctype.h>
#include <stdio.h>

#define LINE_MAX_BYTES 4096

static void
must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "judged: %s\n", what);
        abort();
    }
}

static void
add(struct judged_set *set, struct slice query, const char *relevant)
{
    set->items = xrealloc(set->items, (set->count + 1) * sizeof *set->items);
    set->items[set->count++] = (struct judged){xstrndup(query.data, query.len), xstrdup(relevant)};
}

void
judged_read(struct judged_set *set, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[LINE_MAX_BYTES];

    *set = (struct judged_set){.items = NULL};
    must(file != NULL, path);
    while (fgets(line, sizeof line, file)) {
        char *rest = line, *query = strsep(&rest, "\t"), *relevant = strsep(&rest, "\n");

        must(relevant != NULL, path);
        add(set, slice_of(query), relevant);
    }
    fclose(file);
}

void
judged_fini(struct judged_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        free(set->items[i].query);
        free(set->items[i].relevant);
    }
    free(set->items);
    *set = (struct judged_set){.items = NULL};
}

/* ---- Queries out of standards ---- */

/* The level of a heading line; 0 for another line. */
static size_t
level_of(const char *line)
{
    size_t level = strspn(line, "#");

    return level <= 6 && line[level] == ' ' ? level : 0;
}

/* The question in a line "1. "Which?"" or "- Which?"; empty if it is no item of a list. */
static struct slice
question_of(const char *line)
{
    const char *at = line + strspn(line, " ");
    size_t digits = strspn(at, "0123456789");

    if (!(digits && at[digits] == '.') && strncmp(at, "- ", 2) != 0) {
        return SLICE_NONE;
    }
    at += digits ? digits + 1 : 1;
    at += strspn(at, " \"*");
    return (struct slice){at, strcspn(at, "\"\n")};
}

/* The query in a line with search_standards("query"). */
static struct slice
hook_of(const char *line)
{
    const char *at = strstr(line, "search_standards(");

    at = at ? strchr(at, '"') : NULL;
    return at ? (struct slice){at + 1, strcspn(at + 1, "\"\n")} : SLICE_NONE;
}

/* Adds the queries of one standard, and the rest of its text to 'rest'. */
static void
take_from(struct judged_set *set, const char *path, char *text, struct buf *rest)
{
    size_t within = 0; /* The level of the heading of the section to be taken out. */
    bool sample = false, hooks = false;
    char *line;

    while ((line = strsep(&text, "\n"))) {
        size_t level = sample ? 0 : level_of(line);
        struct slice query;

        sample ^= strncmp(line, "```", 3) == 0;
        if (level && (!within || level <= within)) {
            hooks = strcasestr(line, "when to query");
            within =
                hooks || (strcasestr(line, "question") && strcasestr(line, "answer")) ? level : 0;
        }
        if (!within) {
            buf_addf(rest, "%s\n", line);
            continue;
        }
        query = hooks ? hook_of(line) : question_of(line);
        if (query.len > 8) {
            add(set, query, path);
        }
    }
}

void
judged_take(struct judged_set *set, const struct tree *tree)
{
    const struct dir_place at = {tree_dir(tree), "standards"};
    struct document_list list;

    *set = (struct judged_set){.items = NULL};
    must(standards_find(&at, &list, NULL) == E_OK, "no standards");
    for (size_t i = 0; i < list.count; i++) {
        struct buf text = BUF_INIT, rest = BUF_INIT;
        char *path = xasprintf("standards/%s", list.paths[i]);

        must(standards_read(&at, slice_of(list.paths[i]), &text, NULL) == E_OK, path);
        take_from(set, list.paths[i], text.data, &rest);
        tree_write_bytes(tree, path, buf_slice(&rest));
        buf_fini(&text);
        buf_fini(&rest);
        free(path);
    }
    document_list_fini(&list);
}

/* ---- Misspelled queries ---- */

static unsigned
pick(uint64_t *random, unsigned below)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (unsigned)(*random % below);
}

/* Leaves a letter out, writes it twice, another one for it, or it after the next one. */
static void
spoil(struct buf *out, const char *word, size_t len, uint64_t *random)
{
    size_t at = 1 + pick(random, (unsigned)len - 2); /* Neither the first nor the last. */

    buf_add(out, word, at);
    switch (pick(random, 4)) {
    case 0:
        break;
    case 1:
        buf_addc(out, word[at]);
        buf_addc(out, word[at]);
        break;
    case 2:
        buf_addc(out, (char)('a' + pick(random, 26)));
        break;
    default:
        buf_addc(out, word[at + 1]);
        buf_addc(out, word[at]);
        at++;
    }
    buf_add(out, word + at + 1, len - at - 1);
}

/* The longest word of more than four letters that is not at 'but'; 0 length if there is none. */
static struct slice
longest(const char *query, const char *but)
{
    struct slice best = SLICE_NONE;
    size_t len;

    for (const char *at = query; *at; at += len ? len : 1) {
        len = 0;
        while (isalpha((unsigned char)at[len])) {
            len++;
        }
        if (len > 4 && len > best.len && at != but) {
            best = (struct slice){at, len};
        }
    }
    return best;
}

void
judged_misspell(struct judged_set *set, const struct judged_set *right)
{
    uint64_t random = 88172645463325252u;

    *set = (struct judged_set){.items = NULL};
    for (size_t i = 0; i < right->count; i++) {
        const char *at = right->items[i].query;
        struct slice a = longest(at, NULL), b = longest(at, a.data);
        struct buf query = BUF_INIT;

        while (*at) {
            size_t len = at == a.data ? a.len : at == b.data ? b.len : 0;

            if (len) {
                spoil(&query, at, len, &random);
            } else {
                buf_addc(&query, *at);
            }
            at += len ? len : 1;
        }
        add(set, buf_slice(&query), right->items[i].relevant);
        buf_fini(&query);
    }
}

/* ---- Figures ---- */

struct search_store *
judged_index(const struct tree *tree, bool stems)
{
    struct search_builder *b;
    struct search_store *store;
    const struct dir_place at = {tree_dir(tree), "standards"};
    struct document_list list;

    must(standards_find(&at, &list, NULL) == E_OK, "no standards");
    must(search_builder_begin(NULL, "standards", 1, NULL, &b, NULL) == E_OK, "no index");
    must(stems || search_builder_as_written(b, NULL) == E_OK, "no index");
    for (size_t i = 0; i < list.count; i++) {
        struct buf text = BUF_INIT;

        must(standards_read(&at, slice_of(list.paths[i]), &text, NULL) == E_OK &&
                 search_builder_put(b, list.paths[i], "1", buf_slice(&text), NULL) == E_OK,
             list.paths[i]);
        buf_fini(&text);
    }
    must(search_builder_end(b, 0, &store, NULL) == E_OK, "no index");
    document_list_fini(&list);
    return store;
}

/* From 1; 0 if no relevant document was found. */
static unsigned
place_of(const struct judged *judged, const struct search_hits *hits)
{
    unsigned place = 0;

    for (unsigned i = 0; i < hits->count && !place; i++) {
        char *list = xstrdup(judged->relevant), *rest = list, *one;

        while ((one = strsep(&rest, ","))) {
            place = strcmp(one, hits->items[i].path) == 0 ? i + 1 : place;
        }
        free(list);
    }
    return place;
}

/* ---- Vectors ---- */

struct judged_vectors {
    struct embedder *embedder;
    struct vectors passages;
    int64_t *chunks; /* The passage of each. */
};

static void
embed(struct embedder *e, const struct slice *texts, size_t count, struct vectors *out)
{
    struct embed_limits limits = {.deadline_ns = INT64_MAX};

    must(embedder_embed(e, texts, count, &limits, out, NULL) == E_OK, "no vectors");
}

struct judged_vectors *
judged_embed(struct search_store *store)
{
    struct judged_vectors *v = xcalloc(1, sizeof *v);
    size_t all = (size_t)search_store_info(store)->passages, count = 0;
    struct slice *texts = xcalloc(all, sizeof *texts);
    struct search_reader *reader;
    sqlite3_stmt *ask = NULL;
    bool row = true;

    v->chunks = xcalloc(all, sizeof *v->chunks);
    v->embedder = embed_hashed_create(EMBED_HASHED_DIMENSION);
    must(search_reader_take(store, &reader, NULL) == E_OK &&
             sql_prepare(reader->db, "SELECT id, path || ' ' || more || ' ' || text FROM chunks",
                         &ask, NULL) == E_OK,
         "no passages");
    while (sql_step(ask, &row, NULL) == E_OK && row && count < all) {
        struct slice text = sql_slice(ask, 1);

        v->chunks[count] = sqlite3_column_int64(ask, 0);
        texts[count++] = (struct slice){xstrndup(text.data, text.len), text.len};
    }
    sqlite3_finalize(ask);
    search_reader_give(store, reader);
    embed(v->embedder, texts, count, &v->passages);
    for (size_t i = 0; i < count; i++) {
        free((void *)(uintptr_t)texts[i].data);
    }
    free(texts);
    return v;
}

void
judged_vectors_free(struct judged_vectors *v)
{
    if (v) {
        vectors_fini(&v->passages);
        embedder_unref(v->embedder);
        free(v->chunks);
        free(v);
    }
}

/* Puts the passages nearest to the query of 'ask' into 'near', and that into 'ask'. */
static void
find_near(const struct judged_vectors *v, struct search_ask *ask, int64_t near[SEARCH_NEAR_MAX])
{
    double cosines[SEARCH_NEAR_MAX];
    struct vectors query;

    embed(v->embedder, &ask->query, 1, &query);
    for (size_t i = 0; i < v->passages.count; i++) {
        double cosine =
            vector_dot(vectors_at(&query, 0), vectors_at(&v->passages, i), query.dimension);
        size_t at = ask->near_count;

        while (at && cosines[at - 1] < cosine) {
            at--;
        }
        if (at == SEARCH_NEAR_MAX) {
            continue;
        }
        ask->near_count += ask->near_count < SEARCH_NEAR_MAX;
        memmove(cosines + at + 1, cosines + at, (ask->near_count - at - 1) * sizeof *cosines);
        memmove(near + at + 1, near + at, (ask->near_count - at - 1) * sizeof *near);
        cosines[at] = cosine;
        near[at] = v->chunks[i];
    }
    ask->near = near;
    vectors_fini(&query);
}

struct judged_figures
judged_ask(const struct judged_set *set, struct search_store *store, const struct search_ask *ask,
           const struct judged_vectors *vectors)
{
    struct judged_figures figures = {.all = (unsigned)set->count};
    double sum = 0;

    for (size_t i = 0; i < set->count; i++) {
        struct search_ask one = *ask;
        struct search_hits hits;
        struct fault f = FAULT_INIT;
        int64_t near[SEARCH_NEAR_MAX];
        unsigned place;

        one.query = slice_of(set->items[i].query);
        one.limit = ask->limit ? ask->limit : SEARCH_HITS_MAX;
        if (vectors) {
            find_near(vectors, &one, near);
        }
        must(search_find(store, &one, &hits, &f) == E_OK, f.text);
        place = place_of(&set->items[i], &hits);
        search_hits_fini(&hits);
        figures.first += place == 1;
        figures.five += place >= 1 && place <= 5;
        sum += place ? 1.0 / place : 0;
    }
    figures.mrr = set->count ? sum / (double)set->count : 0;
    return figures;
}
