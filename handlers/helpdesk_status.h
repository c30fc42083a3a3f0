/* helpdesk_status.h -- what get_helpdesk_status and the resource of the same tell. */
#ifndef TANDEM_HELPDESK_STATUS_H
#define TANDEM_HELPDESK_STATUS_H

#include "handlers/request.h"

/* The status of the index that the request's tenant uses; new. */
json_t *helpdesk_status_json(struct request *req);

#endif
