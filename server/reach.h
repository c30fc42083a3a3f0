/* reach.h -- the tools of a project, wherever they are: in the server that runs, or here.
 *
 * What the commands that ask a server have in common: the server named by --url, else by the
 * variable TANDEM_URL, else the one found by discovery, else none.  It is shown the token in
 * TANDEM_TOKEN, else the project's own (server/token.h).  "tandem env" prints these variables.
 * main's thread. */
#ifndef TANDEM_REACH_H
#define TANDEM_REACH_H

#include "server/client.h"
#include "server/context.h"
#include "server/discovery.h"

struct reach {
    bool remote; /* There is a server, at 'target'. */
    struct client_target target;
    char *url;                  /* Owned: the same as text; null if there is none. */
    char *token;                /* Owned; null: none is known. */
    struct discovery discovery; /* Who it is, if it was found by discovery. */
    struct fault absent;        /* If there is none: how that is known. */
};

/* Finds the server.  'url' may be null; the project's token goes only to this machine.
 * E_ARGUMENT: a bad url, or a token that is none. */
enum err reach_find(struct context *context, const char *url, struct reach *r, struct fault *f);
void reach_fini(struct reach *r);
/* One request to the server; see client_exchange(). */
enum err reach_ask(const struct context *context, const struct reach *r, const char *method,
                   const char *path, struct slice body, struct client_reply *reply,
                   struct fault *f);

#endif
