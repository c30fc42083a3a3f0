/* serve.c -- starts in order, waits, ends in reverse.
 *
 * DESIGN.  Signals are blocked before the first thread and read from a signalfd by main alone.
 * The drain has one deadline for all transports; a small thread gives up what still runs when it
 * has come, so that those calls are answered with an error while their transport still waits for
 * them.  Once the end has begun a second signal ends the process at once: state on disk is crash-
 * safe. */
#include "server/serve.h"

#include "handlers/dispatch.h"
#include "state/config.h"
#include "server/core.h"
#include "server/discovery.h"
#include "server/hide.h"
#include "server/listen.h"
#include "server/report.h"
#include "state/access.h"
#include "server/second.h"
#include "state/base/log.h"
#include "state/base/thread.h"
#include "state/state.h"
#include "state/version.h"
#include "state/workflow.h"
#include "transports/transport.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

LOG_MODULE("serve");

#define SECOND INT64_C(1000000000)
#define DAY (24 * 3600 * SECOND)
/* How long a second server waits for the first to say who it is, or to have been a short call
 * only. */
#define LOCK_PATIENCE (5 * SECOND)
/* How long it gives a first that does serve: an editor that restarts begins the next server before
 * the last one has seen its input end. */
#define RESTART_PATIENCE SECOND
/* After the deadline, the time in which errors for what was cancelled are still written. */
#define GRACE (SECOND / 2)

struct server {
    struct context *context;
    bool stdio, http;
    const char *mode; /* "dual", "stdio", "http". */
    int signal_fd, ended_fd;
    int in_fd, out_fd; /* The client's, moved away from 0 and 1. */
    int lock_fd;
    struct second second; /* What it was before it served. */
    bool over;            /* It has ended as that. */
    bool terminal;        /* It had one at the start. */
    const struct transport_estate *estate;
    char token[TOKEN_SIZE];
    struct discovery discovery;
    bool announced; /* server.json is ours. */
    struct listener listener;
    struct core core;
    struct access *access; /* Owned; null unless tokens are an authorization server's. */
    struct transport *http_transport, *stdio_transport;
};

static void
choose_transports(struct server *s)
{
    struct stat st;

    switch ((enum choice_transport)s->context->settings->transport) {
    case TRANSPORT_MODE_AUTO:
        s->http = true;
        s->stdio = fstat(STDIN_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
        break;
    case TRANSPORT_MODE_DUAL:
        s->http = s->stdio = true;
        break;
    case TRANSPORT_MODE_STDIO:
        s->stdio = true;
        break;
    case TRANSPORT_MODE_HTTP:
        s->http = true;
        break;
    }
    s->mode = s->http && s->stdio ? "dual" : s->http ? "http" : "stdio";
}

/* Loopback is for anybody on this machine who has the token; anything wider must be meant. */
static enum err
check_exposure(const struct settings *settings, const struct listen_address *address,
               struct fault *f)
{
    if (listen_is_local(address)) {
        return E_OK;
    }
    if (settings->origins[SETTING_auth] == ORIGIN_DEFAULT) {
        fault_set(f, E_REFUSED, "listen: %s can be reached from other machines", settings->listen);
        return fault_remedy(f,
                            "say how clients are let in: --auth token, --auth jwt, or --auth none");
    }
    if (!settings->allow_host[0]) {
        fault_set(f, E_REFUSED,
                  "listen: %s can be reached from other machines, but no Host header "
                  "of theirs would be taken",
                  settings->listen);
        return fault_remedy(f, "name this machine as clients do, with --allow-host NAME");
    }
    return E_OK;
}

/* Blocks the signals of the end in this and all later threads, and makes what main waits on. */
static enum err
prepare_waiting(struct server *s, struct fault *f)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->signal_fd < 0 || s->ended_fd < 0) {
        return fault_set(f, E_IO, "no descriptor to wait on: %s", strerror(errno));
    }
    return E_OK;
}

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

/* Moves the client's ends away: whatever writes to standard output from now on writes to standard
 * error, and no child reads the client's lines. */
static enum err
take_stdio(struct server *s, struct fault *f)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    enum err err = E_OK;

    s->in_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    s->out_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (null_fd < 0 || s->in_fd < 0 || s->out_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        err = fault_set(f, E_IO, "standard input and output cannot be taken: %s", strerror(errno));
    }
    if (null_fd >= 0) {
        close(null_fd);
    }
    return err;
}

static enum err
refuse_second(const struct discovery *first, struct fault *f)
{
    fault_set(f, E_CONFLICT, "this project is served already, by process %ld%s%s", (long)first->pid,
              first->url ? " at " : " on its standard input only", first->url ? first->url : "");
    return fault_remedy(f, "use that server, or end it with: kill %ld", (long)first->pid);
}

/* Takes the project's lock, or nothing: for a server that cannot, or will not, be a bridge. */
static enum err
take_lock(struct server *s, struct fault *f)
{
    struct dir *data = s->context->project.data;
    int64_t begin = clock_mono(clock_real());
    int64_t patience = begin + s->context->settings->drain + LOCK_PATIENCE;
    struct pollfd signals = {.fd = s->signal_fd, .events = POLLIN};

    for (;;) {
        struct discovery first;
        enum err err = discovery_lock(data, &s->lock_fd, f);

        if (err != E_CONFLICT) {
            return err;
        }
        if (clock_mono(clock_real()) - begin >= RESTART_PATIENCE &&
            discovery_read(data, &first, NULL) == E_OK) {
            err = refuse_second(&first, f);
            discovery_fini(&first);
            return err;
        }
        if (clock_mono(clock_real()) >= patience) {
            return fault_remedy(f, "end it, or find out with \"tandem status\" who has it");
        }
        if (poll(&signals, 1, 20) > 0) {
            return fault_set(f, E_CANCELLED, "ended by a signal before the project was free");
        }
    }
}

/* Comes back with the project's lock, sooner or later; 's->over' if it is not wanted any more. */
static enum err
become_first(struct server *s, struct fault *f)
{
    if (!s->stdio || s->context->settings->exclusive) {
        return take_lock(s, f);
    }
    s->second = (struct second){
        .context = s->context, .in_fd = s->in_fd, .out_fd = s->out_fd, .signal_fd = s->signal_fd};
    switch (second_run(&s->second, &s->lock_fd, &s->estate, f)) {
    case SECOND_SERVES:
        return E_OK;
    case SECOND_IS_OVER:
        s->over = true;
        return E_OK;
    case SECOND_FAILED:
        break;
    }
    return f->code;
}

/* Listens, and says where in server.json. */
static enum err
announce(struct server *s, const struct listen_address *address, struct fault *f)
{
    const struct settings *settings = s->context->settings;
    struct discovery *d = &s->discovery;
    char url[LISTEN_URL_SIZE];
    enum err err;

    if (s->http) {
        err = listen_open(address, settings->ports_first, settings->ports_last, &s->listener, f);
        if (err) {
            return err;
        }
        if (s->listener.moved) {
            log_warn("the given port is taken, another is used", F_STR("listen", settings->listen),
                     F_UINT("port", s->listener.port));
        }
        listen_url(&s->listener, settings->http_path, url);
        d->url = xstrdup(url);
        d->path = xstrdup(settings->http_path);
        d->host = s->listener.host[0] ? xstrdup(s->listener.host) : NULL;
        d->port = s->listener.port;
        d->socket = s->listener.socket_path[0] ? xstrdup(s->listener.socket_path) : NULL;
        d->token = settings->auth == AUTH_TOKEN ? xstrdup(s->token) : NULL;
    }
    d->transport = xstrdup(s->mode);
    d->version = xstrdup(TANDEM_VERSION);
    d->project_name = xstrdup(s->context->project.name);
    d->project_root = xstrdup(s->context->project.root);
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
start_transports(struct server *s, struct fault *f)
{
    const struct transport_context context = {
        .dispatcher = s->core.dispatcher,
        .settings = s->context->settings,
        .clock = clock_real(),
        .listen_fd = s->http ? s->listener.fd : -1,
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

    if (s->http) {
        err = http_transport.start(&context, &s->http_transport, f);
        if (!err) {
            s->listener.fd = -1; /* The transport's now. */
        }
    }
    if (!err && s->stdio) {
        err = stdio_transport.start(&context, &s->stdio_transport, f);
    }
    return err;
}

/* All that comes before it is known who serves. */
static enum err
prepare(struct server *s, struct listen_address *address, struct fault *f)
{
    const struct settings *settings = s->context->settings;
    enum err err = s->http ? listen_parse(settings->listen, address, f) : E_OK;

    if (!err && s->http) {
        err = check_exposure(settings, address, f);
    }
    if (!err) {
        err = prepare_waiting(s, f);
    }
    if (!err && s->stdio) {
        err = take_stdio(s, f);
    }
    if (!err) {
        err = project_open_data(&s->context->project, true, f);
    }
    return err;
}

static enum err
start(struct server *s, struct fault *f)
{
    const struct settings *settings = s->context->settings;
    struct project *project = &s->context->project;
    struct listen_address address;
    enum err err = prepare(s, &address, f);

    if (!err) {
        err = become_first(s, f);
    }
    if (err || s->over) {
        return err;
    }
    err = project_tidy_data(project, f);
    if (!err && s->http) {
        err = discovery_token(project->data, s->token, f);
    }
    if (!err && s->http && settings->auth == AUTH_JWT) {
        err = open_access(s, f);
    }
    if (!err) {
        err = discovery_of_this_process(&s->discovery, f);
    }
    if (!err) {
        err = core_open(s->context, s->mode, s->discovery.instance, &s->core, f);
    }
    if (!err) {
        err = core_keep(&s->core, f);
    }
    if (!err) {
        err = announce(s, &address, f);
    }
    if (!err) {
        raise_descriptor_limit(settings);
        hide_memory(settings, false); /* The stdio transport opens its pipes once more by name. */
        err = start_transports(s, f);
        hide_memory(settings, true);
    }
    return err;
}

/* Removes workflow sessions that nobody has touched for long.  Returns when to do so again. */
static int64_t
clean_up(struct server *s)
{
    size_t removed = workflow_clean(state_workflow(s->core.state));

    if (removed) {
        log_info("stale workflow sessions removed", F_UINT("sessions", removed));
    }
    return clock_mono(clock_real()) + DAY;
}

/* Whether this process has a terminal that could hang up. */
static bool
has_terminal(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static void
read_settings_anew(struct config *config)
{
    struct problems problems = PROBLEMS_INIT;
    struct fault f = FAULT_INIT;
    enum err err = config_reload(config, &problems, &f);

    for (size_t i = 0; i < problems.count; i++) {
        const struct problem *p = &problems.items[i];
        log_warn("settings", F_STR("where", p->file), F_UINT("line", p->line),
                 F_STR("text", p->text));
    }
    if (err) {
        log_error("the settings stay as they were", F_STR("why", f.text));
    } else {
        log_info("settings read anew", F_UINT("version", config_counters(config).version));
    }
    problems_fini(&problems);
}

/* A hangup has two meanings: the terminal has gone, which ends the server, or, while it has none or
 * still has it, somebody who has changed the configuration file. */
static bool
hangup_ends(const struct server *s)
{
    if (s->terminal && !has_terminal()) {
        return true;
    }
    read_settings_anew(s->context->config);
    return false;
}

/* Whether the settings in force say that HTTP goes on alone. */
static bool
lingers(const struct server *s)
{
    struct settings *now = config_settings(s->context->config);
    bool linger = s->http && now->linger;

    settings_unref(now);
    return linger;
}

/* Returns once it is time to end, with the reason. */
static const char *
wait_for_end(struct server *s)
{
    struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN},
                           {.fd = s->ended_fd, .events = POLLIN}};
    int64_t clean_at = clean_up(s);

    for (;;) {
        struct signalfd_siginfo info;
        int64_t left = clean_at - clock_mono(clock_real());

        if (left <= 0) {
            clean_at = clean_up(s);
            continue;
        }
        if (poll(fds, 2, (int)(left / 1000000) + 1) < 0 && errno != EINTR) {
            return "waiting failed";
        }
        if (fds[0].revents && read(s->signal_fd, &info, sizeof info) == sizeof info) {
            if (info.ssi_signo != SIGHUP || hangup_ends(s)) {
                return info.ssi_signo == SIGINT    ? "SIGINT"
                       : info.ssi_signo == SIGTERM ? "SIGTERM"
                                                   : "SIGHUP";
            }
        }
        if (fds[1].revents) {
            if (!lingers(s)) {
                return "end of input";
            }
            log_info("standard input has ended; HTTP goes on");
            fds[1].fd = -1;
        }
    }
}

static void
end_at_once(int signal_number)
{
    (void)signal_number;
    _exit(STATUS_FAILED);
}

/* From here on a signal ends the process at once. */
static void
let_second_signal_kill(void)
{
    struct sigaction action = {.sa_handler = end_at_once};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Gives up what runs once the deadline has come, unless all is done before. */
struct patience {
    struct core *core;
    int64_t deadline_ns;
    int done_fd; /* An eventfd: readable once the transports have stopped. */
};

static void *
lose_patience(void *arg)
{
    struct patience *p = arg;
    struct pollfd done = {.fd = p->done_fd, .events = POLLIN};

    for (;;) {
        int64_t left = p->deadline_ns - clock_mono(clock_real());
        int n = poll(&done, 1, left > 0 ? (int)(left / 1000000) + 1 : 0);

        if (n > 0) {
            return NULL;
        }
        if (left <= 0) {
            unsigned calls = dispatch_end_all(p->core->dispatcher);

            log_warn("calls still ran at the end of the drain; they were given up",
                     F_UINT("calls", calls));
            state_give_up(p->core->state);
            return NULL;
        }
    }
}

static int64_t
drain_time(const struct server *s)
{
    struct settings *now = config_settings(s->context->config);
    int64_t drain = now->drain;

    settings_unref(now);
    return drain;
}

static void
stop_transports(struct server *s)
{
    struct patience p = {
        .core = &s->core,
        .deadline_ns = clock_mono(clock_real()) + drain_time(s),
        .done_fd = eventfd(0, EFD_CLOEXEC),
    };
    pthread_t thread;
    uint64_t one = 1;
    bool watched = p.done_fd >= 0 && (s->http_transport || s->stdio_transport) &&
                   thread_start(&thread, "tandem-patience", lose_patience, &p) == 0;

    if (s->core.dispatcher) {
        dispatch_drain(s->core.dispatcher);
    }
    if (s->http_transport) {
        http_transport.stop(s->http_transport, p.deadline_ns + GRACE);
    }
    if (s->stdio_transport) {
        stdio_transport.stop(s->stdio_transport, p.deadline_ns + GRACE);
    }
    if (watched) {
        ssize_t n = write(p.done_fd, &one, sizeof one);
        assert(n == sizeof one);
        (void)n;
        pthread_join(thread, NULL);
    }
    if (p.done_fd >= 0) {
        close(p.done_fd);
    }
}

/* Undoes whatever start() has done. */
static void
stop(struct server *s)
{
    int *const fds[] = {&s->in_fd, &s->out_fd, &s->signal_fd, &s->ended_fd, &s->lock_fd};

    if (s->announced) { /* First: nobody shall find a server that ends; the next one waits. */
        discovery_remove(s->context->project.data, &s->discovery);
    }
    stop_transports(s);
    access_destroy(s->access);
    listen_close(&s->listener);
    core_close(&s->core);
    second_fini(&s->second);
    discovery_fini(&s->discovery);
    explicit_bzero(s->token, sizeof s->token);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0) {
            close(*fds[i]); /* The lock last: only now may another serve. */
        }
    }
}

static void
config_changed(void *arg, const struct settings *now, const bool keys[SETTING_COUNT])
{
    (void)arg;
    if (keys[SETTING_log_level] || keys[SETTING_log_format]) {
        log_configure((enum log_level)now->log_level, (enum log_format)now->log_format);
    }
}

int
serve_run(struct context *context)
{
    const char *reason;
    struct server s = {
        .context = context,
        .signal_fd = -1,
        .ended_fd = -1,
        .in_fd = -1,
        .out_fd = -1,
        .lock_fd = -1,
        .listener = {.fd = -1},
        .core = CORE_INIT,
        .discovery = DISCOVERY_INIT,
    };
    struct fault f = FAULT_INIT;
    int status = STATUS_OK;

    s.terminal = has_terminal();
    config_listen(context->config, config_changed, NULL);
    choose_transports(&s);
    if (start(&s, &f)) {
        report_fault(stderr, &f);
        status = STATUS_FAILED;
    }
    if (status || s.over) {
        stop(&s);
        return status;
    }
    log_info("serving", F_STR("mode", s.mode),
             F_STR("url", s.discovery.url ? s.discovery.url : "none"),
             F_STR("project", context->project.name), F_INT("pid", s.discovery.pid));
    reason = wait_for_end(&s);
    log_info("ending", F_STR("reason", reason));
    let_second_signal_kill();
    stop(&s);
    log_info("ended");
    return status;
}
