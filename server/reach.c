/* reach.c -- which server to talk to, and with which token. */
#include "server/reach.h"

#include "server/secret.h"
#include "server/token.h"

#include <stdio.h>

#define SECOND INT64_C(1000000000)

static const char *
variable(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] ? value : NULL;
}

/* The token that the settings name, or that of the data folder if it is there; never made here.
 * Who cannot have it may ask without: the server says if that will not do. */
static void
take_own_token(const struct context *context, struct reach *r)
{
    bool there = token_is_given(context->settings) ||
                 (context->project.data && dir_is_file(context->project.data, "token"));
    char token[TOKEN_SIZE];

    if (there && token_read(context, token, NULL) == E_OK) {
        r->token = xstrdup(token);
        explicit_bzero(token, sizeof token);
    }
}

/* The token of the project's server. */
static void
take_project_token(const struct context *context, struct reach *r)
{
    struct discovery d = DISCOVERY_INIT;

    if (context->project.data && discovery_read(context->project.data, &d, NULL) == E_OK &&
        d.token) {
        r->token = xstrdup(d.token);
    } else {
        take_own_token(context, r);
    }
    discovery_fini(&d);
}

/* The token that somebody has given for it. */
static enum err
take_given_token(struct reach *r, struct fault *f)
{
    const char *token = variable(CLIENT_TOKEN);

    for (const char *p = token; p && *p; p++) {
        if (*p <= ' ' || *p > '~') {
            fault_set(f, E_ARGUMENT, CLIENT_TOKEN " has a character that no token has");
            return fault_remedy(f, "\"tandem env\" prints the one of the project's server");
        }
    }
    r->token = token ? xstrdup(token) : NULL;
    return E_OK;
}

/* The server at 'url', which was named. */
static enum err
take_url(struct context *context, const char *url, struct reach *r, struct fault *f)
{
    enum err err = client_parse_url(url, &r->target, f);

    r->remote = !err;
    r->url = xstrdup(url);
    if (!err && !r->token && listen_is_local(&r->target.address)) {
        take_project_token(context, r);
    }
    return err;
}

/* The server that server.json names. */
static enum err
take_discovered(const struct context *context, struct reach *r, struct fault *f)
{
    enum err err = client_parse_url(r->discovery.url, &r->target, f);

    r->remote = !err;
    r->url = xstrdup(r->discovery.url);
    if (!r->token && r->discovery.token) {
        r->token = xstrdup(r->discovery.token);
    } else if (!r->token && token_is_given(context->settings)) {
        take_own_token(context, r);
    }
    return err;
}

enum err
reach_find(struct context *context, const char *url, struct reach *r, struct fault *f)
{
    enum err err;

    *r = (struct reach){.remote = false};
    err = take_given_token(r, f);
    if (err) {
        return err;
    }
    err = project_open_data(&context->project, false, &r->absent);
    if (err && err != E_NOT_FOUND) {
        *f = r->absent;
        return err;
    }
    url = url ? url : variable(CLIENT_URL);
    if (url) {
        return take_url(context, url, r, f);
    }
    if (!err) {
        err = discovery_read(context->project.data, &r->discovery, &r->absent);
    } else {
        fault_set(&r->absent, E_NOT_FOUND, "the project has no %s folder",
                  context->project.data_name);
    }
    if (!err && r->discovery.url) {
        return take_discovered(context, r, f);
    }
    if (!err) {
        fault_set(&r->absent, E_NOT_FOUND, "process %ld serves its standard input only",
                  (long)r->discovery.pid);
    }
    return E_OK;
}

void
reach_fini(struct reach *r)
{
    discovery_fini(&r->discovery);
    secret_free(r->token);
    free(r->url);
}

enum err
reach_ask(const struct context *context, const struct reach *r, const char *method,
          const char *path, struct slice body, struct client_reply *reply, struct fault *f)
{
    const struct settings *settings = context->settings;
    bool tenant = settings->origins[SETTING_tenant_default_id] != ORIGIN_DEFAULT;
    char header[128] = "";
    struct client_request request = {
        .method = method,
        .path = path,
        .token = r->token,
        .body = body,
        /* The server ends a call in its own time; this is for one that does not answer at all. */
        .timeout_ns = settings->limits_call_time + 10 * SECOND,
        .headers = header,
    };

    if (tenant) { /* Which the server's own settings need not name. */
        snprintf(header, sizeof header, "X-Client-ID: %s\r\n", settings->tenant_default_id);
    }
    return client_exchange(&r->target, &request, reply, f);
}
