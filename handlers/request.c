/* request.c -- what every handler does with its request: ask whether to go on, and write the
 * result. */
#include "handlers/request.h"

#include "state/base/json_put.h"
#include "state/state.h"

bool
request_stop(const struct request *req)
{
    return atomic_load_explicit(&req->progress, memory_order_relaxed) != REQUEST_RUNNING ||
           clock_mono(state_clock(req->state)) >= req->deadline_ns;
}

void
request_member(struct request *req, const char *key)
{
    if (req->out.len > req->result_start) {
        buf_addc(&req->out, ',');
    }
    buf_addc(&req->out, '"');
    buf_adds(&req->out, key);
    buf_adds(&req->out, "\":");
}

void
request_add_raw(struct request *req, const char *key, struct slice json)
{
    request_member(req, key);
    buf_add_slice(&req->out, json);
}

void
request_add_json(struct request *req, const char *key, const json_t *value)
{
    request_member(req, key);
    json_write(&req->out, value);
}
