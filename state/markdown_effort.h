/* markdown_effort.h -- how long reading a text of Markdown may take, told before it is read.
 *
 * cmark-gfm 0.29.0.gfm.6, Debian 12's, takes time by the square for some texts that nobody writes
 * but to do harm: 64 KiB of them take up to 12 s, a megabyte would take an hour.  Pure; any
 * thread. */
#ifndef TANDEM_MARKDOWN_EFFORT_H
#define TANDEM_MARKDOWN_EFFORT_H

#include "state/base/mem.h"

#include <stdint.h>

/* Where reading begins to take longer than anybody would wait: about half a second.  The largest
 * texts that people write are a hundredth of it. */
#define MARKDOWN_EFFORT_MAX (UINT64_C(1) << 28)

/* An upper bound, in steps of one to three nanoseconds, of what comes on top of the time that all
 * texts of this length take; or more than MARKDOWN_EFFORT_MAX, if it is more. */
uint64_t markdown_effort(struct slice text);

#endif
