/* relay_client.c -- a client of the relay from hello to its end, and which of its frames means
 * what. */
#include "handlers/relay_client_private.h"

#include "handlers/events.h"
#include "handlers/json_slice.h"
#include "handlers/rpc.h"

#include <stdio.h>

struct relay *
relay_client_relay(const struct relay_client *c)
{
    return state_relay(c->options.dispatcher->state);
}

static int64_t
now(const struct relay_client *c)
{
    return clock_mono(c->options.dispatcher->clock);
}

void
relay_client_send(struct relay_client *c, struct buf *frame)
{
    if (frame->failed) {
        c->over = "there is no memory for what it is to be told";
    } else {
        c->options.class->send(c->options.owner, buf_slice(frame));
    }
    buf_fini(frame);
}

static void
send_error(struct relay_client *c, const struct fault *f)
{
    struct buf frame = BUF_INIT;

    relay_write_error(&frame, f);
    relay_client_send(c, &frame);
}

/* ---- Beginning and end ---- */

/* Makes what 'env' tells of its sender the client's own. */
static void
keep_envelope(struct relay_client *c, const struct envelope *env)
{
    struct buf texts = BUF_INIT;

    c->env = (struct envelope){
        .transport = TRANSPORT_HTTP,
        .principal = env->principal,
        .scopes = env->scopes,
        .tenants = env->tenants,
        .peer = env->peer,
        .tenant = env->tenant,
        .client_id = env->client_id,
        .rate = &c->rate,
    };
    envelope_keep(&c->env, &texts);
    buf_fini(&c->texts); /* Only now: they may be what was copied. */
    c->texts = texts;
}

struct relay_client *
relay_client_open(const struct relay_client_options *options)
{
    struct relay_client *c = xcalloc(1, sizeof *c);

    c->refs = 1;
    c->options = *options;
    c->options.env = NULL;
    c->began_ns = now(c);
    keep_envelope(c, options->env);
    return c;
}

void
relay_client_unref(struct relay_client *c)
{
    if (atomic_fetch_sub(&c->refs, 1) == 1) {
        c->options.class->release(c->options.owner);
        bus_patterns_fini(&c->patterns);
        buf_fini(&c->texts);
        free(c);
    }
}

void
relay_client_close(struct relay_client *c)
{
    if (c->card) {
        relay_client_tell_all(c, "relay.client_dropped", NULL);
        relay_leave(relay_client_relay(c), c->card);
    }
    bus_reader_close(c->reader);
    c->reader = NULL;
    c->card = NULL;
    relay_client_unref(c);
}

void
relay_client_leave(struct relay_client *c, const char *reason)
{
    struct buf frame = BUF_INIT;

    if (!c->over) {
        relay_write_bye(&frame, reason);
        relay_client_send(c, &frame);
        c->over = reason;
    }
}

const char *
relay_client_over(struct relay_client *c)
{
    if (!c->over && !c->card && now(c) - c->began_ns > RELAY_HELLO_NS) {
        relay_client_leave(c, "no hello came in time");
    }
    return c->over;
}

/* ---- What the client says ---- */

struct slice
relay_said_text(const json_t *said, const char *key)
{
    const json_t *value = json_object_get(said, key);

    return (struct slice){json_string_value(value), json_string_length(value)};
}

bool
relay_said_number(const json_t *said, const char *key, uint64_t *number)
{
    const json_t *value = json_object_get(said, key);

    *number = json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

enum err
relay_said_patterns(const json_t *said, struct bus_patterns *patterns, struct fault *f)
{
    const json_t *array = json_object_get(said, "patterns");

    if (array && !json_is_array(array)) {
        fault_set(f, E_ARGUMENT, "'patterns' is no array");
        return fault_remedy(f,
                            "send [\"workflow.*\", \"quota.critical\"], or leave it out for all");
    }
    return events_read_patterns(array, patterns, f);
}

/* Lets it in, if that has not happened yet, and notes the tenant that it asks for. */
static enum err
admit(struct relay_client *c, const json_t *said, struct fault *f)
{
    struct slice token = relay_said_text(said, "token"), tenant = relay_said_text(said, "tenant");
    struct envelope env = c->env;
    enum err err;

    if (!c->options.admitted) {
        err = c->options.class->admit(c->options.owner, token, &env, f);
        if (err) {
            return err;
        }
        c->options.admitted = true;
        env.client_id = c->env.client_id;
        keep_envelope(c, &env);
    }
    if (tenant.data && c->env.client_id.data && !slice_equal(tenant, c->env.client_id)) {
        return fault_set(f, E_ARGUMENT, "the header X-Client-ID and hello name different tenants");
    }
    if (tenant.data && tenant.len < sizeof c->client_id) {
        snprintf(c->client_id, sizeof c->client_id, "%.*s", (int)tenant.len, tenant.data);
        c->env.client_id = slice_of(c->client_id);
    } else if (tenant.data) {
        fault_set(f, E_ARGUMENT, "what hello names is no tenant's id");
        return fault_remedy(f, TENANT_ID_RULE);
    }
    return E_OK;
}

/* Opens its reader, as far back as it says, and gives it its card. */
static enum err
begin_reading(struct relay_client *c, const json_t *said, struct bus_reader_start *start,
              struct fault *f)
{
    struct slice epoch = relay_said_text(said, "epoch"), id = relay_said_text(said, "client_id");
    struct bus_reader_options options = {
        .patterns = &c->patterns, .from = BUS_FROM_LAST, .last = RELAY_HISTORY_FIRST};
    bool back = false;
    enum err err;

    if (relay_said_number(said, "last_seq", &options.seq) && epoch.data) {
        options.from = BUS_FROM_SEQ;
        options.epoch = epoch.data;
    }
    err = relay_client_read(c, &options, &c->reader, start, f);
    if (err) {
        return err;
    }
    err = relay_enter(relay_client_relay(c), id, bus_reader_tenant(c->reader), &c->card, &back, f);
    if (err) {
        bus_reader_close(c->reader);
        c->reader = NULL;
        return err;
    }
    c->complete = start->complete;
    relay_client_tell_all(c, back ? "relay.client_resumed" : "relay.client_connected", NULL);
    return E_OK;
}

static enum err
take_hello(struct relay_client *c, const json_t *said, struct fault *f)
{
    struct bus_reader_start start;
    struct buf frame = BUF_INIT;
    enum err err;

    if (c->card) {
        return fault_set(f, E_STATE, "hello has been said already");
    }
    err = relay_said_patterns(said, &c->patterns, f);
    if (!c->patterns.count) { /* Named, so that it can be unsubscribed from. */
        bus_patterns_add(&c->patterns, SLICE("*"), NULL);
    }
    err = err ? err : admit(c, said, f);
    err = err ? err : begin_reading(c, said, &start, f);
    if (err) { /* Nothing can follow: it begins anew. */
        send_error(c, f);
        relay_client_leave(c, "hello was refused");
        return E_OK;
    }
    relay_write_welcome(&frame, &(struct relay_welcome){.client_id = relay_card_id(c->card),
                                                        .start = &start,
                                                        .patterns = &c->patterns,
                                                        .heartbeat_s = c->options.heartbeat_s});
    relay_client_send(c, &frame);
    return E_OK;
}

static enum err
take_ping(struct relay_client *c, const json_t *said, struct fault *f)
{
    struct buf frame = BUF_INIT;

    (void)said, (void)f;
    relay_write_pong(&frame);
    relay_client_send(c, &frame);
    return E_OK;
}

/* ---- Frames ---- */

static const struct {
    const char *type;
    enum err (*take)(struct relay_client *c, const json_t *said, struct fault *f);
} kinds[] = {
    {"hello", take_hello},
    {"subscribe", relay_take_subscribe},
    {"unsubscribe", relay_take_unsubscribe},
    {"ack", relay_take_ack},
    {"get_history", relay_take_get_history},
    {"request_replay", relay_take_request_replay},
    {"ping", take_ping},
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

/* Parses a text of the client.  E_PARSE and others of json_scan.h; E_ARGUMENT. */
static enum err
read_frame(const struct relay_client *c, struct slice text, json_t **said, struct fault *f)
{
    struct json_value value;
    struct json_scan scan;
    enum err err;

    json_scan_init(&scan, text, &c->options.dispatcher->limits.json);
    if (!json_scan_value(&scan, &value) || !json_scan_end(&scan) || scan.flaw) {
        return json_scan_fault(&scan, f);
    }
    if (value.kind != KIND_OBJECT) {
        fault_set(f, E_ARGUMENT, "the frame is no JSON object");
        return fault_remedy(f, "send {\"type\":\"hello\"} first");
    }
    err = rpc_load(&value, "the frame", said, f);
    return err == E_PARAMS ? E_ARGUMENT : err;
}

static enum err
take_frame(struct relay_client *c, const json_t *said, struct fault *f)
{
    struct slice type = relay_said_text(said, "type");
    unsigned per_second =
        atomic_load_explicit(&c->options.dispatcher->calls_per_second, memory_order_relaxed);
    size_t kind = 0;

    if (!c->card && !slice_is(type, "hello")) {
        fault_set(f, E_STATE, "the first frame has to be hello");
        return fault_remedy(f, "send {\"type\":\"hello\"}");
    }
    if (!rate_take(&c->rate, now(c), per_second, 2 * per_second)) {
        return fault_set(f, E_BUSY, "more frames than a client may send in a second");
    }
    while (kind < KIND_COUNT && !slice_is(type, kinds[kind].type)) {
        kind++;
    }
    if (kind == KIND_COUNT) {
        fault_set(f, E_ARGUMENT, "there is no such type of frame");
        return fault_remedy(f, "send hello, subscribe, unsubscribe, ack, get_history, "
                               "request_replay, publish or ping");
    }
    return kinds[kind].take(c, said, f);
}

void
relay_client_take(struct relay_client *c, struct slice text)
{
    struct fault f = FAULT_INIT;
    struct json_value type;
    json_t *said = NULL;
    enum err err;

    if (c->over) {
        return;
    }
    if (c->card && json_slice_member(text, "type", &type) && json_string_is(type.raw, "publish")) {
        relay_take_publish(c, text); /* Which is checked, parsed and counted there. */
        return;
    }
    err = read_frame(c, text, &said, &f);
    err = err ? err : take_frame(c, said, &f);
    if (err) {
        f.code = err;
        send_error(c, &f);
    }
    json_decref(said);
}
