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

/* Watches the folders 'sources' beneath 'workspace' from now on, and publishes to 'changes', which
 * is borrowed as 'keeper' is.  At most 'folders' folders are watched. */
struct sources *sources_start(struct keeper *keeper, struct changes *changes, struct dir *workspace,
                              const struct skill_source *sources, size_t count, unsigned folders);
/* Nothing is published any more.  Null is ignored. */
void sources_stop(struct sources *s);
struct watch_counters sources_counters(struct sources *s);

/* A workflow session made progress; 'list': or came, or went.  Any thread. */
void sources_tell_session(struct changes *changes, const char *session_id, bool list);

#endif
