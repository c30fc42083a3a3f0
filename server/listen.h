/* listen.h -- the address to listen on, and the socket that does.
 *
 * The socket that is found free is the one that is used: it is never closed and bound again.  A
 * given port is tried first, then the range of the settings.  Names are never looked up: an
 * address is numeric, "localhost", or the path of a Unix socket. */
#ifndef TANDEM_LISTEN_H
#define TANDEM_LISTEN_H

#include "state/base/err.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LISTEN_URL_SIZE 512

struct listen_address {
    struct sockaddr_storage sockaddr; /* Its port is 0 unless one was given. */
    socklen_t len;
    bool port_given;
};

struct listener {
    int fd;        /* Bound, listening, not blocking; the caller's. */
    char host[64]; /* As in a URL; empty for a Unix socket. */
    unsigned port; /* 0 for a Unix socket. */
    char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* Absolute; empty for TCP. */
    bool moved;   /* The given port was taken; this is another. */
    bool adopted; /* Others have opened it. */
};

/* Reads "HOST", "HOST:PORT", "[V6]:PORT" or "unix:PATH".  E_ARGUMENT. */
enum err listen_parse(const char *text, struct listen_address *address, struct fault *f);
/* True for a loopback address or a Unix socket: what only this machine reaches. */
bool listen_is_local(const struct listen_address *address);
/* Opens the socket.  E_OK and 'l', the descriptor being the caller's.  E_LIMIT: every port is
 * taken, told with range and remedy; E_CONFLICT: another listens on that Unix socket; E_IO. */
enum err listen_open(const struct listen_address *address, unsigned first, unsigned last,
                     struct listener *l, struct fault *f);
/* Takes 'fd', which listens already and was opened by others, to whom the file of a Unix socket
 * belongs: nobody removes it here.  E_OK, 'l' and, in '*address', where it is; E_IO: nobody knows,
 * and 'fd' is the caller's still. */
enum err listen_adopt(int fd, struct listen_address *address, struct listener *l, struct fault *f);
/* Closes the socket if it is open, and removes the file of a Unix socket that was made here. */
void listen_close(struct listener *l);
/* Writes the URL by which this machine reaches 'path' on it: "http://127.0.0.1:4242/mcp", or, with
 * the socket's path escaped as a host, "http+unix://%2Frun%2Ft.sock/mcp". */
void listen_url(const struct listener *l, const char *path, char out[LISTEN_URL_SIZE]);

#endif
