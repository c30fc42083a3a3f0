/* bridge_ledger.c -- entries in the order of their lines, found by their ids.
 *
 * DESIGN.  The server says how many lines it has taken before it acts on them (http_lines.c), so an
 * entry is untaken, and surely not done, or taken, and nobody knows.  There are never more entries
 * than calls in flight and lines on the way, so they are a plain list. */
#include "transports/bridge_ledger_private.h"

#include <stdio.h>

static const struct {
    const char *method;
    enum entry_kind kind;
} kinds[] = {
    {"initialize", INITIALIZE},         {"logging/setLevel", SET_LEVEL},
    {"resources/subscribe", SUBSCRIBE}, {"resources/unsubscribe", UNSUBSCRIBE},
    {"subscriptions/listen", LISTEN},
};

const struct ledger_list ledger_lists[LEDGER_LISTS] = {
    {"tools", "toolsListChanged"},
    {"prompts", "promptsListChanged"},
    {"resources", "resourcesListChanged"},
};

void
ledger_init(struct ledger *l, const struct ledger_options *options)
{
    *l = (struct ledger){.options = *options};
    l->last = &l->first;
}

struct slice
ledger_id(const struct ledger_entry *e)
{
    return (struct slice){e->id, e->id_len};
}

static void
free_entry(struct ledger_entry *e)
{
    buf_fini(&e->text);
    buf_fini(&e->honoured);
    free(e);
}

/* Takes out the entry that 'at' points to. */
static struct ledger_entry *
take_out(struct ledger *l, struct ledger_entry **at)
{
    struct ledger_entry *e = *at;

    *at = e->next;
    if (l->last == &e->next) {
        l->last = at;
    }
    l->kept -= e->text.len;
    return e;
}

void
ledger_strike(struct ledger *l, struct ledger_entry **at)
{
    free_entry(take_out(l, at));
}

void
ledger_forget_questions(struct ledger *l)
{
    for (struct ledger_question *q; (q = l->questions);) {
        l->questions = q->next;
        free(q);
    }
}

void
ledger_forget_session(struct ledger *l)
{
    for (struct ledger_entry *e; (e = l->subscribed);) {
        l->subscribed = e->next;
        free_entry(e);
    }
    buf_fini(&l->initialize);
    buf_fini(&l->initialized);
    buf_fini(&l->level);
}

void
ledger_fini(struct ledger *l)
{
    while (l->first) {
        ledger_strike(l, &l->first);
    }
    ledger_forget_questions(l);
    ledger_forget_session(l);
}

bool
ledger_owes(const struct ledger *l)
{
    for (const struct ledger_entry *e = l->first; e; e = e->next) {
        if (e->kind >= REQUEST) {
            return true;
        }
    }
    return false;
}

/* ---- What the client says ---- */

static bool
may_repeat(const struct ledger *l, const struct rpc_message *m)
{
    return !slice_is(m->method, "tools/call") || l->options.repeatable(m);
}

/* Whether every request of a batch may be made again; finds the id of the first. */
static bool
look_into_batch(const struct ledger *l, const struct rpc_message *batch, struct slice *id)
{
    struct rpc_message m;
    struct json_iter it;
    struct slice text;
    bool repeatable = true;

    *id = SLICE_NONE;
    rpc_batch_init(&it, batch);
    while (rpc_batch_next(&it, &text)) {
        rpc_parse(text, &l->options.json, &m, NULL);
        if (m.shape == RPC_REQUEST) {
            *id = id->len ? *id : m.id;
            repeatable = repeatable && may_repeat(l, &m);
        }
    }
    return repeatable;
}

static enum entry_kind
kind_of(const struct ledger *l, const struct rpc_message *m)
{
    if (m->kind == RPC_BATCH) {
        return l->batches ? BATCH : NOTE; /* What is refused is refused without an id. */
    }
    if (m->shape == RPC_RESPONSE) {
        return RESPONSE;
    }
    if (m->shape != RPC_REQUEST || !m->id.len) {
        return NOTE;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (slice_is(m->method, kinds[i].method)) {
            return kinds[i].kind;
        }
    }
    return REQUEST;
}

static struct ledger_entry *
make_entry(const struct ledger *l, const struct rpc_message *m)
{
    enum entry_kind kind = kind_of(l, m);
    struct slice id = kind == NOTE || kind == RESPONSE ? SLICE_NONE : m->id;
    bool repeatable = true; /* What is no message will be refused, whoever reads it. */
    struct ledger_entry *e;

    if (kind == BATCH) {
        repeatable = look_into_batch(l, m, &id);
        kind = id.len ? BATCH : NOTE;
    } else if (m->kind == RPC_REQUEST) {
        repeatable = may_repeat(l, m);
    }
    e = xcalloc(1, sizeof *e + id.len);
    e->kind = kind;
    e->repeatable = repeatable;
    e->id_len = id.len;
    memcpy(e->id, id.len ? id.data : "", id.len);
    return e;
}

/* The client wants no more of a request: whether it is done or not, it is not owed. */
static void
strike_cancelled(struct ledger *l, struct slice id)
{
    for (struct ledger_entry **at = &l->first; id.len && *at; at = &(*at)->next) {
        if (((*at)->kind == REQUEST || (*at)->kind == LISTEN) && rpc_id_equal(ledger_id(*at), id)) {
            if ((*at)->taken) {
                ledger_strike(l, at);
            } else { /* Its line is on the way all the same. */
                (*at)->kind = NOTE;
            }
            return;
        }
    }
}

/* Whether the server asked for this response; then it is answered. */
static bool
take_question(struct ledger *l, struct slice id)
{
    for (struct ledger_question **at = &l->questions; *at; at = &(*at)->next) {
        struct ledger_question *q = *at;

        if (rpc_id_equal((struct slice){q->id, q->id_len}, id)) {
            *at = q->next;
            free(q);
            return true;
        }
    }
    return false;
}

static void
keep(struct buf *at, struct slice line)
{
    buf_fini(at);
    buf_add_slice(at, line);
}

void
ledger_say(struct ledger *l, struct slice line, struct buf *up)
{
    struct ledger_entry *e;
    struct rpc_message m;

    rpc_parse(line, &l->options.json, &m, NULL);
    if (m.kind == RPC_RESPONSE && !take_question(l, m.id)) {
        return; /* Of a server that has gone: this one may have asked something else by that id. */
    }
    if (m.kind == RPC_NOTIFICATION && slice_is(m.method, "notifications/cancelled")) {
        strike_cancelled(l, m.param[RPC_PARAM_REQUEST_ID].raw);
    } else if (m.kind == RPC_NOTIFICATION && slice_is(m.method, "notifications/initialized")) {
        keep(&l->initialized, line);
    }
    e = make_entry(l, &m);
    e->number = ++l->sent;
    buf_add_slice(&e->text, line);
    l->kept += e->text.len;
    *l->last = e;
    l->last = &e->next;
    buf_add_slice(up, line);
    buf_addc(up, '\n');
}

/* ---- What the server says ---- */

/* The server has 'taken' so many lines: what needs no answer is done with. */
static void
note_taken(struct ledger *l, uint64_t taken)
{
    struct ledger_entry **at = &l->first;

    l->taken = taken;
    while (*at && (*at)->number <= taken) {
        struct ledger_entry *e = *at;

        e->taken = true;
        if (e->kind < REQUEST) {
            ledger_strike(l, at);
            continue;
        }
        if (e->kind != BATCH && (!e->repeatable || l->kept > l->options.keep)) {
            l->kept -= e->text.len;
            buf_fini(&e->text);
        }
        at = &e->next;
    }
}

/* The session is there: what its server offers. */
static void
note_session(struct ledger *l, const struct rpc_message *m, struct slice line)
{
    struct json_value version, capabilities, one, changes;

    keep(&l->initialize, line);
    l->batches =
        json_slice_member(m->result.raw, "protocolVersion", &version) &&
        (json_string_is(version.raw, "2025-03-26") || json_string_is(version.raw, "2024-11-05"));
    for (int i = 0; i < LEDGER_LISTS; i++) {
        l->changes[i] = json_slice_member(m->result.raw, "capabilities", &capabilities) &&
                        json_slice_member(capabilities.raw, ledger_lists[i].capability, &one) &&
                        json_slice_member(one.raw, "listChanged", &changes) &&
                        changes.kind == KIND_TRUE;
    }
}

/* The uri of a request to subscribe, as it was written. */
struct slice
ledger_uri(const struct ledger *l, const struct ledger_entry *e, struct rpc_message *m)
{
    rpc_parse(buf_slice(&e->text), &l->options.json, m, NULL);
    return m->param[RPC_PARAM_URI].raw;
}

/* The client is subscribed to a uri, or is not any more: at most one entry stays for it, 'e' if it
 * is not null, which is taken over. */
static void
note_subscribed(struct ledger *l, struct slice uri, struct ledger_entry *e)
{
    struct rpc_message m;

    for (struct ledger_entry **at = &l->subscribed; *at; at = &(*at)->next) {
        struct ledger_entry *old = *at;

        if (rpc_id_equal(ledger_uri(l, old, &m), uri)) {
            *at = old->next;
            free_entry(old);
            break;
        }
    }
    if (e) {
        e->next = l->subscribed;
        l->subscribed = e;
    }
}

/* What a request that was done changes in the session.  True if the entry was taken over. */
static bool
note_done(struct ledger *l, struct ledger_entry *e, const struct rpc_message *m)
{
    struct rpc_message asked;

    switch (e->kind) {
    case INITIALIZE:
        note_session(l, m, buf_slice(&e->text));
        return false;
    case SET_LEVEL:
        keep(&l->level, buf_slice(&e->text));
        return false;
    case SUBSCRIBE:
        note_subscribed(l, ledger_uri(l, e, &asked), e);
        return true;
    case UNSUBSCRIBE:
        note_subscribed(l, ledger_uri(l, e, &asked), NULL);
        return false;
    default:
        return false;
    }
}

/* A request has its answer. */
static void
note_answer(struct ledger *l, const struct rpc_message *m)
{
    for (struct ledger_entry **at = &l->first; *at; at = &(*at)->next) {
        struct ledger_entry *e = *at;

        if (e->kind < REQUEST || !rpc_id_equal(ledger_id(e), m->id)) {
            continue;
        }
        take_out(l, at);
        if (!e->text.len || m->result.kind != KIND_OBJECT || !note_done(l, e, m)) {
            free_entry(e);
        }
        return;
    }
}

static void
note_answers(struct ledger *l, const struct rpc_message *batch)
{
    struct rpc_message m;
    struct json_iter it;
    struct slice text;

    rpc_batch_init(&it, batch);
    while (rpc_batch_next(&it, &text)) {
        rpc_parse(text, NULL, &m, NULL);
        if (m.shape == RPC_RESPONSE && m.id.len) {
            note_answer(l, &m);
        }
    }
}

static void
note_question(struct ledger *l, struct slice id)
{
    struct ledger_question *q = xcalloc(1, sizeof *q + id.len); /* RPC_ID_MAX, escaped. */

    q->id_len = id.len;
    memcpy(q->id, id.data, id.len);
    q->next = l->questions;
    l->questions = q;
}

/* A subscription is acknowledged.  True if the client is to know: if that is the first time. */
static bool
note_acknowledged(struct ledger *l, const struct rpc_message *m)
{
    struct json_value meta, id, honoured;

    if (!json_slice_member(m->params.raw, "_meta", &meta) ||
        !json_slice_member(meta.raw, META "subscriptionId", &id)) {
        return true;
    }
    for (struct ledger_entry *e = l->first; e; e = e->next) {
        if (e->kind == LISTEN && rpc_id_equal(ledger_id(e), id.raw)) {
            bool first = !e->acknowledged;

            e->acknowledged = true;
            if (json_slice_member(m->params.raw, "notifications", &honoured)) {
                keep(&e->honoured, honoured.raw);
            }
            return first;
        }
    }
    return true;
}

static bool
is_replay(struct slice id)
{
    return id.len > sizeof LEDGER_REPLAY &&
           memcmp(id.data, LEDGER_REPLAY, sizeof LEDGER_REPLAY - 1) == 0;
}

static bool
hear_response(struct ledger *l, const struct rpc_message *m)
{
    if (l->replayed && is_replay(m->id)) {
        l->replayed--;
        return false;
    }
    if (m->id.len) {
        note_answer(l, m);
    }
    return true;
}

bool
ledger_hear(struct ledger *l, struct slice line)
{
    const struct json_limits top = {JSON_DEPTH_TOP, JSON_VALUES_TOP};
    struct rpc_message m;

    if (line.data[0] == '=') {
        char number[24];

        snprintf(number, sizeof number, "%.*s", (int)(line.len < 24 ? line.len - 1 : 22),
                 line.data + 1);
        note_taken(l, strtoull(number, NULL, 10));
        return false;
    }
    rpc_parse(line, &top, &m, NULL);
    if (m.kind == RPC_BATCH) {
        note_answers(l, &m);
    } else if (m.shape == RPC_RESPONSE) {
        return hear_response(l, &m);
    } else if (m.kind == RPC_REQUEST) {
        note_question(l, m.id);
    } else if (m.kind == RPC_NOTIFICATION && slice_is(m.method, "notifications/cancelled")) {
        take_question(l, m.param[RPC_PARAM_REQUEST_ID].raw);
    } else if (slice_is(m.method, "notifications/subscriptions/acknowledged")) {
        return note_acknowledged(l, &m);
    }
    return true;
}
