/* harness_http.h -- HTTP clients for tests: one connection kept alive, and MCP of both eras on it,
 * or on a WebSocket.
 *
 * Blocking sockets, one thread a peer.  Every answer is checked for its shape, its id and its era;
 * what is wrong with it is a finding. */
#ifndef TANDEM_TESTS_HARNESS_HTTP_H
#define TANDEM_TESTS_HARNESS_HTTP_H

#include "tests/harness_server.h"

/* Opens a connection to the server; -1 with errno if it is refused.  Reads and writes on it give up
 * after PATIENCE. */
int http_connect(const struct server_info *info);
/* Writes all of it; false if the other side is gone. */
bool http_write(int fd, const void *data, size_t len);

struct http_peer {
    const struct server_info *info; /* Borrowed. */
    int fd;                         /* -1: the next request opens a connection. */
    struct buf in;                  /* Read, not yet taken. */
    unsigned connections;           /* Opened so far. */
};
void http_peer_init(struct http_peer *p, const struct server_info *info);
void http_peer_fini(struct http_peer *p);

struct http_reply {
    int status;
    bool closing;    /* It said "Connection: close". */
    struct buf head; /* Status line and header lines. */
    struct buf body; /* Of an event stream, the last message: the answer. */
};
void http_reply_fini(struct http_reply *r);
/* The value of a header, copied; false if it is not there. */
bool http_reply_header(const struct http_reply *r, const char *name, char *out, size_t size);

/* Sends one request, with the token, and 'headers' ("Name: value\r\n"...) added; 'body' may be
 * null.  A kept connection that the server has closed in the meantime is opened anew, once. */
bool http_send(struct http_peer *p, const char *method, const char *path, const char *headers,
               const char *body, struct http_reply *reply);
/* Reads one answer from the peer's connection.  False if it is cut short or is no HTTP. */
bool http_read(struct http_peer *p, struct http_reply *reply);

enum mcp_era { MCP_LEGACY, MCP_MODERN };

struct mcp_peer {
    struct http_peer http;
    struct findings *findings; /* Borrowed. */
    struct samples samples;    /* How long each request took. */
    enum mcp_era era;
    int number; /* Of the peer; part of its ids. */
    long next_id;
    char session[160]; /* Legacy, by HTTP. */
    void *websocket;   /* Or by this instead: its connection; null for HTTP. */
};
/* Ready to call; a legacy peer has done initialize and notifications/initialized.  False, with a
 * finding, if that failed. */
bool mcp_open(struct mcp_peer *p, const struct server_info *info, enum mcp_era era, int number,
              struct findings *findings);
/* The same over WebSocket. */
bool mcp_open_websocket(struct mcp_peer *p, const struct server_info *info, enum mcp_era era,
                        int number, struct findings *findings);
/* Ends the legacy session by DELETE, or the WebSocket, and frees.  The samples are the caller's. */
void mcp_close(struct mcp_peer *p);

/* What a tool answered. */
struct mcp_outcome {
    json_t *result; /* Its structured result, or what an error result tells; new, null if there was
                       none. */
    bool is_error;  /* The result had isError. */
    int http_status;
    bool lost; /* The connection ended instead: no finding. */
};
/* Calls a tool with 'arguments', JSON text.  Checks status, envelope, id, era's members, content.
 */
struct mcp_outcome mcp_call(struct mcp_peer *p, const char *tool, const char *arguments);
/* Calls pos_workflow; the result is null after a finding. */
struct mcp_outcome mcp_workflow(struct mcp_peer *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What is wrong with the JSON-RPC response 'answer' to the call with 'id', as a text borrowed for
 * ever, or null;
 * '*outcome' is filled in.  For answers that came another way than HTTP. */
const char *mcp_check_answer(const json_t *answer, const json_t *id, enum mcp_era era,
                             struct mcp_outcome *outcome);

/* Members of an outcome. */
const char *outcome_text(const struct mcp_outcome *o, const char *key);
json_int_t outcome_int(const struct mcp_outcome *o, const char *key);
void outcome_fini(struct mcp_outcome *o);

/* The modern _meta member, for messages written by hand. */
#define MODERN_META                                                          \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

#endif
