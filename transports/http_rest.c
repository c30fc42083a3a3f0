/* http_rest.c -- the same tools for scripts, as plain JSON, and what load balancers ask. */
#include "transports/http_private.h"

#include "state/base/exposition.h"

static void
tell_no_memory(struct connection *c)
{
    struct fault f;

    fault_set(&f, E_OVERLOAD, "there is no memory for this now");
    connection_tell_fault(c, &f);
}

void
http_tool(struct connection *c, const struct http_parser *p)
{
    size_t prefix = strlen(c->route->path);
    struct slice name = http_path(p);
    struct envelope env;

    name = (struct slice){name.data + prefix, name.len - prefix};
    http_fill_envelope(c, p, &env);
    dispatch_tool(c->server->context.dispatcher, &env, name, http_body(p), connection_take_sink(c));
}

void
http_tools(struct connection *c, const struct http_parser *p)
{
    struct envelope env;

    http_fill_envelope(c, p, &env);
    dispatch_tools(c->server->context.dispatcher, &env, connection_take_sink(c));
}

void
http_resource(struct connection *c, const struct http_parser *p)
{
    struct buf uri = BUF_INIT;
    struct envelope env;

    if (http_query_find(http_query(p), "uri", &uri) > 1) {
        connection_refuse(c, false, 400, "invalid_argument", "the query names two resources", NULL);
    } else if (uri.failed) {
        tell_no_memory(c);
    } else {
        http_fill_envelope(c, p, &env);
        dispatch_resource(c->server->context.dispatcher, &env, buf_slice(&uri),
                          connection_take_sink(c));
    }
    buf_fini(&uri);
}

void
http_metrics(struct connection *c, const struct http_parser *p)
{
    struct buf text = BUF_INIT;

    (void)p;
    dispatch_metrics(c->server->context.dispatcher, &text);
    if (text.failed) {
        tell_no_memory(c);
    } else {
        connection_answer(c, 200, EXPOSITION_TYPE, "Cache-Control: no-store\r\n", buf_slice(&text));
    }
    buf_fini(&text);
}

void
http_health(struct connection *c, const struct http_parser *p)
{
    (void)p;
    connection_answer(c, 200, "application/json", "Cache-Control: no-store\r\n",
                      SLICE("{\"status\":\"ok\"}"));
}

/* Whoever can ask is served: a server that ends has closed its listening socket and all idle
 * connections. */
void
http_ready(struct connection *c, const struct http_parser *p)
{
    (void)p;
    connection_answer(c, 200, "application/json", "Cache-Control: no-store\r\n",
                      SLICE("{\"status\":\"ready\"}"));
}
