/* bench_http.c -- what HTTP costs: parsing a request, and a round trip through the transport.
 *
 * The round trip is told beside that of a bare socket served by a thread that sends back what it
 * gets, so that the machine's speed cancels out.  The dispatcher here answers at once; its cost is
 * measured elsewhere. */
#include "handlers/dispatch.h"
#include "state/settings.h"
#include "tests/no_relay.h"
#include "transports/http_parser.h"
#include "transports/transport.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TRIPS 5000

static const char post[] = "POST /mcp HTTP/1.1\r\n"
                           "Host: 127.0.0.1\r\n"
                           "Content-Type: application/json\r\n"
                           "Accept: application/json, text/event-stream\r\n"
                           "Authorization: Bearer 0123456789abcdefghijklmnopqrstuvwxyzABCDEFG\r\n"
                           "MCP-Protocol-Version: 2026-07-28\r\n"
                           "Mcp-Method: tools/call\r\n"
                           "Mcp-Name: search_standards\r\n"
                           "Content-Length: 40\r\n"
                           "\r\n"
                           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";

static void
answer(struct sink *sink, struct slice body)
{
    sink->class->answer(sink, &(struct reply){.body = body, .status = 200});
    sink->class->unref(sink);
}

void
dispatch_message(struct dispatcher *d, const struct envelope *env, struct slice body,
                 struct sink *sink)
{
    (void)d, (void)env, (void)body;
    answer(sink, SLICE("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"));
}

void
dispatch_tool(struct dispatcher *d, const struct envelope *env, struct slice tool,
              struct slice arguments, struct sink *sink)
{
    (void)d, (void)env, (void)tool, (void)arguments;
    answer(sink, SLICE("{}"));
}

void
dispatch_tools(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    (void)d, (void)env;
    answer(sink, SLICE("{}"));
}

void
dispatch_resource(struct dispatcher *d, const struct envelope *env, struct slice uri,
                  struct sink *sink)
{
    (void)d, (void)env, (void)uri;
    answer(sink, SLICE("{}"));
}

void
dispatch_event(struct dispatcher *d, const struct envelope *env, struct slice body,
               struct sink *sink)
{
    (void)d, (void)env, (void)body;
    answer(sink, SLICE("{}"));
}

void
dispatch_metrics(struct dispatcher *d, struct buf *out)
{
    (void)d, (void)out;
}

void
dispatch_listen(struct dispatcher *d, const struct envelope *env, struct slice last_event_id,
                struct sink *sink)
{
    (void)d, (void)env, (void)last_event_id;
    answer(sink, SLICE("{}"));
}

void
dispatch_drained(struct dispatcher *d, const struct sink *sink)
{
    (void)d, (void)sink;
}

void
dispatch_end(struct dispatcher *d, const struct envelope *env, struct sink *sink)
{
    (void)d, (void)env;
    answer(sink, SLICE("{}"));
}

void
dispatch_last(struct dispatcher *d, const struct envelope *env)
{
    (void)d, (void)env;
}

void
dispatch_gone(struct dispatcher *d, const struct envelope *env, const struct sink *sink)
{
    (void)d, (void)env, (void)sink;
}

static double
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void __attribute__((noreturn)) give_up(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- Parsing ---- */

static void
parse(char *data, size_t step)
{
    static const struct http_limits limits = HTTP_LIMITS_INIT;
    struct http_parser p;
    enum http_event event = HTTP_MORE;
    size_t len = 0;

    http_parser_init(&p, &limits);
    while (event != HTTP_WHOLE) {
        if (event == HTTP_MORE) {
            len = sizeof post - 1 - len < step ? sizeof post - 1 : len + step;
        }
        event = http_parse(&p, data, &len);
        if (event == HTTP_REFUSED) {
            give_up("bench_http: the request was refused");
        }
    }
}

/* The best of several rounds, in ns a request. */
static double
measure_parse(size_t step)
{
    char data[sizeof post];
    double best = 1e18;

    memcpy(data, post, sizeof post);
    for (int round = 0; round < 12; round++) {
        const int calls = 5000;
        double begin = now_ns(), spent;

        for (int i = 0; i < calls; i++) {
            parse(data, step);
        }
        spent = (now_ns() - begin) / calls;
        best = spent < best ? spent : best;
    }
    return best;
}

/* ---- Round trips ---- */

static int
listening(struct sockaddr_in *address)
{
    socklen_t len = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (fd < 0 || bind(fd, (struct sockaddr *)address, len) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)address, &len) != 0) {
        give_up("bench_http: listen");
    }
    return fd;
}

static void *
send_back(void *arg)
{
    int fd = accept(*(int *)arg, NULL, NULL);
    char bytes[4096];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0) {
        if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n) {
            break;
        }
    }
    close(fd);
    return NULL;
}

/* The mean of the best of several rounds, in ns a trip. */
static double
measure_trips(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    double best = 1e18;
    char bytes[4096];

    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        give_up("bench_http: connect");
    }
    for (int round = 0; round < 5; round++) {
        double begin = now_ns(), spent;

        for (int i = 0; i < TRIPS; i++) {
            if (send(fd, post, sizeof post - 1, 0) != sizeof post - 1 ||
                recv(fd, bytes, sizeof bytes, 0) <= 0) {
                give_up("bench_http: trip");
            }
        }
        spent = (now_ns() - begin) / TRIPS;
        best = spent < best ? spent : best;
    }
    close(fd);
    return best;
}

static double
measure_bare(void)
{
    struct sockaddr_in address;
    int fd = listening(&address);
    pthread_t thread;
    double ns;

    if (pthread_create(&thread, NULL, send_back, &fd) != 0) {
        give_up("bench_http: thread");
    }
    ns = measure_trips(&address);
    pthread_join(thread, NULL);
    close(fd);
    return ns;
}

static double
measure_http(void)
{
    struct sockaddr_in address;
    struct settings *settings = settings_create();
    struct transport_context context = {
        .settings = settings,
        .clock = clock_real(),
        .listen_fd = listening(&address),
        .token = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG",
    };
    struct transport *transport;
    double ns;

    settings->limits_requests = 1000000;
    if (http_transport.start(&context, &transport, NULL) != E_OK) {
        give_up("bench_http: start");
    }
    ns = measure_trips(&address);
    http_transport.stop(transport, INT64_MAX);
    settings_unref(settings);
    return ns;
}

int
main(void)
{
    double whole = measure_parse(sizeof post), bytes = measure_parse(1);
    double bare = measure_bare(), http = measure_http();

    printf("http parse   %zu bytes: whole %.0f ns, byte by byte %.0f ns (%.1f a byte)\n",
           sizeof post - 1, whole, bytes, bytes / (double)(sizeof post - 1));
    printf("http trip    %.1f us; a bare socket %.1f us; ratio %.2f\n", http / 1e3, bare / 1e3,
           http / bare);
    return 0;
}
