/* second.c -- finds the project's server, again and again, or takes its place.
 *
 * DESIGN.  The lock decides, and it is free the moment its holder has died, however it died.  So
 * whoever has lost its server tries the lock first, and only then looks for who has it: among any
 * number of windows one serves, and the others find it as soon as it has said where.  */
#include "server/second.h"

#include "handlers/tools.h"
#include "server/client.h"
#include "server/discovery.h"
#include "server/hide.h"
#include "server/token.h"
#include "state/base/log.h"
#include "state/settings.h"
#include "state/version.h"
#include "transports/bridge.h"

#include <malloc.h>
#include <stdio.h>

LOG_MODULE("second");

#define SECOND_NS INT64_C(1000000000)
#define LOOK_MS 20 /* Between two looks at the lock. */
/* How long the lock may be held by somebody who does not say who he is, or does not answer: while
 * one server ends and the next begins, or for a short call. */
#define PATIENCE_NS (5 * SECOND_NS)
#define SHORT_NS                                                                     \
    (SECOND_NS / 10) /* A server that is lost sooner than that is not asked at once. \
                      */
#define UPGRADE_NS (1 * SECOND_NS)

/* The first has no HTTP, so nobody can join it. */
static enum err
refuse_deaf(const struct discovery *first, struct fault *f)
{
    fault_set(f, E_CONFLICT,
              "this project is served already, by process %ld on its standard input only",
              (long)first->pid);
    return fault_remedy(f, "start that one without --transport stdio, so that others can join it");
}

static enum err
refuse_stranger(const struct discovery *first, int status, struct fault *f)
{
    fault_set(
        f, E_CONFLICT,
        "this project is served already, by process %ld, version %s, at %s, which takes no other "
        "windows (%d)",
        (long)first->pid, first->version ? first->version : "unknown", first->url, status);
    return fault_remedy(f, "end it with: kill %ld", (long)first->pid);
}

/* Connects to 'first'.  E_OK and the connection; E_NOT_READY: not now; else there is no use in
 * trying. */
static enum err
join(struct second *x, const struct discovery *first, int *link_fd, struct fault *f)
{
    struct client_target target;
    const struct settings *settings = x->context->settings;
    bool tenant = settings->origins[SETTING_tenant_default_id] != ORIGIN_DEFAULT;
    char token[TOKEN_SIZE], headers[256];
    struct client_request request = {.method = "GET",
                                     .path = BRIDGE_PATH,
                                     .token = token,
                                     .headers = headers,
                                     .timeout_ns = UPGRADE_NS};
    int status;
    enum err err;

    if (!first->url) {
        return refuse_deaf(first, f);
    }
    err = client_parse_url(first->url, &target, f);
    err = err ? err : token_read(x->context, token, f);
    if (err) {
        return err;
    }
    snprintf(headers, sizeof headers, BRIDGE_BEFORE ": %u\r\n%s%s%s", bridge_servers(x->bridge),
             tenant ? BRIDGE_TENANT ": " : "", tenant ? settings->tenant_default_id : "",
             tenant ? "\r\n" : "");
    err = client_upgrade(&target, &request, BRIDGE_PROTOCOL, link_fd, &status, f);
    explicit_bzero(token, sizeof token);
    if (err == E_REFUSED && status != 503) {
        return refuse_stranger(first, status, f);
    }
    return err ? E_NOT_READY : E_OK;
}

/* What was asked for on the command line and is the server's affair. */
static void
tell_settings(const struct settings *settings)
{
    static const enum setting own[] = {SETTING_transport,  SETTING_root,
                                       SETTING_config,     SETTING_log_level,
                                       SETTING_log_format, SETTING_tenant_default_id};
    struct buf names = BUF_INIT;

    for (int i = 0; i < SETTING_COUNT; i++) {
        bool ours = false;

        for (size_t k = 0; k < sizeof own / sizeof own[0]; k++) {
            ours = ours || own[k] == (enum setting)i;
        }
        if (!ours && settings->origins[i] == ORIGIN_OPTION) {
            buf_addf(&names, "%s%s", names.len ? " " : "", setting_row((enum setting)i)->key);
        }
    }
    if (names.len) {
        log_info("these settings count once this process serves", F_STR("settings", names.data));
    }
    buf_fini(&names);
}

static void
tell_joined(const struct second *x, const struct discovery *first)
{
    if (bridge_servers(x->bridge) == 0) {
        tell_settings(x->context->settings);
    }
    log_info("another window of a project that is served", F_INT("pid", first->pid),
             F_STR("url", first->url));
    if (first->version && strcmp(first->version, TANDEM_VERSION) != 0) {
        log_warn("the project's server is of another version", F_STR("version", first->version));
    }
}

/* Looks for the server once, and if it is there serves the client through it, as long as that
 * lasts. E_NOT_READY: there is none now. */
static enum err
try_first(struct second *x, enum bridge_end *end, struct fault *f)
{
    struct discovery first = DISCOVERY_INIT;
    enum err err = discovery_read(x->context->project.data, &first, f);
    int link_fd = -1;

    if (err) {
        fault_set(f, E_CONFLICT, "another process has the project's lock, and does not serve");
        fault_remedy(f, "end it, or wait until it has ended");
        return E_NOT_READY;
    }
    err = join(x, &first, &link_fd, f);
    if (!err) {
        tell_joined(x, &first);
    }
    discovery_fini(&first);
    if (!err) {
        int64_t joined_ns = clock_mono(clock_real());

        malloc_trim(0);
        *end = bridge_run(x->bridge, link_fd, 0);
        if (*end == BRIDGE_PARTED && clock_mono(clock_real()) - joined_ns < SHORT_NS) {
            *end = bridge_run(x->bridge, -1, LOOK_MS); /* Not round in circles with it. */
        }
    }
    return err;
}

/* The bridge, if there is none yet. */
static enum err
open_bridge(struct second *x, struct fault *f)
{
    enum err err = E_OK;
    const struct bridge_options options = {
        .settings = x->context->settings,
        .in_fd = x->in_fd,
        .out_fd = x->out_fd,
        .signal_fd = x->signal_fd,
        .repeatable = tools_repeatable,
    };

    if (!x->bridge) {
        err = bridge_open(&options, &x->bridge, f);
        hide_memory(options.settings, true); /* The token comes and goes. */
    }
    return err;
}

enum second_outcome
second_run(struct second *x, int *lock_fd, const struct transport_estate **estate, struct fault *f)
{
    int64_t patience_ns = clock_mono(clock_real()) + PATIENCE_NS + x->context->settings->drain;
    enum bridge_end end = BRIDGE_PARTED;
    enum err err = E_OK;

    *estate = NULL;
    while (!err) {
        err = discovery_lock(x->context->project.data, lock_fd, f);
        if (err != E_CONFLICT) {
            break;
        }
        err = open_bridge(x, f);
        err = err ? err : try_first(x, &end, f);
        if (!err) {
            patience_ns = clock_mono(clock_real()) + PATIENCE_NS;
        } else if (err == E_NOT_READY && clock_mono(clock_real()) < patience_ns) {
            end = bridge_run(x->bridge, -1, LOOK_MS);
            err = E_OK;
        }
        if (!err && end == BRIDGE_OVER) {
            bridge_give_up(x->bridge);
            return SECOND_IS_OVER;
        }
    }
    if (err) {
        if (x->bridge) {
            bridge_give_up(x->bridge);
        }
        return SECOND_FAILED;
    }
    if (x->bridge) {
        *estate = bridge_hand_over(x->bridge);
    }
    return SECOND_SERVES;
}

void
second_fini(struct second *x)
{
    bridge_close(x->bridge);
    x->bridge = NULL;
}
