/* regex.h -- regular expressions of Python's kind, matched in linear time.
 *
 * All states at once, no backtracking: time is at most text times pattern, whatever the pattern,
 * and a budget of steps bounds it further.  The answer is yes or no; groups group and capture
 * nothing, so lazy and greedy forms are alike.  Taken: literals, . [classes] \d \w \s \b and their
 * opposites, \A \Z ^ $, alternation, groups (also (?:...) and (?P<name>...)), * + ? {m,n}, and the
 * flags (?ims) at the start.  Look-around, back references and the rest are refused when compiled.
 * Pure; a compiled expression may be used by many threads at once. */
#ifndef TANDEM_REGEX_H
#define TANDEM_REGEX_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdbool.h>

#define REGEX_BYTES_MAX 4096u    /* Of a pattern. */
#define REGEX_REPEAT_MAX 1000u   /* Largest count in {m,n}. */
#define REGEX_PROGRAM_MAX 10000u /* States after counts are unrolled. */

struct regex;

enum regex_mode {
    REGEX_MATCH,  /* From the start of the text on. */
    REGEX_SEARCH, /* Anywhere. */
    REGEX_FULL    /* The whole text. */
};

/* Compiles the UTF-8 text 'pattern' into '*regex', new.  E_REFUSED with the column, from 1, of what
 * is wrong or not taken; E_TOO_LARGE over a bound. */
enum err regex_compile(struct slice pattern, struct regex **regex, struct fault *fault);
/* Null is ignored. */
void regex_free(struct regex *regex);

/* Tells in '*matched' if valid UTF-8 'text' matches.  Takes its steps off '*steps'; E_LIMIT when
 * they are used up, E_TOO_LARGE if there is no memory. */
enum err regex_run(const struct regex *regex, struct slice text, enum regex_mode mode,
                   uint64_t *steps, bool *matched, struct fault *fault);

#endif
