/* http_rig.c -- state, workers, dispatcher and transport, put together as core.c does. */
#include "tests/http_rig.h"

#include "state/base/log.h"
#include "state/state.h"
#include "tests/http_client.h"

#include <stdlib.h>

void
http_rig_init(struct http_rig *rig, const char *token)
{
    static const struct fake_setting none = {.text = NULL};

    http_rig_init_with(rig, token, &none);
}

void
http_rig_init_with(struct http_rig *rig, const char *token, const struct fake_setting *settings)
{
    const struct dispatch_limits limits = {
        .json = JSON_LIMITS_INIT, .calls = 64, .calls_per_session = 32, .call_ns = 3600 * SECOND};

    http_rig_init_limited(rig, token, settings, &limits);
}

void
http_rig_init_limited(struct http_rig *rig, const char *token, const struct fake_setting *settings,
                      const struct dispatch_limits *limits)
{
    struct transport_context context;

    log_configure(LOG_OFF, LOG_TEXT);
    fake_clock_init(&rig->clock);
    fake_project_init_with(&rig->project, &rig->clock.clock, settings);
    rig->bus = state_bus(rig->project.state);
    rig->pool = pool_create(4, 1, 64);
    rig->dispatcher = dispatcher_create(rig->project.state, rig->pool, limits);
    context = (struct transport_context){
        .dispatcher = rig->dispatcher,
        .settings = rig->project.settings,
        .clock = &rig->clock.clock,
        .listen_fd = client_listen(&rig->port),
        .token = token,
    };
    if (http_transport.start(&context, &rig->transport, NULL) != E_OK) {
        abort();
    }
}

void
http_rig_stop(struct http_rig *rig)
{
    if (rig->transport) {
        dispatch_drain(rig->dispatcher);
        http_transport.stop(rig->transport, INT64_MAX);
    }
    rig->transport = NULL;
}

void
http_rig_fini(struct http_rig *rig)
{
    http_rig_stop(rig);
    pool_destroy(rig->pool);
    dispatcher_destroy(rig->dispatcher);
    fake_project_fini(&rig->project);
}
