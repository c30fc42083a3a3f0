/* http_mcp.c -- the MCP endpoint: POST a message; GET a stream of a legacy session, DELETE it. */
#include "transports/http_private.h"

/* A header that may come once and came again means what RFC 9110 says, its values with commas
 * between them.  No version, session, method or name is equal to that, so it is refused where
 * values are compared, with the code of that comparison. */
static struct slice
joined(const struct http_parser *p, enum http_header header, struct buf *room)
{
    size_t start = room->len;
    struct slice value;

    if (!http_header_repeated(p, header)) {
        return http_header(p, header);
    }
    for (unsigned i = 0; http_header_each(p, header, &i, &value);) {
        buf_adds(room, room->len > start ? ", " : "");
        buf_add_slice(room, value);
    }
    return (struct slice){room->data + start, room->len - start};
}

/* What all Accept headers together say of 'type'; without any, or with empty ones, it is taken. */
static struct http_wish
wish_for(const struct http_parser *p, struct slice type)
{
    struct http_wish wish = {.fit = 0};
    struct slice value;
    bool said = false;

    for (unsigned i = 0; http_header_each(p, HTTP_HEADER_ACCEPT, &i, &value);) {
        http_wish_read(value, type, &wish);
        said |= value.len > 0;
    }
    wish.taken |= !said;
    return wish;
}

/* Both types and nothing else, in the words in which nearly all clients say what the specification
 * asks of them: to read them took 1,000 instructions of the 26,000 of a small call. */
static bool
takes_the_usual(const struct http_parser *p)
{
    unsigned i = 0;
    struct slice value;

    return http_header_each(p, HTTP_HEADER_ACCEPT, &i, &value) &&
           slice_equal(value, SLICE("application/json, text/event-stream")) &&
           !http_header_each(p, HTTP_HEADER_ACCEPT, &i, &value);
}

static void
post_message(struct connection *c, const struct http_parser *p, struct envelope *env)
{
    bool usual = takes_the_usual(p);
    bool json = usual || wish_for(p, SLICE("application/json")).taken;
    struct http_wish events = usual ? (struct http_wish){.fit = HTTP_FIT_ITSELF, .taken = true}
                                    : wish_for(p, SLICE("text/event-stream"));

    /* Events that nobody asked for go to who names their type; a subscription asks for them. */
    c->takes_events =
        events.taken && (events.fit > 1 || slice_is(env->method, "subscriptions/listen"));
    c->event_stream = !json && events.taken;
    env->events = c->takes_events;
    if (json || c->event_stream) {
        dispatch_message(c->server->context.dispatcher, env, http_body(p), connection_take_sink(c));
    } else {
        connection_refuse(c, true, 406, "not_acceptable",
                          "answers are application/json or text/event-stream; Accept takes neither",
                          NULL);
    }
}

/* A stream is for a legacy session: who names none is told what a server without streams says. */
static void
open_stream(struct connection *c, const struct http_parser *p, const struct envelope *env,
            struct slice last_event_id)
{
    if (!env->session_id.data) {
        connection_refuse(c, true, 405, "method_not_allowed",
                          "a stream by GET is for a session: send initialize first, and its "
                          "Mcp-Session-Id with the GET",
                          "Allow: GET, POST, DELETE\r\n");
    } else if (!wish_for(p, SLICE("text/event-stream")).taken) {
        connection_refuse(c, true, 406, "not_acceptable",
                          "a stream is text/event-stream, and Accept does not take that", NULL);
    } else {
        c->takes_events = c->event_stream = true; /* Never plain JSON, were it but an answer. */
        dispatch_listen(c->server->context.dispatcher, env,
                        last_event_id.len ? last_event_id : SLICE_NONE, connection_take_sink(c));
    }
}

void
http_mcp(struct connection *c, const struct http_parser *p)
{
    struct buf room = BUF_INIT;
    struct envelope env;

    if (http_ws_wanted(p)) {
        http_ws_mcp(c, p);
        return;
    }
    http_fill_envelope(c, p, &env);
    if (p->repeated) {
        /* All of them fit in what the head may hold: 'room' never moves under an earlier slice. */
        if (!buf_reserve(&room, c->server->parser_limits.headers * 2)) {
            connection_refuse(c, true, 503, "overloaded", "there is no memory for this now", NULL);
            return;
        }
        env.session_id = joined(p, HTTP_HEADER_SESSION_ID, &room);
        env.protocol_version = joined(p, HTTP_HEADER_PROTOCOL_VERSION, &room);
        env.method = joined(p, HTTP_HEADER_MCP_METHOD, &room);
        env.name = joined(p, HTTP_HEADER_MCP_NAME, &room);
    }
    if (p->method == HTTP_METHOD_GET) {
        open_stream(c, p, &env, joined(p, HTTP_HEADER_LAST_EVENT_ID, &room));
    } else if (p->method == HTTP_METHOD_DELETE) {
        dispatch_end(c->server->context.dispatcher, &env, connection_take_sink(c));
    } else {
        post_message(c, p, &env);
    }
    buf_fini(&room);
}
