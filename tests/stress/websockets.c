/* websockets.c -- WebSockets that come and go, with calls in flight, while others work over HTTP
 * and stdio: nothing of them stays, and the others do not notice. */
#include "tests/check.h"
#include "tests/crowd.h"
#include "tests/threads.h"
#include "tests/ws_client.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 50
#define WORKERS 4 /* Threads beside them that work over HTTP. */

static const char *const args[] = {"--limits-call-rate", "0", "--limits-calls", "4096", NULL};
static const char *const packs[] = {PACK_BUG_FIX, NULL};

/* Sockets that the server has open. */
static unsigned
count_sockets(pid_t pid)
{
    char folder[64], path[400], target[64];
    const struct dirent *entry;
    unsigned count = 0;
    DIR *dir;

    snprintf(folder, sizeof folder, "/proc/%d/fd", (int)pid);
    dir = opendir(folder);
    CHECK(dir);
    while ((entry = readdir(dir))) {
        ssize_t n;

        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        n = readlink(path, target, sizeof target);
        count += n > 7 && memcmp(target, "socket:", 7) == 0;
    }
    closedir(dir);
    return count;
}

/* Waits until no more is open than before, and no call of a WebSocket is in flight. */
static void
check_nothing_stays(struct server *s, struct mcp_peer *peer, unsigned sockets)
{
    int64_t deadline = in_time();
    json_int_t in_flight;

    while (count_sockets(s->pid) > sockets) {
        CHECK(now_ns() < deadline);
        look_again_soon();
    }
    do {
        struct mcp_outcome o = mcp_call(peer, "get_server_info", "{}");

        in_flight = json_integer_value(
            json_object_get(json_object_get(o.result, "requests_in_flight"), "ws"));
        outcome_fini(&o);
        CHECK(now_ns() < deadline);
    } while (in_flight > 0);
}

/* One that comes, is answered, and leaves: what the first one makes stays. */
static void
come_once(const struct server_info *info)
{
    struct client c;
    char *answer;

    ws_open(&c, info->port, info->token);
    ws_text(&c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    answer = ws_message(&c, (int)(PATIENCE / SECOND), NULL);
    CHECK(answer && strstr(answer, "\"id\":1"));
    free(answer);
    ws_leave(&c, 1000);
    CHECK(!ws_message(&c, (int)(PATIENCE / SECOND), NULL));
    client_close(&c);
}

/* ---- A storm ---- */

struct storm {
    const struct server_info *info;
    struct findings findings;
    unsigned rounds;
    atomic_uint answers, completions;
};

static void
ask(struct client *c, unsigned id)
{
    char text[512];

    snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%u," INFO_CALL "}", id);
    ws_text(c, text);
}

/* Leaves in one of four ways: with and without a close frame, by reset, or once all is answered. */
static void
leave(struct storm *storm, struct client *c, unsigned way)
{
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};

    if (way == 0) {
        for (int i = 0; i < 4; i++) {
            char *answer = ws_message(c, (int)(PATIENCE / SECOND), NULL);

            if (answer && strstr(answer, "\"structuredContent\"")) {
                atomic_fetch_add(&storm->answers, 1);
            } else {
                finding(&storm->findings, "came: %.200s", answer ? answer : "nothing");
            }
            free(answer);
        }
    } else if (way == 1) {
        ws_leave(c, 1000);
    } else if (way == 2) {
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    client_close(c);
}

/* Brings sessions of its own to the first gate, over HTTP. */
static void
work(struct storm *storm, unsigned number)
{
    struct mcp_peer peer;

    if (!mcp_open(&peer, storm->info, number % 2 ? MCP_MODERN : MCP_LEGACY, (int)number,
                  &storm->findings)) {
        return;
    }
    for (unsigned i = 0; i < storm->rounds; i++) {
        struct mcp_outcome o =
            mcp_workflow(&peer,
                         "{\"action\":\"start\",\"workflow_type\":\"bug_fix_v1\",\"target_file\":"
                         "\"src/%u_%u.c\"}",
                         number, i);
        const char *told;
        char id[40];

        told = outcome_text(&o, "session_id");
        snprintf(id, sizeof id, "%s", told ? told : "");
        outcome_fini(&o);
        o = mcp_workflow(&peer,
                         "{\"action\":\"complete_phase\",\"session_id\":\"%s\",\"phase\":0,"
                         "\"evidence\":%s}",
                         id, bug_fix_evidence[0]);
        if (json_is_true(json_object_get(o.result, "checkpoint_passed"))) {
            atomic_fetch_add(&storm->completions, 1);
        }
        outcome_fini(&o);
    }
    mcp_close(&peer);
    samples_fini(&peer.samples);
}

static void
come_and_go(void *arg, unsigned number)
{
    struct storm *storm = arg;

    if (number >= CLIENTS) {
        work(storm, number);
        return;
    }
    for (unsigned i = 0; i < storm->rounds; i++) {
        struct client c;

        ws_open(&c, storm->info->port, storm->info->token);
        for (unsigned call = 0; call < 4; call++) {
            ask(&c, call);
        }
        leave(storm, &c, (number + i) % 4);
    }
}

static void
a_storm_of_websockets_leaves_nothing(void **state)
{
    struct storm storm = {.findings = FINDINGS_INIT, .rounds = stress_count(24, 4)};
    char root[HARNESS_ROOT];
    struct mcp_peer peer;
    struct server s;
    unsigned sockets;

    (void)state;
    storm.rounds -= storm.rounds % 4; /* So that each way is gone equally often. */
    harness_project(root, packs);
    server_start(&s, root, &(struct server_options){.args = args});
    storm.info = &s.info;
    CHECK(mcp_open(&peer, &s.info, MCP_MODERN, 1000, &storm.findings));
    check_nothing_stays(&s, &peer, UINT32_MAX); /* Its connection is open from then on. */
    come_once(&s.info);
    sockets = count_sockets(s.pid);
    threads_run(CLIENTS + WORKERS, come_and_go, &storm);
    CHECK_INT(findings_tell(&storm.findings), 0);
    CHECK_INT(storm.answers, CLIENTS * storm.rounds);
    CHECK_INT(storm.completions, WORKERS * storm.rounds);
    check_nothing_stays(&s, &peer, sockets);
    CHECK_INT(findings_tell(&storm.findings), 0);
    mcp_close(&peer);
    samples_fini(&peer.samples);
    CHECK_INT(server_end(&s), 0);
    harness_remove(root);
}

/* ---- Calls in flight ---- */

static void
websockets_that_vanish_cancel_only_their_calls(void **state)
{
    static struct client clients[CLIENTS];
    struct findings findings = FINDINGS_INIT;
    struct fake_git git;
    char root[HARNESS_ROOT];
    struct mcp_peer peer;
    struct server s;
    struct mcp_outcome outcome;
    unsigned sockets;
    json_t *answer;

    (void)state;
    harness_project(root, packs);
    fake_git_init(&git, root);
    server_start(&s, root, &(struct server_options){.args = args, .path_first = git.folder});
    CHECK(mcp_open(&peer, &s.info, MCP_MODERN, 1, &findings));
    outcome = mcp_workflow(&peer, "{\"action\":\"list_workflows\"}");
    outcome_fini(&outcome);
    come_once(&s.info);
    sockets = count_sockets(s.pid);
    CHECK(server_send(&s, "{\"jsonrpc\":\"2.0\",\"id\":1," INFO_CALL "}"));
    CHECK(fake_git_wait(&git, in_time()));
    for (int i = 0; i < CLIENTS; i++) {
        ws_open(&clients[i], s.info.port, s.info.token);
        ask(&clients[i], 1);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        leave(NULL, &clients[i], 1 + i % 3);
    }
    CHECK(fake_git_waits(&git));
    fake_git_release(&git);
    answer = server_read(&s, in_time()); /* The call of stdio is not theirs. */
    CHECK(json_object_get(answer, "result"));
    json_decref(answer);
    check_nothing_stays(&s, &peer, sockets);
    CHECK_INT(findings_tell(&findings), 0);
    mcp_close(&peer);
    samples_fini(&peer.samples);
    CHECK_INT(server_end(&s), 0);
    harness_remove(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_of_websockets_leaves_nothing),
        cmocka_unit_test(websockets_that_vanish_cancel_only_their_calls),
    };

    return CHECK_RUN(tests);
}
