/* crowd.h -- many calls in flight at once, all waiting for a git that waits (fake_git.h).  Main
 * thread only. */
#ifndef TANDEM_TESTS_CROWD_H
#define TANDEM_TESTS_CROWD_H

#include "tests/fake_git.h"
#include "tests/harness_http.h"

#define CROWD_EACH 25 /* Calls in flight over stdio, and over HTTP. */
/* What follows "id" in such a call. */
#define INFO_CALL         \
    "\"method\":\"tools/" \
    "call\",\"params\":{\"name\":\"get_server_info\",\"arguments\":{}," MODERN_META "}"

struct crowd {
    struct http_peer peers[CROWD_EACH]; /* One call on each, its answer not read. */
    struct http_peer control;           /* Another connection, at rest. */
};
/* Brings CROWD_EACH calls in flight on each transport, with the ids from 0; all wait for 'git'. */
void crowd_fill(struct server *s, struct crowd *crowd, struct fake_git *git);
/* Closes the connections. */
void crowd_leave(struct crowd *crowd);
/* True if /health answers 200 there. */
bool get_health(struct http_peer *peer);
/* When a test's patience ends, from now. */
int64_t in_time(void);

#endif
