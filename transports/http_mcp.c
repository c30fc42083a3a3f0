/* http_mcp.c -- the MCP endpoint: POST a message, DELETE a legacy session. */
#include "transports/http_private.h"

#include <stdio.h>
#include <strings.h>

/* Whether the list in Accept has 'type', or a range that holds it; parameters do not matter. */
static bool
accepts(const struct http_parser *p, const char *type)
{
    const char *slash = strchr(type, '/');
    char range[32];

    if (http_header_has(p, HTTP_HEADER_ACCEPT, slice_of(type)) ||
        http_header_has(p, HTTP_HEADER_ACCEPT, SLICE("*/*"))) {
        return true;
    }
    snprintf(range, sizeof range, "%.*s/*", (int)(slash - type), type);
    return http_header_has(p, HTTP_HEADER_ACCEPT, slice_of(range));
}

/* Headers that say which message it is must not say two things. */
static bool
repeated(const struct http_parser *p)
{
    return http_header_repeated(p, HTTP_HEADER_PROTOCOL_VERSION) ||
           http_header_repeated(p, HTTP_HEADER_SESSION_ID) ||
           http_header_repeated(p, HTTP_HEADER_MCP_METHOD) ||
           http_header_repeated(p, HTTP_HEADER_MCP_NAME);
}

void
http_mcp(struct connection *c, const struct http_parser *p, const struct route *route)
{
    struct dispatcher *d = c->server->context.dispatcher;
    struct envelope env;
    bool json;

    if (repeated(p)) {
        connection_refuse(c, route->mcp, 400, "header_repeated",
                          "a header that names version, session, method or name is there twice", NULL);
        return;
    }
    http_fill_envelope(c, p, &env);
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed); /* Dispatch's. */
    c->event_stream = false;
    if (p->method == HTTP_METHOD_DELETE) {
        dispatch_end(d, &env, &c->sink);
        return;
    }
    json = !http_header(p, HTTP_HEADER_ACCEPT).data || accepts(p, "application/json");
    c->event_stream = !json && accepts(p, "text/event-stream");
    if (!json && !c->event_stream) {
        connection_unref(c);
        connection_refuse(c, route->mcp, 406, "not_acceptable",
                          "answers are application/json or text/event-stream; Accept takes neither",
                          NULL);
        return;
    }
    dispatch_message(d, &env, http_body(p), &c->sink);
}
