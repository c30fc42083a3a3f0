/* rune.h -- one Unicode code point at a time: decoding UTF-8, and what kind of character it is.
 *
 * The character kinds are close to, not equal to, the Unicode tables: exact for ASCII, Latin-1,
 * Greek and Cyrillic; elsewhere a letter is what lies outside the blocks of punctuation, symbols
 * and pictures.  Enough for words in Markdown and for the rules of gates.  Pure; any thread. */
#ifndef TANDEM_RUNE_H
#define TANDEM_RUNE_H

#include "state/base/mem.h"

#include <stdbool.h>
#include <stdint.h>

/* Decodes the code point at byte 'at' of 's' (at < s.len) into '*rune'.  Returns its length, 1 to
 * 4, or 0 if the bytes there are not strict UTF-8. */
size_t rune_decode(struct slice s, size_t at, uint32_t *rune);
/* Writes 'rune' (a valid code point) as UTF-8; returns the length, 1 to 4. */
size_t rune_encode(uint32_t rune, char out[4]);
/* True if all of 's' is strict UTF-8. */
bool rune_valid(struct slice s);
/* How many code points the valid UTF-8 text 's' holds. */
size_t rune_count(struct slice s);
/* The largest length <= 'max' at which the valid UTF-8 text 's' may be cut. */
size_t rune_cut(struct slice s, size_t max);

bool rune_is_digit(uint32_t rune); /* ASCII and full-width digits. */
bool rune_is_space(uint32_t rune);
bool rune_is_alnum(uint32_t rune); /* A letter or digit of any script. */
uint32_t rune_lower(uint32_t rune);
uint32_t rune_upper(uint32_t rune);

#endif
