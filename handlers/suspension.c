/* suspension.c -- one look a second at each tenant that is told something. */
#include "handlers/suspension.h"

#include "handlers/dispatch_private.h"
#include "handlers/subscriptions.h"
#include "state/bus_reader.h"
#include "state/state.h"
#include "state/tenants.h"

#define LOAD_NS INT64_C(1000000000) /* For settings that have changed. */

/* The next tenant behind 'after' (null: the first) for whom anything is open. */
static bool
next_tenant(struct dispatcher *d, const char *after, char tenant[TENANT_ID_SIZE])
{
    char reads[TENANT_ID_SIZE], listens[TENANT_ID_SIZE];
    bool some = bus_readers_next_tenant(state_bus(d->state), after, reads);
    bool more = subscriptions_next_tenant(d, after, listens);

    if (some || more) {
        memcpy(tenant, some && (!more || strcmp(reads, listens) < 0) ? reads : listens,
               TENANT_ID_SIZE);
    }
    return some || more;
}

/* What cannot be read just now is no reason. */
static bool
is_served(struct dispatcher *d, const char *tenant, struct fault *f)
{
    struct tenants *tenants = state_tenants(d->state);
    struct tenant_pin pin;
    enum err err = tenants_get(tenants, tenant, clock_mono(d->clock) + LOAD_NS, &pin, f);

    err = err ? err : tenant_admits(pin.tenant, f);
    tenants_unpin(tenants, &pin);
    return err != E_TENANT && err != E_NO_TENANT;
}

bool
suspension_tick(struct dispatcher *d)
{
    char tenant[TENANT_ID_SIZE];
    bool any = false;

    for (bool more = next_tenant(d, NULL, tenant); more; more = next_tenant(d, tenant, tenant)) {
        struct subscription_match match = {.tenant = tenant};
        struct fault f = FAULT_INIT;

        any = true;
        if (!is_served(d, tenant, &f)) {
            bus_readers_end(state_bus(d->state), tenant);
            subscriptions_refuse(d, &match, &f);
        }
    }
    return any;
}
