/* subscriptions.c -- what subscriptions/listen tells, to whom, and how it ends.
 *
 * DESIGN.  A subscription is a listener in state/changes and nothing else, so whoever takes it out
 * of there has it for himself and ends it; its client's cancelling, its connection's end, the
 * server's end and a peer that does not read may all come at once.  The acknowledgement is sent
 * while the list is locked: no change can overtake it, and none is lost behind it. */
#include "handlers/subscriptions_private.h"

#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "state/state.h"

#define ID_KEY "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":"

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

static enum err
acknowledge(struct listener *l, struct fault *f)
{
    struct subscription *s = (struct subscription *)l;
    struct buf params = BUF_INIT;
    enum err err = E_LIMIT;

    buf_addf(&params, "\"notifications\":{%s},", s->honoured);
    if (!params.failed) {
        err = say(s, "subscriptions/acknowledged", params.data);
    }
    s->honoured = NULL;
    buf_fini(&params);
    if (err == E_REFUSED) {
        fault_set(f, E_INVALID_REQUEST,
                  "the answer is an event stream, and Accept does not take one");
        return fault_remedy(f, "add text/event-stream to Accept");
    }
    return err ? fault_set(f, E_BUSY, "too much waits to be read already") : E_OK;
}

static enum told
tell(struct listener *l, enum change change, const char *name)
{
    struct buf params = BUF_INIT;
    enum err err = E_LIMIT;

    subscriptions_params(&params, name);
    if (!params.failed) {
        err = say((struct subscription *)l, subscriptions_method(change),
                  params.data ? params.data : "");
    }
    buf_fini(&params);
    return err ? TOLD_ENOUGH : TOLD;
}

/* ---- What any client is told, in either era ---- */

const char *
subscriptions_method(enum change change)
{
    static const char *const methods[] = {
#define ROW(NAME, TEXT) [CHANGE_##NAME] = TEXT "/list_changed",
        CHANGES_OF_LISTS(ROW)
#undef ROW
            [CHANGE_RESOURCE] = "resources/updated",
    };

    return methods[change];
}

void
subscriptions_params(struct buf *out, const char *name)
{
    if (name) {
        buf_adds(out, "\"uri\":");
        buf_add_json(out, slice_of(name));
        buf_addc(out, ',');
    }
}

unsigned
subscriptions_lists(const struct dispatcher *d)
{
    return (tools_can_change(d->tools) ? 1u << CHANGE_TOOLS : 0) | 1u << CHANGE_PROMPTS |
           1u << CHANGE_RESOURCES;
}

/* ---- How it ends ---- */

/* Lets go of what nobody else has any more. */
static void
free_subscription(struct subscription *s)
{
    if (s->sink) {
        s->sink->class->unref(s->sink);
    }
    mcp_session_unref(s->session);
    listener_fini(&s->listener);
    free(s->tasks);
    free(s->principal);
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
    era_add_server_info(&text, REVISION_2026_07_28, false);
    buf_adds(&text, "}}}");
    reply.body = text.failed ? SLICE_NONE : buf_slice(&text);
    s->sink->class->answer(s->sink, &reply);
    buf_fini(&text);
    free_subscription(s);
}

static void
end_with_error(struct dispatcher *d, struct subscription *s, const struct fault *f)
{
    const struct envelope env = {.transport = s->session ? TRANSPORT_WS : TRANSPORT_HTTP};
    struct request req;

    request_init(&req, d, &env, s->sink, DIALECT_RPC);
    req.era = ERA_MODERN;
    req.revision = REVISION_2026_07_28;
    req.message.kind = req.message.shape = RPC_REQUEST;
    req.message.id = id_of(s);
    req.fault = *f;
    request_answer_error(&req);
    request_fini(&req);
    s->sink = NULL; /* The request has let go of it. */
    free_subscription(s);
}

/* Nothing more is said. */
static void
end_silently(struct subscription *s)
{
    s->sink->class->answer(s->sink, &(struct reply){.status = 204});
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

    return l->class == &class && (!m->session || s->session == m->session) &&
           (!m->sink || s->sink == m->sink) &&
           (!m->principal.len || slice_is(m->principal, s->principal)) &&
           (!m->tenant || strcmp(m->tenant, s->tenant) == 0) &&
           (!m->id.len || rpc_id_equal(id_of(s), m->id));
}

void
subscriptions_cancel(struct dispatcher *d, const struct subscription_match *match)
{
    struct listener *l;

    while ((l = changes_take(state_changes(d->state), matches, match))) {
        end_silently((struct subscription *)l);
    }
}

void
subscriptions_finish(struct dispatcher *d, const struct subscription_match *match)
{
    struct listener *l;

    while ((l = changes_take(state_changes(d->state), matches, match))) {
        end_with_result((struct subscription *)l);
    }
}

void
subscriptions_refuse(struct dispatcher *d, const struct subscription_match *match,
                     const struct fault *f)
{
    struct listener *l;

    while ((l = changes_take(state_changes(d->state), matches, match))) {
        end_with_error(d, (struct subscription *)l, f);
    }
}

struct next_tenant {
    const char *after; /* May be null. */
    char *next;        /* "" as long as there is none. */
};

static void
note_tenant(struct listener *l, void *arg)
{
    const struct subscription *s = (const struct subscription *)l;
    struct next_tenant *n = arg;

    if (l->class == &class && (!n->after || strcmp(s->tenant, n->after) > 0) &&
        (!*n->next || strcmp(s->tenant, n->next) < 0)) {
        memcpy(n->next, s->tenant, TENANT_ID_SIZE);
    }
}

bool
subscriptions_next_tenant(struct dispatcher *d, const char *after, char tenant[TENANT_ID_SIZE])
{
    tenant[0] = '\0';
    changes_each(state_changes(d->state), note_tenant, &(struct next_tenant){after, tenant});
    return tenant[0] != '\0';
}

void
subscriptions_end(struct dispatcher *d)
{
    static const struct subscription_match all = {.session = NULL};
    struct listener *l;

    changes_close(state_changes(d->state));
    while ((l = changes_take(state_changes(d->state), matches, &all))) {
        struct subscription *s = (struct subscription *)l;

        if (s->moves) {
            end_silently(s);
        } else {
            end_with_result(s);
        }
    }
}

/* ---- Tasks ---- */

struct task_news {
    const char *id, *members;
    bool followed;
};

static void
tell_task(struct listener *l, void *arg)
{
    struct subscription *s = (struct subscription *)l;
    struct task_news *news = arg;

    for (size_t i = 0; l->class == &class && i < s->task_count; i++) {
        if (strcmp(s->tasks[i], news->id) == 0) {
            news->followed = true;
            if (news->members && !s->deaf) {
                s->deaf = say(s, "tasks", news->members) != E_OK;
            }
            return;
        }
    }
}

void
subscriptions_tell_task(struct dispatcher *d, const char *id, const char *members)
{
    changes_each(state_changes(d->state), tell_task, &(struct task_news){id, members, false});
}

bool
subscriptions_follow(struct dispatcher *d, const char *id)
{
    struct task_news news = {.id = id};

    changes_each(state_changes(d->state), tell_task, &news);
    return news.followed;
}

static bool
is_deaf(const struct listener *l, const void *arg)
{
    (void)arg;
    return l->class == &class && ((const struct subscription *)l)->deaf;
}

void
subscriptions_sweep(struct dispatcher *d)
{
    struct listener *l;

    while ((l = changes_take(state_changes(d->state), is_deaf, NULL))) {
        end_with_result((struct subscription *)l);
    }
}

/* ---- The method ---- */

/* An id is its connection's own; over HTTP each request is a scope of its own. */
static enum err
check_room(struct request *req)
{
    struct changes *changes = state_changes(req->state);
    struct subscription_match match = {.session = req->env.session};
    struct subscription_match all = {.session = NULL}, own = {.principal = req->env.principal};

    if (changes_count(changes, matches, &all) >= SUBSCRIPTIONS_MAX ||
        (own.principal.len && changes_count(changes, matches, &own) >= SUBSCRIPTIONS_PRINCIPAL) ||
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
    struct subscription *s = xcalloc(1, sizeof *s + id.len); /* It is bounded (RPC_ID_MAX). */
    struct buf honoured = BUF_INIT;
    enum err err;

    s->listener.class = &class;
    s->session = req->env.session ? mcp_session_ref(req->env.session) : NULL;
    s->sink = req->sink;
    s->moves = req->env.moves;
    s->principal = xstrndup(req->env.principal.data, req->env.principal.len);
    memcpy(s->tenant, req->tenant, sizeof s->tenant);
    s->id_len = id.len;
    memcpy(s->id, id.data, id.len);
    err = tenants_glance(state_tenants(req->state), req->tenant, &req->fault);
    err = err ? err : check_room(req);
    err = err ? err : subscription_read_filter(req, s, &honoured);
    if (!err) {
        s->honoured = honoured.len ? honoured.data : "";
        req->sink = NULL; /* Its own from here on: it may end before changes_listen() returns. */
        err = changes_listen(state_changes(req->state), &s->listener, &req->fault);
        req->sink = err ? s->sink : NULL;
    }
    if (err) {
        mcp_session_unref(s->session);
        listener_fini(&s->listener);
        free(s->tasks);
        free(s->principal);
        free(s);
    }
    buf_fini(&honoured);
    return err;
}
