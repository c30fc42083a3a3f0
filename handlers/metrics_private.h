/* metrics_private.h -- what the parts of metrics.c share. */
#ifndef TANDEM_METRICS_PRIVATE_H
#define TANDEM_METRICS_PRIVATE_H

#include "state/base/exposition.h"

struct state;

/* One sample without labels, of the exposition 'e'. */
#define COUNTER(NAME, HELP, VALUE) \
    exposition_one(e, NAME, EXPOSITION_COUNTER, HELP, (double)(VALUE))
#define GAUGE(NAME, HELP, VALUE) exposition_one(e, NAME, EXPOSITION_GAUGE, HELP, (double)(VALUE))

/* What each store has counted.  Any thread that holds no lock. */
void metrics_expose_stores(const struct state *state, struct exposition *e);

#endif
