/* http_client.c -- a client that knows only what an answer looks like. */
#include "tests/http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

int
client_listen(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 1024) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("client_listen");
        abort();
    }
    *port = ntohs(address.sin_port);
    return fd;
}

void
client_open(struct client *c, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)},
                                  .sin_port = htons((uint16_t)port)};

    *c = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("client_open");
        abort();
    }
    /* Head and body go in two packets: the second must not wait until the first is acknowledged. */
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

void
client_close(struct client *c)
{
    if (c->fd >= 0) {
        close(c->fd);
    }
    c->fd = -1;
    buf_fini(&c->in);
    c->at = 0;
}

bool
client_send(struct client *c, struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = send(c->fd, bytes.data, bytes.len, MSG_NOSIGNAL);

        if (n < 0) {
            return false;
        }
        bytes.data += n;
        bytes.len -= (size_t)n;
    }
    return true;
}

bool
client_sends(struct client *c, const char *text)
{
    return client_send(c, slice_of(text));
}

int
client_more(struct client *c, int seconds)
{
    struct pollfd poll_fd = {.fd = c->fd, .events = POLLIN};
    char chunk[16384];
    ssize_t n;

    if (poll(&poll_fd, 1, seconds * 1000) == 0) {
        return -1;
    }
    n = recv(c->fd, chunk, sizeof chunk, 0);
    if (n <= 0) {
        return 0;
    }
    buf_add(&c->in, chunk, (size_t)n);
    return 1;
}

static struct slice
find_header(struct slice head, const char *name)
{
    const char *line = head.data, *end = head.data + head.len;
    size_t len = strlen(name);

    while (line < end) {
        const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);

        if (!next) {
            break;
        }
        if ((size_t)(next - line) > len && strncasecmp(line, name, len) == 0 && line[len] == ':') {
            line += len + 1;
            line += strspn(line, " ");
            return (struct slice){line, (size_t)(next - line)};
        }
        line = next + 2;
    }
    return SLICE_NONE;
}

size_t
client_take_chunks(char *from, size_t len, size_t *held)
{
    size_t at = 0;

    *held = 0;
    for (int pass = 0; pass < 2; pass++) {
        at = 0;
        for (;;) {
            char *line = from + at;
            char *end = memmem(line, len - at, "\r\n", 2);
            size_t size = end ? strtoul(line, NULL, 16) : 0;
            size_t next = end ? (size_t)(end - from) + 2 + size + 2 : len + 1;

            if (next > len) {
                return 0;
            }
            if (pass == 1) {
                memmove(from + *held, end + 2, size);
                *held += size;
            }
            at = next;
            if (size == 0) {
                break;
            }
        }
    }
    return at;
}

bool
client_until(struct client *c, const char *text, int seconds)
{
    for (;;) {
        const char *start = c->in.data + c->at;
        size_t len = c->in.len - c->at;
        const char *found = len ? memmem(start, len, text, strlen(text)) : NULL;

        if (found) {
            c->at += (size_t)(found - start) + strlen(text);
            return true;
        }
        if (client_more(c, seconds) <= 0) {
            return false;
        }
    }
}

struct response
client_read(struct client *c, bool bodiless, int seconds)
{
    struct response r = {.status = 0};
    size_t head_len = 0, body_len = 0, chunks_len = 0;
    struct slice length, connection;

    for (;;) {
        const char *start = c->in.data + c->at;
        size_t len = c->in.len - c->at;
        const char *end = len ? memmem(start, len, "\r\n\r\n", 4) : NULL;
        int more;

        if (end) {
            head_len = (size_t)(end - start) + 4;
            length = find_header((struct slice){start, head_len}, "Content-Length");
            body_len = length.data && !bodiless ? strtoul(length.data, NULL, 10) : 0;
            if (find_header((struct slice){start, head_len}, "Transfer-Encoding").data) {
                chunks_len =
                    client_take_chunks(c->in.data + c->at + head_len, len - head_len, &body_len);
                if (chunks_len) {
                    break;
                }
            } else if (len >= head_len + body_len) {
                break;
            }
        }
        more = client_more(c, seconds);
        if (more <= 0) {
            r.status = more;
            return r;
        }
    }
    r.head = (struct slice){c->in.data + c->at, head_len};
    r.body = (struct slice){r.head.data + head_len, body_len};
    c->at += head_len + (chunks_len ? chunks_len : body_len);
    if (sscanf(r.head.data, "HTTP/1.1 %3d ", &r.status) != 1) {
        fprintf(stderr, "no answer: %.*s\n", (int)r.head.len, r.head.data);
        abort();
    }
    connection = find_header(r.head, "Connection");
    r.close = slice_is(connection, "close");
    return r;
}

struct response
client_next(struct client *c)
{
    return client_read(c, false, 10);
}

char *
client_header(const struct response *r, const char *name)
{
    struct slice value = find_header(r->head, name);

    return xstrndup(value.data ? value.data : "", value.len);
}

bool
client_is_closed(struct client *c)
{
    return c->in.len == c->at && client_more(c, 10) == 0;
}
