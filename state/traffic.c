/* traffic.c -- the counters of the transports. */
#include "state/traffic.h"

#include "state/base/mem.h"

struct traffic *
traffic_create(void)
{
    return xcalloc(1, sizeof(struct traffic));
}

void
traffic_destroy(struct traffic *t)
{
    free(t);
}
