/* streams.c -- many legacy sessions with an open stream each, and modern subscriptions beside them:
 * what they cost, that each is told, that others are answered meanwhile, and that nothing of them
 * stays.
 *
 *     streams [SESSIONS] */
#include "tests/check.h"
#include "tests/harness_http.h"
#include "tests/http_client.h"

#include <stdio.h>
#include <sys/resource.h>

#define SECONDS ((int)(PATIENCE / SECOND))
#define COST_MAX 16384u   /* Bytes of a session or subscription with its stream and connection. */
#define SUBSCRIPTIONS 192 /* As many may one principal have. */
#define CALLS 50          /* Of another client, while all are open. */
#define URI "tandem://quota/summary"
#define TOLD "notifications/resources/updated\",\"params\":{\"uri\":\"" URI "\""

static const char *const args[] = {"--groups",
                                   "core,quota",
                                   "--quota-services",
                                   "many=1000000/month",
                                   "--limits-call-rate",
                                   "0",
                                   "--limits-connections",
                                   "8192",
                                   "--limits-sessions",
                                   "4096",
                                   "--limits-sessions-each",
                                   "4096",
                                   "--listen",
                                   "127.0.0.1:0",
                                   NULL};
static const char *const packs[] = {PACK_BUG_FIX, NULL};
static unsigned sessions, count; /* All: sessions, then subscriptions. */
static struct server server;

static void
request(struct client *c, const char *method, const char *headers, const char *body)
{
    char *text = xasprintf("%s /mcp HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer %s\r\n"
                           "Accept: application/json, text/event-stream\r\n%s%s"
                           "Content-Length: %zu\r\n\r\n%s",
                           method, server.info.port, server.info.token, headers,
                           body ? "Content-Type: application/json\r\n" : "",
                           body ? strlen(body) : 0, body ? body : "");

    CHECK(client_sends(c, text));
    free(text);
}

static void
open_legacy(struct client *c)
{
    struct response r;
    char *id, *headers;

    client_open(c, server.info.port);
    request(c, "POST", "",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
            "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":"
            "\"many\",\"version\":\"1\"}}}");
    r = client_read(c, false, SECONDS);
    CHECK_INT(r.status, 200);
    id = client_header(&r, "Mcp-Session-Id");
    headers = xasprintf("Mcp-Session-Id: %s\r\nMCP-Protocol-Version: 2025-11-25\r\n", id);
    request(c, "POST", headers, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    r = client_read(c, false, SECONDS);
    CHECK_INT(r.status, 202);
    request(c, "POST", headers,
            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resources/subscribe\",\"params\":{\"uri\":"
            "\"" URI "\"}}");
    r = client_read(c, false, SECONDS);
    CHECK_INT(r.status, 200);
    request(c, "GET", headers, NULL);
    CHECK(client_until(c, "\r\n\r\n", SECONDS));
    free(headers);
    free(id);
}

static void
open_modern(struct client *c)
{
    client_open(c, server.info.port);
    request(c, "POST", "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\n",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscriptions/listen\",\"params\":{"
            "\"notifications\":{\"resourceSubscriptions\":[\"" URI "\"]}," MODERN_META "}}");
    CHECK(client_until(c, "subscriptions/acknowledged", SECONDS));
}

/* Opens them, and returns what one costs of the server's memory. */
static size_t
open_all(struct client *clients)
{
    size_t before = server_resident(&server), after;

    for (unsigned i = 0; i < count; i++) {
        (i < sessions ? open_legacy : open_modern)(&clients[i]);
    }
    after = server_resident(&server);
    return after > before ? (after - before) / count : 0;
}

static void
work_meanwhile(struct mcp_peer *peer)
{
    for (int i = 0; i < CALLS; i++) {
        struct mcp_outcome o = mcp_call(peer, "current_date", "{}");

        CHECK(o.result && !o.is_error);
        outcome_fini(&o);
    }
}

static void
many_streams_are_told_and_leave_nothing(void **state)
{
    struct client *clients = xcalloc(count, sizeof *clients);
    struct findings findings = FINDINGS_INIT;
    int64_t deadline, start_ns, told_ns;
    struct mcp_outcome o;
    struct mcp_peer peer;
    char root[HARNESS_ROOT];
    unsigned descriptors;
    size_t cost;

    (void)state;
    harness_project(root, packs);
    server_start(&server, root, &(struct server_options){.args = args});
    CHECK(mcp_open(&peer, &server.info, MCP_MODERN, 0, &findings));
    work_meanwhile(&peer);
    descriptors = harness_descriptors(server.pid);
    cost = open_all(clients);
    samples_fini(&peer.samples);
    work_meanwhile(&peer);
    start_ns = now_ns();
    o = mcp_call(&peer, "acquire_quota", "{\"service\":\"many\"}");
    CHECK(o.result && !o.is_error);
    outcome_fini(&o);
    for (unsigned i = 0; i < count; i++) {
        CHECK(client_until(&clients[i], TOLD, SECONDS));
    }
    told_ns = now_ns() - start_ns;
    for (unsigned i = 0; i < count; i++) {
        client_close(&clients[i]);
    }
    deadline = now_ns() + PATIENCE;
    while (harness_descriptors(server.pid) >
           descriptors + 2) { /* What files it has open changes. */
        CHECK(now_ns() < deadline);
        look_again_soon();
    }
    printf(
        "figure: %u sessions and %d subscriptions, each with a stream: %.1f KiB each, all told in "
        "%.0f ms, others' calls p99 %.2f ms; none of their descriptors stays\n",
        sessions, SUBSCRIPTIONS, (double)cost / 1024, (double)told_ns / MS,
        (double)samples_percentile(&peer.samples, 99) / MS);
    CHECK(sanitized() || cost <= COST_MAX);
    CHECK_INT(findings_tell(&findings), 0);
    mcp_close(&peer);
    samples_fini(&peer.samples);
    CHECK_INT(server_end(&server), 0);
    harness_remove(root);
    free(clients);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_streams_are_told_and_leave_nothing),
    };
    struct rlimit files;

    sessions = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : stress_count(200, 20);
    count = sessions + SUBSCRIPTIONS;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    return CHECK_RUN(tests);
}
