/* hide.c -- see hide.h. */
#include "server/hide.h"

#include "state/base/log.h"

#include <sys/prctl.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#endif

void
hide_memory(const struct settings *settings, bool hidden)
{
#ifdef UNDER_SANITIZER
    (void)settings, (void)hidden;
#else
    if (settings->log_level != LOG_DEBUG) {
        prctl(PR_SET_DUMPABLE, hidden ? 0 : 1, 0, 0, 0);
    }
#endif
}
