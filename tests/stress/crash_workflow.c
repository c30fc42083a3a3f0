/* crash_workflow.c -- kill -9 in the middle of state writes: nothing acknowledged is lost.
 *
 *     crash_workflow [ROUNDS]
 *
 * The child (this program again) changes sessions from several threads and tells each change that
 * was acknowledged through a pipe.  The parent reads some lines, kills the child, and then compares
 * the folder with this journal: acknowledged <= on disk <= acknowledged + in flight.  ROUNDS is 60
 * by default. */
#include "tests/check.h"

#include "tests/workflow_rig.h"

#include "state/base/json_put.h"
#include "state/session_file.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITERS 4u
#define SESSIONS_EACH 64u /* Of one life of the child; it tells fewer. */

extern char **environ;
static unsigned rounds = 60;

/* ---- The child: works until it is killed. ---- */

struct worker {
    struct store_rig *rig;
    int journal;
    int64_t life; /* When it began: pids come again, and with them another's targets. */
};

/* One line, written whole: "<id> <revision>", or revision -1 for a deletion. */
static void
tell(const struct worker *w, const char *id, long revision)
{
    char line[64];
    int len = snprintf(line, sizeof line, "%s %ld\n", id, revision);

    if (write(w->journal, line, (size_t)len) != len) {
        _exit(3);
    }
}

static void
work(void *arg, unsigned i)
{
    struct worker *w = arg;

    for (unsigned n = 0;; n++) {
        char id[RECORD_ID_SIZE], target[48];
        bool resumed;

        snprintf(target, sizeof target, "%lld-%u-%u", (long long)w->life, i, n);
        if (store_rig_start(w->rig, "pack", target, false, id, &resumed, NULL) != E_OK) {
            _exit(4);
        }
        tell(w, id, 1);
        for (int phase = 0; phase < 3; phase++) {
            if (store_rig_complete(w->rig, id, phase, true, (int)n, NULL) != E_OK) {
                _exit(5);
            }
            tell(w, id, 2 + phase);
        }
        if (n % 3 == 0) {
            if (workflow_store_delete(w->rig->store, id, NULL) != E_OK) {
                _exit(6);
            }
            tell(w, id, -1);
        }
    }
}

static int
child(const char *folder, int journal)
{
    struct store_rig *rig = xcalloc(1, sizeof *rig);
    struct worker w = {rig, journal, clock_mono(clock_real())};

    store_rig_open(rig, folder);
    rig->options.active_max = 1000000; /* Those of killed children stay active; */
    rig->options.files_max = 1000000;  /* no finished one makes room. */
    store_rig_restart(rig);
    run_together(WRITERS, work, &w);
    return 0;
}

/* ---- The parent. ---- */

struct acknowledged {
    char id[RECORD_ID_SIZE];
    long revision; /* The last one told; -1: deleted. */
};

struct journal {
    struct acknowledged *sessions; /* Owned. */
    size_t count, most;
    unsigned lines;
};

static void
note(struct journal *j, const char *line)
{
    char id[RECORD_ID_SIZE];
    long revision;
    size_t i;

    CHECK_INT(sscanf(line, "%36s %ld", id, &revision), 2);
    for (i = 0; i < j->count && strcmp(j->sessions[i].id, id) != 0; i++) {
    }
    if (i == j->count) {
        CHECK(j->count < j->most);
        j->count++;
        memcpy(j->sessions[i].id, id, sizeof id);
    }
    j->sessions[i].revision = revision;
    j->lines++;
}

static pid_t
spawn(const char *folder, int journal)
{
    char text[16];
    char *const args[] = {(char[]){"crash_workflow"}, (char[]){"--child"},
                          (char *)(uintptr_t)folder, text, NULL};
    pid_t pid;

    snprintf(text, sizeof text, "%d", journal);
    CHECK_INT(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args, environ), 0);
    return pid;
}

/* Runs a child until it has told 'lines' changes, kills it, and reads the rest of what it told. */
static void
run_and_kill(const char *folder, unsigned lines, struct journal *j)
{
    int ends[2], status;
    char line[128];
    pid_t pid;
    FILE *in;

    CHECK(pipe(ends) == 0);
    pid = spawn(folder, ends[1]);
    close(ends[1]);
    in = fdopen(ends[0], "r");
    CHECK(in != NULL);
    for (unsigned n = 0; fgets(line, sizeof line, in); n++) {
        if (strchr(line, '\n')) {
            note(j, line);
        }
        if (n == lines) {
            kill(pid, SIGKILL);
        }
    }
    fclose(in);
    CHECK(waitpid(pid, &status, 0) == pid);
    if (!WIFSIGNALED(status)) {
        printf("the child ended by itself, with status %d\n", WEXITSTATUS(status));
    }
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Compares the folder with the journal. */
static void
compare(struct store_rig *rig, const struct journal *j)
{
    unsigned in_flight = 0;

    for (size_t i = 0; i < j->count; i++) {
        const struct acknowledged *a = &j->sessions[i];
        json_t *raw;
        struct fault fault = FAULT_INIT;
        enum err err = session_file_read(rig->dir, a->id, RECORD_FILE_MAX, &raw, NULL, &fault);
        long revision = err ? -1 : (long)record_revision(raw);

        json_decref(raw);
        if (a->revision == -1) {
            CHECK_INT(err, E_NOT_FOUND); /* Deleted stays deleted. */
        } else if (a->revision == 4 && err == E_NOT_FOUND) {
            in_flight++; /* Its deletion was done, but not told any more. */
        } else {
            CHECK_INT(err, E_OK);
            CHECK(revision == a->revision || revision == a->revision + 1);
            in_flight += revision != a->revision;
        }
    }
    CHECK(in_flight <= WRITERS * rounds);
}

/* Nothing but session files is left once a store has been opened. */
static void
check_folder(struct store_rig *rig, const struct journal *j)
{
    struct session_summary **list;
    struct dir_list files;
    size_t count, unreadable;

    CHECK_INT(workflow_store_list(rig->store, -1, &list, &count, &unreadable, NULL), E_OK);
    CHECK_INT(unreadable, 0);
    CHECK(count <= j->count + WRITERS * (rounds + 1));
    for (size_t i = 0; i < count; i++) {
        session_summary_unref(list[i]);
    }
    free(list);
    CHECK_INT(dir_list(rig->dir, ".", 100000, &files, NULL), E_OK);
    CHECK_INT(files.count, count);
    dir_list_fini(&files);
    CHECK_INT(dir_sweep(rig->dir), 0);
}

static void
nothing_acknowledged_is_lost(void **state)
{
    struct journal *j = xcalloc(1, sizeof *j);
    struct store_rig rig;
    unsigned seed = 20251121, found = 0;
    (void)state;

    store_rig_init(&rig);
    rig.options.active_max = 1000000;
    rig.options.files_max = 1000000;
    j->most = (size_t)rounds * SESSIONS_EACH;
    j->sessions = xcalloc(j->most, sizeof *j->sessions);
    for (unsigned r = 0; r < rounds; r++) {
        workflow_store_destroy(rig.store);
        rig.store = NULL;
        seed = seed * 1664525 + 1013904223;
        run_and_kill(rig.path, (seed >> 16) % 60, j);
        compare(&rig, j);
        found += session_file_sweep(rig.dir); /* What a store does when it is made. */
        CHECK_INT(workflow_store_create(&rig.options, &rig.store, NULL), E_OK);
        check_folder(&rig, j);
    }
    printf("figure: %u kills, %u acknowledged changes of %zu sessions, %u leftovers swept\n",
           rounds, j->lines, j->count, found);
    store_rig_fini(&rig);
    free(j->sessions);
    free(j);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_acknowledged_is_lost)};

    if (argc == 4 && strcmp(argv[1], "--child") == 0) {
        return child(argv[2], (int)strtol(argv[3], NULL, 10));
    }
    if (argc > 1) {
        rounds = (unsigned)strtoul(argv[1], NULL, 10);
    }
    return CHECK_RUN(tests);
}
