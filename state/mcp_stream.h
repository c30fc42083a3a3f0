/* mcp_stream.h -- the event streams of legacy HTTP sessions: numbered, kept, resumed.
 *
 * A legacy session has streams: each POST whose answer became a stream of events is one, and the
 * session's general stream, which a GET opens, is one.  A stream stands between who sends and the
 * sink of the connection that carries it at the moment.  It numbers what is sent, keeps it, bounded
 * for each session and in all, and hands it on.  When the connection is lost the stream goes on: a
 * GET that names the last event its client has seen (Last-Event-ID) is given what came after it,
 * and carries the stream from then on.
 *
 * An event is kept first and handed on then, so a connection that dies takes nothing with it.  Each
 * event goes to one connection at a time: the newest that asked for its stream.  An id says which
 * session's, which stream's and which event it is; that the session is the peer's own has been
 * checked by whoever brings it.
 *
 * Any thread; takes MCP_STREAMS, and hands events to sinks while it holds it, so that they keep
 * their order; answers to sinks, which end them, are given without it. */
#ifndef TANDEM_MCP_STREAM_H
#define TANDEM_MCP_STREAM_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/mem.h"
#include "state/base/sink.h"

struct mcp_session;
struct mcp_stream;     /* One. */
struct mcp_stream_set; /* Those of one session. */
struct mcp_streams;    /* All. */

struct mcp_stream_limits {
    size_t each, all; /* Bytes of events kept, of one session and in all; the oldest go first. */
    int64_t keep_ns;  /* How long an event is kept. */
    unsigned open;    /* Streams by GET of one session at once. */
};
struct mcp_streams_counters {
    unsigned sets, attached; /* Sessions; streams that a connection carries. */
    size_t events, bytes;    /* Kept. */
    uint64_t sent, replayed, dropped;
};

/* What all sets share; 'clock' is borrowed and must outlive it, 'limits' are copied. */
struct mcp_streams *mcp_streams_create(const struct clock *clock,
                                       const struct mcp_stream_limits *limits);
/* All sets have been destroyed.  Null is ignored. */
void mcp_streams_destroy(struct mcp_streams *all);
struct mcp_streams_counters mcp_streams_counters(struct mcp_streams *all);

/* The streams of a new session with this id: so far the general one. */
struct mcp_stream_set *mcp_stream_set_create(struct mcp_streams *all, const char *session_id);
/* The session has ended: so do its streams, and no new ones begin.  May be called again. */
void mcp_stream_set_end(struct mcp_stream_set *set);
/* Nobody has the session any more.  Null is ignored. */
void mcp_stream_set_destroy(struct mcp_stream_set *set);

/* ---- A POST ---- */

/* A stream for the answer to one request of 'session', in front of 'sink', whose reference it takes
 * over.  It becomes one with the first message sent ahead of the answer; else it passes the answer
 * on as it is.  'primes': the client's revision knows events without data, so the stream begins
 * with one.  Dropped by its sink's unref(). */
struct mcp_stream *mcp_stream_begin(struct mcp_session *session, bool primes, struct sink *sink);
/* What stands in the place of the request's sink.  Its send() keeps the message though no
 * connection may be there: E_OK; E_CANCELLED if the session has ended, or the client has left
 * before it was told the id of any event; E_LIMIT without memory. */
struct sink *mcp_stream_sink(struct mcp_stream *stream);
/* Begins the stream now, so that its client can resume it should the connection be lost before
 * anything is said; nothing happens if it has begun, or its client knows no such events.  The
 * request has not been answered. */
void mcp_stream_prime(struct mcp_stream *stream);
/* Ends the connection, not the stream, after telling its client to come back in 'retry_ms' for what
 * is sent from now on.  False, and nothing happens, if the client knows no such thing, or no
 * connection is there.  The request has not been answered. */
bool mcp_stream_pause(struct mcp_stream *stream, int retry_ms);

/* ---- A GET ---- */

/* Carries on to 'sink': without 'last_id' (null data) the general stream, from the first event that
 * nobody was given; else the stream that the id is of, after that event.  The connection that
 * carried it before is ended.  'session' counts as busy until this one ends.  Takes over the
 * reference to 'sink' on E_OK only.  E_INVALID_REQUEST: no such event, or what came after it is not
 * kept any more; E_STREAMS: too many are open; E_NO_SESSION, E_OVERLOAD: session, server ended. */
enum err mcp_stream_open(struct mcp_session *session, struct slice last_id, bool primes,
                         struct sink *sink, struct fault *f);
/* Sends a message that belongs to no request, on the general stream.  E_OK also while no GET is
 * there: it is kept.  A message that says the same as the one before it, which nobody was given, is
 * left out.  E_CANCELLED: the session has ended; E_LIMIT: no memory. */
enum err mcp_stream_tell(struct mcp_stream_set *set, struct slice body);

/* ---- What happens to sinks ---- */

/* The peer behind 'sink' has left, or will send nothing more: a GET's is let go.  A POST's is not:
 * its client may wait for the answer. */
void mcp_streams_gone(struct mcp_streams *all, const struct sink *sink);
/* 'sink' has refused an event with E_LIMIT, and has room again. */
void mcp_streams_drained(struct mcp_streams *all, const struct sink *sink);
/* The server is ending: general streams end, no GET opens another. */
void mcp_streams_drain(struct mcp_streams *all);
/* Drops what was kept for too long.  About once a second. */
void mcp_streams_tick(struct mcp_streams *all);

#endif
