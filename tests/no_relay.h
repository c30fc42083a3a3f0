/* no_relay.h -- the event relay of a test that plays dispatch itself: there is none.
 *
 * Included once by such a test program; without it the real one would bring all handlers along. */
#ifndef TANDEM_TESTS_NO_RELAY_H
#define TANDEM_TESTS_NO_RELAY_H

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

void
relay_client_fill(struct relay_client *client)
{
    (void)client;
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

#endif
