/* scenario.c -- what tandem is for, as one test: an IDE has a call open on stdio while more than a
 * hundred sub-agents of both eras come back over HTTP and WebSocket, all at once, and work on the
 * same and on other workflow sessions.
 *
 * Every answer is checked for its shape and its id.  Of all who start the same, one makes the
 * session; of all who complete a phase, one does; of all who delete, one does; what is read never
 * goes back.  At the end the server's own counters are compared with what was done, the open call
 * is let go and answered, and the end of stdin ends the server. */
#include "tests/check.h"
#include "tests/fake_git.h"
#include "tests/ide.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define CLIENTS 120
#define OWN_EVERY 3  /* Each third client has a session of its own beside the shared one. */
#define IDE_CALLS 16 /* More than the workers that stdio may have. */
#define ID_SIZE 40

static const char *const args[] = {"--limits-call-rate", "0", NULL};
static const char *const packs[] = {PACK_BUG_FIX, PACK_SPEC_CREATION, NULL};

/* One round of the storm: all start the same, bring it to its end, then all delete the same. */
struct round {
    char session[ID_SIZE], doomed[ID_SIZE]; /* Set by the one that made it. */
    atomic_uint made, resumed, doomed_made, deleted;
    atomic_uint completions[BUG_FIX_PHASES], refused;
};

struct storm {
    const struct server_info *info;
    struct findings findings;
    pthread_barrier_t barrier; /* CLIENTS. */
    struct round *rounds;
    unsigned round_count;
    atomic_uint own_completions, failed_peers;
    struct samples samples[CLIENTS];
    unsigned connections[CLIENTS];
};

struct client {
    struct storm *storm;
    struct mcp_peer peer;
    pthread_t thread;
    int number;
};

static bool
is_error(const struct mcp_outcome *o, const char *type)
{
    const char *told = outcome_text(o, "error_type");

    return o->is_error && told && strcmp(told, type) == 0;
}

static void
unexpected(struct client *c, const char *what, const struct mcp_outcome *o)
{
    char *text = o->result ? json_dumps(o->result, JSON_COMPACT) : NULL;

    finding(&c->storm->findings, "client %d: %s: %s%.300s", c->number, what,
            o->lost ? "connection lost" : "", text ? text : "");
    free(text);
}

/* Starts the pack for 'target' and stores the session's id; returns 1 if it was made, 0 if resumed,
 * -1. */
static int
start(struct client *c, const char *pack, const char *target, char id[ID_SIZE])
{
    struct mcp_outcome o =
        mcp_workflow(&c->peer,
                     "{\"action\":\"start\",\"workflow_type\":\"%s\",\"target_file\":"
                     "\"%s\"}",
                     pack, target);
    const char *told = outcome_text(&o, "session_id");
    int made = -1;

    if (o.is_error || !told || strlen(told) != 36) {
        unexpected(c, "start", &o);
    } else {
        snprintf(id, ID_SIZE, "%s", told);
        made = json_is_false(json_object_get(o.result, "resumed"));
    }
    outcome_fini(&o);
    return made;
}

/* All start the same at the same time: one makes it. */
static void
start_shared(struct client *c, struct round *round, unsigned number, char id[ID_SIZE])
{
    char target[48];
    int made;

    snprintf(target, sizeof target, "src/shared_%u.c", number);
    made = start(c, "bug_fix_v1", target, id);
    if (made == 1) {
        atomic_fetch_add(&round->made, 1);
        snprintf(round->session, sizeof round->session, "%s", id);
    } else if (made == 0) {
        atomic_fetch_add(&round->resumed, 1);
    }
    pthread_barrier_wait(&c->storm->barrier);
    if (made >= 0 && strcmp(round->session, id) != 0) {
        finding(&c->storm->findings, "client %d: session %s, not %s", c->number, id,
                round->session);
    }
}

/* The current phase; BUG_FIX_PHASES when the session is complete; -1 after a finding. */
static int
read_phase(struct client *c, const char *id)
{
    struct mcp_outcome o =
        mcp_workflow(&c->peer, "{\"action\":\"get_phase\",\"session_id\":\"%s\"}", id);
    int phase = -1;

    if (o.is_error || !o.result) {
        unexpected(c, "get_phase", &o);
    } else if (json_is_true(json_object_get(o.result, "is_complete"))) {
        phase = BUG_FIX_PHASES;
    } else {
        phase = (int)outcome_int(&o, "current_phase");
        if (!outcome_text(&o, "phase_content") ||
            json_array_size(json_object_get(o.result, "tasks")) != 2) {
            unexpected(c, "get_phase without content", &o);
        }
    }
    outcome_fini(&o);
    return phase;
}

/* What get_state tells must agree with itself. */
static void
read_state(struct client *c, const char *id, int least)
{
    struct mcp_outcome o =
        mcp_workflow(&c->peer, "{\"action\":\"get_state\",\"session_id\":\"%s\"}", id);
    const json_t *state = json_object_get(o.result, "workflow_state"), *done, *phase;
    size_t i;

    done = json_object_get(state, "completed_phases");
    if (o.is_error || !json_is_array(done) || (int)json_array_size(done) < least) {
        unexpected(c, "get_state", &o);
    }
    json_array_foreach(done, i, phase) {
        if (json_integer_value(phase) != (json_int_t)i) {
            unexpected(c, "get_state: completed phases", &o);
        }
    }
    outcome_fini(&o);
}

static void
read_task(struct client *c, const char *id, int phase)
{
    struct mcp_outcome o =
        mcp_workflow(&c->peer,
                     "{\"action\":\"get_task\",\"session_id\":\"%s\",\"phase\":%d,"
                     "\"task_number\":%d}",
                     id, phase, 1 + c->number % 2);

    if (o.is_error || !outcome_text(&o, "content")) {
        unexpected(c, "get_task", &o);
    }
    outcome_fini(&o);
}

static void
list_sessions(struct client *c, const char *id)
{
    struct mcp_outcome o = mcp_workflow(&c->peer, "{\"action\":\"list_sessions\"}");
    const json_t *session;
    unsigned found = 0;
    size_t i;

    json_array_foreach(json_object_get(o.result, "sessions"), i, session) {
        const char *told = json_string_value(json_object_get(session, "session_id"));
        found += told && strcmp(told, id) == 0;
    }
    if (o.is_error || found != 1) {
        finding(&c->storm->findings, "client %d: list_sessions has %s %u times", c->number, id,
                found);
    }
    outcome_fini(&o);
}

/* Tries to complete a phase; true if it was this client that did. */
static bool
complete(struct client *c, const char *id, int phase)
{
    struct mcp_outcome o =
        mcp_workflow(&c->peer,
                     "{\"action\":\"complete_phase\",\"session_id\":\"%s\",\"phase\":%d,"
                     "\"evidence\":%s}",
                     id, phase, bug_fix_evidence[phase]);
    bool done = false;

    if (!o.is_error && json_is_true(json_object_get(o.result, "checkpoint_passed")) &&
        outcome_int(&o, "phase_completed") == phase) {
        done = true;
    } else if (!is_error(&o, "StateError")) {
        unexpected(c, "complete_phase", &o);
    }
    outcome_fini(&o);
    return done;
}

/* Works on the shared session until it is complete.  In odd rounds all clients complete a phase at
 * the same time, in even ones each goes its own way. */
static void
work(struct client *c, struct round *round, unsigned number, const char *id)
{
    int phase, last = 0;

    for (int step = 0; step < BUG_FIX_PHASES; step++) {
        phase = read_phase(c, id);
        if (phase < last) {
            finding(&c->storm->findings, "client %d: phase %d after %d", c->number, phase, last);
        }
        last = phase < 0 ? last : phase;
        read_state(c, id, last);
        read_task(c, id, last < BUG_FIX_PHASES ? last : BUG_FIX_PHASES - 1);
        if (c->number % 5 == 0) {
            list_sessions(c, id);
        }
        if (number % 2) {
            pthread_barrier_wait(&c->storm->barrier);
        }
        if (complete(c, id, step)) {
            atomic_fetch_add(&round->completions[step], 1);
        } else {
            atomic_fetch_add(&round->refused, 1);
        }
    }
}

/* A session of its own, from start to deletion. */
static void
work_alone(struct client *c, unsigned number)
{
    char id[ID_SIZE], again[ID_SIZE], target[48];
    struct mcp_outcome o;

    snprintf(target, sizeof target, "src/own_%d_%u.c", c->number, number);
    if (start(c, "bug_fix_v1", target, id) != 1) {
        finding(&c->storm->findings, "client %d: its own session was there already", c->number);
        return;
    }
    if (start(c, "bug_fix_v1", target, again) != 0 || strcmp(id, again) != 0) {
        finding(&c->storm->findings, "client %d: its own session was not resumed", c->number);
    }
    if (complete(c, id, 0)) {
        atomic_fetch_add(&c->storm->own_completions, 1);
    }
    if (read_phase(c, id) != 1) {
        finding(&c->storm->findings, "client %d: its own session is not in phase 1", c->number);
    }
    o = mcp_workflow(&c->peer, "{\"action\":\"delete_session\",\"session_id\":\"%s\"}", id);
    if (!json_is_true(json_object_get(o.result, "deleted"))) {
        unexpected(c, "delete_session", &o);
    }
    outcome_fini(&o);
    o = mcp_workflow(&c->peer, "{\"action\":\"get_phase\",\"session_id\":\"%s\"}", id);
    if (!is_error(&o, "NotFoundError")) {
        unexpected(c, "get_phase of a deleted session", &o);
    }
    outcome_fini(&o);
}

/* All start one more session, read it, and delete it at the same time: one does. */
static void
delete_shared(struct client *c, struct round *round, unsigned number)
{
    char id[ID_SIZE], target[48];
    struct mcp_outcome o;
    int made;

    snprintf(target, sizeof target, "src/doomed_%u.md", number);
    made = start(c, "spec_creation_v1", target, id);
    if (made == 1) {
        atomic_fetch_add(&round->doomed_made, 1);
    }
    pthread_barrier_wait(&c->storm->barrier);
    if (made < 0) {
        return;
    }
    o = mcp_workflow(&c->peer, "{\"action\":\"delete_session\",\"session_id\":\"%s\"}", id);
    if (!o.is_error && json_is_true(json_object_get(o.result, "deleted"))) {
        atomic_fetch_add(&round->deleted, 1);
    } else if (!is_error(&o, "NotFoundError") &&
               (o.is_error || !json_is_false(json_object_get(o.result, "deleted")))) {
        unexpected(c, "delete_session", &o);
    }
    outcome_fini(&o);
}

static void *
run_client(void *arg)
{
    struct client *c = arg;
    struct storm *storm = c->storm;
    char id[ID_SIZE] = "";

    /* Who cannot come in still has to meet the others at the barriers. */
    if (!(c->number % 12 < 5 ? mcp_open_websocket : mcp_open)(
            &c->peer, storm->info, c->number % 2 ? MCP_MODERN : MCP_LEGACY, c->number,
            &storm->findings)) { /* 50 by WebSocket. */
        atomic_fetch_add(&storm->failed_peers, 1);
    }
    for (unsigned i = 0; i < storm->round_count; i++) {
        struct round *round = &storm->rounds[i];
        pthread_barrier_wait(&storm->barrier);
        start_shared(c, round, i, id);
        work(c, round, i, id);
        if (c->number % OWN_EVERY == 0) {
            work_alone(c, i);
        }
        pthread_barrier_wait(&storm->barrier);
        delete_shared(c, round, i);
    }
    mcp_close(&c->peer);
    storm->samples[c->number] = c->peer.samples;
    storm->connections[c->number] = c->peer.http.connections;
    return NULL;
}

/* The counters that get_server_info tells, new; asked over HTTP once the storm is over. */
static json_t *
read_caches(const struct server_info *info, struct findings *findings)
{
    struct mcp_peer peer;
    struct mcp_outcome outcome;
    json_t *caches;

    CHECK(mcp_open(&peer, info, MCP_MODERN, 2 * CLIENTS, findings));
    outcome = mcp_call(&peer, "get_server_info", "{}");
    caches = json_deep_copy(json_object_get(outcome.result, "caches"));
    CHECK(json_is_object(caches));
    outcome_fini(&outcome);
    mcp_close(&peer);
    samples_fini(&peer.samples);
    return caches;
}

/* A cache tells all of its counters; one that it does not keep is null, and nothing here. */
static json_int_t
counter(const json_t *caches, const char *cache, const char *name)
{
    const json_t *value = json_object_get(json_object_get(caches, cache), name);

    if (!json_is_integer(value) && !json_is_null(value)) {
        printf("no counter %s.%s\n", cache, name);
    }
    CHECK(json_is_integer(value) || json_is_null(value));
    return json_integer_value(value);
}

static void
check_rounds(const struct storm *storm)
{
    for (unsigned i = 0; i < storm->round_count; i++) {
        const struct round *round = &storm->rounds[i];
        CHECK_INT(round->made, 1);
        CHECK_INT(round->resumed, CLIENTS - 1);
        CHECK_INT(round->doomed_made, 1);
        CHECK_INT(round->deleted, 1);
        for (int phase = 0; phase < BUG_FIX_PHASES; phase++) {
            CHECK_INT(round->completions[phase], 1);
        }
        CHECK_INT(round->refused, BUG_FIX_PHASES * (CLIENTS - 1));
    }
}

/* What every cache counts must add up; says how often its lock had to be waited for. */
static void
check_caches(const json_t *caches)
{
    json_int_t waits = 0, acquisitions = 0, operations = 0;
    const char *name;
    json_t *cache;

    json_object_foreach((json_t *)(uintptr_t)caches, name, cache) {
        json_int_t hits = counter(caches, name, "hits"), misses = counter(caches, name, "misses");
        json_int_t doubles = counter(caches, name, "double_loads");
        printf("cache %-18s %8lld hits %4lld misses %4lld double loads\n", name, (long long)hits,
               (long long)misses, (long long)doubles);
        CHECK(hits >= 0 && misses >= 0 && doubles >= 0);
        operations += hits + misses + doubles;
        waits += counter(caches, name, "lock_waits");
        acquisitions += json_integer_value(json_object_get(cache, "lock_acquisitions"));
    }
    printf("lock waits: %lld of %lld acquisitions (%.3f %%), %lld operations\n", (long long)waits,
           (long long)acquisitions,
           acquisitions ? 100.0 * (double)waits / (double)acquisitions : 0.0,
           (long long)operations);
}

static void
tell_figures(struct storm *storm, struct ide *ide, int64_t storm_ns)
{
    struct samples all = {.ns = NULL};
    unsigned connections = 0;

    for (int i = 0; i < CLIENTS; i++) {
        samples_merge(&all, &storm->samples[i]);
        connections += storm->connections[i];
        samples_fini(&storm->samples[i]);
    }
    printf("%d clients, %u connections, %zu requests in %.2f s: %.0f requests/s\n", CLIENTS,
           connections, all.count, (double)storm_ns / SECOND,
           (double)all.count * SECOND / (double)storm_ns);
    printf("over HTTP and WebSocket: p50 %.2f ms, p99 %.2f ms, longest %.2f ms\n",
           (double)samples_percentile(&all, 50) / MS, (double)samples_percentile(&all, 99) / MS,
           (double)samples_percentile(&all, 100) / MS);
    printf("over stdio, beside %u open calls: %u calls, p50 %.2f ms, p99 %.2f ms; longest call "
           "open for %.0f ms, "
           "%.0f times the longest of HTTP\n",
           ide->held, ide->others, (double)samples_percentile(&ide->samples, 50) / MS,
           (double)samples_percentile(&ide->samples, 99) / MS, (double)ide->longest_open_ns / MS,
           (double)ide->longest_open_ns / (double)samples_percentile(&all, 100));
    samples_fini(&all);
}

static void
storm_of_sub_agents_while_the_ide_waits(void **state)
{
    static struct client clients[CLIENTS];
    static struct storm storm = {.findings = FINDINGS_INIT};
    struct ide ide = {.findings = &storm.findings};
    char root[HARNESS_ROOT];
    struct fake_git git;
    struct server s;
    pthread_t ide_thread;
    json_t *caches;
    int64_t start_ns, storm_ns;

    (void)state;
    harness_project(root, packs);
    fake_git_init(&git, root);
    server_start(&s, root, &(struct server_options){.args = args, .path_first = git.folder});
    storm.info = &s.info;
    storm.round_count = stress_count(4, 2);
    storm.rounds = xcalloc(storm.round_count, sizeof *storm.rounds);
    pthread_barrier_init(&storm.barrier, NULL, CLIENTS);
    ide.server = &s;
    ide_initialize(&ide);
    ide_hold(&ide);
    CHECK(fake_git_wait(&git, now_ns() + PATIENCE));

    start_ns = now_ns();
    CHECK_INT(pthread_create(&ide_thread, NULL, ide_run, &ide), 0);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.storm = &storm, .number = i};
        CHECK_INT(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    storm_ns = now_ns() - start_ns;
    atomic_store(&ide.storm_over, true);
    pthread_join(ide_thread, NULL);
    CHECK_INT(findings_tell(&storm.findings), 0);
    CHECK_INT(ide.open, 1); /* The IDE's call was open all the time, and still is. */
    fake_git_release(&git);
    CHECK(ide_take(&ide, -1));
    CHECK_INT(ide.open, 0);

    check_rounds(&storm);
    CHECK_INT(storm.own_completions, storm.round_count * ((CLIENTS + OWN_EVERY - 1) / OWN_EVERY));
    caches = read_caches(&s.info, &storm.findings);
    tell_figures(&storm, &ide, storm_ns);
    check_caches(caches);
    json_decref(caches);
    CHECK_INT(findings_tell(&storm.findings), 0);
    CHECK_INT(server_end(&s), 0);
    CHECK(!server_info_read(root, &s.info, &(const char *){NULL}));
    CHECK_INT(harness_count_files(root, ".tmp"), 0);
    pthread_barrier_destroy(&storm.barrier);
    samples_fini(&ide.samples);
    free(storm.rounds);
    harness_remove(root);
}

/* The IDE may fill its share of the workers: a callback still finds one. */
static void
callbacks_find_a_worker_when_the_ide_fills_the_pool(void **state)
{
    char root[HARNESS_ROOT], id[ID_SIZE];
    struct storm storm = {.findings = FINDINGS_INIT};
    struct client client = {.storm = &storm};
    struct ide ide = {.findings = &storm.findings};
    struct fake_git git;
    struct server s;

    (void)state;
    harness_project(root, packs);
    fake_git_init(&git, root);
    server_start(&s, root, &(struct server_options){.args = args, .path_first = git.folder});
    ide.server = &s;
    ide_initialize(&ide);
    for (int i = 0; i < IDE_CALLS; i++) {
        ide_hold(&ide);
    }
    CHECK(fake_git_wait(&git, now_ns() + PATIENCE));
    CHECK(mcp_open(&client.peer, &s.info, MCP_MODERN, 1, &storm.findings));
    CHECK_INT(start(&client, "bug_fix_v1", "src/callback.c", id), 1);
    for (int phase = 0; phase < BUG_FIX_PHASES; phase++) {
        CHECK_INT(read_phase(&client, id), phase);
        CHECK(complete(&client, id, phase));
    }
    CHECK(fake_git_waits(&git)); /* And all that time the IDE's calls were open. */
    CHECK(!server_has_line(&s, now_ns()));
    fake_git_release(&git);
    for (int i = 0; i < IDE_CALLS; i++) {
        CHECK(ide_take(&ide, -1));
    }
    CHECK_INT(findings_tell(&storm.findings), 0);
    mcp_close(&client.peer);
    samples_fini(&client.peer.samples);
    CHECK_INT(server_end(&s), 0);
    harness_remove(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storm_of_sub_agents_while_the_ide_waits),
        cmocka_unit_test(callbacks_find_a_worker_when_the_ide_fills_the_pool),
    };

    return CHECK_RUN(tests);
}
