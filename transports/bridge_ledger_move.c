/* bridge_ledger_move.c -- from one server to the next: what is lost, what is asked again, what was
 * missed. */
#include "transports/bridge_ledger_private.h"

#include <stdio.h>

static const char lost_text[] = "the server ended while it had this request, which may or may not "
                                "have been done; look before you send it again";

static void
tell_lost_id(struct slice id, struct buf *told)
{
    buf_adds(told, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_add_slice(told, id);
    buf_addf(told, ",\"error\":{\"code\":%d,\"message\":\"%s\"}}", err_info(E_OVERLOAD)->rpc_code,
             lost_text);
}

/* Answers a request in the place of the server that had it. */
static void
tell_lost(const struct ledger *l, const struct ledger_entry *e, struct buf *told)
{
    struct rpc_message batch, m;
    struct json_iter it;
    struct slice text;
    const char *separator = "[";

    if (e->kind != BATCH) {
        tell_lost_id(ledger_id(e), told);
        buf_addc(told, '\n');
        return;
    }
    rpc_parse(buf_slice(&e->text), &l->options.json, &batch, NULL);
    rpc_batch_init(&it, &batch);
    while (rpc_batch_next(&it, &text)) {
        rpc_parse(text, &l->options.json, &m, NULL);
        if (m.shape == RPC_REQUEST && m.id.len) {
            buf_adds(told, separator);
            tell_lost_id(m.id, told);
            separator = ",";
        }
    }
    buf_adds(told, "]\n");
}

/* The client is answering questions that nobody asks any more. */
static void
withdraw_questions(struct ledger *l, struct buf *told)
{
    for (const struct ledger_question *q = l->questions; q; q = q->next) {
        buf_adds(told, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                       "\"requestId\":");
        buf_add(told, q->id, q->id_len);
        buf_adds(told, ",\"reason\":\"the server that asked has ended\"}}\n");
    }
    ledger_forget_questions(l);
}

static void
tell_change(struct buf *told, const char *what, const char *params)
{
    buf_addf(told, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s\"%s}\n", what, params);
}

/* A subscription of the modern era goes on: what it would have told meanwhile may have happened. */
static void
tell_listener(const struct ledger_entry *e, struct buf *told)
{
    struct slice honoured = buf_slice(&e->honoured);
    struct buf params = BUF_INIT;
    struct json_value value, uri;
    struct json_iter it;

    for (int i = 0; i < LEDGER_LISTS; i++) {
        if (json_slice_member(honoured, ledger_lists[i].filter, &value) &&
            value.kind == KIND_TRUE) {
            char what[64];

            snprintf(what, sizeof what, "%s/list_changed", ledger_lists[i].capability);
            buf_reset(&params);
            buf_addf(&params, ",\"params\":{\"_meta\":{\"" META "subscriptionId\":%.*s}}",
                     (int)e->id_len, e->id);
            tell_change(told, what, params.data);
        }
    }
    if (json_slice_member(honoured, "resourceSubscriptions", &value) &&
        json_iter_init(&it, value.raw)) {
        while (json_iter_next(&it, NULL, &uri)) {
            buf_reset(&params);
            buf_adds(&params, ",\"params\":{\"uri\":");
            buf_add_slice(&params, uri.raw);
            buf_addf(&params, ",\"_meta\":{\"" META "subscriptionId\":%.*s}}", (int)e->id_len,
                     e->id);
            tell_change(told, "resources/updated", params.data);
        }
    }
    buf_fini(&params);
}

/* The same for a session of the legacy era. */
static void
tell_session(const struct ledger *l, struct buf *told)
{
    struct rpc_message m;

    for (int i = 0; i < LEDGER_LISTS; i++) {
        if (l->initialize.len && l->changes[i]) {
            char what[64];

            snprintf(what, sizeof what, "%s/list_changed", ledger_lists[i].capability);
            tell_change(told, what, "");
        }
    }
    for (const struct ledger_entry *e = l->subscribed; e; e = e->next) {
        struct buf params = BUF_INIT;

        buf_adds(&params, ",\"params\":{\"uri\":");
        buf_add_slice(&params, ledger_uri(l, e, &m));
        buf_adds(&params, "}");
        tell_change(told, "resources/updated", params.data);
        buf_fini(&params);
    }
}

void
ledger_lose(struct ledger *l, struct buf *told)
{
    struct ledger_entry **at = &l->first;

    withdraw_questions(l, told);
    l->lost = true;
    while (*at) {
        struct ledger_entry *e = *at;

        if (e->kind == RESPONSE || (e->taken && !e->repeatable) || !e->text.len) {
            if (e->kind >= REQUEST) {
                tell_lost(l, e, told);
            }
            ledger_strike(l, at);
            continue;
        }
        e->taken = false;
        at = &e->next;
    }
    l->replayed = 0;
}

void
ledger_give_up(struct ledger *l, struct buf *told)
{
    for (; l->first; ledger_strike(l, &l->first)) {
        if (l->first->kind >= REQUEST) {
            tell_lost(l, l->first, told);
        }
    }
}

/* Adds a request of the client's under an id of our own. */
static void
replay(struct ledger *l, struct slice line, struct buf *out)
{
    struct rpc_message m;

    if (line.len) {
        rpc_parse(line, &l->options.json, &m, NULL);
        buf_add(out, line.data, (size_t)(m.id.data - line.data));
        buf_addf(out, LEDGER_REPLAY "%u\"", ++l->replayed);
        buf_add(out, m.id.data + m.id.len, line.len - (size_t)(m.id.data - line.data) - m.id.len);
        buf_addc(out, '\n');
        l->sent++;
    }
}

/* Adds what makes the session anew. */
static void
replay_session(struct ledger *l, struct buf *out)
{
    replay(l, buf_slice(&l->initialize), out);
    if (l->initialize.len && l->initialized.len) {
        buf_add_slice(out, buf_slice(&l->initialized));
        buf_addc(out, '\n');
        l->sent++;
    }
    replay(l, buf_slice(&l->level), out);
    for (const struct ledger_entry *e = l->subscribed; e; e = e->next) {
        replay(l, buf_slice(&e->text), out);
    }
}

/* Between two servers nobody listened: what may have changed meanwhile is told as changed. */
static void
tell_missed(struct ledger *l, struct buf *told)
{
    if (l->lost) {
        tell_session(l, told);
        for (const struct ledger_entry *e = l->first; e; e = e->next) {
            if (e->kind == LISTEN && e->acknowledged) {
                tell_listener(e, told);
            }
        }
    }
    l->lost = false;
}

void
ledger_resume(struct ledger *l, struct buf *up, struct buf *told)
{
    tell_missed(l, told);
    l->sent = l->taken = 0;
    replay_session(l, up);
    for (struct ledger_entry *e = l->first; e; e = e->next) {
        e->number = ++l->sent;
        buf_add_slice(up, buf_slice(&e->text));
        buf_addc(up, '\n');
    }
}

void
ledger_hand_over(struct ledger *l, struct ledger_estate *estate, struct buf *told)
{
    tell_missed(l, told);
    replay_session(l, &estate->session);
    for (; l->first; ledger_strike(l, &l->first)) {
        struct ledger_entry *e = l->first;
        struct buf *to = e->kind == LISTEN && e->acknowledged ? &estate->listens : &estate->lines;

        buf_add_slice(to, buf_slice(&e->text));
        buf_addc(to, '\n');
    }
    ledger_forget_session(l);
}
