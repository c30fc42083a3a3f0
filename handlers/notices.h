/* notices.h -- what a legacy session is told of changes: all lists, and the resources that it has
 * subscribed to.
 *
 * A session listens from initialize on, and is told from notifications/initialized on; it ends with
 * the session.  Any thread that holds no lock. */
#ifndef TANDEM_NOTICES_H
#define TANDEM_NOTICES_H

struct dispatcher;
struct mcp_session;

/* A session listens from now on; once for each. */
void notices_begin(struct dispatcher *d, struct mcp_session *session);
/* It has left. */
void notices_end(struct dispatcher *d, const struct mcp_session *session);
/* All that have ended. */
void notices_sweep(struct dispatcher *d);
/* The server ends: nobody listens any more. */
void notices_end_all(struct dispatcher *d);

#endif
