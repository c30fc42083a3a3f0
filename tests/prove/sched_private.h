/* sched_private.h -- what the scheduler's files share.
 *
 *   sched.c          findings, whose turn it is, runs
 *   sched_pthread.c  what the linker puts in the place of pthread's functions, and of a few others
 *   sched_points.c   what the compiler calls at atomics and accesses to memory
 *
 * All of it is touched by the thread that has the turn, and by nobody else. */
#ifndef TANDEM_TESTS_SCHED_PRIVATE_H
#define TANDEM_TESTS_SCHED_PRIVATE_H

#include "tests/prove/sched.h"

#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>

#define SCHED_THREADS 16
#define SCHED_CHANGES 3 /* Of the ranks, in a run. */

enum state { CAN_RUN, WANTS_MUTEX, WAITS_WAKE, WANTS_END, ENDED };

struct thread {
    pthread_t os;
    sem_t turn;
    enum state state;
    const void *on;      /* The condition or the thread that it waits for; */
    struct mutex *mutex; /* or the mutex, which a wait for a wake comes back to. */
    int64_t deadline;    /* Of a wait; INT64_MAX: none. */
    bool timed_out;
    int rank; /* The highest runs, on even seeds. */
    void *(*start)(void *arg);
    void *arg, *result;
    uintptr_t low, high; /* Its stack and what is thread-local: nobody else's business. */
};

/* What lies in the place of a pthread_mutex_t. */
struct mutex {
    unsigned owner;   /* A thread's number and 1; OUTSIDE: somebody outside of runs. */
    unsigned is_lock; /* It is the first member of a struct lock. */
    unsigned broken;  /* How many hold it, though it excludes nobody. */
};
#define OUTSIDE 1000u
_Static_assert(sizeof(struct mutex) <= sizeof(pthread_mutex_t), "it has room");

struct sched {
    const char *what;
    uint64_t seed, random;
    struct sched_run run;
    struct thread threads[SCHED_THREADS];
    unsigned count;
    sem_t done;
    unsigned accesses; /* Until the next one is a point. */
    unsigned spurious; /* Points until a wait ends by itself. */
    unsigned long changes[SCHED_CHANGES];
    int lowest;        /* The next rank of one who is put behind all others. */
    int broken, lossy; /* Ranks of locks; -1: none. */
    int64_t now;       /* Moves with each point. */
};

extern struct sched sched;
/* The calling thread, if it is one of the run; else null. */
extern _Thread_local struct thread *sched_self;

enum kind { LOCK_TAKEN, LOCK_DROPPED, WAKE, THREAD_MADE, THREAD_JOINED, CALL, ATOMIC, ACCESS };

/* A point: another thread may go on. */
void sched_step(enum kind kind);
/* Gives the turn away until the caller, in 'state', is chosen again. */
void sched_block(enum state state);
/* Ends the wait of a thread: it wants its mutex. */
void sched_wake(struct thread *t);
/* Who runs next; null once all have ended. */
struct thread *sched_choose(void);
uint64_t sched_draw(void);
unsigned sched_number(const struct thread *t);
const char *sched_lock_name(const struct mutex *m);
/* Adds a thread to the run, which waits for its turn. */
struct thread *sched_add(const pthread_attr_t *attr, void *(*start)(void *), void *arg);

/* pthread's own: see --wrap of the linker. */
int __real_pthread_create(pthread_t *os, const pthread_attr_t *attr, void *(*start)(void *),
                          void *arg);
int __real_pthread_join(pthread_t os, void **result);
int __wrap_pthread_create(pthread_t *os, const pthread_attr_t *attr, void *(*start)(void *),
                          void *arg);
int __wrap_pthread_join(pthread_t os, void **result);

#endif
