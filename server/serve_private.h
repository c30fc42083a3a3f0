/* serve_private.h -- one server, for serve.c (its order), serve_first.c (who serves),
 * serve_listen.c (where), serve_sandbox.c (shut in), serve_wait.c (until when), serve_reload.c
 * (settings read anew) and serve_end.c (its end).  All of main's thread. */
#ifndef TANDEM_SERVE_PRIVATE_H
#define TANDEM_SERVE_PRIVATE_H

#include "server/activation.h"
#include "server/context.h"
#include "server/core.h"
#include "server/discovery.h"
#include "server/listen.h"
#include "server/manager.h"
#include "server/notify.h"
#include "server/pulse.h"
#include "server/second.h"
#include "state/access.h"
#include "state/base/aside.h"
#include "transports/transport.h"

#define SECOND INT64_C(1000000000)

struct server {
    struct context *context;
    bool stdio, http;
    const char *mode; /* "dual", "stdio", "http". */
    int signal_fd, ended_fd;
    int in_fd, out_fd; /* The client's, moved away from 0 and 1. */
    int lock_fd;
    struct second second;           /* What it was before it served. */
    bool over;                      /* It has ended as that. */
    bool terminal;                  /* It was started from one, whose hangup ends it. */
    struct notify notify;           /* Who manages it, if anybody does. */
    struct pulse pulse;             /* Of what serves. */
    char status[NOTIFY_STATUS_MAX]; /* As the manager was told last. */
    char refused[200];              /* Why the settings are not those of the file; or empty. */
    const char *reason;             /* Why it ends. */
    struct activation activation;   /* Sockets that were opened for it, and are not served yet. */
    const struct transport_estate *estate;
    char token[TOKEN_SIZE];
    struct discovery discovery;
    bool announced;                                   /* server.json is ours. */
    struct listen_address address;                    /* Where to listen, unless others do. */
    struct listener listeners[TRANSPORT_SOCKETS_MAX]; /* The first is announced. */
    size_t listener_count;
    struct core core;
    struct aside *git;   /* Owned; null while this process may ask git itself. */
    const char *sandbox; /* What of it holds. */
    char manager[MANAGER_TEXT_SIZE];
    struct access *access; /* Owned; null unless tokens are an authorization server's. */
    struct transport *http_transport, *stdio_transport;
};

/* serve_sandbox.c */

/* Gives up all that a server does not need, as far as the settings want it and the system can.
 * Before there is a second thread. */
enum err serve_shut_in(struct server *s, struct fault *f);

/* serve_first.c */

/* Decides what is served: stdio, HTTP, or both. */
void serve_choose_transports(struct server *s);
/* All that comes before it is known who serves. */
enum err serve_prepare(struct server *s, struct fault *f);
/* Comes back with the project's lock, sooner or later; 's->over' if it is not wanted any more. */
enum err serve_become_first(struct server *s, struct fault *f);

/* serve_listen.c */

/* Finds out where HTTP is served: on the sockets that were handed over, else where the settings
 * say; and whether it may be. */
enum err serve_choose_address(struct server *s, struct fault *f);
/* Listens there. */
enum err serve_listen(struct server *s, struct fault *f);
/* Closes what nobody has taken. */
void serve_close_sockets(struct server *s);

/* serve_reload.c */

/* Reads anew what files say: the settings, the keys of tokens, and what the project has. */
void serve_reload(struct server *s);

/* serve_wait.c */

/* Calls in flight. */
unsigned serve_calls(const struct server *s);
/* Tells the manager that it serves, and how. */
void serve_tell_ready(struct server *s);
/* Whether this process has a terminal. */
bool serve_has_terminal(void);
/* Whether that may hang up and end it: not if it has none, or was told to ignore that (nohup). */
bool serve_may_hang_up(void);
/* Returns once it is time to end, with the reason. */
const char *serve_wait_for_end(struct server *s);

/* serve_end.c */

/* From here on a signal ends the process at once. */
void serve_let_signals_kill(void);
/* Undoes whatever has been done to serve, in reverse. */
void serve_stop(struct server *s);

#endif
