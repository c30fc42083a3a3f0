/* settings_check.c -- what must hold between settings, and what a value must be beyond its type. */
#include "state/settings.h"

#include "state/bus_pattern.h"
#include "state/embed_configured.h"
#include "state/fetch.h"
#include "state/quota_rules.h"
#include "state/tenant_id.h"

#include <ctype.h>

/* ---- What --auth jwt needs ---- */

#define JWT_TEXT_MAX 200 /* Bytes: all of them stand in one header line. */

/* Text that can stand between quotes in a header. */
static bool
is_quotable(const char *text)
{
    return strlen(text) <= JWT_TEXT_MAX &&
           text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                             "-._~:/?#[]@!$&'()*+,;=%")] == '\0';
}

/* An absolute URL in the one form that compares byte by byte: scheme and host in lower case,
 * neither query nor fragment, no slash at its end. */
static bool
is_canonical_url(const char *url)
{
    const char *host = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : NULL;
    size_t len = host ? strcspn(host, "/") : 0;

    if (!len || !is_quotable(url) || strpbrk(url, "#?") || memchr(host, '@', len)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (isupper((unsigned char)host[i])) {
            return false;
        }
    }
    return url[strlen(url) - 1] != '/';
}

static bool
scopes_can_be_told(const char *list)
{
    struct slice item;

    if (strlen(list) > JWT_TEXT_MAX) {
        return false;
    }
    while (settings_next_item(&list, &item)) {
        for (size_t i = 0; i < item.len; i++) {
            if (item.data[i] <= ' ' || item.data[i] > '~' || strchr("\"\\", item.data[i])) {
                return false;
            }
        }
    }
    return true;
}

static enum err
check_jwt(const struct settings *s, struct fault *f)
{
    if (!s->jwt_issuer[0] || !s->jwt_resource[0] || !s->jwt_keys[0]) {
        fault_set(f, E_ARGUMENT, "auth: jwt needs %s",
                  !s->jwt_issuer[0]     ? "jwt.issuer, the authorization server's URL"
                  : !s->jwt_resource[0] ? "jwt.resource, the URL of this server's MCP endpoint"
                                        : "jwt.keys, where the authorization server's keys are");
        return fault_remedy(f, "set jwt.issuer, jwt.resource and jwt.keys");
    }
    if (strncmp(s->jwt_issuer, "http", 4) != 0 || !is_quotable(s->jwt_issuer)) {
        return fault_set(f, E_ARGUMENT, "jwt.issuer: \"%.40s\" is not a URL", s->jwt_issuer);
    }
    if (!is_canonical_url(s->jwt_resource)) {
        return fault_set(f, E_ARGUMENT,
                         "jwt.resource: \"%.60s\" is not a URL such as "
                         "https://tandem.example.com/mcp (host in lower case, no query, no "
                         "fragment, no slash at its end)",
                         s->jwt_resource);
    }
    if (strstr(s->jwt_keys, "://") && !fetch_allowed(s->jwt_keys)) {
        return fault_set(f, E_ARGUMENT,
                         "jwt.keys: \"%.60s\" is neither an https URL nor a file (http is for "
                         "this machine only)",
                         s->jwt_keys);
    }
    if (!scopes_can_be_told(s->jwt_scopes)) {
        return fault_set(f, E_ARGUMENT, "jwt.scopes: these are no names of scopes");
    }
    return E_OK;
}

/* ---- Tenants ---- */

static enum err
check_tenants(const struct settings *s, struct fault *f)
{
    struct slice bad;

    if (!tenant_id_valid(slice_of(s->tenant_default_id))) {
        return fault_set(f, E_ARGUMENT, "tenant.default_id: \"%.40s\" is no tenant's id: %s",
                         s->tenant_default_id, TENANT_ID_RULE);
    }
    if (!*s->tenant_meta_key || strlen(s->tenant_meta_key) > 128) {
        return fault_set(f, E_ARGUMENT, "tenant.meta_key: a key has 1 to 128 bytes");
    }
    if (!tenant_bindings_valid(s->tenant_bindings, &bad)) {
        fault_set(f, E_ARGUMENT, "tenant.bindings: \"%.*s\" is not PRINCIPAL=ID",
                  (int)(bad.len < 60 ? bad.len : 60), bad.data);
        return fault_remedy(f, "such as token=acme; %s", TENANT_ID_RULE);
    }
    return E_OK;
}

/* ---- Events ---- */

static enum err
check_patterns(const struct settings *s, struct fault *f)
{
    struct bus_patterns patterns = {.count = 0};
    const char *list = s->relay_patterns;
    enum err err = E_OK;
    struct fault why = FAULT_INIT;
    struct slice item;

    while (!err && settings_next_item(&list, &item)) {
        err = bus_patterns_add(&patterns, item, &why);
    }
    bus_patterns_fini(&patterns);
    return err ? fault_set(f, E_ARGUMENT, "relay.patterns: %s", why.text) : E_OK;
}

/* ---- Quotas ---- */

static enum err
check_quota(const struct settings *s, struct fault *f)
{
    struct fault why = FAULT_INIT;
    struct quota_rules *rules;

    if (s->quota_warn > s->quota_critical) {
        return fault_set(f, E_ARGUMENT, "quota.warn (%u) is above quota.critical (%u)",
                         s->quota_warn, s->quota_critical);
    }
    if (quota_rules_parse(s->quota_services, s->quota_warn, s->quota_critical, &rules, &why)) {
        fault_set(f, E_ARGUMENT, "quota.services: %s", why.text);
        return fault_remedy(f, "%s", why.remedy);
    }
    quota_rules_unref(rules);
    return E_OK;
}

enum err
settings_check(const struct settings *s, struct fault *f)
{
    if (s->ports_first > s->ports_last) {
        return fault_set(f, E_ARGUMENT, "ports.first (%u) is above ports.last (%u)", s->ports_first,
                         s->ports_last);
    }
    if (*s->helpdesk_url && !fetch_allowed(s->helpdesk_url)) {
        return fault_set(f, E_ARGUMENT,
                         "helpdesk.url: \"%.60s\" is no https URL (http is for this machine only)",
                         s->helpdesk_url);
    }
    if (s->workers_reserve >= s->workers_threads) {
        return fault_set(f, E_ARGUMENT,
                         "workers.reserve (%u) must be less than workers.threads (%u)",
                         s->workers_reserve, s->workers_threads);
    }
    if (s->http_path[0] != '/' || strlen(s->http_path) > 100 || strpbrk(s->http_path, "?# \t") ||
        (s->http_path[1] && s->http_path[strlen(s->http_path) - 1] == '/')) {
        return fault_set(f, E_ARGUMENT,
                         "http_path: \"%.40s\" is not a path such as /mcp (at most 100 bytes, no "
                         "slash at its end)",
                         s->http_path);
    }
    if (check_tenants(s, f) || embed_check(s, f) || check_patterns(s, f) || check_quota(s, f)) {
        return E_ARGUMENT;
    }
    return s->auth == AUTH_JWT ? check_jwt(s, f) : E_OK;
}
