/* embed_hashed.h -- vectors out of the letters of a text alone: always there, the same everywhere.
 *
 * Words and the character sequences in them are hashed into a vector of fixed dimension (signed, so
 * that collisions cancel out in the mean), each counted by the logarithm of how often it is there.
 * Texts that share words, or words of one stem, or misspelt ones, are near each other; synonyms are
 * not. */
#ifndef TANDEM_EMBED_HASHED_H
#define TANDEM_EMBED_HASHED_H

#include "state/embed.h"

#define EMBED_HASHED_DIMENSION 768u

/* A new embedder, "hashed/1", with 8 to EMBED_DIMENSION_MAX dimensions. */
struct embedder *embed_hashed_create(unsigned dimension);

#endif
