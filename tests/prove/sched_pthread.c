/* sched_pthread.c -- what stands in the place of pthread: mutexes, conditions and threads that are
 * the scheduler's.
 *
 * The bytes of a pthread_mutex_t are used for who owns it; conditions need none, the waiters know
 * what they wait for.  Outside of a run, where there is one thread, locks are taken and dropped as
 * well, and nobody waits. */
#include "tests/prove/sched_private.h"

#include "state/base/lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Mutexes ---- */

static struct mutex *
mutex_of(pthread_mutex_t *m)
{
    return (struct mutex *)m;
}

static bool
is_of_rank(const struct mutex *m, int rank)
{
    return rank >= 0 && m->is_lock && (int)((const struct lock *)m)->rank == rank;
}

static void
take(struct mutex *m)
{
    if (is_of_rank(m, sched.broken)) {
        m->broken++;
        return;
    }
    while (m->owner) {
        sched_self->mutex = m;
        sched_block(WANTS_MUTEX);
    }
    if (sched_self) {
        sched_self->mutex = NULL;
    }
    m->owner = sched_self ? sched_number(sched_self) + 1 : OUTSIDE;
}

static void
drop(struct mutex *m)
{
    if (m->broken) {
        m->broken--;
        return;
    }
    if (m->owner != (sched_self ? sched_number(sched_self) + 1 : OUTSIDE)) {
        sched_found("%s is unlocked by one who has not locked it", sched_lock_name(m));
    }
    m->owner = 0;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *m);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);

int
__wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
    memset(m, 0, sizeof *m);
    mutex_of(m)->is_lock = attr != NULL; /* lock_init() is the only one that gives some. */
    return 0;
}

int
__wrap_pthread_mutex_destroy(pthread_mutex_t *m)
{
    return mutex_of(m)->owner ? EBUSY : 0;
}

int
__wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
    sched_step(LOCK_TAKEN);
    take(mutex_of(m));
    return 0;
}

int
__wrap_pthread_mutex_trylock(pthread_mutex_t *m)
{
    sched_step(LOCK_TAKEN);
    if (mutex_of(m)->owner) {
        return EBUSY;
    }
    take(mutex_of(m));
    return 0;
}

int
__wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
    drop(mutex_of(m));
    sched_step(LOCK_DROPPED);
    return 0;
}

/* ---- Conditions ---- */

int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                  const struct timespec *until);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_cond_signal(pthread_cond_t *c);
int __wrap_pthread_cond_broadcast(pthread_cond_t *c);
int __wrap_pthread_cond_destroy(pthread_cond_t *c);

int
__wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
    if (!sched_self) {
        fprintf(stderr, "sched: a wait outside of a run has nobody to wait for\n");
        abort();
    }
    drop(mutex_of(m));
    sched_self->on = c;
    sched_self->mutex = mutex_of(m);
    sched_self->timed_out = false;
    sched_self->deadline = until ? (int64_t)until->tv_sec * 1000000000 + until->tv_nsec : INT64_MAX;
    sched_block(WAITS_WAKE);
    take(mutex_of(m));
    return sched_self->timed_out ? ETIMEDOUT : 0;
}

int
__wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
    return __wrap_pthread_cond_timedwait(c, m, NULL);
}

/* Wakes up to 'most' waiters; which ones, if not all, is the seed's choice. */
static void
wake_waiters(const pthread_cond_t *c, unsigned most)
{
    unsigned first;

    sched_step(WAKE);
    if (sched.count == 0) {
        return;
    }
    first = sched_pick(sched.count);
    for (unsigned i = 0; i < sched.count && most > 0; i++) {
        struct thread *t = &sched.threads[(first + i) % sched.count];
        if (t->state == WAITS_WAKE && t->on == c && !is_of_rank(t->mutex, sched.lossy)) {
            sched_wake(t);
            most--;
        }
    }
}

int
__wrap_pthread_cond_signal(pthread_cond_t *c)
{
    wake_waiters(c, 1);
    return 0;
}

int
__wrap_pthread_cond_broadcast(pthread_cond_t *c)
{
    wake_waiters(c, SCHED_THREADS);
    return 0;
}

int
__wrap_pthread_cond_destroy(pthread_cond_t *c)
{
    for (unsigned i = 0; i < sched.count; i++) {
        if (sched.threads[i].state == WAITS_WAKE && sched.threads[i].on == c) {
            sched_found("a condition is destroyed that thread %u waits for", i);
        }
    }
    return 0;
}

/* ---- Threads ---- */

static void
note_stack(struct thread *t)
{
    pthread_attr_t attr;
    void *low;
    size_t size;

    if (pthread_getattr_np(pthread_self(), &attr) != 0 ||
        pthread_attr_getstack(&attr, &low, &size) != 0) {
        perror("sched: a stack");
        abort();
    }
    pthread_attr_destroy(&attr);
    t->low = (uintptr_t)low;
    t->high = t->low + size;
}

static void *
run_thread(void *arg)
{
    struct thread *me = arg, *next;

    note_stack(me);
    while (sem_wait(&me->turn) != 0) {
    }
    sched_self = me;
    sched_self->result = sched_self->start(sched_self->arg);
    sched_self->state = ENDED;
    next = sched_choose();
    sem_post(next ? &next->turn : &sched.done);
    return NULL;
}

struct thread *
sched_add(const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    struct thread *t = &sched.threads[sched.count];

    if (sched.count == SCHED_THREADS) {
        sched_found("more than %d threads", SCHED_THREADS);
    }
    *t = (struct thread){.start = start, .arg = arg, .deadline = INT64_MAX};
    t->rank = SCHED_CHANGES + 1 + (int)sched_pick(1000000);
    if (sem_init(&t->turn, 0, 0) != 0 || __real_pthread_create(&t->os, attr, run_thread, t) != 0) {
        perror("sched: a thread");
        abort();
    }
    sched.count++;
    return t;
}

int
__wrap_pthread_create(pthread_t *os, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    if (!sched_self) {
        return __real_pthread_create(os, attr, start, arg);
    }
    *os = sched_add(attr, start, arg)->os;
    sched_step(THREAD_MADE);
    return 0;
}

int
__wrap_pthread_join(pthread_t os, void **result)
{
    struct thread *t = NULL;

    if (!sched_self) {
        return __real_pthread_join(os, result);
    }
    for (unsigned i = 0; i < sched.count; i++) {
        if (pthread_equal(sched.threads[i].os, os)) {
            t = &sched.threads[i]; /* The last one: the system uses its words again. */
        }
    }
    if (!t) {
        sched_found("a thread is joined that is none of the run");
    }
    sched_step(THREAD_JOINED);
    if (t->state != ENDED) {
        sched_self->on = t;
        sched_block(WANTS_END);
    }
    if (result) {
        *result = t->result;
    }
    return __real_pthread_join(os, NULL);
}

/* ---- What else is not the same each time, or takes long ---- */

ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_nanosleep(const struct timespec *pause, struct timespec *rest);
int __wrap_fsync(int fd);

ssize_t
__wrap_getrandom(void *out, size_t size, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < size; i++) {
        ((unsigned char *)out)[i] = (unsigned char)sched_draw();
    }
    return (ssize_t)size;
}

int
__wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    (void)id;
    t->tv_sec = 1700000000 + sched.now / 1000000000;
    t->tv_nsec = sched.now % 1000000000;
    return 0;
}

int
__wrap_nanosleep(const struct timespec *pause, struct timespec *rest)
{
    (void)rest;
    sched.now += (int64_t)pause->tv_sec * 1000000000 + pause->tv_nsec;
    if (sched_self) {
        sched_self->rank = sched.lowest--; /* Whoever polls lets the others go on. */
    }
    sched_step(CALL);
    return 0;
}

/* There is no crash here that a file would have to outlive. */
int
__wrap_fsync(int fd)
{
    (void)fd;
    sched_step(CALL);
    return 0;
}
