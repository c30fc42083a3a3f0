/* http_rig.h -- the HTTP transport of a project in this process, on time that the test owns. */
#ifndef TANDEM_TESTS_HTTP_RIG_H
#define TANDEM_TESTS_HTTP_RIG_H

#include "handlers/dispatch.h"
#include "state/bus.h"
#include "tests/fakes.h"
#include "transports/transport.h"

#define SECOND INT64_C(1000000000)

struct http_rig {
    struct fake_clock clock;
    struct fake_project project;
    struct pool *pool;
    struct dispatcher *dispatcher;
    struct transport *transport;
    struct bus *bus;
    unsigned port;
};

/* Starts it; 'token' null: none is asked for. */
void http_rig_init(struct http_rig *rig, const char *token);
/* The same with some settings, ended by one without text. */
void http_rig_init_with(struct http_rig *rig, const char *token,
                        const struct fake_setting *settings);
/* The same with other limits of dispatch than the rig's own. */
void http_rig_init_limited(struct http_rig *rig, const char *token,
                           const struct fake_setting *settings,
                           const struct dispatch_limits *limits);
/* Stops the transport alone. */
void http_rig_stop(struct http_rig *rig);
/* Stops and frees all. */
void http_rig_fini(struct http_rig *rig);

#endif
