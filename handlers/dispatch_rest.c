/* dispatch_rest.c -- what scripts ask for: tools and resources, asked for and answered as plain
 * JSON.
 *
 * From here on it is a request as any other: the same checks, rates, workers and handlers; only the
 * frame of the answer differs. */
#include "handlers/dispatch_private.h"

#include "handlers/events.h"
#include "handlers/events_ingest.h"
#include "handlers/offers.h"
#include "handlers/resources.h"
#include "handlers/tenant.h"
#include "state/base/json_put.h"
#include "state/bus_reader.h"
#include "state/state.h"

/* Begins the request that 'row' is to answer. */
static void
begin(struct request *req, struct dispatcher *d, const struct envelope *env, struct sink *sink,
      const struct method *row)
{
    request_init(req, d, env, sink, DIALECT_REST);
    req->era = ERA_MODERN;
    req->revision = REVISION_2026_07_28;
    req->method = row;
    req->message.kind = RPC_REQUEST;
}

void
dispatch_tool(struct dispatcher *d, const struct envelope *env, struct slice tool,
              struct slice arguments, struct sink *sink)
{
    static const struct method row = {.name = "tools/call",
                                      .handle = tools_rest,
                                      .prepare = tools_prepare_rest,
                                      .scope = SCOPE_READ,
                                      .kind = RPC_REQUEST};
    struct request req;

    begin(&req, d, env, sink, &row);
    dispatch_proceed(&req, tools_find_rest(&req, tool, arguments), arguments);
}

void
dispatch_tools(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    static const struct method row = {
        .name = "tools/list", .handle = tools_rest_list, .scope = SCOPE_READ, .kind = RPC_REQUEST};
    struct request req;

    begin(&req, d, env, sink, &row);
    dispatch_proceed(&req, E_OK, SLICE_NONE);
}

/* The URI as the message would have had it, so that all that reads one finds it there. */
static enum err
take_uri(struct request *req, struct slice uri, struct buf *body)
{
    if (!uri.len || uri.len > OFFERS_URI_MAX) {
        fault_set(&req->fault, E_ARGUMENT,
                  uri.len ? "the URI is longer than %u bytes"
                          : "no resource is named (%u bytes at most)",
                  OFFERS_URI_MAX);
        return fault_remedy(&req->fault, "send GET /api/resources?uri=URI, percent-encoded");
    }
    buf_add_json(body, uri);
    if (body->failed) {
        return fault_set(&req->fault, E_OVERLOAD, "there is no memory for this call now");
    }
    req->message.param[RPC_PARAM_URI] =
        (struct json_value){.raw = buf_slice(body), .kind = KIND_STRING};
    return E_OK;
}

void
dispatch_resource(struct dispatcher *d, const struct envelope *env, struct slice uri,
                  struct sink *sink)
{
    static const struct method row = {.name = "resources/read",
                                      .handle = resources_rest,
                                      .prepare = resources_prepare,
                                      .scope = SCOPE_READ,
                                      .kind = RPC_REQUEST};
    struct buf body = BUF_INIT;
    struct request req;
    enum err err;

    begin(&req, d, env, sink, &row);
    err = take_uri(&req, uri, &body);
    dispatch_proceed(&req, err, buf_slice(&body));
    buf_fini(&body);
}

/* ---- Events ---- */

void
dispatch_event(struct dispatcher *d, const struct envelope *env, struct slice body,
               struct sink *sink)
{
    static const struct method row = {.name = "events/publish",
                                      .handle = events_ingest,
                                      .prepare = events_prepare_ingest,
                                      .scope = SCOPE_WRITE,
                                      .kind = RPC_REQUEST};
    struct request req;

    begin(&req, d, env, sink, &row);
    dispatch_proceed(&req, events_check_body(&req, body), body);
}

enum err
dispatch_read_events(struct dispatcher *d, const struct envelope *env,
                     struct bus_reader_options *options, struct bus_reader **reader,
                     struct bus_reader_start *start, struct fault *f)
{
    static const struct method row = {
        .name = "events/read", .scope = SCOPE_READ, .kind = RPC_REQUEST};
    struct request req;
    enum err err;

    *reader = NULL;
    begin(&req, d, env, NULL, &row);
    err = tenant_resolve(&req);
    err = err ? err : tenants_glance(state_tenants(d->state), req.tenant, &req.fault);
    err = err ? err : request_check_scope(&req, SCOPE_READ);
    err = err ? err : tools_check_rate(&req);
    if (!err) {
        options->tenant = req.tenant;
        err = bus_reader_open(state_bus(d->state), options, reader, start, &req.fault);
        options->tenant = NULL;
    }
    if (err) {
        *f = req.fault;
        f->code = err;
    }
    request_fini(&req);
    return err;
}

void
dispatch_tell_relay(struct dispatcher *d, enum relay_news news, struct bus_reader *reader,
                    const char *reason)
{
    static const char *const topics[] = {
        [RELAY_CONNECTED] = "relay.client_connected",
        [RELAY_RESUMED] = "relay.client_resumed",
        [RELAY_OVERFLOW] = "relay.overflow",
        [RELAY_DROPPED] = "relay.client_dropped",
    };
    json_t *more = reason ? json_must(json_object()) : NULL;

    if (reason) {
        json_put_text(more, "reason", reason);
    }
    events_tell_relay(state_bus(d->state), topics[news], reader, NULL, more);
}
