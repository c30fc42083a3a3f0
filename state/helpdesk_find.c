/* helpdesk_find.c -- exact search over all vectors, diversity, and the rule for context.
 *
 * DESIGN.  Every vector is looked at: a helpdesk has thousands of passages, not millions, and an
 * answer that is exact needs no explanation.  Diversity compares candidates by the vectors that the
 * index has; nothing is embedded again. */
#include "state/helpdesk_find.h"

#include "state/search_fuse.h"

#include <assert.h>
#include <math.h>

struct candidate {
    size_t number;
    double square; /* Of the distance. */
    double cosine;
    double worth;   /* Its score to more decimals, or the one of its place. */
    double nearest; /* Its greatest cosine to those taken so far. */
    bool taken;
};

#define CANDIDATES_MAX (HELPDESK_FETCH_MAX + HELPDESK_WORDS_MAX)

struct candidates {
    struct candidate
        items[CANDIDATES_MAX]; /* Nearest first, until they are put in another order. */
    size_t count;
};

double
helpdesk_score(double square)
{
    return round(1000 / (1 + square)) / 1000;
}

static double
cosine_of(double dot, double square_a, double square_b)
{
    double lengths = sqrt(square_a) * sqrt(square_b);
    double cosine = lengths > 0 ? dot / lengths : 0;

    return fmin(1, fmax(-1, cosine));
}

/* Puts 'c' in its place among the nearest 'most'; one as near as another comes behind it. */
static void
offer(struct candidates *all, size_t most, const struct candidate *c)
{
    size_t at = all->count;

    if (at == most && c->square >= all->items[at - 1].square) {
        return;
    }
    at -= at == most;
    while (at > 0 && c->square < all->items[at - 1].square) {
        all->items[at] = all->items[at - 1];
        at--;
    }
    all->items[at] = *c;
    all->count += all->count < most;
}

/* How near passage 'number' is; false for one that is never found. */
static bool
look_at(const struct helpdesk_index *index, const float *vector, double square, size_t number,
        struct candidate *c)
{
    const struct helpdesk_passage *p = &index->passages[number];
    unsigned dimension = index->vectors.dimension;
    double dot;

    if (!p->text || p->square <= 0) {
        return false;
    }
    dot = vector_dot(vector, vectors_at(&index->vectors, number), dimension);
    *c = (struct candidate){.number = number,
                            .square = fmax(0, square + (double)p->square - 2 * dot),
                            .cosine = cosine_of(dot, square, (double)p->square),
                            .nearest = -1};
    c->worth = 1 / (1 + c->square);
    return true;
}

static void
find_nearest(const struct helpdesk_index *index, const float *vector, size_t most,
             struct candidates *all)
{
    double square = vector_dot(vector, vector, index->vectors.dimension);
    struct candidate c;

    all->count = 0;
    for (size_t i = 0; i < index->count; i++) {
        if (look_at(index, vector, square, i, &c)) {
            offer(all, most, &c);
        }
    }
}

/* ---- Words ---- */

static struct candidate *
find_number(struct candidates *all, size_t number)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].number == number) {
            return &all->items[i];
        }
    }
    return NULL;
}

static int
by_worth(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

/* Puts the nearest and what the words found in one order, of which 'most' stay.  Each is worth what
 * stands at its place, if all that they are worth is put in order. */
static void
fuse(const struct helpdesk_index *index, const float *vector, const struct helpdesk_found *found,
     size_t most, struct candidates *all)
{
    double square = vector_dot(vector, vector, index->vectors.dimension),
           worth[CANDIDATES_MAX] = {0};
    int64_t near[CANDIDATES_MAX], words[HELPDESK_WORDS_MAX];
    struct candidates ordered = {.count = 0};
    struct fuse order = {.items = NULL};
    size_t nearest = all->count, count = 0;

    for (size_t i = 0; i < nearest; i++) {
        near[i] = (int64_t)all->items[i].number;
    }
    for (size_t i = 0; i < found->count; i++) {
        if (find_number(all, found->numbers[i]) ||
            look_at(index, vector, square, found->numbers[i], &all->items[all->count])) {
            words[count++] = (int64_t)found->numbers[i];
            all->count += !find_number(all, found->numbers[i]);
        }
    }
    fuse_add(&order, near, nearest, 1);
    fuse_add(&order, words, count, found->weight);
    fuse_order(&order);
    while (ordered.count < most && ordered.count < order.count) {
        ordered.items[ordered.count] = *find_number(all, (size_t)order.items[ordered.count].id);
        worth[ordered.count] = ordered.items[ordered.count].worth;
        ordered.count++;
    }
    fuse_fini(&order);
    qsort(worth, ordered.count, sizeof *worth, by_worth);
    for (size_t i = 0; i < ordered.count; i++) {
        ordered.items[i].worth = worth[i];
    }
    *all = ordered;
}

/* ---- Diversity ---- */

/* The candidate to take next; ties by nearness, then by number, as they stand. */
static struct candidate *
choose(struct candidates *all, double lambda, bool first)
{
    struct candidate *best = NULL;
    double best_worth = 0;

    for (size_t i = 0; i < all->count; i++) {
        struct candidate *c = &all->items[i];
        double worth = lambda * c->worth - (1 - lambda) * c->nearest;

        if (!c->taken && (!best || worth > best_worth)) {
            best = c;
            best_worth = worth;
        }
        if (best && first) {
            break; /* The first comes first, whatever lambda is. */
        }
    }
    return best;
}

/* Puts 'most' of the candidates in the order in which they are chosen. */
static void
diversify(const struct helpdesk_index *index, const struct helpdesk_search *s,
          struct candidates *all, size_t most)
{
    struct candidates chosen = {.count = 0};

    while (chosen.count < most && chosen.count < all->count) {
        struct candidate *next = choose(all, s->lambda, chosen.count == 0);
        const float *vector = vectors_at(&index->vectors, next->number);
        double square = (double)index->passages[next->number].square;

        next->taken = true;
        chosen.items[chosen.count++] = *next;
        for (size_t i = 0; i < all->count; i++) {
            struct candidate *c = &all->items[i];

            if (!c->taken) {
                double dot = vector_dot(vector, vectors_at(&index->vectors, c->number),
                                        index->vectors.dimension);
                c->nearest = fmax(
                    c->nearest, cosine_of(dot, square, (double)index->passages[c->number].square));
            }
        }
    }
    *all = chosen;
}

/* Applies the threshold. */
static void
keep(const struct helpdesk_search *s, const struct candidates *all, struct helpdesk_hits *hits)
{
    size_t over = 0;

    hits->before = all->count;
    for (size_t i = 0; i < all->count; i++) {
        over += helpdesk_score(all->items[i].square) >= s->min_score;
    }
    hits->fallback = s->context && over < HELPDESK_LEAST_KEPT && over < all->count;
    for (size_t i = 0; i < all->count; i++) {
        const struct candidate *c = &all->items[i];
        struct helpdesk_hit hit = {c->number, helpdesk_score(c->square),
                                   round(c->cosine * 10000) / 10000, false};

        hit.below = hit.score < s->min_score;
        if (hits->fallback ? i < HELPDESK_LEAST_KEPT : !hit.below) {
            hits->items[hits->count++] = hit;
        }
    }
}

void
helpdesk_find(const struct helpdesk_index *index, const float *vector,
              const struct helpdesk_found *found, const struct helpdesk_search *s,
              struct helpdesk_hits *hits)
{
    size_t most = s->mmr ? s->fetch_k : s->top_k;
    bool words = found && found->count;
    struct candidates all;

    assert(s->top_k >= 1 && s->top_k <= HELPDESK_TOP_MAX);
    assert(s->fetch_k >= s->top_k && s->fetch_k <= HELPDESK_FETCH_MAX);
    hits->count = hits->before = 0;
    hits->fallback = hits->unscored = false;
    find_nearest(index, vector, words && most < HELPDESK_WORDS_MAX ? HELPDESK_WORDS_MAX : most,
                 &all);
    if (words) {
        fuse(index, vector, found, most, &all);
    }
    if (s->mmr) {
        diversify(index, s, &all, s->top_k);
    }
    keep(s, &all, hits);
}

void
helpdesk_find_by_words(const struct helpdesk_found *found, const struct helpdesk_search *search,
                       struct helpdesk_hits *hits)
{
    *hits = (struct helpdesk_hits){.before = found->count, .unscored = true};
    while (hits->count < found->count && hits->count < search->top_k) {
        hits->items[hits->count] = (struct helpdesk_hit){.number = found->numbers[hits->count]};
        hits->count++;
    }
}
