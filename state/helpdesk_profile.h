/* helpdesk_profile.h -- how a kind of question is best searched for, and of which kind one is.
 *
 * The kind is told by words and phrases in the question, the same question being of the same kind
 * always.  Pure; any thread. */
#ifndef TANDEM_HELPDESK_PROFILE_H
#define TANDEM_HELPDESK_PROFILE_H

#include "state/helpdesk_find.h"

/*      name        top_k fetch_k lambda mmr */
#define HELPDESK_PROFILES(ROW)        \
    ROW(listing, 6, 15, 0.6, true)    \
    ROW(pricing, 4, 10, 0.8, false)   \
    ROW(how_to, 3, 8, 0.9, false)     \
    ROW(place, 5, 15, 0.5, true)      \
    ROW(comparison, 8, 20, 0.4, true) \
    ROW(process, 3, 8, 0.9, false)    \
    ROW(general, 5, 12, 0.7, true)

enum helpdesk_profile {
#define ROW(NAME, ...) PROFILE_##NAME,
    HELPDESK_PROFILES(ROW)
#undef ROW
        PROFILE_COUNT,
    PROFILE_NONE = -1
};

struct helpdesk_profile_row {
    const char *name;
    unsigned top_k, fetch_k;
    double lambda;
    bool mmr;
};

/* Borrowed for ever. */
const struct helpdesk_profile_row *helpdesk_profile_row(enum helpdesk_profile profile);
/* The profile of that name, or PROFILE_NONE. */
enum helpdesk_profile helpdesk_profile_find(const char *name);
/* The kind of 'question': PROFILE_general if nothing tells. */
enum helpdesk_profile helpdesk_classify(struct slice question);

/* How to search: as a profile says, or PROFILE_NONE, for context or not, with diversity or not. */
void helpdesk_search_init(struct helpdesk_search *search, enum helpdesk_profile profile,
                          bool context, bool mmr);

#endif
