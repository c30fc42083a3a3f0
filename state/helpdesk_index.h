/* helpdesk_index.h -- one generation of a helpdesk index: passages, and a vector of each.
 *
 * It is filled by one thread, given its vectors, and published; from then on it is immutable and
 * counted, for any thread.  Passages are numbered from 0 in the order in which they were added;
 * that number is what ties are settled by.  A vector without a document keeps its number, and is
 * never found. */
#ifndef TANDEM_HELPDESK_INDEX_H
#define TANDEM_HELPDESK_INDEX_H

#include "state/embed.h"
#include "state/helpdesk_words.h"

#include <jansson.h>
#include <stdbool.h>

#define HELPDESK_PASSAGE_MAX (64u * 1024) /* Bytes of one that is added uncut. */

struct helpdesk_passage {
    char *text;       /* Owned, as all here; null: a vector without a document. */
    char *source;     /* Where it is from. */
    char *heading;    /* The headings above it; or null. */
    json_t *meta;     /* An object that nobody changes; or null. */
    size_t first;     /* The number of its document's first passage. */
    unsigned ordinal; /* Which chunk of the document it is. */
    bool whole;       /* It is all of its document. */
    bool given;       /* Its vector came with it. */
    float square;     /* Of the vector's length; 0: it has none, and is never found. */
};

struct helpdesk_index {
    _Atomic unsigned refs;
    uint64_t generation; /* Of all of the process, rising; set by who publishes it. */
    int64_t loaded_ns;   /* Wall clock; likewise. */
    bool stale;          /* Made of an old copy of its source, since there was no new one. */
    size_t passages_max; /* No more than that; set when it is made. */
    size_t documents;    /* Files, and items of index files. */
    size_t skipped;      /* Files that could not be read. */
    size_t count;        /* Of passages, those without a document too. */
    size_t room;         /* For how many there is memory. */
    struct helpdesk_passage *passages;  /* Owned. */
    struct buf given;                   /* The vectors that were given, until all have one. */
    unsigned given_dimension;           /* 0: none was. */
    char embedder[EMBED_IDENTITY_SIZE]; /* Who made the vectors; empty before they are there. */
    struct vectors vectors;             /* One a passage, all zero for none. */
    struct helpdesk_words *words;       /* Owned; null: it goes by vectors alone. */
    char without[512]; /* Why it has no vectors and goes by words alone; else empty. */
    size_t reused;     /* Vectors taken over from the generation before. */
};

/* A new, empty one to be filled, counted. */
struct helpdesk_index *helpdesk_index_create(size_t passages_max);
/* It is to be found by words too: before anything is added.  E_IO, E_OVERLOAD. */
enum err helpdesk_index_use_words(struct helpdesk_index *index, struct fault *f);
struct helpdesk_index *helpdesk_index_ref(struct helpdesk_index *index);
/* Null is ignored. */
void helpdesk_index_unref(struct helpdesk_index *index);

/* Adds a Markdown document, cut into passages.  E_TOO_LARGE: it is past the bounds of Markdown
 * (then nothing has changed), or there are too many passages. */
enum err helpdesk_index_add_document(struct helpdesk_index *index, const char *source,
                                     struct slice text, const json_t *meta, struct fault *f);

/* One passage as an index file has it. */
struct helpdesk_item {
    struct slice text;   /* Data null: there is no document. */
    const char *source;  /* Copied, as all here. */
    const json_t *meta;  /* Or null. */
    const float *vector; /* Or null: it is yet to be made. */
    unsigned dimension;  /* Of 'vector': that of all that are given. */
};
/* Adds it, uncut.  E_TOO_LARGE as above; E_REFUSED: the vector is no good. */
enum err helpdesk_index_add(struct helpdesk_index *index, const struct helpdesk_item *item,
                            struct fault *f);

/* The number of a passage that the words found; index->count for what is none. */
size_t helpdesk_index_number(const struct helpdesk_index *index,
                             const struct helpdesk_word_hit *hit);

/* Gives all passages that have no vector one by 'embedder', or the one that the same text has in
 * 'old' (or null), if that was made by the same.  At the end: nothing may be added any more.
 * Errors as embedder_embed(); E_REFUSED: those that were given are of another dimension. */
enum err helpdesk_index_embed(struct helpdesk_index *index, struct embedder *embedder,
                              const struct helpdesk_index *old, const struct embed_limits *limits,
                              struct fault *f);
/* After helpdesk_index_embed() has failed: takes away what vectors there are, for it is to be found
 * by words alone, and notes why.  It has words. */
void helpdesk_index_do_without(struct helpdesk_index *index, const char *why);

#endif
