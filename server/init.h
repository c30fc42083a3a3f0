/* init.h -- what the first process of a PID namespace owes to the others.
 *
 * In a container tandem is process 1.  The kernel gives that one whatever children others leave
 * behind, and no signal does anything to it by default.  So it stands aside: the program goes on in
 * a child, with the signals that every program has, while process 1 hands signals on, collects who
 * has ended, and ends with the child's status.  It costs a fork before anything is loaded, and what
 * is not written to is shared.
 *
 * Before the first thread. */
#ifndef TANDEM_INIT_H
#define TANDEM_INIT_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* Returns true at once where this is not process 1; else true in the child alone.  False if there
 * can be no child. */
bool init_stand_aside(void);
/* What the first process does from then on: hands signals, all of which are blocked, on to 'child'
 * and collects processes until 'child' has ended.  Returns the status to end with: the child's, or
 * 128 and the number of the signal that ended it. */
int init_watch(pid_t child);

#endif
