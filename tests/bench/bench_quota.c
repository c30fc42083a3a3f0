/* bench_quota.c -- what counting costs, and how much of it is locking (quota_single_thread_cost).
 *
 * One thread acquires units with the journal on disk.  The locks that it takes are counted, and as
 * many are taken and dropped by themselves, in turns with the calls, in one run: so both are
 * measured on the same machine at the same time, and what counts is the ratio.  Fails if locking
 * adds more than 5 percent.  "make bench-quota" runs it. */
#include "state/base/clock.h"
#include "state/base/lock.h"
#include "state/quota.h"
#include "state/quota_journal.h"
#include "state/settings.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TURNS 41u
#define CALLS 5000u /* A turn. */
#define THREADS 8u
#define MOST 5.0 /* Percent. */

static struct quota *quota;

static double
now_ns(void)
{
    return (double)clock_mono(clock_real());
}

static bool
acquire(void)
{
    struct quota_ask ask = {.tenant = "default", .service = "bench", .count = 1, .high = true};
    struct quota_view view;

    return quota_acquire(quota, &ask, &view, NULL) == E_OK && !view.owed;
}

static void *
acquire_many(void *good)
{
    for (unsigned i = 0; i < CALLS; i++) {
        *(bool *)good = *(bool *)good && acquire();
    }
    return NULL;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return values[count / 2];
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static bool
prepare(char *folder)
{
    struct quota_options options = {.clock = clock_real()};
    struct settings *settings = settings_create();
    struct dir *dir = NULL;
    bool good = mkdtemp(folder) && dir_open(folder, false, &dir, NULL) == E_OK &&
                settings_set(settings, SETTING_quota_services, "bench=1000000000/month",
                             ORIGIN_FILE, NULL) == E_OK &&
                quota_journal_open(dir, clock_wall(clock_real()), &options.store, NULL) == E_OK;

    options.settings = settings;
    good = good && quota_create(&options, &quota, NULL) == E_OK && quota_start(quota, NULL) == E_OK;
    settings_unref(settings);
    dir_unref(dir);
    return good;
}

/* Locks that one call takes: the tracker's are counted by themselves; the store takes one. */
static double
locks_a_call(void)
{
    uint64_t before = quota_counters(quota).lock_acquisitions;

    for (unsigned i = 0; i < CALLS; i++) {
        acquire();
    }
    return (double)(quota_counters(quota).lock_acquisitions - before) / CALLS + 1;
}

/* Nanoseconds of a call, and of taking and dropping as many locks. */
static bool
measure(double locks, double *call_ns, double *lock_ns)
{
    double calls[TURNS], pairs[TURNS];
    struct lock lock;
    bool good = true;

    lock_init(&lock, RANK_QUOTA);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        double start = now_ns(), middle;
        for (unsigned i = 0; i < CALLS; i++) {
            good = acquire() && good;
        }
        middle = now_ns();
        for (unsigned i = 0; i < CALLS; i++) {
            LOCK(QUOTA, &lock);
            UNLOCK(QUOTA, &lock);
        }
        calls[turn] = (middle - start) / CALLS;
        pairs[turn] = (now_ns() - middle) / CALLS;
    }
    lock_fini(&lock);
    *call_ns = median(calls, TURNS);
    *lock_ns = median(pairs, TURNS) * locks;
    return good;
}

static bool
together(double *ns)
{
    pthread_t threads[THREADS];
    bool good[THREADS];
    double start = now_ns();

    for (unsigned i = 0; i < THREADS; i++) {
        good[i] = true;
        if (pthread_create(&threads[i], NULL, acquire_many, &good[i]) != 0) {
            return false;
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        good[0] = good[0] && good[i];
    }
    *ns = (now_ns() - start) / (CALLS * THREADS);
    return good[0];
}

int
main(void)
{
    char folder[] = "/tmp/tandem-bench-XXXXXX";
    double call_ns, lock_ns, shared_ns, locks, percent;

    if (!prepare(folder)) {
        fprintf(stderr, "bench_quota: no place for the journal\n");
        return 1;
    }
    locks = locks_a_call();
    if (!measure(locks, &call_ns, &lock_ns) || !together(&shared_ns)) {
        fprintf(stderr, "bench_quota: a unit was not counted\n");
        return 1;
    }
    percent = 100.0 * lock_ns / (call_ns - lock_ns);
    printf("acquire, one thread, in the journal     %10.2f us\n", call_ns / 1000);
    printf(
        "of it %.1f locks, nobody else wants them %10.3f us, %.1f %% of the rest (at most %.0f)\n",
        locks, lock_ns / 1000, percent, MOST);
    printf("acquire, %u threads at once              %10.2f us each, %.2f x\n", THREADS,
           shared_ns / 1000, shared_ns / call_ns);
    quota_destroy(quota);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return percent <= MOST ? 0 : 1;
}
