/* hide.h -- a process that holds the token keeps its memory to itself. */
#ifndef TANDEM_HIDE_H
#define TANDEM_HIDE_H

#include "state/settings.h"

#include <stdbool.h>

/* From now on no core file, and no other process of this user may look; or, false, as before: who
 * opens descriptors by name needs that.  Who debugs has to look, and so has a leak checker: then
 * nothing happens. */
void hide_memory(const struct settings *settings, bool hidden);

#endif
