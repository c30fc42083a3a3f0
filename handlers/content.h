/* content.h -- blocks of content for clients whose revision does not know them all. */
#ifndef TANDEM_CONTENT_H
#define TANDEM_CONTENT_H

#include "handlers/request.h"

/* Changes what is in 'content', an array of blocks that nobody else reads, to what 'revision'
 * knows: audio before 2025-03-26 becomes a resource with the same bytes, a link to a resource
 * before 2025-06-18 a text that names it.  Pure. */
void content_fit(json_t *content, enum revision revision);

#endif
