/* sched.c -- whose turn it is.
 *
 * DESIGN.  Threads are real ones, each with a semaphore for its turn, so that thread-local data,
 * stacks and debuggers are as always; a switch costs a wake of the kernel, on one CPU.  Coroutines
 * would be three times as fast, and would share what is thread-local, which lock.c stands on.  The
 * bytes of a pthread_mutex_t are used for who owns it; conditions need no bytes, the waiters know
 * what they wait for.  All of it is touched by the thread that has the turn, and by nobody else. */
#include "tests/prove/sched.h"

#include "state/base/lock.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 16
#define STEPS_MAX 2000000ul
#define CHANGES 3         /* Of the ranks, in a run. */
#define ACCESSES_EACH 48  /* Of memory, for one point, about. */
#define SPURIOUS_EACH 128 /* Points, for one wait that ends by itself, about. */
#define NAME_SIZE 160

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

static struct {
    const char *what;
    uint64_t seed, random;
    struct sched_run run;
    struct thread threads[THREADS_MAX];
    unsigned count;
    sem_t done;
    unsigned accesses; /* Until the next one is a point. */
    unsigned spurious; /* Points until a wait ends by itself. */
    unsigned long changes[CHANGES];
    int lowest;        /* The next rank of one who is put behind all others. */
    int broken, lossy; /* Ranks of locks; -1: none. */
    int64_t now;       /* Moves with each point. */
} sched = {.broken = -1, .lossy = -1};

static _Thread_local struct thread *self;

int __real_pthread_create(pthread_t *os, const pthread_attr_t *attr, void *(*start)(void *),
                          void *arg);
int __real_pthread_join(pthread_t os, void **result);

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

static uint64_t
draw(void)
{
    uint64_t x = sched.random += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

unsigned
sched_pick(unsigned below)
{
    return (unsigned)(draw() % below);
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

static unsigned
number(const struct thread *t)
{
    return (unsigned)(t - sched.threads);
}

static const char *
lock_name(const struct mutex *m)
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

static void
wake(struct thread *t)
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
        int n = t->state == ENDED ? 0
                                  : snprintf(text + len, sizeof text - len, "; thread %u %s %s", i,
                                             words[t->state], t->mutex ? lock_name(t->mutex) : "");
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
        wake(first);
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
static struct thread *
choose(void)
{
    struct thread *ready[THREADS_MAX], *next;
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
        note(number(next));
    }
    return next;
}

static void
give_turn(struct thread *next)
{
    struct thread *me = self;

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
            wake(t);
            return;
        }
    }
}

/* A point: another thread may go on. */
static void
step(unsigned kind)
{
    if (!self) {
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
    for (unsigned i = 0; i < CHANGES; i++) {
        if (sched.run.steps == sched.changes[i]) {
            self->rank = sched.lowest--;
        }
    }
    give_turn(choose());
}

enum kind { LOCK_TAKEN, LOCK_DROPPED, WAKE, THREAD_MADE, THREAD_JOINED, CALL, ATOMIC, ACCESS };

void
sched_point(void)
{
    step(CALL);
}

void
sched_atomic(void)
{
    step(ATOMIC);
}

void
sched_access(const void *address)
{
    uintptr_t at = (uintptr_t)address;

    if (!self || (at >= self->low && at < self->high) || --sched.accesses > 0) {
        return;
    }
    sched.accesses = 1 + sched_pick(2 * ACCESSES_EACH);
    step(ACCESS);
}

/* Waits until it is this thread's turn again, in 'state'. */
static void
block(enum state state)
{
    self->state = state;
    give_turn(choose());
}

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
        self->mutex = m;
        block(WANTS_MUTEX);
    }
    if (self) {
        self->mutex = NULL;
    }
    m->owner = self ? number(self) + 1 : OUTSIDE;
}

static void
drop(struct mutex *m)
{
    if (m->broken) {
        m->broken--;
        return;
    }
    if (m->owner != (self ? number(self) + 1 : OUTSIDE)) {
        sched_found("%s is unlocked by one who has not locked it", lock_name(m));
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
    step(LOCK_TAKEN);
    take(mutex_of(m));
    return 0;
}

int
__wrap_pthread_mutex_trylock(pthread_mutex_t *m)
{
    step(LOCK_TAKEN);
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
    step(LOCK_DROPPED);
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
    if (!self) {
        fprintf(stderr, "sched: a wait outside of a run has nobody to wait for\n");
        abort();
    }
    drop(mutex_of(m));
    self->on = c;
    self->mutex = mutex_of(m);
    self->timed_out = false;
    self->deadline = until ? (int64_t)until->tv_sec * 1000000000 + until->tv_nsec : INT64_MAX;
    block(WAITS_WAKE);
    take(mutex_of(m));
    return self->timed_out ? ETIMEDOUT : 0;
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

    step(WAKE);
    if (sched.count == 0) {
        return;
    }
    first = sched_pick(sched.count);
    for (unsigned i = 0; i < sched.count && most > 0; i++) {
        struct thread *t = &sched.threads[(first + i) % sched.count];
        if (t->state == WAITS_WAKE && t->on == c && !is_of_rank(t->mutex, sched.lossy)) {
            wake(t);
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
    wake_waiters(c, THREADS_MAX);
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
    self = me;
    self->result = self->start(self->arg);
    self->state = ENDED;
    next = choose();
    sem_post(next ? &next->turn : &sched.done);
    return NULL;
}

static struct thread *
add_thread(const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    struct thread *t = &sched.threads[sched.count];

    if (sched.count == THREADS_MAX) {
        sched_found("more than %d threads", THREADS_MAX);
    }
    *t = (struct thread){.start = start, .arg = arg, .deadline = INT64_MAX};
    t->rank = CHANGES + 1 + (int)sched_pick(1000000);
    if (sem_init(&t->turn, 0, 0) != 0 || __real_pthread_create(&t->os, attr, run_thread, t) != 0) {
        perror("sched: a thread");
        abort();
    }
    sched.count++;
    return t;
}

int __wrap_pthread_create(pthread_t *os, const pthread_attr_t *attr, void *(*start)(void *),
                          void *arg);
int __wrap_pthread_join(pthread_t os, void **result);

int
__wrap_pthread_create(pthread_t *os, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    if (!self) {
        return __real_pthread_create(os, attr, start, arg);
    }
    *os = add_thread(attr, start, arg)->os;
    step(THREAD_MADE);
    return 0;
}

int
__wrap_pthread_join(pthread_t os, void **result)
{
    struct thread *t = NULL;

    if (!self) {
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
    step(THREAD_JOINED);
    if (t->state != ENDED) {
        self->on = t;
        block(WANTS_END);
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
        ((unsigned char *)out)[i] = (unsigned char)draw();
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
    if (self) {
        self->rank = sched.lowest--; /* Whoever polls lets the others go on. */
    }
    step(CALL);
    return 0;
}

/* There is no crash here that a file would have to outlive. */
int
__wrap_fsync(int fd)
{
    (void)fd;
    step(CALL);
    return 0;
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
    sched.lowest = CHANGES;
    sched.accesses = 1 + sched_pick(2 * ACCESSES_EACH);
    sched.spurious = 1 + sched_pick(2 * SPURIOUS_EACH);
    for (unsigned i = 0; i < CHANGES; i++) {
        sched.changes[i] = 1 + sched_pick(1u << (4 + sched_pick(7)));
    }
    t = add_thread(NULL, run_first, &first);
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
    struct one ones[THREADS_MAX];
    pthread_t threads[THREADS_MAX];

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
