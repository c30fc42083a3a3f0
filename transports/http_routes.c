/* http_routes.c -- what a request's head must satisfy before anything is done for it.
 *
 * The order is that of the protections: Host and Origin first, since a web page that was tricked
 * into sending here must learn nothing; then path and method; then the token; then the media type.
 * Each check is cheaper than the one after it, and none waits for the body. */
#include "transports/http_private.h"

#include "transports/bridge.h"

#include <stdio.h>
#include <sys/socket.h>

#define BIT(METHOD) (1u << HTTP_METHOD_##METHOD)

static const struct route routes[] = {
    {NULL, .mcp = true, .methods = BIT(GET) | BIT(POST) | BIT(DELETE), .allow = "GET, POST, DELETE",
     .handle = http_mcp},
    {"/api/tools/", .prefix = true, .methods = BIT(POST), .allow = "POST", .handle = http_tool},
    {"/api/tools", .methods = BIT(GET) | BIT(HEAD), .allow = "GET, HEAD", .handle = http_tools},
    {"/api/resources", .methods = BIT(GET) | BIT(HEAD), .allow = "GET, HEAD",
     .handle = http_resource},
    {"/api/events", .methods = BIT(POST), .allow = "POST", .handle = http_event},
    {"/events", .methods = BIT(GET), .allow = "GET", .handle = http_events},
    {"/ws", .relay = true, .methods = BIT(GET), .allow = "GET", .handle = http_ws_relay},
    {BRIDGE_PATH, .own = true, .methods = BIT(GET), .allow = "GET", .handle = http_bridge},
    {"/metrics", .metrics = true, .methods = BIT(GET) | BIT(HEAD), .allow = "GET, HEAD",
     .handle = http_metrics},
    {"/", .open = true, .methods = BIT(GET) | BIT(HEAD), .allow = "GET, HEAD",
     .handle = http_console},
    {"/console/", .prefix = true, .open = true, .methods = BIT(GET) | BIT(HEAD),
     .allow = "GET, HEAD", .handle = http_console},
    {"/health", .open = true, .methods = BIT(GET) | BIT(HEAD), .allow = "GET, HEAD",
     .handle = http_health},
    {"/ready", .open = true, .methods = BIT(GET) | BIT(HEAD), .allow = "GET, HEAD",
     .handle = http_ready},
    {"/.well-known/oauth-protected-resource", .open = true, .any_origin = true,
     .methods = BIT(GET) | BIT(HEAD), .allow = "GET, HEAD", .handle = http_resource_metadata},
    {"/.well-known/oauth-protected-resource/", .prefix = true, .open = true, .any_origin = true,
     .methods = BIT(GET) | BIT(HEAD), .allow = "GET, HEAD", .handle = http_resource_metadata},
    {"/.well-known/oauth-authorization-server", .open = true, .any_origin = true,
     .methods = BIT(GET) | BIT(HEAD), .allow = "GET, HEAD", .handle = http_issuer_metadata},
};

/* A configured origin may be this long; what is longer is never allowed. */
#define ORIGIN_MAX 255

void
http_refuse(struct verdict *v, int status, const char *word, const char *text, const char *format,
            ...)
{
    va_list args;

    v->status = status;
    v->word = word;
    v->text = text;
    va_start(args, format);
    vsnprintf(v->extra, sizeof v->extra, format, args);
    va_end(args);
}

/* ---- Paths ---- */

bool
http_is_mcp(const struct http_server *s, struct slice path)
{
    const char *mcp = s->context.settings->http_path;
    size_t len = strlen(mcp);

    return path.len >= len && memcmp(path.data, mcp, len) == 0 &&
           (path.len == len || (path.len == len + 1 && path.data[len] == '/'));
}

static const struct route *
find_route(const struct http_server *s, struct slice path)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        const struct route *r = &routes[i];
        size_t len = r->path ? strlen(r->path) : 0;

        if (r->own && !s->context.own_token) {
            continue;
        }
        if (!r->path    ? http_is_mcp(s, path)
            : r->prefix ? path.len > len && memcmp(path.data, r->path, len) == 0
                        : slice_is(path, r->path)) {
            return r;
        }
    }
    return NULL;
}

/* ---- Who asks ---- */

static bool
is_own_port(const struct http_server *s, unsigned port)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        if (port && port == s->listeners[i].port) {
            return true;
        }
    }
    return false;
}

/* The names that are always this machine's own, with its port or none; and those of the settings,
 * with the port given there, or any if none is. */
static bool
host_allowed(const struct http_server *s, struct slice host, unsigned port)
{
    static const struct slice own[] = {{"127.0.0.1", 9}, {"localhost", 9}, {"[::1]", 5}};
    const char *list = s->context.settings->allow_host;
    struct slice item, item_host;
    unsigned item_port;

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (http_same(host, own[i]) && (port == 0 || is_own_port(s, port))) {
            return true;
        }
    }
    while (settings_next_item(&list, &item)) {
        if (http_authority(item, &item_host, &item_port) && http_same(host, item_host) &&
            (item_port == 0 || item_port == port)) {
            return true;
        }
    }
    return false;
}

/* The item of the settings that allows 'origin', or none. */
static struct slice
origin_listed(const struct http_server *s, struct slice origin)
{
    const char *list = s->context.settings->allow_origin;
    struct slice item;

    while (origin.data && settings_next_item(&list, &item)) {
        if (item.len <= ORIGIN_MAX && http_same(item, origin)) {
            return item;
        }
    }
    return SLICE_NONE;
}

/* Pages that this server itself has sent: its scheme, one of its names, its port. */
static bool
origin_is_own(const struct http_server *s, struct slice origin)
{
    static const struct slice scheme = {"http://", 7};
    struct slice rest = {origin.data + scheme.len, origin.len - scheme.len}, host;
    unsigned port;

    return origin.len > scheme.len && http_same((struct slice){origin.data, scheme.len}, scheme) &&
           http_authority(rest, &host, &port) && is_own_port(s, port ? port : 80) &&
           host_allowed(s, host, port);
}

static void
check_peer(struct connection *c, const struct http_parser *p, const struct route *route,
           struct verdict *v)
{
    const struct http_server *s = c->server;
    struct slice target = http_target_authority(p), origin = http_header(p, HTTP_HEADER_ORIGIN);
    unsigned port, target_port;
    struct slice host = http_host(p, &port), target_host;

    /* HTTP/1.0 may leave Host out; then nobody says which server was meant, and it is refused too.
     */
    if (!host.data || !host_allowed(s, host, port) ||
        (target.data && !(http_authority(target, &target_host, &target_port) &&
                          host_allowed(s, target_host, target_port)))) {
        http_refuse(v, 403, "host_refused", "this Host is not served here; allow_host adds one",
                    "%s", "");
        return;
    }
    if (route && route->any_origin) {
        c->origin = SLICE("*");
        return;
    }
    c->origin = origin_listed(s, origin);
    if (http_header_repeated(p, HTTP_HEADER_ORIGIN) ||
        (origin.data && !c->origin.data && !origin_is_own(s, origin))) {
        http_refuse(v, 403, "origin_refused",
                    "pages of this Origin may not call here; allow_origin adds one", "%s", "");
    }
}

/* ---- What is sent ---- */

/* "application/json", in UTF-8 if it says in what. */
static bool
is_json(struct slice type)
{
    const char *semicolon = type.len ? memchr(type.data, ';', type.len) : NULL;
    struct slice rest = SLICE_NONE, name = type;

    if (semicolon) {
        name.len = (size_t)(semicolon - type.data);
        rest = (struct slice){semicolon + 1, type.len - name.len - 1};
    }
    if (!http_same(http_trim(name), SLICE("application/json"))) {
        return false;
    }
    rest = http_trim(rest);
    if (rest.len < 8 || !http_same((struct slice){rest.data, 8}, SLICE("charset="))) {
        return true;
    }
    rest = (struct slice){rest.data + 8, rest.len - 8};
    return http_same(rest, SLICE("utf-8")) || http_same(rest, SLICE("\"utf-8\""));
}

static void
check_media(const struct http_parser *p, struct verdict *v)
{
    if (http_header(p, HTTP_HEADER_CONTENT_ENCODING).data) {
        http_refuse(v, 415, "unsupported_encoding", "send the body without Content-Encoding",
                    "Accept-Encoding: identity\r\n");
    } else if (p->method == HTTP_METHOD_POST &&
               (http_header_repeated(p, HTTP_HEADER_CONTENT_TYPE) ||
                !is_json(http_header(p, HTTP_HEADER_CONTENT_TYPE)))) {
        http_refuse(v, 415, "unsupported_media_type",
                    "send the body as Content-Type: application/json, in UTF-8",
                    "Accept: application/json\r\n");
    }
}

/* Two values are none: a proxy and this server could take different ones. */
static void
check_client_id(const struct http_parser *p, struct verdict *v)
{
    if (http_header_repeated(p, HTTP_HEADER_CLIENT_ID)) {
        http_refuse(v, 400, "invalid_argument", "there are two X-Client-ID headers; send one", "%s",
                    "");
    }
}

static void
check_method(const struct http_parser *p, const struct route *route, struct verdict *v)
{
    if (!(route->methods & 1u << p->method)) {
        http_refuse(v, 405, "method_not_allowed",
                    "this path takes only the methods that the Allow header names", "Allow: %s\r\n",
                    route->allow);
    }
}

/* ---- CORS ---- */

/* Headers that a page may send: these, and those of a tool's parameters, which have to be named. */
static void
answer_preflight(const struct http_parser *p, const struct route *route, struct verdict *v)
{
    static const struct slice prefix = {"mcp-param-", 10};
    struct slice list = http_header(p, HTTP_HEADER_CORS_HEADERS), name;
    size_t len;

    v->status = 204;
    len = (size_t)snprintf(v->extra, sizeof v->extra,
                           "Access-Control-Allow-Methods: %s, OPTIONS\r\n"
                           "Access-Control-Max-Age: 600\r\n"
                           "Access-Control-Allow-Headers: Content-Type, Accept, Authorization, "
                           "MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, "
                           "Last-Event-ID, X-Client-ID",
                           route->allow);
    while (http_list_next(&list, &name)) {
        if (name.len > prefix.len && http_same((struct slice){name.data, prefix.len}, prefix) &&
            http_token(name) && len + name.len + 5 <= sizeof v->extra) {
            len += (size_t)snprintf(v->extra + len, sizeof v->extra - len, ", %.*s", (int)name.len,
                                    name.data);
        }
    }
    snprintf(v->extra + len, sizeof v->extra - len, "\r\n");
}

static void
check_content(const struct http_parser *p, struct verdict *v)
{
    check_media(p, v);
    if (!v->status) {
        check_client_id(p, v);
    }
}

/* The relay may be shown its token in the first message instead; figures may be open to all. */
static bool
asks_token(const struct connection *c, const struct http_parser *p, const struct route *route)
{
    if (route->relay && !http_header(p, HTTP_HEADER_AUTHORIZATION).data) {
        return false;
    }
    return !route->open && !(route->metrics && c->server->context.settings->metrics_open);
}

const struct route *
http_route(struct connection *c, const struct http_parser *p, struct verdict *v)
{
    const struct route *route = find_route(c->server, http_path(p));

    c->origin = SLICE_NONE;
    check_peer(c, p, route, v);
    if (!v->status && !route) {
        http_refuse(
            v, 404, "not_found",
            "there is nothing at this path; /mcp is the MCP endpoint, /api/tools is for scripts",
            "%s", "");
    }
    if (!v->status && p->method == HTTP_METHOD_OPTIONS && c->origin.data) {
        answer_preflight(p, route, v);
    }
    if (!v->status && !(route->mcp && http_ws_wanted(p))) {
        check_method(p, route, v);
    }
    c->shown = false;
    if (!v->status && asks_token(c, p, route)) {
        http_check_token(c, p, route->own, v);
        c->shown = !v->status;
    }
    if (!v->status && !v->later) {
        check_content(p, v);
    }
    if (!v->status && !v->later && (route->relay || (route->mcp && http_ws_wanted(p)))) {
        http_ws_check(p, route->mcp ? WS_SUBPROTOCOL : NULL, v);
    }
    return route;
}

static unsigned
find_param(const struct envelope *env, struct slice name, struct slice *value)
{
    struct slice other, found, last = SLICE_NONE;
    unsigned values = 0;

    for (unsigned i = 0; http_header_next(env->transport_data, &i, &other, &found);) {
        if (http_same(other, name) && (!values || !slice_equal(found, last))) {
            *value = values ? *value : found;
            last = found;
            values++;
        }
    }
    return values;
}

/* The last address of the last X-Forwarded-For: the one that our own proxy has written. */
static struct slice
forwarded_for(const struct http_parser *p)
{
    struct slice name, value, list = SLICE_NONE, item, last = SLICE_NONE;

    for (unsigned i = 0; http_header_next(p, &i, &name, &value);) {
        list = http_same(name, SLICE("X-Forwarded-For")) ? value : list;
    }
    while (http_list_next(&list, &item)) {
        last = item;
    }
    return last;
}

static void
find_address(struct connection *c)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;

    if (getpeername(c->fd, (struct sockaddr *)&address, &len) != 0 ||
        uv_ip_name((struct sockaddr *)&address, c->address, sizeof c->address) != 0) {
        snprintf(c->address, sizeof c->address, "local");
    }
}

/* Who is at the other end. */
static struct slice
peer_of(struct connection *c, const struct http_parser *p)
{
    struct slice forwarded = SLICE_NONE;

    if (c->server->context.settings->http_trust_forwarded) {
        forwarded = forwarded_for(p);
    }
    if (forwarded.len) {
        return forwarded;
    }
    if (!c->address[0]) {
        find_address(c);
    }
    return slice_of(c->address);
}

void
http_fill_envelope(struct connection *c, const struct http_parser *p, struct envelope *env)
{
    *env = (struct envelope){
        .transport = TRANSPORT_HTTP,
        .came_ns = c->server->now_ns,
        .room = &c->server->room,
        .rate = &c->calls,
        .principal = http_principal(c),
        .scopes = c->grant ? slice_of(c->grant->scopes) : SLICE_NONE,
        .tenants = c->grant ? slice_of(c->grant->tenants) : SLICE_NONE,
        .peer = peer_of(c, p),
        .client_id = http_header(p, HTTP_HEADER_CLIENT_ID),
        .session_id = http_header(p, HTTP_HEADER_SESSION_ID),
        .protocol_version = http_header(p, HTTP_HEADER_PROTOCOL_VERSION),
        .method = http_header(p, HTTP_HEADER_MCP_METHOD),
        .name = http_header(p, HTTP_HEADER_MCP_NAME),
        .param_header = find_param,
        .transport_data = p,
    };
}
