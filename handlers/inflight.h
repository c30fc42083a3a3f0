/* inflight.h -- the calls that are running on workers: how many, whose, and how to stop them.
 *
 * An id belongs to the connection or session it came by, never to the process: a call is found by
 * (session, id) or, over modern HTTP where each POST is its own scope, by its sink.  Any thread;
 * takes INFLIGHT. */
#ifndef TANDEM_INFLIGHT_H
#define TANDEM_INFLIGHT_H

#include "handlers/request.h"

struct inflight;

/* At most 'total' calls, and 'per_session' of one legacy session or connection.  So many, but at
 * most a quarter, are kept for stdio. */
struct inflight *inflight_create(unsigned total, unsigned per_session);
void inflight_destroy(struct inflight *t);

/* E_INVALID_REQUEST if the session or connection of 'req' has a request of the same id in flight.
 */
enum err inflight_check(struct inflight *t, const struct request *req, struct fault *f);
/* Enters a request, which stays where it is until inflight_remove().  E_INVALID_REQUEST as above;
 * E_BUSY where a limit is reached; E_OVERLOAD after inflight_end(). */
enum err inflight_add(struct inflight *t, struct request *req, struct fault *f);
/* Takes it out: once for each that was added. */
void inflight_remove(struct inflight *t, struct request *req);

/* Makes a request in flight the task 'task', which counts for no limit here any more, belongs to no
 * session, and asks through 'host'.  Returns its sink, for the caller to answer; null, and nothing
 * is done, if it was cancelled or ended. */
struct sink *inflight_detach(struct inflight *t, struct request *req, struct task_run *task,
                             struct need_host *host);

/* Sends 'event' ahead of the answer of a request in flight, if that still runs: nothing is sent
 * once it was cancelled or ended. */
void inflight_send(struct inflight *t, struct request *req, const struct event *event);

/* Begins the streams of those that run since before 'started_ns' and have said nothing yet, so that
 * their clients can come back for the answer. */
void inflight_prime(struct inflight *t, int64_t started_ns);
/* Runs 'act' with INFLIGHT held, and with the first of the calls in flight or null; request.next
 * leads on. */
void inflight_do(struct inflight *t, void (*act)(struct request *first, void *arg), void *arg);

/* Which calls are meant: all members that are set must fit. */
struct inflight_match {
    const struct mcp_session *session;
    const struct sink *sink;      /* The one modern request whose answer goes there. */
    const struct need_host *host; /* The one call that it asks for. */
    struct slice id;              /* Raw JSON. */
};
/* Cancels those that match and still run; returns how many.  For dispatch_cancel() only, which lets
 * those go that are parked. */
unsigned inflight_cancel(struct inflight *t, const struct inflight_match *match);
/* Ends the list: nothing can be added any more, and each call that still runs is told to stop and
 * handed to 'tell', which answers it.  INFLIGHT is held then, so that the request stays: 'tell' may
 * do nothing but answer, and read what does not change while the call runs.  Returns how many there
 * were. */
unsigned inflight_end(struct inflight *t, void (*tell)(const struct request *req));
unsigned inflight_count(struct inflight *t, enum transport_kind transport);

#endif
