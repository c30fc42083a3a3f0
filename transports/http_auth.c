/* http_auth.c -- tokens: this server's own, or those of an authorization server (RFC 6750), with
 * the challenges that say what is missing, and the documents that say where to get it (RFC 9728).
 *
 * Each request is judged by its own token, before its body is waited for; what an earlier request
 * on the connection showed counts for nothing but the number of strangers. */
#include "transports/http_private.h"

#include "state/base/log.h"

#include <stddef.h>
#include <stdio.h>

LOG_MODULE("auth");

#define RESOURCE_METADATA "/.well-known/oauth-protected-resource"
#define ISSUER_METADATA "/.well-known/oauth-authorization-server"

struct http_auth {
    struct access *access; /* Borrowed.  The texts are owned; all are set once. */
    char *document;        /* The protected resource's metadata. */
    char *document_url;    /* Where clients find it. */
    char *path;            /* What stands behind RESOURCE_METADATA there; may be empty. */
    char *issuer_url;      /* Where the authorization server's metadata are. */
    char *scopes;          /* What clients are told to ask for, with blanks. */
};

/* ---- Documents ---- */

/* 'url' with 'inserted' between its authority and its path.  New. */
static char *
insert_well_known(const char *url, const char *inserted, const char **path)
{
    const char *authority = strstr(url, "://") + 3, *rest = authority + strcspn(authority, "/");

    *path = strcmp(rest, "/") == 0 ? "" : rest;
    return xasprintf("%.*s%s%s", (int)(rest - url), url, inserted, *path);
}

/* The items of the list with 'before', 'between' and 'after' them.  New. */
static char *
join(const char *list, const char *before, const char *between, const char *after)
{
    struct buf out = BUF_INIT;
    struct slice item;

    buf_adds(&out, before);
    while (settings_next_item(&list, &item)) {
        buf_adds(&out, out.len > strlen(before) ? between : "");
        buf_add_slice(&out, item);
    }
    buf_adds(&out, after);
    return out.data ? buf_steal(&out) : xstrdup("");
}

struct http_auth *
http_auth_create(const struct transport_context *context)
{
    const struct settings *settings = context->settings;
    struct http_auth *auth;
    const char *path;
    char *scopes;

    if (!context->access) {
        return NULL;
    }
    auth = xcalloc(1, sizeof *auth);
    auth->access = context->access;
    auth->issuer_url = insert_well_known(settings->jwt_issuer, ISSUER_METADATA, &path);
    auth->document_url = insert_well_known(settings->jwt_resource, RESOURCE_METADATA, &path);
    auth->path = xstrdup(path);
    auth->scopes = join(settings->jwt_scopes, "", " ", "");
    scopes = join(settings->jwt_scopes, "\"", "\",\"", "\"");
    auth->document =
        xasprintf("{\"resource\":\"%s\",\"authorization_servers\":[\"%s\"],"
                  "\"scopes_supported\":[%s],\"bearer_methods_supported\":[\"header\"]}",
                  settings->jwt_resource, settings->jwt_issuer, auth->scopes[0] ? scopes : "");
    free(scopes);
    return auth;
}

void
http_auth_destroy(struct http_auth *auth)
{
    if (auth) {
        free(auth->document);
        free(auth->document_url);
        free(auth->path);
        free(auth->issuer_url);
        free(auth->scopes);
        free(auth);
    }
}

static void
refuse_metadata(struct connection *c)
{
    connection_refuse(c, false, 404, "not_found",
                      "this server is not protected by an authorization server", NULL);
}

/* Behind the well-known path stands that of the endpoint, as clients or as this server know it. */
void
http_resource_metadata(struct connection *c, const struct http_parser *p)
{
    const struct http_auth *auth = c->server->auth;
    struct slice path = http_path(p);
    size_t len = strlen(RESOURCE_METADATA);
    struct slice rest = {path.data + len, path.len - len};

    if (auth && (!rest.len || slice_is(rest, auth->path) || http_is_mcp(c->server, rest))) {
        connection_answer(c, 200, "application/json", "Cache-Control: public, max-age=3600\r\n",
                          slice_of(auth->document));
    } else {
        refuse_metadata(c);
    }
}

/* Clients of 2025-03-26 look for the authorization server here: they are sent there. */
void
http_issuer_metadata(struct connection *c, const struct http_parser *p)
{
    const struct http_auth *auth = c->server->auth;
    char extra[512];

    (void)p;
    if (auth) {
        snprintf(extra, sizeof extra, "Location: %s\r\nCache-Control: public, max-age=3600\r\n",
                 auth->issuer_url);
        connection_answer(c, 302, NULL, extra, SLICE_NONE);
    } else {
        refuse_metadata(c);
    }
}

/* ---- What a request shows ---- */

static const struct slice scheme = {"Bearer", 6};

/* Whether the header is of our scheme; another's is as good as none. */
static bool
is_bearer(struct slice value)
{
    return value.len >= scheme.len && http_same((struct slice){value.data, scheme.len}, scheme) &&
           (value.len == scheme.len || value.data[scheme.len] == ' ');
}

/* The credentials of "Bearer CREDENTIALS"; may be empty. */
static struct slice
credentials(struct slice value)
{
    return is_bearer(value)
               ? http_trim((struct slice){value.data + scheme.len, value.len - scheme.len})
               : SLICE_NONE;
}

/* What a token is made of: RFC 6750, b64token. */
static bool
is_token(struct slice s)
{
    size_t len = s.len;

    while (len && s.data[len - 1] == '=') {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        char c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c && strchr("-._~+/", c)))) {
            return false;
        }
    }
    return len > 0;
}

static bool
query_has_token(struct slice query)
{
    static const struct slice names[] = {{"access_token=", 13}, {"token=", 6}};

    for (size_t at = 0; at < query.len; at++) {
        for (size_t i = 0; i < 2 && (at == 0 || query.data[at - 1] == '&'); i++) {
            if (query.len - at >= names[i].len &&
                http_same((struct slice){query.data + at, names[i].len}, names[i])) {
                return true;
            }
        }
    }
    return false;
}

bool
http_asks_token(const struct http_server *s)
{
    return s->context.token || s->auth;
}

struct slice
http_principal(const struct connection *c)
{
    return c->grant                   ? slice_of(c->grant->principal)
           : c->server->context.token ? SLICE("token")
                                      : SLICE("anyone");
}

static void
let_in(struct connection *c)
{
    c->server->unchecked -= !c->checked;
    c->checked = true;
}

/* ---- This server's own token ---- */

/* Takes as long whatever the bytes are: how many of them were right cannot be measured. */
static bool
is_secret(struct slice shown, const char *secret, size_t len)
{
    volatile uint64_t different = shown.len ^ len;
    size_t common = shown.len < len ? shown.len : len, i = 0;
    uint64_t a, b;

    for (; common - i >= sizeof a; i += sizeof a) {
        memcpy(&a, shown.data + i, sizeof a);
        memcpy(&b, secret + i, sizeof b);
        different |= a ^ b;
    }
    for (; i < common; i++) {
        different |= (unsigned char)(shown.data[i] ^ secret[i]);
    }
    return !different;
}

static void
check_own(struct connection *c, const char *token, struct slice shown, struct verdict *v)
{
    size_t len = strlen(token);

    if (is_secret(shown, token, len)) {
        let_in(c);
    } else if (!shown.data) {
        http_refuse(v, 401, "unauthorized",
                    "a token is needed: send \"Authorization: Bearer TOKEN\" with what the file "
                    "\"token\" in the data folder holds",
                    "WWW-Authenticate: Bearer\r\n");
    } else {
        http_refuse(v, 401, "unauthorized",
                    "this is not the token of this server; read the file \"token\" in the data "
                    "folder again",
                    "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
    }
}

/* ---- Tokens of an authorization server ---- */

/* On the thread that looks at the keys. */
static void
keys_are_there(struct jwks_waiter *waiter)
{
    struct connection *c =
        (struct connection *)((char *)waiter - offsetof(struct connection, waiter));

    http_server_post_recheck(c->server, c);
}

static void
refuse_token(const struct http_auth *auth, const struct fault *f, struct verdict *v)
{
    log_warn_rl("a token was refused", F_STR("why", f->text));
    http_refuse(v, 401, "unauthorized",
                "the token is not accepted; get another one from the authorization server",
                "WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"%s\", "
                "resource_metadata=\"%s\", scope=\"%s\"\r\n",
                f->text, auth->document_url, auth->scopes);
}

static void
check_grant(struct connection *c, struct slice token, struct verdict *v)
{
    const struct http_auth *auth = c->server->auth;
    struct fault f = FAULT_INIT;

    c->waiter.ready = keys_are_there;
    connection_ref(c); /* The waiter's, if it comes to that. */
    switch (access_check(auth->access, token, c->waited ? NULL : &c->waiter, &c->grant, &f)) {
    case ACCESS_LATER:
        v->later = true;
        return;
    case ACCESS_GRANTED:
        let_in(c);
        break;
    case ACCESS_REFUSED:
        refuse_token(auth, &f, v);
        break;
    case ACCESS_UNKNOWN:
        http_refuse(v, 503, "keys_unavailable",
                    "the keys of the authorization server cannot be had now, so nobody can say "
                    "whether the token is good; try again soon",
                    "Retry-After: 5\r\n");
        break;
    }
    connection_unref(c);
}

static void
check_issued(struct connection *c, struct slice value, struct verdict *v)
{
    const struct http_auth *auth = c->server->auth;

    if (!is_bearer(value)) {
        http_refuse(v, 401, "unauthorized",
                    "a token of the authorization server is needed: see resource_metadata in "
                    "WWW-Authenticate",
                    "WWW-Authenticate: Bearer resource_metadata=\"%s\", scope=\"%s\"\r\n",
                    auth->document_url, auth->scopes);
    } else if (!is_token(credentials(value))) {
        http_refuse(v, 400, "invalid_request", "the Authorization header is not \"Bearer TOKEN\"",
                    "WWW-Authenticate: Bearer error=\"invalid_request\"\r\n");
    } else {
        check_grant(c, credentials(value), v);
    }
}

void
http_check_token(struct connection *c, const struct http_parser *p, bool own, struct verdict *v)
{
    const struct transport_context *context = &c->server->context;
    struct slice value = http_header(p, HTTP_HEADER_AUTHORIZATION);

    grant_unref(c->grant);
    c->grant = NULL;
    if (!own && !http_asks_token(c->server)) {
        return;
    }
    if (query_has_token(http_query(p)) || http_header_repeated(p, HTTP_HEADER_AUTHORIZATION)) {
        http_refuse(v, 400, "invalid_request",
                    "a token is sent once, in the Authorization header, and never in the URL",
                    "WWW-Authenticate: Bearer error=\"invalid_request\"\r\n");
    } else if (c->server->auth && !own) {
        check_issued(c, value, v);
    } else {
        struct slice shown = credentials(value);

        if (value.data && !shown.data) {
            shown = SLICE(""); /* Something was shown, and it is no good. */
        }
        check_own(c, own ? context->own_token : context->token, shown, v);
    }
}

void
http_check_shown(struct connection *c, struct slice token, struct verdict *v)
{
    grant_unref(c->grant);
    c->grant = NULL;
    if (!token.data) {
        http_refuse(v, 401, "unauthorized", "a token is needed: say it in hello, as \"token\"",
                    "%s", "");
    } else if (!c->server->auth) {
        check_own(c, c->server->context.token, token, v);
    } else if (!is_token(token)) {
        http_refuse(v, 401, "unauthorized", "what hello shows is no token", "%s", "");
    } else {
        c->waited = true; /* Nobody could tell it later. */
        check_grant(c, token, v);
    }
}

size_t
http_challenge_scope(const struct connection *c, struct slice scope, char *out, size_t size)
{
    const struct http_auth *auth = c->server->auth;

    out[0] = '\0';
    if (!scope.len || !auth) {
        return 0;
    }
    return (size_t)snprintf(
        out, size,
        "WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"%.*s\", "
        "resource_metadata=\"%s\", error_description=\"the token does not "
        "allow this\"\r\n",
        (int)scope.len, scope.data, auth->document_url);
}
