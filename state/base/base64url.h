/* base64url.h -- base64 as tokens have it: RFC 4648 section 5, without padding.  Pure. */
#ifndef TANDEM_BASE64URL_H
#define TANDEM_BASE64URL_H

#include "state/base/mem.h"

/* Adds the bytes that 'text' stands for to 'out'.  False if it is not the one way to write them: a
 * byte of another alphabet, padding, a length that nothing has, a bit set that means nothing.
 * 'out' may have got some bytes then. */
bool base64url_decode(struct slice text, struct buf *out);
/* Adds 'bytes' as text. */
void base64url_encode(struct slice bytes, struct buf *out);

#endif
