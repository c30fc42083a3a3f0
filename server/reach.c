/* reach.c -- which server to talk to, and with which token. */
#include "server/reach.h"

#include <stdio.h>

#define SECOND INT64_C(1000000000)

/* The token of the data folder, if it is there; never made here. */
static void
take_token(struct context *context, struct reach *r)
{
    struct discovery d = DISCOVERY_INIT;
    char token[TOKEN_SIZE];

    if (!context->project.data) {
        return;
    }
    if (discovery_read(context->project.data, &d, NULL) == E_OK && d.token) {
        snprintf(r->token, sizeof r->token, "%s", d.token);
    } else if (dir_is_file(context->project.data, "token") &&
               discovery_token(context->project.data, token, NULL) == E_OK) {
        snprintf(r->token, sizeof r->token, "%s", token);
        explicit_bzero(token, sizeof token);
    }
    discovery_fini(&d);
}

enum err
reach_find(struct context *context, const char *url, struct reach *r, struct fault *f)
{
    enum err err;

    *r = (struct reach){.remote = false};
    err = project_open_data(&context->project, false, &r->absent);
    if (err && err != E_NOT_FOUND) {
        *f = r->absent;
        return err;
    }
    if (url) {
        err = client_parse_url(url, &r->target, f);
        r->remote = !err;
        if (!err && listen_is_local(&r->target.address)) {
            take_token(context, r);
        }
        return err;
    }
    if (!err) {
        err = discovery_read(context->project.data, &r->discovery, &r->absent);
    } else {
        fault_set(&r->absent, E_NOT_FOUND, "the project has no %s folder",
                  context->project.data_name);
    }
    if (!err && r->discovery.url) {
        if (r->discovery.token) {
            snprintf(r->token, sizeof r->token, "%s", r->discovery.token);
        }
        err = client_parse_url(r->discovery.url, &r->target, f);
        r->remote = !err;
        return err;
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
    explicit_bzero(r->token, sizeof r->token);
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
        .token = r->token[0] ? r->token : NULL,
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
