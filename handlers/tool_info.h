/* tool_info.h -- what get_server_info tells, for who tells it otherwise. */
#ifndef TANDEM_TOOL_INFO_H
#define TANDEM_TOOL_INFO_H

#include <jansson.h>

struct request;

/* The structured result of get_server_info, new.  Asks git: workers only. */
json_t *tool_info_make(struct request *req);

#endif
