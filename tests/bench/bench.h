/* bench.h -- what the workloads of "make bench" share: how long they run, who is compared, where
 * results go. */
#ifndef TANDEM_TESTS_BENCH_H
#define TANDEM_TESTS_BENCH_H

#include "tests/bench/contest.h"
#include "tests/bench/messages.h"
#include "tests/bench/peer.h"
#include "tests/bench/report.h"

struct bench {
    const char *only; /* Parts of workloads' names, with commas between; null: all of them. */
    unsigned rounds;
    int64_t turn_ns;     /* How long a turn takes. */
    const char *without; /* Names of peers that do not take part, likewise; null: all do. */
    char root[HARNESS_ROOT];
    struct report *report;
};

/* True if that workload is wanted. */
bool bench_wants(const struct bench *b, const char *workload);
/* True if that peer takes part. */
bool bench_has(const struct bench *b, const char *peer);
/* Starts tandem on a project as users run it, over HTTP or, 'stdio', as an IDE does, but with the
 * group of the echo tool and without a limit on the calls a second; 'more' options may be null. */
void bench_tandem(struct server *s, const char *root, bool stdio, const char *const more[]);
/* The options for many sessions and connections; ended by null. */
extern const char *const bench_many_sessions[];
/* Ends it; it must end well. */
void bench_tandem_end(struct server *s);
/* A new project with packs and standards, or 'empty', which is removed at the end. */
void bench_project(char root[HARNESS_ROOT], bool empty);

/* What one turn measured, of a server that has used 'cpu_ns' for it. */
void bench_figures(const struct load_result *r, int64_t cpu_ns, double figures[FIGURES]);

/* The workloads. */
void bench_http(struct bench *b);
void bench_streams(struct bench *b);
void bench_stdio(struct bench *b);
void bench_relay(struct bench *b);
void bench_start(struct bench *b);

#endif
