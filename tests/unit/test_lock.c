/* The lock order is held to at run time, waits are counted, conditions keep their time. */
#include "tests/check.h"

#include "state/base/clock.h"
#include "state/base/lock.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void
take_in_order(void)
{
    struct lock a, b;

    lock_init(&a, RANK_SLOTS);
    lock_init(&b, RANK_POOL);
    LOCK(SLOTS, &a);
    LOCK(POOL, &b);
    CHECK(!lock_none_held());
    UNLOCK(SLOTS, &a); /* Let go in any order. */
    UNLOCK(POOL, &b);
    CHECK(lock_none_held());
    lock_fini(&a);
    lock_fini(&b);
}

static void
the_order_of_the_rows_is_free(void **state)
{
    (void)state;
    CHECK(lock_none_held());
    take_in_order();
    take_in_order();
}

static void
every_rank_has_its_name(void **state)
{
    (void)state;
    CHECK_STR(lock_rank_name(RANK_OUTERMOST), "OUTERMOST");
    CHECK_STR(lock_rank_name(RANK_LOG), "LOG");
    for (int r = 0; r < RANK_COUNT; r++) {
        CHECK(lock_rank_name((enum lock_rank)r)[0] != '\0');
    }
}

UNSHARED static void
inner_then_outer(void)
{
    struct lock outer, inner;

    lock_init(&outer, RANK_SLOTS);
    lock_init(&inner, RANK_POOL);
    LOCK(POOL, &inner);
    LOCK(SLOTS, &outer);
}

UNSHARED static void
two_of_a_row(void)
{
    struct lock one, other;

    lock_init(&one, RANK_SLOTS);
    lock_init(&other, RANK_SLOTS);
    lock_acquire_(&one, RANK_SLOTS);
    lock_acquire_(&other, RANK_SLOTS);
}

UNSHARED static void
the_same_twice(void)
{
    struct lock one;

    lock_init(&one, RANK_SLOTS);
    lock_acquire_(&one, RANK_SLOTS);
    lock_acquire_(&one, RANK_SLOTS);
}

UNSHARED static void
let_go_of_what_is_not_held(void)
{
    struct lock one;

    lock_init(&one, RANK_SLOTS);
    lock_release_(&one, RANK_SLOTS);
}

UNSHARED static void
named_by_another_rank(void)
{
    struct lock one;

    lock_init(&one, RANK_SLOTS);
    lock_acquire_(&one, RANK_POOL);
}

UNSHARED static void
wait_while_holding_another(void)
{
    struct lock one, other;
    struct cond c;

    lock_init(&one, RANK_SLOTS);
    lock_init(&other, RANK_POOL);
    cond_init(&c);
    lock_acquire_(&one, RANK_SLOTS);
    lock_acquire_(&other, RANK_POOL);
    cond_wait(&c, &other, 0);
}

UNSHARED static void
end_while_held(void)
{
    struct lock one;

    lock_init(&one, RANK_SLOTS);
    lock_acquire_(&one, RANK_SLOTS);
    lock_fini(&one);
}

/* A child that does 'wrong' aborts, and what it says holds 'said' (null: anything). */
static void
check_aborts(void (*wrong)(void), const char *said)
{
    char text[512] = "";
    int out[2], status;
    pid_t child;

    CHECK_INT(pipe(out), 0);
    child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(out[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        wrong();
        _exit(0);
    }
    close(out[1]);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(read(out[0], text, sizeof text - 1) >= 0);
    close(out[0]);
    /* A sanitizer that sees the misuse first ends the child with a status of its own. */
    CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) != 0);
    CHECK(!said || strstr(text, said) != NULL);
}

static void
every_wrong_order_aborts_and_names_both(void **state)
{
    (void)state;
    check_aborts(inner_then_outer, "wants=SLOTS holds=POOL");
    check_aborts(two_of_a_row, "wants=SLOTS holds=SLOTS");
    check_aborts(the_same_twice, "wants=SLOTS holds=SLOTS");
}

static void
misuse_aborts(void **state)
{
    (void)state;
    check_aborts(let_go_of_what_is_not_held, NULL);
    check_aborts(named_by_another_rank, NULL);
    check_aborts(wait_while_holding_another, NULL);
    check_aborts(end_while_held, NULL);
}

enum { THREADS = 8, ROUNDS = 5000 };

struct shared {
    struct lock lock;
    struct cond cond;
    pthread_barrier_t barrier;
    unsigned count GUARDED_BY(LC_SLOTS);
    unsigned turn GUARDED_BY(LC_SLOTS);
    unsigned next GUARDED_BY(LC_SLOTS);
};

static void *
count_up(void *arg)
{
    struct shared *s = arg;

    pthread_barrier_wait(&s->barrier);
    for (int i = 0; i < ROUNDS; i++) {
        LOCK(SLOTS, &s->lock);
        s->count++;
        UNLOCK(SLOTS, &s->lock);
    }
    return NULL;
}

UNSHARED static void
set_up(struct shared *s, unsigned threads)
{
    memset(s, 0, sizeof *s);
    lock_init(&s->lock, RANK_SLOTS);
    cond_init(&s->cond);
    pthread_barrier_init(&s->barrier, NULL, threads);
}

static void
tear_down(struct shared *s)
{
    pthread_barrier_destroy(&s->barrier);
    cond_fini(&s->cond);
    lock_fini(&s->lock);
}

UNSHARED static void
acquisitions_are_counted(void **state)
{
    struct shared s;
    pthread_t threads[THREADS];
    struct lock_counters c;

    (void)state;
    set_up(&s, THREADS);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, count_up, &s);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(s.count, THREADS * ROUNDS);
    c = lock_counters(&s.lock);
    CHECK_INT(c.acquisitions, THREADS * ROUNDS + 1);
    CHECK(c.waits < c.acquisitions);
    tear_down(&s);
}

static void *
take_once(void *arg)
{
    struct shared *s = arg;

    pthread_barrier_wait(&s->barrier);
    LOCK(SLOTS, &s->lock);
    s->count++;
    UNLOCK(SLOTS, &s->lock);
    return NULL;
}

/* Waits until the thread 'tid' of this process sleeps in the kernel. */
static void
await_asleep(pid_t tid)
{
    char name[64], text[512], state = 0;

    snprintf(name, sizeof name, "/proc/self/task/%d/stat", (int)tid);
    while (state != 'S') {
        FILE *f = fopen(name, "r");
        const char *end;

        CHECK(f != NULL);
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        fclose(f);
        end = strrchr(text, ')');
        state = end ? end[2] : 0;
    }
}

struct waiter {
    struct shared *s;
    _Atomic pid_t tid;
};

static void *
take_once_and_tell(void *arg)
{
    struct waiter *w = arg;

    w->tid = gettid();
    return take_once(w->s);
}

UNSHARED static void
a_wait_is_counted_as_one(void **state)
{
    struct shared s;
    struct waiter w = {.s = &s};
    pthread_t thread;

    (void)state;
    set_up(&s, 2);
    pthread_create(&thread, NULL, take_once_and_tell, &w);
    LOCK(SLOTS, &s.lock);
    pthread_barrier_wait(&s.barrier);
    await_asleep(w.tid); /* It finds the lock taken. */
    UNLOCK(SLOTS, &s.lock);
    pthread_join(thread, NULL);
    CHECK_INT(s.lock.waits, 1);
    CHECK_INT(s.lock.acquisitions, 2);
    tear_down(&s);
}

static void *
take_turns(void *arg)
{
    struct shared *s = arg;
    unsigned me;

    LOCK(SLOTS, &s->lock);
    me = s->next++;
    for (int i = 0; i < 100; i++) {
        while (s->turn % 4 != me) {
            cond_wait(&s->cond, &s->lock, INT64_MAX);
        }
        s->turn++;
        cond_broadcast(&s->cond);
    }
    UNLOCK(SLOTS, &s->lock);
    return NULL;
}

UNSHARED static void
conditions_wake_those_who_wait(void **state)
{
    struct shared s;
    pthread_t threads[4];

    (void)state;
    set_up(&s, 4);
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, take_turns, &s);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(s.turn, 400);
    tear_down(&s);
}

static void
a_wait_ends_at_its_deadline(void **state)
{
    struct shared s;
    int64_t until = clock_mono(clock_real()) + 5000000;
    bool woken = true;

    (void)state;
    set_up(&s, 1);
    LOCK(SLOTS, &s.lock);
    while (woken) { /* A wake-up without cause is allowed. */
        woken = cond_wait(&s.cond, &s.lock, until);
    }
    CHECK(clock_mono(clock_real()) >= until);
    CHECK(!cond_wait(&s.cond, &s.lock, 0));
    CHECK(!cond_wait(&s.cond, &s.lock, -1)); /* Long past is no error. */
    CHECK(!lock_none_held());
    cond_signal(&s.cond); /* Nobody waits: nothing happens. */
    UNLOCK(SLOTS, &s.lock);
    tear_down(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_the_rows_is_free),
        cmocka_unit_test(every_rank_has_its_name),
        cmocka_unit_test(every_wrong_order_aborts_and_names_both),
        cmocka_unit_test(misuse_aborts),
        cmocka_unit_test(acquisitions_are_counted),
        cmocka_unit_test(a_wait_is_counted_as_one),
        cmocka_unit_test(conditions_wake_those_who_wait),
        cmocka_unit_test(a_wait_ends_at_its_deadline),
    };
    return CHECK_RUN(tests);
}
