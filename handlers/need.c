/* need.c -- which answers a request has, and which it must ask for.
 *
 * DESIGN.  A handler that waits for a person must not hold a thread, so it does not wait: it gives
 * up and is run again.  What it asked is kept with the request as slots, by key; a slot's answer is
 * good only for the very question that was asked, so a question that has changed since is asked
 * anew.  The road not taken, continuations, would make every handler two functions and a struct. */
#include "handlers/need_private.h"

#include "handlers/dispatch_private.h"
#include "handlers/era.h"
#include "handlers/schema.h"
#include "state/base/json_put.h"
#include "state/base/log.h"

#include <assert.h>

LOG_MODULE("need");

/* What a kind is called: its method, the capability that a client must declare, how that is
 * written. */
static const struct {
    const char *method, *what, *required;
    unsigned can;
} kinds[NEED_KIND_COUNT] = {
    [NEED_FORM] = {"elicitation/create", "elicitation", "\"elicitation\":{}", CAN_FORM},
    [NEED_URL] = {"elicitation/create", "elicitation.url", "\"elicitation\":{\"url\":{}}", CAN_URL},
    [NEED_SAMPLING] = {"sampling/createMessage", "sampling", "\"sampling\":{}", CAN_SAMPLING},
    [NEED_ROOTS] = {"roots/list", "roots", "\"roots\":{}", CAN_ROOTS},
};

json_t *
need_form(const char *message, json_t *schema)
{
    json_t *params = json_must(json_object());

    json_put_text(params, "message", message);
    json_put(params, "requestedSchema", schema);
    return params;
}

json_t *
need_url(const char *message, const char *url, const char *id)
{
    return json_must(json_pack("{s:s, s:o, s:o, s:o}", "mode", "url", "message", json_text(message),
                               "url", json_text(url), "elicitationId", json_text(id)));
}

/* ---- What the client can be asked for ---- */

static bool
has_object(struct slice object, const char *name, struct json_value *value)
{
    return json_slice_member(object, name, value) && value->kind == KIND_OBJECT;
}

unsigned
asks_declared(struct slice capabilities)
{
    struct json_value outer, inner;
    unsigned can = 0;

    if (has_object(capabilities, "elicitation", &outer)) {
        bool url = has_object(outer.raw, "url", &inner);

        can |= url ? CAN_URL : CAN_FORM; /* An empty one means forms. */
        can |= has_object(outer.raw, "form", &inner) ? CAN_FORM : 0;
    }
    if (has_object(capabilities, "sampling", &outer)) {
        can |= CAN_SAMPLING;
        can |= has_object(outer.raw, "tools", &inner) ? CAN_SAMPLING_TOOLS : 0;
        can |= has_object(outer.raw, "context", &inner) ? CAN_SAMPLING_CONTEXT : 0;
    }
    can |= has_object(capabilities, "roots", &outer) ? CAN_ROOTS : 0;
    return can;
}

static unsigned
can_of(const struct request *req)
{
    unsigned can;

    if (req->dialect == DIALECT_REST) {
        return 0; /* Nobody is there to be asked. */
    }
    if (req->era == ERA_MODERN) {
        return asks_declared(req->message.meta[RPC_META_CLIENT_CAPABILITIES].raw);
    }
    can = req->session ? atomic_load(&req->session->client_can) : 0;
    if (!era_knows(req, REVISION_2025_06_18)) {
        can &= ~(unsigned)(CAN_FORM | CAN_URL);
    }
    if (!era_knows(req, REVISION_2025_11_25)) {
        can &= ~(unsigned)(CAN_URL | CAN_SAMPLING_TOOLS);
        can |= CAN_SAMPLING_CONTEXT; /* Was not declared then. */
    }
    return can;
}

bool
need_allowed(const struct request *req, enum need_kind kind)
{
    return can_of(req) & kinds[kind].can;
}

/* What 'n' asks of a client beyond its kind. */
static unsigned
extra_needed(const struct need_slot *slot)
{
    const char *context = json_string_value(json_object_get(slot->params, "includeContext"));
    unsigned can = 0;

    if (slot->kind == NEED_SAMPLING) {
        can |= json_object_get(slot->params, "tools") || json_object_get(slot->params, "toolChoice")
                   ? CAN_SAMPLING_TOOLS
                   : 0;
        can |= context && strcmp(context, "none") != 0 ? CAN_SAMPLING_CONTEXT : 0;
    }
    return can;
}

/* Tells what is lacking: 'lacking' holds a bit for each kind, 'extra' those of sampling. */
static enum err
refuse_kinds(struct request *req, unsigned lacking, unsigned extra, struct fault *f)
{
    struct buf names = BUF_INIT, data = BUF_INIT;

    for (int i = 0; i < NEED_KIND_COUNT; i++) {
        if (lacking & kinds[i].can) {
            buf_addf(&names, "%s%s", names.len ? ", " : "", kinds[i].what);
        }
    }
    if ((lacking & CAN_FORM) && (lacking & CAN_URL)) { /* Both are of one capability. */
        buf_adds(&data, "\"elicitation\":{\"form\":{},\"url\":{}}");
        lacking &= ~(unsigned)(CAN_FORM | CAN_URL);
    }
    for (int i = 0; i < NEED_KIND_COUNT; i++) {
        if (lacking & kinds[i].can) {
            buf_addf(&data, "%s%s", data.len ? "," : "", kinds[i].required);
        }
    }
    if (extra && !names.len) {
        const char *word = extra & CAN_SAMPLING_TOOLS ? "tools" : "context";
        buf_addf(&names, "sampling.%s", word);
        buf_addf(&data, "\"sampling\":{\"%s\":{}}", word);
    }
    if (req->era == ERA_MODERN && req->dialect == DIALECT_RPC) {
        buf_reset(&req->fault_data);
        buf_addf(&req->fault_data, "{\"requiredCapabilities\":{%s}}", data.data ? data.data : "");
        fault_set(f, E_CAPABILITY, "this asks its client for %s, which it does not declare",
                  names.data ? names.data : "");
    } else {
        fault_set(f, E_NO_INPUT,
                  "this must ask its client for %s, and the client takes no such "
                  "questions",
                  names.data ? names.data : "");
    }
    buf_fini(&names);
    buf_fini(&data);
    return fault_remedy(f, "use a client that declares it");
}

static enum err
check_allowed(struct request *req, struct fault *f)
{
    unsigned can = can_of(req), lacking = 0, extra = 0;

    for (size_t i = 0; i < req->needs->count; i++) {
        const struct need_slot *slot = &req->needs->slots[i];

        if (slot->wanted) {
            lacking |= kinds[slot->kind].can & ~can;
            extra |= extra_needed(slot) & ~can;
        }
    }
    return lacking || extra ? refuse_kinds(req, lacking, extra, f) : E_OK;
}

/* ---- Slots ---- */

void
need_digest(const json_t *value, char out[SEAL_DIGEST_SIZE])
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

    if (!text) {
        out_of_memory();
    }
    seal_digest(slice_of(text), out);
    free(text);
}

struct need_slot *
needs_find(struct needs *n, const char *key)
{
    for (size_t i = 0; i < n->count; i++) {
        if (strcmp(n->slots[i].key, key) == 0) {
            return &n->slots[i];
        }
    }
    return NULL;
}

void
need_slot_forget(struct need_slot *slot)
{
    json_decref(slot->answer);
    json_decref(slot->error);
    slot->answer = NULL;
    slot->error = NULL;
    slot->checked = false;
    slot->ask_id = 0;
}

static void
slot_fini(struct need_slot *slot)
{
    need_slot_forget(slot);
    json_decref(slot->params);
    free(slot->key);
    free(slot->call);
}

void
asks_end(struct request *req)
{
    struct needs *n = req->needs;

    if (n) {
        for (size_t i = 0; i < n->count; i++) {
            slot_fini(&n->slots[i]);
        }
        json_decref(n->asked);
        json_decref(n->kept);
        json_decref(n->responses);
        free(n);
        req->needs = NULL;
    }
}

/* The question as it is sent. */
static char *
call_text(enum need_kind kind, const json_t *params)
{
    struct buf out = BUF_INIT;
    char *text;

    buf_addf(&out, "\"method\":\"%s\",\"params\":", kinds[kind].method);
    json_write(&out, params);
    text = buf_steal(&out);
    if (!text) {
        out_of_memory(); /* What a handler asks is small. */
    }
    return text;
}

/* The slot of 'want', made or found; one whose question has changed is asked anew.  Steals the
 * params. */
static struct need_slot *
take_slot(struct request *req, struct need *want)
{
    struct needs *n = req->needs;
    struct need_slot *slot = needs_find(n, want->key);
    json_t *params = want->params ? want->params : json_must(json_object());
    json_t *question;
    char digest[SEAL_DIGEST_SIZE];

    want->params = NULL;
    if (want->kind == NEED_URL && req->era == ERA_MODERN) {
        json_object_del(params, "elicitationId"); /* Of 2025-11-25 only. */
    }
    question = json_must(json_pack("[s, O]", kinds[want->kind].method, params));
    need_digest(question, digest);
    json_decref(question);
    if (slot && strcmp(slot->digest, digest) == 0) {
        json_decref(params);
        slot->bound = want->bound;
        return slot;
    }
    if (slot) {
        slot_fini(slot);
    } else {
        assert(n->count < NEED_MAX);
        slot = &n->slots[n->count++];
    }
    *slot = (struct need_slot){
        .key = xstrdup(want->key), .kind = want->kind, .params = params, .bound = want->bound};
    slot->call = call_text(slot->kind, params);
    memcpy(slot->digest, digest, sizeof digest);
    return slot;
}

/* Modern: takes the answer to the slot's question from what the client sent. */
static void
look_up(struct needs *n, struct need_slot *slot)
{
    const json_t *kept = json_object_get(n->kept, slot->key);
    const char *asked = json_string_value(json_object_get(n->asked, slot->key));

    if (kept && strcmp(json_string_value(json_array_get(kept, 0)), slot->digest) == 0) {
        slot->answer = json_clone(json_array_get(kept, 1));
    } else if (n->retried ? asked && strcmp(asked, slot->digest) == 0 : !slot->bound) {
        json_t *answer = json_object_get(n->responses, slot->key);
        slot->answer = answer ? json_clone(answer) : NULL;
    }
}

/* Checks the answer of a slot, if it has one.  One that is no good is forgotten, to be asked for
 * again; E_NO_INPUT where that has been done often enough. */
static enum err
check_slot(struct request *req, struct need_slot *slot, struct fault *f)
{
    struct fault why = FAULT_INIT;

    if (!slot->answer && !slot->error && req->era == ERA_MODERN) {
        look_up(req->needs, slot);
    }
    if (!slot->answer || slot->checked) {
        return E_OK;
    }
    if (need_check(slot->kind, slot->params, slot->answer, &why) == E_OK) {
        slot->checked = true;
        return E_OK;
    }
    log_warn_rl("a client's answer is no good", F_STR("key", slot->key), F_STR("why", why.text));
    need_slot_forget(slot);
    if (req->era == ERA_LEGACY && ++slot->tries == NEED_TRIES) {
        fault_set(f, E_NO_INPUT, "the client's answers to %s are no good: %.300s",
                  kinds[slot->kind].method, why.text);
        return fault_remedy(f, "mend the client, or use another");
    }
    return E_OK;
}

/* ---- need() ---- */

static void
fill_in(struct need *want, const struct need_slot *slot)
{
    const char *action = json_string_value(json_object_get(slot->answer, "action"));

    want->answer = NULL;
    want->said = NULL;
    if (slot->error) {
        want->outcome = NEED_REFUSED;
        want->said = json_string_value(json_object_get(slot->error, "message"));
        want->said = want->said ? want->said : "";
    } else if (slot->kind == NEED_SAMPLING || slot->kind == NEED_ROOTS) {
        want->outcome = NEED_ACCEPTED;
        want->answer = slot->answer;
    } else if (strcmp(action, "accept") == 0) {
        want->outcome = NEED_ACCEPTED;
        want->answer = slot->kind == NEED_FORM ? json_object_get(slot->answer, "content") : NULL;
    } else {
        want->outcome = strcmp(action, "decline") == 0 ? NEED_DECLINED : NEED_CANCELLED;
    }
}

static enum err
missing(struct request *req, struct fault *f)
{
    struct needs *n = req->needs;
    enum err err;

    if (n->failed.code) {
        *f = n->failed;
        return f->code;
    }
    err = check_allowed(req, f);
    return err ? err : fault_set(f, E_INPUT, "the client has to be asked first");
}

enum err
need(struct request *req, struct need *needs, size_t count, struct fault *f)
{
    struct need_slot *slots[NEED_MAX];
    bool lacking = false;
    enum err err = E_OK;

    assert(count > 0 && count <= NEED_MAX);
    if (!req->needs) {
        req->needs = xcalloc(1, sizeof *req->needs);
    }
    for (size_t i = 0; i < req->needs->count; i++) {
        req->needs->slots[i].wanted = false;
    }
    for (size_t i = 0; i < count; i++) {
        err = err ? err : need_form_fit(req, &needs[i], f);
        slots[i] = take_slot(req, &needs[i]);
    }
    for (size_t i = 0; i < count && !err; i++) {
        err = check_slot(req, slots[i], f);
        slots[i]->wanted = !slots[i]->answer && !slots[i]->error;
        lacking = lacking || slots[i]->wanted;
    }
    if (!err && lacking) {
        err = missing(req, f);
    }
    for (size_t i = 0; i < count && !err; i++) {
        fill_in(&needs[i], slots[i]);
    }
    return err;
}

void
needs_add_wanted(const struct needs *n, struct buf *out)
{
    const char *comma = "{";

    for (size_t i = 0; i < n->count; i++) {
        const struct need_slot *slot = &n->slots[i];

        if (slot->wanted && !slot->answer && !slot->error) {
            buf_adds(out, comma);
            buf_add_json(out, slice_of(slot->key));
            buf_addf(out, ":{%s}", slot->call);
            comma = ",";
        }
    }
    buf_adds(out, *comma == '{' ? "{}" : "}");
}
