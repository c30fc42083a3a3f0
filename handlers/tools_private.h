/* tools_private.h -- what the files of the tools share.
 *
 *   tools_rows.c    all tools, and their groups
 *   tools.c         the registry of those that are offered: parsed schemas, the texts of tools/list
 *   tools_call.c    tools/call, and the same for scripts
 *   tools_repeat.c  which calls may be made again
 *   tools_at_hand.c calls whose answers have been written before */
#ifndef TANDEM_TOOLS_PRIVATE_H
#define TANDEM_TOOLS_PRIVATE_H

#include "handlers/param_headers.h"
#include "handlers/tools.h"

#include <stdatomic.h>

#define ROW(NAME, FILE) +1
enum { TOOL_COUNT = TOOLS(ROW) };
#undef ROW

/* Which members of a tool the revisions know: one text of the list for each step. */
enum list_form { LIST_PLAIN, LIST_ANNOTATED, LIST_STRUCTURED, LIST_TASKS, LIST_FORM_COUNT };

/* Places to look for a name: a few times as many as there are tools. */
#define TOOL_PLACES 256
_Static_assert(TOOL_COUNT <= TOOL_PLACES / 2, "most names are found where they are looked for");

/* A row's schemas, parsed; immutable. */
struct tool_schemas {
    json_t *input, *output;        /* Owned; 'output' may be null. */
    struct schema_plain *plain;    /* Owned: 'input', made ready. */
    struct param_headers *headers; /* Owned; null if no argument is a header too. */
};

/* A tool that is enabled. */
struct tool_entry {
    const struct tool *tool;
    unsigned number;   /* Of its row in TOOLS. */
    struct slice name; /* The tool's. */
    /* The registry's; null in it until somebody asks for it. */
    _Atomic(struct tool_schemas *) *schemas;
};

/* DESIGN.  Schemas are parsed, and lists written, when they are first asked for, by whoever does:
 * all of them took 4.9 of the 7 million instructions of a start, 0.6 ms of it, and 0.3 MiB.  Who
 * comes second at the same moment throws his own away. */
struct tools {
    struct tool_entry entries[TOOL_COUNT];
    _Atomic(struct tool_schemas *) schemas[TOOL_COUNT]; /* Owned. */
    size_t count;
    unsigned char places[TOOL_PLACES]; /* Numbers of entries, from 1, by their names; 0: free. */
    const struct tool_entry *changing; /* The one that comes and goes: the last; or null. */
    _Atomic bool shown;                /* It is there now. */
    /* Owned: the JSON array of tools/list, without it and with it; null as above. */
    _Atomic(struct bytes *) lists[LIST_FORM_COUNT][2];
};

/* Adds a tool, of row 'number', which must be another than those before. */
void tools_add(struct tools *t, const struct tool *tool, unsigned number);
/* The entry of a tool that is there now, or null.  Borrowed from 't'. */
const struct tool_entry *tools_find(const struct tools *t, struct slice name);
/* The schemas of its tool, borrowed from the registry.  Any thread. */
const struct tool_schemas *tools_schemas(const struct tool_entry *e);

#endif
