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
    int64_t turn_ns; /* How long a turn takes. */
    char root[HARNESS_ROOT];
    struct report *report;
};

/* True if that workload is wanted. */
bool bench_wants(const struct bench *b, const char *workload);
/* Starts tandem on the bench's project as users run it, over HTTP, but with the group of the echo
 * tool and without a limit on the calls a second; 'more' options may be null. */
void bench_tandem(const struct bench *b, struct server *s, const char *const more[]);

/* The workloads. */
void bench_http(struct bench *b);

#endif
