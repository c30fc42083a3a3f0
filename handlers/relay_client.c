/* relay_client.c -- what a client of the relay says is done, and what happens is told to it. */
#include "handlers/relay_client.h"

#include "handlers/dispatch_private.h"
#include "handlers/events.h"
#include "handlers/relay_frames.h"
#include "state/base/json_put.h"
#include "state/bus_reader.h"
#include "state/json_bounded.h"
#include "state/relay.h"
#include "state/state.h"

#include <stdio.h>

#define HISTORY_FIRST 50 /* Events of the past that a new client is told. */
#define HISTORY_MAX 100
#define BATCH 64 /* Items taken from the reader at once, and events of a frame of the past. */

struct relay_client {
    _Atomic unsigned refs; /* The owner's, and one an event that is being published. */
    struct relay_client_options options; /* 'env' is not used. */
    struct envelope env;                 /* Whose events it sees, and for whom it publishes. */
    struct buf texts;                    /* What its slices are of. */
    char client_id[TENANT_ID_SIZE];      /* Asked for by hello. */
    struct rate rate;
    int64_t began_ns;
    struct bus_reader *reader; /* Owned; null before hello. */
    struct relay_card *card;   /* Its own, likewise. */
    struct bus_patterns patterns;
    bool nothing;  /* It has unsubscribed from all: an empty set would stand for everything. */
    bool complete; /* None was missing before what it is told of the past. */
    struct relay_tally tally;
    const char *over; /* Why it ends; borrowed for ever. */
};

static struct relay *
relay_of(const struct relay_client *c)
{
    return state_relay(c->options.dispatcher->state);
}

static int64_t
now(const struct relay_client *c)
{
    return clock_mono(c->options.dispatcher->clock);
}

/* ---- Telling ---- */

/* Sends what has been written, and frees it. */
static void
send_frame(struct relay_client *c, struct buf *frame)
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
    send_frame(c, &frame);
}

/* Has all others know what became of it; 'data' as events_tell_relay() takes it. */
static void
publish(struct relay_client *c, const char *topic, json_t *data)
{
    char name[9];

    snprintf(name, sizeof name, "%.8s", relay_card_id(c->card));
    events_tell_relay(state_bus(c->options.dispatcher->state), topic, c->reader, name, data);
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

static void
unref(struct relay_client *c)
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
        publish(c, "relay.client_dropped", NULL);
        relay_leave(relay_of(c), c->card);
    }
    bus_reader_close(c->reader);
    c->reader = NULL;
    c->card = NULL;
    unref(c);
}

void
relay_client_leave(struct relay_client *c, const char *reason)
{
    struct buf frame = BUF_INIT;

    if (!c->over) {
        relay_write_bye(&frame, reason);
        send_frame(c, &frame);
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

/* ---- What is told of events ---- */

static void
wake(void *arg)
{
    struct relay_client *c = arg;

    c->options.class->wake(c->options.owner);
}

/* A reader of what the client is to be told, beginning as 'options' says. */
static enum err
open_reader(struct relay_client *c, struct bus_reader_options *options, struct bus_reader **reader,
            struct bus_reader_start *start, struct fault *f)
{
    options->wake = wake;
    options->arg = c;
    return dispatch_read_events(c->options.dispatcher, &c->env, options, reader, start, f);
}

/* Sends the events of the past that 'items' begin with; returns how many. */
static size_t
send_past(struct relay_client *c, const struct bus_item *items, size_t count)
{
    struct bus_event *events[BATCH];
    struct buf frame = BUF_INIT;
    size_t n = 0;

    while (n < count && items[n].kind == BUS_ITEM_EVENT && items[n].replay) {
        events[n] = items[n].event;
        n++;
    }
    if (n) {
        relay_write_replay(&frame, events, n, c->complete);
        send_frame(c, &frame);
    }
    return n;
}

static void
send_item(struct relay_client *c, const struct bus_item *item)
{
    struct buf frame = BUF_INIT;
    json_t *data;

    switch (item->kind) {
    case BUS_ITEM_EVENT:
        relay_write_event(&frame, item->event, c->options.compat);
        break;
    case BUS_ITEM_GAP:
        relay_write_gap(&frame, item->from, item->to);
        if (!item->replay) {
            data = json_must(json_object());
            json_put_int(data, "from", (int64_t)item->from);
            json_put_int(data, "to", (int64_t)item->to);
            publish(c, "relay.overflow", data);
        }
        break;
    case BUS_ITEM_OVER:
        relay_client_leave(c, "events were not read fast enough");
        return;
    }
    send_frame(c, &frame);
}

static void
send_items(struct relay_client *c, const struct bus_item *items, size_t count)
{
    for (size_t i = 0; i < count && !c->over;) {
        size_t past = c->options.compat ? 0 : send_past(c, items + i, count - i);

        if (past) {
            i += past;
        } else {
            send_item(c, &items[i++]);
        }
    }
}

void
relay_client_fill(struct relay_client *c)
{
    struct bus_item items[BATCH];
    struct bus_reader_stats stats;
    size_t count, sent = 0;

    while (c->reader && !c->over && c->options.class->waiting(c->options.owner) < RELAY_ROOM &&
           (count = bus_reader_take(c->reader, items, BATCH)) > 0) {
        if (!c->nothing) {
            send_items(c, items, count);
        }
        for (size_t i = 0; i < count; i++) {
            sent += items[i].kind == BUS_ITEM_EVENT;
            bus_event_unref(items[i].event);
        }
    }
    if (sent && c->card) {
        stats = bus_reader_stats(c->reader);
        c->tally.sent = sent;
        c->tally.dropped = stats.dropped - c->tally.dropped;
        c->tally.buffered = stats.waiting;
        relay_tell(relay_of(c), c->card, &c->tally);
        c->tally.dropped = stats.dropped;
    }
}

/* ---- What the client says ---- */

static struct slice
text_of(const json_t *said, const char *key)
{
    const json_t *value = json_object_get(said, key);

    return (struct slice){json_string_value(value), json_string_length(value)};
}

/* Reads a whole number that is not negative.  False if there is none under that key. */
static bool
number_of(const json_t *said, const char *key, uint64_t *number)
{
    const json_t *value = json_object_get(said, key);

    *number = json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

/* Reads the patterns of what was said; none if it names none. */
static enum err
patterns_of(const json_t *said, struct bus_patterns *patterns, struct fault *f)
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
    struct slice token = text_of(said, "token"), tenant = text_of(said, "tenant");
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
    struct slice epoch = text_of(said, "epoch"), id = text_of(said, "client_id");
    struct bus_reader_options options = {
        .patterns = &c->patterns, .from = BUS_FROM_LAST, .last = HISTORY_FIRST};
    bool back = false;
    enum err err;

    if (number_of(said, "last_seq", &options.seq) && epoch.data) {
        options.from = BUS_FROM_SEQ;
        options.epoch = epoch.data;
    }
    err = open_reader(c, &options, &c->reader, start, f);
    if (err) {
        return err;
    }
    err = relay_enter(relay_of(c), id, bus_reader_tenant(c->reader), &c->card, &back, f);
    if (err) {
        bus_reader_close(c->reader);
        c->reader = NULL;
        return err;
    }
    c->complete = start->complete;
    publish(c, back ? "relay.client_resumed" : "relay.client_connected", NULL);
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
    err = patterns_of(said, &c->patterns, f);
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
    send_frame(c, &frame);
    return E_OK;
}

static void
send_subscribed(struct relay_client *c)
{
    struct buf frame = BUF_INIT;

    bus_reader_choose(c->reader, &c->patterns);
    relay_write_subscribed(&frame, &c->patterns);
    send_frame(c, &frame);
}

static enum err
take_subscribe(struct relay_client *c, const json_t *said, struct fault *f)
{
    enum err err = patterns_of(said, &c->patterns, f);

    if (c->patterns.count) {
        c->nothing = false;
        send_subscribed(c);
    }
    return err;
}

static enum err
take_unsubscribe(struct relay_client *c, const json_t *said, struct fault *f)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(said, "patterns"), i, item) {
        struct slice pattern = {json_string_value(item), json_string_length(item)};

        if (!pattern.data || !bus_patterns_remove(&c->patterns, pattern)) {
            send_subscribed(c);
            return fault_set(f, E_NOT_FOUND, "patterns[%zu] is none that it has subscribed to", i);
        }
    }
    c->nothing = c->patterns.count == 0;
    send_subscribed(c);
    return E_OK;
}

static enum err
take_ack(struct relay_client *c, const json_t *said, struct fault *f)
{
    if (!number_of(said, "seq", &c->tally.acked)) {
        return fault_set(f, E_ARGUMENT, "'seq' is no number of an event");
    }
    c->tally.buffered = bus_reader_stats(c->reader).waiting;
    relay_tell(relay_of(c), c->card,
               &(struct relay_tally){.acked = c->tally.acked, .buffered = c->tally.buffered});
    return E_OK;
}

static void
nobody(void *arg)
{
    (void)arg;
}

static enum err
take_get_history(struct relay_client *c, const json_t *said, struct fault *f)
{
    struct bus_patterns patterns = {.count = 0};
    struct bus_reader_options options = {
        .patterns = &patterns, .from = BUS_FROM_LAST, .wake = nobody};
    struct bus_reader_start start;
    struct bus_reader *reader = NULL;
    struct bus_item items[HISTORY_MAX];
    struct bus_event *events[HISTORY_MAX];
    struct buf frame = BUF_INIT;
    size_t count = 0, taken;
    uint64_t limit = 0;
    enum err err = patterns_of(said, &patterns, f);

    if (!err && json_object_get(said, "limit") &&
        (!number_of(said, "limit", &limit) || limit == 0 || limit > HISTORY_MAX)) {
        err = fault_set(f, E_ARGUMENT, "'limit' is not 1 to %d", HISTORY_MAX);
    }
    options.last = limit ? (unsigned)limit : HISTORY_FIRST;
    if (!err) { /* The same that its own reader may see, and no more. */
        err = dispatch_read_events(c->options.dispatcher, &c->env, &options, &reader, &start, f);
    }
    if (!err) {
        taken = bus_reader_take(reader, items, start.replay);
        for (size_t i = 0; i < taken; i++) {
            if (items[i].kind == BUS_ITEM_EVENT) {
                events[count++] = items[i].event;
            }
        }
        relay_write_history(&frame, events, count);
        send_frame(c, &frame);
        for (size_t i = 0; i < count; i++) {
            bus_event_unref(events[i]);
        }
        bus_reader_close(reader);
    }
    bus_patterns_fini(&patterns);
    return err;
}

static enum err
take_request_replay(struct relay_client *c, const json_t *said, struct fault *f)
{
    struct bus_reader_options options = {.patterns = &c->patterns, .from = BUS_FROM_SEQ};
    struct bus_reader_start start;
    struct bus_reader *reader;
    enum err err;

    options.epoch = bus_epoch(state_bus(c->options.dispatcher->state));
    if (!number_of(said, "last_seq", &options.seq)) {
        return fault_set(f, E_ARGUMENT, "'last_seq' is no number of an event");
    }
    err = open_reader(c, &options, &reader, &start, f);
    if (!err) {
        bus_reader_close(c->reader);
        c->reader = reader;
        c->complete = start.complete;
        c->tally.dropped = 0;
    }
    return err;
}

static enum err
take_ping(struct relay_client *c, const json_t *said, struct fault *f)
{
    struct buf frame = BUF_INIT;

    (void)said, (void)f;
    relay_write_pong(&frame);
    send_frame(c, &frame);
    return E_OK;
}

/* ---- Publishing ---- */

/* Where the answer to an event goes that the client publishes. */
struct publishing {
    struct sink sink; /* First. */
    struct relay_client *client;
};

static enum err
pass_over(struct sink *sink, const struct event *event)
{
    (void)sink, (void)event;
    return E_REFUSED;
}

/* Any thread: only what never changes is used of the client. */
static void
answer_published(struct sink *sink, const struct reply *reply)
{
    struct relay_client *c = ((struct publishing *)sink)->client;
    struct buf frame = BUF_INIT;

    if (reply->status < 300) {
        relay_write_published(&frame);
    } else {
        relay_write_error_of(&frame, reply->body);
    }
    if (!frame.failed) {
        c->options.class->send(c->options.owner, buf_slice(&frame));
    }
    buf_fini(&frame);
}

static void
end_publishing(struct sink *sink)
{
    struct publishing *p = (struct publishing *)sink;

    unref(p->client);
    free(p);
}

/* As a script's POST /api/events: the members of the frame are those of its body. */
static void
take_publish(struct relay_client *c, struct slice text)
{
    static const struct sink_class class = {
        .send = pass_over, .answer = answer_published, .unref = end_publishing};
    struct publishing *p = xcalloc(1, sizeof *p);

    p->sink.class = &class;
    p->client = c;
    atomic_fetch_add(&c->refs, 1);
    dispatch_event(c->options.dispatcher, &c->env, text, &p->sink);
}

/* ---- Frames ---- */

static const struct {
    const char *type;
    enum err (*take)(struct relay_client *c, const json_t *said, struct fault *f);
} kinds[] = {
    {"hello", take_hello},
    {"subscribe", take_subscribe},
    {"unsubscribe", take_unsubscribe},
    {"ack", take_ack},
    {"get_history", take_get_history},
    {"request_replay", take_request_replay},
    {"ping", take_ping},
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

static enum err
take_frame(struct relay_client *c, struct slice text, const json_t *said, struct fault *f)
{
    struct slice type = text_of(said, "type");
    const struct dispatch_limits *limits = &c->options.dispatcher->limits;
    size_t kind = 0;

    if (!c->card && !slice_is(type, "hello")) {
        fault_set(f, E_STATE, "the first frame has to be hello");
        return fault_remedy(f, "send {\"type\":\"hello\"}");
    }
    if (slice_is(type, "publish")) {
        take_publish(c, text); /* Which counts for its rate by itself. */
        return E_OK;
    }
    if (!rate_take(&c->rate, now(c), limits->calls_per_second, 2 * limits->calls_per_second)) {
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
    static const struct json_bounds bounds = {.depth = 32, .values = 20000};
    struct fault f = FAULT_INIT;
    json_t *said;
    enum err err;

    if (c->over) {
        return;
    }
    said = json_load_bounded(text, &bounds);
    if (json_is_object(said)) {
        err = take_frame(c, text, said, &f);
    } else {
        err = fault_set(&f, E_ARGUMENT, "the frame is no JSON object");
        fault_remedy(&f, "send {\"type\":\"hello\"} first");
    }
    if (err) {
        send_error(c, &f);
    }
    json_decref(said);
    relay_client_fill(c);
}
