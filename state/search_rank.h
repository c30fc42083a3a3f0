/* search_rank.h -- how well a passage fits a query: one formula, for every candidate alike.
 *
 * BM25 over the words of title, headings, path and body, each counted with its field's weight, plus
 * what is gained when words of the query stand close together in the body.  Words added as synonyms
 * count for less.  Pure; any thread. */
#ifndef TANDEM_SEARCH_RANK_H
#define TANDEM_SEARCH_RANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The fields of a passage, in the order they are stored, and how much a word in each counts. */
#define SEARCH_FIELDS(ROW) \
    ROW(TITLE, title, 2) ROW(HEAD, head, 2) ROW(PATH, path, 2) ROW(BODY, body, 1)
enum search_field {
#define ROW(NAME, COLUMN, WEIGHT) FIELD_##NAME,
    SEARCH_FIELDS(ROW)
#undef ROW
        FIELD_COUNT
};

/* The words of a passage by their hashes (search_words.h), field after field, as they stand. */
struct rank_words {
    uint32_t counts[FIELD_COUNT];
    const uint32_t *hashes; /* Borrowed; as many as the counts make together. */
};

#define RANK_TERMS_MAX 64u
#define RANK_SYNONYM_WEIGHT 0.25

struct rank_term {
    uint32_t hash;
    bool synonym;        /* Not in the query itself. */
    double idf;          /* rank_idf() among passages. */
    double document_idf; /* And among documents. */
};

/* A word of a whole document, and how often it is there, counted with its fields' weights. */
struct rank_count {
    uint32_t hash;
    float frequency;
};

/* Zero but for 'mean_length' is a query without words. */
struct rank_query {
    struct rank_term terms[RANK_TERMS_MAX]; /* Different hashes; those of the query first. */
    size_t count;
    double document_length;     /* The mean of all documents; over 0. */
    double mean_length;         /* Of all passages, as rank_length() gives it; over 0. */
    unsigned char buckets[256]; /* By the low bits of a hash: 1 + index of the first term. */
    unsigned char next[RANK_TERMS_MAX]; /* 1 + index of the next in its bucket. */
};

/* Adds a term whose hash is not there yet.  False if there is no room for it. */
bool rank_add(struct rank_query *query, const struct rank_term *term);
/* The index of the term with that hash, or query->count. */
size_t rank_find(const struct rank_query *query, uint32_t hash);

/* How much it says about a passage that it has a word which 'having' of 'all' passages have. */
double rank_idf(uint64_t having, uint64_t all);
/* The length of a passage, its words counted with their field's weight. */
double rank_length(const struct rank_words *words);
/* The weight of a field. */
double rank_weight(enum search_field field);

/* Why a passage stands where it does: what its words gave, those that stand for words of the query,
 * and their nearness to each other, and the document as a whole. */
struct rank_score {
    double words, synonyms, nearness, document;
};
static inline double
rank_total(const struct rank_score *score)
{
    return score->words + score->synonyms + score->nearness + score->document;
}

/* All 0 if no word of the query is there. */
struct rank_score rank_passage(const struct rank_query *query, const struct rank_words *words);

/* What a document gives to its passages: how well it fits as a whole.  'words' in the order of
 * their hashes. */
double rank_document(const struct rank_query *query, const struct rank_count *words, size_t count);

#endif
