/* bench_rpc.c -- what the scan of a message costs, beside jansson's load and dump of the same
 * bytes.
 *
 * Prints one line a message: its size, ns for rpc_parse(), MB/s of that, ns for jansson, the ratio.
 * "make bench-rpc" runs it. */
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "handlers/rpc.h"

static double
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static bool
scan_once(struct slice text)
{
    struct rpc_message m;
    struct fault f;

    return rpc_parse(text, NULL, &m, &f) == E_OK && m.id.len > 0;
}

static bool
jansson_once(struct slice text)
{
    json_t *tree = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    char *dump = tree ? json_dumps(tree, JSON_COMPACT) : NULL;
    bool good = dump != NULL;

    free(dump);
    json_decref(tree);
    return good;
}

/* The best of several rounds, in ns a call; each round takes about 20 ms. */
static double
measure(bool (*once)(struct slice), struct slice text)
{
    double best = 1e18;
    unsigned calls = 1, i, round;

    for (round = 0; round < 12; round++) {
        double begin = now_ns(), spent;
        for (i = 0; i < calls; i++) {
            if (!once(text)) {
                fprintf(stderr, "bench_rpc: a message was refused\n");
                exit(1);
            }
        }
        spent = (now_ns() - begin) / calls;
        best = spent < best ? spent : best;
        calls = (unsigned)(2e7 / spent) + 1;
    }
    return best;
}

static void
report(const char *name, struct slice text)
{
    double scan = measure(scan_once, text), tree = measure(jansson_once, text);

    printf("%-22s %8zu bytes  scan %10.1f ns  %7.0f MB/s   jansson %11.1f ns   ratio %6.1f\n", name,
           text.len, scan, (double)text.len * 1e3 / scan, tree, tree / scan);
}

/* A tools/call with one argument that holds 'piece' over and over. */
static void
report_long(const char *name, const char *piece, size_t len)
{
    struct buf b = BUF_INIT;

    buf_adds(&b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
                 "\"search_standards\",\"arguments\":{\"query\":\"");
    while (b.len < len) {
        buf_adds(&b, piece);
    }
    buf_adds(&b, "\"}}}");
    report(name, buf_slice(&b));
    buf_fini(&b);
}

int
main(void)
{
    report("ping", SLICE("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"));
    report("tools/call", SLICE("{\"jsonrpc\":\"2.0\",\"id\":42,\"method\":\"tools/call\",\"params"
                               "\":{"
                               "\"name\":\"search_standards\",\"arguments\":{\"query\":\"how to l"
                               "ock "
                               "a shared cache\",\"n_results\":5}}}"));
    report("tools/call, modern",
           SLICE("{\"jsonrpc\":\"2.0\",\"id\":42,\"method\":\"tools/call\",\"params\":{\"name\":"
                 "\"search_standards\",\"arguments\":{\"query\":\"how to lock a shared cache\"},"
                 "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                 "\"io.modelcontextprotocol/clientCapabilities\":{},\"io.modelcontextprotocol/"
                 "clientInfo\":{\"name\":\"bench\",\"version\":\"1.0\"},\"progressToken\":7}}}"));
    report_long("64 KiB ASCII", "The quick brown fox jumps over the lazy dog. ", 65536);
    report_long("64 KiB source lines", "    if (!tree) {\\n        return \\\"no\\\";\\n", 65536);
    report_long("64 KiB Latin", "Die Straße führt über den größten Fluß. ", 65536);
    report_long("64 KiB Chinese", "\u654f\u6377\u7684\u68d5\u8272\u72d0\u72f8", 65536);
    report_long("64 KiB of escapes", "\\u0431\\u0443", 65536);
    return 0;
}
