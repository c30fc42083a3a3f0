/* lock.c -- mutexes that know their place in the order.
 *
 * DESIGN.  The ranks a thread holds are a bit set and not a list: two locks of one row are never
 * held together, so a row is held or it is not, and the check is one shift.  It stays on in release
 * builds: it costs a nanosecond, and a wrong order is a deadlock that has not happened yet.
 *
 * pthread is named here, in thread.c and where a thread is joined, and nowhere else below server/:
 * there the build variant "sched" puts a scheduler in its place (tests/prove/sched.h). */
#include "state/base/lock.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static _Thread_local uint64_t held;

static const char *const names[RANK_COUNT] = {
#define ROW(NAME, AFTER, WHAT) [RANK_##NAME] = #NAME,
    LOCK_RANKS(ROW)
#undef ROW
};

#define ROW(NAME, AFTER, WHAT)   \
    struct lock_class LC_##NAME; \
    _Static_assert(RANK_##NAME == RANK_##AFTER + 1 || RANK_##NAME == 0, "rows are in order");
LOCK_RANKS(ROW)
#undef ROW
_Static_assert(RANK_COUNT <= 64, "a thread's held ranks fit one word");

const char *
lock_rank_name(enum lock_rank rank)
{
    return names[rank];
}

bool
lock_none_held(void)
{
    return held == 0;
}

static void __attribute__((noreturn)) order_violated(enum lock_rank wanted)
{
    int top = 63 - __builtin_clzll(held);

    fprintf(stderr, "level=error module=lock event=\"lock order violated\" wants=%s holds=%s\n",
            names[wanted], names[top]);
    abort();
}

void
lock_init(struct lock *l, enum lock_rank rank)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
#ifndef NDEBUG
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
#endif
    if (pthread_mutex_init(&l->mutex, &attr) != 0) {
        abort();
    }
    pthread_mutexattr_destroy(&attr);
    l->rank = rank;
    l->acquisitions = l->waits = 0;
}

void
lock_fini(struct lock *l)
{
    int failed = pthread_mutex_destroy(&l->mutex);
    assert(failed == 0);
    (void)failed;
}

void
lock_acquire_(struct lock *l, enum lock_rank rank)
{
    int failed;

    assert(l->rank == rank);
    if (held >> rank) {
        order_violated(rank);
    }
    failed = pthread_mutex_trylock(&l->mutex);
    if (failed == EBUSY) {
        failed = pthread_mutex_lock(&l->mutex);
        l->waits += failed == 0;
    }
    assert(failed == 0);
    l->acquisitions++;
    held |= UINT64_C(1) << rank;
}

void
lock_release_(struct lock *l, enum lock_rank rank)
{
    int failed;

    assert(l->rank == rank && (held & UINT64_C(1) << rank));
    held &= ~(UINT64_C(1) << rank);
    failed = pthread_mutex_unlock(&l->mutex);
    assert(failed == 0);
    (void)failed;
}

struct lock_counters
lock_counters(struct lock *l)
{
    struct lock_counters c;

    lock_acquire_(l, l->rank);
    c = (struct lock_counters){l->acquisitions, l->waits};
    lock_release_(l, l->rank);
    return c;
}

void
cond_init(struct cond *c)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (pthread_cond_init(&c->cond, &attr) != 0) {
        abort();
    }
    pthread_condattr_destroy(&attr);
}

void
cond_fini(struct cond *c)
{
    pthread_cond_destroy(&c->cond);
}

bool
cond_wait(struct cond *c, struct lock *l, int64_t deadline_ns)
{
    int failed;

    assert(held == UINT64_C(1) << l->rank);
    if (deadline_ns == INT64_MAX) {
        failed = pthread_cond_wait(&c->cond, &l->mutex);
    } else {
        int64_t ns = deadline_ns > 0 ? deadline_ns : 0;
        struct timespec until = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
        failed = pthread_cond_timedwait(&c->cond, &l->mutex, &until);
    }
    assert(failed == 0 || failed == ETIMEDOUT);
    return failed == 0;
}

void
cond_signal(struct cond *c)
{
    pthread_cond_signal(&c->cond);
}

void
cond_broadcast(struct cond *c)
{
    pthread_cond_broadcast(&c->cond);
}
