/* harness_fanout.h -- one who publishes events and many who read them over sockets of loopback,
 * behind the real server or behind a plain loop of send().
 *
 * The same clients drive both: one thread writes what is published and reads what every reader is
 * told.  The plain loop is the limit of the machine: for each event that comes in it sends the
 * bytes of the relay's frame to each reader, one call of send() each, and does nothing else. */
#ifndef TANDEM_TESTS_HARNESS_FANOUT_H
#define TANDEM_TESTS_HARNESS_FANOUT_H

#include "tests/harness_server.h"

#define FANOUT_FRAME_MAX 1024

struct fanout_plan {
    unsigned readers;
    unsigned events;
    unsigned burst; /* Events that are published by one write, */
    unsigned ahead; /* and how many such writes may be on their way to the slowest reader. */
};

struct fanout_run {
    double seconds; /* From the first write to the last event read. */
    double cpu_us;  /* What a delivery cost the process that sends it. */
    /* A frame as it came to a reader. */
    char frame[FANOUT_FRAME_MAX];
    size_t frame_len;
};

/* Over the relay of the server, which has to have room for the readers and no limit of calls a
 * second.  False, with a line on standard error, if an event was lost, came twice or out of order,
 * or none came for long. */
bool fanout_relay(const struct server *server, const struct fanout_plan *plan,
                  struct fanout_run *run);
/* Over a loop of send() in a process of its own, of what 'run' has for a frame. */
bool fanout_raw(const struct fanout_plan *plan, struct fanout_run *run);

#endif
