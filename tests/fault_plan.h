/* fault_plan.h -- which call of a server fails, and what came of it: memory that a test and the
 * server under test share.
 *
 * The server is the whole of tandem linked with tests/prove/shim/fault_shim.c, which counts calls
 * while 'armed' and makes one of them fail, once.  It finds the plan by FAULT_PLAN_VARIABLE. */
#ifndef TANDEM_TESTS_FAULT_PLAN_H
#define TANDEM_TESTS_FAULT_PLAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define FAULT_PLAN_VARIABLE "FAULT_PLAN"

/* What is counted. */
enum fault_kind {
    FAULT_NONE,
    FAULT_MEMORY, /* malloc, calloc, realloc and their like, of all libraries. */
    FAULT_FILES,  /* Calls on files and folders; not on sockets, pipes and standard error. */
    FAULT_SHORT,  /* Writes to files, of which one takes half of what it is given. */
    FAULT_SPACE,  /* Writes that make files: all fail from the n-th on, until disarmed. */
};

/* A call path: who called whom, a dozen frames up. */
struct fault_path {
    _Atomic unsigned long hash; /* Equal in all runs of a program that is loaded to the same
                                 * addresses; 0: none. */
    unsigned long first;        /* The n-th call was the first on it. */
    char site[480];             /* As fault_plan's. */
};
#define FAULT_PATHS 16384u /* A power of two. */

struct fault_plan {
    _Atomic int armed;    /* Calls are counted. */
    enum fault_kind kind; /* Set before it is armed, as the next five. */
    int error;            /* errno of what fails; for memory ENOMEM. */
    unsigned long nth;    /* From 1; 0: none fails, all are counted. */
    bool by_path;         /* The first call on 'target' fails instead; 0: all paths are noted. */
    unsigned long target;
    _Atomic unsigned long count;
    _Atomic int hit; /* It has failed; what is below is told before. */
    size_t size;     /* Of the allocation or write. */
    char call[16];   /* Its name. */
    char path[128];  /* Of what file. */
    char site[1500]; /* Where it was called from: "object+0xOFFSET" for each frame, innermost first;
                      * the offset is one of the call, not of what follows it. */
    struct fault_path paths[FAULT_PATHS];
};

#endif
