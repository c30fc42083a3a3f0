/* search_rank.c -- BM25 with k1 and b at their usual values, and what is added to it.
 *
 * The other numbers were chosen on queries made from the headings and question lists of real
 * standards, and on some written for it ("make bench-search" shows what each means is good for);
 * the figures hardly change for values near them. */
#include "state/search_rank.h"

#include <math.h>

#define K1 1.2
#define B 0.75
#define CHANCE 10.0 /* Passages that may have a word by chance: rarer than that is not rarer. */
#define PROXIMITY 0.5
#define WINDOW 8u
#define TITLE 0.7
#define DOCUMENT 0.5

static const double weights[FIELD_COUNT] = {
#define ROW(NAME, COLUMN, WEIGHT) [FIELD_##NAME] = WEIGHT,
    SEARCH_FIELDS(ROW)
#undef ROW
};

/* What a term counts, by its kind. */
static const double worth[RANK_KINDS] =
    {[RANK_OWN] = 1, [RANK_ASKING] = 0.3, [RANK_FORM] = 0.9, [RANK_SYNONYM] = 0.35};

/* ---- Words ---- */

double
rank_idf(const struct rank_query *query, uint64_t having, uint64_t all)
{
    bool cautious = !(query->without & RANK_RARITY);
    double n = (double)having, total = (double)(all > having ? all : having);
    double idf = log(1 + (total - n + 0.5) / (n + 0.5 + (cautious ? CHANCE : 0)));

    return cautious ? sqrt(idf) : idf; /* Many of the words weigh more than the rarest of them. */
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
    query->own = term->kind <= RANK_ASKING ? query->count : query->own;
    return true;
}

static bool
with(const struct rank_query *query, enum rank_means means)
{
    return !(query->without & means);
}

/* What the terms give together, of which each gives 'gains': of the forms of a word the best
 * counts, and of what may stand for it the best is added. */
static struct rank_score
sum_up(const struct rank_query *q, const double gains[RANK_TERMS_MAX])
{
    double form[RANK_WORDS_MAX], synonym[RANK_WORDS_MAX];
    struct rank_score score = {0};

    for (size_t i = 0; i < q->count; i++) {
        const struct rank_term *t = &q->terms[i];
        double gain = worth[t->kind] * gains[i];

        switch (t->kind) {
        case RANK_FORM:
            score.forms += fmax(gain - form[t->of], 0);
            form[t->of] = fmax(gain, form[t->of]);
            break;
        case RANK_SYNONYM:
            score.synonyms += fmax(gain - synonym[t->of], 0);
            synonym[t->of] = fmax(gain, synonym[t->of]);
            break;
        default:
            score.words += gain;
            form[i] = gain;
            synonym[i] = 0;
        }
    }
    return score;
}

/* BM25 of a word of that frequency; 'norm' is K1 adjusted to the length of the text. */
static double
saturate(double frequency, double norm)
{
    return frequency * (K1 + 1) / (frequency + norm);
}

static double
norm_of(double length, double mean)
{
    return K1 * (1 - B + B * length / mean);
}

/* ---- Passages ---- */

/* What one passage shows of a query. */
struct seen {
    double frequency[RANK_TERMS_MAX];
    bool titled[RANK_TERMS_MAX];
    /* In prose: where a word of the query was last, from 1, and how well each pair of them came
     * together. */
    size_t last[RANK_WORDS_MAX];
    double near[RANK_WORDS_MAX][RANK_WORDS_MAX];
};

/* Notes that word 'i' of the query stands at 'position'. */
static void
note_near(const struct rank_query *q, struct seen *s, size_t i, size_t position)
{
    for (size_t j = 0; j < q->own; j++) {
        size_t distance = position - s->last[j];
        double *near = i < j ? &s->near[i][j] : &s->near[j][i];

        if (j != i && s->last[j] && distance <= WINDOW) {
            bool phrase = distance == 1 && i == j + 1; /* As in the query. */
            *near = fmax(*near, 1.0 / (double)distance + phrase);
        }
    }
    s->last[i] = position;
}

static void
look(const struct rank_query *q, const struct rank_words *words, struct seen *s)
{
    const uint32_t *hash = words->hashes;

    for (int field = 0; field < FIELD_COUNT; field++) {
        bool about = field != FIELD_BODY && field != FIELD_SAMPLE;
        bool titles = field == FIELD_TITLE || field == FIELD_TAGS;

        if (about && !with(q, RANK_FIELDS)) {
            hash += words->counts[field];
            continue;
        }
        for (size_t at = 0; at < words->counts[field]; at++) {
            size_t i = rank_find(q, *hash++);

            if (i == q->count) {
                continue;
            }
            s->frequency[i] += weights[field];
            s->titled[i] |= titles;
            if (field == FIELD_BODY && q->terms[i].kind != RANK_SYNONYM) {
                note_near(q, s, q->terms[i].of, at + 1);
            }
        }
    }
}

static double
nearness(const struct rank_query *q, const struct seen *s)
{
    double sum = 0;

    for (size_t i = 0; i < q->own; i++) {
        double value = worth[q->terms[i].kind] * q->terms[i].idf;

        for (size_t j = i + 1; j < q->own; j++) {
            sum += s->near[i][j] * fmin(value, worth[q->terms[j].kind] * q->terms[j].idf);
        }
    }
    return PROXIMITY * sum;
}

struct rank_score
rank_passage(const struct rank_query *query, const struct rank_words *words)
{
    double norm = norm_of(rank_length(words), query->mean_length);
    double gains[RANK_TERMS_MAX], titles[RANK_TERMS_MAX];
    struct rank_score score;
    struct seen seen;

    memset(seen.frequency, 0, query->count * sizeof seen.frequency[0]);
    memset(seen.titled, 0, query->count * sizeof seen.titled[0]);
    memset(seen.last, 0, query->own * sizeof seen.last[0]);
    memset(seen.near, 0, query->own * sizeof seen.near[0]);
    look(query, words, &seen);
    for (size_t i = 0; i < query->count; i++) {
        gains[i] = query->terms[i].idf * saturate(seen.frequency[i], norm);
        titles[i] = seen.titled[i] && query->terms[i].kind != RANK_SYNONYM
                        ? query->terms[i].document_idf
                        : 0;
    }
    score = sum_up(query, gains);
    if (with(query, RANK_NEARNESS)) {
        score.nearness = nearness(query, &seen);
    }
    if (with(query, RANK_TITLE)) {
        struct rank_score title = sum_up(query, titles);
        score.title = TITLE * rank_total(&title);
    }
    return score;
}

/* ---- Documents ---- */

/* How often the document has a word. */
static double
count_of(struct slice counts, uint32_t hash)
{
    struct rank_count count = {.frequency = 0};
    size_t low = 0, high = counts.len / sizeof count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        memcpy(&count, counts.data + mid * sizeof count, sizeof count);
        if (count.hash == hash) {
            return (double)count.frequency;
        }
        low = count.hash < hash ? mid + 1 : low;
        high = count.hash < hash ? high : mid;
    }
    return 0;
}

double
rank_document(const struct rank_query *query, struct slice counts, double length)
{
    double norm = norm_of(length, query->document_length);
    double gains[RANK_TERMS_MAX];
    struct rank_score score;

    for (size_t i = 0; i < query->count; i++) {
        const struct rank_term *t = &query->terms[i];

        gains[i] = t->document_idf * saturate(count_of(counts, t->hash), norm);
    }
    score = sum_up(query, gains);
    return DOCUMENT * rank_total(&score);
}
