/* tool_rig.h -- tools as their callers reach them: a project, what serves it, and a connection. */
#ifndef TANDEM_TESTS_TOOL_RIG_H
#define TANDEM_TESTS_TOOL_RIG_H

#include "handlers/dispatch.h"
#include "state/config.h"
#include "state/state.h"
#include "tests/fakes.h"

#include <jansson.h>

struct tool_rig {
    struct fake_project project;
    struct pool *pool;
    struct dispatcher *dispatcher;
    struct envelope connection; /* On standard input, of a client that nobody bound. */
    const char *secret;         /* What no answer may hold; or null. */
};

/* A new project whose tools of 'groups' are served. */
void tool_rig_init(struct tool_rig *rig, const char *groups);
/* Serves rig->project, which is there already. */
void tool_rig_serve(struct tool_rig *rig, const char *groups);
void tool_rig_fini(struct tool_rig *rig);

/* The result of one request over MCP for 'tenant' (null: it names none), which must have one; new.
 * 'params' are members of an object. */
json_t *tool_rig_ask(struct tool_rig *rig, const char *tenant, const char *method,
                     const char *params);
/* The structured result of a tool; new.  With 'code' that of an error, which it must be then. */
json_t *tool_rig_call(struct tool_rig *rig, const char *tenant, const char *tool,
                      const char *arguments, const char *code);
/* Calls a tool as a script does: fails unless it is answered with 'status' and a body that holds
 * 'want'. */
void tool_rig_expect(struct tool_rig *rig, const struct envelope *env, const char *tool,
                     const char *arguments, int status, const char *want);

#endif
