/* tenant.c -- for which tenant a request is. */
#include "handlers/tenant.h"

#include "handlers/methods.h"
#include "handlers/rpc.h"
#include "state/base/log.h"
#include "state/base/rune.h"
#include "state/settings.h"
#include "state/state.h"
#include "state/tenant_guard.h"
#include "state/tenant_id.h"
#include "state/tenants.h"

#include <assert.h>
#include <stdio.h>

LOG_MODULE("tenant");

#define META_KEY "dev.tandem/client-id" /* The one that rpc.c hands out. */

void
tenant_set(struct request *req, struct slice id)
{
    assert(id.len < sizeof req->tenant);
    memcpy(req->tenant, id.data, id.len);
    req->tenant[id.len] = '\0';
}

/* How a mistake in what names the tenant is told: a tool's error where a tool was called. */
static enum err
mistake(const struct request *req)
{
    bool tool = req->dialect == DIALECT_REST || (req->method && req->method->handle == tools_call);

    return tool ? E_ARGUMENT : E_PARAMS;
}

/* What _meta says; KIND_NONE if nothing. */
static struct json_value
find_meta(const struct request *req, const char *key)
{
    const struct json_value *meta = &req->message.param[RPC_PARAM_META];
    struct json_value value = {.kind = KIND_NONE};

    if (strcmp(key, META_KEY) == 0) {
        return req->message.meta[RPC_META_CLIENT_ID];
    }
    if (meta->kind == KIND_OBJECT && !json_slice_member(meta->raw, key, &value)) {
        value.kind = KIND_NONE;
    }
    return value;
}

static enum err
refuse_id(struct request *req, const char *where, struct slice text)
{
    fault_set(&req->fault, mistake(req), "%s '%.*s' is no tenant's id", where,
              (int)rune_cut(text, 80), text.data ? text.data : "");
    return fault_remedy(&req->fault, TENANT_ID_RULE);
}

/* Stores what the message asks for; empty for nothing. */
static enum err
read_asked(struct request *req, const char *key, char asked[TENANT_ID_SIZE])
{
    struct slice header = req->env.client_id;
    struct json_value meta = find_meta(req, key);
    char named[TENANT_ID_SIZE];

    asked[0] = '\0';
    if (header.data && !tenant_id_valid(header)) {
        return refuse_id(req, "the header X-Client-ID:", header);
    }
    if (header.data) {
        snprintf(asked, TENANT_ID_SIZE, "%.*s", (int)header.len, header.data);
    }
    if (meta.kind == KIND_NONE) {
        return E_OK;
    }
    if (meta.kind != KIND_STRING || json_string_into(meta.raw, named, sizeof named) < 0 ||
        !tenant_id_valid(slice_of(named))) {
        return refuse_id(req, "in _meta:", meta.raw);
    }
    if (asked[0] && strcmp(asked, named) != 0) {
        fault_set(&req->fault, mistake(req), "the header X-Client-ID says '%s', _meta says '%s'",
                  asked, named);
        return fault_remedy(&req->fault, "name the tenant once, or the same one twice");
    }
    memcpy(asked, named, sizeof named);
    return E_OK;
}

static bool
names(struct slice ids, const char *id)
{
    struct slice item;

    while (tenant_ids_next(&ids, &item)) {
        if (slice_is(item, id)) {
            return true;
        }
    }
    return false;
}

/* Refuses a caller that asks for another tenant than its own. */
static enum err
refuse_mismatch(struct request *req, const char *asked)
{
    struct tenant_guard *guard = tenants_guard(state_tenants(req->state));

    if (tenant_guard_note(guard, req->env.peer, asked)) {
        log_warn_rl("a peer asks again and again for a tenant that is not its own; it is blocked",
                    F_STR("tenant", asked));
    }
    fault_set(&req->fault, E_TENANT, "this caller is not of the tenant '%s'", asked);
    req->fault.reason = "bound_elsewhere";
    return fault_remedy(&req->fault, "leave X-Client-ID and _meta out: the caller's own tenant is "
                                     "taken then");
}

static enum err
check_blocked(struct request *req, const char *asked)
{
    unsigned left =
        tenant_guard_blocked(tenants_guard(state_tenants(req->state)), req->env.peer, asked);

    if (left) {
        fault_set(&req->fault, E_BUSY,
                  "this address has asked too often for tenant '%s' without "
                  "being of it",
                  asked);
        req->fault.retry_s = left;
        return fault_remedy(&req->fault, "wait %u seconds, or leave the tenant out", left);
    }
    return E_OK;
}

/* Whose tenant it is if nobody asks for one. */
static const char *
usual(const struct request *req, const char *default_id, struct slice bound,
      char id[TENANT_ID_SIZE])
{
    struct slice first;

    if (bound.len && !names(bound, default_id) && tenant_ids_next(&bound, &first)) {
        snprintf(id, TENANT_ID_SIZE, "%.*s", (int)first.len, first.data);
        return id;
    }
    if (!bound.len && tenant_id_valid(req->env.tenant)) {
        snprintf(id, TENANT_ID_SIZE, "%.*s", (int)req->env.tenant.len, req->env.tenant.data);
        return id;
    }
    return default_id;
}

enum err
tenant_resolve(struct request *req)
{
    const struct settings *s = state_options(req->state)->settings;
    struct slice bound = req->env.tenants;
    struct buf listed = BUF_INIT;
    char asked[TENANT_ID_SIZE], room[TENANT_ID_SIZE];
    enum err err = read_asked(req, s->tenant_meta_key, asked);

    if (!err && !bound.data && *s->tenant_bindings && req->env.principal.len) {
        tenant_bindings_find(s->tenant_bindings, req->env.principal, &listed);
        bound = buf_slice(&listed);
    }
    if (listed.failed) {
        err = fault_set(&req->fault, E_OVERLOAD, "there is no memory for this call now");
    }
    if (!err && asked[0]) {
        err = check_blocked(req, asked);
        if (!err && bound.len && !names(bound, asked)) {
            err = refuse_mismatch(req, asked);
        }
    }
    req->tenant_bound = bound.len > 0;
    req->tenant_named = asked[0] || bound.len > 0;
    if (!err) {
        const char *id = asked[0] ? asked : usual(req, s->tenant_default_id, bound, room);

        if (id != s->tenant_default_id) { /* Which it has had from the beginning. */
            tenant_set(req, slice_of(id));
        }
    }
    buf_fini(&listed);
    return err;
}

/* ---- Its settings ---- */

bool
tenant_enter_now(struct request *req, enum err *err)
{
    const char *usual = state_options(req->state)->settings->tenant_default_id;
    bool is_usual = strcmp(req->tenant, usual) == 0;

    *err = E_OK;
    if (!tenants_peek(state_tenants(req->state), req->tenant, is_usual, &req->customer)) {
        return is_usual;
    }
    *err = tenant_admits(req->customer.tenant, &req->fault);
    return true;
}

enum err
tenant_enter(struct request *req)
{
    enum err err = tenants_get(state_tenants(req->state), req->tenant, req->deadline_ns,
                               &req->customer, &req->fault);

    return err ? err : tenant_admits(req->customer.tenant, &req->fault);
}

enum err
tenant_check(const struct request *req, const char *id, struct fault *f)
{
    if (!req->tenant_named || strcmp(req->tenant, id) == 0) {
        return E_OK;
    }
    fault_set(f, E_TENANT, "this request is for the tenant '%s', not for '%s'", req->tenant, id);
    if (f) {
        f->reason = "bound_elsewhere";
    }
    return fault_remedy(f, "leave client_id out");
}

enum err
tenant_check_operator(const struct request *req, const char *what, struct fault *f)
{
    if (!req->tenant_bound) {
        return E_OK;
    }
    fault_set(f, E_TENANT, "only who runs this server changes %s", what);
    if (f) {
        f->reason = "operator_only";
    }
    return fault_remedy(f, "ask who runs this server");
}
