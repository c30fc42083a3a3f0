/* sources.h -- what of the project changes on disk, published as changes of lists and resources.
 *
 * Watches the folders of packs, of standards and of skills.  A pack that comes, goes or describes
 * itself anew changes the lists of prompts and of resources; a standard or skill that comes or goes
 * that of resources; and whatever changes is published by its URI (uri.h). */
#ifndef TANDEM_SOURCES_H
#define TANDEM_SOURCES_H

#include "state/changes.h"
#include "state/skills.h"
#include "state/watch.h"

struct sources;

struct sources_options {
    struct keeper *keeper;   /* Borrowed, as are 'changes' and 'arg'. */
    struct changes *changes; /* Where news are published. */
    struct dir *workspace;   /* What the folders are beneath. */
    unsigned folders;        /* At most so many are watched. */
    /* Something below the folder of standards has changed; the keeper's thread.  May be null. */
    void (*standards_changed)(void *arg);
    void *arg;
};

/* Watches the folders 'sources' from now on. */
struct sources *sources_start(const struct sources_options *options,
                              const struct skill_source *sources, size_t count);
/* Nothing is published any more.  Null is ignored. */
void sources_stop(struct sources *s);
/* Has all of them looked at again, soon. */
void sources_look(struct sources *s);
struct watch_counters sources_counters(struct sources *s);

/* A workflow session made progress; 'list': or came, or went.  Any thread. */
void sources_tell_session(struct changes *changes, const char *session_id, bool list);

#endif
