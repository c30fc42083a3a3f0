/* tool.h -- what a tool is: one row, from which both eras, REST and the command line are made.
 *
 * TOOLS lists them in the order of tools/list.  The row's second column is the file that answers: it defines
 * "const struct tool tool_<name>".  To add a tool, add a row and that object. */
#ifndef TANDEM_TOOL_H
#define TANDEM_TOOL_H

#include "handlers/request.h"

/*      name              answered in        */
#define TOOLS(ROW)                             \
    ROW(current_date,     "tool_info.c")       \
    ROW(get_server_info,  "tool_info.c")       \
    ROW(pos_workflow,     "tool_workflow.c")

enum runs {
    INLINE, /* On the transport's thread: only touches memory, for microseconds. */
    WORKER, /* On a worker: reads or writes files, waits, or computes for long. */
};

enum tool_hint {
    HINT_READ_ONLY = 1,
    HINT_DESTRUCTIVE = 2,
    HINT_IDEMPOTENT = 4,
    HINT_OPEN_WORLD = 8,
};

struct tool {
    const char *name, *title, *group;
    const char *description;   /* What an agent needs to use it well. */
    const char *input_schema;  /* JSON text, in the profile that every client takes. */
    const char *output_schema; /* JSON text, or null. */
    unsigned hints;            /* enum tool_hint. */
    enum runs runs;
    /* Answers one call.  'args' is borrowed, has passed the input schema, and is an object.  On E_OK
     * '*result' is a new object, the structured result.  On error it may be a new object too: what to tell
     * instead of the plain {code, message, remedy} of 'f', which is filled in any case. */
    enum err (*call)(struct request *req, const json_t *args, json_t **result, struct fault *f);
};

#define ROW(NAME, FILE) extern const struct tool tool_##NAME;
TOOLS(ROW)
#undef ROW

#endif
