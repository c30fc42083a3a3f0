/* fake_provider.c -- a thread that accepts, and one for each connection, which is kept open. */
#include "tests/fake_provider.h"

#include "state/base/mem.h"
#include "state/embed_hashed.h"

#include <arpa/inet.h>
#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 4096

struct fake_connection {
    struct fake_provider *provider;
    struct fake_connection *next;
    pthread_t thread;
    int fd;
};

/* ---- Bytes ---- */

static bool
send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return false; /* The client has had enough. */
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Copies what follows 'name' in its header line. */
static void
copy_header(const char *head, const char *name, char *out, size_t size)
{
    const char *line = strcasestr(head, name);

    snprintf(out, size, "%.*s", line ? (int)strcspn(line + strlen(name), "\r") : 0,
             line ? line + strlen(name) : "");
}

/* Reads one request; its body, new, or null at the end of the connection. */
static char *
read_request(struct fake_provider *p, int fd)
{
    char head[HEAD_MAX] = "", length[16];
    size_t len = 0, size;
    char *end, *body;

    while (!(end = strstr(head, "\r\n\r\n"))) {
        ssize_t n = recv(fd, head + len, 1, 0);

        if (n <= 0 || ++len == sizeof head - 1) {
            return NULL;
        }
        head[len] = '\0';
    }
    copy_header(head, "\nContent-Length: ", length, sizeof length);
    size = strtoul(length, NULL, 10);
    body = xcalloc(1, size + 1);
    for (size_t have = 0; have < size;) {
        ssize_t n = recv(fd, body + have, size - have, 0);

        if (n <= 0) {
            free(body);
            return NULL;
        }
        have += (size_t)n;
    }
    pthread_mutex_lock(&p->mutex);
    snprintf(p->asked.path, sizeof p->asked.path, "%.*s", (int)strcspn(head + 5, " "), head + 5);
    copy_header(head, "\nAuthorization: Bearer ", p->asked.key, sizeof p->asked.key);
    free(p->asked.body);
    p->asked.body = xstrdup(body);
    pthread_mutex_unlock(&p->mutex);
    return body;
}

/* ---- Vectors ---- */

static void
add_vector(const struct fake_provider *p, const char *text, struct buf *out)
{
    struct embedder *e = embed_hashed_create(p->dimension);
    struct vectors v;
    struct slice said;

    for (size_t i = 0; i < 8 && p->meanings[i][0]; i++) {
        if (strcasestr(text, p->meanings[i][0])) {
            text = p->meanings[i][1];
            break;
        }
    }
    said = slice_of(text);
    if (embedder_embed(e, &said, 1, NULL, &v, NULL) != E_OK) {
        abort();
    }
    for (unsigned i = 0; i < v.dimension; i++) {
        buf_addf(out, "%c%.7g", i ? ',' : '[', (double)v.data[i] * 3); /* Not of length 1. */
    }
    buf_addc(out, ']');
    vectors_fini(&v);
    embedder_unref(e);
}

/* Writes the answer to a question; the status.  OpenAI's vectors come in no order. */
static int
write_answer(struct fake_provider *p, bool ollama, const char *question, struct buf *out)
{
    json_t *asked = json_loads(question, 0, NULL), *input = json_object_get(asked, "input");
    size_t count = json_array_size(input);
    bool bad = !count || !json_is_string(json_object_get(asked, "model"));

    buf_adds(out, ollama ? "{\"model\":\"m\",\"embeddings\":[" : "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < count && !bad; i++) {
        size_t at = ollama ? i : count - 1 - i;
        const char *text = json_string_value(json_array_get(input, at));

        bad = !text || !*text || (p->text_max && strlen(text) > p->text_max);
        buf_adds(out, i ? "," : "");
        if (!ollama) {
            buf_addf(out, "{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", at);
        }
        if (!bad) {
            add_vector(p, text, out);
        }
        buf_adds(out, ollama ? "" : "}");
    }
    buf_adds(out, "]}");
    json_decref(asked);
    if (!bad) {
        atomic_fetch_add(&p->texts, (unsigned)count);
    }
    if (count > atomic_load(&p->largest)) {
        atomic_store(&p->largest, (unsigned)count);
    }
    return bad ? 400 : 200;
}

/* Takes the trouble that is due, and waits while it hangs; false at the end. */
static bool
take_trouble(struct fake_provider *p, struct fake_trouble *trouble)
{
    bool ending;

    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add(&p->waiting, 1);
    pthread_cond_broadcast(&p->changed);
    while (p->hangs && !p->ending) {
        pthread_cond_wait(&p->changed, &p->mutex);
    }
    atomic_fetch_sub(&p->waiting, 1);
    *trouble = (struct fake_trouble){.times = 0};
    if (p->trouble.times) {
        *trouble = p->trouble;
        p->trouble.times--;
    }
    ending = p->ending;
    pthread_mutex_unlock(&p->mutex);
    return !ending;
}

static bool
answer(struct fake_provider *p, int fd, const char *question)
{
    struct fake_trouble trouble;
    struct buf body = BUF_INIT, head = BUF_INIT;
    bool good = take_trouble(p, &trouble) && !trouble.refuses;
    int status = 200;

    atomic_fetch_add(&p->requests, 1);
    if (good) {
        pthread_mutex_lock(&p->mutex);
        if (trouble.body) {
            buf_adds(&body, trouble.body);
        } else {
            status = write_answer(p, strcmp(p->asked.path, "/api/embed") == 0, question, &body);
        }
        pthread_mutex_unlock(&p->mutex);
        for (size_t i = 0; i < trouble.flood; i++) {
            buf_addc(&body, body.data[body.len - 1]);
        }
        status = trouble.status ? trouble.status : status;
        buf_addf(&head, "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n%s\r\n", status,
                 body.len + (trouble.cut ? 100 : 0), trouble.head ? trouble.head : "");
        good = send_all(fd, head.data, head.len) &&
               send_all(fd, body.data ? body.data : "", body.len) && !trouble.cut;
    }
    buf_fini(&head);
    buf_fini(&body);
    return good;
}

/* ---- Connections ---- */

static void *
serve(void *arg)
{
    struct fake_connection *c = arg;
    bool good = true;

    while (good) {
        char *question = read_request(c->provider, c->fd);

        good = question && answer(c->provider, c->fd, question);
        free(question);
    }
    shutdown(c->fd, SHUT_RDWR); /* It is closed once nobody can shut it down any more. */
    return NULL;
}

static void *
accept_all(void *arg)
{
    struct fake_provider *p = arg;
    int fd;

    while ((fd = accept(p->fd, NULL, NULL)) >= 0) {
        struct fake_connection *c = xcalloc(1, sizeof *c);
        int failed;

        *c = (struct fake_connection){.provider = p, .fd = fd};
        pthread_mutex_lock(&p->mutex);
        c->next = p->all;
        p->all = c;
        failed = pthread_create(&c->thread, NULL, serve, c);
        pthread_mutex_unlock(&p->mutex);
        assert(!failed);
        (void)failed;
        atomic_fetch_add(&p->connections, 1);
    }
    return NULL;
}

void
fake_provider_start(struct fake_provider *p)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int failed;

    memset(p, 0, sizeof *p);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    failed = p->fd < 0 || bind(p->fd, (struct sockaddr *)&address, len) != 0 ||
             listen(p->fd, 64) != 0 || getsockname(p->fd, (struct sockaddr *)&address, &len) != 0;
    assert(!failed);
    p->port = ntohs(address.sin_port);
    snprintf(p->url, sizeof p->url, "http://127.0.0.1:%u", p->port);
    p->dimension = 32;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    failed = pthread_create(&p->thread, NULL, accept_all, p);
    assert(!failed);
    (void)failed;
}

void
fake_provider_stop(struct fake_provider *p)
{
    struct fake_connection *next;

    shutdown(p->fd, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->fd);
    pthread_mutex_lock(&p->mutex);
    p->ending = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    for (struct fake_connection *c = p->all; c; c = next) {
        next = c->next;
        shutdown(c->fd, SHUT_RDWR);
        pthread_join(c->thread, NULL);
        close(c->fd);
        free(c);
    }
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
    free(p->asked.body);
}

/* ---- What the test says ---- */

void
fake_provider_trouble(struct fake_provider *p, const struct fake_trouble *trouble)
{
    pthread_mutex_lock(&p->mutex);
    p->trouble = *trouble;
    pthread_mutex_unlock(&p->mutex);
}

void
fake_provider_hang(struct fake_provider *p, bool hangs)
{
    pthread_mutex_lock(&p->mutex);
    p->hangs = hangs;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}

void
fake_provider_await(struct fake_provider *p, unsigned count)
{
    pthread_mutex_lock(&p->mutex);
    while (atomic_load(&p->waiting) < count) {
        pthread_cond_wait(&p->changed, &p->mutex);
    }
    pthread_mutex_unlock(&p->mutex);
}

void
fake_provider_mean(struct fake_provider *p, const char *word, const char *meaning)
{
    size_t i = 0;

    pthread_mutex_lock(&p->mutex);
    while (p->meanings[i][0]) {
        i++;
    }
    p->meanings[i][0] = word;
    p->meanings[i][1] = meaning;
    pthread_mutex_unlock(&p->mutex);
}

void
fake_provider_shape(struct fake_provider *p, unsigned dimension, size_t text_max)
{
    pthread_mutex_lock(&p->mutex);
    p->dimension = dimension;
    p->text_max = text_max;
    pthread_mutex_unlock(&p->mutex);
}

struct fake_asked
fake_provider_asked(struct fake_provider *p)
{
    struct fake_asked asked;

    pthread_mutex_lock(&p->mutex);
    asked = p->asked;
    asked.body = xstrdup(asked.body ? asked.body : "");
    pthread_mutex_unlock(&p->mutex);
    return asked;
}
