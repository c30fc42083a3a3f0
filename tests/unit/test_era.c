/* test_era.c -- which era a message is of, and what each era is told.  Rows follow MCP's own rules,
 * one by one. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "handlers/era.h"
#include "state/base/mem.h"
#include "state/mcp_session.h"
#include "tests/fakes.h"

#include <stdio.h>
#include <string.h>

#define VERSION(V) "\"io.modelcontextprotocol/protocolVersion\":\"" V "\""
#define CAPABILITIES "\"io.modelcontextprotocol/clientCapabilities\":{}"
#define MODERN_META "\"_meta\":{" VERSION("2026-07-28") "," CAPABILITIES "}"
#define MESSAGE(METHOD, PARAMS) \
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"" METHOD "\",\"params\":{" PARAMS "}}"

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT, .calls = 64, .calls_per_session = 8, .call_ns = 60000000000};
    (void)unused;
    fake_project_init(&project, NULL);
    pool = pool_create(2, 1, 64);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    fake_project_fini(&project);
    return 0;
}

struct row {
    const char *what;
    const char *version, *method, *name; /* Headers; null for absent. */
    bool session;                        /* With the id of a live legacy session. */
    const char *body;
    int status;
    const char *want; /* In the answer. */
    const char *not_want;
};

static const struct row rows[] = {
    {"modern call", "2026-07-28", "tools/list", NULL, false, MESSAGE("tools/list", MODERN_META),
     200, "\"resultType\":\"complete\"", "\"error\""},
    {"a session id is ignored", "2026-07-28", "tools/list", NULL, true,
     MESSAGE("tools/list", MODERN_META), 200, "\"ttlMs\"", "\"error\""},
    {"initialize is gone in modern", "2026-07-28", "initialize", NULL, false,
     MESSAGE("initialize", MODERN_META), 404, "-32601", NULL},
    {"header modern, no _meta", "2026-07-28", "tools/list", NULL, false, MESSAGE("tools/list", ""),
     400, "-32602", "-32020"},
    {"_meta modern, no header", NULL, "tools/list", NULL, false, MESSAGE("tools/list", MODERN_META),
     400, "-32020", NULL},
    {"header and _meta differ", "2026-07-28", "tools/list", NULL, false,
     MESSAGE("tools/list", "\"_meta\":{" VERSION("v999.0.0") "," CAPABILITIES "}"), 400, "-32020",
     NULL},
    {"both unknown", "v999.0.0", "tools/list", NULL, false,
     MESSAGE("tools/list", "\"_meta\":{" VERSION("v999.0.0") "," CAPABILITIES "}"), 400,
     "\"requested\":\"v999.0.0\"", NULL},
    {"all versions are told", "v999.0.0", "tools/list", NULL, false,
     MESSAGE("tools/list", "\"_meta\":{" VERSION("v999.0.0") "," CAPABILITIES "}"), 400,
     "\"supported\":[\"2026-07-28\",\"2025-11-25\",\"2025-06-18\",\"2025-03-26\",\"2024-11-05\"]",
     NULL},
    {"legacy version in _meta", "2025-11-25", "tools/list", NULL, false,
     MESSAGE("tools/list", "\"_meta\":{" VERSION("2025-11-25") "," CAPABILITIES "}"), 400,
     "\"supported\":[\"2026-07-28\"]", NULL},
    {"capabilities missing", "2026-07-28", "tools/list", NULL, false,
     MESSAGE("tools/list", "\"_meta\":{" VERSION("2026-07-28") "}"), 400, "clientCapabilities",
     NULL},
    {"version missing in _meta", "2026-07-28", "tools/list", NULL, false,
     MESSAGE("tools/list", "\"_meta\":{" CAPABILITIES "}"), 400, "-32602", NULL},
    {"version no string", "2026-07-28", "tools/list", NULL, false,
     MESSAGE("tools/list",
             "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":1," CAPABILITIES "}"),
     400, "-32602", NULL},
    {"unknown header without session", "v999.0.0", NULL, NULL, false, MESSAGE("tools/list", ""),
     400, "-32602", NULL},
    {"unknown header with session", "v999.0.0", NULL, NULL, true, MESSAGE("tools/list", ""), 400,
     "-32600", NULL},
    {"discover without _meta", NULL, NULL, NULL, false, MESSAGE("server/discover", ""), 400,
     "-32602", NULL},
    {"discover", "2026-07-28", "server/discover", NULL, false,
     MESSAGE("server/discover", MODERN_META), 200, "\"supportedVersions\":[\"2026-07-28\"", NULL},
    {"method header missing", "2026-07-28", NULL, NULL, false, MESSAGE("tools/list", MODERN_META),
     400, "-32020", NULL},
    {"method header in capitals", "2026-07-28", "TOOLS/LIST", NULL, false,
     MESSAGE("tools/list", MODERN_META), 400, "-32020", NULL},
    {"unknown method needs no name", "2026-07-28", "x/y", NULL, false, MESSAGE("x/y", MODERN_META),
     404, "-32601", NULL},
    {"name header missing", "2026-07-28", "tools/call", NULL, false,
     MESSAGE("tools/call", "\"name\":\"current_date\"," MODERN_META), 400, "-32020", NULL},
    {"name header before tool", "2026-07-28", "tools/call", "b", false,
     MESSAGE("tools/call", "\"name\":\"nope\"," MODERN_META), 400, "-32020", NULL},
    {"unknown tool", "2026-07-28", "tools/call", "nope", false,
     MESSAGE("tools/call", "\"name\":\"nope\"," MODERN_META), 200, "-32602", NULL},
    {"legacy with session", "2025-11-25", NULL, NULL, true, MESSAGE("tools/list", ""), 200,
     "\"tools\"", "resultType"},
    {"legacy, method header means nothing", "2025-11-25", "nonsense", NULL, true,
     MESSAGE("tools/list", ""), 200, "\"tools\"", NULL},
    {"legacy unknown method", "2025-11-25", NULL, NULL, true, MESSAGE("x/y", ""), 200, "-32601",
     NULL},
    {"legacy without session", "2025-11-25", NULL, NULL, false, MESSAGE("tools/list", ""), 400,
     "Mcp-Session-Id", NULL},
    {"a response under a modern header", "2026-07-28", NULL, NULL, false,
     "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}", 400, "-32600", "\"id\""},
    {"a response that a session cannot use", "v999.0.0", NULL, NULL, true,
     "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}", 400, "-32600", "\"id\""},
    {"a broken response", NULL, NULL, NULL, false, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":5}",
     400, "-32600", "\"id\""},
    {"a version with escapes", "2026-07-28", "tools/list", NULL, false,
     MESSAGE("tools/list", "\"_meta\":{" VERSION("2026\\u002d07-28") "," CAPABILITIES "}"), 200,
     "\"tools\"", "\"error\":"},
    {"an unknown version with escapes", "v9", "tools/list", NULL, false,
     MESSAGE("tools/list", "\"_meta\":{" VERSION("v\\u0039") "," CAPABILITIES "}"), 400,
     "\"requested\":\"v\\u0039\"", NULL},
    {"_meta no object", "2026-07-28", "tools/list", NULL, false,
     MESSAGE("tools/list", "\"_meta\":5"), 400, "-32602", NULL},
    {"a known log level", "2026-07-28", "tools/list", NULL, false,
     MESSAGE("tools/list", "\"_meta\":{" VERSION(
                               "2026-07-28") "," CAPABILITIES
                                             ",\"io.modelcontextprotocol/logLevel\":\"notice\"}"),
     200, "\"tools\"", "\"error\":"},
    {"an unknown log level", "2026-07-28", "tools/list", NULL, false,
     MESSAGE("tools/list",
             "\"_meta\":{" VERSION("2026-07-28") "," CAPABILITIES
                                                 ",\"io.modelcontextprotocol/logLevel\":\"loud\"}"),
     200, "-32602", "tools"},
    {"a progress token of no type", "2026-07-28", "tools/list", NULL, false,
     MESSAGE("tools/list",
             "\"_meta\":{" VERSION("2026-07-28") "," CAPABILITIES ",\"progressToken\":1.5}"),
     200, "-32602", NULL},
    {"legacy unknown method without session", "2025-11-25", NULL, NULL, false, MESSAGE("x/y", ""),
     400, "-32600", NULL},
    {"legacy ping without session", "2025-11-25", NULL, NULL, false, MESSAGE("ping", ""), 200,
     "\"result\":{}}", NULL},
    {"a response in legacy is dropped", "2025-11-25", NULL, NULL, true,
     "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}", 202, "", "error"},
    {"a notification is not answered", "2025-11-25", NULL, NULL, true,
     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/unknown\"}", 202, "", "error"},
    {"a request as notification is ignored", "2025-11-25", NULL, NULL, true,
     "{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\"}", 202, "", "tools"},
    {"a notification as request is unknown", "2025-11-25", NULL, NULL, true,
     MESSAGE("notifications/initialized", ""), 200, "-32601", NULL},
    {"cancelled without _meta over modern HTTP", "2026-07-28", NULL, NULL, false,
     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}",
     202, "", "error"},
    {"cancelled under an unknown version", "v999.0.0", NULL, NULL, false,
     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}",
     400, "\"requested\":\"v999.0.0\"", NULL},
    {"cancelled under the name of another method", "2026-07-28", "tools/list", NULL, false,
     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}",
     400, "-32020", NULL},
    {"not JSON", NULL, NULL, NULL, false, "{", 400, "-32700", "\"id\""},
    {"no request", NULL, NULL, NULL, false, "{\"jsonrpc\":\"2.0\",\"id\":7}", 400, "\"id\":7",
     NULL},
    {"version is no version", NULL, NULL, NULL, false,
     MESSAGE("initialize", "\"protocolVersion\":5,\"capabilities\":{},\"clientInfo\":{}"), 200,
     "\"requested\":5", NULL},
    {"initialize without version", NULL, NULL, NULL, false, MESSAGE("initialize", ""), 200,
     "-32602", NULL},
    {"initialize asks for the future", NULL, NULL, NULL, false,
     MESSAGE("initialize",
             "\"protocolVersion\":\"2099-01-01\",\"capabilities\":{},\"clientInfo\":{}"),
     200, "\"protocolVersion\":\"2025-11-25\"", NULL},
    {"initialize asks for modern", NULL, NULL, NULL, false,
     MESSAGE("initialize",
             "\"protocolVersion\":\"2026-07-28\",\"capabilities\":{},\"clientInfo\":{}"),
     200, "\"protocolVersion\":\"2025-11-25\"", NULL},
    {"a version is neither object nor lines", NULL, NULL, NULL, false,
     MESSAGE("initialize", "\"protocolVersion\":{\n}"), 200, "\"requested\":null", "\n"},
    {"a session is initialized once", NULL, NULL, NULL, true,
     MESSAGE("initialize",
             "\"protocolVersion\":\"2024-11-05\",\"capabilities\":{},\"clientInfo\":{}"),
     400, "-32600", "result"},
    {"2024-11-05 knows no titles", NULL, NULL, NULL, false,
     MESSAGE("initialize",
             "\"protocolVersion\":\"2024-11-05\",\"capabilities\":{},\"clientInfo\":{}"),
     200, "\"protocolVersion\":\"2024-11-05\"", "title"},
    {"2025-06-18 knows titles", NULL, NULL, NULL, false,
     MESSAGE("initialize",
             "\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{}"),
     200, "\"title\":\"tandem\"", NULL},
    {"a cursor that nobody gave", "2025-11-25", NULL, NULL, true,
     MESSAGE("tools/list", "\"cursor\":\"x\""), 200, "-32602", NULL},
    {"arguments no object", "2025-11-25", NULL, NULL, true,
     MESSAGE("tools/call", "\"name\":\"current_date\",\"arguments\":[]"), 200, "-32602", NULL},
    {"tool name missing", "2025-11-25", NULL, NULL, true, MESSAGE("tools/call", ""), 200, "-32602",
     NULL},
};

static struct mcp_session *
begin_session(int revision)
{
    struct mcp_session *session = NULL;

    CHECK_INT(mcp_session_start(state_sessions(project.state), SLICE("p"), &session, NULL), E_OK);
    atomic_store(&session->revision, revision);
    return session;
}

static struct slice
header(const char *text)
{
    return text ? slice_of(text) : SLICE_NONE;
}

static void
each_row_of_the_rules(void **unused)
{
    struct mcp_session *session = begin_session(REVISION_2025_11_25);

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct envelope env = {
            .transport = TRANSPORT_HTTP,
            .principal = SLICE("p"),
            .protocol_version = header(r->version),
            .method = header(r->method),
            .name = header(r->name),
            .session_id = r->session ? slice_of(session->id) : SLICE_NONE,
        };
        struct fake_sink sink;
        const char *body;

        fake_sink_init(&sink);
        dispatch_message(dispatcher, &env, slice_of(r->body), &sink.sink);
        body = fake_sink_wait(&sink);
        if (sink.status != r->status || !strstr(body, r->want) ||
            (r->not_want && strstr(body, r->not_want))) {
            fail_msg("%s: wanted %d %s, got %d %s", r->what, r->status, r->want, sink.status, body);
        }
        fake_sink_fini(&sink);
    }
    mcp_session_unref(session);
}

static void
a_stale_id_on_initialize_is_ignored(void **unused)
{
    struct envelope env = {
        .transport = TRANSPORT_HTTP, .principal = SLICE("p"), .session_id = SLICE("gone")};
    struct fake_sink sink;

    (void)unused;
    fake_sink_init(&sink);
    dispatch_message(dispatcher, &env,
                     SLICE(MESSAGE("initialize", "\"protocolVersion\":\"2025-11-25\"")),
                     &sink.sink);
    fake_sink_wait(&sink);
    CHECK_INT(sink.status, 200);
    CHECK_INT(strlen(sink.session_id), 32);
    fake_sink_fini(&sink);
}

static void
older_revisions_are_told_less(void **unused)
{
    static const struct {
        int revision;
        bool annotations, titles;
    } knows[] = {
        {REVISION_2024_11_05, false, false},
        {REVISION_2025_03_26, true, false},
        {REVISION_2025_06_18, true, true},
        {REVISION_2025_11_25, true, true},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof knows / sizeof knows[0]; i++) {
        struct mcp_session *session = begin_session(knows[i].revision);
        struct envelope env = {.transport = TRANSPORT_HTTP,
                               .principal = SLICE("p"),
                               .session_id = slice_of(session->id)};
        struct fake_sink sink;

        fake_sink_init(&sink);
        dispatch_message(dispatcher, &env, SLICE(MESSAGE("tools/list", "")), &sink.sink);
        fake_sink_wait(&sink);
        CHECK((strstr(sink.body, "\"annotations\"") != NULL) == knows[i].annotations);
        CHECK((strstr(sink.body, "\"title\"") != NULL) == knows[i].titles);
        CHECK((strstr(sink.body, "\"outputSchema\"") != NULL) == knows[i].titles);
        fake_sink_fini(&sink);
        fake_sink_init(&sink);
        dispatch_message(dispatcher, &env,
                         SLICE(MESSAGE("tools/call", "\"name\":\"current_date\"")), &sink.sink);
        fake_sink_wait(&sink);
        CHECK((strstr(sink.body, "\"structuredContent\"") != NULL) == knows[i].titles);
        fake_sink_fini(&sink);
        mcp_session_unref(session);
    }
}

static void
encoded_headers_are_decoded_or_refused(void **unused)
{
    static const struct {
        const char *header, *want;
        bool same;
    } cases[] = {
        {"plain", "plain", true},
        {"Plain", "plain", false},
        {"=?base64?SGVsbG8=?=", "Hello", true},
        {"=?base64?4pyT?=", "\xE2\x9C\x93", true},
        {"=?base64?"
         "?=",
         "", true},
        {"=?base64?SGVsbG8?=", "Hello", false},  /* Bad padding. */
        {"=?base64?SGVs!G8=?=", "Hello", false}, /* Bad alphabet. */
        {"=?base64?SGVsbG9=?=", "Hello", false}, /* Bits left over. */
        {"=?base64?SG=sbG8=?=", "Hello", false},
        {"=?base64?SGVsbG8=", "=?base64?SGVsbG8=", true}, /* Half a sentinel is literal. */
        {"SGVsbG8=?=", "SGVsbG8=?=", true},
        {"=?BASE64?SGVsbG8=?=", "=?BASE64?SGVsbG8=?=", true},
        {"\xE2\x9C\x93", "\xE2\x9C\x93", false}, /* Must be encoded. */
        {"a\x01", "a\x01", false},
        {"a\tb", "a\tb", true},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (era_header_is(slice_of(cases[i].header), slice_of(cases[i].want)) != cases[i].same) {
            fail_msg("header %s against %s", cases[i].header, cases[i].want);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_of_the_rules),
        cmocka_unit_test(a_stale_id_on_initialize_is_ignored),
        cmocka_unit_test(older_revisions_are_told_less),
        cmocka_unit_test(encoded_headers_are_decoded_or_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
