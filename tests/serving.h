/* serving.h -- the real binary on a temporary project, for tests that are its client.
 *
 * The binary is that of $TANDEM, else build/tandem.  Everything aborts where the machine refuses;
 * what the server does wrong is told. */
#ifndef TANDEM_TESTS_SERVING_H
#define TANDEM_TESTS_SERVING_H

#include "state/base/mem.h"
#include "tests/tree.h"

#include <stdbool.h>
#include <sys/types.h>

struct serving {
    struct tree *project;
    bool guest; /* The project is another's. */
    pid_t pid;
    int to, from;   /* Its standard input and output; -1 when closed. */
    struct buf got; /* Read and not yet told. */
    size_t at;      /* What of it has been told. */
    char *token;    /* For HTTP, from server.json; null without it. */
    unsigned port;  /* 0 without HTTP, and on a Unix socket. */
};

/* Starts "tandem serve" with 'transport' ("stdio" or "dual") and the given further options, ended
 * by null. */
void serving_start(struct serving *s, const char *transport, const char *const *options);
/* The same in two steps: the project is there between them. */
void serving_prepare(struct serving *s);
void serving_start_prepared(struct serving *s, const char *transport, const char *const *options);
/* Starts one more on the project of 'first', over stdio; 'first' is to outlive it. */
void serving_join(struct serving *s, const struct serving *first, const char *const *options);
/* Writes one line and its end. */
void serving_send(struct serving *s, struct slice line);
/* Reads the next line without its end, new; null at the end of output, or if none comes in
 * 'seconds'. */
char *serving_line(struct serving *s, int seconds);
/* Reads port and token.  The server has answered something on stdio. */
void serving_discover(struct serving *s);
/* Ends its input; a second time does nothing. */
void serving_end_input(struct serving *s);
/* Ends its input, and waits for its end; returns the exit status, or -1 if it ended by a signal. */
int serving_stop(struct serving *s);
/* Removes the project. */
void serving_fini(struct serving *s);

#endif
