/* ws_client.c -- libwebsockets with a poll loop of its own, run until what was asked for is
 * there. */
#include "transports/ws_client.h"

#include <libwebsockets.h>

#define READ_BYTES 4096
#define NS_PER_US 1000

struct message {
    struct message *next;
    struct buf text;
    bool whole;
};

struct ws_client {
    struct lws_context *context;
    struct lws *wsi;                /* Null once it is closed. */
    struct ws_client_target target; /* Borrowed while it opens. */
    bool open, late;
    lws_sorted_usec_list_t timer;
    struct buf out; /* LWS_PRE bytes and the message to send; empty once it is sent. */
    struct message *messages, *last; /* What has come, in order; owned. */
    bool whole;                      /* The first of them is. */
    char why[128];                   /* What ended the connection. */
};

static void
on_late(lws_sorted_usec_list_t *timer)
{
    struct ws_client *c = lws_container_of(timer, struct ws_client, timer);

    c->late = true;
    lws_cancel_service(c->context); /* Which would sleep until the next timer first. */
}

static int
add_token(const struct ws_client *c, struct lws *wsi, unsigned char **at, size_t room)
{
    char *value = xasprintf("Bearer %s", c->target.token ? c->target.token : "");
    int failed = c->target.token && lws_add_http_header_by_token(
                                        wsi, WSI_TOKEN_HTTP_AUTHORIZATION, (unsigned char *)value,
                                        (int)strlen(value), at, *at + room);

    explicit_bzero(value, strlen(value));
    free(value);
    return failed ? -1 : 0;
}

static int
send_message(struct ws_client *c, struct lws *wsi)
{
    int n = 0;

    if (c->out.len) {
        n = lws_write(wsi, (unsigned char *)c->out.data + LWS_PRE, c->out.len - LWS_PRE,
                      LWS_WRITE_TEXT);
        buf_reset(&c->out);
    }
    return n < 0 ? -1 : 0;
}

/* Adds a part to the message that is not whole yet, or to a new one. */
static void
take_part(struct ws_client *c, struct lws *wsi, struct slice bytes)
{
    struct message *m = c->last;

    if (!m || m->whole) {
        m = xcalloc(1, sizeof *m);
        if (c->last) {
            c->last->next = m;
        } else {
            c->messages = m;
        }
        c->last = m;
    }
    buf_add_slice(&m->text, bytes);
    m->whole = lws_is_final_fragment(wsi);
    c->whole = c->messages->whole;
}

/* Takes the first message out, into 'answer' if that is not null. */
static bool
take_first(struct ws_client *c, struct buf *answer)
{
    struct message *m = c->messages;
    bool good = !m->text.failed;

    c->messages = m->next;
    c->last = c->messages ? c->last : NULL;
    c->whole = c->messages && c->messages->whole;
    if (answer) {
        buf_add_slice(answer, buf_slice(&m->text));
        good = good && !answer->failed;
    }
    buf_fini(&m->text);
    free(m);
    return good;
}

static void
end(struct ws_client *c, struct slice why)
{
    c->wsi = NULL;
    if (!c->why[0]) {
        snprintf(c->why, sizeof c->why, "%.*s", (int)why.len, why.data ? why.data : "");
    }
}

static int
on_library(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct ws_client *c = wsi ? lws_get_opaque_user_data(wsi) : NULL;

    (void)user;
    if (!c) {
        return 0;
    }
    switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return add_token(c, wsi, in, len);
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        c->open = true;
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return send_message(c, wsi);
    case LWS_CALLBACK_CLIENT_RECEIVE:
        take_part(c, wsi, (struct slice){in, len});
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        end(c, (struct slice){in, in ? len : 0});
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
        end(c, SLICE("it was closed"));
        return 0;
    default:
        return 0;
    }
}

/* Runs the loop until '*done', or the connection ends. */
static enum err
run_until(struct ws_client *c, const bool *done, int64_t timeout_ns, struct fault *f)
{
    c->late = false;
    lws_sul_schedule(c->context, 0, &c->timer, on_late, timeout_ns / NS_PER_US);
    while (!*done && c->wsi && !c->late) {
        lws_service(c->context, 0);
    }
    lws_sul_cancel(&c->timer);
    if (*done) {
        return E_OK;
    }
    return c->wsi ? fault_set(f, E_TIMEOUT, "the WebSocket gave no answer in time")
                  : fault_set(f, E_IO, "the WebSocket has ended: %s", c->why);
}

static bool
make_context(struct ws_client *c)
{
    static const struct lws_protocols protocols[] = {
        {.name = "mcp", .callback = on_library, .rx_buffer_size = READ_BYTES}, {.name = NULL}};
    const struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .gid = -1,
        .uid = -1,
        .options = LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME,
        .fd_limit_per_thread = 8,
    };

    lws_set_log_level(0, NULL); /* What fails is told by what is returned. */
    c->context = lws_create_context(&info);
    return c->context != NULL;
}

enum err
ws_client_open(const struct ws_client_target *target, int64_t timeout_ns, struct ws_client **client,
               struct fault *f)
{
    struct ws_client *c = xcalloc(1, sizeof *c);
    char *authority = xasprintf("%s:%u", target->host, target->port);
    enum err err = E_OK;

    c->target = *target;
    if (!make_context(c)) {
        err = fault_set(f, E_IO, "libwebsockets cannot be used");
    } else {
        const struct lws_client_connect_info info = {
            .context = c->context,
            .address = target->host,
            .port = (int)target->port,
            .path = target->path,
            .host = authority,
            .protocol = target->subprotocol,
            .local_protocol_name = "mcp",
            .ietf_version_or_minus_one = -1,
            .opaque_user_data = c,
            .pwsi = &c->wsi,
        };

        lws_client_connect_via_info(&info);
        err = run_until(c, &c->open, timeout_ns, f);
    }
    free(authority);
    c->target = (struct ws_client_target){.host = NULL};
    if (err) {
        ws_client_close(c);
        c = NULL;
    }
    *client = c;
    return err;
}

enum err
ws_client_next(struct ws_client *c, int64_t timeout_ns, struct buf *message, struct fault *f)
{
    enum err err = run_until(c, &c->whole, timeout_ns, f);

    if (!err && !take_first(c, message)) {
        err = fault_set(f, E_OVERLOAD, "there is no memory for a message");
    }
    return err;
}

enum err
ws_client_exchange(struct ws_client *c, struct slice message, int64_t timeout_ns,
                   struct buf *answer, struct fault *f)
{
    static const char room[LWS_PRE];

    while (c->messages) {
        take_first(c, NULL); /* Nobody has asked for these. */
    }
    buf_add(&c->out, room, sizeof room);
    buf_add_slice(&c->out, message);
    if (c->out.failed || !c->wsi) {
        return fault_set(f, E_IO, "the WebSocket has ended: %s", c->why);
    }
    lws_callback_on_writable(c->wsi);
    return ws_client_next(c, timeout_ns, answer, f);
}

void
ws_client_close(struct ws_client *c)
{
    if (c) {
        if (c->context) {
            lws_context_destroy(c->context); /* Closes the connection too. */
        }
        while (c->messages) {
            take_first(c, NULL);
        }
        buf_fini(&c->out);
        free(c);
    }
}
