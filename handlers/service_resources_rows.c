/* service_resources_rows.c -- the rows as data: the one file that knows all who read, and which
 * they need not know. */
#include "handlers/service_resources.h"

const struct service_resource service_resources[] = {
#define ROW(URI, NAME, TITLE, MIME, READ, DESCRIPTION) {URI, NAME, TITLE, MIME, READ, DESCRIPTION},
    SERVICE_RESOURCES(ROW)
#undef ROW
        {.uri = NULL},
};
