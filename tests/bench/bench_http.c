/* bench_http.c -- what parsing a request costs, arrived whole and byte by byte. */
#include <stdio.h>
#include <time.h>

#include "transports/http_parser.h"

static const char post[] = "POST /mcp HTTP/1.1\r\n"
                           "Host: 127.0.0.1:4242\r\n"
                           "Content-Type: application/json\r\n"
                           "Accept: application/json, text/event-stream\r\n"
                           "Authorization: Bearer 0123456789abcdefghijklmnopqrstuvwxyzABCDEFG\r\n"
                           "MCP-Protocol-Version: 2026-07-28\r\n"
                           "Mcp-Method: tools/call\r\n"
                           "Mcp-Name: search_standards\r\n"
                           "Content-Length: 40\r\n"
                           "\r\n"
                           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";

static double
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

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
            fprintf(stderr, "bench_http: the request was refused\n");
            exit(1);
        }
    }
}

/* The best of several rounds, in ns a request. */
static double
measure(size_t step)
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

int
main(void)
{
    double whole = measure(sizeof post), bytes = measure(1);

    printf("http parse   %zu bytes: whole %.0f ns, byte by byte %.0f ns (%.1f a byte)\n",
           sizeof post - 1, whole, bytes, bytes / (double)(sizeof post - 1));
    return 0;
}
