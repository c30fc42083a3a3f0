/* mixup.c -- tags of principals, and the line of the log. */
#include "state/mixup.h"

#include "state/base/log.h"

#include <inttypes.h>
#include <stdio.h>

LOG_MODULE("mixup");

/* FNV-1a: it need not be hard to undo, only the same each time. */
uint64_t
mixup_tag(struct slice principal)
{
    uint64_t tag = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < principal.len; i++) {
        tag = (tag ^ (unsigned char)principal.data[i]) * UINT64_C(0x100000001b3);
    }
    return tag;
}

void
mixup_log(const char *what, uint64_t asker, uint64_t owner)
{
    char asks[17], owns[17];

    snprintf(asks, sizeof asks, "%016" PRIx64, asker);
    snprintf(owns, sizeof owns, "%016" PRIx64, owner);
    log_warn_rl("somebody asked for what is another's", F_STR("what", what), F_STR("asker", asks),
                F_STR("owner", owns));
}
