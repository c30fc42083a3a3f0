/* harness.h -- what tests that drive the real server share: projects on disk, findings of threads,
 * times.
 *
 * The server itself is in harness_server.h, its HTTP clients in harness_http.h.  What cannot be set
 * up aborts the test program; what a server does wrong is told to the caller, or, by threads, noted
 * as a finding that the main thread checks. */
#ifndef TANDEM_TESTS_HARNESS_H
#define TANDEM_TESTS_HARNESS_H

#include "state/base/mem.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Ends the test program: something that it needs could not be had; errno says why. */
void harness_give_up(const char *what) __attribute__((noreturn));

/* What went wrong in threads, which cannot assert: counted, the first few with their text. */
#define FINDINGS_KEPT 8
struct findings {
    pthread_mutex_t mutex;
    unsigned count;
    char text[FINDINGS_KEPT][512];
};
#define FINDINGS_INIT                      \
    {                                      \
        .mutex = PTHREAD_MUTEX_INITIALIZER \
    }
void finding(struct findings *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints what was kept and returns how many there were. */
unsigned findings_tell(struct findings *f);

/* Monotonic now, in nanoseconds. */
int64_t now_ns(void);
#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)
/* How long anything may take before it counts as hanging: generous, for slow machines and
 * sanitizers. */
#define PATIENCE (60 * SECOND)
/* Lets a millisecond pass between two looks at what cannot be waited for in another way: a file, a
 * port, /proc. */
void look_again_soon(void);
/* 'count' times STRESS_SCALE (1, or less under sanitizers, unless the environment says), at least
 * 'least'. */
unsigned stress_count(unsigned count, unsigned least);

/* True under a sanitizer, or where coverage is counted: memory and time say nothing then. */
bool sanitized(void);

/* Durations, for percentiles. */
struct samples {
    int64_t *ns; /* Owned. */
    size_t count, size;
};
void samples_add(struct samples *s, int64_t ns);
void samples_merge(struct samples *to, const struct samples *from);
/* Sorts and returns the value below which 'percent' of all are; 0 without any. */
int64_t samples_percentile(struct samples *s, double percent);
void samples_fini(struct samples *s);

/* A new project folder with the packs of the list (paths from the repository's root, null-ended)
 * in .tandem/workflows. */
#define HARNESS_ROOT 64
void harness_project(char root[HARNESS_ROOT], const char *const packs[]);
/* Copies a folder with all that it holds; 'to' is made if it is not there. */
void harness_copy(const char *from, const char *to);
/* Removes a folder and all in it. */
void harness_remove(const char *root);
/* Prints the server's standard error, for a test that is about to fail. */
void harness_show_log(const char *root);
/* Counts the files beneath 'root' whose name holds 'part'. */
unsigned harness_count_files(const char *root, const char *part);
/* How many entries /proc has for the descriptors of a process: for what is compared. */
unsigned harness_descriptors(pid_t pid);

/* The packs that tests use. */
#define PACK_BUG_FIX "deploy/example/.tandem/workflows/bug_fix_v1"
#define PACK_SPEC_CREATION "tests/fixtures/praxis/workflows/spec_creation_v1"
#define PACK_STANDARDS_CREATION "tests/fixtures/praxis/workflows/standards_creation_v1"
#define PACK_SPEC_EXECUTION "tests/fixtures/praxis/workflows/spec_execution_v1"
/* Evidence, as JSON, that passes each of the three gates of bug_fix_v1. */
extern const char *const bug_fix_evidence[3];
#define BUG_FIX_PHASES 3

#endif
