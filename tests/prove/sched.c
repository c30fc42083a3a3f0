/* sched.c -- whose turn it is.
 *
 * DESIGN.  Threads are real ones, each with a semaphore for its turn, so that thread-local data,
 * stacks and debuggers are as always; a switch costs a wake of the kernel, on one CPU.  Coroutines
 * would be three times as fast, and would share what is thread-local, which lock.c stands on.  The
 * bytes of a pthread_mutex_t are used for who owns it; conditions need no bytes, the waiters know
 * what they wait for.  All of it is touched by the thread that has the turn, and by nobody else. */
#include "tests/prove/sched_private.h"

#include "state/base/lock.h"

#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_MAX 2000000ul
#define SPURIOUS_EACH 128 /* Points, for one wait that ends by itself, about. */
#define ACCESSES_EACH 48  /* Of memory, for one point, about. */

struct sched sched = {.broken = -1, .lossy = -1};
_Thread_local struct thread *sched_self;

/* ---- Findings ---- */

static void
end_with(const char *text)
{
    printf("found in %s, seed %llu, after %lu steps, trace %016llx: %s\n", sched.what,
           (unsigned long long)sched.seed, sched.run.steps, (unsigned long long)sched.run.trace,
           text);
    fflush(stdout);
    _exit(SCHED_FOUND);
}

void
sched_found(const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    end_with(text);
    abort();
}

/* A crash is a finding, too: the process is about to end anyway. */
static void
crashed(int signal)
{
    end_with(signal == SIGABRT ? "aborted" : "crashed");
}

/* ---- The choice ---- */

uint64_t
sched_draw(void)
{
    uint64_t x = sched.random += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

unsigned
sched_pick(unsigned below)
{
    return (unsigned)(sched_draw() % below);
}

static bool
by_rank(void)
{
    return sched.seed % 2 == 0;
}

static void
note(unsigned what)
{
    sched.run.trace = (sched.run.trace ^ what) * 0x100000001b3u;
}

unsigned
sched_number(const struct thread *t)
{
    return (unsigned)(t - sched.threads);
}

const char *
sched_lock_name(const struct mutex *m)
{
    return m && m->is_lock ? lock_rank_name(((const struct lock *)m)->rank) : "a mutex";
}

static bool
is_ready(const struct thread *t)
{
    switch (t->state) {
    case CAN_RUN:
        return true;
    case WANTS_MUTEX:
        return t->mutex->owner == 0;
    case WANTS_END:
        return ((const struct thread *)t->on)->state == ENDED;
    case WAITS_WAKE:
    case ENDED:
        break;
    }
    return false;
}

void
sched_wake(struct thread *t)
{
    t->state = WANTS_MUTEX;
    t->on = NULL;
}

static void
deadlock(void)
{
    static const char *const words[] = {"can run", "wants the lock",
                                        "waits for a wake, with the lock", "wants to join a thread",
                                        "has ended"};
    char text[1024];
    size_t len = 0;

    for (unsigned i = 0; i < sched.count; i++) {
        const struct thread *t = &sched.threads[i];
        int n = t->state == ENDED
                    ? 0
                    : snprintf(text + len, sizeof text - len, "; thread %u %s %s", i,
                               words[t->state], t->mutex ? sched_lock_name(t->mutex) : "");
        len += (size_t)n < sizeof text - len ? (size_t)n : 0;
    }
    text[len] = '\0';
    sched_found("deadlock%s", text);
}

/* The thread whose wait times out, now that nobody else can run; null if all have ended. */
static struct thread *
time_out(void)
{
    struct thread *first = NULL;
    bool left = false;

    for (unsigned i = 0; i < sched.count; i++) {
        struct thread *t = &sched.threads[i];
        left |= t->state != ENDED;
        if (t->state == WAITS_WAKE && t->deadline != INT64_MAX &&
            (!first || t->deadline < first->deadline)) {
            first = t;
        }
    }
    if (first) {
        sched_wake(first);
        first->timed_out = true;
        if (!is_ready(first)) {
            return time_out();
        }
    } else if (left) {
        deadlock();
    }
    return first;
}

/* Who runs next; null once all have ended. */
struct thread *
sched_choose(void)
{
    struct thread *ready[SCHED_THREADS], *next;
    unsigned count = 0;

    for (unsigned i = 0; i < sched.count; i++) {
        if (is_ready(&sched.threads[i])) {
            ready[count++] = &sched.threads[i];
        }
    }
    if (count == 0) {
        next = time_out();
    } else if (by_rank()) {
        next = ready[0];
        for (unsigned i = 1; i < count; i++) {
            next = ready[i]->rank > next->rank ? ready[i] : next;
        }
    } else {
        next = ready[count == 1 ? 0 : sched_pick(count)];
    }
    if (next) {
        next->state = CAN_RUN;
        next->on = NULL;
        note(sched_number(next));
    }
    return next;
}

static void
give_turn(struct thread *next)
{
    struct thread *me = sched_self;

    if (next == me) {
        return;
    }
    sched.run.turns++;
    sem_post(&next->turn);
    while (sem_wait(&me->turn) != 0) {
    }
}

/* Ends the wait of some thread, as POSIX allows, once in a while. */
static void
wake_for_nothing(void)
{
    unsigned first = sched_pick(sched.count);

    sched.spurious = 1 + sched_pick(2 * SPURIOUS_EACH);
    for (unsigned i = 0; i < sched.count; i++) {
        struct thread *t = &sched.threads[(first + i) % sched.count];
        if (t->state == WAITS_WAKE) {
            sched_wake(t);
            return;
        }
    }
}

/* A point: another thread may go on. */
void
sched_step(enum kind kind)
{
    if (!sched_self) {
        return;
    }
    note(64 + kind);
    sched.now += 1000;
    if (++sched.run.steps > STEPS_MAX) {
        sched_found("no end");
    }
    if (--sched.spurious == 0) {
        wake_for_nothing();
    }
    for (unsigned i = 0; i < SCHED_CHANGES; i++) {
        if (sched.run.steps == sched.changes[i]) {
            sched_self->rank = sched.lowest--;
        }
    }
    give_turn(sched_choose());
}

void
sched_point(void)
{
    sched_step(CALL);
}

void
sched_atomic(void)
{
    sched_step(ATOMIC);
}

void
sched_access(const void *address)
{
    uintptr_t at = (uintptr_t)address;

    if (!sched_self || (at >= sched_self->low && at < sched_self->high) || --sched.accesses > 0) {
        return;
    }
    sched.accesses = 1 + sched_pick(2 * ACCESSES_EACH);
    sched_step(ACCESS);
}

/* Waits until it is this thread's turn again, in 'state'. */
void
sched_block(enum state state)
{
    sched_self->state = state;
    give_turn(sched_choose());
}

/* ---- Runs ---- */

struct first {
    void (*body)(void *arg);
    void *arg;
};

static void *
run_first(void *arg)
{
    struct first *f = arg;

    f->body(f->arg);
    return NULL;
}

/* One CPU: the next thread's turn comes as soon as the last one sleeps. */
static void
stay_on_one_cpu(void)
{
    cpu_set_t set;
    int cpu = sched_getcpu();

    CPU_ZERO(&set);
    CPU_SET(cpu < 0 ? 0 : (unsigned)cpu, &set);
    sched_setaffinity(0, sizeof set, &set); /* It only makes it faster. */
}

struct sched_run
sched_run(const char *what, uint64_t seed, void (*body)(void *arg), void *arg)
{
    struct first first = {body, arg};
    struct thread *t;

    if (!sched.what) {
        stay_on_one_cpu();
        signal(SIGABRT, crashed);
        signal(SIGSEGV, crashed);
        signal(SIGBUS, crashed);
        signal(SIGFPE, crashed);
        sem_init(&sched.done, 0, 0);
    }
    sched.what = what;
    sched.seed = sched.random = seed;
    sched.run = (struct sched_run){.trace = 0xcbf29ce484222325u};
    sched.count = 0;
    sched.now = 0;
    sched.lowest = SCHED_CHANGES;
    sched.accesses = 1 + sched_pick(2 * ACCESSES_EACH);
    sched.spurious = 1 + sched_pick(2 * SPURIOUS_EACH);
    for (unsigned i = 0; i < SCHED_CHANGES; i++) {
        sched.changes[i] = 1 + sched_pick(1u << (4 + sched_pick(7)));
    }
    t = sched_add(NULL, run_first, &first);
    sem_post(&t->turn);
    while (sem_wait(&sched.done) != 0) {
    }
    __real_pthread_join(t->os, NULL);
    for (unsigned i = 0; i < sched.count; i++) {
        sem_destroy(&sched.threads[i].turn);
    }
    return sched.run;
}

struct one {
    void (*body)(void *arg, unsigned i);
    void *arg;
    unsigned i;
};

static void *
run_one(void *arg)
{
    struct one *one = arg;

    one->body(one->arg, one->i);
    return NULL;
}

void
sched_together(unsigned count, void (*body)(void *arg, unsigned i), void *arg)
{
    struct one ones[SCHED_THREADS];
    pthread_t threads[SCHED_THREADS];

    for (unsigned i = 0; i < count; i++) {
        ones[i] = (struct one){body, arg, i};
        __wrap_pthread_create(&threads[i], NULL, run_one, &ones[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        __wrap_pthread_join(threads[i], NULL);
    }
}

static int
rank_of(const char *name)
{
    for (int i = 0; name && i < RANK_COUNT; i++) {
        if (strcmp(lock_rank_name((enum lock_rank)i), name) == 0) {
            return i;
        }
    }
    return -1;
}

void
sched_break_lock(const char *rank)
{
    sched.broken = rank_of(rank);
}

void
sched_lose_wakes(const char *rank)
{
    sched.lossy = rank_of(rank);
}
