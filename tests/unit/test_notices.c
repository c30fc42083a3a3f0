/* What a legacy session is told: from initialized on, all lists, and what it has subscribed to. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "handlers/notices.h"
#include "state/changes.h"
#include "state/mcp_session.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <stdio.h>
#include <string.h>

static struct fake_project project;
static struct pool *pool;
static struct dispatcher *dispatcher;
static struct changes *changes;

static int
set_up(void **unused)
{
    struct dispatch_limits limits = {.json = JSON_LIMITS_INIT,
                                     .calls = 256,
                                     .calls_per_session = 64,
                                     .call_ns = 60000000000,
                                     .groups = "core,conformance"};

    (void)unused;
    fake_project_init(&project, NULL);
    pool = pool_create(4, 1, 256);
    dispatcher = dispatcher_create(project.state, pool, &limits);
    changes = state_changes(project.state);
    return 0;
}

static int
tear_down(void **unused)
{
    (void)unused;
    pool_destroy(pool);
    dispatcher_destroy(dispatcher);
    fake_project_fini(&project);
    return 0;
}

static bool
anyone(const struct listener *l, const void *arg)
{
    (void)l, (void)arg;
    return true;
}

/* One legacy client on a connection of its own. */
struct peer {
    struct envelope env;
    struct fake_sink own; /* Where what belongs to no request goes. */
};

/* Sends a message and checks that the answer holds 'want' (null: that there is none). */
static bool
say(const struct peer *p, const char *message, const char *want)
{
    struct fake_sink sink;
    const char *body;
    bool good;

    fake_sink_init(&sink);
    dispatch_message(dispatcher, &p->env, slice_of(message), &sink.sink);
    body = fake_sink_wait(&sink);
    good = want ? strstr(body, want) != NULL : !*body;
    fake_sink_fini(&sink);
    return good;
}

#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"
#define SUBSCRIBE(METHOD)                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resources/" METHOD \
    "\",\"params\":{\"uri\":\"test://watched-resource\"}}"
#define NOTE(REST) "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/" REST "}\n"

static bool
peer_open(struct peer *p)
{
    fake_sink_init(&p->own);
    p->env =
        (struct envelope){.transport = TRANSPORT_STDIO, .session = mcp_session_of_connection()};
    mcp_session_set_sink(p->env.session, &p->own.sink);
    return say(p,
               "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
               "\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{"
               "\"name\":\"t\",\"version\":\"1\"}}}",
               "\"listChanged\":true");
}

static void
peer_close(struct peer *p)
{
    mcp_session_set_sink(p->env.session, NULL);
    dispatch_gone(dispatcher, &p->env, NULL);
    mcp_session_unref(p->env.session);
    fake_sink_fini(&p->own);
}

static void
publish_all(void)
{
    changes_publish(changes, CHANGE_TOOLS);
    changes_publish(changes, CHANGE_PROMPTS);
    changes_publish(changes, CHANGE_RESOURCES);
    changes_publish_resource(changes, "test://watched-resource");
}

static void
told_from_initialized_to_the_end(void **unused)
{
    struct peer p;

    (void)unused;
    CHECK(peer_open(&p));
    CHECK_INT(changes_count(changes, anyone, NULL), 1);
    publish_all();
    CHECK(!p.own.sent.data); /* Nothing before initialized. */
    CHECK(say(&p, INITIALIZED, NULL));
    publish_all();
    CHECK_STR(p.own.sent.data, NOTE("tools/list_changed\"") NOTE("prompts/list_changed\"")
                                   NOTE("resources/list_changed\""));
    buf_reset(&p.own.sent);
    CHECK(say(&p, SUBSCRIBE("subscribe"), "\"result\":{}}"));
    changes_publish_resource(changes, "test://watched-resource");
    changes_publish_resource(changes, "test://static-text");
    CHECK_STR(p.own.sent.data,
              NOTE("resources/updated\",\"params\":{\"uri\":\"test://watched-resource\"}"));
    buf_reset(&p.own.sent);
    CHECK(say(&p, SUBSCRIBE("unsubscribe"), "\"result\":{}}"));
    changes_publish_resource(changes, "test://watched-resource");
    CHECK_INT(p.own.sent.len, 0);
    peer_close(&p);
    CHECK_INT(changes_count(changes, anyone, NULL), 0);
}

/* Over HTTP a session has an id, and is over by DELETE or by time. */
static void
ended_sessions_listen_no_more(void **unused)
{
    struct mcp_sessions *sessions = state_sessions(project.state);
    struct mcp_session *session;

    (void)unused;
    CHECK_INT(mcp_session_start(sessions, SLICE_NONE, &session, NULL), E_OK);
    notices_begin(dispatcher, session);
    notices_sweep(dispatcher);
    CHECK_INT(changes_count(changes, anyone, NULL), 1);
    mcp_session_end(sessions, session);
    dispatch_tick(dispatcher);
    CHECK_INT(changes_count(changes, anyone, NULL), 0);
    mcp_session_unref(session);
    CHECK_INT(mcp_session_start(sessions, SLICE_NONE, &session, NULL), E_OK);
    notices_begin(dispatcher, session);
    dispatch_drain(dispatcher);
    CHECK_INT(changes_count(changes, anyone, NULL), 0);
    notices_begin(dispatcher, session); /* The server ends: nobody is told anything. */
    CHECK_INT(changes_count(changes, anyone, NULL), 0);
    mcp_session_unref(session);
}

/* ---- Races ---- */

struct crowd {
    _Atomic unsigned wrong, told, peers;
    unsigned rounds;
};

/* Odd ones publish; even ones come, subscribe, hear at least one change, and go. */
static void
take_part(void *arg, unsigned number)
{
    struct crowd *c = arg;

    for (unsigned i = 0; i < c->rounds; i++) {
        struct peer p;

        if (number % 2) {
            publish_all();
            continue;
        }
        c->wrong += !peer_open(&p) || !say(&p, INITIALIZED, NULL) ||
                    !say(&p, SUBSCRIBE("subscribe"), "\"result\":{}}");
        publish_all();
        pthread_mutex_lock(&p.own.mutex);
        c->told += p.own.sent.data && strstr(p.own.sent.data, "resources/updated") &&
                   strstr(p.own.sent.data, "prompts/list_changed");
        pthread_mutex_unlock(&p.own.mutex);
        c->peers++;
        peer_close(&p);
    }
}

static void
who_listens_while_it_is_published_is_told(void **unused)
{
    (void)unused;
    for (const unsigned *size = race_sizes; *size && *size <= 20; size++) {
        struct crowd c = {.rounds = scaled(20)};

        threads_run(*size, take_part, &c);
        CHECK_INT(c.wrong, 0);
        CHECK_INT(c.peers, (*size + 1) / 2 * c.rounds);
        CHECK_INT(c.told, c.peers);
        CHECK_INT(changes_count(changes, anyone, NULL), 0);
    }
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(told_from_initialized_to_the_end),
        TEST(ended_sessions_listen_no_more),
        TEST(who_listens_while_it_is_published_is_told),
    };
    return CHECK_RUN(tests);
}
