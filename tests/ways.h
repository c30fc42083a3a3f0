/* ways.h -- one message by every way that it can take to the real server: its pipes, an HTTP POST
 * answered as JSON and one answered as an event, a WebSocket, and HTTP over a Unix socket.
 *
 * A legacy session of version 2025-11-25 is open on each.  Every message that is asked is followed,
 * on the ways that stay open, by a ping whose answer must come too.  What goes wrong on the way
 * itself, a hang, a second answer, a broken frame, fails the test that asked.  One thread. */
#ifndef TANDEM_TESTS_WAYS_H
#define TANDEM_TESTS_WAYS_H

#include "tests/http_client.h"
#include "tests/serving.h"

#include <jansson.h>

#define WAYS_MESSAGE_MAX ((size_t)1024 * 1024) /* Bytes: the server's default. */

enum way { WAY_STDIO, WAY_HTTP, WAY_EVENT, WAY_WS, WAY_UNIX, WAY_COUNT };
extern const char *const way_names[WAY_COUNT];

struct ways {
    struct serving server, local;      /* On a port; on a Unix socket. */
    struct client http, ws, unix_http; /* Kept open from one message to the next. */
    char *session, *local_session;     /* As header lines; owned. */
    unsigned mark;
};

/* Starts the servers, with all tools and without a limit of rate, and opens the sessions. */
void ways_init(struct ways *w);
/* Ends them; both must end as servers should. */
void ways_fini(struct ways *w);

struct told {
    char *text;    /* "" where nothing was answered; owned. */
    int status;    /* Over HTTP; else 0. */
    unsigned code; /* WebSocket: it was closed with this for what is no message: no UTF-8, or too
                      long; else 0. */
};

/* True if 'message' can go that way: a line of stdio ends at a line feed, and an empty one is no
 * message. */
bool way_carries(enum way way, struct slice message);
/* Sends 'message', which 'id' names for people.  'answers' says whether it is to be answered, which
 * only HTTP tells by itself. */
struct told ways_ask(struct ways *w, enum way way, const char *id, struct slice message,
                     bool answers);
void told_fini(struct told *t);

/* Calls the tool that says its arguments again, with 'text', JSON of a string, as one of them, and
 * 'id' for its id.  Returns the answer as JSON, new; null if it was refused.  On success '*said' is
 * what came back, borrowed from it. */
json_t *ways_echo(struct ways *w, enum way way, const char *id, const char *text,
                  const char **said);

#endif
