/* http_ws_relay.c -- a WebSocket at /ws: a client of the event relay.
 *
 * A page cannot send headers with its handshake, so the token may come with its first frame; until
 * then the connection counts as a stranger's. */
#include "transports/http_private.h"

#include "handlers/relay_client.h"
#include "transports/ws_use.h"

struct relay_socket {
    struct connection *connection; /* Borrowed; only until the connection's end. */
    struct relay_client *client;   /* Likewise. */
    struct outbox *outbox;         /* Owned. */
    struct ws_batch *batch;        /* To be filled; borrowed, and null but for then. */
    bool spilled;                  /* There was no room in it: what follows goes to the outbox. */
    _Atomic bool lost;             /* There was no memory for a text. */
    bool draining;
};

/* ---- What the client needs ---- */

static enum err
admit(void *owner, struct slice token, struct envelope *env, struct fault *f)
{
    struct connection *c = ((struct relay_socket *)owner)->connection;
    struct verdict v;

    verdict_init(&v);
    http_check_shown(c, token, &v);
    if (v.status) {
        return fault_set(f, v.status == 503 ? E_NOT_READY : E_UNAUTHORIZED, "%s", v.text);
    }
    env->principal = http_principal(c);
    env->scopes = c->grant ? slice_of(c->grant->scopes) : SLICE_NONE;
    env->tenants = c->grant ? slice_of(c->grant->tenants) : SLICE_NONE;
    return E_OK;
}

/* Puts the text that 'parts' make up into the outbox. */
static void
send_parts(struct relay_socket *r, const struct slice *parts, unsigned count)
{
    struct bytes *message;
    size_t len = 0;

    for (unsigned i = 0; i < count; i++) {
        len += parts[i].len;
    }
    message = bytes_new(NULL, len);
    if (message) {
        len = 0;
        for (unsigned i = 0; i < count; i++) {
            memcpy(message->data + len, parts[i].data, parts[i].len);
            len += parts[i].len;
        }
        outbox_add_owed(r->outbox, message); /* Fails once it is closed: then nobody listens. */
    } else {
        atomic_store(&r->lost, true);
        outbox_wake(r->outbox);
    }
}

static void
send_text(void *owner, struct slice text)
{
    send_parts(owner, &text, 1);
}

static void
tell(void *owner, const struct slice *parts, unsigned count)
{
    struct relay_socket *r = owner;

    r->spilled = r->spilled || !ws_batch_add(r->batch, parts, count);
    if (r->spilled) {
        send_parts(r, parts, count);
    }
}

static size_t
waiting(void *owner)
{
    const struct relay_socket *r = owner;

    return r->batch->len + outbox_bytes(r->outbox);
}

static void
wake(void *owner)
{
    websocket_wake(((struct relay_socket *)owner)->connection);
}

static void
release(void *owner)
{
    struct relay_socket *r = owner;

    outbox_destroy(r->outbox);
    free(r);
}

/* ---- What the WebSocket needs ---- */

static void
take(void *self, struct slice message)
{
    relay_client_take(((struct relay_socket *)self)->client, message);
}

static bool
fill(void *self, struct ws_batch *batch)
{
    struct relay_socket *r = self;
    bool more;

    r->batch = batch;
    r->spilled = false;
    more = relay_client_fill(r->client);
    r->batch = NULL;
    return more;
}

static enum ws_close
judge(void *self, const char **why)
{
    struct relay_socket *r = self;

    if (atomic_load(&r->lost)) {
        *why = "there was no memory for an event";
        return WS_CLOSE_INTERNAL;
    }
    *why = relay_client_over(r->client);
    return *why && !r->draining && outbox_bytes(r->outbox) == 0 ? WS_CLOSE_POLICY : WS_CLOSE_NONE;
}

static void
drain(void *self)
{
    struct relay_socket *r = self;

    r->draining = true;
    relay_client_leave(r->client, "the server is ending");
}

/* What has been published is told no more. */
static bool
is_idle(const void *self)
{
    (void)self;
    return true;
}

static void
end(void *self)
{
    relay_client_close(((struct relay_socket *)self)->client);
}

/* ---- Handshake ---- */

static bool
query_says(struct slice query, const char *pair)
{
    size_t len = strlen(pair);

    for (size_t at = 0; at + len <= query.len; at++) {
        if ((at == 0 || query.data[at - 1] == '&') && memcmp(query.data + at, pair, len) == 0 &&
            (at + len == query.len || query.data[at + len] == '&')) {
            return true;
        }
    }
    return false;
}

void
http_ws_relay(struct connection *c, const struct http_parser *p)
{
    static const struct relay_client_class client_class = {admit,   send_text, tell,
                                                           waiting, wake,      release};
    static const struct ws_use_class use_class = {take, fill, judge, drain, is_idle, end};
    struct relay_socket *r = xcalloc(1, sizeof *r);
    struct envelope env;

    http_fill_envelope(c, p, &env);
    r->connection = c;
    r->outbox = outbox_create(&(struct outbox_limits){.messages = 0}, websocket_wake, c);
    r->client = relay_client_open(&(struct relay_client_options){
        .dispatcher = c->server->context.dispatcher,
        .class = &client_class,
        .owner = r,
        .env = &env,
        .admitted = !http_asks_token(c->server) || c->shown,
        .compat = query_says(http_query(p), "compat=claude_event"),
        .heartbeat_s =
            (unsigned)(c->server->context.settings->limits_ws_ping / INT64_C(1000000000)),
    });
    websocket_open(c, p, NULL, &(struct ws_use){&use_class, r, r->outbox});
}
