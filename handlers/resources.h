/* resources.h -- what completion.c needs to know of resources. */
#ifndef TANDEM_RESOURCES_H
#define TANDEM_RESOURCES_H

#include "state/base/mem.h"

/* The name of the variable of one of our templates, borrowed for ever, or null.  Any thread. */
const char *resources_variable(struct slice uri_template);

#endif
