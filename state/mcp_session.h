/* mcp_session.h -- MCP sessions of legacy clients: what "initialize" agreed, and for how long.
 *
 * A stdio or WebSocket connection is a session by itself; over HTTP a session has an id in this
 * table.  Modern requests have none and never come here.  Sessions are counted: one that has ended
 * stays valid for who holds it.  An id is not a proof of identity: a session belongs to its
 * principal. Any thread; takes MCP_SESSIONS. */
#ifndef TANDEM_MCP_SESSION_H
#define TANDEM_MCP_SESSION_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/lock.h"
#include "state/base/mem.h"
#include "state/base/rate.h"
#include "state/base/sink.h"
#include "state/mcp_stream.h"

#include <stdatomic.h>

#define MCP_SESSION_ID_SIZE 33 /* 128 random bits in hex, and NUL. */

/* How much a log message matters, rising. */
#define MCP_LEVELS(ROW)       \
    ROW(DEBUG, "debug")       \
    ROW(INFO, "info")         \
    ROW(NOTICE, "notice")     \
    ROW(WARNING, "warning")   \
    ROW(ERROR, "error")       \
    ROW(CRITICAL, "critical") \
    ROW(ALERT, "alert")       \
    ROW(EMERGENCY, "emergency")
enum mcp_level {
#define ROW(NAME, TEXT) MCP_LEVEL_##NAME,
    MCP_LEVELS(ROW)
#undef ROW
        MCP_LEVEL_COUNT
};

struct mcp_sessions;

/* Members below 'refs' change while shared: atomics, but for the last ones. */
struct mcp_session {
    char id[MCP_SESSION_ID_SIZE]; /* Empty for a connection that is its own session.  Set once. */
    char *principal;              /* Owned, set once. */
    /* Of a session with an id: its event streams, owned, set once.  Else null. */
    struct mcp_stream_set *streams;
    _Atomic unsigned refs;
    _Atomic int revision;     /* enum revision agreed by initialize; -1 before it. */
    _Atomic int log_level;    /* Least enum mcp_level of notifications/message; INFO at first. */
    _Atomic bool initialized; /* notifications/initialized came. */
    _Atomic bool ended;
    _Atomic unsigned in_flight;
    _Atomic unsigned client_can;   /* What the client declared: enum asks_can. */
    _Atomic uint64_t asks;         /* Requests that were sent to it: the last one's id. */
    struct rate calls;             /* How often its tools may be called. */
    _Atomic int64_t idle_since_ns; /* End of the last request, monotonic. */
    /* Of a connection that is its own session. */
    struct lock sink_lock;
    struct sink *sink GUARDED_BY(LC_MCP_STREAMS); /* Borrowed: see mcp_session_set_sink(). */
};

struct mcp_session_limits {
    unsigned sessions, per_principal;
    int64_t idle_ns;
    struct mcp_stream_limits streams;
};
struct mcp_sessions_counters {
    unsigned live;
    uint64_t started, ended, expired, refused;
};

/* A new table; 'clock' is borrowed and must outlive it, 'limits' are copied. */
struct mcp_sessions *mcp_sessions_create(const struct clock *clock,
                                         const struct mcp_session_limits *limits);
/* Nobody may hold a session.  Null is ignored. */
void mcp_sessions_destroy(struct mcp_sessions *s);
/* Their event streams, borrowed. */
struct mcp_streams *mcp_sessions_streams(const struct mcp_sessions *s);
struct mcp_sessions_counters mcp_sessions_counters(struct mcp_sessions *s);

/* A new session with an id, counted, in '*session'.  E_OVERLOAD when there are too many. */
enum err mcp_session_start(struct mcp_sessions *s, struct slice principal,
                           struct mcp_session **session, struct fault *f);
/* Finds a live one, counted.  E_NO_SESSION: unknown, ended, expired, or another principal's, whom
 * an id must not tell that it is one. */
enum err mcp_session_find(struct mcp_sessions *s, struct slice id, struct slice principal,
                          struct mcp_session **session, struct fault *f);
/* Ends it: later finds fail.  Who holds it keeps it.  False if it had ended already. */
bool mcp_session_end(struct mcp_sessions *s, struct mcp_session *session);
/* Ends those that have been idle for too long, as their next find would.  Returns how many live. */
unsigned mcp_sessions_expire(struct mcp_sessions *s);
/* A new session for a connection that is one, counted. */
struct mcp_session *mcp_session_of_connection(void);
struct mcp_session *mcp_session_ref(struct mcp_session *session);
/* Null is ignored. */
void mcp_session_unref(struct mcp_session *session);
/* A request of it begins or ends: idle time is counted from the end of the last. */
void mcp_session_busy(struct mcp_session *session);
void mcp_session_idle(struct mcp_session *session, int64_t now_ns);

/* Where messages that belong to no request go, of a connection that is its own session.  Borrowed
 * until it is set to null, which waits for whoever sends just now. */
void mcp_session_set_sink(struct mcp_session *session, struct sink *sink);
/* Sends a message that belongs to no request to the session's peer, whichever way it is connected:
 * over HTTP it is kept, bounded, until a GET takes it.  E_CANCELLED: the peer has left for good;
 * E_LIMIT: it reads too slowly.  Never blocks; the caller may hold INFLIGHT or CHANGES. */
enum err mcp_session_send(struct mcp_session *session, struct slice body);

#endif
