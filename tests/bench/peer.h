/* peer.h -- the servers that "make bench" compares: each a child, with what it has used so far. */
#ifndef TANDEM_TESTS_PEER_H
#define TANDEM_TESTS_PEER_H

#include "tests/harness_http.h"

struct peer {
    const char *name; /* Borrowed. */
    pid_t pid;        /* 0: it does not run. */
    unsigned port;    /* Of 127.0.0.1; 0 for one on stdio. */
    int in, out;      /* Our ends of its stdin and stdout; -1 for one on a port. */
};

/* CPU time, user and system, that the process and its children have used, in ns. */
int64_t process_cpu_ns(pid_t pid);
/* Resident memory of the process, in bytes, and what its children have besides: a page that they
 * share is there once. */
size_t process_resident(pid_t pid);

/* Starts a program: argv[0] is a path, or a name in PATH.  With 'port' it is waited for until it
 * takes connections there; without it has pipes for stdio.  Ends the program if it does not run. */
void peer_start(struct peer *p, const char *name, unsigned port, const char *const argv[]);
/* A port of 127.0.0.1 that nobody had just now. */
unsigned peer_free_port(void);
/* Ends it, politely, and waits; one that does not run is ignored. */
void peer_end(struct peer *p);

/* nginx with one worker that answers whatever it is asked with a body of 'len' bytes; its files are
 * in 'root'. */
void peer_nginx(struct peer *p, const char *root, size_t len);
/* A libuv loop that answers each read with such an answer, and looks at nothing. */
void peer_libuv(struct peer *p, size_t len);
/* The official TypeScript SDK, with one tool, echo: its first version for the legacy era, its
 * second for the modern one; over HTTP, or on stdio. */
void peer_sdk_http(struct peer *p, enum mcp_era era);
void peer_sdk_stdio(struct peer *p, enum mcp_era era);
/* A loop on stdio that answers each line with one of 'len' bytes, and looks at nothing. */
void peer_pipe(struct peer *p, size_t len);

#endif
