/* tenants.c -- the customers of one server. */
#include "state/tenants.h"

#include "state/base/mem.h"
#include "state/tenant_guard.h"

struct tenants {
    struct tenant_guard *guard; /* Owned. */
};

struct tenants *
tenants_create(const struct tenants_options *options)
{
    struct tenants *t = xcalloc(1, sizeof *t);

    t->guard = tenant_guard_create(options->clock);
    return t;
}

void
tenants_destroy(struct tenants *t)
{
    if (t) {
        tenant_guard_destroy(t->guard);
        free(t);
    }
}

struct tenant_guard *
tenants_guard(const struct tenants *t)
{
    return t->guard;
}
