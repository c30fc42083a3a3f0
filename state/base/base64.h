/* base64.h -- bytes as text, for what JSON carries.  Pure; any thread. */
#ifndef TANDEM_BASE64_H
#define TANDEM_BASE64_H

#include "state/base/mem.h"

/* Adds 'bytes' in standard base64, padded. */
void buf_add_base64(struct buf *out, struct slice bytes);
/* Adds the bytes that 'text' stands for to 'out'.  False if it is not the one way to write them, or
 * they are too many for 'out', which may have got some then. */
bool base64_decode(struct slice text, struct buf *out);

#endif
