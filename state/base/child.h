/* child.h -- runs a program and takes what it prints, within a time and a size.
 *
 * The child is made by posix_spawn(): no fork() of a process with many threads, so nothing of
 * theirs is copied, and nothing runs between the two programs.  It gets its own process group, no
 * signal blocked or ignored, null as error output, and no descriptor of ours.  Blocks; any thread
 * that holds no lock. */
#ifndef TANDEM_CHILD_H
#define TANDEM_CHILD_H

#include "state/base/mem.h"

#include <stdatomic.h>
#include <stdint.h>

#define CHILD_INPUT_MAX (32u << 10) /* Any pipe takes that at once. */

struct child_order {
    const char *const *argv;     /* The name first, found in PATH; ended by null. */
    const char *const *environ;  /* "NAME=value"; ended by null. */
    const char *folder;          /* Where it runs. */
    struct slice input;          /* What it reads, through a pipe: at most CHILD_INPUT_MAX bytes.
                                  * Null: there is no input, nor a pipe. */
    int64_t limit_ns;            /* Then it is killed, with all it has started. */
    size_t output_max;           /* More is read, and thrown away. */
    const atomic_bool *given_up; /* Killed as well when this turns true; may be null. */
    int asker;                   /* And when the peer of this socket has gone; 0: there is none. */
};

enum child_end {
    CHILD_GOOD,   /* Ended with status 0. */
    CHILD_FAILED, /* Ended badly, or could not be started. */
    CHILD_KILLED, /* Its time was over, or it was given up. */
};

/* Runs it to its end.  What it printed is added to 'out' on CHILD_GOOD. */
enum child_end child_run(const struct child_order *order, struct buf *out);

#endif
