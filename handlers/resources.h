/* resources.h -- what others need to know of resources. */
#ifndef TANDEM_RESOURCES_H
#define TANDEM_RESOURCES_H

#include "handlers/offers.h"
#include "state/base/mem.h"

/* Whether 'uri_template' is one of ours, and has a variable of that name.  Any thread. */
enum resources_template { TEMPLATE_UNKNOWN, TEMPLATE_LACKS_VARIABLE, TEMPLATE_HAS_VARIABLE };
enum resources_template resources_template(struct slice uri_template, const char *variable);

/* REST handler: the contents alone. */
enum err resources_rest(struct request *req);

/* Appends params.uri to 'uri', whose limit is OFFERS_URI_MAX, if it names a resource that is there
 * now: else E_NO_RESOURCE, with error.data.  Reads files. */
enum err resources_find(struct request *req, struct buf *uri);

#endif
