/* http_requests.c -- requests out of a connection's bytes: parsed, judged by their heads, handed to
 * their routes one after the other, and what is not whole yet kept. */
#include "transports/http_private.h"

#include <sys/socket.h>

void
connection_drop_partial(struct connection *c)
{
    if (!c->busy) {
        free(c->parser);
        c->parser = NULL;
        buf_fini(&c->in);
    }
}

/* A whole request lies in 'p', and its head has passed. */
static void
handle(struct connection *c, const struct http_parser *p)
{
    c->state = HANDLING;
    c->close_after = !p->keep_alive;
    c->event_stream = c->takes_events = false;
    c->route->handle(c, p);
}

/* Answers a request that goes no further than its head; 'last' closes the connection, since the
 * body has not come and will not be waited for. */
static void
answer_verdict(struct connection *c, const struct http_parser *p, const struct verdict *v,
               bool last)
{
    c->state = HANDLING;
    c->close_after = last || !p->keep_alive;
    if (v->word) {
        connection_refuse(c, http_is_mcp(c->server, http_path(p)), v->status, v->word, v->text,
                          v->extra);
    } else {
        connection_answer(c, v->status, NULL, v->extra, SLICE_NONE);
    }
}

static void
refuse_bytes(struct connection *c, const struct http_parser *p)
{
    const struct http_refusal_info *why = http_refusal_info(p->refusal);

    c->state = HANDLING;
    c->close_after = true;
    c->old = c->head_only = c->posted = false;
    connection_refuse(c, http_is_mcp(c->server, http_path(p)), why->status, why->word, why->text,
                      NULL);
}

/* The head has passed, the body is on its way. */
static void
await_body(struct connection *c, const struct http_parser *p)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    c->body_ns = c->server->now_ns;
    if (p->expects && send(c->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL) != sizeof go_on - 1) {
        connection_close(c); /* A socket with nothing to write that takes less is broken. */
    }
}

/* Checks the head, then looks at the body.  The head is judged before a body is waited for, or
 * found too large. */
static enum http_event
take_head(struct connection *c, struct http_parser *p, char *data, size_t *len)
{
    struct verdict v NOT_CLEARED;
    enum http_event event;

    verdict_init(&v);
    c->old = p->minor == 0;
    c->head_only = p->method == HTTP_METHOD_HEAD;
    c->posted = p->method == HTTP_METHOD_POST;
    c->route = http_route(c, p, &v);
    if (v.later) {
        c->state = CHECKING; /* It is parsed again then; until then all of it is kept. */
        connection_watch(c);
        return HTTP_MORE;
    }
    c->requests++;
    c->waited = false;
    event = http_parse(p, data, len);
    if (v.status) {
        answer_verdict(c, p, &v, event != HTTP_WHOLE);
    } else if (event == HTTP_WHOLE) {
        handle(c, p);
    } else if (event == HTTP_MORE) {
        await_body(c, p);
    }
    return v.status && event == HTTP_REFUSED ? HTTP_MORE : event;
}

/* Parses what lies at 'data'.  True if it was a whole request, which has been seen to.  False if
 * more is needed, or it was refused.  '*len' is lessened by the framing of chunks. */
static bool
take_one(struct connection *c, struct http_parser *p, char *data, size_t *len)
{
    enum http_event event = http_parse(p, data, len);

    if (event == HTTP_HEAD) {
        event = take_head(c, p, data, len);
    } else if (event == HTTP_WHOLE) {
        handle(c, p);
    }
    if (event == HTTP_REFUSED) {
        refuse_bytes(c, p);
    }
    return event == HTTP_WHOLE;
}

void
connection_keep(struct connection *c, const char *data, size_t len)
{
    if (c->in.data && data >= c->in.data && data <= c->in.data + c->in.len) {
        memmove(c->in.data, data, len);
        c->in.len = len;
    } else {
        buf_add(&c->in, data, len);
    }
    if (c->in.failed) {
        connection_close(c); /* No memory to listen on: the peer may try again. */
    }
}

/* Keeps what 'p' has read so far of a request that is not whole. */
static void
keep_parser(struct connection *c, const struct http_parser *p)
{
    if (!c->parser) {
        c->parser = xcalloc(1, sizeof *c->parser);
        http_parser_copy(c->parser, p);
    }
    if (!c->head_ns) {
        c->head_ns = c->server->now_ns;
    }
}

void
connection_take_requests(struct connection *c, char *data, size_t len)
{
    struct http_parser *p = c->parser ? c->parser : &c->server->parser;
    bool partial = c->parser != NULL;

    c->busy = true;
    while (c->state == READING && len > 0) {
        if (!partial) {
            http_parser_init(p, &c->server->parser_limits);
        }
        partial = !take_one(c, p, data, &len);
        if (partial) {
            break;
        }
        data += p->end;
        len -= p->end;
    }
    c->busy = false;
    if (c->state == LINES && len > 0) {
        connection_close(c); /* It was to wait for the answer, and its lines are to be counted. */
    }
    if (c->state == WEBSOCKET) {
        websocket_begin(c, data, len);
    } else if (c->state == CLOSED || c->state == LINGERING || len == 0) {
        connection_drop_partial(c);
    } else if (c->state == READING) {
        keep_parser(c, p);
        connection_keep(c, data, len);
    } else {
        free(c->parser);
        c->parser = NULL;
        connection_keep(c, data, len);
    }
}

void
connection_recheck(struct connection *c)
{
    if (c->state != CHECKING) {
        return; /* The peer has left. */
    }
    c->state = READING;
    c->since_ns = c->server->now_ns;
    c->waited = true;
    connection_take_requests(c, c->in.data, c->in.len);
    if (c->state == READING) {
        connection_poll(c, UV_READABLE);
    } else if (c->state == HANDLING && c->peer_done) {
        connection_tell_gone(c);
    }
}
