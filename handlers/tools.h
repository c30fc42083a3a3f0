/* tools.h -- the tool registry: rows, parsed schemas, and the ready-made text of tools/list.
 *
 * Made once from TOOLS; schemas and texts when they are first asked for.  Any thread. */
#ifndef TANDEM_TOOLS_H
#define TANDEM_TOOLS_H

#include "handlers/tool.h"

struct tools;
struct tool_entry;

/* The tools of 'groups', a list as in the settings, or null for "core".  A schema that breaks the
 * schema profile is a bug and aborts once its tool is called.  A name that is no group's adds
 * nothing, as settings written for other servers name groups of theirs; that is logged. */
struct tools *tools_create(const char *groups);
void tools_destroy(struct tools *t);
/* Whether the list may change while the server runs: only where a tool that changes it is there. */
bool tools_can_change(const struct tools *t);
/* Shows the tool that comes and goes, or hides it; returns whether that was a change.  Any thread.
 */
bool tools_show_changing(struct tools *t, bool shown);
unsigned tools_count(const struct tools *t);
/* True if a tool of that group exists: if the settings enabled it. */
bool tools_has_group(const struct tools *t, const char *group);
/* The JSON array of tools/list as the latest revisions have it; borrowed from 't'. */
const char *tools_json(struct tools *t);

/* An agent in a loop must not starve the others: E_BUSY if the request's session or connection has
 * had its calls of this second.  For methods that cost files or time. */
enum err tools_check_rate(struct request *req);

/* What fault_write() tells, as a new object: for tools that have more to tell. */
json_t *tools_fault_json(const struct fault *f);

/* Writes the result of a call that is refused before its tool is looked for, from req->fault.
 * False, and nothing is written, if it is no tools/call or 'err' is told as a protocol error. */
bool tools_refuse(struct request *req, enum err err);

/* The row of that name, whichever groups are enabled; null if there is none.  Borrowed for ever. */
const struct tool *tools_row(struct slice name);
/* The number of a tool's row in TOOLS. */
unsigned tools_number(const struct tool_entry *e);
/* Whether a call may be made again when nobody knows if it was done: it reads, or doing it twice is
 * doing it once. */
bool tools_repeatable(const struct rpc_message *call);

/* REST: finds the tool and checks its arguments' bytes, into 'req'. */
enum err tools_find_rest(struct request *req, struct slice name, struct slice arguments);
enum err tools_prepare_rest(struct request *req, enum runs *runs);
/* REST handlers: the structured result alone; the list. */
enum err tools_rest(struct request *req);
enum err tools_rest_list(struct request *req);

#endif
