/* subscriptions_private.h -- what the files of subscriptions/listen share.
 *
 *   subscriptions.c          what is told, to whom, and how it ends
 *   subscriptions_filter.c   what a client wants to be told of */
#ifndef TANDEM_SUBSCRIPTIONS_PRIVATE_H
#define TANDEM_SUBSCRIPTIONS_PRIVATE_H

#include "handlers/subscriptions.h"
#include "state/mcp_tasks.h"

struct subscription {
    struct listener listener;    /* First. */
    struct mcp_session *session; /* Counted: of the connection it came by; null over HTTP. */
    struct sink *sink;           /* Counted. */
    char *principal;             /* Owned. */
    char tenant[TENANT_ID_SIZE];
    const char *honoured; /* The filter, as JSON members; until it is acknowledged. */
    bool moves;           /* struct envelope's. */
    bool deaf;            /* It does not read.  LC_CHANGES. */
    size_t task_count;
    char (*tasks)[MCP_TASK_ID_SIZE]; /* Owned: those that it follows, its principal's own. */
    size_t id_len;
    char id[]; /* Of the request, raw JSON. */
};

/* Reads params.notifications: what 's' is to be told of, and that, as JSON members, in 'honoured'.
 * E_PARAMS; E_CAPABILITY for tasks that its client does not know; E_BUSY; E_OVERLOAD. */
enum err subscription_read_filter(struct request *req, struct subscription *s,
                                  struct buf *honoured);

#endif
