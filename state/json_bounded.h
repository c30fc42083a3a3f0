/* json_bounded.h -- JSON from strangers, where no message parser has looked at it before.
 *
 * jansson parses 2048 containers within each other by calling itself, and takes some 226 bytes a
 * value: both are bounded here before it sees a byte.  Pure; any thread. */
#ifndef TANDEM_JSON_BOUNDED_H
#define TANDEM_JSON_BOUNDED_H

#include "state/base/mem.h"

#include <jansson.h>

struct json_bounds {
    unsigned depth, values;
};

/* Whether 'text', JSON or not, holds no more than 'bounds' allow. */
bool json_bounds_hold(struct slice text, const struct json_bounds *bounds);
/* A new value; or null if 'text' is no JSON object or array, has a key twice, or a NUL in a
 * string, or more in it than 'bounds' allow. */
json_t *json_load_bounded(struct slice text, const struct json_bounds *bounds);

#endif
