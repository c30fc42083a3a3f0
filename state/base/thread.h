/* thread.h -- how tandem starts a thread: named, on a small stack, and deaf to signals.
 *
 * Signals are the main thread's; one that is blocked here is never delivered here, and a write to a
 * pipe nobody reads is an error and not the end. */
#ifndef TANDEM_THREAD_H
#define TANDEM_THREAD_H

#include <pthread.h>

/* Starts 'run' with 'arg' in '*thread', for the caller to join.  'name', at most 15 bytes, is what
 * ps and gdb show.  Returns 0 or an errno. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *arg), void *arg);

#endif
