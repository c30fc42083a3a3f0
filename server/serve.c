/* serve.c -- starts in order, waits, ends in reverse.
 *
 * DESIGN.  Signals are blocked before the first thread and read from a signalfd by main alone. */
#include "server/serve.h"

#include "server/hide.h"
#include "server/report.h"
#include "server/serve_private.h"
#include "server/token.h"
#include "state/base/keeper.h"
#include "state/base/log.h"
#include "state/config.h"
#include "state/state.h"
#include "state/version.h"

#include <assert.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

LOG_MODULE("serve");

static void
raise_descriptor_limit(const struct settings *settings)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        rlim_t wanted = (rlim_t)settings->limits_connections * 4 + 256; /* A WebSocket has three. */
        limit.rlim_cur = wanted > limit.rlim_cur ? wanted : limit.rlim_cur;
        limit.rlim_cur = limit.rlim_cur < limit.rlim_max ? limit.rlim_cur : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* Within the hard limit it cannot fail. */
    }
    if (limit.rlim_cur < (rlim_t)settings->limits_connections + 64) {
        log_warn("fewer descriptors than limits.connections needs",
                 F_UINT("descriptors", limit.rlim_cur),
                 F_UINT("connections", settings->limits_connections));
    }
}

/* Listens, and says where in server.json. */
static enum err
announce(struct server *s, struct fault *f)
{
    const struct listener *l = &s->listeners[0];
    const struct settings *settings = s->context->settings;
    struct discovery *d = &s->discovery;
    char url[LISTEN_URL_SIZE];
    enum err err;

    if (s->http) {
        err = serve_listen(s, f);
        if (err) {
            return err;
        }
        listen_url(l, settings->http_path, url);
        d->url = xstrdup(url);
        d->path = xstrdup(settings->http_path);
        d->host = l->host[0] ? xstrdup(l->host) : NULL;
        d->port = l->port;
        d->socket = l->socket_path[0] ? xstrdup(l->socket_path) : NULL;
        d->token =
            settings->auth == AUTH_TOKEN && !token_is_given(settings) ? xstrdup(s->token) : NULL;
    }
    d->transport = xstrdup(s->mode);
    d->version = xstrdup(TANDEM_VERSION);
    d->project_name = xstrdup(s->context->project.name);
    d->project_root = xstrdup(s->context->project.root);
    d->managed_by = xstrdup(s->manager);
    err = discovery_write(s->context->project.data, d, f);
    s->announced = !err;
    return err;
}

/* On the stdio thread. */
static void
input_ended(void *arg)
{
    struct server *s = arg;
    uint64_t one = 1;
    ssize_t n = write(s->ended_fd, &one, sizeof one);

    assert(n == sizeof one); /* A counter that is read once cannot be full. */
    (void)n;
}

/* Who judges tokens: the keys that the settings name, from the project's folder if it is a file. */
static enum err
open_access(struct server *s, struct fault *f)
{
    const struct settings *settings = s->context->settings;
    bool local = !strstr(settings->jwt_keys, "://") && settings->jwt_keys[0] != '/';
    char *source = local ? xasprintf("%s/%s", s->context->project.root, settings->jwt_keys)
                         : xstrdup(settings->jwt_keys);
    const struct access_options options = {
        .keys = {.source = source,
                 .clock = clock_real(),
                 .timeout_ms = (int)(settings->jwt_timeout / 1000000)},
        .issuer = settings->jwt_issuer,
        .audience = settings->jwt_audience[0] ? settings->jwt_audience : settings->jwt_resource,
        .tenants = settings->tenant_claim[0] ? settings->tenant_claim : NULL,
        .skew_ns = settings->jwt_skew,
        .clock = clock_real(),
    };
    struct fault why = FAULT_INIT;
    enum err err = access_create(&options, &s->access, &why);

    free(source);
    if (err) {
        fault_set(f, err, "jwt.keys: %s: %s", settings->jwt_keys, why.text);
        fault_remedy(f, "name the file with the authorization server's public keys (JWKS), or "
                        "their https URL");
    }
    return err;
}

static enum err
start_http(struct server *s, struct transport_context *context, struct fault *f)
{
    int more[TRANSPORT_SOCKETS_MAX];
    enum err err;

    context->listen_fd = s->listeners[0].fd;
    context->more_fds = more;
    context->more_count = s->listener_count - 1;
    for (size_t i = 1; i < s->listener_count; i++) {
        more[i - 1] = s->listeners[i].fd;
    }
    err = http_transport.start(context, &s->http_transport, f);
    context->more_fds = NULL;
    for (size_t i = 0; !err && i < s->listener_count; i++) {
        s->listeners[i].fd = -1; /* The transport's now. */
    }
    return err;
}

static enum err
start_transports(struct server *s, struct fault *f)
{
    struct transport_context context = {
        .dispatcher = s->core.dispatcher,
        .settings = s->context->settings,
        .clock = clock_real(),
        .listen_fd = -1,
        .token = s->context->settings->auth == AUTH_TOKEN ? s->token : NULL,
        .access = s->access,
        .traffic = state_traffic(s->core.state),
        .own_token = s->http ? s->token : NULL,
        .in_fd = s->in_fd,
        .out_fd = s->out_fd,
        .estate = s->estate,
        .ended = input_ended,
        .ended_arg = s,
    };
    enum err err = E_OK;

    if (s->stdio) { /* First: its client waits already. */
        err = stdio_transport.start(&context, &s->stdio_transport, f);
    }
    if (!err && s->http) {
        err = start_http(s, &context, f);
    }
    return err;
}

static enum err
start(struct server *s, struct fault *f)
{
    const struct settings *settings = s->context->settings;
    struct project *project = &s->context->project;
    enum err err = serve_prepare(s, f);

    if (!err) {
        err = serve_become_first(s, f);
    }
    if (err || s->over) {
        return err;
    }
    err = project_tidy_data(project, f);
    if (!err) {
        err = serve_shut_in(s, f);
    }
    if (!err && s->http) {
        err = token_read(s->context, s->token, f);
    }
    if (!err && s->http && settings->auth == AUTH_JWT) {
        err = open_access(s, f);
    }
    if (!err) {
        err = discovery_of_this_process(&s->discovery, f);
    }
    if (!err) {
        const struct core_options options = {s->context, s->mode,    s->discovery.instance,
                                             s->git,     s->sandbox, s->manager};

        err = core_open(&options, &s->core, f);
    }
    if (!err) {
        err = core_keep(&s->core, f);
    }
    if (!err) {
        err = announce(s, f);
    }
    if (!err) {
        raise_descriptor_limit(settings);
        hide_memory(settings, false); /* The stdio transport opens its pipes once more by name. */
        err = start_transports(s, f);
        hide_memory(settings, true);
    }
    return err ? err : core_start(&s->core, f);
}

static void
config_changed(void *arg, const struct settings *now, const bool keys[SETTING_COUNT])
{
    (void)arg;
    if (keys[SETTING_log_level] || keys[SETTING_log_format]) {
        log_configure((enum log_level)now->log_level, (enum log_format)now->log_format);
    }
}

static bool
http_loop_beats(void *transport)
{
    return http_transport.beats(transport);
}

static bool
stdio_loop_beats(void *transport)
{
    return stdio_transport.beats(transport);
}

static bool
keeper_loop_beats(void *keeper)
{
    return keeper_beats(keeper);
}

/* All that a client's call may have to go through. */
static void
feel_pulse(struct server *s)
{
    if (s->http_transport) {
        pulse_add(&s->pulse, "HTTP", http_loop_beats, s->http_transport);
    }
    if (s->stdio_transport) {
        pulse_add(&s->pulse, "stdio", stdio_loop_beats, s->stdio_transport);
    }
    pulse_add(&s->pulse, "keeper", keeper_loop_beats, s->core.keeper);
    pulse_add_pool(&s->pulse, s->core.pool);
}

static void
find_manager(struct server *s)
{
    struct manager_signs signs = {.notified = notify_on(&s->notify), .client = s->stdio};

    manager_look(&signs);
    manager_tell(&signs, s->manager);
}

int
serve_run(struct context *context)
{
    struct server s = {
        .context = context,
        .signal_fd = -1,
        .ended_fd = -1,
        .in_fd = -1,
        .out_fd = -1,
        .lock_fd = -1,
        .notify = NOTIFY_INIT,
        .reason = "it could not start",
        .core = CORE_INIT,
        .discovery = DISCOVERY_INIT,
    };
    struct fault f = FAULT_INIT;
    int status = STATUS_OK;

    notify_open(&s.notify);
    s.terminal = !notify_on(&s.notify) && serve_may_hang_up();
    config_listen(context->config, config_changed, NULL);
    serve_choose_transports(&s);
    find_manager(&s);
    if (activation_take(&s.activation, &f) || start(&s, &f)) {
        report_fault(stderr, &f);
        status = STATUS_FAILED;
    }
    if (status || s.over) {
        serve_stop(&s);
        return status;
    }
    log_info("serving", F_STR("mode", s.mode),
             F_STR("url", s.discovery.url ? s.discovery.url : "none"),
             F_STR("project", context->project.name), F_INT("pid", s.discovery.pid));
    feel_pulse(&s);
    serve_tell_ready(&s);
    s.reason = serve_wait_for_end(&s);
    log_info("ending", F_STR("reason", s.reason));
    serve_let_signals_kill();
    serve_stop(&s);
    log_info("ended");
    return status;
}
