/* param_headers.h -- arguments that modern HTTP clients repeat as headers (x-mcp-header).
 *
 * A property of a tool's input schema may name a header: {"type":"string","x-mcp-header":"Region"}
 * makes a client send its argument as Mcp-Param-Region too, so that what stands before the server
 * can route by it.  Whoever reads only the header and whoever reads only the body must see the
 * same, so a difference is refused.
 *
 * Made once from a schema and immutable afterwards; any thread. */
#ifndef TANDEM_PARAM_HEADERS_H
#define TANDEM_PARAM_HEADERS_H

#include "handlers/request.h"

struct param_headers;

/* Collects the headers that 'schema' names, new in '*headers'; null if it names none.  'schema' is
 * borrowed and must outlive them.  E_ARGUMENT, with why, for what a client would refuse: a name
 * that is no token or comes twice in any case, a type other than string, integer and boolean, a
 * place that is not reached from the root through properties alone. */
enum err param_headers_create(const json_t *schema, struct param_headers **headers,
                              struct fault *f);
/* Null is ignored. */
void param_headers_destroy(struct param_headers *h);
/* Compares the headers that 'env' has with 'args', an object or null: E_HEADERS if an argument's
 * header is missing, says something else, comes twice with two values, or is there without an
 * argument. Headers that the schema does not name are nobody's business. */
enum err param_headers_check(const struct param_headers *h, const struct envelope *env,
                             const json_t *args, struct fault *f);

#endif
