/* core.h -- what all transports share: workers, state, dispatcher, keeper.
 *
 * A server has one, and so has a command that calls a tool without a server.  main's thread. */
#ifndef TANDEM_CORE_H
#define TANDEM_CORE_H

#include "server/context.h"
#include "state/base/err.h"
#include "state/base/mem.h"

struct core {
    struct keeper *keeper; /* Null unless it is kept. */
    struct pool *pool;
    struct state *state;
    struct dispatcher *dispatcher;
    char *embed_key; /* Owned; or null. */
};
#define CORE_INIT    \
    {                \
        .pool = NULL \
    }

/* What it is made of; all borrowed, all outliving it. */
struct core_options {
    const struct context *context; /* With its data folder open. */
    const char *mode;              /* "dual", "stdio", "http", "call". */
    const char *instance;
    struct aside *git;   /* Who asks git for this process; null: it does so itself. */
    const char *sandbox; /* What of it holds (serve_sandbox.c). */
    const char *manager; /* Who manages it (manager.h). */
};

/* Makes all three. */
enum err core_open(const struct core_options *options, struct core *core, struct fault *f);
/* Starts the keeper, who ends what is past its time: a server has one. */
enum err core_keep(struct core *core, struct fault *f);
/* Starts all other threads of it: once transports run, since nobody waits for what they do, and
 * they would hold up the first answer by a millisecond, on two cores. */
enum err core_start(struct core *core, struct fault *f);
/* Ends them in reverse; no transport may be running.  What still runs is cancelled. */
void core_close(struct core *core);

/* Calls a tool in this process and waits for the answer: as POST /api/tools/<tool> would give it,
 * body appended to 'out', the HTTP status returned. */
int core_call(struct core *core, struct slice tool, struct slice arguments, struct buf *out);

#endif
