/* no_relay.h -- events for a test that plays dispatch itself: nobody reads any, and there is no
 * relay.
 *
 * Included once by such a test program; without it the real one would bring all handlers along. */
#ifndef TANDEM_TESTS_NO_RELAY_H
#define TANDEM_TESTS_NO_RELAY_H

#include "handlers/dispatch.h"
#include "handlers/relay_client.h"

#include <stdlib.h>

struct relay_client *
relay_client_open(const struct relay_client_options *options)
{
    (void)options;
    abort();
}

void
relay_client_close(struct relay_client *client)
{
    (void)client;
}

void
relay_client_take(struct relay_client *client, struct slice text)
{
    (void)client, (void)text;
}

bool
relay_client_fill(struct relay_client *client)
{
    (void)client;
    return false;
}

void
relay_client_leave(struct relay_client *client, const char *reason)
{
    (void)client, (void)reason;
}

const char *
relay_client_over(struct relay_client *client)
{
    (void)client;
    return NULL;
}

enum err
dispatch_read_events(struct dispatcher *d, const struct envelope *env,
                     struct bus_reader_options *options, struct bus_reader **reader,
                     struct bus_reader_start *start, struct fault *f)
{
    (void)d, (void)env, (void)options, (void)reader, (void)start;
    return fault_set(f, E_OVERLOAD, "there are no events here");
}

void
dispatch_tell_relay(struct dispatcher *d, enum relay_news news, struct bus_reader *reader,
                    const char *reason)
{
    (void)d, (void)news, (void)reader, (void)reason;
}

#endif
