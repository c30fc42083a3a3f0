/* recorded.c -- fifty clients of the real server over stdio, HTTP and WebSocket, who note what they
 * ask, when, and what they are told; and whether the whole of it can be explained.
 *
 *     recorded [OPERATIONS]
 *
 * In each round all clients start the same workflow session, complete its phases against each
 * other, read it in between, take units of two quotas, one of which runs out, and publish events,
 * which two readers of the relay note, too.  Then the histories are checked: tests/history.h. */
#include "tests/check.h"
#include "tests/harness_http.h"
#include "tests/history.h"
#include "tests/ws_client.h"

#include <stdio.h>
#include <unistd.h>

#define NETWORK 40 /* Clients with a thread and a connection each. */
#define STDIO 10   /* Clients behind the one pipe: their calls are in flight together. */
#define CLIENTS (NETWORK + STDIO)
#define READERS 2
#define STEPS 20          /* Operations of a client in a round. */
#define FEW 2000          /* Units of the quota that runs out. */
#define SERVER_ITSELF 255 /* As the publisher of the server's own events. */
#define TEXT(X) TEXT_OF(X)
#define TEXT_OF(X) #X

static const char *const args[] = {"--groups",
                                   "core,quota",
                                   "--quota-services",
                                   "plenty=1000000000/month,few=" TEXT(FEW) "/month",
                                   "--limits-call-rate",
                                   "0",
                                   "--limits-requests",
                                   "1000000",
                                   "--limits-calls",
                                   "4096",
                                   "--limits-calls-each",
                                   "64",
                                   "--relay-queue",
                                   "10000",
                                   "--relay-queue-bytes",
                                   "64MiB",
                                   "--listen",
                                   "127.0.0.1:0",
                                   NULL};
static const char *const packs[] = {PACK_BUG_FIX, NULL};
static unsigned long operations;

enum act { START, COMPLETE, READ, PUBLISH, TAKE_PLENTY, TAKE_FEW };
static const enum act plan[STEPS] = {START,    READ,        TAKE_PLENTY, COMPLETE, READ,
                                     TAKE_FEW, TAKE_PLENTY, PUBLISH,     COMPLETE, READ,
                                     TAKE_FEW, TAKE_PLENTY, READ,        COMPLETE, TAKE_PLENTY,
                                     READ,     TAKE_FEW,    TAKE_PLENTY, READ,     TAKE_PLENTY};

struct record {
    struct server server;
    struct findings findings;
    pthread_barrier_t barrier; /* All have started the session of the round. */
    unsigned rounds;
};

struct caller {
    struct record *record;
    struct mcp_peer peer; /* Of the network. */
    pthread_t thread;
    struct history all, few; /* A checker has one limit, so the second quota is by itself. */
    uint32_t published;
    uint16_t number;
    char session[40];
};

/* ---- What is asked, and what is noted of the answer ---- */

/* A tool and its arguments, new. */
static char *
words(struct caller *c, enum act act, unsigned round, unsigned step, const char **tool)
{
    int phase = step < 5 ? 0 : step < 10 ? 1 : 2;

    *tool = act == PUBLISH       ? "publish_event"
            : act >= TAKE_PLENTY ? "acquire_quota"
                                 : "pos_workflow";
    switch (act) {
    case START:
        return xasprintf("{\"action\":\"start\",\"workflow_type\":\"bug_fix_v1\",\"target_file\":"
                         "\"src/r%u.c\"}",
                         round);
    case COMPLETE:
        return xasprintf("{\"action\":\"complete_phase\",\"session_id\":\"%s\",\"phase\":%d,"
                         "\"evidence\":%s}",
                         c->session, phase, bug_fix_evidence[phase]);
    case READ:
        return xasprintf("{\"action\":\"get_phase\",\"session_id\":\"%s\"}", c->session);
    case PUBLISH:
        return xasprintf("{\"topic\":\"history.told\",\"data\":{\"by\":%u,\"n\":%u}}", c->number,
                         c->published + 1);
    case TAKE_PLENTY:
    case TAKE_FEW:
        break;
    }
    return xasprintf("{\"service\":\"%s\",\"priority\":\"high\"}",
                     act == TAKE_FEW ? "few" : "plenty");
}

static uint64_t
hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;

    while (*text) {
        h = (h ^ (unsigned char)*text++) * 0x100000001b3u;
    }
    return h;
}

/* Fills in kind and result.  False if the answer is none that the plan knows. */
static bool
understand(struct caller *c, enum act act, const struct mcp_outcome *o, struct history_op *op)
{
    const char *id = outcome_text(o, "session_id"), *type = outcome_text(o, "error_type");

    switch (act) {
    case START:
        op->kind =
            json_is_true(json_object_get(o->result, "resumed")) ? HISTORY_GET : HISTORY_CREATE;
        snprintf(c->session, sizeof c->session, "%s", id ? id : "");
        op->result = hash(c->session);
        return !o->is_error && id;
    case COMPLETE:
        op->kind = HISTORY_ADVANCE;
        op->result = o->is_error ? 0 : (uint64_t)outcome_int(o, "phase_completed") + 1;
        return o->is_error ? type && strcmp(type, "StateError") == 0
                           : json_is_true(json_object_get(o->result, "checkpoint_passed"));
    case READ:
        op->kind = HISTORY_READ;
        op->result = json_is_true(json_object_get(o->result, "is_complete"))
                         ? BUG_FIX_PHASES
                         : (uint64_t)outcome_int(o, "current_phase");
        return !o->is_error;
    case PUBLISH:
        c->published++;
        return !o->is_error;
    case TAKE_PLENTY:
    case TAKE_FEW:
        break;
    }
    op->kind = HISTORY_TAKE;
    op->result = o->is_error ? 0 : (uint64_t)outcome_int(o, "used");
    return o->is_error ? json_object_get(o->result, "details") != NULL
                       : json_is_true(json_object_get(o->result, "allowed"));
}

static void
note(struct caller *c, enum act act, unsigned round, int64_t start_ns, struct mcp_outcome *o)
{
    struct history_op op = {
        .start_ns = start_ns, .end_ns = now_ns(), .key = round, .client = c->number};

    if (!understand(c, act, o, &op)) {
        char *text = o->result ? json_dumps(o->result, JSON_COMPACT) : NULL;
        finding(&c->record->findings, "client %u: act %d: %s%.300s", c->number, (int)act,
                o->lost ? "connection lost" : "", text ? text : "");
        free(text);
    } else if (act != PUBLISH) {
        op.key = act >= TAKE_PLENTY ? (uint64_t)act : round;
        history_add(act == TAKE_FEW ? &c->few : &c->all, &op);
    }
    outcome_fini(o);
}

/* ---- Who asks ---- */

static void *
run_network(void *arg)
{
    struct caller *c = arg;

    for (unsigned round = 0; round < c->record->rounds; round++) {
        for (unsigned step = 0; step < STEPS; step++) {
            const char *tool;
            char *text = words(c, plan[step], round, step, &tool);
            int64_t start_ns = now_ns();
            struct mcp_outcome o = mcp_call(&c->peer, tool, text);

            note(c, plan[step], round, start_ns, &o);
            free(text);
            if (plan[step] == START) { /* Who came later would make another, of one that is done. */
                pthread_barrier_wait(&c->record->barrier);
            }
        }
    }
    return NULL;
}

/* All calls of a step, then all answers, as they come. */
static void
step_stdio(struct caller *callers, unsigned round, unsigned step)
{
    struct record *r = callers->record;
    int64_t starts[STDIO];

    for (int i = 0; i < STDIO; i++) {
        const char *tool;
        char *text = words(&callers[i], plan[step], round, step, &tool);

        starts[i] = now_ns();
        if (!server_send(&r->server,
                         "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/call\",\"params\":{"
                         "\"name\":\"%s\",\"arguments\":%s," MODERN_META "}}",
                         i, tool, text)) {
            finding(&r->findings, "stdio cannot be written");
        }
        free(text);
    }
    for (int i = 0; i < STDIO; i++) {
        json_t *answer = server_read(&r->server, now_ns() + PATIENCE);
        json_t *id = json_object_get(answer, "id");
        json_int_t n = json_integer_value(id);
        struct mcp_outcome o = {.result = NULL};
        const char *why = mcp_check_answer(answer, id, MCP_MODERN, &o);

        if (why || !json_is_integer(id) || n < 0 || n >= STDIO) {
            finding(&r->findings, "stdio: %s", why ? why : "an answer to nobody");
            outcome_fini(&o);
        } else {
            note(&callers[n], plan[step], round, starts[n], &o);
        }
        json_decref(answer);
    }
}

static void *
run_stdio(void *arg)
{
    struct caller *callers = arg;

    for (unsigned round = 0; round < callers->record->rounds; round++) {
        for (unsigned step = 0; step < STEPS; step++) {
            step_stdio(callers, round, step);
            if (plan[step] == START) {
                pthread_barrier_wait(&callers->record->barrier);
            }
        }
    }
    return NULL;
}

/* ---- Who reads ---- */

struct reader {
    struct record *record;
    struct client socket;
    pthread_t thread;
    struct history heard;
    uint16_t number;
};

static uint64_t
number_in(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* Notes a frame; false for the last one. */
static bool
hear(struct reader *r, const json_t *frame)
{
    const char *type = json_string_value(json_object_get(frame, "type"));
    const json_t *event = json_object_get(frame, "event"), *data = json_object_get(event, "data");
    const char *topic = json_string_value(json_object_get(event, "topic"));
    struct history_op op = {.end_ns = now_ns(), .client = r->number};

    if (type && strcmp(type, "event") == 0 && topic) {
        bool told = strcmp(topic, "history.told") == 0;

        op.kind = HISTORY_EVENT;
        op.result = number_in(event, "seq");
        op.key = told ? number_in(data, "by") : SERVER_ITSELF;
        op.number = (uint32_t)(told ? number_in(data, "n") : op.result);
        history_add(&r->heard, &op);
    } else if (type && strcmp(type, "gap") == 0) {
        op.kind = HISTORY_MISSED;
        op.key = number_in(frame, "from");
        op.result = number_in(frame, "to");
        history_add(&r->heard, &op);
    } else if (!type || strcmp(type, "bye") == 0) {
        finding(&r->record->findings, "reader %u was told: %s", r->number, type ? type : "nothing");
        return false;
    }
    return !topic || strcmp(topic, "history.end") != 0;
}

static void *
run_reader(void *arg)
{
    struct reader *r = arg;
    bool more = true;

    while (more) {
        char *text = ws_message(&r->socket, (int)(PATIENCE / SECOND), NULL);
        json_t *frame = text ? json_loads(text, 0, NULL) : NULL;

        more = hear(r, frame);
        json_decref(frame);
        free(text);
    }
    return NULL;
}

static void
start_reader(struct reader *r)
{
    const struct server_info *info = &r->record->server.info;
    char *welcome;

    client_open(&r->socket, info->port);
    CHECK_INT(ws_shake_at(&r->socket, "/ws", "", info->token), 101);
    CHECK(ws_text(&r->socket, "{\"type\":\"hello\",\"patterns\":[\"*\"]}"));
    welcome = ws_message(&r->socket, (int)(PATIENCE / SECOND), NULL);
    CHECK(welcome && strstr(welcome, "\"type\":\"welcome\""));
    free(welcome);
    CHECK_INT(pthread_create(&r->thread, NULL, run_reader, r), 0);
}

/* ---- The whole ---- */

static void
open_caller(struct caller *c)
{
    const struct server_info *info = &c->record->server.info;
    bool (*open)(struct mcp_peer *, const struct server_info *, enum mcp_era, int,
                 struct findings *) = c->number % 4 == 3 ? mcp_open_websocket : mcp_open;

    CHECK(open(&c->peer, info, c->number % 4 == 2 ? MCP_LEGACY : MCP_MODERN, c->number,
               &c->record->findings));
}

static void
check(bool good, const char *why)
{
    if (!good) {
        printf("%s\n", why);
    }
    CHECK(good);
}

/* Checks all that was noted; returns how many operations that were. */
static size_t
check_histories(struct history *all, struct history *few, struct history *heard)
{
    char why[HISTORY_WHY];

    check(history_check_create(all, why), why);
    check(history_check_versions(all, why), why);
    check(history_check_quota(all, UINT64_MAX, why), why);
    check(history_check_quota(few, FEW, why), why);
    check(history_check_relay(heard, why), why);
    return all->count + few->count + heard->count;
}

static void
play(struct record *r, struct caller *callers, struct reader *readers)
{
    struct mcp_peer teller;
    struct mcp_outcome o;

    for (unsigned i = 0; i < READERS; i++) {
        start_reader(&readers[i]);
    }
    for (unsigned i = 0; i < NETWORK; i++) {
        open_caller(&callers[i]);
    }
    for (unsigned i = 0; i <= NETWORK; i++) {
        CHECK_INT(pthread_create(&callers[i].thread, NULL, i < NETWORK ? run_network : run_stdio,
                                 &callers[i]),
                  0);
    }
    for (unsigned i = 0; i <= NETWORK; i++) {
        pthread_join(callers[i].thread, NULL);
    }
    CHECK(mcp_open(&teller, &r->server.info, MCP_MODERN, CLIENTS, &r->findings));
    o = mcp_call(&teller, "publish_event", "{\"topic\":\"history.end\"}");
    CHECK(!o.is_error);
    outcome_fini(&o);
    mcp_close(&teller);
    samples_fini(&teller.samples);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        client_close(&readers[i].socket);
    }
    for (unsigned i = 0; i < NETWORK; i++) {
        mcp_close(&callers[i].peer);
        samples_fini(&callers[i].peer.samples);
    }
}

static void
histories_are_explained(void **state)
{
    static struct record r = {.findings = FINDINGS_INIT};
    static struct caller callers[CLIENTS];
    struct reader readers[READERS];
    struct history all = HISTORY_INIT, few = HISTORY_INIT, heard = HISTORY_INIT;
    char root[HARNESS_ROOT];
    int64_t start_ns;
    size_t noted, missed = 0;

    (void)state;
    harness_project(root, packs);
    server_start(&r.server, root, &(struct server_options){.args = args});
    r.rounds = (unsigned)(operations / (CLIENTS * STEPS)) + 1;
    pthread_barrier_init(&r.barrier, NULL, NETWORK + 1);
    for (uint16_t i = 0; i < CLIENTS; i++) {
        callers[i] = (struct caller){.record = &r, .number = i};
    }
    for (uint16_t i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.record = &r, .number = i};
    }
    start_ns = now_ns();
    play(&r, callers, readers);
    start_ns = now_ns() - start_ns;
    CHECK_INT(findings_tell(&r.findings), 0);
    CHECK_INT(server_end(&r.server), 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        history_join(&all, &callers[i].all);
        history_join(&few, &callers[i].few);
    }
    for (unsigned i = 0; i < READERS; i++) {
        history_join(&heard, &readers[i].heard);
    }
    for (size_t i = 0; i < heard.count; i++) {
        missed += heard.ops[i].kind == HISTORY_MISSED;
    }
    noted = check_histories(&all, &few, &heard);
    printf("figure: %zu operations of %d clients over stdio, HTTP and WebSocket noted in %.0f s "
           "(%zu events at %d readers, %zu gaps told): 0 violations\n",
           noted, CLIENTS, (double)start_ns / SECOND, heard.count - missed, READERS, missed);
    CHECK(heard.count > READERS * r.rounds * CLIENTS);
    history_fini(&all);
    history_fini(&few);
    history_fini(&heard);
    pthread_barrier_destroy(&r.barrier);
    harness_remove(root);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories_are_explained),
    };

    operations = argc > 1 ? strtoul(argv[1], NULL, 10) : stress_count(30000, 3000);
    return CHECK_RUN(tests);
}
