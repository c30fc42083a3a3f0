/* http_private.h -- what the files of the HTTP transport share.
 *
 *   http_transport.c   the thread, its loop, accepting, time-outs, the end
 *   http_connection.c  one connection: its socket, bytes in, and whose turn it is
 *   http_requests.c    requests out of a connection's bytes
 *   http_time.c        connections that are too slow, or still there when the server ends
 *   http_answer.c      answers: heads, bodies, errors, and writing them as the socket takes them
 *   http_stream.c      answers that are event streams: their events, comments and end
 *   http_routes.c      what a head must satisfy: Host, Origin, path, method, token, media type
 *   http_auth.c        tokens and challenges; what tells clients where to get a token
 *   http_lines.c       connections that became lines: the other windows of a project
 *   http_mcp.c         the MCP endpoint          http_rest.c   /api, /health, /ready
 *   http_events.c      events: /api/events, /events
 *   http_ws_handshake.c   what asks to become a WebSocket; those that have: http_ws_private.h
 *
 * Everything here runs on the transport's thread, except where it says "any thread". */
#ifndef TANDEM_HTTP_PRIVATE_H
#define TANDEM_HTTP_PRIVATE_H

#include <assert.h>
#include <uv.h>

#include "handlers/dispatch.h"
#include "state/access.h"
#include "state/base/lock.h"
#include "state/base/rate.h"
#include "state/settings.h"
#include "state/traffic.h"
#include "transports/busy_poll.h"
#include "transports/http_parser.h"
#include "transports/transport.h"
#include "transports/ws_use.h"

#define HTTP_STALL_NS INT64_C(10000000000) /* An answer that the peer does not read. */

struct connection;
struct http_auth;
struct http_lines;
struct route;
struct websocket;
struct ws_library;

/* An answer, or an event ahead of one, on its way to the loop. */
struct answer {
    struct answer *next;
    struct connection *connection; /* Counted. */
    bool event;
    bool recheck; /* No answer: what a head waited for is there. */
    bool lost;    /* There was no memory for it. */
    int status;
    int retry_ms;
    unsigned retry_after;
    char session_id[64], event_id[64], scope[64];
    size_t len;
    char body[];
};

/* A socket that is listened on. */
struct http_listener {
    uv_poll_t poll; /* First. */
    int fd;
    unsigned port; /* Bound TCP port; 0 on a Unix socket. */
    bool ready;    /* Somebody wants to connect: at the end of this turn of the loop. */
};

struct http_server {
    struct transport_context context; /* Borrowed parts; set once, as are those up to 'lock'. */
    struct http_limits parser_limits;
    struct http_auth *auth; /* Owned; null unless tokens are an authorization server's. */
    struct http_listener listeners[TRANSPORT_SOCKETS_MAX]; /* The polls are the thread's. */
    size_t listener_count;
    unsigned tick_ms; /* How often connections are looked at. */
    pthread_t thread; /* The starter's, to join. */
    uv_loop_t loop;
    struct busy_poll busy_poll;
    uv_async_t wake;
    _Atomic unsigned refs; /* The starter's, and one a connection. */
    _Atomic bool asked;    /* For a sign of life, and has not given it yet. */
    _Atomic bool stopping;
    _Atomic int64_t stop_deadline_ns;

    struct lock lock;
    struct answer *answers GUARDED_BY(LC_OUTBOX), **answers_last GUARDED_BY(LC_OUTBOX);
    bool closed GUARDED_BY(LC_OUTBOX); /* The loop has ended: answers are dropped. */

    /* The thread's own. */
    pthread_t self;
    uv_timer_t tick;
    uv_check_t turn_end;     /* All sockets that were ready have been told of. */
    struct connection *line; /* To be read at its end. */
    uint64_t reads;          /* So many have been. */
    bool accepting, draining, ended;
    int spare_fd;             /* Given up to refuse a connection when descriptors run out. */
    struct connection *first; /* All open ones, newest first. */
    unsigned connections, unchecked, bridges;
    struct ws_library *websockets;    /* Owned; made for the first one. */
    struct connection *_Atomic woken; /* Connections with something to write; counted. */
    int64_t now_ns;                   /* When the event came that is being dealt with. */
    int64_t date_until_ns;            /* How long 'date' is right. */
    char date[40];
    struct buf room;           /* Lent for answers. */
    struct http_parser parser; /* For requests that arrived whole. */
    char scratch[128 * 1024];  /* A message of 64 KiB arrives whole, with its head and escapes. */
};

enum connection_state {
    READING,   /* Waits for a request, or for more of one. */
    CHECKING,  /* The head of one, kept in 'in', waits for the keys that judge its token. */
    HANDLING,  /* Dispatch has the request. */
    WRITING,   /* The socket has not taken all of the answer. */
    LINES,     /* No HTTP any more: see http_lines.c. */
    WEBSOCKET, /* No longer HTTP: see http_ws.c. */
    LINGERING, /* The last answer is out; what the peer still sends is thrown away. */
    CLOSED,
};

struct connection {
    struct sink sink;           /* First: dispatch sees this. */
    _Atomic unsigned refs;      /* The loop's, and dispatch's while it has the request. */
    _Atomic bool busy;          /* Its bytes are being taken right now, further down the stack. */
    struct http_server *server; /* Counted. */
    int fd;
    uv_poll_t poll;
    int polled; /* Events asked for. */
    enum connection_state state;
    struct connection *next, *prev;
    const struct route *route;   /* Of the request whose head has been read. */
    struct http_lines *lines;    /* Owned; in the state of that name. */
    struct http_parser *parser;  /* Owned; only while part of a request is here. */
    struct websocket *websocket; /* Owned; only in that state, and until it is closed. */
    struct http_feed *feed;      /* Owned: what the stream is of that this answer is; else null. */
    struct buf in;               /* That part, and what is pipelined behind a running call. */
    struct buf out;              /* What the socket did not take yet. */
    size_t out_sent;
    uint64_t read_at;                /* The number of its last read, or of its coming. */
    struct connection *next_in_line; /* In the server's line. */
    bool in_line;                    /* It is there. */
    int64_t since_ns;                /* Last progress of what the state waits for. */
    int64_t head_ns, body_ns; /* When the head and the body of this request began; 0 before. */
    struct rate calls;        /* How often its tools may be called. */
    unsigned requests;
    struct grant *grant;       /* Counted: of this request's token; null if it had none. */
    struct jwks_waiter waiter; /* While CHECKING; counts as a reference. */
    bool waited;               /* This request's head has waited: it will not do so again. */
    bool checked;              /* Has shown a good token, */
    bool shown;                /* and with this request. */
    bool old;                  /* This request came in HTTP/1.0. */
    bool close_after;          /* Close once the answer is written. */
    bool peer_done;            /* The peer will send nothing more. */
    bool event_stream;         /* This answer goes out as one SSE event. */
    bool takes_events;         /* Events may go ahead of this answer; set before dispatch has it. */
    bool streaming;            /* Some have: the answer is the last event. */
    _Atomic bool left;         /* The peer reads no more.  Written by the loop. */
    /* Events that were sent and are not written, and their bytes: any thread.  Of them, those that
     * are in 'out'. */
    _Atomic unsigned waiting;
    _Atomic size_t waiting_bytes;
    _Atomic bool missed; /* One was refused for want of room: its sender is told of room. */
    unsigned out_waiting;
    size_t out_waiting_bytes;
    /* A WebSocket or feed with something to write: any thread. */
    _Atomic bool woken;            /* It is in the server's list. */
    struct connection *next_woken; /* There. */
    bool head_only;                /* HEAD: no body. */
    bool posted;                   /* POST. */
    struct slice origin;           /* To be allowed by CORS, from the settings; else empty. */
    char address[48];              /* Of the peer's end; empty until somebody asks. */
};

/* http_connection.c */

/* Takes 'fd' over, not blocking.  False if that fails; 'fd' is closed then. */
bool connection_open(struct http_server *s, int fd);
/* Closes the socket and drops the loop's reference; a running call goes on or is cancelled by its
 * era. */
void connection_close(struct connection *c);
/* The last answer is out: tells the peer so, and throws away what it still sends, so that the
 * answer is not lost to a reset. */
void connection_linger(struct connection *c);
/* The answer is written: on to the next request, or to the end. */
void connection_answered(struct connection *c);
void connection_poll(struct connection *c, int events);
/* The loop has told of all sockets that are ready: reads those that are in line. */
void connections_end_turn(struct http_server *s);
/* Tells dispatch that the peer is gone. */
void connection_tell_gone(struct connection *c);
/* Any thread. */
void connection_ref(struct connection *c);
void connection_unref(struct connection *c);

/* http_requests.c */

/* Parses and handles the requests in 'data' (the server's scratch, or c->in) while the connection
 * is free, and keeps what belongs to one that is not whole yet, or has to wait for its turn. */
void connection_take_requests(struct connection *c, char *data, size_t len);
/* Keeps 'len' bytes at 'data', which may lie in c->in, as the beginning of what comes next; closes
 * the connection if there is no memory. */
void connection_keep(struct connection *c, const char *data, size_t len);
/* Drops what is kept of a request; later, if it is just being read. */
void connection_drop_partial(struct connection *c);
/* What the head waited for is there: looks at it again. */
void connection_recheck(struct connection *c);

/* http_time.c */

/* Ends what has waited too long. */
void connection_check_time(struct connection *c, int64_t now_ns);
/* The server is ending: closes unless a call or an answer is under way. */
void connection_drain(struct connection *c);
/* Its patience is over: says so to who still waits, and closes. */
void connection_give_up(struct connection *c);

/* http_answer.c */

/* How a request that is not handed to its route is answered. */
struct verdict {
    int status;              /* 0: it passed. */
    bool later;              /* Nobody can say yet: it will be told when to ask again. */
    const char *word, *text; /* The error's, or null for an answer without body. */
    char extra[1024];        /* Header lines with their ends. */
};
/* It passed.  What is long is not cleared: there is a verdict on every request. */
static inline void
verdict_init(struct verdict *v)
{
    v->status = 0;
    v->later = false;
    v->word = v->text = NULL;
    v->extra[0] = '\0';
}

/* Writes an answer, whole or as far as the socket takes it now.  'extra' are header lines with
 * their ends; may be null.  Then goes on with what has been received meanwhile. */
void connection_answer(struct connection *c, int status, const char *type, const char *extra,
                       struct slice body);
/* Answers a request that is refused: with a JSON-RPC error if it was for the MCP endpoint, else
 * with {code, message}. */
void connection_refuse(struct connection *c, bool mcp, int status, const char *word,
                       const char *text, const char *extra);
/* Adds to a head, which has room for it.  Inline, for most of it is text whose length the compiler
 * knows. */
static inline void
http_add(struct buf *head, struct slice text)
{
    assert(text.len < head->size - head->len);
    memcpy(head->data + head->len, text.data, text.len);
    head->len += text.len;
}
void http_add_line(struct buf *head, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds the lines that every head has: the first, and what tells when and to whom. */
void http_add_head(struct connection *c, struct buf *head, int status);
#define HTTP_HEAD_MAX 2048
/* The same for what went wrong, as scripts are told: {code, message, remedy}. */
void connection_tell_fault(struct connection *c, const struct fault *f);
/* Writes what waits. */
void connection_write(struct connection *c);
/* Deals with an answer that dispatch gave. */
void connection_take_answer(struct connection *c, const struct reply *reply);
/* The sink of a connection, for one message, with the reference that dispatch takes over. */
struct sink *connection_take_sink(struct connection *c);
extern const struct sink_class connection_sink;

/* http_stream.c */

/* send() of the connections' sinks. */
enum err connection_send(struct sink *sink, const struct event *event);
/* Deals with an event that dispatch sent: the first begins the stream. */
void connection_take_event(struct connection *c, const struct event *event);
/* Begins a stream of our own; adds text of events to it, and writes what the socket takes, which
 * may close the connection: it does where the text has found no memory, for what is left out of a
 * stream without a word would be waited for. */
void http_stream_begin(struct connection *c);
void http_stream_add(struct connection *c, const struct buf *text);
void http_stream_write(struct connection *c, const struct buf *text);
/* Ends the stream with the answer, if it has a body. */
void connection_end_stream(struct connection *c, const struct reply *reply);
/* Adds an event as it is written: a comment if it says nothing. */
void http_add_event(struct buf *out, const struct event *event);
/* Whether what dispatch tells now may be dealt with now, in the middle of the connection's bytes:
 * this is the loop's thread, which holds no lock, and nothing told before is still on its way:
 * 'counted' are the events of it that have been counted in. */
bool connection_is_here(const struct connection *c, unsigned counted);
/* Everything that was sent is written. */
void connection_stream_written(struct connection *c);
/* Closes a stream whose peer does not read; keeps a silent one open. */
void connection_check_stream(struct connection *c, int64_t now_ns);
/* Watches for what matters while dispatch has the request. */
void connection_watch(struct connection *c);

/* http_lines.c */

/* Its socket is ready. */
void http_lines_event(struct connection *c, int events);
/* Goes on with those that other threads have woken. */
void http_lines_woken(struct http_server *s);
void http_lines_check_time(struct connection *c, int64_t now_ns);
/* The server is ending: takes no more lines, and closes once all is answered. */
void http_lines_drain(struct connection *c);
void http_lines_free(struct connection *c);
void http_bridge(struct connection *c, const struct http_parser *p);

/* http_transport.c */

void http_server_unref(struct http_server *s);
/* Hands an answer to the loop.  Any thread.  Takes over one reference to 'c'. */
void http_server_post(struct http_server *s, struct connection *c, const struct reply *reply);
/* The same for an event.  False, and the reference is still the caller's, without memory. */
bool http_server_post_event(struct http_server *s, struct connection *c, const struct event *event);
/* Tells the peer that there was no memory for its answer. */
void connection_answer_lost(struct connection *c);
/* Has connection_recheck() called by the loop.  Any thread.  Takes over one reference to 'c'. */
void http_server_post_recheck(struct http_server *s, struct connection *c);
void http_server_accept_again(struct http_server *s);
/* Has the loop look at a WebSocket or feed soon.  Any thread, while the connection is open; takes
 * no lock. */
void http_server_wake(struct connection *c);

/* http_routes.c: one row per path. */
struct route {
    const char *path;  /* Null for the MCP endpoint: the settings say. */
    bool prefix;       /* 'path' is the beginning of the paths meant. */
    bool open;         /* Needs no token. */
    bool own;          /* Needs the token of the data folder, whatever others must show. */
    bool any_origin;   /* Pages of all origins may read it. */
    bool metrics;      /* Needs no token if metrics.open says so. */
    bool mcp;          /* Errors are told as JSON-RPC. */
    bool relay;        /* Only for WebSockets, whose token may come with their first frame. */
    unsigned methods;  /* Bits by enum http_method. */
    const char *allow; /* The same, for the Allow header. */
    /* Deals with a whole request; answers it, now or later. */
    void (*handle)(struct connection *c, const struct http_parser *p);
};
/* Finds the route of a head, or null, and checks it; 'v' says whether it may go on. */
const struct route *http_route(struct connection *c, const struct http_parser *p,
                               struct verdict *v);
/* Whether 'path' is the MCP endpoint's. */
bool http_is_mcp(const struct http_server *s, struct slice path);
/* What is told to dispatch besides the body.  Borrows from 'p'. */
void http_fill_envelope(struct connection *c, const struct http_parser *p, struct envelope *env);

/* Fills in a verdict that refuses; 'format' makes its header lines. */
void http_refuse(struct verdict *v, int status, const char *word, const char *text,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* http_auth.c */

/* What the settings say of the authorization server, new; null if there is none. */
struct http_auth *http_auth_create(const struct transport_context *context);
/* Null is ignored. */
void http_auth_destroy(struct http_auth *auth);
/* Whether requests have to show a token. */
bool http_asks_token(const struct http_server *s);
/* Checks the token of a head; a good one's grant is the connection's then.  'own': it must be that
 * of the data folder, whatever others have to show. */
void http_check_token(struct connection *c, const struct http_parser *p, bool own,
                      struct verdict *v);
/* The same for a token that came with a frame; null data for none.  Keys that are not there now are
 * not waited for. */
void http_check_shown(struct connection *c, struct slice token, struct verdict *v);
/* Who was let in. */
struct slice http_principal(const struct connection *c);
/* Writes the line that asks for a token with 'scope', or nothing, into 'out'; returns its length.
 */
size_t http_challenge_scope(const struct connection *c, struct slice scope, char *out, size_t size);
void http_resource_metadata(struct connection *c, const struct http_parser *p);
void http_issuer_metadata(struct connection *c, const struct http_parser *p);

/* http_ws_handshake.c */

#define WS_SUBPROTOCOL "mcp"
/* Whether a request means to become a WebSocket, however badly it says so. */
bool http_ws_wanted(const struct http_parser *p);
/* Checks the handshake of one whose route has passed; 'subprotocol' must be offered, if not null.
 */
void http_ws_check(const struct http_parser *p, const char *subprotocol, struct verdict *v);

/* http_ws.c */

/* Begins a WebSocket whose handshake is good, or refuses for want of what it needs; 'use' is ended
 * then.  'subprotocol' may be null. */
void websocket_open(struct connection *c, const struct http_parser *p, const char *subprotocol,
                    const struct ws_use *use);
/* Has websocket_woken() called for the connection 'arg' soon.  Any thread, whatever it holds, as
 * long as the WebSocket's outbox is not closed. */
void websocket_wake(void *arg);
/* What else the client has sent with its request. */
void websocket_begin(struct connection *c, char *data, size_t len);
void websocket_event(struct connection *c, int events);
/* It has something to write, or may have nothing more to do. */
void websocket_woken(struct connection *c);
void websocket_check_time(struct connection *c, int64_t now_ns);
/* The server is ending: takes no more messages, closes once those in flight are answered. */
void websocket_drain(struct connection *c);
/* The connection is closing. */
void websocket_close(struct connection *c);

/* http_events.c */
void http_event(struct connection *c, const struct http_parser *p);
void http_events(struct connection *c, const struct http_parser *p);
/* There may be more, or there is room for it. */
void http_feed_go_on(struct connection *c);
/* The server is ending: so is the stream, with a word. */
void http_feed_drain(struct connection *c);
/* Nothing more is asked of the bus.  Ignored where there is no feed. */
void http_feed_free(struct connection *c);

/* http_console.c */
void http_console(struct connection *c, const struct http_parser *p);

/* http_ws_mcp.c, http_ws_relay.c: begin a WebSocket of their use. */

void http_ws_mcp(struct connection *c, const struct http_parser *p);
void http_ws_relay(struct connection *c, const struct http_parser *p);

/* http_mcp.c, http_rest.c */
void http_mcp(struct connection *c, const struct http_parser *p);
void http_tool(struct connection *c, const struct http_parser *p);
void http_tools(struct connection *c, const struct http_parser *p);
void http_resource(struct connection *c, const struct http_parser *p);
void http_metrics(struct connection *c, const struct http_parser *p);
void http_health(struct connection *c, const struct http_parser *p);
void http_ready(struct connection *c, const struct http_parser *p);

#endif
