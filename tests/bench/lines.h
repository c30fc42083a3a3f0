/* lines.h -- the load that "make bench" puts on servers on stdio: a line, or many in flight, each
 * answer checked.
 *
 * An answer is right if it is the first one's bytes, which were looked into, but for the id; one
 * that is not ends the program.  One thread. */
#ifndef TANDEM_TESTS_LINES_H
#define TANDEM_TESTS_LINES_H

#include "tests/bench/load.h"

struct lines_options {
    const char *name;    /* Of the server, for complaints; borrowed. */
    int in, out;         /* Its stdin and stdout, borrowed; made non-blocking. */
    const char *message; /* With LOAD_ID; borrowed until lines_open() returns. */
    bool initialize;     /* Introduces itself first, as a legacy client. */
    bool fixed;          /* The answers are always the same bytes: no JSON, no id. */
};

/* New: looks into the first answer. */
struct lines *lines_open(const struct lines_options *options);
void lines_close(struct lines *l);
/* Works for 'ns' with so many in flight.  The latency is told of one by one only. */
void lines_run(struct lines *l, unsigned in_flight, int64_t ns, struct load_result *result);
/* Bytes of an answer, with its end of line. */
size_t lines_answer_len(const struct lines *l);

#endif
