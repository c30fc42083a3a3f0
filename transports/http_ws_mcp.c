/* http_ws_mcp.c -- a WebSocket on the MCP endpoint: each message goes to dispatch, as of a peer
 * that is a session by itself. */
#include "transports/http_private.h"

#include "transports/peer.h"

static void
take(void *self, struct slice message)
{
    peer_dispatch(self, message);
}

static enum ws_close
judge(void *self, const char **why)
{
    *why = "there was no memory for an answer";
    return peer_is_lost(self) ? WS_CLOSE_INTERNAL : WS_CLOSE_NONE;
}

static void
drain(void *self)
{
    peer_wake_when_idle(self);
}

static bool
is_idle(const void *self)
{
    return peer_in_flight(self) == 0;
}

static void
end(void *self)
{
    peer_gone(self);
    peer_unref(self);
}

void
http_ws_mcp(struct connection *c, const struct http_parser *p)
{
    static const struct ws_use_class class = {
        .take = take, .judge = judge, .drain = drain, .is_idle = is_idle, .end = end};
    struct envelope env;
    struct peer *served;

    http_fill_envelope(c, p, &env);
    served = peer_create(&(struct peer_options){
        .dispatcher = c->server->context.dispatcher,
        .transport = TRANSPORT_WS,
        .principal = env.principal,
        .scopes = env.scopes,
        .tenants = env.tenants,
        .peer = env.peer,
        .client_id = env.client_id,
        .wake = websocket_wake,
        .arg = c,
    });
    websocket_open(c, p, WS_SUBPROTOCOL, &(struct ws_use){&class, served, peer_outbox(served)});
}
