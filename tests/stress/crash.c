/* crash.c -- kill -9 of the real server while many clients change state, over and over, and a
 * journal outside of it.
 *
 * Each writer has sessions of its own and notes what it was answered.  After each kill the server
 * is started again on the same project and every session is compared: what was acknowledged is
 * there, what was in flight is there whole or not at all, nothing else has changed, no file is
 * unreadable, no temporary file stays.
 *
 *     crash [KILLS] */
#include "tests/check.h"
#include "tests/harness_http.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define KILLS 60
#define WRITERS 8
#define LIVE_EACH 6      /* Unfinished sessions of a writer. */
#define SESSIONS_EACH 10 /* That a writer may begin in one life of the server. */
#define ID_SIZE 40
#define RESTART_MAX SECOND /* D7, on a machine that has a core for it. */

/* A port of the kernel's choice: one of the usual range that a kill frees may be another test's the
 * next moment. */
static const char *const args[] = {"--limits-call-rate", "0", "--listen", "127.0.0.1:0", NULL};
static const char *const packs[] = {PACK_BUG_FIX, NULL};

static unsigned kills;

/* What a session is, as far as it shows. */
struct known {
    bool there, paused;
    int done;            /* Phases completed. */
    json_int_t revision; /* One more with each change. */
};

enum change { NONE, START, COMPLETE, REFUSED, PAUSE, RESUME, DELETE };
static const char *const change_names[] = {"none",  "start",  "complete", "refused completion",
                                           "pause", "resume", "delete"};

struct session {
    char id[ID_SIZE];      /* Empty until a start was answered. */
    struct known known;    /* As was acknowledged. */
    enum change in_flight; /* Sent, not answered. */
};

struct writer {
    struct storm *storm;
    pthread_t thread;
    int number;
    uint64_t random;
    struct session *sessions; /* Owned. */
    unsigned count, most;
};

struct storm {
    struct server server;
    struct findings findings;
    atomic_uint acknowledged; /* In this life of the server. */
    unsigned total, in_flight, in_flight_done, compared;
    struct writer writers[WRITERS];
};

/* xorshift: the same storm for the same seed, as far as threads allow. */
static unsigned
pick(uint64_t *random, unsigned below)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (unsigned)(*random % below);
}

static void
target_of(const struct writer *w, unsigned index, char out[48])
{
    snprintf(out, 48, "src/w%d_%u.c", w->number, index);
}

/* What 'change' makes of a session. */
static struct known
changed(struct known k, enum change change)
{
    k.revision++;
    switch (change) {
    case NONE:
        k.revision--;
        break;
    case START:
        k = (struct known){.there = true, .revision = 1};
        break;
    case COMPLETE:
        k.done++;
        break;
    case REFUSED:
        break;
    case PAUSE:
        k.paused = true;
        break;
    case RESUME:
        k.paused = false;
        break;
    case DELETE:
        k = (struct known){.there = false};
        break;
    }
    return k;
}

/* What can be done with a session now. */
static enum change
choose(struct writer *w, const struct session *s)
{
    unsigned n = pick(&w->random, 10);

    if (s->known.done == BUG_FIX_PHASES) {
        return n < 3 ? DELETE : NONE;
    }
    if (s->known.paused) {
        return n < 8 ? RESUME : DELETE;
    }
    return n < 5 ? COMPLETE : n < 7 ? REFUSED : n < 8 ? PAUSE : n < 9 ? DELETE : NONE;
}

static struct mcp_outcome
send_change(struct mcp_peer *peer, const struct session *s, enum change change)
{
    static const char *const actions[] = {"get_state", NULL,     "complete_phase", "complete_phase",
                                          "pause",     "resume", "delete_session"};
    const char *evidence =
        change == COMPLETE ? bug_fix_evidence[s->known.done] : "{\"claim\":true}";

    return mcp_workflow(peer,
                        "{\"action\":\"%s\",\"session_id\":\"%s\",\"phase\":%d,\"evidence\":%s,"
                        "\"checkpoint_note\":\"crash\",\"reason\":\"crash\"}",
                        actions[change], s->id, s->known.done, evidence);
}

/* What get_state tells.  False if it is no state. */
static bool
read_known(const struct mcp_outcome *o, struct known *k)
{
    const json_t *state = json_object_get(o->result, "workflow_state"), *phase;
    const char *type = outcome_text(o, "error_type");
    const char *status = json_string_value(json_object_get(state, "session_status"));
    size_t i;

    *k = (struct known){.there = !o->is_error};
    if (o->is_error) {
        return type && strcmp(type, "NotFoundError") == 0;
    }
    if (!status) {
        return false;
    }
    k->paused = strcmp(status, "paused") == 0;
    k->done = (int)json_array_size(json_object_get(state, "completed_phases"));
    k->revision = json_integer_value(json_object_get(state, "revision"));
    json_array_foreach(json_object_get(state, "completed_phases"), i, phase) {
        if (json_integer_value(phase) != (json_int_t)i) {
            return false;
        }
    }
    return true;
}

static bool
same(const struct known *a, const struct known *b)
{
    return a->there == b->there && a->paused == b->paused && a->done == b->done &&
           a->revision == b->revision;
}

/* One request of a writer; false once the server is gone. */
static bool
act(struct writer *w, struct mcp_peer *peer, struct session *s, enum change change)
{
    struct findings *findings = &w->storm->findings;
    struct mcp_outcome o;
    struct known now;

    s->in_flight = change;
    if (change == START) {
        char target[48];
        target_of(w, (unsigned)(s - w->sessions), target);
        o = mcp_workflow(
            peer, "{\"action\":\"start\",\"workflow_type\":\"bug_fix_v1\",\"target_file\":\"%s\"}",
            target);
    } else {
        o = send_change(peer, s, change);
    }
    if (o.lost || !o.result) {
        outcome_fini(&o);
        return false;
    }
    if (change == NONE) {
        if (!read_known(&o, &now) || !same(&now, &s->known)) {
            finding(findings, "w%d: read revision %lld, not %lld", w->number,
                    (long long)now.revision, (long long)s->known.revision);
        }
    } else if (o.is_error != (change == REFUSED)) {
        char *text = json_dumps(o.result, JSON_COMPACT);
        finding(findings, "w%d: %s: %.300s", w->number, change_names[change], text);
        free(text);
    } else {
        if (change == START) {
            snprintf(s->id, sizeof s->id, "%s", outcome_text(&o, "session_id"));
        }
        s->known = changed(s->known, change);
        atomic_fetch_add(&w->storm->acknowledged, 1);
    }
    s->in_flight = NONE;
    outcome_fini(&o);
    return true;
}

/* The unfinished sessions of a writer, and up to as many finished ones. */
static struct session *
choose_session(struct writer *w)
{
    unsigned live = 0;

    for (unsigned i = 0; i < w->count; i++) {
        live += w->sessions[i].known.there && w->sessions[i].known.done < BUG_FIX_PHASES;
    }
    if (live < LIVE_EACH && w->count < w->most) {
        return &w->sessions[w->count++];
    }
    for (unsigned tries = 0; tries < 1000; tries++) {
        struct session *s = &w->sessions[pick(&w->random, w->count)];
        if (s->known.there) {
            return s;
        }
    }
    return NULL;
}

static void *
write_until_gone(void *arg)
{
    struct writer *w = arg;
    struct mcp_peer peer;
    struct session *s;
    bool good = true;

    /* A modern peer needs no first words, so that none can be lost. */
    mcp_open(&peer, &w->storm->server.info, MCP_MODERN, w->number, &w->storm->findings);
    while (good && (s = choose_session(w)) != NULL) {
        good = act(w, &peer, s, s->known.there ? choose(w, s) : START);
    }
    http_peer_fini(&peer.http);
    samples_fini(&peer.samples);
    return NULL;
}

/* Finds the session that a start made whose answer was lost. */
static void
find_by_target(struct mcp_peer *peer, const json_t *list, const char *target, char id[ID_SIZE])
{
    const json_t *session;
    unsigned found = 0;
    size_t i;

    json_array_foreach(list, i, session) {
        const char *text = json_string_value(json_object_get(session, "target_file"));
        if (text && strcmp(text, target) == 0) {
            found++;
            snprintf(id, ID_SIZE, "%s", json_string_value(json_object_get(session, "session_id")));
        }
    }
    if (found > 1) {
        finding(peer->findings, "%s has %u sessions", target, found);
    }
}

static void
compare(struct storm *storm, struct mcp_peer *peer, struct writer *w, struct session *s,
        const json_t *list)
{
    struct known after = changed(s->known, s->in_flight), now = {.there = false};
    char target[48];

    target_of(w, (unsigned)(s - w->sessions), target);
    if (!s->id[0]) {
        find_by_target(peer, list, target, s->id);
    }
    if (s->id[0]) {
        struct mcp_outcome o =
            mcp_workflow(peer, "{\"action\":\"get_state\",\"session_id\":\"%s\"}", s->id);
        if (!read_known(&o, &now)) {
            finding(peer->findings, "%s: what get_state tells is no state", target);
        }
        outcome_fini(&o);
    }
    storm->compared++;
    if (s->in_flight != NONE) {
        storm->in_flight++;
        storm->in_flight_done += same(&now, &after);
    }
    if (!same(&now, &s->known) && !same(&now, &after)) {
        finding(peer->findings,
                "%s: acknowledged %s revision %lld with %d phases, %s in flight; found %s revision "
                "%lld with %d",
                target, s->known.there ? "there," : "absent,", (long long)s->known.revision,
                s->known.done, change_names[s->in_flight], now.there ? "there," : "absent,",
                (long long)now.revision, now.done);
    }
    s->known = now;
    s->in_flight = NONE;
    if (!now.there) {
        s->id[0] = '\0';
    }
}

/* Every session that may have changed in this life, and those that were deleted; all of them with
 * 'all'. */
static void
compare_all(struct storm *storm, bool all)
{
    struct mcp_peer peer;
    struct mcp_outcome list;
    unsigned there = 0;

    mcp_open(&peer, &storm->server.info, MCP_MODERN, WRITERS, &storm->findings);
    list = mcp_workflow(&peer, "{\"action\":\"list_sessions\"}");
    for (int i = 0; i < WRITERS; i++) {
        struct writer *w = &storm->writers[i];
        for (unsigned j = 0; j < w->count; j++) {
            struct session *s = &w->sessions[j];
            if (all || s->in_flight != NONE || (s->known.there && s->known.done < BUG_FIX_PHASES)) {
                compare(storm, &peer, w, s, json_object_get(list.result, "sessions"));
            }
            there += s->known.there;
        }
    }
    if (outcome_int(&list, "count") != (json_int_t)there) {
        finding(&storm->findings, "list_sessions has %lld, the journal %u",
                (long long)outcome_int(&list, "count"), there);
    }
    outcome_fini(&list);
    http_peer_fini(&peer.http);
    samples_fini(&peer.samples);
}

/* One life of the server: it is killed once enough has been acknowledged; 'pick' spreads the
 * moment. */
static void
live_and_die(struct storm *storm, uint64_t *random)
{
    unsigned until = 5 + pick(random, 60), spin = pick(random, 2000);
    int64_t deadline = now_ns() + PATIENCE;

    atomic_store(&storm->acknowledged, 0);
    for (int i = 0; i < WRITERS; i++) {
        CHECK_INT(
            pthread_create(&storm->writers[i].thread, NULL, write_until_gone, &storm->writers[i]),
            0);
    }
    while (atomic_load(&storm->acknowledged) < until && now_ns() < deadline) {
        look_again_soon();
    }
    for (unsigned i = 0; i < spin; i++) {
        atomic_load(&storm->acknowledged);
    }
    server_kill(&storm->server);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(storm->writers[i].thread, NULL);
    }
    storm->total += storm->acknowledged;
    CHECK(storm->acknowledged >= until);
}

/* Starts the server again; '*waited_ns': for how long of the time until its first answer it had no
 * core to run on.  Returns that time. */
static int64_t
restart(struct storm *storm, const char *root, int64_t *waited_ns)
{
    int64_t start_ns = now_ns(), took_ns;

    server_start(&storm->server, root, &(struct server_options){.args = args});
    took_ns = now_ns() - start_ns;
    *waited_ns = server_waited(&storm->server);
    return took_ns;
}

static void
nothing_acknowledged_is_lost(void **state)
{
    static struct storm storm = {.findings = FINDINGS_INIT};
    struct samples restarts = {.ns = NULL};
    int64_t longest_ns = 0, longest_waited_ns = 0;
    uint64_t random = 88172645463325252u;
    char root[HARNESS_ROOT];

    (void)state;
    harness_project(root, packs);
    for (int i = 0; i < WRITERS; i++) {
        storm.writers[i].storm = &storm;
        storm.writers[i].number = i;
        storm.writers[i].random = 1000003u * (unsigned)(i + 1);
        storm.writers[i].most = SESSIONS_EACH * kills;
        storm.writers[i].sessions = xcalloc(storm.writers[i].most, sizeof(struct session));
    }
    server_start(&storm.server, root, &(struct server_options){.args = args});
    for (unsigned i = 0; i < kills; i++) {
        int64_t took_ns, waited_ns;

        live_and_die(&storm, &random);
        took_ns = restart(&storm, root, &waited_ns);
        samples_add(&restarts, took_ns);
        if (took_ns > longest_ns) {
            longest_ns = took_ns;
            longest_waited_ns = waited_ns;
        }
        CHECK(sanitized() || took_ns - waited_ns < RESTART_MAX);
        CHECK_INT(harness_count_files(root, ".tmp"), 0);
        compare_all(&storm, i + 1 == kills);
        CHECK_INT(findings_tell(&storm.findings), 0);
    }
    CHECK_INT(harness_count_files(root, ".tmp"), 0);
    CHECK_INT(harness_count_files(root, ".corrupt-"), 0);
    printf("figure: %u kills: %u changes acknowledged, 0 lost; %u in flight, %u of them had been "
           "made; %u "
           "comparisons\n",
           kills, storm.total, storm.in_flight, storm.in_flight_done, storm.compared);
    printf("figure: restart to first answer: median %.1f ms, longest %.1f ms, of which a "
           "thread of its waited %.1f ms for a core\n",
           (double)samples_percentile(&restarts, 50) / MS, (double)longest_ns / MS,
           (double)longest_waited_ns / MS);
    CHECK_INT(server_end(&storm.server), 0);
    for (int i = 0; i < WRITERS; i++) {
        free(storm.writers[i].sessions);
    }
    samples_fini(&restarts);
    harness_remove(root);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost),
    };

    kills = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : stress_count(KILLS, 10);
    return CHECK_RUN(tests);
}
