/* serve_private.h -- one server, for serve.c (its order), serve_first.c (who serves), serve_wait.c
 * (until when) and serve_end.c (its end).  All of main's thread. */
#ifndef TANDEM_SERVE_PRIVATE_H
#define TANDEM_SERVE_PRIVATE_H

#include "server/context.h"
#include "server/core.h"
#include "server/discovery.h"
#include "server/listen.h"
#include "server/second.h"
#include "state/access.h"
#include "transports/transport.h"

#define SECOND INT64_C(1000000000)

struct server {
    struct context *context;
    bool stdio, http;
    const char *mode; /* "dual", "stdio", "http". */
    int signal_fd, ended_fd;
    int in_fd, out_fd; /* The client's, moved away from 0 and 1. */
    int lock_fd;
    struct second second; /* What it was before it served. */
    bool over;            /* It has ended as that. */
    bool terminal;        /* It had one at the start. */
    const struct transport_estate *estate;
    char token[TOKEN_SIZE];
    struct discovery discovery;
    bool announced; /* server.json is ours. */
    struct listener listener;
    struct core core;
    struct access *access; /* Owned; null unless tokens are an authorization server's. */
    struct transport *http_transport, *stdio_transport;
};

/* serve_first.c */

/* Decides what is served: stdio, HTTP, or both. */
void serve_choose_transports(struct server *s);
/* All that comes before it is known who serves; '*address' is where HTTP is to listen. */
enum err serve_prepare(struct server *s, struct listen_address *address, struct fault *f);
/* Comes back with the project's lock, sooner or later; 's->over' if it is not wanted any more. */
enum err serve_become_first(struct server *s, struct fault *f);

/* serve_wait.c */

/* Whether this process has a terminal that could hang up. */
bool serve_has_terminal(void);
/* Returns once it is time to end, with the reason. */
const char *serve_wait_for_end(struct server *s);

/* serve_end.c */

/* From here on a signal ends the process at once. */
void serve_let_signals_kill(void);
/* Undoes whatever has been done to serve, in reverse. */
void serve_stop(struct server *s);

#endif
