/* http_client.h -- a client on a plain socket, for tests of the HTTP transport: it sends any bytes,
 * and reads answers one after the other. */
#ifndef TANDEM_TESTS_HTTP_CLIENT_H
#define TANDEM_TESTS_HTTP_CLIENT_H

#include "state/base/mem.h"

struct client {
    int fd;
    struct buf in; /* Read and not yet told. */
    size_t at;     /* What of it has been told. */
};

struct response {
    int status;        /* 0: the connection was closed; -1: nothing came in time. */
    struct slice head; /* From the first line to the empty one; borrowed until the next call. */
    struct slice body;
    bool close; /* "Connection: close". */
};

/* A socket that listens on a free port of 127.0.0.1, as the server makes it; stores the port. */
int client_listen(unsigned *port);
/* A connection to that port; aborts if it cannot be made. */
void client_open(struct client *c, unsigned port);
void client_close(struct client *c);
/* Sends all; false if the peer has gone. */
bool client_send(struct client *c, struct slice bytes);
bool client_sends(struct client *c, const char *text);
/* Reads some more into 'in', waiting for 'seconds'.  1; 0 at the end; -1 if nothing comes. */
int client_more(struct client *c, int seconds);
/* Reads one answer, a chunked one up to its end; a HEAD's, 'bodiless', has none behind its head.
 * Waits for 'seconds'; that long only if none comes. */
struct response client_read(struct client *c, bool bodiless, int seconds);
/* The same for at most ten seconds, with a body. */
struct response client_next(struct client *c);
/* The length of a chunked body at 'from' up to its end, 0 if that is not there yet; puts what the
 * chunks hold together, at 'from', once it is, and stores how much that is. */
size_t client_take_chunks(char *from, size_t len, size_t *held);
/* Waits until 'text' has come, and steps over all up to its end; false if it does not come. */
bool client_until(struct client *c, const char *text, int seconds);
/* The value of a header in 'r', "" if it is not there; new. */
char *client_header(const struct response *r, const char *name);
/* True if the connection is closed by the peer without another byte. */
bool client_is_closed(struct client *c);

#endif
