/* notices.c -- resources/subscribe and resources/unsubscribe, and what a legacy session hears. */
#include "handlers/notices.h"

#include "handlers/dispatch_private.h"
#include "handlers/resources.h"
#include "handlers/subscriptions.h"
#include "state/changes.h"
#include "state/mcp_session.h"
#include "state/state.h"

/* One session that listens. */
struct notices {
    struct listener listener;    /* First. */
    struct mcp_session *session; /* Counted. */
};

static enum err
begin(struct listener *l, struct fault *f)
{
    (void)l, (void)f;
    return E_OK; /* The answer to initialize says it. */
}

static enum told
tell(struct listener *l, enum change change, const char *name)
{
    struct mcp_session *session = ((struct notices *)l)->session;
    struct buf text = BUF_INIT;
    enum err err = E_LIMIT;

    if (!atomic_load(&session->initialized)) {
        return TOLD; /* Before that nothing may be sent. */
    }
    buf_addf(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s\"",
             subscriptions_method(change));
    if (name) {
        buf_adds(&text, ",\"params\":{");
        subscriptions_params(&text, name);
        if (!text.failed) {
            text.data[text.len - 1] = '}'; /* In place of the comma. */
        }
    }
    buf_addc(&text, '}');
    if (!text.failed) {
        err = mcp_session_send(session, buf_slice(&text));
    }
    buf_fini(&text);
    return err == E_OK || err == E_CANCELLED ? TOLD : TELL_LATER; /* The rest is notices_end()'s. */
}

static void
free_notices(struct listener *l)
{
    listener_fini(l);
    mcp_session_unref(((struct notices *)l)->session);
    free(l);
}

static const struct listener_class class = {begin, tell, free_notices};

void
notices_begin(struct dispatcher *d, struct mcp_session *session)
{
    struct notices *n = xcalloc(1, sizeof *n);

    n->listener.class = &class;
    n->listener.kinds = subscriptions_lists(d);
    n->session = mcp_session_ref(session);
    if (changes_listen(state_changes(d->state), &n->listener, NULL) != E_OK) {
        free_notices(&n->listener); /* The server is ending. */
    }
}

static bool
is_of(const struct listener *l, const void *session)
{
    return l->class == &class && ((const struct notices *)l)->session == session;
}

static bool
has_ended(const struct listener *l, const void *arg)
{
    (void)arg;
    return l->class == &class && atomic_load(&((const struct notices *)l)->session->ended);
}

static bool
is_any(const struct listener *l, const void *arg)
{
    (void)arg;
    return l->class == &class;
}

static void
end_those(struct dispatcher *d, bool (*wanted)(const struct listener *l, const void *arg),
          const void *arg)
{
    struct listener *l;

    while ((l = changes_take(state_changes(d->state), wanted, arg))) {
        free_notices(l);
    }
}

void
notices_end(struct dispatcher *d, const struct mcp_session *session)
{
    end_those(d, is_of, session);
}

void
notices_sweep(struct dispatcher *d)
{
    end_those(d, has_ended, NULL);
}

void
notices_end_all(struct dispatcher *d)
{
    end_those(d, is_any, NULL);
}

/* ---- The methods ---- */

enum err
resources_subscribe(struct request *req)
{
    struct buf uri = {.limit = OFFERS_URI_MAX};
    enum err err = resources_find(req, &uri);

    if (!err) {
        err = changes_want(state_changes(req->state), is_of, req->session, buf_slice(&uri),
                           &req->fault);
        if (err == E_NOT_FOUND) {
            err = fault_set(&req->fault, E_OVERLOAD, "the server is ending");
        }
    }
    buf_fini(&uri);
    return err; /* Exactly {}. */
}

/* What is gone meanwhile can be unsubscribed from all the same. */
enum err
resources_unsubscribe(struct request *req)
{
    struct buf uri = {.limit = OFFERS_URI_MAX};
    enum err err = offers_read_uri(req, &uri, &req->fault);

    if (!err && !changes_unwant(state_changes(req->state), is_of, req->session, buf_slice(&uri))) {
        buf_reset(&uri);
        err = resources_find(req, &uri);
    }
    buf_fini(&uri);
    return err; /* Exactly {}. */
}
