/* need_park.c -- requests that wait for their client, and the answers that arrive.
 *
 * DESIGN.  How requests are parked and taken: park.h.  A taken request is run again, and need()
 * tells its handler what came of the asking.
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
enum err
needs_send_locked(struct request *req, struct sink *sink, struct slice meta) REQUIRES(LC_INFLIGHT)
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
void
needs_cancel_locked(struct request *req, const char *why) REQUIRES(LC_INFLIGHT)
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

bool
needs_lack(const struct needs *n)
{
    for (size_t i = 0; i < n->count; i++) {
        if (n->slots[i].wanted && !n->slots[i].answer && !n->slots[i].error) {
            return true;
        }
    }
    return false;
}

static void
tell_host_locked(struct request *req, bool parked) REQUIRES(LC_INFLIGHT)
{
    if (req->host) {
        req->host->parked(req->host, parked);
    }
}

void
asks_leave_locked(struct request *req) REQUIRES(LC_INFLIGHT)
{
    if (atomic_load(&req->progress) == REQUEST_CANCELLED) {
        needs_cancel_locked(req, "the call was cancelled");
    }
    tell_host_locked(req, false);
}

/* Ends the waiting with an error, which need() will tell. */
void
needs_fail_locked(struct request *req, const struct fault *f, const char *why, struct taken *taken)
    REQUIRES(LC_INFLIGHT)
{
    req->needs->failed = *f;
    needs_cancel_locked(req, why);
    park_take_locked(req, taken);
}

/* ---- Parking ---- */

/* Tasks are not counted: they have limits of their own, and may wait for long. */
static enum err
check_room_locked(struct request *first, const struct request *req) REQUIRES(LC_INFLIGHT)
{
    const struct asks_limits *limits = &req->dispatcher->asks->limits;
    unsigned all = 0, own = 0;

    for (const struct request *r = first; r; r = r->next) {
        bool counts = r->parked == PARKED_CLIENT && !r->host;

        all += counts;
        own += counts && r->session == req->session;
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
        err = needs_send_locked(req, req->sink, SLICE_NONE);
    }
    if (err) {
        needs_cancel_locked(req, "the call was given up");
        fault_set(f, err == E_REFUSED ? E_NO_INPUT : err, "the client cannot be asked: %s",
                  err == E_REFUSED ? "the answer would have to be an event stream, and Accept does "
                                     "not take one"
                                   : "it has left, or does not read");
        return err == E_REFUSED ? fault_remedy(f, "add text/event-stream to Accept") : f->code;
    }
    return E_OK;
}

struct parking {
    struct request *req;
    enum asks_step step;
};

static void
park(struct request *first, void *arg) REQUIRES(LC_INFLIGHT)
{
    struct parking *p = arg;
    struct request *req = p->req;
    struct needs *n = req->needs;

    n->expires_ns = req->host
                        ? INT64_MAX
                        : clock_mono(req->dispatcher->clock) + req->dispatcher->asks->limits.ask_ns;
    if (!park_goes_on_locked(req)) {
        p->step = ASKS_OVER;
    } else if (try_park_locked(first, req, &n->failed)) {
        p->step = ASKS_AGAIN;
    } else {
        park_locked(req, PARKED_CLIENT);
        tell_host_locked(req, true);
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

struct need_slot *
needs_slot_meant(struct needs *n, const struct arrival *a)
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

void
needs_arrive(struct request *first, void *arg)
{
    struct arrival *a = arg;

    for (struct request *r = first; r; r = r->next) {
        struct need_slot *slot =
            r->parked == PARKED_CLIENT && (a->key ? r->host == a->host : r->session == a->session)
                ? needs_slot_meant(r->needs, a)
                : NULL;

        if (slot) {
            slot->answer = a->answer;
            slot->error = a->error;
            a->answer = a->error = NULL;
            if (!needs_lack(r->needs) && park_goes_on_locked(r)) {
                park_take_locked(r, &a->taken);
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
    inflight_do(response->dispatcher->inflight, needs_arrive, &a);
    json_decref(a.answer);
    json_decref(a.error);
    park_run(&a.taken);
}
