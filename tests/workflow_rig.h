/* workflow_rig.h -- a state folder with a store on it, and threads that begin at once. */
#ifndef TANDEM_TESTS_WORKFLOW_RIG_H
#define TANDEM_TESTS_WORKFLOW_RIG_H

#include "tests/fakes.h"

#include "state/workflow_store.h"

#include <stdatomic.h>

/* A store whose sessions have phases 0..phases-1 and whose content is counted. */
struct store_rig {
    char path[64];
    struct dir *dir;
    struct fake_clock clock;
    struct workflow_store *store;
    struct workflow_store_options options;
    int phases;
    bool no_content; /* open() gives null. */
    _Atomic unsigned opened, closed, built;
};
void store_rig_init(struct store_rig *rig);
/* The same on a folder that is there, by another process, say. */
void store_rig_open(struct store_rig *rig, const char *path);
/* Ends the store and makes another on the same folder, as a restart would. */
void store_rig_restart(struct store_rig *rig);
/* Frees all, checks that every content was closed, and removes the folder. */
void store_rig_fini(struct store_rig *rig);

/* Starts, or resumes, a session of pack 'pack'; tells its id. */
enum err store_rig_start(struct store_rig *rig, const char *pack, const char *target, bool fresh,
                         char id[RECORD_ID_SIZE], bool *resumed, struct fault *f);
/* Completes 'phase' with the evidence {"by": by}, passed or refused. */
enum err store_rig_complete(struct store_rig *rig, const char *id, int phase, bool passed, int by,
                            struct fault *f);
/* How many phases of a session are completed; its state in '*state'. */
int store_rig_completed(struct store_rig *rig, const char *id, enum record_state *state);
/* The name of its file. */
void store_rig_file(const char *id, char name[64]);
enum err store_rig_pause(struct store_rig *rig, const char *id, struct fault *f);

/* Runs 'body(arg, i)' on 'count' threads that begin together. */
void run_together(unsigned count, void (*body)(void *arg, unsigned i), void *arg);

#endif
