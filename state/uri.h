/* uri.h -- the URIs of what the stores hold: by these names changes are told and resources read. */
#ifndef TANDEM_URI_H
#define TANDEM_URI_H

#include "state/base/mem.h"

/* Heads; a name or path comes behind. */
#define URI_CONFIG "tandem://config"
#define URI_EVENTS "tandem://events/"
#define URI_FAILURES "tandem://failures"
#define URI_HELPDESK "tandem://helpdesk/"
#define URI_LEARNINGS "tandem://learnings/"
#define URI_PACK "tandem://pack/"
#define URI_QUOTA "tandem://quota/"
#define URI_RELAY "tandem://relay/"
#define URI_SESSION "tandem://session/"
#define URI_SERVER "tandem://server/"
#define URI_STANDARD "tandem://standard/"
#define URI_TENANT "tandem://tenant/"
#define URI_SKILL "skill://"

/* Adds 'path' to 'out' as part of a URI: all but unreserved characters and '/' is encoded. */
void uri_add_path(struct buf *out, struct slice path);
/* True for what stands in a URI as it is. */
bool uri_is_unreserved(char c);

#endif
