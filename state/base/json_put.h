/* json_put.h -- building JSON without an unchecked step.
 *
 * jansson tells a lack of memory by a null or -1 at every call; a builder that overlooks one writes
 * a document with a hole in it.  These do not fail: the values are small and bounded by whoever
 * calls, so a lack of memory aborts, as in xcalloc().  Objects are the caller's own until they are
 * shared. */
#ifndef TANDEM_JSON_PUT_H
#define TANDEM_JSON_PUT_H

#include "state/base/mem.h"

#include <jansson.h>

/* Makes jansson ready, before there are threads: its hash gets its seed, and its allocations abort
 * as xcalloc() does when there is no memory.  jansson 2.14 writes to a wild address when one fails
 * while it parses; what it is given to parse is bounded, so an end that loses nothing is the better
 * answer. */
void json_prepare(void);

/* Each takes what a jansson constructor returned and gives it back; aborts if it is null. */
json_t *json_must(json_t *value);
/* A new string; what is not UTF-8 in 'text' becomes U+FFFD.  Null gives JSON null. */
json_t *json_text(const char *text);
json_t *json_text_slice(struct slice text);
/* The same of what was written into 'text', which is finished; aborts if that found no memory. */
json_t *json_text_of(struct buf *text);

/* Sets 'key'; steals 'value'. */
void json_put(json_t *object, const char *key, json_t *value);
void json_put_text(json_t *object, const char *key, const char *text);
void json_put_int(json_t *object, const char *key, int64_t value);
/* A finite number, rounded to so many decimals: for what is measured, and read by people. */
void json_put_real(json_t *object, const char *key, double value, unsigned decimals);
void json_put_bool(json_t *object, const char *key, bool value);
/* Appends; steals 'value'. */
void json_add(json_t *array, json_t *value);
/* A new deep copy, which shares nothing with 'value'; null gives JSON null. */
json_t *json_clone(const json_t *value);

/* Makes the member 'key' of 'object' the object's own: replaces it by a copy that shares its
 * members with the old one (an empty 'empty' if there is none, or if it is of another type), and
 * returns it, borrowed.  'empty' is stolen.  This is how an immutable document is changed: copy the
 * path, share the rest. */
json_t *json_own(json_t *object, const char *key, json_t *empty);
/* Adds the compact text of 'value' to 'out', in one line for every reader: U+2028 and U+2029 are
 * escaped.  A real has as many digits as it takes to read the same number again, 15 at least if it
 * has them: 0.714 is that.  'out' fails where there is no memory. */
void json_write(struct buf *out, const json_t *value);
/* Bytes of what json_write() would add. */
size_t json_size(const json_t *value);

#endif
