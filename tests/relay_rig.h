/* relay_rig.h -- the event relay over the HTTP transport of a project in this process, and what its
 * clients say and are told.
 *
 * A test's own thread. */
#ifndef TANDEM_TESTS_RELAY_RIG_H
#define TANDEM_TESTS_RELAY_RIG_H

#include "tests/http_client.h"
#include "tests/http_rig.h"

#include <jansson.h>

#define SECONDS 20 /* To wait for what does not come; nothing takes this long. */

extern struct http_rig relay_rig;

/* Set-up and tear-down of a test; no token is asked for. */
int relay_rig_start(void **state);
int relay_rig_stop(void **state);

/* A WebSocket at that path. */
void relay_rig_connect(struct client *c, const char *path);
/* The next frame, parsed, new; null if none comes. */
json_t *relay_rig_next(struct client *c);
const char *relay_rig_type(const json_t *frame);
/* The next frame that is no event of the relay itself, new, which must be of that type. */
json_t *relay_rig_expect(struct client *c, const char *type);
void relay_rig_expect_error(struct client *c, const char *code);
/* A "bye", and that the connection is closed with that code. */
void relay_rig_expect_bye(struct client *c, unsigned code);
/* Connects, says hello and returns the welcome, new. */
json_t *relay_rig_greet(struct client *c, const char *hello);

/* An event with the number 'n'. */
void relay_rig_publish(const char *topic, const char *tenant, int n);
/* So many events of 60 KB each. */
void relay_rig_publish_large(const char *topic, int count);
/* A member that is an integer; and the number of an event. */
int64_t relay_rig_number(const json_t *object, const char *key);
int64_t relay_rig_n(const json_t *event);

#endif
