/* edit_json.h -- one member of somebody else's JSON file, set or taken out; every other byte of it
 * stays what it was.
 *
 * Files of editors are JSON with comments and commas at the end of lists, and begin with a
 * byte-order mark now and then: all that is understood, and kept, as are the order of members, the
 * ends of lines and the indentation, which what is written new follows.  What is no such JSON is
 * refused, with its place.  No memory but the result; any thread. */
#ifndef TANDEM_EDIT_JSON_H
#define TANDEM_EDIT_JSON_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <jansson.h>

#define EDIT_DEPTH_MAX 64u /* Of the file. */

/* Adds to 'out' the file 'text' in which the member at 'path' (keys from the outermost object on,
 * 'depth' of them, at least one) is 'value'; objects on the way are made.  A file without any text
 * is an empty object.  The same text, if the member has that value already.
 *
 * E_PARSE with line and column: it is no JSON object.  E_CONFLICT: on the way there is something
 * else than an object, or one key twice.  E_OVERLOAD: no memory. */
enum err edit_json_set(struct slice text, const char *const *path, size_t depth,
                       const json_t *value, struct buf *out, struct fault *f);
/* The same without that member, and the comma that it needed; the same text, if it is not there. */
enum err edit_json_remove(struct slice text, const char *const *path, size_t depth, struct buf *out,
                          struct fault *f);
/* The value at 'path' in '*value', new; null if it is not there.  Errors as above. */
enum err edit_json_get(struct slice text, const char *const *path, size_t depth, json_t **value,
                       struct fault *f);

#endif
