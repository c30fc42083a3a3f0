/* json_slice.h -- single values out of JSON bytes: members, elements, integers, strings.
 *
 * For the slices that a parsed message (rpc.h) or a scan (json_scan.h) hands out, where building a
 * tree would cost more than it gives.  Safe on any bytes: what is not JSON is answered with false,
 * -1 or an early end.  Pure: no lock, no allocation (except in json_string_add()), any thread. */
#ifndef TANDEM_JSON_SLICE_H
#define TANDEM_JSON_SLICE_H

#include <sys/types.h>

#include "handlers/json_scan.h"

/* Walks over the members or elements of a container's raw bytes.  Safe on any bytes. */
struct json_iter {
    struct json_scan scan;
    bool object, first, broken; /* 'broken': it ended because the bytes are no JSON. */
};
/* False, and an iterator that gives nothing, if 'container' is neither object nor array. */
bool json_iter_init(struct json_iter *it, struct slice container);
/* Stores the next one; 'name' gets the member's name with its quotes (json_string_is() compares
 * it), or nothing for an array; it may be null.  False at the end. */
bool json_iter_next(struct json_iter *it, struct slice *name, struct json_value *value);

/* Finds the first member named 'name', names compared unescaped.  False if there is none. */
bool json_slice_member(struct slice object, const char *name, struct json_value *value);

/* Reads an integer without fraction or exponent that fits; false for anything else. */
bool json_slice_int(struct slice raw, int64_t *value);

/* Whether 'raw', a string with its quotes, says 'text' once unescaped. */
bool json_string_is(struct slice raw, const char *text);

/* Unescapes 'raw', a string with its quotes, into 'out', ended by NUL.  Returns its length; or -1
 * if it is no good string, holds \u0000 (a C string cannot), or needs more than 'size' bytes. */
ssize_t json_string_into(struct slice raw, char *out, size_t size);

/* Stores what 'raw', a string with its quotes, says once unescaped: where it lies, or if need be in
 * 'room', which must be empty and may fail.  False if it is no good string, or 'room' failed. */
bool json_string_said(struct slice raw, struct buf *room, struct slice *said);

/* The same, added to 'out'; \u0000 becomes a NUL byte.  False if 'raw' is no good string or 'out'
 * failed; 'out' is then unchanged or failed. */
bool json_string_add(struct slice raw, struct buf *out);

/* Reads the string at which the scan stands, in a text that a scan has let pass before: its end is
 * found and it is unescaped in one look, and nothing is checked again.  64 KiB of prose take 11 us
 * so, and 19 if they are scanned first.  'said' lies in the text or in 'room', which is emptied.
 * False, and where the scan then stands is of no meaning, if that is no string of such a text, or
 * 'room' failed. */
bool json_string_again(struct json_scan *s, struct buf *room, struct slice *said);

/* For contents that a scan has handed out.  The length once unescaped; a hash of that form; whether
 * two say the same. */
size_t json_text_length(const struct json_text *text);
uint32_t json_text_hash(const struct json_text *text);
bool json_text_equal(const struct json_text *a, const struct json_text *b);
/* Unescapes and adds to 'out'; \u0000 becomes a NUL byte. */
void json_text_add(const struct json_text *text, struct buf *out);
/* Unescapes into 'out', without NUL at the end.  Returns the length, or -1 if 'size' is too
 * little. */
ssize_t json_text_into(const struct json_text *text, char *out, size_t size);

#endif
