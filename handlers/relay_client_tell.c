/* relay_client_tell.c -- what a client of the relay is told of events: those of the past, many in a
 * frame, then each as it comes. */
#include "handlers/relay_client_private.h"

#include "handlers/events.h"
#include "state/base/json_put.h"

#include <stdio.h>

#define BATCH 64 /* Items taken from the reader at once, and events of a frame of the past. */

void
relay_client_tell_all(struct relay_client *c, const char *topic, json_t *data)
{
    char name[9];

    snprintf(name, sizeof name, "%.8s", relay_card_id(c->card));
    events_tell_relay(state_bus(c->options.dispatcher->state), topic, c->reader, name, data);
}

enum err
relay_client_read(struct relay_client *c, struct bus_reader_options *options,
                  struct bus_reader **reader, struct bus_reader_start *start, struct fault *f)
{
    options->take_bytes = RELAY_ROOM;
    options->wake = c->options.class->wake;
    options->arg = c->options.owner;
    return dispatch_read_events(c->options.dispatcher, &c->env, options, reader, start, f);
}

/* ---- Items ---- */

/* Tells what has been written, and frees it. */
static void
tell(struct relay_client *c, struct buf *frame)
{
    struct slice text = buf_slice(frame);

    if (frame->failed) {
        c->over = "there is no memory for what it is to be told";
    } else {
        c->options.class->tell(c->options.owner, &text, 1);
    }
    buf_fini(frame);
}

/* Tells the events of the past that 'items' begin with; returns how many. */
static size_t
tell_past(struct relay_client *c, const struct bus_item *items, size_t count)
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
        tell(c, &frame);
    }
    return n;
}

static void
tell_event(struct relay_client *c, const struct bus_event *event)
{
    struct slice parts[] = {SLICE(RELAY_EVENT_BEGINS), event->text, SLICE(RELAY_EVENT_ENDS)};
    struct buf frame = BUF_INIT;

    if (c->options.compat) {
        relay_write_compat(&frame, event);
        tell(c, &frame);
    } else {
        c->options.class->tell(c->options.owner, parts, 3);
    }
}

static void
tell_gap(struct relay_client *c, const struct bus_item *item)
{
    struct buf frame = BUF_INIT;
    json_t *data;

    relay_write_gap(&frame, item->from, item->to);
    tell(c, &frame);
    if (!item->replay) {
        data = json_must(json_object());
        json_put_int(data, "from", (int64_t)item->from);
        json_put_int(data, "to", (int64_t)item->to);
        relay_client_tell_all(c, "relay.overflow", data);
    }
}

static void
tell_items(struct relay_client *c, const struct bus_item *items, size_t count)
{
    static const char *const reasons[] = {
        [BUS_OVER_SLOW] = "events were not read fast enough",
        [BUS_OVER_TENANT] = "the tenant is suspended, or there is none any more",
    };

    for (size_t i = 0; i < count && !c->over;) {
        size_t past = c->options.compat ? 0 : tell_past(c, items + i, count - i);

        if (past) {
            i += past;
            continue;
        }
        switch (items[i].kind) {
        case BUS_ITEM_EVENT:
            tell_event(c, items[i].event);
            break;
        case BUS_ITEM_GAP:
            tell_gap(c, &items[i]);
            break;
        case BUS_ITEM_OVER:
            relay_client_leave(c, reasons[items[i].over]);
            break;
        }
        i++;
    }
}

/* Tells the card that so many events were sent, and what is known of the reader since. */
static void
keep_tally(struct relay_client *c, size_t sent, const struct bus_reader_stats *stats)
{
    c->tally.sent = sent;
    c->tally.dropped = stats->dropped - c->tally.dropped;
    c->tally.buffered = stats->waiting;
    relay_tell(relay_client_relay(c), c->card, &c->tally);
    c->tally.dropped = stats->dropped;
}

bool
relay_client_fill(struct relay_client *c)
{
    struct bus_item items[BATCH] NOT_CLEARED;
    struct bus_reader_stats stats;
    bool more = c->reader && !c->over;
    size_t sent = 0;

    while (more && c->options.class->waiting(c->options.owner) < RELAY_ROOM) {
        size_t count = bus_reader_take(c->reader, items, BATCH, &stats);

        if (!c->nothing) {
            tell_items(c, items, count);
        }
        for (size_t i = 0; i < count; i++) {
            sent += items[i].kind == BUS_ITEM_EVENT;
            bus_event_unref(items[i].event);
        }
        more = !stats.empty && !c->over;
    }
    if (sent && c->card) {
        keep_tally(c, sent, &stats);
    }
    return more;
}
