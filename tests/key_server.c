/* key_server.c -- one thread, one request a connection. */
#include "tests/key_server.h"

#include "state/base/mem.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
read_head(int fd)
{
    char head[4096] = "";
    size_t len = 0;

    while (len < sizeof head - 1 && !strstr(head, "\r\n\r\n")) {
        ssize_t n = recv(fd, head + len, sizeof head - 1 - len, 0);

        if (n <= 0) {
            return false;
        }
        len += (size_t)n;
        head[len] = '\0';
    }
    return true;
}

static void
answer(struct key_server *s, int fd)
{
    char *text;
    size_t len, sent = 0;

    pthread_mutex_lock(&s->mutex);
    text = xasprintf("HTTP/1.1 %d Said\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n%s\r\n%s",
                     s->status, strlen(s->body) + (s->cut ? 100 : 0),
                     s->status == 302 ? "Location: /elsewhere\r\n" : "", s->body);
    pthread_mutex_unlock(&s->mutex);
    len = strlen(text);
    while (sent < len) {
        ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);

        if (n <= 0) {
            break; /* The client has had enough. */
        }
        sent += (size_t)n;
    }
    free(text);
}

static void *
serve(void *arg)
{
    struct key_server *s = arg;

    for (;;) {
        int fd = accept(s->fd, NULL, NULL);

        if (fd < 0) {
            return NULL; /* key_server_stop(). */
        }
        if (read_head(fd)) {
            atomic_fetch_add(&s->hits, 1);
            if (atomic_load(&s->hold)) {
                sem_post(&s->held);
                while (sem_wait(&s->go) != 0) {
                }
            }
            answer(s, fd);
        }
        close(fd);
    }
}

void
key_server_start(struct key_server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int failed;

    memset(s, 0, sizeof *s);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    failed = s->fd < 0 || bind(s->fd, (struct sockaddr *)&address, len) != 0 ||
             listen(s->fd, 64) != 0 || getsockname(s->fd, (struct sockaddr *)&address, &len) != 0;
    assert(!failed);
    s->port = ntohs(address.sin_port);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/jwks.json", s->port);
    s->status = 200;
    s->body = xstrdup("{}");
    pthread_mutex_init(&s->mutex, NULL);
    sem_init(&s->held, 0, 0);
    sem_init(&s->go, 0, 0);
    failed = pthread_create(&s->thread, NULL, serve, s);
    assert(!failed);
    (void)failed;
}

void
key_server_stop(struct key_server *s)
{
    atomic_store(&s->hold, false);
    sem_post(&s->go);
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    pthread_mutex_destroy(&s->mutex);
    sem_destroy(&s->held);
    sem_destroy(&s->go);
    free(s->body);
}

void
key_server_say(struct key_server *s, int status, const char *body)
{
    pthread_mutex_lock(&s->mutex);
    free(s->body);
    s->status = status;
    s->body = xstrdup(body);
    pthread_mutex_unlock(&s->mutex);
}

void
key_server_await(struct key_server *s)
{
    while (sem_wait(&s->held) != 0) {
    }
}

void
key_server_release(struct key_server *s)
{
    sem_post(&s->go);
}
