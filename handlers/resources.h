/* resources.h -- what others need to know of resources. */
#ifndef TANDEM_RESOURCES_H
#define TANDEM_RESOURCES_H

#include "handlers/offers.h"
#include "state/base/mem.h"

/* The name of the variable of one of our templates, borrowed for ever, or null.  Any thread. */
const char *resources_variable(struct slice uri_template);

/* Appends params.uri to 'uri', whose limit is OFFERS_URI_MAX, if it names a resource that is there
 * now: else E_NO_RESOURCE, with error.data.  Reads files. */
enum err resources_find(struct request *req, struct buf *uri);

#endif
