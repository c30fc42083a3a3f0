/* search_order.c -- places by words, places by vectors, and what becomes of both. */
#include "state/search_order.h"

#include "state/search_fuse.h"

#include <stdlib.h>

#define SECOND 0.5 /* What of a document's second passage counts for its first. */

/* By place in the text: path, then ordinal. */
static int
by_place(const struct candidate *a, const struct candidate *b)
{
    int order = strcmp(a->path, b->path);

    return order ? order : (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
}

static int
by_total(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    return x->total != y->total ? (x->total < y->total) - (x->total > y->total) : by_place(x, y);
}

/* The best of each document before all others. */
static int
by_rank(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    return !x->place != !y->place ? (x->place ? 1 : -1) : by_total(a, b);
}

static void
sort(struct candidate *found, size_t count, int (*order)(const void *a, const void *b))
{
    for (size_t i = 0; i < count; i++) {
        found[i].total = rank_total(&found[i].score);
    }
    qsort(found, count, sizeof *found, order);
}

/* Counts the passages of each document, best first by 'total', as they stand. */
static void
count_places(struct candidate *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        found[i].place = 0;
        for (size_t j = 0; j < i; j++) {
            found[i].place += found[j].file == found[i].file;
        }
    }
}

static struct candidate *
first_of(struct candidate *found, int64_t file)
{
    while (found->file != file) {
        found++;
    }
    return found;
}

/* What a document gains by its second passage. */
static void
add_seconds(struct candidate *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (found[i].place == 1) {
            first_of(found, found[i].file)->score.second = SECOND * found[i].total;
        }
    }
}

static double
fused_score(const struct fuse *fuse, int64_t id)
{
    size_t i = 0;

    while (i < fuse->count && fuse->items[i].id != id) {
        i++;
    }
    return i < fuse->count ? fuse->items[i].score : 0;
}

/* Adds the order of the passages as they stand, and with 'documents' that of these. */
static void
fuse_words(struct fuse *fuse, const struct candidate *found, size_t count, bool documents)
{
    int64_t ids[SEARCH_RANKED_MAX];
    size_t n = 0;

    for (size_t i = 0; i < count && found[i].total > 0; i++) {
        if (!documents || !found[i].place) {
            ids[n++] = documents ? found[i].file : found[i].chunk;
        }
    }
    fuse_add(fuse, ids, n, 1);
}

/* Adds the order of the near passages, or that of their documents. */
static void
fuse_near(struct fuse *fuse, const struct search_ask *ask, const struct candidate *found,
          size_t count, bool documents)
{
    int64_t ids[SEARCH_NEAR_MAX];
    size_t n = 0;

    for (size_t i = 0; i < ask->near_count && i < SEARCH_NEAR_MAX; i++) {
        size_t at = 0, before = 0;

        while (at < count && found[at].chunk != ask->near[i]) {
            at++;
        }
        while (at < count && documents && before < n && ids[before] != found[at].file) {
            before++;
        }
        if (at < count && (!documents || before == n)) {
            ids[n++] = documents ? found[at].file : found[at].chunk;
        }
    }
    fuse_add(fuse, ids, n, 1);
}

/* Fuses the order by words, in which they stand, with that by vectors: that of documents, and
 * within them that of passages.  A document's second passage counts no more then: the places of
 * two are near those of one. */
static void
fuse_orders(const struct search_ask *ask, struct candidate *found, size_t count)
{
    struct fuse documents = {.items = NULL}, passages = {.items = NULL};

    fuse_words(&documents, found, count, true);
    fuse_near(&documents, ask, found, count, true);
    qsort(found, count, sizeof *found, by_total);
    fuse_words(&passages, found, count, false);
    fuse_near(&passages, ask, found, count, false);
    for (size_t i = 0; i < count; i++) {
        found[i].score.fused = fused_score(&passages, found[i].chunk);
    }
    sort(found, count, by_total);
    count_places(found, count);
    for (size_t i = 0; i < count; i++) {
        if (!found[i].place) {
            found[i].score.fused = fused_score(&documents, found[i].file);
        }
    }
    fuse_fini(&documents);
    fuse_fini(&passages);
}

void
search_put_in_order(const struct search_ask *ask, struct candidate *found, size_t count)
{
    sort(found, count, by_total);
    count_places(found, count);
    if (!(ask->without & RANK_SECOND)) {
        add_seconds(found, count);
    }
    sort(found, count, by_rank);
    if (ask->near_count) {
        fuse_orders(ask, found, count);
        sort(found, count, by_rank);
    }
}
