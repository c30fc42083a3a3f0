/* client.c -- one exchange over a non-blocking socket with one deadline for everything. */
#include "server/client.h"

#include "state/base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#define HEAD_MAX (64u << 10)

static enum err
refuse_url(const char *url, struct fault *f)
{
    fault_set(f, E_ARGUMENT, "\"%.100s\" is not the URL of a server", url);
    return fault_remedy(f, "write http://127.0.0.1:4242; names are not looked up");
}

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Undoes %XX in 'from' (of 'len' bytes); false if it is wrong, has a NUL, or does not fit. */
static bool
unescape(const char *from, size_t len, char *to, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)from[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(from[i + 1]) : -1;
            int low = i + 2 < len ? hex_digit(from[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = high * 16 + low;
            i += 2;
        }
        if (c == 0 || n + 1 >= size) {
            return false;
        }
        to[n++] = (char)c;
    }
    to[n] = '\0';
    return true;
}

enum err
client_parse_url(const char *url, struct client_target *target, struct fault *f)
{
    static const char tcp[] = "http://", local[] = "http+unix://";
    bool is_local = strncmp(url, local, strlen(local)) == 0;
    const char *authority = url + (is_local ? strlen(local) : strlen(tcp));
    char address[256] = "unix:";
    size_t len;

    *target = (struct client_target){.host = "localhost"};
    if (!is_local && strncmp(url, tcp, strlen(tcp)) != 0) {
        return refuse_url(url, f);
    }
    len = strcspn(authority, "/");
    if (strlen(authority + len) >= sizeof target->path || strpbrk(authority, "?#@ \r\n")) {
        return refuse_url(url, f);
    }
    snprintf(target->path, sizeof target->path, "%s", authority[len] ? authority + len : "/");
    if (is_local) {
        if (!unescape(authority, len, address + 5, sizeof address - 5) || address[5] != '/') {
            return refuse_url(url, f);
        }
    } else {
        if (len >= sizeof target->host) {
            return refuse_url(url, f);
        }
        memcpy(target->host, authority, len);
        target->host[len] = '\0';
        snprintf(address, sizeof address, "%s", target->host);
    }
    if (listen_parse(address, &target->address, NULL)) {
        return refuse_url(url, f);
    }
    if (!is_local && !target->address.port_given) {
        ((struct sockaddr_in *)&target->address.sockaddr)->sin_port = htons(80);
    }
    return E_OK;
}

struct exchange {
    int fd;
    int64_t deadline;
    struct fault *f;
};

/* Waits until the socket can do what is wanted. */
static enum err
wait_for(const struct exchange *x, short events)
{
    for (;;) {
        struct pollfd p = {.fd = x->fd, .events = events};
        int64_t left = x->deadline - clock_mono(clock_real());
        int n;

        if (left <= 0) {
            return fault_set(x->f, E_TIMEOUT, "the server did not answer in time");
        }
        n = poll(&p, 1, left / 1000000 >= 3600000 ? 3600000 : (int)(left / 1000000) + 1);
        if (n > 0) {
            return E_OK;
        }
        if (n < 0 && errno != EINTR) {
            return fault_set(x->f, E_IO, "waiting for the server failed: %s", strerror(errno));
        }
    }
}

static enum err
connect_to(struct exchange *x, const struct listen_address *address)
{
    const struct sockaddr *sockaddr = (const struct sockaddr *)&address->sockaddr;
    int failed = 0;
    socklen_t len = sizeof failed;
    enum err err = E_OK;

    x->fd = socket(address->sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (x->fd < 0) {
        return fault_set(x->f, E_IO, "no socket: %s", strerror(errno));
    }
    if (connect(x->fd, sockaddr, address->len) != 0) {
        failed = errno;
        if (failed == EINPROGRESS) {
            err = wait_for(x, POLLOUT);
            if (err) {
                return err;
            }
            if (getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0) {
                failed = errno;
            }
        }
    }
    if (failed) {
        fault_set(x->f, E_NOT_FOUND, "the server cannot be reached: %s", strerror(failed));
        return fault_remedy(x->f, "\"tandem status\" tells whether one runs");
    }
    return E_OK;
}

static enum err
send_all(const struct exchange *x, struct slice data)
{
    while (data.len) {
        ssize_t n = send(x->fd, data.data, data.len, MSG_NOSIGNAL);

        if (n > 0) {
            data.data += n;
            data.len -= (size_t)n;
        } else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            enum err err = wait_for(x, POLLOUT);
            if (err) {
                return err;
            }
        } else {
            return E_OK; /* It answered early and hung up: that answer is there to be read. */
        }
    }
    return E_OK;
}

/* Where the body begins in 'all', or 0 while the head is not whole. */
static size_t
head_end(const struct buf *all)
{
    const char *end = all->data ? memmem(all->data, all->len, "\r\n\r\n", 4) : NULL;
    return end ? (size_t)(end - all->data) + 4 : 0;
}

/* The value of a header in a whole head; null if it has none.  'name' begins with the end of the
 * line before and ends with the colon. */
static const char *
find_header(const char *head, size_t len, const char *name)
{
    for (size_t i = 0; i + strlen(name) < len; i++) {
        if (strncasecmp(head + i, name, strlen(name)) == 0) {
            head += i + strlen(name);
            return head + strspn(head, " \t");
        }
    }
    return NULL;
}

/* Finds Content-Length in a whole head; -1 if it has none, -2 if it makes no sense. */
static int64_t
content_length(const char *head, size_t len)
{
    const char *p = find_header(head, len, "\ncontent-length:");
    int64_t value = 0;

    if (!p) {
        return -1;
    }
    if (!isdigit((unsigned char)*p)) {
        return -2;
    }
    for (; isdigit((unsigned char)*p); p++) {
        value = value * 10 + (*p - '0');
        if (value > CLIENT_BODY_MAX) {
            return -2;
        }
    }
    return value;
}

static void
take_session(struct client_reply *reply, const char *head, size_t len)
{
    const char *id = find_header(head, len, "\nmcp-session-id:");
    size_t length = id ? strcspn(id, " \t\r\n") : 0;

    if (length < sizeof reply->session) {
        memcpy(reply->session, id ? id : "", length);
        reply->session[length] = '\0';
    }
}

/* Reads until the answer is whole.  'all' then holds it, with the body from '*start' on. */
static enum err
receive(const struct exchange *x, struct buf *all, size_t *start)
{
    int64_t length = -1;

    *start = 0;
    for (;;) {
        char piece[16384];
        ssize_t n = recv(x->fd, piece, sizeof piece, 0);

        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            enum err err = wait_for(x, POLLIN);
            if (err) {
                return err;
            }
            continue;
        }
        if (n <= 0) {
            if (*start && length < 0 && n == 0) {
                return E_OK;
            }
            return fault_set(x->f, E_IO, "the server hung up before its answer was whole");
        }
        buf_add(all, piece, (size_t)n);
        if (!*start) {
            *start = head_end(all);
            length = *start ? content_length(all->data, *start) : -1;
        }
        if (length == -2 || all->failed || (!*start && all->len > HEAD_MAX)) {
            return fault_set(x->f, E_TOO_LARGE, "the server's answer is too large");
        }
        if (*start && length >= 0 && all->len - *start >= (size_t)length) {
            all->len = *start + (size_t)length;
            return E_OK;
        }
    }
}

static bool
parse_status(const struct buf *all, int *status)
{
    const char *p = all->data;

    if (all->len < 13 || strncmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ' ||
        !isdigit((unsigned char)p[9]) || !isdigit((unsigned char)p[10]) ||
        !isdigit((unsigned char)p[11])) {
        return false;
    }
    *status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
    return true;
}

static void
write_request(const struct client_target *target, const struct client_request *request,
              const char *connection, struct buf *text)
{
    buf_addf(text, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: %s\r\n", request->method,
             request->path, target->host, connection);
    if (request->token) {
        buf_addf(text, "Authorization: Bearer %s\r\n", request->token);
    }
    if (request->body.data) {
        buf_addf(text, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                 request->body.len);
    }
    buf_adds(text, request->headers ? request->headers : "");
    buf_adds(text, "\r\n");
    buf_add_slice(text, request->body);
}

/* Connects, and sends the request. */
static enum err
ask(struct exchange *x, const struct client_target *target, const struct client_request *request,
    const char *connection)
{
    struct buf text = BUF_INIT;
    enum err err;

    write_request(target, request, connection, &text);
    err = text.failed ? fault_set(x->f, E_TOO_LARGE, "the arguments are too large")
                      : connect_to(x, &target->address);
    if (!err) {
        err = send_all(x, buf_slice(&text));
    }
    if (text.data) {
        explicit_bzero(text.data, text.len); /* The token was in it. */
    }
    buf_fini(&text);
    return err;
}

enum err
client_exchange(const struct client_target *target, const struct client_request *request,
                struct client_reply *reply, struct fault *f)
{
    struct exchange x = {
        .fd = -1, .deadline = clock_mono(clock_real()) + request->timeout_ns, .f = f};
    struct buf all = {.limit = CLIENT_BODY_MAX + HEAD_MAX};
    size_t start = 0;
    enum err err = ask(&x, target, request, "close");

    *reply = (struct client_reply)CLIENT_REPLY_INIT;
    if (!err) {
        err = receive(&x, &all, &start);
    }
    if (!err && !parse_status(&all, &reply->status)) {
        err = fault_set(f, E_IO, "what answered is no HTTP server");
    }
    if (!err) {
        take_session(reply, all.data, start);
        buf_add(&reply->body, all.data + start, all.len - start);
    }
    if (x.fd >= 0) {
        close(x.fd);
    }
    buf_fini(&all);
    return err;
}

/* Reads a head, and nothing behind it. */
static enum err
receive_head(const struct exchange *x, struct buf *all)
{
    while (!head_end(all)) {
        char c[64];
        ssize_t n = recv(x->fd, c, sizeof c, MSG_PEEK);
        size_t take, end;

        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            enum err err = wait_for(x, POLLIN);
            if (err) {
                return err;
            }
            continue;
        }
        if (n <= 0) {
            return fault_set(x->f, E_IO, "the server hung up before its answer was whole");
        }
        buf_add(all, c, (size_t)n);
        end = head_end(all);
        take = end ? (size_t)n - (all->len - end) : (size_t)n;
        if (recv(x->fd, c, take, 0) != (ssize_t)take || all->len > HEAD_MAX || all->failed) {
            return fault_set(x->f, E_IO, "the head of the server's answer cannot be read");
        }
    }
    return E_OK;
}

enum err
client_upgrade(const struct client_target *target, const struct client_request *request,
               const char *protocol, int *fd, int *status, struct fault *f)
{
    struct exchange x = {
        .fd = -1, .deadline = clock_mono(clock_real()) + request->timeout_ns, .f = f};
    char connection[128];
    struct buf head = BUF_INIT;
    enum err err;

    *status = 0;
    snprintf(connection, sizeof connection, "Upgrade\r\nUpgrade: %s", protocol);
    err = ask(&x, target, request, connection);
    if (!err) {
        err = receive_head(&x, &head);
    }
    if (!err && !parse_status(&head, status)) {
        err = fault_set(f, E_IO, "what answered is no HTTP server");
    }
    if (!err && *status != 101) {
        err = fault_set(f, E_REFUSED, "the server answered %d", *status);
    }
    if (err && x.fd >= 0) {
        close(x.fd);
        x.fd = -1;
    }
    buf_fini(&head);
    *fd = x.fd;
    return err;
}
