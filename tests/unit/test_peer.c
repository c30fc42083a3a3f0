/* test_peer.c -- what a connection's sink takes of what is sent to a client that does not read. */
#include "tests/check.h"

#include "handlers/dispatch.h"
#include "state/mcp_session.h"
#include "transports/peer.h"

#include <stdio.h>

#define LARGE (2 * SINK_WAITING_BYTES)

/* Keeps the envelope and the sink of the one message that it is given. */
struct dispatcher {
    struct mcp_session *session;
    struct sink *sink;
    unsigned last, gone;
};

void
dispatch_message(struct dispatcher *d, const struct envelope *env, struct slice body,
                 struct sink *sink)
{
    (void)body;
    d->session = env->session;
    d->sink = sink;
}

void
dispatch_last(struct dispatcher *d, const struct envelope *env)
{
    d->last += env->session == d->session;
}

void
dispatch_gone(struct dispatcher *d, const struct envelope *env, const struct sink *sink)
{
    d->gone += env->session == d->session && !sink;
}

static void
count_wake(void *arg)
{
    ++*(_Atomic unsigned *)arg;
}

struct rig {
    struct dispatcher dispatcher;
    _Atomic unsigned wakes;
    struct peer *peer;
};

static void
open_peer(struct rig *r, enum transport_kind transport)
{
    *r = (struct rig){.wakes = 0};
    r->peer = peer_create(&(struct peer_options){.dispatcher = &r->dispatcher,
                                                 .transport = transport,
                                                 .lines = transport == TRANSPORT_STDIO,
                                                 .wake = count_wake,
                                                 .arg = &r->wakes});
    peer_dispatch(r->peer, SLICE("{}"));
}

static void
close_peer(struct rig *r)
{
    r->dispatcher.sink->class->unref(r->dispatcher.sink);
    outbox_close(peer_outbox(r->peer));
    peer_gone(r->peer);
    CHECK_INT(r->dispatcher.gone, 1);
    peer_unref(r->peer);
}

static enum err
send_event(struct rig *r, struct slice body)
{
    return r->dispatcher.sink->class->send(r->dispatcher.sink, &(struct event){.body = body});
}

/* The bytes of the oldest message, which is popped. */
static size_t
pop_one(struct rig *r)
{
    struct bytes *message;
    size_t len;

    CHECK_INT(outbox_peek(peer_outbox(r->peer), &message, 1), 1);
    len = message->len;
    outbox_pop(peer_outbox(r->peer), 1);
    return len;
}

/* However long a message is, it is taken where nothing waits, whichever way it is sent. */
static void
a_long_message_is_taken(void **state)
{
    static const enum transport_kind kinds[] = {TRANSPORT_STDIO, TRANSPORT_WS};
    char *text = xcalloc(LARGE + 1, 1);
    struct slice large = {memset(text, 'x', LARGE), LARGE};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        bool lines = kinds[i] == TRANSPORT_STDIO;
        struct rig r;

        open_peer(&r, kinds[i]);
        CHECK_INT(mcp_session_send(r.dispatcher.session, large), E_OK);
        CHECK_INT(mcp_session_send(r.dispatcher.session, SLICE("{}")), E_LIMIT);
        CHECK_INT(send_event(&r, SLICE("{}")), E_LIMIT);
        peer_send(r.peer, SLICE("{\"answer\":1}")); /* Answers are owed. */
        CHECK_INT(pop_one(&r), LARGE + lines);
        CHECK_INT(send_event(&r, large), E_LIMIT); /* One is still there. */
        CHECK_INT(send_event(&r, SLICE("{}")), E_OK);
        CHECK_INT(pop_one(&r), 12 + lines);
        CHECK_INT(pop_one(&r), 2 + lines);
        CHECK_INT(send_event(&r, large), E_OK);
        CHECK_INT(pop_one(&r), LARGE + lines);
        close_peer(&r);
    }
    free(text);
}

/* So many short ones wait, and no more; answers do all the same. */
static void
short_messages_are_counted(void **state)
{
    struct rig r;

    (void)state;
    open_peer(&r, TRANSPORT_WS);
    for (int i = 0; i < SINK_WAITING_MESSAGES; i++) {
        CHECK_INT(send_event(&r, SLICE("{}")), E_OK);
    }
    CHECK_INT(send_event(&r, SLICE("{}")), E_LIMIT);
    for (int i = 0; i < SINK_WAITING_MESSAGES; i++) {
        peer_send(r.peer, SLICE("{}"));
    }
    CHECK_INT(outbox_bytes(peer_outbox(r.peer)), 4 * SINK_WAITING_MESSAGES);
    CHECK_INT(r.wakes, 1);
    close_peer(&r);
}

static void
who_has_left_is_told_nothing(void **state)
{
    struct rig r;

    (void)state;
    open_peer(&r, TRANSPORT_STDIO);
    peer_last(r.peer);
    CHECK_INT(r.dispatcher.last, 1);
    outbox_close(peer_outbox(r.peer));
    CHECK_INT(send_event(&r, SLICE("{}")), E_CANCELLED);
    CHECK_INT(mcp_session_send(r.dispatcher.session, SLICE("{}")), E_CANCELLED);
    peer_send(r.peer, SLICE("{}"));
    CHECK_INT(outbox_bytes(peer_outbox(r.peer)), 0);
    close_peer(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_message_is_taken),
        cmocka_unit_test(short_messages_are_counted),
        cmocka_unit_test(who_has_left_is_told_nothing),
    };

    return CHECK_RUN(tests);
}
