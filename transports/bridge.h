/* bridge.h -- the second window: lines between a client and the project's server.
 *
 * A project has one server.  A further one that is started with a client on its stdio is a bridge:
 * it upgrades a connection to the first (http_lines.c) and passes lines both ways, as they are.  It
 * holds no state of the project, and of the messages only what it needs when the server goes away
 * (bridge_ledger.h): then it is given another server, or becomes it.
 *
 * One thread, one poll(); everything is sized so that a bridge at rest costs some hundred KiB. */
#ifndef TANDEM_BRIDGE_H
#define TANDEM_BRIDGE_H

#include <stdbool.h>

#include "state/base/err.h"
#include "transports/transport.h"

#define BRIDGE_PATH "/bridge"
#define BRIDGE_PROTOCOL "tandem-lines/1" /* What the connection is upgraded to. */
/* A header of that request: how many servers the client has had before.  Each counts the requests
 * that it sends to the client from another number on, so that a late response to one that has gone
 * is not taken for an answer to the next. */
#define BRIDGE_BEFORE "Tandem-Servers-Before"
#define BRIDGE_ASKS_EACH (UINT64_C(1) << 20)
/* Another: the tenant that the client's own settings name for messages that name none. */
#define BRIDGE_TENANT "Tandem-Tenant"

struct bridge;
struct rpc_message;

struct bridge_options {
    const struct settings *settings; /* Borrowed. */
    int in_fd, out_fd;               /* The client's; stay the caller's. */
    int signal_fd;                   /* Readable once a signal asks for the end; borrowed. */
    bool (*repeatable)(const struct rpc_message *call); /* As bridge_ledger.h's. */
};

/* A new bridge without a server.  E_IO. */
enum err bridge_open(const struct bridge_options *options, struct bridge **bridge, struct fault *f);
/* Null is ignored. */
void bridge_close(struct bridge *b);

enum bridge_end {
    BRIDGE_OVER,   /* The client has gone, or a signal came: all is said that could be. */
    BRIDGE_PARTED, /* The server has gone; or it was not there for 'patience_ms'. */
};
/* Passes lines between the client and the server at the other end of 'link_fd', which it closes; -1
 * for none, and then only as long as 'patience_ms'. */
enum bridge_end bridge_run(struct bridge *b, int link_fd, int patience_ms);
/* How many servers the client has had. */
unsigned bridge_servers(const struct bridge *b);
/* There will be no server: tells the client so, and returns once it has read it, or too late. */
void bridge_give_up(struct bridge *b);

/* This process becomes the server: what its stdio transport goes on with.  The bridge keeps owning
 * it, until bridge_close(). */
const struct transport_estate *bridge_hand_over(struct bridge *b);

#endif
