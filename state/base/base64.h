/* base64.h -- bytes as text, for what JSON carries.  Pure; any thread. */
#ifndef TANDEM_BASE64_H
#define TANDEM_BASE64_H

#include "state/base/mem.h"

/* Adds 'bytes' in standard base64, padded. */
void buf_add_base64(struct buf *out, struct slice bytes);

#endif
