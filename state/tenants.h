/* tenants.h -- the customers of one server: who may ask for whom.
 *
 * Any thread. */
#ifndef TANDEM_TENANTS_H
#define TANDEM_TENANTS_H

#include "state/base/clock.h"

struct tenant_guard;
struct tenants;

struct tenants_options {
    const struct clock *clock; /* Borrowed; must outlive the tenants. */
};

/* New, without a tenant in its cache. */
struct tenants *tenants_create(const struct tenants_options *options);
/* No other thread may use it.  Null is ignored. */
void tenants_destroy(struct tenants *t);
/* Who asks for tenants that are not his; borrowed. */
struct tenant_guard *tenants_guard(const struct tenants *t);

#endif
