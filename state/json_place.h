/* json_place.h -- where in a JSON text a value stands.
 *
 * The JSON library gives no places once a text is parsed; whoever finds a mistake in a value asks
 * here for its line and column.  Pure; any thread. */
#ifndef TANDEM_JSON_PLACE_H
#define TANDEM_JSON_PLACE_H

#include "state/base/mem.h"

struct json_place {
    unsigned line, column; /* From 1, columns in characters; 0 if the value is not there. */
};

/* The place of the value that the path leads to in 'text', which must be valid JSON.  'path' is a
 * JSON pointer ("/phases/3/tasks/0/file"; "" is the whole); names in it are compared with keys as
 * they are written, without escapes.  If its end is not there, the place of the innermost value
 * that is. */
struct json_place json_place(struct slice text, const char *path);

#endif
