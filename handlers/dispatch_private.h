/* dispatch_private.h -- what the files behind dispatch share. */
#ifndef TANDEM_DISPATCH_PRIVATE_H
#define TANDEM_DISPATCH_PRIVATE_H

#include "handlers/dispatch.h"
#include "handlers/inflight.h"
#include "handlers/methods.h"
#include "handlers/tools.h"
#include "state/base/lock.h"

struct asks;
struct operations;

struct dispatcher {
    struct state *state; /* Borrowed; all members are set once, but for the last ones. */
    struct pool *pool;   /* Borrowed. */
    const struct clock *clock;
    struct dispatch_limits limits;
    /* Of them, those that may change while the server runs. */
    _Atomic int64_t call_ns;
    _Atomic unsigned calls_per_second;
    struct inflight *inflight;
    struct tools *tools;
    struct asks *asks; /* need_park.c. */
    struct operations *operations;
    /* Call dispatch_tick(), and more often what ends waiting (park.h); null without a keeper. */
    struct keeper_job *ticking, *waking;
    bool waits_closed GUARDED_BY(LC_INFLIGHT); /* wait.c: nobody waits for a task any more. */
    _Atomic bool fixture_prompt_shown;         /* Of the conformance suite's fixtures. */
};

/* dispatch.c: what becomes of every request.  It begins with what its transport told; the sink's
 * reference is its own. */
void request_init(struct request *req, struct dispatcher *d, const struct envelope *env,
                  struct sink *sink, enum dialect dialect);
/* Lets go of all a request holds, after its answer. */
void request_fini(struct request *req);
/* Puts a stream in front of the sink of a legacy request whose client takes events, if none is
 * there: it may lose its connection, and come back for what it missed.  For what goes to a worker,
 * or sends something ahead of its answer; a small call took 1,100 of 21,300 instructions for one
 * that nobody needed. */
void request_begin_stream(struct request *req);
/* Answers a request that has run, or could not: the one place where an answer leaves. */
void request_finish(struct request *req, enum err err);
/* Answers with 'body', or with the error in its fault. */
void request_answer(struct request *req, int status, struct slice body);
void request_answer_error(struct request *req);

/* dispatch.c: runs a request where its row says, or with 'err' not at all, and answers it unless a
 * worker will.  'body' is what its slices lie in. */
void dispatch_proceed(struct request *req, enum err err, struct slice body);

/* dispatch.c: takes one message of a batch; otherwise as dispatch_message(). */
void dispatch_batched(struct dispatcher *d, const struct envelope *env, struct slice body,
                      struct sink *sink);

/* Cancels the calls in flight that match; returns how many. */
unsigned dispatch_cancel(struct dispatcher *d, const struct inflight_match *match);
/* Answers a call that was in flight on no worker, and frees it. */
void dispatch_end_call(struct request *req, enum err err);
enum pool_lane dispatch_lane(const struct request *req);

/* batch.c: takes a parsed batch apart, dispatches its messages, and answers with one array.  Takes
 * over the reference to 'sink'. */
void dispatch_batch(struct dispatcher *d, const struct envelope *env,
                    const struct rpc_message *batch, struct sink *sink);

#endif
