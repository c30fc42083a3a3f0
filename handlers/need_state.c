/* need_state.c -- modern: what a client carries from one round to the next, and what it says of it.
 *
 * DESIGN.  Nothing here remembers a request between its rounds; any process with the same secret
 * can serve the next one.  The requestState holds whose request it was and which one, until when,
 * what was asked and what has been answered; it is sealed, so nothing of it can be invented or
 * changed, only used again, by the same principal for the same request within ten minutes.  An
 * answer is taken only for a question that the state says was asked, word for word. */
#include "handlers/need_private.h"

#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "state/base/clock.h"
#include "state/base/json_put.h"
#include "state/mixup.h"

#define SECOND_NS INT64_C(1000000000)

/* Only these may ask (MCP 2026-07-28, "Multi Round-Trip Requests"). */
static bool
may_ask(const struct request *req)
{
    return req->era == ERA_MODERN && req->dialect == DIALECT_RPC &&
           (slice_is(req->message.method, "tools/call") ||
            slice_is(req->message.method, "prompts/get") ||
            slice_is(req->message.method, "resources/read"));
}

/* The digest of what the request asks for, which a retry must repeat. */
static enum err
digest_request(const struct request *req, char out[SEAL_DIGEST_SIZE], struct fault *f)
{
    static const struct {
        enum rpc_param param;
        const char *name;
    } salient[] = {
        {RPC_PARAM_NAME, "name"}, {RPC_PARAM_URI, "uri"}, {RPC_PARAM_ARGUMENTS, "arguments"}};
    json_t *whole = json_must(json_object());
    enum err err = E_OK;

    for (size_t i = 0; i < sizeof salient / sizeof salient[0] && !err; i++) {
        json_t *value = NULL;

        err = rpc_load(&req->message.param[salient[i].param], salient[i].name, &value, f);
        if (value && !(json_is_object(value) && json_object_size(value) == 0)) {
            json_object_set(whole, salient[i].name, value); /* {} says what nothing says. */
        }
        json_decref(value);
    }
    if (!err) {
        need_digest(whole, out);
    }
    json_decref(whole);
    return err;
}

static json_t *
slots_asked(const struct needs *n)
{
    json_t *asked = json_must(json_object());

    for (size_t i = 0; i < n->count; i++) {
        if (n->slots[i].wanted) {
            json_put_text(asked, n->slots[i].key, n->slots[i].digest);
        }
    }
    return asked;
}

static json_t *
slots_kept(const struct needs *n)
{
    json_t *kept = json_must(json_object());

    for (size_t i = 0; i < n->count; i++) {
        if (n->slots[i].answer) {
            json_put(kept, n->slots[i].key,
                     json_must(json_pack("[s, O]", n->slots[i].digest, n->slots[i].answer)));
        }
    }
    return kept;
}

enum err
need_seal_state(struct request *req, struct buf *out, struct fault *f)
{
    struct needs *n = req->needs;
    json_int_t now = clock_wall(req->dispatcher->clock) / SECOND_NS;
    struct buf text = {.limit = NEED_STATE_MAX / 4 * 3 - 64}, sealed = BUF_INIT;
    char digest[SEAL_DIGEST_SIZE];
    enum err err = digest_request(req, digest, f);

    if (!err) {
        json_t *state = json_must(json_pack(
            "{s:o, s:I, s:o, s:s, s:i, s:o, s:o}", "sub", json_text_slice(req->env.principal),
            "exp", now + NEED_STATE_SECONDS, "m", json_text_slice(req->message.method), "d", digest,
            "r", (int)n->round + 1, "q", slots_asked(n), "a", slots_kept(n)));
        json_write(&text, state);
        json_decref(state);
        err = text.failed
                  ? fault_set(f, E_TOO_LARGE, "the client's answers are too long to go on with")
                  : seal_close(asks_seal(req->dispatcher->asks), buf_slice(&text), &sealed, f);
    }
    if (!err) {
        buf_add_json(out, buf_slice(&sealed));
    }
    buf_fini(&text);
    buf_fini(&sealed);
    return err;
}

static enum err
not_of_this(struct fault *f, const char *why)
{
    fault_set(f, E_PARAMS, "the requestState %s", why);
    return fault_remedy(f, "send the request without requestState to begin anew");
}

/* Whether the state, which is our own, is for this request, now. */
static enum err
check_state(const struct request *req, const json_t *state, struct fault *f)
{
    int64_t now = clock_wall(req->dispatcher->clock) / SECOND_NS;
    char digest[SEAL_DIGEST_SIZE];
    enum err err = digest_request(req, digest, f);
    struct slice owner;

    if (err) {
        return err;
    }
    owner = slice_of(json_string_value(json_object_get(state, "sub")));
    if (!slice_equal(req->env.principal, owner)) {
        mixup_log("requestState", mixup_tag(req->env.principal), mixup_tag(owner));
        return not_of_this(f, "belongs to another request");
    }
    if (!slice_is(req->message.method, json_string_value(json_object_get(state, "m"))) ||
        strcmp(digest, json_string_value(json_object_get(state, "d"))) != 0) {
        return not_of_this(f, "belongs to another request");
    }
    if (json_integer_value(json_object_get(state, "exp")) <= now) {
        return not_of_this(f, "has expired");
    }
    return E_OK;
}

static json_t *
ref_of(const json_t *state, const char *key)
{
    return json_incref(json_object_get(state, key));
}

/* Opens the state that came with a retry. */
static enum err
open_state(struct request *req, json_t **state, struct fault *f)
{
    const struct json_value *value = &req->message.param[RPC_PARAM_REQUEST_STATE];
    struct buf sealed = {.limit = NEED_STATE_MAX}, text = BUF_INIT;
    enum err err;

    if (value->kind != KIND_STRING || !json_string_add(value->raw, &sealed)) {
        err = not_of_this(f, "is no string, or too long");
    } else {
        err = seal_open(asks_seal(req->dispatcher->asks), buf_slice(&sealed), &text, f);
        if (err) {
            fault_remedy(f, "send the request without requestState to begin anew");
        }
    }
    if (!err) {
        *state = json_must(json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL));
        err = check_state(req, *state, f);
    }
    buf_fini(&sealed);
    buf_fini(&text);
    return err;
}

/* Reads the state that came with a retry. */
static enum err
take_state(struct request *req, struct needs *n)
{
    json_t *state = NULL;
    enum err err = open_state(req, &state, &req->fault);

    if (!err) {
        n->retried = true;
        n->round = (unsigned)json_integer_value(json_object_get(state, "r"));
        n->asked = ref_of(state, "q");
        n->kept = ref_of(state, "a");
    }
    json_decref(state);
    return err;
}

enum err
asks_begin(struct request *req)
{
    const struct json_value *responses = &req->message.param[RPC_PARAM_INPUT_RESPONSES];
    bool retried = req->message.param[RPC_PARAM_REQUEST_STATE].kind != KIND_NONE;
    enum err err;

    if (req->needs || !may_ask(req) || (!retried && responses->kind == KIND_NONE)) {
        return E_OK;
    }
    req->needs = xcalloc(1, sizeof *req->needs);
    err = retried ? take_state(req, req->needs) : E_OK;
    return err ? err : rpc_load(responses, "inputResponses", &req->needs->responses, &req->fault);
}
