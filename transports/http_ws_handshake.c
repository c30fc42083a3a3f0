/* http_ws_handshake.c -- what a request must say to become a WebSocket: RFC 6455, 4.2.1.
 *
 * Its route, peer and token have been checked by then, as any request's. */
#include "transports/http_private.h"

#include <stdio.h>

#define KEY_LENGTH 24 /* 16 bytes in base64. */

bool
http_ws_wanted(const struct http_parser *p)
{
    return p->method == HTTP_METHOD_GET &&
           (http_header_has(p, HTTP_HEADER_UPGRADE, SLICE("websocket")) ||
            http_header(p, HTTP_HEADER_WS_KEY).data || http_header(p, HTTP_HEADER_WS_VERSION).data);
}

/* 16 bytes in base64: 22 characters, of which the last has four bits that are zero, and "==". */
static bool
key_is_good(const struct http_parser *p)
{
    static const char last[] = "AQgw";
    struct slice key = http_header(p, HTTP_HEADER_WS_KEY);

    if (http_header_repeated(p, HTTP_HEADER_WS_KEY) || key.len != KEY_LENGTH ||
        key.data[22] != '=' || key.data[23] != '=' || !memchr(last, key.data[21], 4)) {
        return false;
    }
    for (int i = 0; i < 22; i++) {
        char c = key.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '+' && c != '/') {
            return false;
        }
    }
    return true;
}

/* Names of subprotocols are compared with their case. */
static bool
offers(const struct http_parser *p, const char *subprotocol)
{
    struct slice wanted = slice_of(http_header_name(HTTP_HEADER_WS_PROTOCOL)), name, list, element;

    for (unsigned i = 0; http_header_next(p, &i, &name, &list);) {
        while (http_same(name, wanted) && http_list_next(&list, &element)) {
            if (slice_is(element, subprotocol)) {
                return true;
            }
        }
    }
    return false;
}

static void
refuse(struct verdict *v, int status, const char *text)
{
    v->status = status;
    v->word = status == 426 ? "websocket_version" : "bad_handshake";
    v->text = text;
    snprintf(v->extra, sizeof v->extra, "%s",
             status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : "");
}

void
http_ws_check(const struct http_parser *p, const char *subprotocol, struct verdict *v)
{
    if (!http_ws_wanted(p)) {
        refuse(v, 426, "this path is for WebSockets only");
    } else if (p->minor == 0 || !p->upgrade ||
               !http_header_has(p, HTTP_HEADER_UPGRADE, SLICE("websocket"))) {
        refuse(v, 400,
               "a WebSocket begins with HTTP/1.1, \"Connection: Upgrade\" and \"Upgrade: "
               "websocket\"");
    } else if (p->chunked || p->length > 0) {
        refuse(v, 400, "the request for a WebSocket has no body");
    } else if (http_header_repeated(p, HTTP_HEADER_WS_VERSION) ||
               !slice_is(http_header(p, HTTP_HEADER_WS_VERSION), "13")) {
        refuse(v, 426, "the only version of WebSocket spoken here is 13");
    } else if (!key_is_good(p)) {
        refuse(v, 400, "Sec-WebSocket-Key is not one header of 16 bytes in base64");
    } else if (subprotocol && !offers(p, subprotocol)) {
        refuse(v, 400,
               "the subprotocol here is \"" WS_SUBPROTOCOL "\": offer it in "
               "Sec-WebSocket-Protocol");
    }
}
