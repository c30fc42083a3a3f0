/* side.c -- requests, loads and turns. */
#include "tests/bench/side.h"

#define STORM_MOST                                                                 \
    3000u /* Connections of a turn: each leaves a port behind that rests a minute. \
           */

static void
take_turn(void *arg, double figures[FIGURES])
{
    struct side *s = arg;
    int64_t cpu = process_cpu_ns(s->pid);
    size_t opened;
    const char *sessions;

    load_run(s->load, s->bench->turn_ns, s->reconnect ? STORM_MOST : 0, &s->result);
    bench_figures(&s->result, process_cpu_ns(s->pid) - cpu, figures);
    sessions = load_sessions(s->load, &opened);
    message_end_sessions(&s->who, sessions, opened);
}

static char *
make_message(const struct question *q)
{
    char *params = q->tool                                ? message_call(q->tool, q->arguments)
                   : strcmp(q->method, "initialize") == 0 ? xstrdup(message_initialize)
                                                          : xstrdup("");
    char *message = message_new(q->era, q->method, params);

    free(params);
    return message;
}

static struct side *
make(const struct bench *b, struct entrant *e, const char *name, pid_t pid)
{
    struct side *s = xcalloc(1, sizeof *s);

    s->bench = b;
    s->entrant = e;
    s->pid = pid;
    *e = (struct entrant){.name = name, .turn = take_turn, .arg = s};
    return s;
}

static void
open_it(struct side *s, unsigned port, const struct question *q, const struct side *like)
{
    struct load_options options = {.name = s->entrant->name,
                                   .port = port,
                                   .connections = q->connections,
                                   .requests = like->requests,
                                   .request_count = like->request_count,
                                   .fixed = like != s,
                                   .varies = q->varies,
                                   .reconnect = q->reconnect};

    s->reconnect = q->reconnect;
    s->load = load_open(&options);
}

struct side *
side_mcp(const struct bench *b, struct entrant *e, const char *name, pid_t pid, struct asker who,
         const struct question *q, bool sessions)
{
    struct side *s = make(b, e, name, pid);
    char *message = make_message(q);
    const char *opened;
    size_t count;

    s->who = who;
    s->request_count = sessions ? q->connections : 1;
    s->sessions = sessions ? message_sessions(&who, q->connections) : NULL;
    s->requests = xcalloc(s->request_count, sizeof *s->requests);
    for (unsigned i = 0; i < s->request_count; i++) {
        who.session = sessions ? s->sessions + i * LOAD_SESSION : NULL;
        s->requests[i] = message_post(&who, q->method, q->tool, message);
    }
    open_it(s, who.port, q, s);
    opened = load_sessions(s->load, &count); /* By an initialize in load_open(). */
    message_end_sessions(&s->who, opened, count);
    free(message);
    return s;
}

struct side *
side_fixed(const struct bench *b, struct entrant *e, const struct peer *p, const struct question *q,
           const struct side *like)
{
    struct side *s = make(b, e, p->name, p->pid);

    open_it(s, p->port, q, like);
    return s;
}

void
side_free(struct side *s)
{
    if (!s) {
        return;
    }
    load_close(s->load);
    if (s->sessions) {
        message_end_sessions(&s->who, s->sessions, s->request_count);
    }
    for (unsigned i = 0; i < s->request_count; i++) {
        load_request_fini(&s->requests[i]);
    }
    free(s->requests);
    free(s->sessions);
    free(s);
}

size_t
side_body_len(const struct side *s)
{
    return load_first_body(s->load).len;
}

size_t
side_request_len(const struct side *s)
{
    return s->requests[0].bytes.len;
}

struct asker
side_asker(const struct server *tandem, enum mcp_era era)
{
    return (struct asker){.era = era, .port = tandem->info.port, .token = tandem->info.token};
}
