/* load.h -- the load that "make bench" puts on HTTP servers: requests over many connections by one
 * epoll loop, each answer checked.
 *
 * A closed loop: each connection has one request under way, and sends the next when the answer is
 * whole.  An answer is right if its status is 200 and its body as long as the first one's, which
 * was looked into.  One that is not ends the program: what goes wrong must not be counted as fast.
 * One thread; only loopback. */
#ifndef TANDEM_TESTS_LOAD_H
#define TANDEM_TESTS_LOAD_H

#include "state/base/mem.h"

/* Ends the program with that line on standard error. */
void bench_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* How long things took: buckets that are less than one percent wide. */
#define HISTOGRAM_FINE 128u
#define HISTOGRAM_BUCKETS (HISTOGRAM_FINE * 40u)
struct histogram {
    uint64_t total;
    uint32_t counts[HISTOGRAM_BUCKETS];
};
void histogram_add(struct histogram *h, int64_t ns);
/* The time in ns under which 'percent' of all were; 0 without any. */
double histogram_percentile(const struct histogram *h, double percent);

/* A request that is sent many times, with the next id each time. */
#define LOAD_ID "10000000"
struct load_request {
    struct buf bytes; /* Owned: head and body. */
    size_t id_at;     /* Where LOAD_ID is in them; 0: nowhere. */
    size_t also_at;   /* And where once more. */
};
void load_request_fini(struct load_request *r);

struct load_options {
    const char *name; /* Of the server, for complaints; borrowed. */
    unsigned port;    /* Of 127.0.0.1. */
    unsigned connections;
    const struct load_request *requests; /* Borrowed until load_open() returns. */
    unsigned request_count;              /* One for all connections, or one for each. */
    bool fixed;  /* The answers are always the same bytes: no JSON, no id. */
    bool varies; /* The answers need not be equally long. */
    bool
        reconnect; /* Each request on a connection of its own, opened for it and closed after it. */
};

struct load_result {
    uint64_t requests;
    int64_t ns;
    struct histogram latency;
};

/* New: opens the connections and looks into the first answer on each. */
struct load *load_open(const struct load_options *options);
void load_close(struct load *l);
/* Works for 'ns', or until 'most' requests are answered if that is not 0. */
void load_run(struct load *l, int64_t ns, uint64_t most, struct load_result *result);
/* The body of an answer that was looked into; borrowed. */
struct slice load_first_body(const struct load *l);
/* The ids of the MCP sessions that answers have opened since it was last asked: LOAD_SESSION bytes
 * each, with the NUL; borrowed until the next run. */
#define LOAD_SESSION 64u
const char *load_sessions(struct load *l, size_t *count);

#endif
