/* workloads_streams.c -- a thousand sessions with an open stream each: what one takes, and what the
 * others notice of them. */
#include "tests/bench/side.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAMS 1000u

struct streams {
    int fds[STREAMS];
    char *sessions; /* Owned. */
};

/* Reads a head, byte by byte: what is behind it stays where it is. */
static void
read_head(int fd)
{
    char head[2048];
    size_t len = 0;

    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0) {
        if (len == sizeof head || recv(fd, head + len, 1, 0) != 1) {
            bench_fail("tandem: a stream has no head");
        }
        len++;
    }
    if (memcmp(head, "HTTP/1.1 200", 12) != 0) {
        bench_fail("tandem: no stream: %.*s", (int)len, head);
    }
}

static void
open_streams(struct streams *st, const struct server *tandem)
{
    struct asker who = side_asker(tandem, MCP_LEGACY);
    struct buf head = BUF_INIT;

    st->sessions = message_sessions(&who, STREAMS);
    for (unsigned i = 0; i < STREAMS; i++) {
        buf_reset(&head);
        buf_addf(&head,
                 "GET /mcp HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer %s\r\n"
                 "Accept: text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n"
                 "Mcp-Session-Id: %s\r\n\r\n",
                 who.port, who.token, st->sessions + i * LOAD_SESSION);
        st->fds[i] = http_connect(&tandem->info);
        if (st->fds[i] < 0 || !http_write(st->fds[i], head.data, head.len)) {
            bench_fail("tandem: no connection for a stream");
        }
        read_head(st->fds[i]);
    }
    buf_fini(&head);
}

static void
close_streams(struct streams *st, const struct server *tandem)
{
    struct asker who = side_asker(tandem, MCP_LEGACY);

    for (unsigned i = 0; i < STREAMS; i++) {
        close(st->fds[i]);
    }
    message_end_sessions(&who, st->sessions, STREAMS);
    free(st->sessions);
}

void
bench_streams(struct bench *b)
{
    static const char name[] = "echo legacy 8 connections with 1000 streams",
                      memory[] = "1000 sessions with a stream";
    static const struct goal goals[] = {{FIGURE_RATE, 1, false, 0.97}, {.limit = 0}};
    struct server with, without; /* Two servers, so that turns can change. */
    struct entrant *entrants;
    struct streams *streams;
    struct side *sides[2];
    char *echo, root[2][HARNESS_ROOT];
    struct question question = {MCP_LEGACY, 8, "tools/call", "echo"};
    size_t before;

    if (!bench_wants(b, name) && !bench_wants(b, memory)) {
        return;
    }
    entrants = xcalloc(2, sizeof *entrants);
    streams = xcalloc(1, sizeof *streams);
    question.arguments = echo = message_echo(20);
    /* Nothing in the projects: what is freed after start-up would hide what sessions take. */
    bench_project(root[0], true);
    bench_project(root[1], true);
    bench_tandem(&with, root[0], false, bench_many_sessions);
    bench_tandem(&without, root[1], false, bench_many_sessions);
    sides[0] = side_mcp(b, &entrants[0], "tandem with streams", with.pid,
                        side_asker(&with, MCP_LEGACY), &question, true);
    sides[1] = side_mcp(b, &entrants[1], "itself without", without.pid,
                        side_asker(&without, MCP_LEGACY), &question, true);
    before = process_resident(with.pid);
    open_streams(streams, &with);
    if (bench_wants(b, memory)) {
        report_single(b->report,
                      &(struct single){.workload = memory,
                                       .what = "resident each",
                                       .unit = "KiB",
                                       .value = (double)(process_resident(with.pid) - before) /
                                                1024 / STREAMS,
                                       .at_most = true,
                                       .limit = 4});
    }
    if (bench_wants(b, name)) {
        contest(entrants, 2, b->rounds);
        report_contest(b->report, name, entrants, 2, goals);
    }
    side_free(sides[0]);
    side_free(sides[1]);
    close_streams(streams, &with);
    bench_tandem_end(&with);
    bench_tandem_end(&without);
    free(streams);
    free(entrants);
    free(echo);
}
