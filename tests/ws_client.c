/* ws_client.c -- RFC 6455 from the client's side, as little of it as tests need. */
#include "tests/ws_client.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <strings.h>

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static void
check_answer(const struct response *r, const char *subprotocol)
{
    unsigned char digest[SHA_DIGEST_LENGTH], wanted[32];
    char *accept = client_header(r, "Sec-WebSocket-Accept");
    char *protocol = client_header(r, "Sec-WebSocket-Protocol");
    char *upgrade = client_header(r, "Upgrade");

    SHA1((const unsigned char *)KEY GUID, strlen(KEY GUID), digest);
    EVP_EncodeBlock(wanted, digest, sizeof digest);
    if (strcmp(accept, (char *)wanted) != 0 || strcmp(protocol, subprotocol) != 0 ||
        strcasecmp(upgrade, "websocket") != 0) {
        fprintf(stderr, "no good handshake: %.*s\n", (int)r->head.len, r->head.data);
        abort();
    }
    free(accept);
    free(protocol);
    free(upgrade);
}

int
ws_shake_at(struct client *c, const char *path, const char *subprotocol, const char *token)
{
    char *text = xasprintf("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: " KEY "\r\n%s%s%s%s%s%s\r\n",
                           path, *subprotocol ? "Sec-WebSocket-Protocol: " : "", subprotocol,
                           *subprotocol ? "\r\n" : "", token ? "Authorization: Bearer " : "",
                           token ? token : "", token ? "\r\n" : "");
    struct response r;

    client_sends(c, text);
    free(text);
    r = client_read(c, false, 10);
    if (r.status == 101) {
        check_answer(&r, subprotocol);
    }
    return r.status;
}

int
ws_shake(struct client *c, const char *token)
{
    return ws_shake_at(c, "/mcp", "mcp", token);
}

void
ws_open(struct client *c, unsigned port, const char *token)
{
    int status;

    client_open(c, port);
    status = ws_shake(c, token);
    if (status != 101) {
        fprintf(stderr, "no WebSocket: status %d\n", status);
        abort();
    }
}

bool
ws_send(struct client *c, unsigned first, struct slice payload)
{
    static const unsigned char mask[4] = {0x11, 0x22, 0x33, 0x44};
    unsigned char head[14] = {(unsigned char)first};
    size_t len = 2;
    char *masked = malloc(payload.len + 1);
    bool sent;

    head[1] = (unsigned char)(0x80 | (payload.len < 126     ? payload.len
                                      : payload.len < 65536 ? 126
                                                            : 127));
    for (int shift = payload.len < 126     ? -8
                     : payload.len < 65536 ? 8
                                           : 56;
         shift >= 0; shift -= 8) {
        head[len++] = (unsigned char)((uint64_t)payload.len >> shift);
    }
    memcpy(head + len, mask, 4);
    for (size_t i = 0; i < payload.len; i++) {
        masked[i] = (char)((unsigned char)payload.data[i] ^ mask[i % 4]);
    }
    sent = client_send(c, (struct slice){(char *)head, len + 4}) &&
           client_send(c, (struct slice){masked, payload.len});
    free(masked);
    return sent;
}

bool
ws_text(struct client *c, const char *message)
{
    return ws_send(c, WS_FIN | WS_TEXT, slice_of(message));
}

bool
ws_leave(struct client *c, unsigned code)
{
    const char payload[2] = {(char)(code >> 8), (char)code};

    return ws_send(c, WS_FIN | WS_CLOSE, (struct slice){payload, 2});
}

/* Stores the length of a frame's head, and of its payload.  False if the head is not whole. */
static bool
read_head(const unsigned char *bytes, size_t len, size_t *head, uint64_t *payload)
{
    unsigned more = len < 2 ? 0 : (bytes[1] & 0x7f) == 126 ? 2 : (bytes[1] & 0x7f) == 127 ? 8 : 0;

    *head = 2 + more;
    if (len < *head) {
        return false;
    }
    if (bytes[1] & 0x80 || bytes[0] & 0x70) {
        fprintf(stderr, "a frame that no server sends\n");
        abort();
    }
    *payload = more ? 0 : bytes[1];
    for (unsigned i = 0; i < more; i++) {
        *payload = *payload << 8 | bytes[2 + i];
    }
    return true;
}

/* Makes room by dropping what has been told. */
static void
forget_told(struct client *c)
{
    if (c->at > 0) {
        c->in.len -= c->at;
        memmove(c->in.data, c->in.data + c->at, c->in.len);
        c->at = 0;
    }
}

struct ws_frame
ws_next(struct client *c, int seconds)
{
    struct ws_frame f = {.opcode = -1};
    uint64_t payload = 0;
    size_t head;

    forget_told(c);
    while (!read_head((unsigned char *)c->in.data, c->in.len, &head, &payload) ||
           c->in.len < head + payload) {
        int more = client_more(c, seconds);

        if (more <= 0) {
            f.opcode = more < 0 ? -1 : -2;
            return f;
        }
    }
    f.opcode = c->in.data[0] & 0x0f;
    f.whole = c->in.data[0] & WS_FIN;
    f.payload = (struct slice){c->in.data + head, (size_t)payload};
    if (f.opcode == WS_CLOSE && payload >= 2) {
        f.code = (unsigned)(unsigned char)f.payload.data[0] << 8 | (unsigned char)f.payload.data[1];
    }
    c->at = head + (size_t)payload;
    return f;
}

char *
ws_message(struct client *c, int seconds, unsigned *code)
{
    for (;;) {
        struct ws_frame f = ws_next(c, seconds);

        if (code) {
            *code = f.opcode == WS_CLOSE ? f.code : 0;
        }
        if (f.opcode == WS_TEXT && f.whole) {
            return xstrndup(f.payload.data, f.payload.len);
        }
        if (f.opcode != WS_PING) {
            return NULL;
        }
        ws_send(c, WS_FIN | WS_PONG, f.payload);
    }
}
