/* tool_tenant.c -- tenants' settings as tools and as a resource: read, changed, listed, read anew.
 *
 * A request that is for a tenant sees and changes that one alone; one that names none, and whose
 * caller is bound to none, runs the server and may do all. */
#include "handlers/service_resources.h"
#include "handlers/tenant.h"
#include "handlers/tool.h"
#include "state/base/json_put.h"
#include "state/state.h"
#include "state/tenant_mask.h"

#include <stdio.h>

#define LISTED_MAX 1000 /* Ids in one answer. */

/* Reads the argument client_id, or takes the request's tenant. */
static enum err
read_id(const struct request *req, const json_t *args, char id[TENANT_ID_SIZE], struct fault *f)
{
    const json_t *value = json_object_get(args, "client_id");
    struct slice text = {json_string_value(value), json_string_length(value)};

    if (!value) {
        memcpy(id, req->tenant, TENANT_ID_SIZE);
        return E_OK;
    }
    if (!tenant_id_valid(text)) {
        fault_set(f, E_ARGUMENT, "client_id is no tenant's id");
        return fault_remedy(f, TENANT_ID_RULE);
    }
    snprintf(id, TENANT_ID_SIZE, "%.*s", (int)text.len, text.data);
    return tenant_check(req, id, f);
}

/* ---- Reading ---- */

/* {client_id, version, config}, without secrets; 'section' null: the whole. */
static enum err
show(struct request *req, const char *id, const char *section, json_t **shown, struct fault *f)
{
    struct tenants *tenants = state_tenants(req->state);
    struct tenant_pin pin;
    json_t *config, *part;
    enum err err = tenants_get(tenants, id, req->deadline_ns, &pin, f);

    if (err) {
        return err;
    }
    part = section ? json_object_get(tenant_settings(pin.tenant), section) : NULL;
    if (section && !part) {
        err = fault_set(f, E_NOT_FOUND, "the settings of tenant '%s' have no section '%.80s'", id,
                        section);
    } else {
        config = json_must(json_object());
        if (section) {
            json_put(config, section, json_incref(part));
        }
        *shown = json_must(json_object());
        json_put_text(*shown, "client_id", id);
        json_put_text(*shown, "version", tenant_version(pin.tenant));
        json_put(*shown, "config", tenant_mask(section ? config : tenant_settings(pin.tenant)));
        json_decref(config);
    }
    tenants_unpin(tenants, &pin);
    return err;
}

static enum err
get_tenant_config(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    char id[TENANT_ID_SIZE];
    enum err err = read_id(req, args, id, f);

    return err ? err
               : show(req, id, json_string_value(json_object_get(args, "section")), result, f);
}

const struct tool tool_get_tenant_config = {
    .name = "get_tenant_config",
    .title = "A tenant's settings",
    .group = "tenant",
    .description = "The settings of a tenant, or one section of them. Secrets are shown as ***.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"client_id\":{\"type\":\"string\",\"description\":\"Whose; default: the caller's\"},"
        "\"section\":{\"type\":\"string\",\"description\":\"Such as branding\"}},"
        "\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"client_id\":{\"type\":\"string\"},"
                     "\"version\":{\"type\":\"string\"},\"config\":{\"type\":\"object\"}},"
                     "\"required\":[\"client_id\",\"version\",\"config\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = get_tenant_config,
};

enum err
read_tenant_config(struct request *req, const struct slice *variables, struct buf *out,
                   struct fault *f)
{
    char id[TENANT_ID_SIZE];
    json_t *shown = NULL;
    enum err err;

    if (!tenant_id_valid(variables[0])) {
        return fault_set(f, E_NOT_FOUND, "this names no tenant");
    }
    snprintf(id, sizeof id, "%.*s", (int)variables[0].len, variables[0].data);
    err = tenant_check(req, id, f);
    err = err ? err : show(req, id, NULL, &shown, f);
    if (!err) {
        json_write(out, json_object_get(shown, "config"));
    }
    json_decref(shown);
    return err == E_NO_TENANT ? E_NOT_FOUND : err;
}

static enum err
list_tenants(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const json_t *only = json_object_get(args, "active_only");
    json_t *ids = NULL, *told = json_must(json_array()), *id;
    enum err err = tenants_list(state_tenants(req->state), !json_is_false(only), &ids, f);
    size_t i, count = 0;

    json_array_foreach(ids, i, id) {
        if (tenant_check(req, json_string_value(id), NULL) == E_OK && ++count <= LISTED_MAX) {
            json_add(told, json_incref(id));
        }
    }
    if (!err) {
        *result = json_must(json_object());
        json_put(*result, "tenants", json_incref(told));
        json_put_int(*result, "count", (int64_t)count);
        json_put_bool(*result, "truncated", count > LISTED_MAX);
    }
    json_decref(told);
    json_decref(ids);
    return err;
}

const struct tool tool_list_tenants = {
    .name = "list_tenants",
    .title = "Tenants",
    .group = "tenant",
    .description = "The ids of the tenants that there are, sorted; only those that are served, "
                   "unless active_only is false.",
    .input_schema = "{\"type\":\"object\",\"properties\":{"
                    "\"active_only\":{\"type\":\"boolean\",\"default\":true}},"
                    "\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{"
                     "\"tenants\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
                     "\"count\":{\"type\":\"integer\"},\"truncated\":{\"type\":\"boolean\"}},"
                     "\"required\":[\"tenants\",\"count\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = list_tenants,
};

/* ---- Changing ---- */

/* Who is bound to a tenant may not lift its limits, nor its suspension. */
static enum err
check_bound(const struct request *req, const struct tenant_change *change, struct fault *f)
{
    if (change->merge && !json_object_get(change->config, "quota") &&
        !json_object_get(change->config, "_meta")) {
        return E_OK;
    }
    return tenant_check_operator(req, "quota and _meta", f)
               ? fault_remedy(f, "change other sections, with merge=true")
               : E_OK;
}

static enum err
set_tenant_config(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    char id[TENANT_ID_SIZE], version[TENANT_VERSION_SIZE];
    const struct tenant_change change = {
        .id = id,
        .config = json_object_get(args, "config"),
        .merge = !json_is_false(json_object_get(args, "merge")),
        .if_version = json_string_value(json_object_get(args, "if_version")),
    };
    enum err err = read_id(req, args, id, f);

    err = err ? err : check_bound(req, &change, f);
    err = err ? err : tenants_change(state_tenants(req->state), &change, version, f);
    if (!err) {
        *result = json_must(json_object());
        json_put_text(*result, "client_id", id);
        json_put_text(*result, "version", version);
    }
    return err;
}

const struct tool tool_set_tenant_config = {
    .name = "set_tenant_config",
    .title = "Change a tenant's settings",
    .group = "tenant",
    .description =
        "Changes the settings of a tenant, or makes one. They are checked first, then written, and "
        "in force at once. merge: members are replaced one by one, null takes one away; else "
        "config is all there is. Secrets given as *** stay as they are.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"client_id\":{\"type\":\"string\"},"
        "\"config\":{\"type\":\"object\"},"
        "\"merge\":{\"type\":\"boolean\",\"default\":true},"
        "\"if_version\":{\"type\":\"string\",\"description\":\"Only if it still has the version "
        "that get_tenant_config told\"}},"
        "\"required\":[\"client_id\",\"config\"],\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"client_id\":{\"type\":\"string\"},"
                     "\"version\":{\"type\":\"string\"}},\"required\":[\"client_id\",\"version\"]}",
    .hints = HINT_DESTRUCTIVE,
    .runs = WORKER,
    .call = set_tenant_config,
};

static enum err
reload_tenant_config(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    char id[TENANT_ID_SIZE];
    bool all = !json_object_get(args, "client_id") && !req->tenant_named;
    enum err err = read_id(req, args, id, f);

    if (!err) {
        *result = json_must(json_object());
        json_put_int(*result, "invalidated",
                     (int64_t)tenants_forget(state_tenants(req->state), all ? NULL : id));
    }
    return err;
}

const struct tool tool_reload_tenant_config = {
    .name = "reload_tenant_config",
    .title = "Read tenants' settings anew",
    .group = "tenant",
    .description = "Forgets what was loaded of a tenant, or of all; the next use loads it anew.",
    .input_schema = "{\"type\":\"object\",\"properties\":{\"client_id\":{\"type\":\"string\"}},"
                    "\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"invalidated\":{\"type\":\"integer\"}},"
                     "\"required\":[\"invalidated\"]}",
    .hints = HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = reload_tenant_config,
};

/* ---- Counters ---- */

static enum err
get_tenant_cache_stats(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    json_t *caches = state_caches(req->state);
    struct tenant_guard_counters guard =
        tenant_guard_counters(tenants_guard(state_tenants(req->state)));

    (void)args, (void)f;
    *result = json_incref(json_object_get(caches, "tenants"));
    json_put_int(*result, "mismatches", (int64_t)guard.mismatches);
    json_put_int(*result, "blocks", (int64_t)guard.blocks);
    json_put_int(*result, "blocked", (int64_t)guard.blocked);
    json_decref(caches);
    return E_OK;
}

const struct tool tool_get_tenant_cache_stats = {
    .name = "get_tenant_cache_stats",
    .title = "Tenant cache",
    .group = "tenant",
    .description = "The table of loaded tenants: hits, misses, loads, evictions, size; and callers "
                   "that asked for tenants which are not theirs.",
    .input_schema = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
    .output_schema =
        "{\"type\":\"object\",\"properties\":{\"hits\":{\"type\":\"integer\"},"
        "\"misses\":{\"type\":\"integer\"},\"double_loads\":{\"type\":\"integer\"},"
        "\"lock_waits\":{\"type\":\"integer\"},\"evictions\":{\"type\":\"integer\"},"
        "\"load_failures\":{\"type\":\"integer\"},\"size\":{\"type\":\"integer\"},"
        "\"max\":{\"type\":\"integer\"},\"mismatches\":{\"type\":\"integer\"},"
        "\"blocks\":{\"type\":\"integer\"},\"blocked\":{\"type\":\"integer\"}},"
        "\"required\":[\"hits\",\"misses\",\"double_loads\",\"lock_waits\",\"size\",\"max\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = INLINE,
    .call = get_tenant_cache_stats,
};
