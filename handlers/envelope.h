/* envelope.h -- what a transport tells about a message besides its bytes: who sends it, and what
 * was said around it. */
#ifndef TANDEM_ENVELOPE_H
#define TANDEM_ENVELOPE_H

#include "state/base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct mcp_session;
struct rate;

enum transport_kind { TRANSPORT_STDIO, TRANSPORT_HTTP, TRANSPORT_WS, TRANSPORT_COUNT };

/* What a transport tells about a message besides its bytes.  Slices are borrowed for the call of
 * dispatch. */
struct envelope {
    enum transport_kind transport;
    /* The legacy state of a connection that is its own session (stdio, WebSocket); null for HTTP.
     */
    struct mcp_session *session;
    bool moves; /* The connection is a bridge's: it finds another server when this one ends. */
    struct slice principal; /* Who was let in; empty for nobody in particular. */
    struct slice scopes;    /* What his token allows, as scope_allows() takes it; null data: all. */
    struct slice tenants;   /* Ids of tenants that his token binds him to, with blanks between them;
                               null data: it says nothing of that. */
    struct slice peer;      /* The address at the other end; empty for who has none. */
    struct slice tenant; /* Of a bridge: what its own settings say of who names none; or empty. */
    struct rate *rate;   /* Of the connection, for who has no session; may be null. */
    bool events;         /* HTTP: the client takes events ahead of the answer. */
    /* When the message came, monotonic; 0: now. */
    int64_t came_ns;
    /* What answers are written in where they are written before the call returns, to spare memory
     * being had and given back for each; may be null. */
    struct buf *room;
    /* HTTP headers; empty data pointer when absent.  'client_id', X-Client-ID, is that of its
     * handshake for a WebSocket. */
    struct slice session_id, protocol_version, method, name, client_id;
    /* Finds a header by its name and stores its value, the first one's if it came again; returns 0
     * if it is not there, and how many different values in a row it has otherwise.  Null when the
     * transport has no headers. */
    unsigned (*param_header)(const struct envelope *env, struct slice name, struct slice *value);
    const void *transport_data; /* For param_header(). */
};

/* Has what 'env' tells of its sender (principal, scopes, tenants, peer, tenant, client_id) stand in
 * 'texts', which must be empty: for who sends many messages. */
void envelope_keep(struct envelope *env, struct buf *texts);

#endif
