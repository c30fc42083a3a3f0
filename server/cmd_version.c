/* cmd_version.c -- "tandem version". */
#include "server/command.h"
#include "state/version.h"

#include <stdio.h>

static int
run(struct invocation *invocation)
{
    (void)invocation;
    return puts(TANDEM_NAME " " TANDEM_VERSION) < 0 ? STATUS_FAILED : STATUS_OK;
}

const struct command command_version = {
    .name = "version",
    .usage = "",
    .summary = "tell the version",
    .details = "",
    .run = run,
};
