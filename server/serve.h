/* serve.h -- the life of a server, from its lock to its last thread.
 *
 * main's thread owns the order: lock, token, core, socket, server.json, transports; then it
 * waits, and undoes all in reverse.  SIGINT, SIGTERM, SIGHUP and, unless it lingers, the end of
 * standard input take one path. */
#ifndef TANDEM_SERVE_H
#define TANDEM_SERVE_H

#include "server/context.h"

/* Serves 'context' until told to end, and returns the exit status. */
int serve_run(struct context *context);

#endif
