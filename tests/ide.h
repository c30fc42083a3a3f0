/* ide.h -- an IDE on the server's stdio: calls that stay open for as long as git waits
 * (fake_git.h), renewed when they end, and other calls beside them. */
#ifndef TANDEM_TESTS_IDE_H
#define TANDEM_TESTS_IDE_H

#include "tests/harness_http.h"

#include <stdatomic.h>

struct ide {
    struct server *server;
    struct findings *findings; /* Borrowed, as the server. */
    atomic_bool storm_over;
    unsigned open, held; /* Calls that wait: now, and ever begun. */
    unsigned others;     /* Calls that did not wait. */
    int64_t opened_ns, longest_open_ns;
    struct samples samples; /* Of the others. */
};

/* The legacy handshake.  Main thread only. */
void ide_initialize(struct ide *ide);
/* Sends a call of get_server_info. */
void ide_hold(struct ide *ide);
/* Takes the next answer; true if it is the one to 'want' (a number), or, for -1, to a call that was
 * held. */
bool ide_take(struct ide *ide, json_int_t want);
/* A thread: calls, and keeps one held, until 'storm_over'.  'arg' is a struct ide. */
void *ide_run(void *arg);

#endif
