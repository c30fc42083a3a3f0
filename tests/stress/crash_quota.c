/* crash_quota.c -- kill -9 while many threads count: no acknowledged unit is lost.
 *
 *     crash_quota [ROUNDS]
 *
 * The child (this program again) takes, records and gives back units from several threads, while
 * its tracker flushes and writes snapshots all the time, and tells each unit that was acknowledged
 * through a pipe.  The parent kills it in the middle, starts a tracker on the same folder and
 * compares: acknowledged <= counted <= acknowledged + in flight.  What is counted then is what the
 * next child goes on from.  ROUNDS is 60 by default, fewer in slow builds. */
#include "tests/check.h"
#include "tests/harness.h"
#include "tests/threads.h"
#include "tests/tree.h"

#include "state/base/clock.h"
#include "state/quota.h"
#include "state/quota_journal.h"
#include "state/settings.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITERS 6u
#define SERVICES 3
#define GIVEN_BACK 2 /* The one of whose units some are given back. */
#define UNITS_MAX 3  /* Of one call. */

extern char **environ;
static unsigned rounds;
static const char *const services[SERVICES] = {"monthly", "yearlong", "spare"};

/* A tracker on the folder; months, so that no window ends meanwhile. */
static struct quota *
open_tracker(const char *folder, bool thread)
{
    struct quota_options options = {.clock = clock_real()};
    struct settings *settings = settings_create();
    struct quota *quota = NULL;
    struct dir *dir = NULL;

    if (settings_set(settings, SETTING_quota_services,
                     "monthly=1000000000/month,yearlong=1000000000/month,spare=1000000000/month",
                     ORIGIN_FILE, NULL) != E_OK ||
        settings_set(settings, SETTING_quota_flush, "1ms", ORIGIN_FILE, NULL) != E_OK ||
        dir_open(folder, false, &dir, NULL) != E_OK ||
        quota_journal_open(dir, clock_wall(clock_real()), &options.store, NULL) != E_OK) {
        abort();
    }
    options.settings = settings;
    if (quota_create(&options, &quota, NULL) != E_OK ||
        (thread && quota_start(quota, NULL) != E_OK)) {
        abort();
    }
    settings_unref(settings);
    dir_unref(dir);
    return quota;
}

/* ---- The child: counts until it is killed. ---- */

struct worker {
    struct quota *quota;
    int journal;
};

/* One line, written whole: "<service> <used> <given back>". */
static void
tell(const struct worker *w, unsigned service, unsigned used, unsigned given)
{
    char line[32];
    int len = snprintf(line, sizeof line, "%u %u %u\n", service, used, given);

    if (write(w->journal, line, (size_t)len) != len) {
        _exit(3);
    }
}

static void
work(void *arg, unsigned i)
{
    struct worker *w = arg;

    for (unsigned n = 0;; n++) {
        unsigned service = (i + n) % SERVICES, units = 1 + n % UNITS_MAX;
        struct quota_ask ask = {.tenant = "default", .service = services[service], .count = units};
        struct quota_view view;
        uint64_t given;
        enum err err = n % 2 ? quota_acquire(w->quota, &ask, &view, NULL)
                             : quota_record(w->quota, &ask, &view, NULL);

        if (err || view.owed) {
            _exit(4);
        }
        tell(w, service, units, 0);
        if (n % 5 == 0 && service == GIVEN_BACK) {
            ask.count = 1;
            if (quota_release(w->quota, &ask, 0, &given, &view, NULL) != E_OK) {
                _exit(5);
            }
            tell(w, service, 0, (unsigned)given);
        }
        if (i == 0 && n % 8 == 0 && quota_sync(w->quota, NULL, NULL) != E_OK) {
            _exit(6);
        }
    }
}

static int
child(const char *folder, int journal)
{
    struct worker w = {open_tracker(folder, true), journal};

    threads_run(WRITERS, work, &w);
    return 0;
}

/* ---- The parent. ---- */

struct ledger {
    uint64_t used[SERVICES], given[SERVICES]; /* Since the last comparison. */
    uint64_t units;                           /* In all. */
};

static pid_t
spawn(const char *folder, int journal)
{
    char text[16];
    char *const args[] = {(char[]){"crash_quota"}, (char[]){"--child"}, (char *)(uintptr_t)folder,
                          text, NULL};
    pid_t pid;

    snprintf(text, sizeof text, "%d", journal);
    CHECK_INT(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args, environ), 0);
    return pid;
}

/* Runs a child until it has told 'lines' units, kills it, and reads the rest of what it told. */
static void
run_and_kill(const char *folder, unsigned lines, struct ledger *ledger)
{
    int ends[2], status;
    char line[64];
    pid_t pid;
    FILE *in;

    CHECK(pipe(ends) == 0);
    pid = spawn(folder, ends[1]);
    close(ends[1]);
    in = fdopen(ends[0], "r");
    CHECK(in != NULL);
    for (unsigned n = 0; fgets(line, sizeof line, in); n++) {
        unsigned service, used, given;
        if (strchr(line, '\n')) {
            CHECK_INT(sscanf(line, "%u %u %u", &service, &used, &given), 3);
            CHECK(service < SERVICES);
            ledger->used[service] += used;
            ledger->given[service] += given;
            ledger->units += used + given;
        }
        if (n == lines) {
            kill(pid, SIGKILL);
        }
    }
    fclose(in);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* What each service has used, by a tracker that has read the folder. */
static void
read_counts(const char *folder, uint64_t counts[SERVICES])
{
    struct quota *quota = open_tracker(folder, false);

    for (int i = 0; i < SERVICES; i++) {
        struct quota_ask ask = {.tenant = "default", .service = services[i], .count = 1};
        struct quota_view view;
        CHECK_INT(quota_check(quota, &ask, &view, NULL), E_OK);
        counts[i] = view.used;
    }
    quota_destroy(quota);
}

static void
no_acknowledged_unit_is_lost(void **state)
{
    struct tree *tree = tree_create();
    struct ledger ledger = {.units = 0};
    uint64_t before[SERVICES] = {0}, after[SERVICES], in_flight = 0;
    char folder[64];
    unsigned seed = 20251121;

    (void)state;
    snprintf(folder, sizeof folder, "/proc/%d/fd/%d", (int)getpid(), dir_fd(tree_dir(tree)));
    for (unsigned r = 0; r < rounds; r++) {
        memset(ledger.used, 0, sizeof ledger.used);
        memset(ledger.given, 0, sizeof ledger.given);
        seed = seed * 1664525 + 1013904223;
        run_and_kill(folder, (seed >> 16) % 400, &ledger);
        read_counts(folder, after);
        for (int i = 0; i < SERVICES; i++) {
            int64_t told = (int64_t)(ledger.used[i] - ledger.given[i]);
            int64_t more = (int64_t)(after[i] - before[i]) - told;
            /* Each thread has one call that it could not tell any more: units, or one given back.
             */
            CHECK(more >= (i == GIVEN_BACK ? -(int64_t)WRITERS : 0));
            CHECK(more <= (int64_t)(WRITERS * UNITS_MAX));
            in_flight += (uint64_t)(more < 0 ? -more : more);
            before[i] = after[i];
        }
    }
    printf("figure: %u kills, %llu units acknowledged, 0 lost; %llu more were in flight\n", rounds,
           (unsigned long long)ledger.units, (unsigned long long)in_flight);
    tree_destroy(tree);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_acknowledged_unit_is_lost)};

    if (argc == 4 && strcmp(argv[1], "--child") == 0) {
        return child(argv[2], (int)strtol(argv[3], NULL, 10));
    }
    rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : stress_count(60, 10);
    return CHECK_RUN(tests);
}
