/* context.h -- what every command works in: the project, its settings, the log.
 *
 * main's thread. */
#ifndef TANDEM_CONTEXT_H
#define TANDEM_CONTEXT_H

#include "server/command.h"
#include "server/project.h"

struct context {
    struct project project;
    struct config *config;
    struct settings *settings; /* Counted: the snapshot of the start. */
};
#define CONTEXT_INIT   \
    {                  \
        .config = NULL \
    }

/* Finds the project, reads the settings and sets up the log.  Takes the settings' texts of
 * 'invocation'. Warnings, and on failure everything that is wrong, go to standard error; then
 * false. */
bool context_open(struct invocation *invocation, struct context *c);
void context_close(struct context *c);

#endif
