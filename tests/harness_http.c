/* harness_http.c -- requests over a kept connection, and what an MCP answer must look like. */
#include "tests/harness_http.h"

#include "tests/http_client.h"
#include "tests/ws_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 65536

int
http_connect(const struct server_info *info)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)info->port)};
    struct timeval patience = {.tv_sec = PATIENCE / SECOND};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || inet_pton(AF_INET, info->host, &address.sin_addr) != 1) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

bool
http_write(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

void
http_peer_init(struct http_peer *p, const struct server_info *info)
{
    *p = (struct http_peer){.info = info, .fd = -1};
}

static void
disconnect(struct http_peer *p)
{
    if (p->fd >= 0) {
        close(p->fd);
    }
    p->fd = -1;
    buf_reset(&p->in);
}

void
http_peer_fini(struct http_peer *p)
{
    disconnect(p);
    buf_fini(&p->in);
}

void
http_reply_fini(struct http_reply *r)
{
    buf_fini(&r->head);
    buf_fini(&r->body);
}

bool
http_reply_header(const struct http_reply *r, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);

    for (const char *line = r->head.data; line && *line;) {
        const char *end = strstr(line, "\r\n");
        if (!end) {
            break;
        }
        if ((size_t)(end - line) > len && strncasecmp(line, name, len) == 0 && line[len] == ':') {
            line += len + 1;
            line += strspn(line, " \t");
            snprintf(out, size, "%.*s", (int)(end - line), line);
            return true;
        }
        line = end + 2;
    }
    return false;
}

/* Reads what has come; false at the end. */
static bool
read_more(struct http_peer *p)
{
    ssize_t n;

    buf_reserve(&p->in, 16384);
    do {
        n = recv(p->fd, p->in.data + p->in.len, p->in.size - p->in.len - 1, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return false;
    }
    p->in.len += (size_t)n;
    p->in.data[p->in.len] = '\0';
    return true;
}

static void
drop_front(struct buf *b, size_t len)
{
    memmove(b->data, b->data + len, b->len - len);
    b->len -= len;
    b->data[b->len] = '\0';
}

/* Reads a body whose length the head has told. */
static bool
read_body(struct http_peer *p, size_t length, struct buf *body)
{
    while (p->in.len < length) {
        if (!read_more(p)) {
            return false;
        }
    }
    if (length) {
        buf_add(body, p->in.data, length);
        drop_front(&p->in, length);
    }
    return true;
}

static bool
read_chunks(struct http_peer *p, struct buf *body)
{
    size_t held, len;

    while (!p->in.len || !(len = client_take_chunks(p->in.data, p->in.len, &held))) {
        if (!read_more(p)) {
            return false;
        }
    }
    buf_add(body, p->in.data, held);
    drop_front(&p->in, len);
    return true;
}

/* Leaves of an event stream the last message, which is the answer; what went ahead of it, and the
 * event without data that a stream may begin with, are passed over. */
static void
keep_last_event(struct buf *body)
{
    static const char field[] = "\ndata: ";
    const size_t skip = sizeof field - 1;
    struct slice last = SLICE_NONE;

    for (const char *at = body->data; at && (at = strstr(at, field));) {
        size_t len = strcspn(at + skip, "\n");

        if (len) {
            last = (struct slice){at + skip, len};
        }
        at += skip + len;
    }
    memmove(body->data, last.len ? last.data : "", last.len);
    body->len = last.len;
    body->data[body->len] = '\0';
}

bool
http_read(struct http_peer *p, struct http_reply *reply)
{
    const char *end = NULL;
    char value[32];
    size_t length;

    while (!p->in.len || !(end = memmem(p->in.data, p->in.len, "\r\n\r\n", 4))) {
        if (p->in.len > HEAD_MAX || !read_more(p)) {
            return false;
        }
    }
    buf_reset(&reply->head);
    buf_reset(&reply->body);
    buf_add(&reply->head, p->in.data, (size_t)(end - p->in.data) + 2);
    drop_front(&p->in, (size_t)(end - p->in.data) + 4);
    if (sscanf(reply->head.data, "HTTP/1.1 %3d ", &reply->status) != 1) {
        return false;
    }
    reply->closing = http_reply_header(reply, "connection", value, sizeof value) &&
                     strcasecmp(value, "close") == 0;
    length = http_reply_header(reply, "content-length", value, sizeof value)
                 ? strtoul(value, NULL, 10)
                 : 0;
    if (http_reply_header(reply, "transfer-encoding", value, sizeof value)
            ? !read_chunks(p, &reply->body)
            : !read_body(p, length, &reply->body)) {
        return false;
    }
    if (reply->body.len && http_reply_header(reply, "content-type", value, sizeof value) &&
        strcasecmp(value, "text/event-stream") == 0) {
        keep_last_event(&reply->body);
    }
    if (reply->closing) {
        disconnect(p);
    }
    return true;
}

bool
http_send(struct http_peer *p, const char *method, const char *path, const char *headers,
          const char *body, struct http_reply *reply)
{
    struct buf request = BUF_INIT;
    bool kept, good = false;

    buf_addf(&request, "%s %s HTTP/1.1\r\nHost: %s:%u\r\n", method, path, p->info->host,
             p->info->port);
    if (p->info->token[0]) {
        buf_addf(&request, "Authorization: Bearer %s\r\n", p->info->token);
    }
    buf_adds(&request, headers);
    if (body) {
        buf_addf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                 strlen(body));
    }
    buf_adds(&request, "\r\n");
    if (body) {
        buf_adds(&request, body);
    }
    do {
        kept = p->fd >= 0;
        if (!kept) {
            p->fd = http_connect(p->info);
            p->connections++;
        }
        good = p->fd >= 0 && http_write(p->fd, request.data, request.len) && http_read(p, reply);
        if (!good) {
            kept = kept && p->in.len == 0;
            disconnect(p);
        }
    } while (!good && kept);
    buf_fini(&request);
    return good;
}

/* ---- MCP ---- */

const char *
outcome_text(const struct mcp_outcome *o, const char *key)
{
    return json_string_value(json_object_get(o->result, key));
}

json_int_t
outcome_int(const struct mcp_outcome *o, const char *key)
{
    const json_t *value = json_object_get(o->result, key);

    return json_is_integer(value) ? json_integer_value(value) : -1;
}

void
outcome_fini(struct mcp_outcome *o)
{
    json_decref(o->result);
    o->result = NULL;
}

static const char *
check_era(const json_t *result, enum mcp_era era)
{
    const json_t *type = json_object_get(result, "resultType"), *info;

    if (era == MCP_LEGACY) {
        return type ? "a legacy result has a resultType" : NULL;
    }
    info = json_object_get(json_object_get(result, "_meta"), "io.modelcontextprotocol/serverInfo");
    if (!type || strcmp(json_string_value(type), "complete") != 0) {
        return "a modern result is not \"complete\"";
    }
    return json_object_get(info, "name") ? NULL : "a modern result does not say who made it";
}

static const char *
check_content(const json_t *result, struct mcp_outcome *outcome)
{
    const json_t *content = json_object_get(result, "content"), *block = json_array_get(content, 0);
    const json_t *structured = json_object_get(result, "structuredContent");
    const char *text = json_string_value(json_object_get(block, "text"));

    outcome->is_error = json_is_true(json_object_get(result, "isError"));
    if (!json_is_array(content) || !text) {
        return "the content has no text";
    }
    outcome->result = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(outcome->result)) {
        return "the content's text is no JSON object";
    }
    if (outcome->is_error) {
        return structured ? "an error result has structuredContent" : NULL;
    }
    return json_equal(outcome->result, structured) ? NULL : "text and structuredContent differ";
}

const char *
mcp_check_answer(const json_t *answer, const json_t *id, enum mcp_era era,
                 struct mcp_outcome *outcome)
{
    const json_t *result = json_object_get(answer, "result"),
                 *version = json_object_get(answer, "jsonrpc");
    const char *why;

    if (!json_is_object(answer) || !version || strcmp(json_string_value(version), "2.0") != 0) {
        return "it is no JSON-RPC 2.0 message";
    }
    if (!json_equal(json_object_get(answer, "id"), id)) {
        return "it has another id";
    }
    if (json_object_size(answer) != 3 || !json_is_object(result)) {
        return "it is no response with a result";
    }
    why = check_era(result, era);
    return why ? why : check_content(result, outcome);
}

static void
add_headers(struct mcp_peer *p, const char *method, const char *name, struct buf *out)
{
    buf_adds(out, "Accept: application/json, text/event-stream\r\n");
    if (p->era == MCP_MODERN) {
        buf_addf(out, "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: %s\r\n", method);
        if (name) {
            buf_addf(out, "Mcp-Name: %s\r\n", name);
        }
        return;
    }
    if (p->session[0]) {
        buf_addf(out, "MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: %s\r\n", p->session);
    }
}

/* Reads the answer to a message sent over WebSocket; what the server says unasked is passed over.
 */
static bool
hear(struct mcp_peer *p, struct http_reply *reply)
{
    char *message;

    while ((message = ws_message(p->websocket, (int)(PATIENCE / SECOND), NULL)) &&
           strstr(message, "\"method\":\"notifications/")) {
        free(message);
    }
    buf_reset(&reply->body);
    buf_adds(&reply->body, message ? message : "");
    reply->status = 200;
    free(message);
    return message != NULL;
}

/* Sends a message, and reads its answer if it is a request: one with a name for its method. */
static bool
post(struct mcp_peer *p, const char *method, const char *name, const char *body,
     struct http_reply *reply)
{
    struct buf headers = BUF_INIT;
    int64_t start = now_ns();
    bool good;

    if (p->websocket) {
        reply->status = 202;
        good = ws_text(p->websocket, body) && (!method[0] || hear(p, reply));
    } else {
        add_headers(p, method, name, &headers);
        good = http_send(&p->http, "POST", p->http.info->path, headers.data, body, reply);
    }
    samples_add(&p->samples, now_ns() - start);
    buf_fini(&headers);
    return good;
}

/* What a legacy client says first. */
static bool
introduce(struct mcp_peer *p)
{
    static const char *const hello =
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"storm\",\"version\":\"1\"}}"
        "}";
    static const char *const ready =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
    struct http_reply reply = {.status = 0};
    bool good;

    good = post(p, "initialize", NULL, hello, &reply) && reply.status == 200 &&
           (p->websocket ||
            http_reply_header(&reply, "mcp-session-id", p->session, sizeof p->session));
    if (good && (!post(p, "", NULL, ready, &reply) || reply.status != 202 ||
                 (reply.body.len && !p->websocket))) {
        good = false;
    }
    if (!good) {
        finding(p->findings, "peer %d: initialize: status %d: %.200s", p->number, reply.status,
                reply.body.data ? reply.body.data : "");
    }
    http_reply_fini(&reply);
    return good;
}

static bool
begin(struct mcp_peer *p, const struct server_info *info, enum mcp_era era, int number,
      bool websocket, struct findings *findings)
{
    *p = (struct mcp_peer){.findings = findings, .era = era, .number = number, .next_id = 1};
    http_peer_init(&p->http, info);
    if (websocket) {
        p->websocket = xcalloc(1, sizeof(struct client));
        ws_open(p->websocket, info->port, info->token);
        p->http.connections = 1;
    }
    return era == MCP_MODERN || introduce(p);
}

bool
mcp_open(struct mcp_peer *p, const struct server_info *info, enum mcp_era era, int number,
         struct findings *findings)
{
    return begin(p, info, era, number, false, findings);
}

bool
mcp_open_websocket(struct mcp_peer *p, const struct server_info *info, enum mcp_era era, int number,
                   struct findings *findings)
{
    return begin(p, info, era, number, true, findings);
}

void
mcp_close(struct mcp_peer *p)
{
    struct http_reply reply = {.status = 0};
    char headers[256];

    if (p->session[0]) {
        snprintf(headers, sizeof headers, "Mcp-Session-Id: %s\r\n", p->session);
        if (!http_send(&p->http, "DELETE", p->http.info->path, headers, NULL, &reply) ||
            reply.status != 204) {
            finding(p->findings, "peer %d: DELETE: status %d", p->number, reply.status);
        }
    }
    if (p->websocket) {
        ws_leave(p->websocket, 1000);
        client_close(p->websocket);
        free(p->websocket);
    }
    http_reply_fini(&reply);
    http_peer_fini(&p->http);
}

/* Ids of both kinds: numbers for even peers, texts for odd ones; different peers use equal numbers.
 */
static json_t *
make_id(struct mcp_peer *p)
{
    long n = p->next_id++;

    return p->number % 2 ? json_sprintf("%d-%ld", p->number, n) : json_integer(n);
}

struct mcp_outcome
mcp_call(struct mcp_peer *p, const char *tool, const char *arguments)
{
    struct mcp_outcome outcome = {.result = NULL};
    struct http_reply reply = {.status = 0};
    json_t *id = make_id(p), *answer = NULL;
    char *id_text = json_dumps(id, JSON_ENCODE_ANY);
    char *body = xasprintf(
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\","
        "\"arguments\":%s%s%s}}",
        id_text, tool, arguments, p->era == MCP_MODERN ? "," : "",
        p->era == MCP_MODERN ? MODERN_META : "");
    const char *why = NULL;

    if (!post(p, "tools/call", tool, body, &reply)) {
        outcome.lost = true;
    } else {
        outcome.http_status = reply.status;
        answer = reply.body.data
                     ? json_loadb(reply.body.data, reply.body.len, JSON_REJECT_DUPLICATES, NULL)
                     : NULL;
        why = reply.status != 200 ? "the status is not 200"
                                  : mcp_check_answer(answer, id, p->era, &outcome);
    }
    if (why) {
        finding(p->findings, "peer %d, %s %.200s: %s: %d %.200s", p->number, tool, arguments, why,
                reply.status, reply.body.data ? reply.body.data : "");
        outcome_fini(&outcome);
    }
    json_decref(answer);
    json_decref(id);
    free(id_text);
    free(body);
    http_reply_fini(&reply);
    return outcome;
}

struct mcp_outcome
mcp_workflow(struct mcp_peer *p, const char *format, ...)
{
    struct mcp_outcome outcome;
    va_list args;
    char *text;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) {
        abort();
    }
    va_end(args);
    outcome = mcp_call(p, "pos_workflow", text);
    if (!outcome.lost && outcome.result) {
        const char *status = outcome_text(&outcome, "status");
        if (!status || strcmp(status, outcome.is_error ? "error" : "success") != 0 ||
            !outcome_text(&outcome, "action")) {
            finding(p->findings,
                    "peer %d, pos_workflow %.200s: status, action and isError disagree", p->number,
                    text);
            outcome_fini(&outcome);
        }
    }
    free(text);
    return outcome;
}
