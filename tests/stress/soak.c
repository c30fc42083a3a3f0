/* soak.c -- the real server after a long life: no descriptor more, and no memory that grows with
 * what it has done.
 *
 * Clients of both eras come, work and go, over new connections each time; workflow sessions are
 * made, worked on, completed, deleted.  After a first part, which fills caches and pools, three
 * more follow; then descriptors are the same and memory has stayed. */
#include "tests/check.h"
#include "tests/harness_http.h"

#include <stdio.h>

#define THREADS 4
#define PARTS 4
#define ID_SIZE 40
/* What memory may grow by after the first part: caches that fill up still, pages that malloc keeps.
 */
#define GROWTH_MAX (3u << 20)

static const char *const args[] = {"--limits-call-rate", "0", "--limits-keep-alive", "1h", NULL};
static const char *const packs[] = {PACK_BUG_FIX, PACK_SPEC_CREATION, NULL};

struct visitor {
    const struct server_info *info;
    struct findings *findings;
    pthread_t thread;
    unsigned lives, number;
};

static void
call(struct mcp_peer *peer, const char *id, const char *more)
{
    struct mcp_outcome o = mcp_workflow(peer, "{\"session_id\":\"%s\",%s}", id, more);

    if (o.is_error || !o.result) {
        finding(peer->findings, "%s: %s", more,
                outcome_text(&o, "error") ? outcome_text(&o, "error") : "lost");
    }
    outcome_fini(&o);
}

/* One client's life. */
static void
visit(struct visitor *v, unsigned life)
{
    struct mcp_peer peer;
    struct mcp_outcome o;
    char id[ID_SIZE] = "", *complete;

    if (!mcp_open(&peer, v->info, life % 2 ? MCP_MODERN : MCP_LEGACY, (int)v->number,
                  v->findings)) {
        return;
    }
    o = mcp_workflow(&peer,
                     "{\"action\":\"start\",\"workflow_type\":\"bug_fix_v1\",\"target_file\":\"src/"
                     "soak_%u_%u.c\"}",
                     v->number, life);
    snprintf(id, sizeof id, "%s",
             outcome_text(&o, "session_id") ? outcome_text(&o, "session_id") : "");
    outcome_fini(&o);
    call(&peer, id, "\"action\":\"get_phase\"");
    call(&peer, id, "\"action\":\"get_task\",\"phase\":0,\"task_number\":1");
    for (int phase = 0; phase < (life % 4 ? 1 : BUG_FIX_PHASES); phase++) {
        complete = xasprintf("\"action\":\"complete_phase\",\"phase\":%d,\"evidence\":%s", phase,
                             bug_fix_evidence[phase]);
        call(&peer, id, complete);
        free(complete);
    }
    call(&peer, id, "\"action\":\"get_state\"");
    call(&peer, id, "\"action\":\"delete_session\"");
    o = mcp_call(&peer, "current_date", "{}");
    outcome_fini(&o);
    mcp_close(&peer);
    samples_fini(&peer.samples);
}

static void *
run_visitor(void *arg)
{
    struct visitor *v = arg;

    for (unsigned i = 0; i < v->lives; i++) {
        visit(v, i);
    }
    return NULL;
}

/* What is left once all connections are gone; the last may still be on their way out. */
static unsigned
settled_descriptors(pid_t pid, unsigned want)
{
    int64_t deadline = now_ns() + PATIENCE;
    unsigned count;

    while ((count = harness_descriptors(pid)) > want && now_ns() < deadline) {
        look_again_soon();
    }
    return count;
}

/* Waits until the server watches its folders, which it does once it serves: that takes a
 * descriptor. */
static void
await_watch(struct mcp_peer *peer)
{
    int64_t deadline = now_ns() + PATIENCE;
    json_int_t folders = 0;

    while (folders == 0) {
        struct mcp_outcome o = mcp_call(peer, "get_server_info", "{}");

        folders =
            json_integer_value(json_object_get(json_object_get(o.result, "watched"), "folders"));
        outcome_fini(&o);
        CHECK(now_ns() < deadline);
    }
}

static void
a_long_life_leaves_no_trace(void **state)
{
    unsigned lives = stress_count(100, 20);
    struct visitor visitors[THREADS];
    struct findings findings = FINDINGS_INIT;
    struct mcp_peer looker;
    size_t resident[PARTS];
    unsigned descriptors;
    char root[HARNESS_ROOT];
    struct server s;

    (void)state;
    harness_project(root, packs);
    server_start(&s, root, &(struct server_options){.args = args});
    CHECK(mcp_open(&looker, &s.info, MCP_MODERN, THREADS, &findings));
    await_watch(&looker);
    descriptors = harness_descriptors(s.pid); /* With the one of 'looker'. */
    for (int part = 0; part < PARTS; part++) {
        for (unsigned i = 0; i < THREADS; i++) {
            visitors[i] = (struct visitor){&s.info, &findings, .lives = lives, .number = i};
            CHECK_INT(pthread_create(&visitors[i].thread, NULL, run_visitor, &visitors[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(visitors[i].thread, NULL);
        }
        CHECK_INT(findings_tell(&findings), 0);
        CHECK_INT(settled_descriptors(s.pid, descriptors), descriptors);
        resident[part] = server_resident(&s);
        printf("after %u clients: %zu KiB\n", (unsigned)(part + 1) * THREADS * lives,
               resident[part] / 1024);
    }
    CHECK(sanitized() || resident[PARTS - 1] < resident[0] + GROWTH_MAX);
    mcp_close(&looker);
    samples_fini(&looker.samples);
    CHECK_INT(harness_count_files(root, ".json"), 1 + 2); /* server.json, and the packs' own. */
    CHECK_INT(server_end(&s), 0);
    harness_remove(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_life_leaves_no_trace),
    };

    return CHECK_RUN(tests);
}
