/* messages.c -- requests as text. */
#include "tests/bench/messages.h"

#include <stdio.h>

const char message_initialize[] = "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
                                  "\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}";

char *
message_new(enum mcp_era era, const char *method, const char *params)
{
    const char *comma = *params && era == MCP_MODERN ? "," : "";

    return xasprintf("{\"jsonrpc\":\"2.0\",\"id\":" LOAD_ID
                     ",\"method\":\"%s\",\"params\":{%s%s%s}}",
                     method, params, comma, era == MCP_MODERN ? MODERN_META : "");
}

char *
message_call(const char *tool, const char *arguments)
{
    return xasprintf("\"name\":\"%s\",\"arguments\":%s", tool, arguments);
}

char *
message_echo(size_t len)
{
    static const char line[] =
        "- **Retry** \"safely\": the caf\u00e9 waits 1.5 s, then asks again.\n";
    const size_t line_len = sizeof line - 1;
    struct buf text = BUF_INIT, arguments = BUF_INIT;

    while (text.len + line_len <= len) {
        buf_add(&text, line, line_len);
    }
    while (text.len < len) {
        buf_addc(&text, 'x');
    }
    buf_adds(&arguments, "{\"text\":");
    buf_add_json(&arguments, buf_slice(&text));
    buf_addc(&arguments, '}');
    buf_fini(&text);
    return buf_steal(&arguments);
}

struct load_request
message_post(const struct asker *who, const char *method, const char *name, const char *message)
{
    struct load_request r = {.id_at = 0};
    const char *id = strstr(message, LOAD_ID), *also = strstr(id + 1, LOAD_ID);

    buf_addf(&r.bytes, "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n", who->port);
    if (who->token) {
        buf_addf(&r.bytes, "Authorization: Bearer %s\r\n", who->token);
    }
    buf_adds(&r.bytes, "Content-Type: application/json\r\n"
                       "Accept: application/json, text/event-stream\r\n");
    if (who->era == MCP_MODERN) {
        buf_addf(&r.bytes, "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: %s\r\n", method);
        if (name) {
            buf_addf(&r.bytes, "Mcp-Name: %s\r\n", name);
        }
    } else if (who->session) {
        buf_addf(&r.bytes, "MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: %s\r\n",
                 who->session);
    }
    buf_addf(&r.bytes, "Content-Length: %zu\r\n\r\n", strlen(message));
    r.id_at = r.bytes.len + (size_t)(id - message);
    r.also_at = also ? r.bytes.len + (size_t)(also - message) : 0;
    buf_adds(&r.bytes, message);
    return r;
}

char *
message_sessions(const struct asker *who, unsigned count)
{
    char *hello = message_new(MCP_LEGACY, "initialize", message_initialize), *sessions;
    struct load_request r = message_post(who, "initialize", NULL, hello);
    struct load_options options = {
        .name = "tandem", .port = who->port, .connections = 1, .requests = &r, .request_count = 1};
    struct load_result *result = xcalloc(1, sizeof *result);
    struct load *l = load_open(&options);
    const char *opened;
    size_t had, made;

    sessions = xcalloc(count, LOAD_SESSION);
    opened = load_sessions(l, &had); /* The one of load_open(). */
    memcpy(sessions, opened, had * LOAD_SESSION);
    if (count > had) {
        load_run(l, INT64_MAX, count - had, result);
        opened = load_sessions(l, &made);
        if (had + made != count) {
            bench_fail("%zu sessions were opened, not %u", had + made, count);
        }
        memcpy(sessions + had * LOAD_SESSION, opened, made * LOAD_SESSION);
    }
    load_close(l);
    load_request_fini(&r);
    free(result);
    free(hello);
    return sessions;
}

void
message_end_sessions(const struct asker *who, const char *sessions, size_t count)
{
    struct server_info info = {.port = who->port};
    struct http_peer peer;
    char headers[128];

    snprintf(info.host, sizeof info.host, "127.0.0.1");
    snprintf(info.token, sizeof info.token, "%s", who->token ? who->token : "");
    http_peer_init(&peer, &info);
    for (size_t i = 0; i < count; i++) {
        struct http_reply reply = {.status = 0};

        snprintf(headers, sizeof headers, "Mcp-Session-Id: %s\r\n", sessions + i * LOAD_SESSION);
        if (!http_send(&peer, "DELETE", "/mcp", headers, NULL, &reply) || reply.status != 204) {
            bench_fail("a session could not be ended: status %d", reply.status);
        }
        http_reply_fini(&reply);
    }
    http_peer_fini(&peer);
}
