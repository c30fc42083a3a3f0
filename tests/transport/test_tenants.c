/* test_tenants.c -- X-Client-ID over real sockets: one header, statuses, and who is kept away. */
#include "tests/check.h"
#include "tests/harness_server.h"
#include "tests/http_client.h"
#include "tests/ws_client.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const bound_args[] = {
    "--listen",    "127.0.0.1:0", "--auth", "none", "--tenant-bindings",
    "anyone=acme", "--groups",    "full",   NULL};
static const char *const proxied_args[] = {"--listen",
                                           "127.0.0.1:0",
                                           "--auth",
                                           "none",
                                           "--tenant-bindings",
                                           "anyone=acme",
                                           "--http-trust-forwarded",
                                           NULL};

static const char *const open_args[] = {"--listen", "127.0.0.1:0", "--auth", "none", NULL};

static char root[HARNESS_ROOT];
static struct server server;

static void
start(const char *const *args)
{
    const struct server_options options = {.args = args};
    char path[HARNESS_ROOT + 40];
    FILE *file;

    harness_project(root, (const char *const[]){NULL});
    snprintf(path, sizeof path, "%s/.tandem/tenants", root);
    CHECK(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/.tandem/tenants/acme.json", root);
    file = fopen(path, "w");
    CHECK(file && fputs("{\"client\":{\"id\":\"acme\",\"name\":\"N\",\"short_name\":\"S\","
                        "\"timezone\":\"UTC\"}}",
                        file) >= 0);
    fclose(file);
    server_start(&server, root, &options);
}

static int
finish(void **state)
{
    (void)state;
    CHECK_INT(server_end(&server), 0);
    harness_remove(root);
    return 0;
}

/* Calls a tool with further header lines, on a connection of its own. */
static void
call(const char *with, int status, const char *want, const char *retry_after)
{
    char *request = xasprintf("POST /api/tools/current_date HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                              "Content-Type: application/json\r\n%sContent-Length: 2\r\n\r\n{}",
                              server.info.port, with);
    struct client c;
    struct response r;
    char *value;

    client_open(&c, server.info.port);
    CHECK(client_sends(&c, request));
    r = client_next(&c);
    if (r.status != status || !memmem(r.body.data, r.body.len, want, strlen(want))) {
        fail_msg("%swanted %d %s\ngot %d %.*s", with, status, want, r.status, (int)r.body.len,
                 r.body.data);
    }
    value = client_header(&r, "Retry-After");
    CHECK_STR(value, retry_after);
    free(value);
    client_close(&c);
    free(request);
}

static void
the_header_is_one_id(void **state)
{
    (void)state;
    start(bound_args);
    call("", 200, "iso_date", "");
    call("X-Client-ID: acme\r\n", 200, "iso_date", "");
    call("x-client-id:acme \r\n", 200, "iso_date", "");
    call("X-Client-ID: ../../etc/passwd\r\n", 400, "\"invalid_argument\"", "");
    call("X-Client-ID: acme, acme\r\n", 400, "\"invalid_argument\"", "");
    call("X-Client-ID: \r\n", 400, "\"invalid_argument\"", "");
    call("X-Client-ID: acme\r\nX-Client-ID: acme\r\n", 400, "\"invalid_argument\"", "");
    call("X-Client-ID: acme\r\nx-client-id: beta\r\n", 400, "\"invalid_argument\"", "");
    call("X-Client-ID: \xc3\xa4\r\n", 400, "\"invalid_argument\"", "");
    finish(state);
}

static void
tenant_spoof_blocks_after_3(void **state)
{
    (void)state;
    start(bound_args);
    for (int i = 0; i < 3; i++) { /* What says who calls is not believed: it is one peer. */
        char *forwarded = xasprintf("X-Client-ID: beta\r\nX-Forwarded-For: 192.0.2.%d\r\n", i);

        call(forwarded, 403, "\"tenant_mismatch\"", "");
        free(forwarded);
    }
    call("X-Client-ID: beta\r\n", 429, "\"rate_limited\"", "1800");
    call("X-Client-ID: acme\r\n", 200, "iso_date", "");
    call("", 200, "iso_date", "");
    finish(state);
}

static void
behind_a_proxy_the_last_address_counts(void **state)
{
    static const char one[] = "X-Client-ID: beta\r\nX-Forwarded-For: 10.9.9.9, 192.0.2.1\r\n";

    (void)state;
    start(proxied_args);
    call(one, 403, "\"tenant_mismatch\"", "");
    call("X-Client-ID: beta\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8,192.0.2.1\r\n",
         403, "\"tenant_mismatch\"", "");
    call("X-Client-ID: beta\r\nX-Forwarded-For: 192.0.2.2\r\n", 403, "\"tenant_mismatch\"", "");
    call(one, 403, "\"tenant_mismatch\"", "");
    call(one, 429, "\"rate_limited\"", "1800");
    call("X-Client-ID: beta\r\nX-Forwarded-For: 192.0.2.1, 192.0.2.2\r\n", 403,
         "\"tenant_mismatch\"", "");
    call("X-Client-ID: beta\r\n", 403, "\"tenant_mismatch\"", "");
    finish(state);
}

/* ---- What is open when a tenant is suspended ---- */

/* Begins a request whose answer stays open, and reads up to 'begins' in it. */
static void
open_stream(struct client *c, const char *request, const char *begins)
{
    client_open(c, server.info.port);
    CHECK(client_sends(c, request));
    CHECK(client_until(c, begins, 20));
}

static const char suspended[] = "{\"client\":{\"id\":\"acme\",\"name\":\"N\",\"short_name\":\"S\","
                                "\"timezone\":\"UTC\"},\"_meta\":{\"status\":\"suspended\"}}";

static void
write_acme(const char *text)
{
    char path[HARNESS_ROOT + 40], other[HARNESS_ROOT + 40];
    FILE *file;

    snprintf(path, sizeof path, "%s/.tandem/tenants/acme.json", root);
    snprintf(other, sizeof other, "%s/.tandem/acme.new", root);
    file = fopen(other, "w");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
    CHECK(rename(other, path) == 0);
}

static void
streams_of_a_suspended_tenant_are_cut(void **state)
{
    static const char listen[] =
        "{\"jsonrpc\":\"2.0\",\"id\":\"sub\",\"method\":\"subscriptions/listen\",\"params\":{"
        "\"notifications\":{\"resourceSubscriptions\":[\"tandem://events/recent\"]},"
        "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientCapabilities\":{}}}}";
    char *post = xasprintf("POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Client-ID: acme\r\n"
                           "Content-Type: application/json\r\nMcp-Method: subscriptions/listen\r\n"
                           "Accept: application/json, text/event-stream\r\n"
                           "MCP-Protocol-Version: 2026-07-28\r\nContent-Length: %zu\r\n\r\n%s",
                           strlen(listen), listen);
    struct client sse, other, socket, subscription, late;
    unsigned code = 0;
    char *bye = NULL;

    (void)state;
    start(open_args);
    open_stream(&sse, "GET /events HTTP/1.1\r\nHost: localhost\r\nX-Client-ID: acme\r\n\r\n",
                "event: welcome");
    open_stream(&other, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n", "event: welcome");
    open_stream(&subscription, post, "notifications/subscriptions/acknowledged");
    client_open(&socket, server.info.port);
    CHECK_INT(ws_shake_at(&socket, "/ws", "", NULL), 101);
    CHECK(ws_text(&socket, "{\"type\":\"hello\",\"tenant\":\"acme\",\"patterns\":[\"z\"]}"));
    bye = ws_message(&socket, 20, NULL);
    CHECK(bye && strstr(bye, "\"welcome\""));
    free(bye);
    write_acme(suspended);
    CHECK(client_until(&sse, "event: bye", 20));
    CHECK(client_until(&sse, "{\"reason\":\"tenant_suspended\"}", 20));
    bye = ws_message(&socket, 20, &code);
    CHECK(bye && strstr(bye, "\"bye\"") && strstr(bye, "suspended"));
    free(bye);
    CHECK(ws_message(&socket, 20, &code) == NULL);
    CHECK_INT(code, 1008);
    CHECK(client_until(&subscription, "\"error\"", 20));
    CHECK(client_until(&subscription, "is suspended", 20));
    client_open(&late, server.info.port); /* And none is opened any more. */
    CHECK(client_sends(&late, post));
    CHECK(client_until(&late, "is suspended", 20));
    call("", 200, "iso_date", ""); /* Nobody else notices. */
    CHECK(client_until(&other, "tenant.", 20));
    client_close(&sse);
    client_close(&other);
    client_close(&socket);
    client_close(&subscription);
    client_close(&late);
    free(post);
    finish(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_is_one_id),
        cmocka_unit_test(tenant_spoof_blocks_after_3),
        cmocka_unit_test(behind_a_proxy_the_last_address_counts),
        cmocka_unit_test(streams_of_a_suspended_tenant_are_cut),
    };
    return CHECK_RUN(tests);
}
