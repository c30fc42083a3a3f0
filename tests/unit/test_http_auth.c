/* test_http_auth.c -- tokens of an authorization server over HTTP: what each request is told, the
 * documents that clients look for, and heads that wait for keys; on real sockets, before a
 * dispatcher that answers when the test says so. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/access.h"
#include "state/base/log.h"
#include "state/settings.h"
#include "tests/fakes.h"
#include "tests/http_client.h"
#include "tests/key_server.h"
#include "tests/no_relay.h"
#include "tests/script.h"
#include "tests/tokens.h"
#include "transports/http_private.h"

#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>

#define SECOND ((int64_t)1000000000)
#define DOCUMENT_URL "https://tandem.example.com/.well-known/oauth-protected-resource/mcp"
#define HOST "Host: localhost\r\n"
#define JSON "Content-Type: application/json\r\n"

/* The dispatcher of this program: "hold" is kept, "lacks" lacks a scope, "later" does so from
 * another thread, and anything else is answered with who asks and what he may do. */
struct dispatcher {
    struct sink *_Atomic held;
    sem_t holding, gone;
    _Atomic unsigned taken;
    struct script_late late;
};

static const struct reply lacks = {.body = {"{}", 2}, .status = 403, .scope = {"tandem:write", 12}};

static void
tell_who(const struct envelope *env, struct sink *sink)
{
    char *text = xasprintf("%.*s|%.*s", (int)env->principal.len, env->principal.data,
                           (int)env->scopes.len, env->scopes.data ? env->scopes.data : "");

    script_answer(sink, 200, slice_of(text));
    free(text);
}

void
dispatch_message(struct dispatcher *d, const struct envelope *env, struct slice body,
                 struct sink *sink)
{
    atomic_fetch_add(&d->taken, 1);
    if (slice_is(body, "hold")) {
        atomic_store(&d->held, sink);
        sem_post(&d->holding);
    } else if (slice_is(body, "lacks")) {
        script_answer_with(sink, &lacks);
    } else if (slice_is(body, "later")) {
        script_answer_late(&d->late, sink, NULL, &lacks);
    } else {
        tell_who(env, sink);
    }
}

void
dispatch_tool(struct dispatcher *d, const struct envelope *env, struct slice tool,
              struct slice arguments, struct sink *sink)
{
    (void)d, (void)tool, (void)arguments;
    tell_who(env, sink);
}

void
dispatch_tools(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    (void)d;
    tell_who(env, sink);
}

void
dispatch_resource(struct dispatcher *d, const struct envelope *env, struct slice uri,
                  struct sink *sink)
{
    (void)d, (void)uri;
    tell_who(env, sink);
}

void
dispatch_event(struct dispatcher *d, const struct envelope *env, struct slice body,
               struct sink *sink)
{
    (void)d, (void)body;
    tell_who(env, sink);
}

void
dispatch_metrics(struct dispatcher *d, struct buf *out)
{
    (void)d;
    buf_adds(out, "metrics 1\n");
}

void
dispatch_listen(struct dispatcher *d, const struct envelope *env, struct slice last_event_id,
                struct sink *sink)
{
    (void)d, (void)last_event_id;
    tell_who(env, sink);
}

void
dispatch_end(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    (void)d;
    tell_who(env, sink);
}

void
dispatch_last(struct dispatcher *d, const struct envelope *env)
{
    (void)d, (void)env;
}

void
dispatch_drained(struct dispatcher *d, const struct sink *sink)
{
    (void)d, (void)sink;
}

void
dispatch_gone(struct dispatcher *d, const struct envelope *env, const struct sink *sink)
{
    (void)env, (void)sink;
    sem_post(&d->gone);
}

/* ---- One transport with one authorization server ---- */

static struct signer first, second;
static char *first_set, *both_sets;
static struct key_server keys;
static struct dispatcher dispatcher;
static struct settings *settings;
static struct fake_clock fake;
static struct access *access_;
static struct transport *transport;
static unsigned port;

static int
make_keys(void **state)
{
    struct signer both[2];

    (void)state;
    log_configure(LOG_OFF, LOG_TEXT);
    signer_init(&first, JWT_ES256, "first");
    signer_init(&second, JWT_EDDSA, "second");
    both[0] = first;
    both[1] = second;
    first_set = signers_jwks(&first, 1);
    both_sets = signers_jwks(both, 2);
    return 0;
}

static int
free_keys(void **state)
{
    (void)state;
    signer_fini(&first);
    signer_fini(&second);
    free(first_set);
    free(both_sets);
    return 0;
}

static int
prepare(void **state)
{
    (void)state;
    memset(&dispatcher, 0, sizeof dispatcher);
    sem_init(&dispatcher.holding, 0, 0);
    sem_init(&dispatcher.gone, 0, 0);
    script_late_init(&dispatcher.late);
    fake_clock_init(&fake);
    atomic_store(&fake.wall_ns, TOKEN_NOW * SECOND);
    key_server_start(&keys);
    key_server_say(&keys, 200, first_set);
    settings = settings_create();
    script_set(settings, SETTING_auth, "jwt");
    script_set(settings, SETTING_jwt_issuer, TOKEN_ISSUER "/tenant");
    script_set(settings, SETTING_jwt_resource, TOKEN_AUDIENCE);
    return 0;
}

static void
start(const char *source)
{
    const struct access_options options = {
        .keys = {source, &fake.clock, 60000},
        .issuer = TOKEN_ISSUER,
        .audience = TOKEN_AUDIENCE,
        .skew_ns = 30 * SECOND,
        .clock = &fake.clock,
    };
    struct transport_context context = {
        .dispatcher = &dispatcher,
        .settings = settings,
        .clock = &fake.clock,
        .listen_fd = client_listen(&port),
    };

    if (source) {
        CHECK_INT(access_create(&options, &access_, NULL), E_OK);
    }
    context.access = access_;
    CHECK_INT(http_transport.start(&context, &transport, NULL), E_OK);
}

static int
finish(void **state)
{
    (void)state;
    if (transport) {
        http_transport.stop(transport, INT64_MAX);
    }
    transport = NULL;
    access_destroy(access_);
    access_ = NULL;
    script_late_fini(&dispatcher.late);
    settings_unref(settings);
    key_server_stop(&keys);
    sem_destroy(&dispatcher.holding);
    sem_destroy(&dispatcher.gone);
    return 0;
}

/* ---- Requests ---- */

/* A POST with what 'credentials' says, or with none; new. */
static char *
post(const char *credentials, const char *body)
{
    return xasprintf("POST /mcp HTTP/1.1\r\n" HOST JSON "%s%s%sContent-Length: %zu\r\n\r\n%s",
                     credentials ? "Authorization: " : "", credentials ? credentials : "",
                     credentials ? "\r\n" : "", strlen(body), body);
}

/* Sends a POST with a token, which is stolen. */
static void
send_post(struct client *c, char *token, const char *body)
{
    char *credentials = xasprintf("Bearer %s", token), *text = post(credentials, body);

    CHECK(client_sends(c, text));
    free(text);
    free(credentials);
    free(token);
}

/* Sends 'text', which is stolen, on a connection of its own, and checks status and challenge. */
static void
expect(char *text, int status, const char *challenge)
{
    struct client c;
    struct response r;

    client_open(&c, port);
    CHECK(client_sends(&c, text));
    r = client_next(&c);
    CHECK_INT(r.status, status);
    script_expect_header(&r, "WWW-Authenticate", challenge);
    client_close(&c);
    free(text);
}

static void
expect_body(struct client *c, int status, const char *body)
{
    struct response r = client_next(c);

    CHECK_INT(r.status, status);
    CHECK(slice_is(r.body, body));
}

/* Lets the first fetch of keys end. */
static void
keys_known(void)
{
    struct client c;

    client_open(&c, port);
    send_post(&c, token_good(&first, ""), "{}");
    expect_body(&c, 200, TOKEN_ISSUER " alice|");
    client_close(&c);
}

#define SCOPES_ASKED "scope=\"tandem:read tandem:write\""
#define ASKED "Bearer resource_metadata=\"" DOCUMENT_URL "\", " SCOPES_ASKED
#define INVALID(WHY)                                           \
    "Bearer error=\"invalid_token\", error_description=\"" WHY \
    "\", resource_metadata=\"" DOCUMENT_URL "\", " SCOPES_ASKED
#define BAD_REQUEST "Bearer error=\"invalid_request\""

static void
challenges_say_what_is_missing(void **state)
{
    static const struct {
        const char *credentials;
        int status;
        const char *challenge;
    } cases[] = {
        {NULL, 401, ASKED},
        {"Basic YWxhZGRpbjpvcGVuc2VzYW1l", 401, ASKED},
        {"Bearertoken", 401, ASKED},
        {"Bearer", 400, BAD_REQUEST},
        {"Bearer a b", 400, BAD_REQUEST},
        {"Bearer a,b", 400, BAD_REQUEST},
        {"Bearer =", 400, BAD_REQUEST},
        {"Bearer \"a\"", 400, BAD_REQUEST},
        {"Bearer x\r\nAuthorization: Bearer y", 400, BAD_REQUEST},
        {"Bearer abc==", 401, INVALID("the token is not three parts with dots between them")},
        {"bearer a.b.c", 401, INVALID("the header of the token cannot be read")},
    };

    (void)state;
    start(keys.url);
    keys_known();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(post(cases[i].credentials, "{}"), cases[i].status, cases[i].challenge);
    }
    CHECK(atomic_load(&dispatcher.taken) == 1); /* That of keys_known(). */
}

static void
every_request_is_judged(void **state)
{
    static const char *const heads[] = {
        "GET /mcp HTTP/1.1\r\nAccept: text/event-stream\r\nMcp-Session-Id: x\r\n",
        "DELETE /mcp HTTP/1.1\r\nMcp-Session-Id: x\r\n",
        "GET /api/tools HTTP/1.1\r\n",
        "POST /api/tools/x HTTP/1.1\r\n" JSON "Content-Length: 0\r\n",
    };
    char *token = token_good(&first, ",\"scope\":\"tandem:read\"");
    struct client c;

    (void)state;
    start(keys.url);
    keys_known();
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        expect(xasprintf("%s" HOST "\r\n", heads[i]), 401, ASKED);
        expect(xasprintf("%s" HOST "Authorization: Bearer %s\r\n\r\n", heads[i], token), 200, "");
    }
    expect(xasprintf("GET /api/tools?access_token=%s HTTP/1.1\r\n" HOST "\r\n", token), 400,
           BAD_REQUEST);
    /* What the request before it showed counts for nothing. */
    client_open(&c, port);
    send_post(&c, xstrdup(token), "{}");
    expect_body(&c, 200, TOKEN_ISSUER " alice|tandem:read");
    CHECK(client_sends(&c, "GET /api/tools HTTP/1.1\r\n" HOST "\r\n"));
    CHECK_INT(client_next(&c).status, 401);
    client_close(&c);
    free(token);
}

static void
a_scope_that_lacks_is_named(void **state)
{
    static const char *const bodies[] = {"lacks", "later"};

    (void)state;
    start(keys.url);
    keys_known();
    for (int i = 0; i < 2; i++) {
        char *token = token_good(&first, ""), *credentials = xasprintf("Bearer %s", token);

        expect(post(credentials, bodies[i]), 403,
               "Bearer error=\"insufficient_scope\", scope=\"tandem:write\", "
               "resource_metadata=\"" DOCUMENT_URL
               "\", error_description=\"the token does not allow this\"");
        free(credentials);
        free(token);
    }
}

/* ---- Documents ---- */

/* pitfall: PRM mismatch */
static void
documents_are_open_to_all(void **state)
{
    static const char *const paths[] = {"", "/mcp", "/mcp/"};
    struct client c;
    struct response r;

    (void)state;
    start(keys.url);
    client_open(&c, port);
    for (int i = 0; i < 3; i++) {
        char *text = xasprintf("GET /.well-known/oauth-protected-resource%s HTTP/1.1\r\n" HOST
                               "Origin: https://anywhere.example\r\n\r\n",
                               paths[i]);

        CHECK(client_sends(&c, text));
        r = client_next(&c);
        CHECK_INT(r.status, 200);
        CHECK(slice_is(r.body, "{\"resource\":\"" TOKEN_AUDIENCE
                               "\",\"authorization_servers\":[\"" TOKEN_ISSUER "/tenant\"],"
                               "\"scopes_supported\":[\"tandem:read\",\"tandem:write\"],"
                               "\"bearer_methods_supported\":[\"header\"]}"));
        script_expect_header(&r, "Content-Type", "application/json");
        script_expect_header(&r, "Access-Control-Allow-Origin", "*");
        script_expect_header(&r, "Cache-Control", "public, max-age=3600");
        free(text);
    }
    CHECK(client_sends(&c, "OPTIONS /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\n" HOST
                           "Origin: https://anywhere.example\r\n"
                           "Access-Control-Request-Method: GET\r\n\r\n"));
    r = client_next(&c);
    CHECK_INT(r.status, 204);
    script_expect_header(&r, "Access-Control-Allow-Origin", "*");
    CHECK(client_sends(&c, "GET /.well-known/oauth-authorization-server HTTP/1.1\r\n" HOST "\r\n"));
    r = client_next(&c);
    CHECK_INT(r.status, 302);
    script_expect_header(&r, "Location",
                         TOKEN_ISSUER "/.well-known/oauth-authorization-server/tenant");
    client_close(&c);
    expect(xstrdup("GET /.well-known/oauth-protected-resource/other HTTP/1.1\r\n" HOST "\r\n"), 404,
           "");
    expect(xstrdup("GET /.well-known/oauth-protected-resource HTTP/1.1\r\nHost: evil\r\n\r\n"), 403,
           "");
    expect(xstrdup("POST /.well-known/oauth-protected-resource HTTP/1.1\r\n" HOST
                   "Content-Length: 0\r\n\r\n"),
           405, "");
}

static void
without_an_authorization_server_there_are_none(void **state)
{
    (void)state;
    script_set(settings, SETTING_auth, "none");
    start(NULL);
    expect(xstrdup("GET /.well-known/oauth-protected-resource HTTP/1.1\r\n" HOST "\r\n"), 404, "");
    expect(xstrdup("GET /.well-known/oauth-authorization-server HTTP/1.1\r\n" HOST "\r\n"), 404,
           "");
}

static void
a_resource_at_the_root_and_few_scopes(void **state)
{
    struct client c;
    struct response r;

    (void)state;
    script_set(settings, SETTING_jwt_resource, "https://tandem.example.com");
    script_set(settings, SETTING_jwt_issuer, TOKEN_ISSUER "/");
    script_set(settings, SETTING_jwt_scopes, "");
    start(keys.url);
    client_open(&c, port);
    CHECK(client_sends(&c, "GET /.well-known/oauth-protected-resource HTTP/1.1\r\n" HOST "\r\n"));
    r = client_next(&c);
    CHECK(slice_is(r.body, "{\"resource\":\"https://tandem.example.com\","
                           "\"authorization_servers\":[\"" TOKEN_ISSUER "/\"],"
                           "\"scopes_supported\":[],\"bearer_methods_supported\":[\"header\"]}"));
    CHECK(client_sends(&c, "GET /.well-known/oauth-authorization-server HTTP/1.1\r\n" HOST "\r\n"));
    r = client_next(&c);
    script_expect_header(&r, "Location", TOKEN_ISSUER "/.well-known/oauth-authorization-server");
    client_close(&c);
}

/* ---- Heads that wait ---- */

/* Keys are known; from here on each fetch is held, and new keys may be asked for. */
static void
hold_fetches(void)
{
    start(keys.url);
    keys_known();
    key_server_say(&keys, 200, both_sets);
    fake_clock_pass(&fake, 60 * SECOND);
    atomic_store(&keys.hold, true);
}

static void
a_head_waits_and_nobody_else_does(void **state)
{
    struct client waits, other;

    (void)state;
    hold_fetches();
    client_open(&waits, port);
    send_post(&waits, token_good(&second, ""), "{}");
    /* What comes behind it waits its turn. */
    send_post(&waits, token_good(&first, ",\"scope\":\"behind\""), "{}");
    key_server_await(&keys);
    client_open(&other, port);
    for (int i = 0; i < 3; i++) {
        send_post(&other, token_good(&first, ""), "{}");
        expect_body(&other, 200, TOKEN_ISSUER " alice|");
    }
    CHECK(atomic_load(&dispatcher.taken) == 4);
    atomic_store(&keys.hold, false);
    key_server_release(&keys);
    expect_body(&waits, 200, TOKEN_ISSUER " alice|");
    expect_body(&waits, 200, TOKEN_ISSUER " alice|behind");
    CHECK(atomic_load(&keys.hits) == 2);
    client_close(&waits);
    client_close(&other);
}

static void
a_request_in_pieces_waits_too(void **state)
{
    char *token = token_good(&second, ""), *credentials = xasprintf("Bearer %s", token);
    char *text = post(credentials, "{\"x\":1}");
    size_t len = strlen(text);
    struct client c;

    (void)state;
    hold_fetches();
    client_open(&c, port);
    CHECK(client_send(&c, (struct slice){text, 30}));
    keys_known();
    CHECK(client_send(&c, (struct slice){text + 30, len - 30 - 4})); /* Not the whole body. */
    key_server_await(&keys);
    atomic_store(&keys.hold, false);
    key_server_release(&keys);
    CHECK(client_send(&c, (struct slice){text + len - 4, 4}));
    expect_body(&c, 200, TOKEN_ISSUER " alice|");
    client_close(&c);
    free(text);
    free(credentials);
    free(token);
}

static void
a_key_that_is_not_found_is_refused_at_last(void **state)
{
    char *token = token_of(&first, "{\"alg\":\"ES256\",\"kid\":\"nobody\"}", "{}");
    char *credentials = xasprintf("Bearer %s", token);
    const char *why = INVALID("the key that the token names is not among the issuer's");

    (void)state;
    start(keys.url);
    keys_known();
    fake_clock_pass(&fake, 60 * SECOND);
    expect(post(credentials, "{}"), 401, why);
    expect(post(credentials, "{}"), 401, why); /* At once: it has been looked for. */
    CHECK(atomic_load(&keys.hits) == 2);
    free(credentials);
    free(token);
}

static void
many_heads_wait_for_one_fetch(void **state)
{
    enum { COUNT = 100 };
    static struct client clients[COUNT];

    (void)state;
    hold_fetches();
    for (int i = 0; i < COUNT; i++) {
        client_open(&clients[i], port);
        send_post(&clients[i], token_good(&second, ""), "{}");
    }
    key_server_await(&keys);
    keys_known(); /* On the same thread: all before it have been read. */
    atomic_store(&keys.hold, false);
    key_server_release(&keys);
    for (int i = 0; i < COUNT; i++) {
        expect_body(&clients[i], 200, TOKEN_ISSUER " alice|");
        client_close(&clients[i]);
    }
    CHECK(atomic_load(&keys.hits) == 2);
}

static void
who_leaves_while_waiting_is_forgotten(void **state)
{
    struct client leaves, halves;

    (void)state;
    hold_fetches();
    client_open(&leaves, port);
    send_post(&leaves, token_good(&second, ""), "{}");
    client_open(&halves, port);
    send_post(&halves, token_good(&second, ""), "{}");
    key_server_await(&keys);
    client_close(&leaves);
    shutdown(halves.fd, SHUT_WR); /* It still wants to hear the answer. */
    keys_known();
    atomic_store(&keys.hold, false);
    key_server_release(&keys);
    expect_body(&halves, 200, TOKEN_ISSUER " alice|");
    client_close(&halves);
    keys_known();
}

static void
the_end_does_not_wait_for_keys_for_ever(void **state)
{
    struct client c;

    (void)state;
    hold_fetches();
    client_open(&c, port);
    send_post(&c, token_good(&second, ""), "{}");
    key_server_await(&keys);
    http_transport.stop(transport, clock_mono(&fake.clock));
    transport = NULL;
    CHECK_INT(client_next(&c).status, 503);
    CHECK(client_is_closed(&c));
    client_close(&c);
    access_destroy(access_); /* It calls one who is gone. */
    access_ = NULL;
    key_server_release(&keys);
}

static void
without_keys_nobody_is_refused_for_good(void **state)
{
    struct client c;
    struct response r;

    (void)state;
    start("http://127.0.0.1:1/jwks");
    client_open(&c, port);
    send_post(&c, token_good(&first, ""), "{}");
    r = client_next(&c);
    CHECK_INT(r.status, 503);
    script_expect_header(&r, "Retry-After", "5");
    script_expect_header(&r, "WWW-Authenticate", "");
    client_close(&c);
}

/* ---- Streams ---- */

static void
a_stream_ends_with_its_token(void **state)
{
    struct client c;
    struct sink *sink;
    char *token = token_good(&first, ""), *text;

    (void)state;
    start(keys.url);
    keys_known();
    text = xasprintf("POST /mcp HTTP/1.1\r\n" HOST JSON
                     "Accept: application/json, text/event-stream\r\nAuthorization: Bearer %s\r\n"
                     "Content-Length: 4\r\n\r\nhold",
                     token);
    client_open(&c, port);
    CHECK(client_sends(&c, text));
    sem_wait(&dispatcher.holding);
    sink = atomic_exchange(&dispatcher.held, NULL);
    CHECK_INT(sink->class->send(sink, &(struct event){.body = SLICE("one")}), E_OK);
    CHECK(client_until(&c, "data: one\n\n", 10));
    fake_clock_pass(&fake, 329 * SECOND);
    /* Fifteen silent seconds make a comment, so the stream has been looked at, and lives. */
    CHECK(client_until(&c, ":", 10));
    fake_clock_pass(&fake, SECOND);
    CHECK(client_until(&c, "0\r\n\r\n", 10));
    sem_wait(&dispatcher.gone); /* As if the peer had left. */
    CHECK(sink->class->send(sink, &(struct event){.body = SLICE("two")}) == E_CANCELLED);
    script_answer(sink, 204, SLICE_NONE);
    CHECK(client_is_closed(&c));
    client_close(&c);
    free(text);
    free(token);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, prepare, finish)
    const struct CMUnitTest tests[] = {
        TEST(challenges_say_what_is_missing),
        TEST(every_request_is_judged),
        TEST(a_scope_that_lacks_is_named),
        TEST(documents_are_open_to_all),
        TEST(without_an_authorization_server_there_are_none),
        TEST(a_resource_at_the_root_and_few_scopes),
        TEST(a_head_waits_and_nobody_else_does),
        TEST(a_request_in_pieces_waits_too),
        TEST(a_key_that_is_not_found_is_refused_at_last),
        TEST(many_heads_wait_for_one_fetch),
        TEST(who_leaves_while_waiting_is_forgotten),
        TEST(the_end_does_not_wait_for_keys_for_ever),
        TEST(without_keys_nobody_is_refused_for_good),
        TEST(a_stream_ends_with_its_token),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
