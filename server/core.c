/* core.c -- makes workers, state and dispatcher from the settings; calls a tool without a
 * transport. */
#include "server/core.h"

#include "handlers/dispatch.h"
#include "server/secret.h"
#include "state/base/keeper.h"
#include "state/base/pool.h"
#include "state/search.h"
#include "state/state.h"

#include <pthread.h>

extern char **environ;

/* Reads what seals requestState; nothing, if the settings name no file. */
static enum err
read_state_key(const struct settings *s, struct buf *secret, struct fault *f)
{
    enum err err = secret_read("state_key", s->state_key, ".", secret, f);

    if (!err && s->state_key[0] && secret->len < DISPATCH_SECRET_MIN) {
        err = fault_set(f, E_ARGUMENT, "the file that state_key names has less than %d bytes",
                        DISPATCH_SECRET_MIN);
        fault_remedy(f, "fill it with random bytes");
    }
    return err;
}

enum err
core_open(const struct core_options *o, struct core *core, struct fault *f)
{
    const struct context *context = o->context;
    const struct settings *s = context->settings;
    struct state_options options = {
        .settings = s,
        .config = context->config,
        .clock = clock_real(),
        .root_path = context->project.root,
        .data_name = context->project.data_name,
        .root = context->project.root_dir,
        .data = context->project.data,
        .mode = o->mode,
        .instance = o->instance,
        .git = o->git,
        .sandbox = o->sandbox,
        .manager = o->manager,
        .environment = environ,
    };
    struct dispatch_limits limits = {
        .json = {.depth = s->limits_json_depth, .values = s->limits_json_values},
        .calls = s->limits_calls,
        .calls_per_session = s->limits_calls_each,
        .call_ns = s->limits_call_time,
        .calls_per_second = s->limits_call_rate,
        .groups = s->groups,
        .asks = s->limits_asks,
        .asks_each = s->limits_asks_each,
        .ask_ns = s->limits_ask_time,
    };
    struct buf secret = BUF_INIT;
    enum err err = read_state_key(s, &secret, f);

    *core = (struct core)CORE_INIT;
    err = err ? err
              : secret_read_text("embed.key_file", s->embed_key_file, context->project.root,
                                 &core->embed_key, f);
    options.embed_key = core->embed_key;
    limits.secret = buf_slice(&secret);
    err = err ? err : state_create(&options, &core->state, f);
    if (!err) {
        core->pool = pool_create(s->workers_threads, s->workers_reserve, s->workers_queue);
        core->dispatcher = dispatcher_create(core->state, core->pool, &limits);
    }
    buf_fini(&secret);
    if (err) {
        secret_free(core->embed_key);
        core->embed_key = NULL;
    }
    return err;
}

enum err
core_keep(struct core *core, struct fault *f)
{
    enum err err = keeper_start(&core->keeper, f);

    if (!err) {
        state_keep(core->state, core->keeper);
        dispatch_keep(core->dispatcher, core->keeper);
        err = search_prepare(state_search(core->state), f);
    }
    return err;
}

enum err
core_start(struct core *core, struct fault *f)
{
    return state_start(core->state, f);
}

void
core_close(struct core *core)
{
    if (core->dispatcher) {
        dispatch_drain(core->dispatcher);
        dispatch_end_all(core->dispatcher);
        state_give_up(core->state);
    }
    pool_stop(core->pool); /* Joins the workers; only the keeper may hand it anything now, */
    dispatcher_destroy(core->dispatcher); /* and has done so for the last time after this. */
    pool_destroy(core->pool);
    state_destroy(core->state);
    keeper_stop(core->keeper);
    secret_free(core->embed_key);
    *core = (struct core)CORE_INIT;
}

/* The sink of a call made in this process: keeps the answer for the thread that waits. */
struct waiting_sink {
    struct sink sink; /* First. */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct buf *out;
    int status;
    bool done;
};

/* The caller waits for the answer alone. */
static enum err
pass_over(struct sink *sink, const struct event *event)
{
    (void)sink, (void)event;
    return E_REFUSED;
}

static void
keep_answer(struct sink *sink, const struct reply *reply)
{
    struct waiting_sink *w = (struct waiting_sink *)sink;

    buf_add_slice(w->out, reply->body);
    w->status = reply->status;
}

static void
let_go(struct sink *sink)
{
    struct waiting_sink *w = (struct waiting_sink *)sink;

    pthread_mutex_lock(&w->mutex);
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->mutex);
}

int
core_call(struct core *core, struct slice tool, struct slice arguments, struct buf *out)
{
    static const struct sink_class class = {
        .send = pass_over, .answer = keep_answer, .unref = let_go};
    struct waiting_sink w = {.sink = {&class},
                             .mutex = PTHREAD_MUTEX_INITIALIZER,
                             .cond = PTHREAD_COND_INITIALIZER,
                             .out = out};
    const struct envelope env = {.transport = TRANSPORT_HTTP};

    dispatch_tool(core->dispatcher, &env, tool, arguments, &w.sink);
    pthread_mutex_lock(&w.mutex);
    while (!w.done) {
        pthread_cond_wait(&w.cond, &w.mutex);
    }
    pthread_mutex_unlock(&w.mutex);
    pthread_cond_destroy(&w.cond);
    pthread_mutex_destroy(&w.mutex);
    return w.status;
}
