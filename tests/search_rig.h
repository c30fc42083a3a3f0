/* search_rig.h -- a folder of standards and the search over it, for tests of both. */
#ifndef TANDEM_TESTS_SEARCH_RIG_H
#define TANDEM_TESTS_SEARCH_RIG_H

#include "state/search.h"
#include "tests/fakes.h"
#include "tests/tree.h"

struct search_rig {
    struct tree *tree; /* With "standards" and "index". */
    struct search *search;
    const struct clock *clock; /* Null: the real one. */
    bool keep;                 /* The index is kept on disk. */
    struct embedder *embedder; /* Of searches that are made from now on; borrowed; or null. */
    int64_t query_ns;          /* How long they wait for the vector of a question. */
};

/* A new folder with two standards, searched by a server: locks.md and tests/doubles.md. */
void search_rig_create(struct search_rig *r, bool keep);
/* The same without any. */
void search_rig_create_empty(struct search_rig *r, bool keep);
/* A new search on the folder that is there, as a server that starts: waits for its first look. */
void search_rig_start(struct search_rig *r);
/* One that was not started: what a call without a server does. */
void search_rig_open(struct search_rig *r);
void search_rig_destroy(struct search_rig *r);

/* Has the files looked at again, and waits for it. */
void search_rig_follow(struct search_rig *r);
struct search_status search_rig_status(struct search_rig *r);
/* Asks for at most ten. */
enum err search_rig_ask(struct search_rig *r, const char *query, struct search_answer *answer,
                        struct fault *f);
/* The paths found must be these, with blanks between. */
void search_rig_finds(struct search_rig *r, const char *query, const char *expected);

/* Set-up and tear-down of a test of what may not be read or written: root may do anything, so it is
 * done as nobody. */
int search_rig_be_nobody(void **state);
int search_rig_be_oneself(void **state);
void search_rig_set_mode(const struct search_rig *r, const char *path, mode_t mode);
/* Waits until there is one generation on disk: older ones go with whoever used them last. */
void search_rig_expect_one_generation(const struct search_rig *r);

#endif
