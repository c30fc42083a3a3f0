/* traffic.h -- writes down what a test and the server say to each other, for
 * tests/clients/schemas.mjs.
 *
 * One JSON object a line, appended to the file that $TRAFFIC_LOG names; without it nothing is
 * written.  One thread. */
#ifndef TANDEM_TESTS_TRAFFIC_H
#define TANDEM_TESTS_TRAFFIC_H

#include "state/base/mem.h"

/* A connection begins; 'transport' is "stdio", "http" or "ws".  Over HTTP it is all requests of one
 * client. */
void traffic_begin(const char *transport, const char *name);
/* The client sent 'text'; over HTTP behind 'head', else empty. */
void traffic_sent(struct slice head, struct slice text);
/* The server sent 'text', over HTTP with that status to the request that was sent last, and with
 * the id of a session if it told one; else 0 and null. */
void traffic_got(int status, const char *session_id, const char *text);

#endif
