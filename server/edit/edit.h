/* edit.h -- what the editors of somebody else's files have in common: places, ends of lines, and
 * how an edit ends.  Pure; any thread. */
#ifndef TANDEM_EDIT_H
#define TANDEM_EDIT_H

#include "state/base/err.h"
#include "state/base/mem.h"

/* The line and column of an offset into 'text', from 1; columns count characters. */
void edit_position(struct slice text, size_t at, unsigned *line, unsigned *column);
/* How the first line of 'text' ends, hence all that are added; borrowed for ever. */
const char *edit_newline(struct slice text);
/* E_OK, or E_OVERLOAD if 'out' has found no memory. */
enum err edit_end(const struct buf *out, struct fault *f);

#endif
