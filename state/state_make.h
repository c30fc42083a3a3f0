/* state_make.h -- how each singleton is made: for state.c. */
#ifndef TANDEM_STATE_MAKE_H
#define TANDEM_STATE_MAKE_H

#include "state/skills.h"
#include "state/state.h"

/* One maker a row: uses the options and what the rows above it have made.  Null, with the fault
 * set, if it cannot be. */
#define ROW(NAME, TYPE, MAKE, END) TYPE *MAKE(const struct state *state, struct fault *f);
SINGLETONS(ROW)
#undef ROW

/* Where a folder is: at 'path' from the root if the settings name one, else the data folder's
 * 'usual'.  Both are borrowed. */
struct dir_place state_place(const struct state_options *o, const char *path, const char *usual);

/* The folders of the project that packs, standards and skills are read from. */
struct named_sources {
    char *names[3]; /* Owned. */
    struct skill_source all[SKILLS_SOURCES_MAX];
    size_t count;
};
/* Fills 'n', for state_forget_names(); the paths of settings are borrowed from 'o'. */
void state_name_sources(const struct state_options *o, struct named_sources *n);
void state_forget_names(struct named_sources *n);

#endif
