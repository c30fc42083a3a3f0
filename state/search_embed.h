/* search_embed.h -- makes the vectors of a generation's passages, in the background.
 *
 * A thread of its own asks the embedder, batch by batch, for those that no earlier generation and
 * no earlier server has made; a provider that is slow, dead or wrong holds up nobody but that
 * thread, which tries again, less and less often.  Vectors are offered once nearly all passages
 * have one, as search would be partial to those that have.  Any thread, holding no lock. */
#ifndef TANDEM_SEARCH_EMBED_H
#define TANDEM_SEARCH_EMBED_H

#include "state/search_store.h"
#include "state/search_vectors.h"

struct search_embed;

/* A new one, idle, for 'embedder', which is counted.  'ready' is called with 'arg', on its thread,
 * when there is something to take. */
struct search_embed *search_embed_create(struct embedder *embedder, void (*ready)(void *arg),
                                         void *arg);
/* Starts its thread.  E_IO if there can be none. */
enum err search_embed_start(struct search_embed *s, struct fault *f);
/* Ends the thread, whatever it is doing, within 100 ms, and frees.  Null is ignored. */
void search_embed_destroy(struct search_embed *s);

/* 'store', which is counted, is the generation that vectors are wanted of; an earlier one is
 * forgotten.  They are kept in 'dir' (counted; null: nowhere). */
void search_embed_want(struct search_embed *s, struct search_store *store, struct dir *dir);
/* The newest vectors of the generation wanted last, counted, unless they have been taken; else
 * null. */
struct search_vectors *search_embed_take(struct search_embed *s);

struct search_embed_status {
    char embedder[EMBED_IDENTITY_SIZE];
    unsigned dimension;
    uint64_t passages, made; /* Of the generation; those of them that have a vector. */
    uint64_t asked;          /* Passages that the embedder has made vectors of, in all. */
    uint64_t failures;
    char trouble[512]; /* Why the last batch failed; empty if it did not. */
};
/* How far it is, now. */
void search_embed_status(struct search_embed *s, struct search_embed_status *status);

#endif
