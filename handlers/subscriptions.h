/* subscriptions.h -- subscriptions/listen: open requests of modern clients that are told of
 * changes.
 *
 * The answer of such a request stays open: first it acknowledges what it will tell, then come the
 * changes, each with the id of the request.  It ends without a word when its client cancels it or
 * leaves, and with a result when the server ends it.  Any thread. */
#ifndef TANDEM_SUBSCRIPTIONS_H
#define TANDEM_SUBSCRIPTIONS_H

#include "handlers/request.h"
#include "state/changes.h"

struct dispatcher;

#define SUBSCRIPTIONS_EACH 32       /* Of one connection. */
#define SUBSCRIPTIONS_PRINCIPAL 192 /* Of one principal over the network: others find room. */
#define SUBSCRIPTIONS_MAX 256
#define SUBSCRIPTION_TASKS_MAX 64 /* Tasks that one follows. */

/* Which are meant: members that are set must fit; none: all. */
struct subscription_match {
    const struct mcp_session *session; /* The connection it came by. */
    const struct sink *sink;           /* Where its answer goes. */
    struct slice principal;            /* Whose it is. */
    const char *tenant;                /* For whom. */
    struct slice id;                   /* Raw JSON. */
};
/* Ends those that match, for their client wants it so or has left. */
void subscriptions_cancel(struct dispatcher *d, const struct subscription_match *match);
/* Ends those that match with their result. */
void subscriptions_finish(struct dispatcher *d, const struct subscription_match *match);
/* Ends those that match with the error 'f'. */
void subscriptions_refuse(struct dispatcher *d, const struct subscription_match *match,
                          const struct fault *f);
/* Stores the tenant, of those for whom there are subscriptions, whose id is next behind 'after'
 * (null: the first).  False if there is none. */
bool subscriptions_next_tenant(struct dispatcher *d, const char *after,
                               char tenant[TENANT_ID_SIZE]);
/* Ends all of them with their result, unless their client moves on to another server, and takes no
 * new ones. */
void subscriptions_end(struct dispatcher *d);

/* ---- Tasks ----
 *
 * Who follows a task is a listener among the others, but what becomes of a task is not published in
 * state/changes.  News there is a name, which may be told late and once for many, for whoever hears
 * it asks how things are.  The notification of a task is how it is: each status, in its order, with
 * the result.  To be told late, that would have to be kept for each listener.  And it is told where
 * the order is known, with TASK and perhaps INFLIGHT held: so who does not read cannot be ended on
 * the spot either, but is marked, told nothing more, and ended by subscriptions_sweep(). */

/* Tells those who follow the task 'id' how it is: 'members', JSON members of the notification with
 * a comma behind them.  The caller may hold what may be held while CHANGES is taken. */
void subscriptions_tell_task(struct dispatcher *d, const char *id, const char *members);
/* Whether anybody follows it. */
bool subscriptions_follow(struct dispatcher *d, const char *id);
/* Ends those that did not read what they were told of tasks.  The caller holds no lock. */
void subscriptions_sweep(struct dispatcher *d);

/* ---- Both eras ---- */

/* What is the same for clients of both eras: the method of a notification, behind "notifications/";
 * its params, with a comma behind them or nothing; and the lists that can change, bits by enum
 * change. */
const char *subscriptions_method(enum change change);
void subscriptions_params(struct buf *out, const char *name);
unsigned subscriptions_lists(const struct dispatcher *d);

#endif
