/* sched.h -- threads that take turns: which of them runs next is a seed's choice, at every lock,
 * unlock, wait, wake, atomic, and now and then at a plain access to memory.
 *
 * The build variant "sched" compiles the very sources of the product with two changes, neither of
 * them in the sources.  The linker leads pthread's mutexes, conditions, create and join, which
 * lock.c and thread.c stand on, to the ones in sched.c (--wrap); and the compiler calls a function
 * at each atomic and each access to memory (-fsanitize=thread without its library: sched_points.c
 * is what it calls).  So each store is run as it is.
 *
 * Only one thread runs; the others wait for their turn.  A run is told by its seed: what is random
 * in it, bytes of the kernel too, comes of that, so the same seed runs the same way again, which
 * its trace shows.  Odd seeds choose anew at each point; even ones give the threads ranks and
 * change them at a few points, which finds what needs one long sleep at the wrong place.  A wait
 * may end without a wake, as POSIX allows; one with a deadline times out only when nobody else can
 * run.
 *
 * A finding ends the process: nothing of the run can be undone.  It tells the seed. */
#ifndef TANDEM_TESTS_SCHED_H
#define TANDEM_TESTS_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#define SCHED_FOUND 3 /* The exit status of a finding. */

struct sched_run {
    uint64_t trace;      /* Of all turns, in their order. */
    unsigned long steps; /* Points at which another thread might have gone on. */
    unsigned long turns; /* Points at which one did. */
};

/* Runs 'body' as the first thread, and those that it makes, until all have ended.  Whoever makes a
 * thread joins it.  'what' is borrowed for ever: findings tell it beside the seed. */
struct sched_run sched_run(const char *what, uint64_t seed, void (*body)(void *arg), void *arg);

/* Runs 'body(arg, i)' on 'count' threads and joins them.  From within a run. */
void sched_together(unsigned count, void (*body)(void *arg, unsigned i), void *arg);
/* A number of the seed's choice below 'below'.  From within a run. */
unsigned sched_pick(unsigned below);
/* A point like those that the compiler finds. */
void sched_point(void);

/* Notes what is wrong, and ends the process with SCHED_FOUND. */
void sched_found(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
#define SCHED_CHECK(CONDITION)                                        \
    do {                                                              \
        if (!(CONDITION)) {                                           \
            sched_found("%s:%d: %s", __FILE__, __LINE__, #CONDITION); \
        }                                                             \
    } while (0)

/* What sched_points.c calls. */
void sched_atomic(void);
void sched_access(const void *address);

/* ---- Bugs that are planted, to see that they are found ---- */

/* Locks of the rank with this name exclude nobody any more; null: all do. */
void sched_break_lock(const char *rank);
/* Wakes of conditions whose waiters hold a lock of that rank are lost; null: none is. */
void sched_lose_wakes(const char *rank);

#endif
