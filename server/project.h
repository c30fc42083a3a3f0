/* project.h -- which project is served, and where its data is.
 *
 * The root is the nearest folder upward that holds .tandem or .praxis-os and belongs to this user
 * or to root, so that nobody can slip a project under another's feet in a shared folder.  The
 * data folder is .tandem, or .praxis-os where that is all there is: then its workflows/ and
 * standards/ are served, sessions are in .cache/state/, and nothing has to be converted.  A
 * project that has both keeps its data in .tandem, and packs and standards that are not there are
 * looked for in .praxis-os.
 *
 * main's thread only. */
#ifndef TANDEM_PROJECT_H
#define TANDEM_PROJECT_H

#include "state/base/err.h"
#include "state/base/file.h"

#include <stdbool.h>

struct project {
    char *root;            /* Absolute, without links; owned. */
    char *name;            /* Last part of the root; owned. */
    const char *data_name; /* ".tandem" or ".praxis-os"; borrowed for ever. */
    struct dir *root_dir;  /* Counted. */
    struct dir *data;      /* Counted; null until project_open_data(). */
};
#define PROJECT_INIT \
    {                \
        .root = NULL \
    }

/* Finds the project: 'root' if it is not empty, else upward from 'from' (absolute), not above
 * 'home' (may be null), else 'from' itself.  Makes nothing.  E_OK and 'p' for project_fini();
 * E_NOT_FOUND, E_IO. */
enum err project_find(const char *root, const char *from, const char *home, struct project *p,
                      struct fault *f);
void project_fini(struct project *p);

/* Opens the data folder; with 'create', makes it first if need be.  E_NOT_FOUND, E_IO. */
enum err project_open_data(struct project *p, bool create, struct fault *f);
/* For who holds the project's lock: removes what a crash has left in the data folder, and gives
 * it a .gitignore for what must not be shared, unless it has one.  E_IO. */
enum err project_tidy_data(struct project *p, struct fault *f);
/* A new string: the path of 'name' in the data folder, absolute. */
char *project_data_path(const struct project *p, const char *name);

#endif
