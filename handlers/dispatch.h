/* dispatch.h -- the only door into the handlers.
 *
 * A transport hands over the bytes of one message with what it knows about them; the answer comes
 * back through the sink, exactly once, from this thread before the call returns (methods that only
 * touch memory) or from a worker later.  Everything between is the same for all transports. */
#ifndef TANDEM_DISPATCH_H
#define TANDEM_DISPATCH_H

#include "handlers/request.h"
#include "state/base/pool.h"

#define DISPATCH_SECRET_MIN 32 /* Bytes. */

struct bus_reader;
struct bus_reader_options;
struct bus_reader_start;
struct dispatcher;
struct keeper;
struct state;

struct dispatch_limits {
    struct json_limits json;
    unsigned calls;             /* In flight, in all. */
    unsigned calls_per_session; /* In flight, of one legacy session or connection. */
    int64_t call_ns;            /* A call that runs longer is cancelled. */
    unsigned
        calls_per_second;     /* Of one session or connection; twice as many in a burst.  0: any. */
    const char *groups;       /* Of tools, as tools_create() takes them; borrowed for the call. */
    unsigned asks, asks_each; /* Calls that wait for answers of legacy clients: in all, of one. */
    int64_t ask_ns;           /* How long they do. */
    struct slice
        secret; /* What requestStates are sealed with, borrowed for the call; empty: random. */
};

/* A new dispatcher.  'state' and 'pool' are borrowed and must outlive it. */
struct dispatcher *dispatcher_create(struct state *state, struct pool *pool,
                                     const struct dispatch_limits *limits);
/* Has 'keeper' call dispatch_tick() about once a second while there is something to look at.  It
 * must outlive the dispatcher.  At most once, before the first message. */
void dispatch_keep(struct dispatcher *d, struct keeper *keeper);
/* Ends what is past its time: idle MCP sessions, events that are kept, questions, tasks; runs what
 * waited for a moment or a worker; makes streams of the answers to calls that take long.  Returns
 * true while there is anything that may come to be; a message makes it be asked again.  The
 * keeper's thread. */
bool dispatch_tick(struct dispatcher *d);
/* No call may be in flight.  Null is ignored. */
void dispatcher_destroy(struct dispatcher *d);

/* Takes one JSON-RPC message, or a batch.  'body' is borrowed for the call.  Takes over one
 * reference to 'sink'.  Any transport thread; never blocks. */
void dispatch_message(struct dispatcher *d, const struct envelope *env, struct slice body,
                      struct sink *sink);
/* Calls a tool for a script: 'arguments' is a JSON object, or empty.  The answer is the tool's
 * structured result, or {code, message, remedy} with its HTTP status.  Otherwise as above. */
void dispatch_tool(struct dispatcher *d, const struct envelope *env, struct slice tool,
                   struct slice arguments, struct sink *sink);
/* Lists the tools for a script: {"tools":[...]} as tools/list gives them. */
void dispatch_tools(struct dispatcher *d, const struct envelope *env, struct sink *sink);
/* Reads a resource for a script: {"contents":[...]} as resources/read gives it. */
void dispatch_resource(struct dispatcher *d, const struct envelope *env, struct slice uri,
                       struct sink *sink);
/* Publishes an event for a script (events_ingest.h): 204, or an error.  Otherwise as above. */
void dispatch_event(struct dispatcher *d, const struct envelope *env, struct slice body,
                    struct sink *sink);
/* Opens a reader of events (state/bus_reader.h) for the peer behind 'env': it sees those of its
 * tenant, which is found here, and the server's.  'options' are those of bus_reader_open() but for
 * the tenant.  Errors besides its: E_TENANT, E_SCOPE, E_BUSY.  The reader is the caller's; it is
 * closed before the dispatcher ends.  The transport's thread. */
enum err dispatch_read_events(struct dispatcher *d, const struct envelope *env,
                              struct bus_reader_options *options, struct bus_reader **reader,
                              struct bus_reader_start *start, struct fault *f);
/* Publishes what became of one who reads events (events_tell_relay()) and has no name; 'reason' may
 * be null.  The transport's thread. */
enum relay_news { RELAY_CONNECTED, RELAY_RESUMED, RELAY_OVERFLOW, RELAY_DROPPED };
void dispatch_tell_relay(struct dispatcher *d, enum relay_news news, struct bus_reader *reader,
                         const char *reason);
/* Opens an event stream of the legacy session that 'env' names (HTTP GET): the one that
 * 'last_event_id' is of, from there on, or with null data the general one.  It goes to 'sink',
 * which takes events, until an answer ends it; or an error is the answer.  Otherwise as above. */
void dispatch_listen(struct dispatcher *d, const struct envelope *env, struct slice last_event_id,
                     struct sink *sink);
/* Ends the legacy session that 'env' names (HTTP DELETE): 204, 400 or 404. */
void dispatch_end(struct dispatcher *d, const struct envelope *env, struct sink *sink);

/* The peer behind 'env' has gone.  On a connection that is its own session ('sink' null) that
 * cancels all it has in flight; over HTTP it cancels the modern request whose answer was to go to
 * 'sink', while a legacy one runs on, and lets go of a GET. */
void dispatch_gone(struct dispatcher *d, const struct envelope *env, const struct sink *sink);
/* 'sink' has refused an event with E_LIMIT, and all that waited for its peer is written: what it
 * missed may be sent now.  Its transport's thread. */
void dispatch_drained(struct dispatcher *d, const struct sink *sink);
/* The peer behind 'env', a connection that is its own session, will say nothing more: its
 * subscriptions are ended with their result; its calls go on. */
void dispatch_last(struct dispatcher *d, const struct envelope *env);
/* The server is about to end: what stays open by itself, subscriptions and streams by GET, is
 * ended, and nothing of the kind is taken any more.  Any thread. */
void dispatch_drain(struct dispatcher *d);
/* The server is ending and its patience is over: answers every call in flight with an error,
 * whether or not its worker can be stopped, and takes no new ones.  Returns how many there were. */
unsigned dispatch_end_all(struct dispatcher *d);

/* Appends all that is counted, in the text format of Prometheus.  Any thread that holds no lock;
 * some 100 us. */
void dispatch_metrics(struct dispatcher *d, struct buf *out);

/* Calls in flight per transport. */
unsigned dispatch_in_flight(struct dispatcher *d, enum transport_kind transport);

#endif
