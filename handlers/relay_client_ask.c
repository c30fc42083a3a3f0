/* relay_client_ask.c -- what a client of the relay asks for: other patterns, and the past. */
#include "handlers/relay_client_private.h"

#include "handlers/events.h"

static void
send_subscribed(struct relay_client *c)
{
    struct buf frame = BUF_INIT;

    bus_reader_choose(c->reader, &c->patterns);
    relay_write_subscribed(&frame, &c->patterns);
    relay_client_send(c, &frame);
}

enum err
relay_take_subscribe(struct relay_client *c, const json_t *said, struct fault *f)
{
    enum err err = relay_said_patterns(said, &c->patterns, f);

    if (c->patterns.count) {
        c->nothing = false;
        send_subscribed(c);
    }
    return err;
}

enum err
relay_take_unsubscribe(struct relay_client *c, const json_t *said, struct fault *f)
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

enum err
relay_take_ack(struct relay_client *c, const json_t *said, struct fault *f)
{
    if (!relay_said_number(said, "seq", &c->tally.acked)) {
        return fault_set(f, E_ARGUMENT, "'seq' is no number of an event");
    }
    c->tally.buffered = bus_reader_stats(c->reader).waiting;
    relay_tell(relay_client_relay(c), c->card,
               &(struct relay_tally){.acked = c->tally.acked, .buffered = c->tally.buffered});
    return E_OK;
}

/* What of the past is asked for; what is not said stays as it is.  E_ARGUMENT. */
static enum err
read_query(const json_t *said, struct bus_query *query, unsigned *limit, struct fault *f)
{
    uint64_t number = *limit;

    if (json_object_get(said, "limit") &&
        (!relay_said_number(said, "limit", &number) || number == 0 || number > EVENTS_RECENT_MAX)) {
        return fault_set(f, E_ARGUMENT, "'limit' is not 1 to %u", EVENTS_RECENT_MAX);
    }
    *limit = (unsigned)number;
    if (json_object_get(said, "before") &&
        (!relay_said_number(said, "before", &query->before) || query->before == 0)) {
        return fault_set(f, E_ARGUMENT, "'before' is no number of an event");
    }
    return E_OK;
}

/* The same that its own reader may see, and no more. */
enum err
relay_take_get_history(struct relay_client *c, const json_t *said, struct fault *f)
{
    struct bus_patterns patterns = {.count = 0};
    struct bus_query query = {
        .patterns = &patterns, .tenant = bus_reader_tenant(c->reader), .outside = true};
    struct bus_event *events[EVENTS_RECENT_MAX];
    struct buf frame = BUF_INIT;
    size_t count, left_out;
    unsigned limit = RELAY_HISTORY_FIRST;
    enum err err = relay_said_patterns(said, &patterns, f);

    err = err ? err : read_query(said, &query, &limit, f);
    if (!err) {
        count =
            events_find(state_bus(c->options.dispatcher->state), &query, limit, events, &left_out);
        relay_write_history(&frame, events, count, left_out);
        relay_client_send(c, &frame);
        for (size_t i = 0; i < count; i++) {
            bus_event_unref(events[i]);
        }
    }
    bus_patterns_fini(&patterns);
    return err;
}

enum err
relay_take_request_replay(struct relay_client *c, const json_t *said, struct fault *f)
{
    struct bus_reader_start start;
    uint64_t seq;

    if (!relay_said_number(said, "last_seq", &seq)) {
        return fault_set(f, E_ARGUMENT, "'last_seq' is no number of an event");
    }
    bus_reader_rewind(c->reader, seq, &start);
    c->complete = start.complete;
    return E_OK;
}
