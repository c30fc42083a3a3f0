/* tenant_guard.h -- peers that ask for tenants which are not theirs: counted, then blocked.
 *
 * A caller that is bound to a tenant and asks for another one three times within five minutes is
 * not let near that tenant for half an hour, by whatever token it comes from that address.  The
 * table is bounded: a peer that fills it pushes out pairs that are not blocked first.
 *
 * Any thread; takes TENANT_GUARD, and nothing while no pair is known. */
#ifndef TANDEM_TENANT_GUARD_H
#define TANDEM_TENANT_GUARD_H

#include "state/base/clock.h"
#include "state/base/mem.h"

#define TENANT_GUARD_TIMES 3                               /* Mismatches of one pair, */
#define TENANT_GUARD_WINDOW_NS (INT64_C(300) * 1000000000) /* within this time, */
#define TENANT_GUARD_BLOCK_NS (INT64_C(1800) * 1000000000) /* block it for so long. */
#define TENANT_GUARD_MAX 1024                              /* Pairs that are known at once. */

struct tenant_guard;

struct tenant_guard_counters {
    uint64_t mismatches, blocks, refused; /* 'refused': asked while blocked. */
    size_t size, blocked;
};

/* 'clock' is borrowed and must outlive it. */
struct tenant_guard *tenant_guard_create(const struct clock *clock);
/* Null is ignored. */
void tenant_guard_destroy(struct tenant_guard *g);
/* The seconds, rounded up, for which 'peer' may not ask for 'tenant'; 0: it may. */
unsigned tenant_guard_blocked(struct tenant_guard *g, struct slice peer, const char *tenant);
/* Notes that 'peer' asked for 'tenant' and is not bound to it.  True if that blocks the pair. */
bool tenant_guard_note(struct tenant_guard *g, struct slice peer, const char *tenant);
struct tenant_guard_counters tenant_guard_counters(struct tenant_guard *g);

#endif
