/* listen.c -- addresses, and bind-and-listen in one go. */
#include "server/listen.h"

#include "state/base/mem.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err
refuse(const char *text, struct fault *f)
{
    fault_set(f, E_ARGUMENT, "listen: \"%.100s\" is not an address to listen on", text);
    return fault_remedy(f, "write 127.0.0.1:4300, [::1]:4300, localhost, 127.0.0.1:0 for any free "
                           "port, or unix:PATH; names are not looked up");
}

static enum err
parse_unix(const char *path, struct listen_address *address, struct fault *f)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->sockaddr;
    char folder[PATH_MAX] = "";
    char whole[2 * PATH_MAX];
    size_t len;

    if (*path && *path != '/' && !getcwd(folder, sizeof folder)) {
        return fault_set(f, E_IO, "the working directory cannot be told: %s", strerror(errno));
    }
    len = (size_t)snprintf(whole, sizeof whole, "%s%s%s", folder, *folder ? "/" : "", path);
    if (len == 0 || len >= sizeof un->sun_path) {
        fault_set(f, E_ARGUMENT, "listen: a Unix socket's absolute path has 1 to %zu bytes",
                  sizeof un->sun_path - 1);
        return fault_remedy(f, "choose a shorter path, such as /run/user/1000/tandem.sock");
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, whole, len + 1);
    address->len = sizeof *un;
    return E_OK;
}

/* Takes "PORT" or nothing. */
static bool
parse_port(const char *text, in_port_t *port)
{
    unsigned n = 0;

    if (!*text) {
        return false;
    }
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text)) {
            return false;
        }
        n = n * 10 + (unsigned)(*text - '0');
        if (n > 65535) {
            return false;
        }
    }
    *port = htons((in_port_t)n);
    return true;
}

enum err
listen_parse(const char *text, struct listen_address *address, struct fault *f)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address->sockaddr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->sockaddr;
    const char *port = NULL;
    char host[INET6_ADDRSTRLEN + 1];
    size_t len;

    *address = (struct listen_address){.port_given = false};
    if (strncmp(text, "unix:", 5) == 0) {
        return parse_unix(text + 5, address, f);
    }
    if (*text == '[') {
        len = strcspn(++text, "]");
        port = text[len] ? text + len + 1 : "bad";
    } else {
        const char *colon = strchr(text, ':');
        bool bare_v6 = colon && strchr(colon + 1, ':');
        len = colon && !bare_v6 ? (size_t)(colon - text) : strlen(text);
        port = text + len;
    }
    if (len == 0 || len >= sizeof host || (*port && *port != ':')) {
        return refuse(text, f);
    }
    memcpy(host, text, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &v4->sin_addr) ==
        1) {
        v4->sin_family = AF_INET;
        address->len = sizeof *v4;
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        address->len = sizeof *v6;
    } else {
        return refuse(text, f);
    }
    if (*port) {
        in_port_t number;
        if (!parse_port(port + 1, &number)) {
            return refuse(text, f);
        }
        address->port_given = true;
        /* The port is at the same place in both. */
        v4->sin_port = number;
    }
    return E_OK;
}

bool
listen_is_local(const struct listen_address *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->sockaddr;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->sockaddr;

    switch (address->sockaddr.ss_family) {
    case AF_INET:
        return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    default:
        return true;
    }
}

/* One try.  The descriptor, or -1 with errno.  Two sockets may bind one port as long as neither
 * listens, so a port is ours only once listen() has said so. */
static int
try_listen(const struct sockaddr_storage *sockaddr, socklen_t len)
{
    int fd = socket(sockaddr->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1, failed;

    if (fd < 0) {
        return -1;
    }
    if ((sockaddr->ss_family == AF_UNIX ||
         setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0) &&
        bind(fd, (const struct sockaddr *)sockaddr, len) == 0 && listen(fd, SOMAXCONN) == 0) {
        return fd;
    }
    failed = errno;
    close(fd);
    errno = failed;
    return -1;
}

/* Removes a socket file that nobody listens on.  False, with the fault, if it must stay. */
static bool
clear_socket_file(const struct sockaddr_un *un, struct fault *f)
{
    struct stat st;
    int fd, connected;

    if (lstat(un->sun_path, &st) != 0) {
        return true;
    }
    if (!S_ISSOCK(st.st_mode)) {
        fault_set(f, E_CONFLICT, "listen: the path of the Unix socket is taken by another file");
        return false;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    connected = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)un, sizeof *un);
    if (connected != 0 && fd >= 0 && errno == ECONNREFUSED && unlink(un->sun_path) == 0) {
        close(fd);
        return true;
    }
    if (fd >= 0) {
        close(fd);
    }
    fault_set(f, E_CONFLICT, "listen: another server listens on that Unix socket");
    return false;
}

static enum err
open_unix(const struct listen_address *address, struct listener *l, struct fault *f)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->sockaddr;
    mode_t mask;

    if (!clear_socket_file(un, f)) {
        fault_remedy(f, "give another path with --listen unix:PATH");
        return E_CONFLICT;
    }
    mask = umask(0177); /* Nobody else may connect, from the first moment. */
    l->fd = try_listen(&address->sockaddr, address->len);
    umask(mask);
    if (l->fd < 0) {
        fault_set(f, E_IO, "listen: the Unix socket cannot be made: %s", strerror(errno));
        return fault_remedy(f, "its folder must exist and be writable");
    }
    memcpy(l->socket_path, un->sun_path, sizeof l->socket_path);
    return E_OK;
}

static enum err
ask_address(int fd, struct sockaddr_storage *actual, socklen_t *len, struct fault *f)
{
    *actual = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    *len = sizeof *actual;
    return getsockname(fd, (struct sockaddr *)actual, len) == 0
               ? E_OK
               : fault_set(f, E_IO, "listen: the socket's address is unknown: %s", strerror(errno));
}

/* Fills in where an open listener is. */
static void
tell_address(const struct sockaddr_storage *actual, struct listener *l)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)actual;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)actual;
    const struct sockaddr_un *un = (const struct sockaddr_un *)actual;
    char text[INET6_ADDRSTRLEN];

    if (actual->ss_family == AF_UNIX) {
        snprintf(l->socket_path, sizeof l->socket_path, "%s", un->sun_path);
        return;
    }
    if (actual->ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        snprintf(l->host, sizeof l->host, "%s", text);
    } else {
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        snprintf(l->host, sizeof l->host, "[%s]", text);
    }
    l->port = ntohs(v4->sin_port); /* At the same place in both. */
}

enum err
listen_open(const struct listen_address *address, unsigned first, unsigned last, struct listener *l,
            struct fault *f)
{
    struct sockaddr_storage sockaddr = address->sockaddr;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&sockaddr;

    *l = (struct listener){.fd = -1};
    if (sockaddr.ss_family == AF_UNIX) {
        return open_unix(address, l, f);
    }
    if (address->port_given) {
        l->fd = try_listen(&sockaddr, address->len);
        l->moved = l->fd < 0 && errno == EADDRINUSE;
    }
    if (l->moved || !address->port_given) {
        errno = EADDRINUSE;
        for (unsigned port = first; port <= last && l->fd < 0 && errno == EADDRINUSE; port++) {
            v4->sin_port = htons((in_port_t)port);
            l->fd = try_listen(&sockaddr, address->len);
        }
    }
    if (l->fd >= 0) {
        socklen_t len;
        enum err err = ask_address(l->fd, &sockaddr, &len, f);

        if (err) {
            listen_close(l);
        } else {
            tell_address(&sockaddr, l);
        }
        return err;
    }
    if (errno != EADDRINUSE) {
        fault_set(f, E_IO, "listen: the address cannot be listened on: %s", strerror(errno));
        return fault_remedy(f, "give an address of this machine and a port from 1024 on");
    }
    fault_set(f, E_LIMIT, "listen: all ports from %u to %u are taken%s", first, last,
              address->port_given ? ", and so is the one that was given" : "");
    return fault_remedy(f, "end a server that is not needed, give a free port with --listen "
                           "HOST:PORT (HOST:0: any), or move the range with --ports-first and "
                           "--ports-last");
}

enum err
listen_adopt(int fd, struct listen_address *address, struct listener *l, struct fault *f)
{
    enum err err = ask_address(fd, &address->sockaddr, &address->len, f);

    address->port_given = true;
    *l = (struct listener){.fd = err ? -1 : fd, .adopted = true};
    if (!err) {
        tell_address(&address->sockaddr, l);
    }
    return err;
}

void
listen_close(struct listener *l)
{
    if (l->fd >= 0) {
        close(l->fd);
        l->fd = -1;
    }
    if (l->socket_path[0] && !l->adopted) {
        unlink(l->socket_path);
    }
    l->socket_path[0] = '\0';
}

void
listen_url(const struct listener *l, const char *path, char out[LISTEN_URL_SIZE])
{
    size_t n;

    if (!l->socket_path[0]) {
        const char *host = strcmp(l->host, "0.0.0.0") == 0 ? "127.0.0.1"
                           : strcmp(l->host, "[::]") == 0  ? "[::1]"
                                                           : l->host;
        snprintf(out, LISTEN_URL_SIZE, "http://%s:%u%s", host, l->port, path);
        return;
    }
    n = (size_t)snprintf(out, LISTEN_URL_SIZE, "http+unix://");
    for (const char *p = l->socket_path; *p && n + 4 < LISTEN_URL_SIZE; p++) {
        bool plain = isalnum((unsigned char)*p) || strchr("-._~", *p);
        n += (size_t)snprintf(out + n, LISTEN_URL_SIZE - n, plain ? "%c" : "%%%02X",
                              (unsigned char)*p);
    }
    snprintf(out + n, LISTEN_URL_SIZE - n, "%s", path);
}
