/* operations.h -- how long each method and each tool took, by transport and by error.
 *
 * The names follow the OpenTelemetry conventions for MCP (mcp.server.operation.duration).  What a
 * label can be is bounded by the tables of the code: methods, tools, transports, errors; a method
 * that is none of ours is "_OTHER".  A series costs its 200 bytes once it is first used.
 *
 * Counting is a look into a table of pointers and two relaxed additions: no lock, any thread. */
#ifndef TANDEM_OPERATIONS_H
#define TANDEM_OPERATIONS_H

#include "handlers/request.h"
#include "state/base/exposition.h"

#include <jansson.h>

struct operations;

/* A new one, all 0. */
struct operations *operations_create(void);
/* Null is ignored. */
void operations_destroy(struct operations *o);
/* Counts a request that has ended now with 'err', or with its tool's error. */
void operations_count(struct operations *o, const struct request *req, enum err err,
                      int64_t now_ns);
/* The family mcp_server_operation_duration_seconds. */
void operations_expose(const struct operations *o, struct exposition *e);
/* {"<tool>": {calls, errors, mean_ms, p50_ms, p95_ms, p99_ms}}: of the tools that were called; null
 * for what is not known.  New. */
json_t *operations_tools(const struct operations *o);
/* The same of all methods that were called. */
json_t *operations_methods(const struct operations *o);

#endif
