/* batch.c -- JSON-RPC batches: several messages in one array, for the one revision that has them.
 *
 * DESIGN.  Each message is dispatched by itself with a sink of its own, which keeps its answer in its own
 * place; whoever brings the last answer writes the array.  A countdown decides who that is, so there is no
 * lock: the places are apart, and the countdown orders them. */
#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "state/mcp_session.h"
#include "state/state.h"

#include <stdio.h>

struct batch;

struct place {
    struct sink sink;    /* First: dispatch sees this. */
    struct batch *batch;
    struct bytes *answer; /* Owned; null for a notification. */
};

struct batch {
    struct sink *sink;       /* Counted: where the array goes. */
    _Atomic size_t waiting;  /* Answers still to come, and one for the caller while it dispatches. */
    size_t count;
    struct place places[];
};

/* Counts one answer down; the last one sends them all. */
static void
count_down(struct batch *b)
{
    struct buf out = BUF_INIT;
    struct reply reply = {.status = 202};

    if (atomic_fetch_sub(&b->waiting, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < b->count; i++) {
        if (b->places[i].answer) {
            buf_addc(&out, out.len ? ',' : '[');
            buf_add(&out, b->places[i].answer->data, b->places[i].answer->len);
            bytes_unref(b->places[i].answer);
        }
    }
    if (out.len) {
        buf_addc(&out, ']');
        reply = (struct reply){.status = 200, .body = buf_slice(&out)};
    }
    b->sink->class->answer(b->sink, &reply);
    b->sink->class->unref(b->sink);
    buf_fini(&out);
    free(b);
}

static void
place_answer(struct sink *sink, const struct reply *reply)
{
    struct place *place = (struct place *)sink;

    if (reply->body.len) {
        place->answer = bytes_new(reply->body.data, reply->body.len);
    }
}

static void
place_unref(struct sink *sink)
{
    count_down(((struct place *)sink)->batch);
}

static const struct sink_class place_class = {place_answer, place_unref};

/* A batch is for sessions that agreed on 2025-03-26; 2024-11-05 is tolerated on stdio. */
static bool
batches_allowed(struct dispatcher *d, const struct envelope *env)
{
    struct mcp_session *session = env->session ? mcp_session_ref(env->session) : NULL;
    int agreed = REVISION_NONE;

    if (!session && env->session_id.data) {
        mcp_session_find(state_sessions(d->state), env->session_id, env->principal, &session, NULL);
    }
    if (session) {
        agreed = atomic_load(&session->revision);
    }
    mcp_session_unref(session);
    return agreed == REVISION_2025_03_26 ||
           (agreed == REVISION_2024_11_05 && env->transport == TRANSPORT_STDIO);
}

static void
refuse(struct sink *sink, const char *why)
{
    char text[256];
    int n = snprintf(text, sizeof text,
                     "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"%s\"}}", why);
    struct reply reply = {.status = 400, .body = {text, (size_t)n}};

    sink->class->answer(sink, &reply);
    sink->class->unref(sink);
}

void
dispatch_batch(struct dispatcher *d, const struct envelope *env, const struct rpc_message *batch,
               struct sink *sink)
{
    struct json_iter it;
    struct slice text;
    struct batch *b;

    if (!batches_allowed(d, env)) {
        refuse(sink, "batches are served in sessions of version 2025-03-26 only; send one message "
                     "at a time");
        return;
    }
    if (batch->batch_count == 0) {
        refuse(sink, "the batch is empty");
        return;
    }
    b = xcalloc(1, sizeof *b + batch->batch_count * sizeof b->places[0]);
    b->sink = sink;
    b->count = batch->batch_count;
    atomic_init(&b->waiting, b->count + 1);
    rpc_batch_init(&it, batch);
    for (size_t i = 0; i < b->count; i++) {
        struct place *place = &b->places[i];
        *place = (struct place){.sink = {&place_class}, .batch = b};
        if (!rpc_batch_next(&it, &text) || text.data[0] == '[') {
            text = SLICE("0"); /* An array in an array: answered as what it is, no message. */
        }
        dispatch_message(d, env, text, &place->sink);
    }
    count_down(b);
}
