/* mcp_stream_private.h -- what mcp_stream.c (streams), mcp_stream_sink.c (the sinks that carry
 * them) and mcp_stream_store.c (the events that are kept) share. */
#ifndef TANDEM_MCP_STREAM_PRIVATE_H
#define TANDEM_MCP_STREAM_PRIVATE_H

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/mcp_stream.h"

/* ---- Ids: mcp_stream_store.c ---- */

/* "TAG-STREAM-EVENT", hexadecimal. */
#define EVENT_ID_SIZE 48
struct slice event_id(char out[EVENT_ID_SIZE], uint32_t tag, uint64_t stream, uint64_t event);
/* Reads it back; false if it is none of the session with 'tag'. */
bool event_id_parse(struct slice id, uint32_t tag, uint64_t *stream, uint64_t *event);
/* What stands for a session in ids: says nothing of the session's own id. */
uint32_t event_id_tag(const char *session_id);

/* ---- What there is ---- */

/* An event that is kept.  It is in three lists, oldest first in each. */
struct kept {
    struct mcp_stream *stream;
    uint64_t number; /* In its stream. */
    int64_t at_ns;   /* When it was sent, monotonic. */
    struct bytes *body;
    bool last;                              /* The answer: nothing comes after it. */
    struct kept *next, *prev;               /* Of all. */
    struct kept *set_next, *set_prev;       /* Of the session. */
    struct kept *stream_next, *stream_prev; /* Of the stream. */
};

struct mcp_stream {
    struct sink sink;            /* First: a request's. */
    struct mcp_stream_set *set;  /* Set once, as are 'session' and 'primes'. */
    struct mcp_session *session; /* Counted while a request has the stream; null for the general. */
    bool primes;
    uint64_t number GUARDED_BY(LC_MCP_STREAMS);  /* In its session, from 1; the general one's: 0. */
    uint64_t latest GUARDED_BY(LC_MCP_STREAMS);  /* Number of the newest event. */
    uint64_t dropped GUARDED_BY(LC_MCP_STREAMS); /* Events up to here cannot be replayed. */
    struct kept *events GUARDED_BY(LC_MCP_STREAMS);
    struct kept *unsent GUARDED_BY(LC_MCP_STREAMS); /* The first that no sink was given, or null. */
    struct sink *to GUARDED_BY(LC_MCP_STREAMS); /* Counted; null while no connection is there. */
    struct mcp_session *held GUARDED_BY(LC_MCP_STREAMS); /* Counted, busy: 'to' is a GET's. */
    bool started GUARDED_BY(LC_MCP_STREAMS);  /* It is a stream by now, in the set's list. */
    bool ended GUARDED_BY(LC_MCP_STREAMS);    /* Answered: nothing more is sent. */
    bool released GUARDED_BY(LC_MCP_STREAMS); /* The request has let it go. */
    bool gap GUARDED_BY(LC_MCP_STREAMS);      /* Events that 'to' was not given are gone. */
    UT_hash_handle hh;                        /* In 'attached', by 'to'; only once started. */
    struct mcp_stream *next, *prev;           /* Of the set. */
    struct mcp_stream *gap_next, *gap_prev;
};

struct mcp_stream_set {
    struct mcp_streams *all; /* Set once, as is 'tag'. */
    uint32_t tag;            /* Of the session, in the ids of its events. */
    struct mcp_stream general;
    struct mcp_stream *streams GUARDED_BY(LC_MCP_STREAMS); /* The others that have started. */
    uint64_t newest GUARDED_BY(LC_MCP_STREAMS);            /* Number of the newest stream. */
    struct kept *events GUARDED_BY(LC_MCP_STREAMS);
    size_t bytes GUARDED_BY(LC_MCP_STREAMS);  /* Of those events. */
    unsigned open GUARDED_BY(LC_MCP_STREAMS); /* GETs. */
    bool ended GUARDED_BY(LC_MCP_STREAMS);
};

struct mcp_streams {
    const struct clock *clock; /* Borrowed; set once, as are the limits. */
    struct mcp_stream_limits limits;
    struct lock lock;
    struct kept *events GUARDED_BY(LC_MCP_STREAMS);
    struct mcp_stream *attached GUARDED_BY(LC_MCP_STREAMS);
    struct mcp_stream *gaps GUARDED_BY(LC_MCP_STREAMS); /* Attached streams with a gap. */
    struct mcp_streams_counters counters GUARDED_BY(LC_MCP_STREAMS);
    bool draining GUARDED_BY(LC_MCP_STREAMS);
};

/* mcp_stream_store.c */

/* A new event, in no list yet; null without memory. */
struct kept *kept_new(struct slice body);
void kept_free(struct kept *k);
/* Keeps 'k' as the next event of a stream that has started. */
void stream_keep_locked(struct mcp_stream *stream, struct kept *k, bool last)
    REQUIRES(LC_MCP_STREAMS);
/* Forgets an event; and its stream, if that was all of it. */
void kept_drop_locked(struct kept *k) REQUIRES(LC_MCP_STREAMS);
/* Forgets the oldest events of the session, and of all, that are too many. */
void stream_trim_locked(struct mcp_stream_set *set) REQUIRES(LC_MCP_STREAMS);

/* A sink that was taken out of its stream, and how it is to be ended. */
struct parting {
    struct sink *sink;        /* Counted, or null. */
    struct mcp_session *held; /* Counted and busy, or null. */
    struct bytes *body;       /* Counted, or null: what 'reply' tells. */
    struct reply reply;
    char id[EVENT_ID_SIZE];
};
/* clang-format off */
#define PARTING_INIT {.reply = {.status = 204}}
/* clang-format on */

/* mcp_stream_sink.c */

/* Has 'sink' carry the stream, which none does; 'held' if it is a GET's. */
void stream_attach_locked(struct mcp_stream *stream, struct sink *sink, struct mcp_session *held)
    REQUIRES(LC_MCP_STREAMS);
/* Takes the sink out of a stream.  'p' is empty, or unused. */
void stream_detach_locked(struct mcp_stream *stream, struct parting *p) REQUIRES(LC_MCP_STREAMS);
/* Ends what was taken out.  No lock is held. */
void parting_end(const struct mcp_streams *all, struct parting *p);
/* Hands one event to the sink; without body it is there for its id, or for the first byte only. */
enum err stream_hand_locked(struct mcp_stream *stream, uint64_t number, struct slice body,
                            int retry_ms) REQUIRES(LC_MCP_STREAMS);
/* Hands on what is unsent, as far as the sink takes it.  The answer ends the sink, as does its
 * client's having left: then it is in 'p'. */
void stream_pump_locked(struct mcp_stream *stream, struct parting *p) REQUIRES(LC_MCP_STREAMS);
/* Ends the connections of streams of which events were dropped unsent.  No lock is held. */
void streams_end_gaps(struct mcp_streams *all);

/* mcp_stream.c */

/* Frees a stream that nobody can come back to. */
void stream_forget_locked(struct mcp_stream *stream) REQUIRES(LC_MCP_STREAMS);

#endif
