/* subscriptions_filter.c -- what a client wants to be told of, as subscriptions/listen says it. */
#include "handlers/subscriptions_private.h"

#include "handlers/dispatch_private.h"
#include "handlers/offers.h"
#include "handlers/tasks.h"

/* Adds a member to the filter that is honoured. */
static void
honour(struct buf *honoured, const char *key)
{
    buf_addf(honoured, "%s\"%s\":", honoured->len ? "," : "", key);
}

static void
want_lists(const struct request *req, const json_t *filter, struct listener *l,
           struct buf *honoured)
{
    static const char *const keys[] = {
#define ROW(NAME, TEXT) [CHANGE_##NAME] = TEXT "ListChanged",
        CHANGES_OF_LISTS(ROW)
#undef ROW
    };

    for (enum change list = 0; list < CHANGE_LISTS; list++) {
        if (json_is_true(json_object_get(filter, keys[list])) &&
            subscriptions_lists(req->dispatcher) & 1u << list) {
            l->kinds |= 1u << list;
            honour(honoured, keys[list]);
            buf_adds(honoured, "true");
        }
    }
}

/* A URI that names nothing yet may do so later: it stays honoured. */
static enum err
want_resources(struct request *req, const json_t *filter, struct listener *l, struct buf *honoured)
{
    const json_t *uris = json_object_get(filter, "resourceSubscriptions"), *uri;
    enum err err = E_OK;
    size_t i;

    if (uris && !json_is_array(uris)) {
        return fault_set(&req->fault, E_PARAMS, "resourceSubscriptions is no array");
    }
    json_array_foreach(uris, i, uri) {
        struct slice name = {json_string_value(uri), json_string_length(uri)};

        if (!name.len || name.len > OFFERS_URI_MAX || memchr(name.data, '\0', name.len)) {
            return fault_set(&req->fault, E_PARAMS, "resourceSubscriptions[%zu] is no URI", i);
        }
        err = listener_want(l, name, &req->fault);
        if (err) {
            return err;
        }
        if (i == 0) {
            honour(honoured, "resourceSubscriptions");
        }
        buf_addc(honoured, i ? ',' : '[');
        buf_add_json(honoured, name);
    }
    buf_adds(honoured, json_array_size(uris) ? "]" : "");
    return E_OK;
}

/* Those that its principal has; others are left out, as unknown ones are. */
static enum err
want_tasks(struct request *req, const json_t *filter, struct subscription *s, struct buf *honoured)
{
    const json_t *ids = json_object_get(filter, "taskIds"), *id;
    enum err err = ids ? tasks_need_declared(req, "taskIds") : E_OK;
    size_t i;

    if (err || !ids) {
        return err;
    }
    if (!json_is_array(ids) || json_array_size(ids) > SUBSCRIPTION_TASKS_MAX) {
        return fault_set(&req->fault, E_PARAMS, "taskIds is no array of at most %d ids",
                         SUBSCRIPTION_TASKS_MAX);
    }
    s->tasks = xcalloc(json_array_size(ids) + 1, sizeof *s->tasks);
    honour(honoured, "taskIds");
    buf_addc(honoured, '[');
    json_array_foreach(ids, i, id) {
        struct slice name = {json_string_value(id), json_string_length(id)};
        struct mcp_task *task = NULL;

        if (name.len && tasks_find(req, name, &task, NULL) == E_OK) {
            buf_addf(honoured, "%s\"%s\"", s->task_count ? "," : "", mcp_task_id(task));
            memcpy(s->tasks[s->task_count++], mcp_task_id(task), MCP_TASK_ID_SIZE);
        }
        mcp_task_unref(task);
    }
    buf_addc(honoured, ']');
    return E_OK;
}

enum err
subscription_read_filter(struct request *req, struct subscription *s, struct buf *honoured)
{
    const struct json_value *wanted = &req->message.param[RPC_PARAM_NOTIFICATIONS];
    json_t *filter = NULL;
    enum err err;

    if (wanted->kind != KIND_OBJECT) {
        return fault_set(&req->fault, E_PARAMS, "params.notifications is missing, or no object");
    }
    err = rpc_load(wanted, "notifications", &filter, &req->fault);
    if (!err) {
        want_lists(req, filter, &s->listener, honoured);
        err = want_resources(req, filter, &s->listener, honoured);
        err = err ? err : want_tasks(req, filter, s, honoured);
    }
    json_decref(filter);
    if (!err && honoured->failed) {
        err = fault_set(&req->fault, E_OVERLOAD, "there is no memory for this subscription now");
    }
    return err;
}
