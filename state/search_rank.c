/* search_rank.c -- BM25 with k1 and b at their usual values, and proximity within a few words. */
#include "state/search_rank.h"

#include <math.h>
#include <stdlib.h>

#define K1 1.2
#define B 0.75
#define PROXIMITY 0.5
#define DOCUMENT 0.4
#define WINDOW 8

static const double weights[FIELD_COUNT] = {
#define ROW(NAME, COLUMN, WEIGHT) [FIELD_##NAME] = WEIGHT,
    SEARCH_FIELDS(ROW)
#undef ROW
};

double
rank_idf(uint64_t having, uint64_t all)
{
    double n = (double)having, total = (double)(all > having ? all : having);

    return log(1 + (total - n + 0.5) / (n + 0.5));
}

double
rank_weight(enum search_field field)
{
    return weights[field];
}

double
rank_length(const struct rank_words *words)
{
    double length = 0;

    for (int field = 0; field < FIELD_COUNT; field++) {
        length += weights[field] * words->counts[field];
    }
    return length;
}

size_t
rank_find(const struct rank_query *query, uint32_t hash)
{
    unsigned at = query->buckets[hash & 255];

    while (at && query->terms[at - 1].hash != hash) {
        at = query->next[at - 1];
    }
    return at ? at - 1 : query->count;
}

bool
rank_add(struct rank_query *query, const struct rank_term *term)
{
    unsigned char *bucket = &query->buckets[term->hash & 255];

    if (query->count == RANK_TERMS_MAX) {
        return false;
    }
    query->terms[query->count] = *term;
    query->next[query->count] = *bucket;
    *bucket = (unsigned char)++query->count;
    return true;
}

/* What one passage shows of a query. */
struct seen {
    double frequency[RANK_TERMS_MAX];
    /* In the body: where a word of the query was last, from 1; and how near two of them came. */
    size_t last[RANK_TERMS_MAX];
    unsigned char near[RANK_TERMS_MAX][RANK_TERMS_MAX];
};

/* Notes that term 'i' stands at 'position' of the body. */
static void
note_near(const struct rank_query *q, struct seen *s, size_t i, size_t position)
{
    for (size_t j = 0; j < q->count && !q->terms[j].synonym; j++) {
        size_t distance = position - s->last[j];
        size_t low = i < j ? i : j, high = i < j ? j : i;

        if (j != i && s->last[j] && distance <= WINDOW &&
            (!s->near[low][high] || distance < s->near[low][high])) {
            s->near[low][high] = (unsigned char)distance;
        }
    }
    s->last[i] = position;
}

static void
look(const struct rank_query *q, const struct rank_words *words, struct seen *s)
{
    const uint32_t *hash = words->hashes;

    for (int field = 0; field < FIELD_COUNT; field++) {
        for (size_t at = 0; at < words->counts[field]; at++) {
            size_t i = rank_find(q, *hash++);

            if (i == q->count) {
                continue;
            }
            s->frequency[i] += weights[field];
            if (field == FIELD_BODY && !q->terms[i].synonym) {
                note_near(q, s, i, at + 1);
            }
        }
    }
}

static double
nearness(const struct rank_query *q, const struct seen *s)
{
    double sum = 0;

    for (size_t i = 0; i < q->count && !q->terms[i].synonym; i++) {
        for (size_t j = i + 1; j < q->count && !q->terms[j].synonym; j++) {
            if (s->near[i][j]) {
                sum += fmin(q->terms[i].idf, q->terms[j].idf) / (1 + s->near[i][j]);
            }
        }
    }
    return PROXIMITY * sum;
}

/* What a term of that frequency gives; 'norm' is K1 adjusted to the length of the text. */
static double
gain(bool synonym, double idf, double frequency, double norm)
{
    return (synonym ? RANK_SYNONYM_WEIGHT : 1) * idf * frequency * (K1 + 1) / (frequency + norm);
}

static double
norm_of(double length, double mean)
{
    return K1 * (1 - B + B * length / mean);
}

struct rank_score
rank_passage(const struct rank_query *query, const struct rank_words *words)
{
    double norm = norm_of(rank_length(words), query->mean_length);
    struct seen seen = {.last = {0}};
    struct rank_score score = {0};

    look(query, words, &seen);
    for (size_t i = 0; i < query->count; i++) {
        const struct rank_term *t = &query->terms[i];

        *(t->synonym ? &score.synonyms : &score.words) +=
            gain(t->synonym, t->idf, seen.frequency[i], norm);
    }
    score.nearness = nearness(query, &seen);
    return score;
}

static int
by_hash(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = ((const struct rank_count *)b)->hash;

    return (x > y) - (x < y);
}

double
rank_document(const struct rank_query *query, const struct rank_count *words, size_t count)
{
    double length = 0, norm, score = 0;

    for (size_t i = 0; i < count; i++) {
        length += (double)words[i].frequency;
    }
    norm = norm_of(length, query->document_length);
    for (size_t i = 0; i < query->count && count; i++) {
        const struct rank_term *t = &query->terms[i];
        const struct rank_count *found = bsearch(&t->hash, words, count, sizeof *words, by_hash);

        if (found) {
            score += gain(t->synonym, t->document_idf, (double)found->frequency, norm);
        }
    }
    return DOCUMENT * score;
}
