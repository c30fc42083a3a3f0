/* search_rank.h -- how well a passage fits a query: one formula, for every candidate alike.
 *
 * BM25 over the words of a passage and those that its document brings to it (title, path, tags),
 * each counted with its field's weight, and what is gained when words of the query stand close
 * together in prose, when the title or the tags have them, and when the document as a whole fits.
 * A word of the query counts once, in the form in which it gives most; one that may stand for it
 * counts for less.  Each of these means can be left out, to see what it is good for.  Pure; any
 * thread. */
#ifndef TANDEM_SEARCH_RANK_H
#define TANDEM_SEARCH_RANK_H

#include "state/base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The fields of a passage, in the order they are stored, and how much a word in each counts.  The
 * heading that a passage begins with is in its body too. */
#define SEARCH_FIELDS(ROW) \
    ROW(TITLE, title, 2)   \
    ROW(HEAD, head, 1)     \
    ROW(PATH, path, 2) ROW(TAGS, tags, 1) ROW(BODY, body, 1) ROW(SAMPLE, sample, 1)
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

/* What ranking goes by, besides the words themselves. */
#define RANK_MEANS(ROW)                            \
    ROW(FIELDS, "title, headings, path, tags")     \
    ROW(TITLE, "title and tags once more")         \
    ROW(NEARNESS, "nearness of words and phrases") \
    ROW(COMMON, "less for common words")           \
    ROW(RARITY, "rarity taken with caution")       \
    ROW(FORMS, "irregular forms of words")         \
    ROW(SPELLING, "spelling of unknown words")     \
    ROW(SYNONYMS, "synonyms")                      \
    ROW(DOCUMENT, "documents as a whole")          \
    ROW(SECOND, "a document's second passage")
enum rank_means_at {
#define ROW(NAME, WHAT) RANK_AT_##NAME,
    RANK_MEANS(ROW)
#undef ROW
        RANK_MEANS_COUNT
};
enum rank_means {
#define ROW(NAME, WHAT) RANK_##NAME = 1 << RANK_AT_##NAME,
    RANK_MEANS(ROW)
#undef ROW
};

#define RANK_TERMS_MAX 64u
#define RANK_WORDS_MAX 32u /* Of them, words of the query itself. */

/* What a term is to the query. */
enum rank_kind {
    RANK_OWN,     /* One of its words. */
    RANK_ASKING,  /* One that says how it is asked (search_common.h). */
    RANK_FORM,    /* Another form or spelling of one of its words. */
    RANK_SYNONYM, /* A word that may stand for one of its words. */
    RANK_KINDS
};

struct rank_term {
    uint32_t hash;
    enum rank_kind kind;
    unsigned of;         /* The index of the query's word that it is, or stands for. */
    double idf;          /* rank_idf() among passages. */
    double document_idf; /* And among documents. */
};

/* A word of a whole document, and how often it is there, counted with its fields' weights. */
struct rank_count {
    uint32_t hash;
    float frequency;
};

/* Zero but for the lengths is a query without words. */
struct rank_query {
    struct rank_term terms[RANK_TERMS_MAX]; /* Different hashes; the query's own words first. */
    size_t count;
    size_t own;                 /* The words of the query itself; at most RANK_WORDS_MAX. */
    unsigned without;           /* enum rank_means that are left out. */
    double document_length;     /* The mean of all documents; over 0. */
    double mean_length;         /* Of all passages, as rank_length() gives it; over 0. */
    unsigned char buckets[256]; /* By the low bits of a hash: 1 + index of the first term. */
    unsigned char next[RANK_TERMS_MAX]; /* 1 + index of the next in its bucket. */
};

/* Adds a term whose hash is not there yet.  False if there is no room for it. */
bool rank_add(struct rank_query *query, const struct rank_term *term);
/* The index of the term with that hash, or query->count. */
size_t rank_find(const struct rank_query *query, uint32_t hash);

/* How much it says about a text that it has a word which 'having' of 'all' texts have. */
double rank_idf(const struct rank_query *query, uint64_t having, uint64_t all);
/* The length of a passage, its words counted with their field's weight. */
double rank_length(const struct rank_words *words);
/* The weight of a field. */
double rank_weight(enum search_field field);

/* Why a passage stands where it does. */
struct rank_score {
    double words;    /* The query's words. */
    double forms;    /* Other forms and spellings of them, by what they give more. */
    double synonyms; /* What stands for them. */
    double nearness; /* Their nearness to each other. */
    double title;    /* That title or tags have them. */
    double document; /* How well the document fits as a whole. */
    double second;   /* Of a document's best passage: what its second one adds. */
    double fused;    /* Not 0: places were fused (search_fuse.h), and the order goes by that. */
};
static inline double
rank_total(const struct rank_score *s)
{
    return s->fused > 0 ? s->fused
                        : s->words + s->forms + s->synonyms + s->nearness + s->title + s->document +
                              s->second;
}

/* All 0 if no word of the query is there. */
struct rank_score rank_passage(const struct rank_query *query, const struct rank_words *words);

/* What a document of that length gives to its passages: how well it fits as a whole.  'counts' has
 * its struct rank_count in the order of their hashes, aligned anyhow. */
double rank_document(const struct rank_query *query, struct slice counts, double length);

#endif
