/* counters.c -- the server's own counters against what was done, with 120 clients at once.
 *
 * Sessions are made, and the server is started anew, so that none is live.  Then all clients ask
 * for the same few at the same moment: each is loaded once, their gate is parsed once, and every
 * other look is a hit or a double load.  How many looks one call takes is measured afterwards, with
 * one client alone. */
#include "tests/check.h"
#include "tests/harness_http.h"

#include <stdio.h>

#define CLIENTS 120
#define SESSIONS 7
#define ID_SIZE 40
#define REFUSALS_EACH 2 /* They write to the disk. */

static const char *const args[] = {"--limits-call-rate", "0", NULL};
static const char *const packs[] = {PACK_BUG_FIX, NULL};

/* What is asked, on a session that is in phase 0. */
enum look { GET_PHASE, GET_TASK, GET_STATE, GET_SESSION, REFUSED, LOOKS };
static const char *const actions[LOOKS] = {"get_phase", "get_task", "get_state", "get_session",
                                           "complete_phase"};

struct counts {
    json_int_t lookups, misses;
};

struct client {
    struct mcp_peer peer;
    pthread_t thread;
    pthread_barrier_t *barrier;
    char (*ids)[ID_SIZE]; /* SESSIONS of them. */
    unsigned rounds;
    int number;
};

/* One look; a refused completion keeps what it finds, too. */
static void
ask(struct mcp_peer *peer, const char *id, enum look look)
{
    struct mcp_outcome o =
        mcp_workflow(peer,
                     "{\"action\":\"%s\",\"session_id\":\"%s\",\"phase\":0,\"task_number\":1,"
                     "\"evidence\":{\"claim\":true}}",
                     actions[look], id);
    const char *type = outcome_text(&o, "error_type");

    if (o.lost || (look == REFUSED ? !type || strcmp(type, "ValidationError") != 0 : o.is_error)) {
        finding(peer->findings, "%s: %s", actions[look], type ? type : "not refused");
    }
    outcome_fini(&o);
}

static void *
run_client(void *arg)
{
    struct client *c = arg;

    pthread_barrier_wait(c->barrier);
    for (unsigned round = 0; round < c->rounds; round++) {
        for (int look = 0; look < (round < REFUSALS_EACH ? LOOKS : REFUSED); look++) {
            ask(&c->peer, c->ids[(unsigned)(c->number + look) % SESSIONS], (enum look)look);
        }
    }
    return NULL;
}

static json_int_t
member(const json_t *cache, const char *name)
{
    const json_t *value = json_object_get(cache, name);

    CHECK(json_is_integer(value));
    return json_integer_value(value);
}

static struct counts
read_counts(struct mcp_peer *peer, const char *cache)
{
    struct mcp_outcome o = mcp_call(peer, "get_server_info", "{}");
    const json_t *told = json_object_get(json_object_get(o.result, "caches"), cache);
    struct counts counts = {
        .lookups = member(told, "hits") + member(told, "misses") + member(told, "double_loads"),
        .misses = member(told, "misses"),
    };

    CHECK_INT(member(told, "total_operations"), member(told, "hits") + member(told, "misses"));
    outcome_fini(&o);
    return counts;
}

static void
start(struct mcp_peer *peer, int number, char id[ID_SIZE])
{
    struct mcp_outcome o =
        mcp_workflow(peer,
                     "{\"action\":\"start\",\"workflow_type\":\"bug_fix_v1\",\"target_file\":"
                     "\"src/%d.c\"}",
                     number);

    CHECK(outcome_text(&o, "session_id"));
    snprintf(id, ID_SIZE, "%s", outcome_text(&o, "session_id"));
    outcome_fini(&o);
}

/* How many looks into each cache one call takes. */
static void
measure(struct mcp_peer *peer, const char *id, json_int_t sessions[LOOKS], json_int_t gates[LOOKS])
{
    for (int look = 0; look < LOOKS; look++) {
        struct counts s, g;

        s = read_counts(peer, "workflow_sessions");
        g = read_counts(peer, "workflow_gates");
        ask(peer, id, (enum look)look);
        sessions[look] = read_counts(peer, "workflow_sessions").lookups - s.lookups;
        gates[look] = read_counts(peer, "workflow_gates").lookups - g.lookups;
        CHECK(sessions[look] > 0 && gates[look] >= 0);
    }
}

static void
counters_are_exact_whatever_happens_at_once(void **state)
{
    static struct client clients[CLIENTS];
    struct findings findings = FINDINGS_INIT;
    char root[HARNESS_ROOT], ids[SESSIONS][ID_SIZE];
    json_int_t per_session[LOOKS], per_gate[LOOKS], want_sessions = 0, want_gates = 0;
    struct counts sessions, gates, sessions_after, gates_after;
    unsigned rounds = stress_count(20, 4);
    pthread_barrier_t barrier;
    struct mcp_peer peer;
    struct server s;

    (void)state;
    harness_project(root, packs);
    server_start(&s, root, &(struct server_options){.args = args});
    CHECK(mcp_open(&peer, &s.info, MCP_MODERN, CLIENTS, &findings));
    for (int i = 0; i < SESSIONS; i++) {
        start(&peer, i, ids[i]);
    }
    mcp_close(&peer);
    samples_fini(&peer.samples);
    CHECK_INT(server_end(&s), 0);

    server_start(&s, root, &(struct server_options){.args = args});
    CHECK(mcp_open(&peer, &s.info, MCP_MODERN, CLIENTS, &findings));
    sessions = read_counts(&peer, "workflow_sessions");
    gates = read_counts(&peer, "workflow_gates");
    pthread_barrier_init(&barrier, NULL, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] =
            (struct client){.barrier = &barrier, .ids = ids, .rounds = rounds, .number = i};
        CHECK(mcp_open(&clients[i].peer, &s.info, i % 2 ? MCP_MODERN : MCP_LEGACY, i, &findings));
    }
    for (int i = 0; i < CLIENTS; i++) {
        CHECK_INT(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        mcp_close(&clients[i].peer);
        samples_fini(&clients[i].peer.samples);
    }
    sessions_after = read_counts(&peer, "workflow_sessions");
    gates_after = read_counts(&peer, "workflow_gates");
    measure(&peer, ids[0], per_session, per_gate);
    for (int look = 0; look < LOOKS; look++) {
        unsigned times = CLIENTS * (look == REFUSED ? REFUSALS_EACH : rounds);
        want_sessions += per_session[look] * times;
        want_gates += per_gate[look] * times;
    }
    printf("%u calls of %d clients: sessions %lld lookups, %lld loads; gates %lld lookups, %lld "
           "loads\n",
           CLIENTS * (rounds * REFUSED + REFUSALS_EACH), CLIENTS,
           (long long)(sessions_after.lookups - sessions.lookups),
           (long long)(sessions_after.misses - sessions.misses),
           (long long)(gates_after.lookups - gates.lookups),
           (long long)(gates_after.misses - gates.misses));
    CHECK_INT(findings_tell(&findings), 0);
    CHECK_INT(sessions_after.lookups - sessions.lookups, want_sessions);
    CHECK_INT(sessions_after.misses - sessions.misses, SESSIONS);
    CHECK_INT(gates_after.lookups - gates.lookups, want_gates);
    CHECK_INT(gates_after.misses - gates.misses, 1);
    mcp_close(&peer);
    samples_fini(&peer.samples);
    pthread_barrier_destroy(&barrier);
    CHECK_INT(server_end(&s), 0);
    harness_remove(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_exact_whatever_happens_at_once),
    };

    return CHECK_RUN(tests);
}
