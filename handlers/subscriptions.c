/* subscriptions.c -- what subscriptions/listen tells, to whom, and how it ends.
 *
 * DESIGN.  A subscription is a listener in state/changes and nothing else, so whoever takes it out
 * of there has it for himself and ends it; its client's cancelling, its connection's end, the
 * server's end and a peer that does not read may all come at once.  The acknowledgement is sent
 * while the list is locked: no change can overtake it, and none is lost behind it. */
#include "handlers/subscriptions.h"

#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "state/changes.h"
#include "state/mcp_session.h"
#include "state/state.h"

#define ID_KEY "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":"

struct subscription {
    struct listener listener;    /* First. */
    struct mcp_session *session; /* Counted: of the connection it came by; null over HTTP. */
    struct sink *sink;           /* Counted. */
    size_t id_len;
    char id[]; /* Of the request, raw JSON. */
};

/* ---- What is said ---- */

static struct slice
id_of(const struct subscription *s)
{
    return (struct slice){s->id, s->id_len};
}

/* Sends a notification with these 'params', JSON members with a comma behind them or nothing. */
static enum err
say(struct subscription *s, const char *method, const char *params)
{
    struct buf text = BUF_INIT;
    enum err err = E_LIMIT;

    buf_addf(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s\",\"params\":{%s" ID_KEY,
             method, params);
    buf_add_slice(&text, id_of(s));
    buf_adds(&text, "}}}");
    if (!text.failed) {
        err = s->sink->class->send(s->sink, &(struct event){.body = buf_slice(&text)});
    }
    buf_fini(&text);
    return err;
}

static const char *const texts[CHANGE_COUNT] = {
#define ROW(NAME, TEXT) [CHANGE_##NAME] = TEXT,
    CHANGES(ROW)
#undef ROW
};

static enum err
acknowledge(struct listener *l, struct fault *f)
{
    struct buf honoured = BUF_INIT;
    enum err err = E_LIMIT;

    buf_adds(&honoured, "\"notifications\":{");
    for (int i = 0; i < CHANGE_COUNT; i++) {
        if (l->kinds & 1u << i) {
            buf_addf(&honoured, "%s\"%sListChanged\":true",
                     honoured.data[honoured.len - 1] == '{' ? "" : ",", texts[i]);
        }
    }
    buf_adds(&honoured, "},");
    if (!honoured.failed) {
        err = say((struct subscription *)l, "subscriptions/acknowledged", honoured.data);
    }
    buf_fini(&honoured);
    if (err == E_REFUSED) {
        fault_set(f, E_INVALID_REQUEST,
                  "the answer is an event stream, and Accept does not take one");
        return fault_remedy(f, "add text/event-stream to Accept");
    }
    return err ? fault_set(f, E_BUSY, "too much waits to be read already") : E_OK;
}

static bool
tell(struct listener *l, enum change change)
{
    char method[64] = "";
    struct buf text = {.data = method, .size = sizeof method}; /* Never grows. */

    buf_addf(&text, "%s/list_changed", texts[change]);
    return say((struct subscription *)l, method, "") == E_OK;
}

/* ---- How it ends ---- */

/* Lets go of what nobody else has any more. */
static void
free_subscription(struct subscription *s)
{
    s->sink->class->unref(s->sink);
    mcp_session_unref(s->session);
    free(s);
}

static void
end_with_result(struct subscription *s)
{
    struct reply reply = {.status = 200};
    struct buf text = BUF_INIT;

    buf_adds(&text, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_add_slice(&text, id_of(s));
    buf_adds(&text, ",\"result\":{\"resultType\":\"complete\"," ID_KEY);
    buf_add_slice(&text, id_of(s));
    buf_adds(&text, ",\"io.modelcontextprotocol/serverInfo\":");
    era_add_server_info(&text, REVISION_2026_07_28);
    buf_adds(&text, "}}}");
    reply.body = text.failed ? SLICE_NONE : buf_slice(&text);
    s->sink->class->answer(s->sink, &reply);
    buf_fini(&text);
    free_subscription(s);
}

static void
over(struct listener *l)
{
    end_with_result((struct subscription *)l); /* It does not read: it may listen anew, and list. */
}

static const struct listener_class class = {acknowledge, tell, over};

static bool
matches(const struct listener *l, const void *arg)
{
    const struct subscription *s = (const struct subscription *)l;
    const struct subscription_match *m = arg;

    return (!m->session || s->session == m->session) && (!m->sink || s->sink == m->sink) &&
           (!m->id.len || rpc_id_equal(id_of(s), m->id));
}

void
subscriptions_cancel(struct dispatcher *d, const struct subscription_match *match)
{
    struct listener *l;

    while ((l = changes_take(state_changes(d->state), matches, match))) {
        struct subscription *s = (struct subscription *)l;

        s->sink->class->answer(s->sink, &(struct reply){.status = 204}); /* Nothing more is said. */
        free_subscription(s);
    }
}

void
subscriptions_end(struct dispatcher *d)
{
    static const struct subscription_match all = {.session = NULL};
    struct listener *l;

    changes_close(state_changes(d->state));
    while ((l = changes_take(state_changes(d->state), matches, &all))) {
        end_with_result((struct subscription *)l);
    }
}

/* ---- The method ---- */

/* The kinds that are asked for and can be told of, from params.notifications. */
static enum err
kinds_asked(struct request *req, unsigned *kinds)
{
    const struct json_value *wanted = &req->message.param[RPC_PARAM_NOTIFICATIONS];
    json_t *filter = NULL;
    enum err err;

    *kinds = 0;
    if (wanted->kind != KIND_OBJECT) {
        return fault_set(&req->fault, E_PARAMS, "params.notifications is missing, or no object");
    }
    err = rpc_load(wanted, "notifications", &filter, &req->fault);
    if (!err && json_is_true(json_object_get(filter, "toolsListChanged")) &&
        tools_can_change(req->dispatcher->tools)) {
        *kinds |= 1u << CHANGE_TOOLS;
    }
    json_decref(filter);
    return err;
}

/* An id is its connection's own; over HTTP each request is a scope of its own. */
static enum err
check_room(struct request *req)
{
    struct changes *changes = state_changes(req->state);
    struct subscription_match match = {.session = req->env.session};

    if (changes_count(changes, matches, &(struct subscription_match){.session = NULL}) >=
            SUBSCRIPTIONS_MAX ||
        (match.session && changes_count(changes, matches, &match) >= SUBSCRIPTIONS_EACH)) {
        fault_set(&req->fault, E_BUSY, "too many subscriptions are open");
        return fault_remedy(&req->fault, "cancel one, or ask for several kinds in one");
    }
    match.id = req->message.id;
    if (match.session && changes_count(changes, matches, &match) > 0) {
        fault_set(&req->fault, E_INVALID_REQUEST, "a subscription with this id is open");
        return fault_remedy(&req->fault, "give each request an id of its own");
    }
    return E_OK;
}

enum err
subscriptions_listen(struct request *req)
{
    struct slice id = req->message.id;
    struct subscription *s;
    unsigned kinds;
    enum err err = kinds_asked(req, &kinds);

    err = err ? err : check_room(req);
    if (err) {
        return err;
    }
    s = xcalloc(1, sizeof *s + id.len); /* An id is bounded (RPC_ID_MAX). */
    s->listener = (struct listener){.class = &class, .kinds = kinds};
    s->session = req->env.session ? mcp_session_ref(req->env.session) : NULL;
    s->sink = req->sink;
    s->id_len = id.len;
    memcpy(s->id, id.data, id.len);
    req->sink = NULL; /* Its own from here on: it may end before changes_listen() returns. */
    err = changes_listen(state_changes(req->state), &s->listener, &req->fault);
    if (err) {
        req->sink = s->sink;
        mcp_session_unref(s->session);
        free(s);
    }
    return err;
}
