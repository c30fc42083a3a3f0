/* batch.c -- JSON-RPC batches: several messages in one array, for the one revision that has them.
 *
 * DESIGN.  Each message is dispatched by itself with a sink of its own, which keeps its answer in
 * its own place; whoever brings the last answer writes the array.  A countdown decides who that is,
 * so there is no lock: the places are apart, and the countdown orders them. */
#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "state/mcp_session.h"
#include "state/state.h"

struct batch;

struct place {
    struct sink sink; /* First: dispatch sees this. */
    struct batch *batch;
    struct bytes *answer; /* Owned; null for a notification. */
    bool lost;            /* There was no memory for the answer. */
};

struct batch {
    struct sink *sink;      /* Counted: where the array goes. */
    _Atomic size_t waiting; /* Answers still to come, and one for the caller while it dispatches. */
    size_t count;
    struct place places[];
};

/* Answers the batch as a whole, without an id. */
static void
refuse(struct sink *sink, const struct fault *f)
{
    const struct err_info *info = err_info(f->code);
    struct buf body = BUF_INIT;
    struct reply reply = {.status = info->http_status};

    buf_addf(&body, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":%d,\"message\":", info->rpc_code);
    buf_add_json(&body, slice_of(f->text));
    buf_adds(&body, "}}");
    reply.body = body.failed ? SLICE_NONE : buf_slice(&body);
    sink->class->answer(sink, &reply);
    sink->class->unref(sink);
    buf_fini(&body);
}

/* Writes all answers as one array.  False if memory did not last for every one. */
static bool
write_answers(const struct batch *b, struct buf *out)
{
    bool lost = false;

    for (size_t i = 0; i < b->count; i++) {
        const struct place *place = &b->places[i];

        lost = lost || place->lost;
        if (place->answer) {
            buf_addc(out, out->len ? ',' : '[');
            buf_add(out, place->answer->data, place->answer->len);
        }
    }
    if (out->len) {
        buf_addc(out, ']');
    }
    return !lost && !out->failed;
}

/* Counts one answer down; the last one sends them all. */
static void
count_down(struct batch *b)
{
    struct buf out = BUF_INIT;
    struct fault f = FAULT_INIT;

    if (atomic_fetch_sub(&b->waiting, 1) != 1) {
        return;
    }
    if (write_answers(b, &out)) {
        struct reply reply = {.status = out.len ? 200 : 202, .body = buf_slice(&out)};

        b->sink->class->answer(b->sink, &reply);
        b->sink->class->unref(b->sink);
    } else {
        fault_set(&f, E_OVERLOAD, "there is no memory for the answers to this batch");
        refuse(b->sink, &f);
    }
    buf_fini(&out);
    for (size_t i = 0; i < b->count; i++) {
        bytes_unref(b->places[i].answer);
    }
    free(b);
}

static void
place_answer(struct sink *sink, const struct reply *reply)
{
    struct place *place = (struct place *)sink;

    if (reply->body.len) {
        place->answer = bytes_new(reply->body.data, reply->body.len);
        place->lost = !place->answer;
    }
}

static void
place_unref(struct sink *sink)
{
    count_down(((struct place *)sink)->batch);
}

/* What a request says before its answer goes out by itself, ahead of the array. */
static enum err
place_send(struct sink *sink, const struct event *event)
{
    struct sink *whole = ((struct place *)sink)->batch->sink;

    return whole->class->send(whole, event);
}

static const struct sink_class place_class = {place_send, place_answer, place_unref};

/* A batch is for sessions that agreed on 2025-03-26; 2024-11-05 is tolerated where a
 * connection is the session. */
static enum err
check_allowed(const struct envelope *env, const struct mcp_session *session, struct fault *f)
{
    enum revision agreed = REVISION_NONE;
    enum err err = E_OK;

    if (session) {
        agreed = (enum revision)atomic_load(&session->revision);
    }
    if (agreed != REVISION_2025_03_26 && !(agreed == REVISION_2024_11_05 && env->session)) {
        err = fault_set(f, E_INVALID_REQUEST,
                        "batches are served in sessions of version 2025-03-26 "
                        "only; send one message at a time");
    }
    if (!err && env->protocol_version.data && !era_is_legacy(era_revision(env->protocol_version))) {
        err = fault_set(f, E_INVALID_REQUEST,
                        "the MCP-Protocol-Version header names a version that "
                        "knows no batches");
    }
    return err;
}

void
dispatch_batch(struct dispatcher *d, const struct envelope *env, const struct rpc_message *batch,
               struct sink *sink)
{
    struct mcp_session *session = env->session ? mcp_session_ref(env->session) : NULL;
    struct fault f = FAULT_INIT;
    struct json_iter it;
    struct slice text;
    struct batch *b;
    enum err err = E_OK;

    if (!session && env->session_id.data) {
        err = mcp_session_find(state_sessions(d->state), env->session_id, env->principal, &session,
                               &f);
    }
    if (!err) {
        err = check_allowed(env, session, &f);
    }
    if (!err && env->events && session->streams) { /* One for the whole: it has one answer. */
        sink = mcp_stream_sink(mcp_stream_begin(session, false, sink));
    }
    mcp_session_unref(session);
    if (err) {
        refuse(sink, &f);
        return;
    }
    b = xcalloc(1,
                sizeof *b + batch->batch_count * sizeof b->places[0]); /* RPC_BATCH_MAX at most. */
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
        dispatch_batched(d, env, text, &place->sink);
    }
    count_down(b);
}
