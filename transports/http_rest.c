/* http_rest.c -- the same tools for scripts, as plain JSON, and what load balancers ask. */
#include "transports/http_private.h"

#include <string.h>

void
http_tool(struct connection *c, const struct http_parser *p, const struct route *route)
{
    struct slice name = http_path(p);
    struct envelope env;

    name.data += strlen(route->path);
    name.len -= strlen(route->path);
    http_fill_envelope(c, p, &env);
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed); /* Dispatch's. */
    c->event_stream = false;
    dispatch_tool(c->server->context.dispatcher, &env, name, http_body(p), &c->sink);
}

void
http_tools(struct connection *c, const struct http_parser *p, const struct route *route)
{
    struct envelope env;

    (void)route;
    http_fill_envelope(c, p, &env);
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed); /* Dispatch's. */
    c->event_stream = false;
    dispatch_tools(c->server->context.dispatcher, &env, &c->sink);
}

void
http_health(struct connection *c, const struct http_parser *p, const struct route *route)
{
    (void)p, (void)route;
    connection_answer(c, 200, "application/json", "Cache-Control: no-store\r\n",
                      SLICE("{\"status\":\"ok\"}"));
}

/* Ready means: new work is taken.  While the server ends it still lives, but is not ready. */
void
http_ready(struct connection *c, const struct http_parser *p, const struct route *route)
{
    (void)p, (void)route;
    if (c->server->draining) {
        connection_answer(c, 503, "application/json", "Retry-After: 1\r\n",
                          SLICE("{\"status\":\"ending\"}"));
    } else {
        connection_answer(c, 200, "application/json", "Cache-Control: no-store\r\n",
                          SLICE("{\"status\":\"ready\"}"));
    }
}
