/* thread.c -- threads as tandem needs them. */
#include "state/base/thread.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

/* Handlers parse bounded input without deep recursion; this leaves ample room over what they need.
 */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define STACK_BYTES (4 * 1024 * 1024) /* Frames are several times as large in these builds. */
#else
#define STACK_BYTES (512 * 1024)
#endif

int
thread_start(pthread_t *thread, const char *name, void *(*run)(void *arg), void *arg)
{
    pthread_attr_t attr;
    char own_name[16];
    sigset_t all, before;
    int failed;

    assert(strlen(name) <= 15);
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    /* It begins with the name of who makes it.  To be named later takes a file in /proc, which a
     * process that is shut in does not write. */
    prctl(PR_GET_NAME, own_name);
    prctl(PR_SET_NAME, name);
    failed = pthread_create(thread, &attr, run, arg);
    prctl(PR_SET_NAME, own_name);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return failed;
}
