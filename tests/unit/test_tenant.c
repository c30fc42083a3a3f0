/* test_tenant.c -- for which tenant a request is, and who is told that it is not his. */
#include "tests/check.h"

#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/tenant.h"
#include "tests/fakes.h"

#define S INT64_C(1000000000)

static struct fake_clock fake;
static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;

static void
open_with(const char *bindings)
{
    struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT, .calls = 64, .calls_per_session = 8, .call_ns = 60 * S};

    fake_clock_init(&fake);
    fake_project_init(&project, &fake.clock);
    CHECK_INT(
        settings_set(project.settings, SETTING_tenant_bindings, bindings, ORIGIN_OPTION, NULL),
        E_OK);
    pool = pool_create(4, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
}

static void
close_all(void)
{
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    fake_project_fini(&project);
}

/* Resolves a tools/call with 'meta', the inside of its _meta; returns the error. */
static enum err
resolve(const struct envelope *env, const char *meta, struct request *req)
{
    struct fake_sink sink;
    static char text[1024];
    enum err err;

    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"_meta\":{%s}}}",
             meta);
    fake_sink_init(&sink);
    request_init(req, dispatcher, env, &sink.sink, DIALECT_RPC);
    CHECK_INT(rpc_parse(slice_of(text), NULL, &req->message, &req->fault), E_OK);
    req->method = method_find(req->message.method);
    err = tenant_resolve(req);
    req->sink = NULL;
    request_fini(req);
    fake_sink_fini(&sink);
    return err;
}

static void
expect(const struct envelope *env, const char *meta, enum err err, const char *tenant)
{
    struct request req;

    CHECK_INT(resolve(env, meta, &req), err);
    CHECK_STR(req.tenant, tenant);
}

static void
header_then_meta_then_default(void **unused)
{
    struct envelope http = {.transport = TRANSPORT_HTTP}, stdio = {.transport = TRANSPORT_STDIO};

    (void)unused;
    open_with("");
    expect(&http, "", E_OK, "default");
    expect(&stdio, "", E_OK, "default");
    expect(&stdio, "\"dev.tandem/client-id\":\"acme\"", E_OK, "acme");
    expect(&stdio, "\"dev.tandem/client-id\":\"ac\\u006de\"", E_OK, "acme");
    http.client_id = SLICE("beta");
    expect(&http, "", E_OK, "beta");
    expect(&http, "\"dev.tandem/client-id\":\"beta\"", E_OK, "beta");
    stdio.tenant = SLICE("window"); /* A bridge's. */
    expect(&stdio, "", E_OK, "window");
    expect(&stdio, "\"dev.tandem/client-id\":\"acme\"", E_OK, "acme");
    stdio.tenant = SLICE("../x");
    expect(&stdio, "", E_OK, "default");
    close_all();
}

static void
tenant_header_vs_meta_conflict(void **unused)
{
    struct envelope http = {.transport = TRANSPORT_HTTP, .client_id = SLICE("beta")};

    (void)unused;
    open_with("");
    expect(&http, "\"dev.tandem/client-id\":\"acme\"", E_ARGUMENT, "default");
    close_all();
}

static void
tenant_id_path_traversal_rejected(void **unused)
{
    static const char *const bad[] = {"../../etc/passwd", "..",   ".", "a/b",   "/etc",      "a\\b",
                                      "%2e%2e",           "ACME", "",  " acme", "acme.json", "-x"};
    struct envelope http = {.transport = TRANSPORT_HTTP}, stdio = {.transport = TRANSPORT_STDIO};
    char meta[128];

    (void)unused;
    open_with("");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        http.client_id = slice_of(bad[i]);
        expect(&http, "", E_ARGUMENT, "default");
        snprintf(meta, sizeof meta, "\"dev.tandem/client-id\":\"%s\"",
                 strchr(bad[i], '\\') ? "a\\\\b" : bad[i]);
        expect(&stdio, meta, E_ARGUMENT, "default");
    }
    expect(&stdio, "\"dev.tandem/client-id\":7", E_ARGUMENT, "default");
    expect(&stdio, "\"dev.tandem/client-id\":null", E_ARGUMENT, "default");
    expect(&stdio, "\"dev.tandem/client-id\":\"a\\u0000b\"", E_ARGUMENT, "default");
    expect(&stdio, "\"dev.tandem/client-id\":[\"acme\"]", E_ARGUMENT, "default");
    close_all();
}

static void
the_key_of_meta_is_a_setting(void **unused)
{
    struct envelope stdio = {.transport = TRANSPORT_STDIO};

    (void)unused;
    open_with("");
    CHECK_INT(settings_set(project.settings, SETTING_tenant_meta_key, "com.example/who",
                           ORIGIN_OPTION, NULL),
              E_OK);
    expect(&stdio, "\"com.example/who\":\"acme\"", E_OK, "acme");
    expect(&stdio, "\"dev.tandem/client-id\":\"acme\"", E_OK, "default");
    expect(&stdio, "\"com.example/who\":3", E_ARGUMENT, "default");
    close_all();
}

static void
a_caller_is_kept_to_its_tenants(void **unused)
{
    struct envelope http = {.transport = TRANSPORT_HTTP, .principal = SLICE("token")};

    (void)unused;
    open_with("token=acme,token=beta,alice=gamma");
    expect(&http, "", E_OK, "acme"); /* Not the default, of which it is not. */
    http.client_id = SLICE("beta");
    expect(&http, "", E_OK, "beta");
    http.client_id = SLICE("gamma");
    expect(&http, "", E_TENANT, "default");
    http.client_id = SLICE_NONE;
    expect(&http, "\"dev.tandem/client-id\":\"gamma\"", E_TENANT, "default");
    http.principal = SLICE("https://i.example bob"); /* Bound to nothing. */
    expect(&http, "\"dev.tandem/client-id\":\"gamma\"", E_OK, "gamma");
    http.tenants = SLICE("delta default"); /* By its token. */
    expect(&http, "", E_OK, "default");
    expect(&http, "\"dev.tandem/client-id\":\"delta\"", E_OK, "delta");
    expect(&http, "\"dev.tandem/client-id\":\"acme\"", E_TENANT, "default");
    close_all();
}

static void
tenant_spoof_blocks_after_3(void **unused)
{
    struct envelope http = {.transport = TRANSPORT_HTTP,
                            .principal = SLICE("token"),
                            .peer = SLICE("192.0.2.1"),
                            .client_id = SLICE("beta")};
    struct request req;

    (void)unused;
    open_with("token=acme");
    for (int i = 0; i < 3; i++) {
        expect(&http, "", E_TENANT, "default");
    }
    CHECK_INT(resolve(&http, "", &req), E_BUSY);
    CHECK_INT(req.fault.retry_s, 1800);
    fake_clock_pass(&fake, 1000 * S);
    CHECK_INT(resolve(&http, "", &req), E_BUSY);
    CHECK_INT(req.fault.retry_s, 800);
    http.peer = SLICE("192.0.2.2"); /* Others are not. */
    expect(&http, "", E_TENANT, "default");
    http.peer = SLICE("192.0.2.1");
    http.client_id = SLICE("acme"); /* Nor is it, for its own. */
    expect(&http, "", E_OK, "acme");
    http.client_id = SLICE("beta");
    fake_clock_pass(&fake, 800 * S);
    expect(&http, "", E_TENANT, "default");
    close_all();
}

static void
expect_answer(const struct envelope *env, const char *message, int status, const char *want)
{
    struct fake_sink sink;
    const char *body;

    fake_sink_init(&sink);
    dispatch_message(dispatcher, env, slice_of(message), &sink.sink);
    body = fake_sink_wait(&sink);
    if (sink.status != status || !strstr(body, want)) {
        fail_msg("wanted %d %s\ngot    %d %s", status, want, sink.status, body);
    }
    fake_sink_fini(&sink);
}

#define CALL(METHOD, PARAMS)                                                      \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" METHOD "\",\"params\":{" PARAMS \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","      \
    "\"io.modelcontextprotocol/clientCapabilities\":{},\"dev.tandem/client-id\":\"beta\"}}}"

static void
it_is_told_as_its_dialect_tells_things(void **unused)
{
    struct envelope ws = {.transport = TRANSPORT_WS, .principal = SLICE("token")};
    struct envelope http = {.transport = TRANSPORT_HTTP, .client_id = SLICE("..")};
    struct fake_sink sink;

    (void)unused;
    open_with("token=acme");
    expect_answer(&ws, CALL("tools/call", "\"name\":\"current_date\","), 200, "\"isError\":true");
    expect_answer(&ws, CALL("tools/call", "\"name\":\"current_date\","), 200,
                  "{\\\"code\\\":\\\"tenant_mismatch\\\"");
    expect_answer(&ws, CALL("tools/list", ""), 200, "\"error\":{\"code\":403");
    expect_answer(&ws, CALL("tools/list", ""), 429, "\"error\":{\"code\":429");
    ws.client_id = SLICE("other");
    expect_answer(&ws, CALL("tools/list", ""), 200, "\"error\":{\"code\":-32602");

    fake_sink_init(&sink);
    dispatch_tool(dispatcher, &http, SLICE("current_date"), SLICE_NONE, &sink.sink);
    CHECK(strstr(fake_sink_wait(&sink), "{\"code\":\"invalid_argument\""));
    CHECK_INT(sink.status, 400);
    fake_sink_fini(&sink);

    http.client_id = SLICE("beta");
    http.principal = SLICE("token");
    http.peer = SLICE("192.0.2.1");
    fake_sink_init(&sink);
    dispatch_tools(dispatcher, &http, &sink.sink);
    CHECK(strstr(fake_sink_wait(&sink), "\"details\":{\"reason\":\"bound_elsewhere\"}"));
    CHECK_INT(sink.status, 403);
    fake_sink_fini(&sink);
    close_all();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_then_meta_then_default),
        cmocka_unit_test(tenant_header_vs_meta_conflict),
        cmocka_unit_test(tenant_id_path_traversal_rejected),
        cmocka_unit_test(the_key_of_meta_is_a_setting),
        cmocka_unit_test(a_caller_is_kept_to_its_tenants),
        cmocka_unit_test(tenant_spoof_blocks_after_3),
        cmocka_unit_test(it_is_told_as_its_dialect_tells_things),
    };
    return CHECK_RUN(tests);
}
