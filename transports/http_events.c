/* http_events.c -- events for scripts and pages: POST /api/events publishes one, GET /events is a
 * stream of them.
 *
 *     GET /events?pattern=build.*,hook.*&since=SEQ&epoch=EPOCH&last=N
 *
 * The stream begins with an event "welcome" {epoch, seq, resumed, complete, replay}.  Then come the
 * events themselves, without a name, each with the id EPOCH-SEQ, by which Last-Event-ID goes on
 * where a connection was lost; a "gap" {from, to} where some are not to be had any more; and "bye"
 * {reason} at its end.  Who comes for the first time gets the last ones first ('last').  The relay
 * on /ws tells the same.
 *
 * DESIGN.  The stream is an answer that takes long: the connection is HANDLING, and streaming as
 * those of dispatch do, with their keep-alive, their patience and their end.  Where the events come
 * from is a reader of the bus, that is asked for more only once the socket has taken all there was:
 * so what waits for a slow peer waits in the reader, which is bounded, and here no more than a few
 * events. */
#include "state/bus_reader.h"
#include "transports/http_private.h"

#include <stdio.h>

#define LAST_DEFAULT 50u /* Events that a new client gets first. */
#define LAST_MAX 10000u
#define AT_ONCE 64u                 /* Events that are taken together, */
#define AT_ONCE_BYTES (32u * 1024u) /* so many bytes of them, or one; */
#define ROUNDS 16u                  /* and so often, before the others get their turn. */
#define RETRY_MS 2000

struct http_feed {
    struct bus_reader *reader; /* Owned. */
    char epoch[BUS_EPOCH_MAX + 1];
    const char *reason; /* Why it ends; null: its peer has left, or does not read. */
    bool feeding;       /* feed() is under way, further down the stack. */
};

/* ---- Publishing ---- */

void
http_event(struct connection *c, const struct http_parser *p)
{
    struct envelope env;

    http_fill_envelope(c, p, &env);
    dispatch_event(c->server->context.dispatcher, &env, http_body(p), connection_take_sink(c));
}

/* ---- What is written ---- */

/* Adds an event of the stream's own; 'seq' 0: without an id. */
static void add_own(struct buf *out, const struct http_feed *feed, const char *name, uint64_t seq,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));
static void
add_own(struct buf *out, const struct http_feed *feed, const char *name, uint64_t seq,
        const char *format, ...)
{
    char id[BUS_ID_SIZE], data[256];
    va_list args;

    buf_addf(out, "event: %s\n", name);
    if (seq) {
        bus_event_write_id(feed->epoch, seq, id);
        buf_addf(out, "id: %s\n", id);
    }
    va_start(args, format);
    text_format(data, sizeof data, format, args);
    va_end(args);
    buf_addf(out, "data: %s\n\n", data);
}

static void
add_event(struct buf *out, const struct http_feed *feed, const struct bus_event *event)
{
    char id[BUS_ID_SIZE];

    bus_event_write_id(feed->epoch, event->seq, id);
    buf_addf(out, "id: %s\ndata: ", id);
    buf_add_slice(out, event->text);
    buf_adds(out, "\n\n");
}

/* Adds the item, and lets go of it.  False if it was the last. */
static bool
add_item(struct buf *out, struct http_feed *feed, struct bus_item *item)
{
    switch (item->kind) {
    case BUS_ITEM_EVENT:
        add_event(out, feed, item->event);
        bus_event_unref(item->event);
        return true;
    case BUS_ITEM_GAP:
        add_own(out, feed, "gap", item->to, "{\"from\":%llu,\"to\":%llu}",
                (unsigned long long)item->from, (unsigned long long)item->to);
        return true;
    case BUS_ITEM_OVER:
        break;
    }
    feed->reason = item->over == BUS_OVER_SLOW ? "too_slow" : "tenant_suspended";
    add_own(out, feed, "bye", 0, "{\"reason\":\"%s\"}", feed->reason);
    return false;
}

/* Who has been told nothing yet comes back to where he began. */
static void
add_welcome(struct buf *out, const struct http_feed *feed, const struct bus_reader_start *start)
{
    bool nothing = start->complete && !start->replay;

    buf_addf(out, "retry: %d\n", RETRY_MS);
    add_own(out, feed, "welcome", nothing ? start->seq : 0,
            "{\"epoch\":\"%s\",\"seq\":%llu,\"resumed\":%s,\"complete\":%s,\"replay\":%zu}",
            feed->epoch, (unsigned long long)start->seq, start->resumed ? "true" : "false",
            start->complete ? "true" : "false", start->replay);
}

/* ---- Feeding ---- */

void
http_feed_free(struct connection *c)
{
    if (c->feed) {
        dispatch_tell_relay(c->server->context.dispatcher, RELAY_DROPPED, c->feed->reader,
                            c->feed->reason);
        bus_reader_close(c->feed->reader);
        free(c->feed);
        c->feed = NULL;
    }
}

static void
say_bye(struct connection *c)
{
    struct buf text = BUF_INIT;

    add_own(&text, c->feed, "bye", 0, "{\"reason\":\"%s\"}", c->feed->reason);
    http_stream_add(c, &text);
    buf_fini(&text);
}

/* Writes what there is, as far as the socket takes it.  May close the connection. */
static void
feed(struct connection *c)
{
    bool more = true;
    unsigned rounds = 0;

    c->feed->feeding = true;
    while (more && c->state == HANDLING && !c->out.len && rounds++ < ROUNDS) {
        struct bus_item items[AT_ONCE];
        struct bus_reader_stats left;
        size_t count = bus_reader_take(c->feed->reader, items, AT_ONCE, &left);
        struct buf text = BUF_INIT;

        for (size_t i = 0; i < count; i++) {
            if (items[i].kind == BUS_ITEM_GAP && !items[i].replay) {
                dispatch_tell_relay(c->server->context.dispatcher, RELAY_OVERFLOW, c->feed->reader,
                                    NULL);
            }
            more = add_item(&text, c->feed, &items[i]);
        }
        if (!more) {
            http_stream_add(c, &text);
            connection_end_stream(c, &(struct reply){.status = 200});
        } else if (count) {
            http_stream_write(c, &text);
        }
        more = more && !left.empty; /* What comes from then on wakes us. */
        buf_fini(&text);
    }
    if (c->feed) { /* It has not been closed meanwhile. */
        c->feed->feeding = false;
        if (more && c->state == HANDLING && !c->out.len) {
            http_server_wake(c);
        }
    }
}

void
http_feed_go_on(struct connection *c)
{
    if (c->state == HANDLING && !c->feed->feeding && !c->out.len) {
        feed(c);
    }
}

void
http_feed_drain(struct connection *c)
{
    c->feed->reason = "server_ends";
    say_bye(c);
    connection_end_stream(c, &(struct reply){.status = 200});
}

/* Any thread, with the lock of the bus held; not after the reader is closed. */
static void
wake(void *arg)
{
    http_server_wake(arg);
}

/* ---- Opening ---- */

/* Appends what the query says of 'name'.  E_ARGUMENT if it says so twice. */
static enum err
find_one(const struct http_parser *p, const char *name, struct buf *value, struct fault *f)
{
    unsigned times = http_query_find(http_query(p), name, value);

    return times > 1       ? fault_set(f, E_ARGUMENT, "the query says '%s' twice", name)
           : value->full   ? fault_set(f, E_ARGUMENT, "'%s' is too long", name)
           : value->failed ? fault_set(f, E_OVERLOAD, "there is no memory for '%s' now", name)
                           : E_OK;
}

static enum err
read_patterns(const struct http_parser *p, struct bus_patterns *patterns, struct fault *f)
{
    struct buf list = {.limit = BUS_PATTERNS_MAX * (BUS_TOPIC_MAX + 1)};
    enum err err = find_one(p, "pattern", &list, f);

    for (size_t at = 0; !err && at < list.len;) {
        const char *comma = memchr(list.data + at, ',', list.len - at);
        size_t len = comma ? (size_t)(comma - list.data) - at : list.len - at;

        err = bus_patterns_add(patterns, (struct slice){list.data + at, len}, f);
        at += len + 1;
    }
    buf_fini(&list);
    return err;
}

static enum err
read_last(const struct http_parser *p, unsigned *last, struct fault *f)
{
    struct buf text = {.limit = 20};
    enum err err = find_one(p, "last", &text, f);
    uint64_t number = LAST_DEFAULT;

    if (!err && text.len && (!slice_number(buf_slice(&text), &number) || number > LAST_MAX)) {
        err = fault_set(f, E_ARGUMENT, "'last' is no number of events up to %u", LAST_MAX);
    }
    *last = (unsigned)number;
    buf_fini(&text);
    return err;
}

/* Where the client has been: what its browser remembers, else what the query says. */
static enum err
read_since(const struct http_parser *p, struct http_feed *feed, struct bus_reader_options *o,
           struct fault *f)
{
    struct slice id = http_header(p, HTTP_HEADER_LAST_EVENT_ID);
    struct buf since = {.limit = BUS_ID_SIZE}, epoch = {.limit = BUS_EPOCH_MAX};
    enum err err = find_one(p, "since", &since, f);
    bool known = false;

    err = err ? err : find_one(p, "epoch", &epoch, f);
    id = id.len ? id : buf_slice(&since);
    if (!err && id.len) {
        known = bus_event_read_id(id, feed->epoch, &o->seq);
        if (!known && !slice_number(id, &o->seq)) {
            fault_set(f, E_ARGUMENT, "'since' is neither the id of an event nor its number");
            err = fault_remedy(f, "send what stood behind 'id:' in the last event that you have");
        }
        if (!known && epoch.len) {
            memcpy(feed->epoch, epoch.data, epoch.len);
        }
        o->from = BUS_FROM_SEQ;
        o->epoch = *feed->epoch ? feed->epoch : NULL;
    }
    buf_fini(&since);
    buf_fini(&epoch);
    return err;
}

static enum err
open_feed(struct connection *c, const struct http_parser *p, struct http_feed *feed,
          struct bus_reader_start *start, struct fault *f)
{
    struct bus_patterns patterns = {.count = 0};
    struct bus_reader_options options = {.patterns = &patterns,
                                         .from = BUS_FROM_LAST,
                                         .take_bytes = AT_ONCE_BYTES,
                                         .wake = wake,
                                         .arg = c};
    struct envelope env;
    enum err err = read_patterns(p, &patterns, f);

    err = err ? err : read_last(p, &options.last, f);
    err = err ? err : read_since(p, feed, &options, f);
    if (!err) {
        http_fill_envelope(c, p, &env);
        err = dispatch_read_events(c->server->context.dispatcher, &env, &options, &feed->reader,
                                   start, f);
    }
    if (!err) {
        memcpy(feed->epoch, start->epoch, strlen(start->epoch) + 1);
    }
    bus_patterns_fini(&patterns);
    return err;
}

void
http_events(struct connection *c, const struct http_parser *p)
{
    struct http_feed *feed_new = xcalloc(1, sizeof *feed_new);
    struct bus_reader_start start;
    struct buf text = BUF_INIT;
    struct fault f = FAULT_INIT;

    if (open_feed(c, p, feed_new, &start, &f)) {
        free(feed_new);
        connection_tell_fault(c, &f);
        return;
    }
    c->feed = feed_new;
    dispatch_tell_relay(c->server->context.dispatcher,
                        start.resumed ? RELAY_RESUMED : RELAY_CONNECTED, feed_new->reader, NULL);
    add_welcome(&text, c->feed, &start);
    http_stream_begin(c);
    http_stream_write(c, &text);
    buf_fini(&text);
    if (c->feed) {
        http_feed_go_on(c);
    }
}
