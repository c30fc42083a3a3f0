/* http_routes.c -- what a request's head must satisfy before anything is done for it.
 *
 * The order is that of the protections: Host and Origin first, since a web page that was tricked into sending here
 * must learn nothing; then path and method; then the token; then the media type. Each check is cheaper
 * than the one after it. */
#include "transports/http_private.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <strings.h>

#define BIT(METHOD) (1u << HTTP_METHOD_##METHOD)

static const struct route routes[] = {
    {"/mcp", .mcp = true, .methods = BIT(POST) | BIT(DELETE), .allow = "POST, DELETE",
     .why_405 = "; streams by GET are not served yet", .handle = http_mcp},
    {"/api/tools/", .prefix = true, .methods = BIT(POST), .allow = "POST", .handle = http_tool},
    {"/api/tools", .methods = BIT(GET) | BIT(HEAD), .allow = "GET, HEAD", .handle = http_tools},
    {"/health", .open = true, .methods = BIT(GET) | BIT(HEAD), .allow = "GET, HEAD",
     .handle = http_health},
    {"/ready", .open = true, .methods = BIT(GET) | BIT(HEAD), .allow = "GET, HEAD",
     .handle = http_ready},
};

static bool
equal_fold(struct slice s, const char *text)
{
    return s.len == strlen(text) && strncasecmp(s.data, text, s.len) == 0;
}

/* Splits "name:port" ("[::1]:port"); the port is 0 if there is none, -1 if it is no number. */
static struct slice
split_port(struct slice host, int *port)
{
    const char *end = host.data + host.len, *colon = NULL;

    for (const char *p = end; p > host.data && p[-1] != ']'; p--) {
        if (p[-1] == ':') {
            colon = p - 1;
            break;
        }
    }
    *port = 0;
    if (!colon) {
        return host;
    }
    for (const char *p = colon + 1; p < end; p++) {
        if (*p < '0' || *p > '9' || *port > 65535) {
            *port = -1;
            break;
        }
        *port = *port * 10 + (*p - '0');
    }
    return (struct slice){host.data, (size_t)(colon - host.data)};
}

static bool
host_allowed(const struct http_server *s, struct slice host)
{
    static const char *const own[] = {"localhost", "127.0.0.1", "[::1]"};
    const char *list = s->context.settings->allow_host;
    struct slice name, item;
    int port;

    name = split_port(host, &port);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (equal_fold(name, own[i]) && (port == 0 || (s->port && port == (int)s->port))) {
            return true;
        }
    }
    while (settings_next_item(&list, &item)) {
        int item_port;
        struct slice item_name = split_port(item, &item_port);

        if (item_name.len == name.len && strncasecmp(item_name.data, name.data, name.len) == 0 &&
            (item_port == 0 || item_port == port)) {
            return true;
        }
    }
    return false;
}

/* Whether 'origin' is on the list that CORS is for. */
static bool
origin_listed(const struct http_server *s, struct slice origin)
{
    const char *list = s->context.settings->allow_origin;
    struct slice item;

    while (settings_next_item(&list, &item)) {
        if (item.len == origin.len && strncasecmp(item.data, origin.data, item.len) == 0) {
            return true;
        }
    }
    return false;
}

static bool
origin_allowed(const struct http_server *s, struct slice origin)
{
    static const char scheme[] = "http://";
    struct slice rest = origin;
    int port;

    if (!origin.data || origin_listed(s, origin)) {
        return true;
    }
    if (origin.len <= sizeof scheme - 1 || strncasecmp(origin.data, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    rest.data += sizeof scheme - 1;
    rest.len -= sizeof scheme - 1;
    split_port(rest, &port);
    return host_allowed(s, rest) && s->port && port == (int)s->port;
}

/* 0: none shown; 1: the right one; -1: another. */
static int
token_shown(const struct http_server *s, const struct http_parser *p)
{
    struct slice value = http_header(p, HTTP_HEADER_AUTHORIZATION);
    size_t len = strlen(s->context.token);

    if (!value.data) {
        return 0;
    }
    if (http_header_repeated(p, HTTP_HEADER_AUTHORIZATION) || value.len < 7 ||
        strncasecmp(value.data, "Bearer ", 7) != 0) {
        return -1;
    }
    value.data += 7;
    value.len -= 7;
    while (value.len && *value.data == ' ') {
        value.data++;
        value.len--;
    }
    return value.len == len && CRYPTO_memcmp(value.data, s->context.token, len) == 0 ? 1 : -1;
}

static bool
query_has_token(const struct http_parser *p)
{
    struct slice query = http_query(p);

    for (size_t i = 0; i + 6 <= query.len; i++) {
        bool begins = i == 0 || query.data[i - 1] == '&' || query.data[i - 1] == '_';
        if (begins && strncasecmp(query.data + i, "token=", 6) == 0) {
            return true;
        }
    }
    return false;
}

static const struct route *
find_route(const struct http_server *s, struct slice path)
{
    const char *mcp = s->context.settings->http_path;
    size_t mcp_len = strlen(mcp);

    if (slice_is(path, mcp) ||
        (path.len == mcp_len + 1 && memcmp(path.data, mcp, mcp_len) == 0 && path.data[mcp_len] == '/')) {
        return &routes[0];
    }
    for (size_t i = 1; i < sizeof routes / sizeof routes[0]; i++) {
        size_t len = strlen(routes[i].path);
        if (routes[i].prefix ? path.len > len && memcmp(path.data, routes[i].path, len) == 0
                             : slice_is(path, routes[i].path)) {
            return &routes[i];
        }
    }
    return NULL;
}

/* Answers a browser's question whether a page of a listed origin may send here. */
static void
answer_preflight(struct connection *c, const struct route *route)
{
    char extra[512];

    snprintf(extra, sizeof extra,
             "Access-Control-Allow-Methods: %s, OPTIONS\r\n"
             "Access-Control-Allow-Headers: Content-Type, Accept, Authorization, "
             "MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID\r\n"
             "Access-Control-Max-Age: 600\r\n",
             route->allow);
    connection_answer(c, 204, NULL, extra, SLICE_NONE);
}

/* The parts of a check that need nothing but the head: null text means passed. */
struct verdict {
    int status;
    const char *word, *text;
    char extra[160];
};
#define PASSED ((struct verdict){0})

static struct verdict
check_peer(const struct http_server *s, const struct http_parser *p)
{
    struct slice host = http_header(p, HTTP_HEADER_HOST), target = http_target_authority(p);

    if ((host.data && !host_allowed(s, host)) || (target.data && !host_allowed(s, target))) {
        return (struct verdict){403, "host_refused",
                                "this Host is not served here; --allow-host adds one", ""};
    }
    if (http_header_repeated(p, HTTP_HEADER_ORIGIN) ||
        !origin_allowed(s, http_header(p, HTTP_HEADER_ORIGIN))) {
        return (struct verdict){403, "origin_refused",
                                "pages of this Origin may not call here; --allow-origin adds one", ""};
    }
    return PASSED;
}

static struct verdict
check_token(struct connection *c, const struct http_parser *p)
{
    int shown;

    if (!c->server->context.token) {
        return PASSED;
    }
    if (query_has_token(p)) {
        return (struct verdict){400, "invalid_request", "a token must not be in the URL",
                                "WWW-Authenticate: Bearer error=\"invalid_request\"\r\n"};
    }
    shown = token_shown(c->server, p);
    if (shown == 1) {
        if (!c->checked) {
            c->checked = true;
            c->server->unchecked--;
        }
        return PASSED;
    }
    if (shown == 0) {
        return (struct verdict){401, "unauthorized",
                                "a token is needed: send \"Authorization: Bearer TOKEN\" with the token "
                                "that the data folder's file \"token\" holds",
                                "WWW-Authenticate: Bearer\r\n"};
    }
    return (struct verdict){401, "unauthorized",
                            "this token is not the one of this server; read the data folder's file "
                            "\"token\" again",
                            "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"};
}

/* "application/json", with or without parameters. */
static bool
is_json(struct slice type)
{
    static const char json[] = "application/json";
    size_t len = sizeof json - 1;

    return type.len >= len && strncasecmp(type.data, json, len) == 0 &&
           (type.len == len || type.data[len] == ';' || type.data[len] == ' ' ||
            type.data[len] == '\t');
}

static struct verdict
check_media(const struct http_parser *p, const struct route *route)
{
    struct slice type = http_header(p, HTTP_HEADER_CONTENT_TYPE);
    bool wants_body = p->method == HTTP_METHOD_POST;

    if (http_header(p, HTTP_HEADER_CONTENT_ENCODING).data) {
        return (struct verdict){415, "unsupported_encoding", "send the body without Content-Encoding",
                                ""};
    }
    if (wants_body && (!is_json(type) || http_header_repeated(p, HTTP_HEADER_CONTENT_TYPE)) &&
        (p->has_body || route->mcp)) {
        return (struct verdict){415, "unsupported_media_type",
                                "send the body as Content-Type: application/json", ""};
    }
    return PASSED;
}

static struct verdict
check_method(const struct http_parser *p, const struct route *route)
{
    static const char *const base = "this path takes only the methods that Allow names";
    struct verdict v = {405, "method_not_allowed", base, ""};

    if (route->methods & 1u << p->method) {
        return PASSED;
    }
    if (route->why_405 && p->method == HTTP_METHOD_GET) {
        v.text = "streams by GET are not served here yet; POST a message instead";
    }
    snprintf(v.extra, sizeof v.extra, "Allow: %s\r\n", route->allow);
    return v;
}

const struct route *
http_route(struct connection *c, const struct http_parser *p)
{
    const struct http_server *s = c->server;
    const struct route *route = find_route(s, http_path(p));
    struct slice origin = http_header(p, HTTP_HEADER_ORIGIN);
    struct verdict v = check_peer(s, p);

    c->origin[0] = '\0';
    if (!v.status && origin.data && origin_listed(s, origin)) {
        snprintf(c->origin, sizeof c->origin, "%.*s", (int)origin.len, origin.data);
    }
    if (!v.status && !route) {
        v = (struct verdict){404, "not_found",
                             "there is nothing at this path; the MCP endpoint is /mcp, scripts use "
                             "/api/tools",
                             ""};
    }
    if (!v.status && p->method == HTTP_METHOD_OPTIONS && c->origin[0]) {
        answer_preflight(c, route);
        return NULL;
    }
    if (!v.status) {
        v = check_method(p, route);
    }
    if (!v.status && !route->open) {
        v = check_token(c, p);
    }
    if (!v.status) {
        v = check_media(p, route);
    }
    if (v.status) {
        connection_refuse(c, route && route->mcp, v.status, v.word, v.text, v.extra);
        return NULL;
    }
    return route;
}

static bool
find_param(const struct envelope *env, struct slice name, struct slice *value)
{
    return http_header_find(env->transport_data, name, value);
}

void
http_fill_envelope(const struct connection *c, const struct http_parser *p, struct envelope *env)
{
    *env = (struct envelope){
        .transport = TRANSPORT_HTTP,
        .principal = c->server->context.token ? SLICE("token") : SLICE("anyone"),
        .session_id = http_header(p, HTTP_HEADER_SESSION_ID),
        .protocol_version = http_header(p, HTTP_HEADER_PROTOCOL_VERSION),
        .method = http_header(p, HTTP_HEADER_MCP_METHOD),
        .name = http_header(p, HTTP_HEADER_MCP_NAME),
        .param_header = find_param,
        .transport_data = p,
    };
}
