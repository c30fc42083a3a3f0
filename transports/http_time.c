/* http_time.c -- who is too slow, and who is still there when the server ends. */
#include "transports/http_private.h"

#define LINGER_NS (INT64_C(2) * 1000000000)

static void
time_out(struct connection *c)
{
    if (c->parser && !http_parser_begun(c->parser)) {
        /* Only empty lines: an answer would be taken for the next request's. */
        connection_close(c);
        return;
    }
    c->state = HANDLING;
    c->close_after = true;
    c->old = c->head_only = c->posted = false;
    c->origin = SLICE_NONE;
    connection_refuse(c, false, 408, "request_timeout",
                      "the request did not arrive in time; send it again, faster", NULL);
}

static void
check_reading(struct connection *c, int64_t now_ns)
{
    const struct settings *limits = c->server->context.settings;
    int64_t silent_ns = now_ns - c->since_ns;

    if (c->body_ns) {
        if (silent_ns > limits->limits_body_idle ||
            now_ns - c->body_ns > limits->limits_body_time) {
            time_out(c);
        }
    } else if (c->head_ns) {
        if (now_ns - c->head_ns > limits->limits_head_time) {
            time_out(c);
        }
    } else if (silent_ns > (c->requests ? limits->limits_keep_alive : limits->limits_head_time)) {
        connection_close(c);
    }
}

void
connection_check_time(struct connection *c, int64_t now_ns)
{
    int64_t silent_ns = now_ns - c->since_ns;

    switch (c->state) {
    case READING:
        check_reading(c, now_ns);
        break;
    case WRITING:
        if (silent_ns > HTTP_STALL_NS) {
            connection_close(c);
        }
        break;
    case LINGERING:
        if (silent_ns > LINGER_NS) {
            connection_close(c);
        }
        break;
    case CHECKING: /* The fetch of keys has a time of its own. */
        break;
    case LINES:
        http_lines_check_time(c, now_ns);
        break;
    case HANDLING: /* Dispatch limits the time of calls. */
        connection_check_stream(c, now_ns);
        break;
    case WEBSOCKET:
        websocket_check_time(c, now_ns);
        break;
    case CLOSED:
        break;
    }
}

void
connection_drain(struct connection *c)
{
    if (c->state == READING || c->state == LINGERING) {
        connection_close(c);
    } else if (c->state == LINES) {
        http_lines_drain(c);
    } else if (c->state == WEBSOCKET) {
        websocket_drain(c);
    } else if (c->feed) {
        http_feed_drain(c);
    }
}

void
connection_give_up(struct connection *c)
{
    if (c->state == HANDLING && !c->peer_done) {
        connection_tell_gone(c);
    }
    if (c->state == CHECKING || (c->state == HANDLING && !c->peer_done && !c->streaming)) {
        c->close_after = true;
        connection_refuse(c, c->route->mcp, 503, "overloaded",
                          "the server has ended before this call was done", "Retry-After: 1\r\n");
    }
    c->peer_done = true;
    connection_close(c);
}
