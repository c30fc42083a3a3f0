/* need_park.c -- requests that wait for their client, and all that ends their waiting.
 *
 * DESIGN.  A parked request is in flight and on no thread.  Whoever takes it out of that state,
 * with INFLIGHT held, has it for himself: the last response, a cancel, the clock, the end of the
 * server. So there is one outcome, whatever comes together.  Taken requests are run again, and
 * need() tells the handler what came of it; only those that were cancelled or ended are not, for
 * nothing more is to be said of them.
 *
 * What is sent to the client while INFLIGHT is held leaves in the order of what happened: a request
 * before anything that could answer it, its cancelling before the answer of its parent. */
#include "handlers/need_private.h"

#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "state/base/json_put.h"
#include "state/base/lock.h"

#include <assert.h>
#include <inttypes.h>

struct asks {
    struct asks_limits limits; /* Set once, without the secret. */
    struct seal *seal;         /* Owned. */
    bool closed GUARDED_BY(LC_INFLIGHT);
};

UNSHARED struct asks *
asks_create(const struct asks_limits *limits)
{
    struct asks *a = xcalloc(1, sizeof *a);

    a->limits = *limits;
    a->limits.secret = SLICE_NONE;
    a->seal = seal_create(limits->secret);
    return a;
}

void
asks_destroy(struct asks *a)
{
    if (a) {
        seal_destroy(a->seal);
        free(a);
    }
}

const struct seal *
asks_seal(const struct asks *a)
{
    return a->seal;
}

/* ---- What is said to the client, INFLIGHT held ---- */

/* Sends the requests that were not sent yet; 'meta' (JSON, or empty) goes with each. */
static enum err
send_asks_locked(struct request *req, struct sink *sink, struct slice meta) REQUIRES(LC_INFLIGHT)
{
    struct needs *n = req->needs;
    enum err err = E_OK;

    for (size_t i = 0; i < n->count && !err; i++) {
        struct need_slot *slot = &n->slots[i];
        struct buf text = BUF_INIT;
        size_t len = strlen(slot->call);

        if (!slot->wanted || slot->ask_id || slot->answer || slot->error) {
            continue;
        }
        slot->ask_id = (int64_t)atomic_fetch_add(&req->session->asks, 1) + 1;
        buf_addf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",", slot->ask_id);
        if (meta.len) { /* The params are an object: its brace makes room for one member more. */
            buf_add(&text, slot->call, len - 1);
            buf_addf(&text, "%s\"_meta\":", slot->call[len - 2] == '{' ? "" : ",");
            buf_add_slice(&text, meta);
            buf_adds(&text, "}}");
        } else {
            buf_adds(&text, slot->call);
            buf_addc(&text, '}');
        }
        err = text.failed ? E_OVERLOAD
                          : sink->class->send(sink, &(struct event){.body = buf_slice(&text)});
        if (err) {
            slot->ask_id = 0;
        }
        buf_fini(&text);
    }
    return err;
}

/* Takes back what was asked and not answered. */
static void
cancel_asks_locked(struct request *req, const char *why) REQUIRES(LC_INFLIGHT)
{
    for (size_t i = 0; i < req->needs->count; i++) {
        struct need_slot *slot = &req->needs->slots[i];
        char room[256];
        struct buf note = {.data = room, .size = sizeof room}; /* Never grows. */

        if (slot->ask_id && !slot->answer && !slot->error && !req->host) {
            buf_addf(&note,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                     "\"requestId\":%" PRId64 ",\"reason\":\"%s\"}}",
                     slot->ask_id, why);
            /* A client that does not read it will answer, and is not heard. */
            req->sink->class->send(req->sink, &(struct event){.body = buf_slice(&note)});
        }
        slot->ask_id = slot->answer || slot->error ? slot->ask_id : 0;
    }
}

/* ---- Parking and its end, INFLIGHT held ---- */

static bool
is_lacking(const struct needs *n)
{
    for (size_t i = 0; i < n->count; i++) {
        if (n->slots[i].wanted && !n->slots[i].answer && !n->slots[i].error) {
            return true;
        }
    }
    return false;
}

static void
set_parked_locked(struct request *req, bool parked) REQUIRES(LC_INFLIGHT)
{
    req->parked = parked;
    if (req->host) {
        req->host->parked(req->host, parked);
    }
}

/* Taken requests, in a list by 'job.next', which is theirs while no worker has them. */
struct taken {
    struct job *first;
};

static void
take_locked(struct request *req, struct taken *taken) REQUIRES(LC_INFLIGHT)
{
    set_parked_locked(req, false);
    req->job.next = taken->first;
    taken->first = &req->job;
}

/* Ends the waiting with an error, which need() will tell. */
static void
fail_locked(struct request *req, const struct fault *f, const char *why, struct taken *taken)
    REQUIRES(LC_INFLIGHT)
{
    req->needs->failed = *f;
    cancel_asks_locked(req, why);
    take_locked(req, taken);
}

/* ---- What comes after, no lock held ---- */

static void
park_ready(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct request *req = arg;

    (void)first;
    if (atomic_load(&req->progress) == REQUEST_RUNNING) {
        req->needs->ready = true;
        set_parked_locked(req, true);
    }
}

/* Has a taken request run again.  If no worker is to be had now, it waits for one as it waited for
 * its client. */
static void
run_again(struct request *req)
{
    struct dispatcher *d = req->dispatcher;
    int64_t now = clock_mono(d->clock);
    enum err err;

    req->deadline_ns += now - req->needs->parked_ns; /* Its own time stood still. */
    req->needs->parked_ns = now;
    req->needs->ready = false;
    err = pool_submit(d->pool, &req->job, dispatch_lane(req));
    if (err == E_BUSY) {
        inflight_do(d->inflight, park_ready, req);
        return;
    }
    if (err) {
        dispatch_end_call(req, fault_set(&req->fault, err, "the server is ending"));
    }
}

static void
run_taken(struct taken *taken)
{
    while (taken->first) {
        struct request *req = (struct request *)taken->first;

        taken->first = req->job.next;
        run_again(req);
    }
}

/* ---- Parking ---- */

struct parking {
    struct request *req;
    enum asks_step step;
};

static enum err
check_room_locked(struct request *first, const struct request *req) REQUIRES(LC_INFLIGHT)
{
    const struct asks_limits *limits = &req->dispatcher->asks->limits;
    unsigned all = 0, own = 0;

    for (const struct request *r = first; r; r = r->next) {
        all += r->parked;
        own += r->parked && r->session == req->session;
    }
    return all >= limits->parked || own >= limits->parked_each ? E_LIMIT : E_OK;
}

static enum err
try_park_locked(struct request *first, struct request *req, struct fault *f) REQUIRES(LC_INFLIGHT)
{
    struct dispatcher *d = req->dispatcher;
    enum err err = req->host ? E_OK : check_room_locked(first, req);

    if (d->asks->closed) {
        return fault_set(f, E_OVERLOAD,
                         "the server is ending, and its client is not asked any more");
    }
    if (err) {
        fault_set(f, err, "too many calls wait for answers of their clients already");
        return fault_remedy(f, "answer one of those questions, or cancel its call");
    }
    if (!req->host && atomic_load(&req->session->initialized)) {
        err = send_asks_locked(req, req->sink, SLICE_NONE);
    }
    if (err) {
        cancel_asks_locked(req, "the call was given up");
        fault_set(f, err == E_REFUSED ? E_NO_INPUT : err, "the client cannot be asked: %s",
                  err == E_REFUSED ? "the answer would have to be an event stream, and Accept does "
                                     "not take one"
                                   : "it has left, or does not read");
        return err == E_REFUSED ? fault_remedy(f, "add text/event-stream to Accept") : f->code;
    }
    return E_OK;
}

static void
park(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct parking *p = arg;
    struct request *req = p->req;
    struct needs *n = req->needs;

    n->parked_ns = clock_mono(req->dispatcher->clock);
    n->expires_ns = req->host ? INT64_MAX : n->parked_ns + req->dispatcher->asks->limits.ask_ns;
    if (atomic_load(&req->progress) != REQUEST_RUNNING) {
        p->step = ASKS_OVER;
    } else if (try_park_locked(first, req, &n->failed)) {
        p->step = ASKS_AGAIN;
    } else {
        set_parked_locked(req, true);
        p->step = ASKS_PARKED;
    }
}

/* Modern: writes the result that asks. */
static enum asks_step
write_input_required(struct request *req)
{
    era_begin_result(req);
    request_member(req, "inputRequests");
    needs_add_wanted(req->needs, &req->out);
    request_member(req, "requestState");
    req->result_type = "input_required";
    if (need_seal_state(req, &req->out, &req->needs->failed)) {
        req->result_type = NULL;
        return ASKS_AGAIN;
    }
    return ASKS_TOLD;
}

enum asks_step
asks_settle(struct request *req)
{
    struct parking p = {.req = req};

    if (req->era == ERA_MODERN && !req->host) {
        return write_input_required(req);
    }
    assert(req->bytes); /* It runs on a worker: the transport's thread cannot wait. */
    inflight_do(req->dispatcher->inflight, park, &p);
    return p.step;
}

/* ---- Answers ---- */

struct arrival {
    const struct mcp_session *session; /* Legacy: whose response it is. */
    int64_t ask_id;
    const struct need_host *host; /* Else: whose question. */
    const char *key;
    json_t *answer, *error; /* Null once taken. */
    struct taken taken;
};

static struct need_slot *
slot_meant(struct needs *n, const struct arrival *a)
{
    for (size_t i = 0; i < n->count; i++) {
        struct need_slot *slot = &n->slots[i];
        bool meant = a->key ? strcmp(slot->key, a->key) == 0 : slot->ask_id == a->ask_id;

        if (meant && slot->wanted && !slot->answer && !slot->error) {
            return slot;
        }
    }
    return NULL;
}

static void
arrive(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct arrival *a = arg;

    for (struct request *r = first; r; r = r->next) {
        struct need_slot *slot = r->parked && !r->needs->ready &&
                                         (a->key ? r->host == a->host : r->session == a->session)
                                     ? slot_meant(r->needs, a)
                                     : NULL;

        if (slot) {
            slot->answer = a->answer;
            slot->error = a->error;
            a->answer = a->error = NULL;
            if (!is_lacking(r->needs) && atomic_load(&r->progress) == REQUEST_RUNNING) {
                take_locked(r, &a->taken);
            }
            return;
        }
    }
}

void
asks_take_response(struct request *response)
{
    struct rpc_message *m = &response->message;
    struct arrival a = {.session = response->session};
    struct fault f = FAULT_INIT;

    if (!a.session || !json_slice_int(m->id, &a.ask_id) || a.ask_id <= 0) {
        return; /* We never asked by such an id. */
    }
    if (rpc_load(&m->result, "result", &a.answer, &f) ||
        rpc_load(&m->error, "error", &a.error, &f)) {
        a.error = json_must(json_pack("{s:o}", "message", json_text(f.text)));
    }
    inflight_do(response->dispatcher->inflight, arrive, &a);
    json_decref(a.answer);
    json_decref(a.error);
    run_taken(&a.taken);
}

/* ---- Hosts ---- */

void
need_add_lacking(const struct request *req, struct buf *out)
{
    needs_add_wanted(req->needs, out);
}

struct lookup {
    const struct need_host *host;
    const char *key;
    struct buf *out;
    struct sink *sink;
    struct slice meta;
    bool found;
    enum need_kind kind;
    json_t *params; /* Counted. */
    enum err err;
};

static struct request *
parked_of_locked(struct request *first, const struct need_host *host) REQUIRES(LC_INFLIGHT)
{
    for (struct request *r = first; r; r = r->next) {
        if (r->host == host) {
            return r->parked ? r : NULL;
        }
    }
    return NULL;
}

static void
add_lacking(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct lookup *l = arg;
    struct request *r = parked_of_locked(first, l->host);

    l->found = r && is_lacking(r->needs);
    if (l->found) {
        needs_add_wanted(r->needs, l->out);
    }
}

bool
need_lacks(struct dispatcher *d, const struct need_host *host, struct buf *out)
{
    struct lookup l = {.host = host, .out = out};

    inflight_do(d->inflight, add_lacking, &l);
    return l.found;
}

static void
look_question_up(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct lookup *l = arg;
    struct request *r = parked_of_locked(first, l->host);
    struct need_slot *slot = r ? slot_meant(r->needs, &(struct arrival){.key = l->key}) : NULL;

    if (slot) {
        l->kind = slot->kind;
        l->params = json_incref(slot->params);
    }
}

enum err
need_give(struct dispatcher *d, const struct need_host *host, const char *key, const json_t *answer,
          struct fault *f)
{
    struct lookup l = {.host = host, .key = key};
    struct arrival a = {.host = host, .key = key};
    enum err err;

    inflight_do(d->inflight, look_question_up, &l);
    if (!l.params) {
        return fault_set(f, E_NOT_FOUND, "'%.64s' is not asked for", key);
    }
    a.answer = json_clone(answer);
    err = need_check(l.kind, l.params, a.answer, f);
    json_decref(l.params);
    if (!err) {
        inflight_do(d->inflight, arrive, &a);
        err = a.answer ? fault_set(f, E_NOT_FOUND, "'%.64s' is not asked for any more", key) : E_OK;
    }
    json_decref(a.answer);
    run_taken(&a.taken);
    return err;
}

static void
ask_for_host(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct lookup *l = arg;
    struct request *r = parked_of_locked(first, l->host);

    if (r && r->session && atomic_load(&r->session->initialized)) {
        l->err = send_asks_locked(r, l->sink, l->meta);
    }
}

enum err
need_ask(struct dispatcher *d, const struct need_host *host, struct sink *sink, struct slice meta)
{
    struct lookup l = {.host = host, .sink = sink, .meta = meta};

    inflight_do(d->inflight, ask_for_host, &l);
    return l.err;
}

/* ---- What else ends the waiting ---- */

struct ending {
    struct dispatcher *d;
    struct taken taken;
    int64_t now_ns;
    const struct mcp_session *session;
};

static void
take_initialized(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct ending *e = arg;

    for (struct request *r = first; r; r = r->next) {
        struct fault f = FAULT_INIT;

        if (r->parked && !r->host && r->session == e->session &&
            send_asks_locked(r, r->sink, SLICE_NONE) != E_OK) {
            fault_set(&f, E_NO_INPUT, "the client cannot be asked");
            fail_locked(r, &f, "the call was given up", &e->taken);
        }
    }
}

void
asks_initialized(struct dispatcher *d, const struct mcp_session *session)
{
    struct ending e = {.d = d, .session = session};

    inflight_do(d->inflight, take_initialized, &e);
    run_taken(&e.taken);
}

static void
take_stopped(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct ending *e = arg;

    for (struct request *r = first; r; r = r->next) {
        int progress = atomic_load(&r->progress);

        if (r->parked && progress != REQUEST_RUNNING) {
            if (progress == REQUEST_CANCELLED) {
                cancel_asks_locked(r, "the call was cancelled");
            }
            take_locked(r, &e->taken);
        }
    }
}

void
asks_drop_stopped(struct dispatcher *d)
{
    struct ending e = {.d = d};

    inflight_do(d->inflight, take_stopped, &e);
    while (e.taken.first) {
        struct request *req = (struct request *)e.taken.first;

        e.taken.first = req->job.next;
        dispatch_end_call(req, E_CANCELLED);
    }
}

static void
take_expired(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct ending *e = arg;
    struct fault f = FAULT_INIT;

    fault_set(&f, E_TIMEOUT, "the client did not answer what it was asked in time");
    fault_remedy(&f, "call again when somebody is there to answer, or raise limits.ask_time");
    for (struct request *r = first; r; r = r->next) {
        if (!r->parked || atomic_load(&r->progress) != REQUEST_RUNNING) {
            continue;
        }
        if (r->needs->ready) {
            take_locked(r, &e->taken);
        } else if (e->now_ns >= r->needs->expires_ns) {
            fail_locked(r, &f, "there was no answer in time", &e->taken);
        }
    }
}

void
asks_tick(struct dispatcher *d)
{
    struct ending e = {.d = d, .now_ns = clock_mono(d->clock)};

    inflight_do(d->inflight, take_expired, &e);
    run_taken(&e.taken);
}

static void
close_all(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct ending *e = arg;
    struct fault f = FAULT_INIT;

    fault_set(&f, E_OVERLOAD, "the server is ending, and does not wait for its client any more");
    e->d->asks->closed = true;
    for (struct request *r = first; r; r = r->next) {
        if (r->parked && atomic_load(&r->progress) == REQUEST_RUNNING) {
            fail_locked(r, &f, "the server is ending", &e->taken);
        }
    }
}

static void
close_session(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct ending *e = arg;
    struct fault f = FAULT_INIT;

    fault_set(&f, E_CANCELLED, "the client ended its input before it answered");
    for (struct request *r = first; r; r = r->next) {
        if (r->parked && r->session == e->session && atomic_load(&r->progress) == REQUEST_RUNNING) {
            fail_locked(r, &f, "nobody can answer", &e->taken);
        }
    }
}

void
asks_close_session(struct dispatcher *d, const struct mcp_session *session)
{
    struct ending e = {.d = d, .session = session};

    inflight_do(d->inflight, close_session, &e);
    run_taken(&e.taken);
}

void
asks_close(struct dispatcher *d)
{
    struct ending e = {.d = d};

    inflight_do(d->inflight, close_all, &e);
    run_taken(&e.taken);
}
