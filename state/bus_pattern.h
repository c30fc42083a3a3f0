/* bus_pattern.h -- topics of events, and the patterns by which they are picked.
 *
 * A topic is lower-case segments between dots: "quota.threshold".  In a pattern a segment stands
 * for itself; '*' for any one segment, or, as the last, for all that are left, at least one; '**'
 * for any number of them, none included.  A '*' inside a segment is an error and not a prefix.
 *
 * Pure; any thread. */
#ifndef TANDEM_BUS_PATTERN_H
#define TANDEM_BUS_PATTERN_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdbool.h>

#define BUS_TOPIC_MAX 128 /* Bytes of a topic, and of a pattern. */
#define BUS_PATTERNS_MAX 32

/* Whether 'topic' is one: [a-z0-9_]+(\.[a-z0-9_]+)*, and not too long. */
bool bus_topic_valid(struct slice topic);
/* E_ARGUMENT if 'pattern' is none. */
enum err bus_pattern_check(struct slice pattern, struct fault *f);
/* Whether a valid pattern stands for a valid topic.  Takes time by the product of their lengths at
 * most. */
bool bus_pattern_matches(struct slice pattern, struct slice topic);

/* Several, of which any is enough.  Zero is the empty set, which stands for everything. */
struct bus_patterns {
    unsigned count;
    char *all[BUS_PATTERNS_MAX]; /* Owned; each once. */
};

/* Adds one; one that is there already counts once.  E_ARGUMENT if it is none, or one too many. */
enum err bus_patterns_add(struct bus_patterns *set, struct slice pattern, struct fault *f);
/* False if it was not there. */
bool bus_patterns_remove(struct bus_patterns *set, struct slice pattern);
/* Stores a copy in '*copy', which must be empty. */
void bus_patterns_copy(const struct bus_patterns *set, struct bus_patterns *copy);
/* Whether 'topic' is one of those that are meant. */
bool bus_patterns_match(const struct bus_patterns *set, struct slice topic);
/* Frees what is in it, and leaves it empty. */
void bus_patterns_fini(struct bus_patterns *set);

#endif
