/* events.c -- between the bus and its clients: tools, resources and plain JSON tell the same. */
#include "handlers/events.h"

#include "handlers/request.h"
#include "handlers/service_resources.h"
#include "state/base/json_put.h"
#include "state/bus_reader.h"
#include "state/relay.h"
#include "state/state.h"

#include <assert.h>

#define RELAY_VIEWS_MAX 32 /* Clients that are told of. */

/* ---- Publishing ---- */

enum err
events_publish(struct request *req, const struct bus_draft *draft, json_t **told, struct fault *f)
{
    struct bus *bus = state_bus(req->state);
    struct bus_draft own = *draft;
    enum published published;
    uint64_t seq = 0;
    char id[BUS_ID_SIZE];
    enum err err = bus_check_topic(slice_of(draft->topic), f);

    if (err) {
        json_decref(draft->data);
        return err;
    }
    own.tenant = req->tenant;
    published = bus_publish_seq(bus, &own, &seq);
    if (published == PUBLISHED_FAILED) {
        return fault_set(f, E_OVERLOAD, "there is no memory for this event now");
    }
    if (told) {
        *told = json_must(json_object());
        json_put_text(*told, "published", published_name(published));
        json_put_text(*told, "topic", draft->topic);
        if (published == PUBLISHED_ACCEPTED) {
            bus_event_write_id(bus_epoch(bus), seq, id);
            json_put_int(*told, "seq", (int64_t)seq);
            json_put_text(*told, "epoch", bus_epoch(bus));
            json_put_text(*told, "id", id);
        }
    }
    return E_OK;
}

enum err
events_read_patterns(const json_t *array, struct bus_patterns *patterns, struct fault *f)
{
    enum err err = E_OK;
    json_t *item;
    size_t i;

    json_array_foreach(array, i, item) {
        struct slice pattern = {json_string_value(item), json_string_length(item)};

        err = bus_patterns_add(patterns, pattern, f);
        if (err) {
            return err;
        }
    }
    return err;
}

void
events_tell_relay(struct bus *bus, const char *topic, struct bus_reader *reader, const char *client,
                  json_t *more)
{
    struct bus_reader_stats stats = bus_reader_stats(reader);
    json_t *data = json_must(json_object());

    json_put_text(data, "client", client);
    json_put_int(data, "sent", (int64_t)stats.taken);
    json_put_int(data, "dropped", (int64_t)stats.dropped);
    if (more) {
        json_object_update(data, more);
        json_decref(more);
    }
    bus_publish(bus, &(struct bus_draft){.topic = topic,
                                         .tenant = bus_reader_tenant(reader),
                                         .source = "relay",
                                         .data = data});
}

/* ---- Telling ---- */

size_t
events_find(struct bus *bus, const struct bus_query *query, unsigned limit,
            struct bus_event **found, size_t *left_out)
{
    size_t first, bytes = 0, count;

    assert(limit <= EVENTS_RECENT_MAX);
    count = bus_recent(bus, query, found, limit);
    for (first = count; first > 0; first--) {
        bytes += found[first - 1]->text.len;
        if (bytes > EVENTS_RECENT_BYTES) {
            break;
        }
    }
    for (size_t i = 0; i < first; i++) {
        bus_event_unref(found[i]);
    }
    *left_out = first;
    memmove(found, found + first, (count - first) * sizeof(struct bus_event *));
    return count - first;
}

json_t *
events_recent(struct request *req, const struct bus_patterns *patterns, unsigned limit)
{
    struct bus *bus = state_bus(req->state);
    struct bus_query query = {.patterns = patterns, .tenant = req->tenant};
    struct bus_event *found[EVENTS_RECENT_MAX];
    json_t *told = json_must(json_object()), *events = json_must(json_array());
    size_t left_out, count = events_find(bus, &query, limit, found, &left_out);

    for (size_t i = 0; i < count; i++) { /* Text of our own, of what was parsed before. */
        json_add(events, json_must(json_loadb(found[i]->text.data, found[i]->text.len,
                                              JSON_ALLOW_NUL, NULL)));
        bus_event_unref(found[i]);
    }
    json_put_int(told, "count", (int64_t)count);
    json_put_int(told, "left_out", (int64_t)left_out);
    json_put_text(told, "epoch", bus_epoch(bus));
    json_put_int(told, "seq", (int64_t)bus_seq(bus));
    json_put(told, "events", events);
    return told;
}

static void
put_time(json_t *object, const char *key, int64_t wall_ns)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format_utc(wall_ns, text);
    json_put_text(object, key, wall_ns ? text : NULL);
}

json_t *
events_stats(struct request *req)
{
    struct bus *bus = state_bus(req->state);
    struct bus_stats s = bus_stats(bus);
    struct bus_patterns filters = {.count = 0};
    json_t *told = json_must(json_object()), *list = json_must(json_array());

    bus_filters(bus, &filters);
    for (unsigned i = 0; i < filters.count; i++) {
        json_add(list, json_text(filters.all[i]));
    }
    bus_patterns_fini(&filters);
    json_put_bool(told, "enabled", s.enabled);
    json_put_text(told, "epoch", bus_epoch(bus));
    json_put_int(told, "seq", (int64_t)s.seq);
    json_put_int(told, "events_published", (int64_t)s.published);
    json_put_int(told, "events_filtered", (int64_t)s.filtered);
    json_put_int(told, "events_disabled", (int64_t)s.disabled);
    json_put_int(told, "events_invalid", (int64_t)s.invalid);
    json_put_int(told, "events_failed", (int64_t)s.failed);
    json_put_int(told, "events_dropped", (int64_t)s.dropped);
    json_put_int(told, "events_truncated", (int64_t)s.truncated);
    put_time(told, "last_event_time", s.last_ns);
    json_put_int(told, "filter_count", s.filters);
    json_put(told, "filters", list);
    json_put_int(told, "history_size", (int64_t)s.history);
    json_put_int(told, "history_bytes", (int64_t)s.history_bytes);
    json_put_int(told, "subscribers", s.subscribers);
    json_put_int(told, "waiting", (int64_t)s.waiting);
    json_put_int(told, "readers", s.readers);
    json_put_int(told, "lock_acquisitions", (int64_t)s.lock_acquisitions);
    json_put_int(told, "lock_waits", (int64_t)s.lock_waits);
    return told;
}

/* One client of the WebSocket relay. */
static json_t *
relay_view_json(const struct relay_view *view)
{
    json_t *told = json_must(json_object());

    json_put_text(told, "client", view->name);
    json_put_bool(told, "connected", view->connected);
    json_put_int(told, "sent", (int64_t)view->tally.sent);
    json_put_int(told, "acked", (int64_t)view->tally.acked);
    json_put_int(told, "buffered", (int64_t)view->tally.buffered);
    json_put_int(told, "dropped", (int64_t)view->tally.dropped);
    json_put_int(told, "reconnects", view->reconnects);
    put_time(told, "last_activity", view->active_ns);
    return told;
}

json_t *
events_relay_status(struct request *req)
{
    struct bus_stats s = bus_stats(state_bus(req->state));
    struct relay_counters counters = relay_counters(state_relay(req->state));
    struct relay_view views[RELAY_VIEWS_MAX];
    size_t count = relay_views(state_relay(req->state), req->tenant, views, RELAY_VIEWS_MAX);
    json_t *told = json_must(json_object()), *list = json_must(json_array());

    for (size_t i = 0; i < count; i++) {
        json_add(list, relay_view_json(&views[i]));
    }
    json_put(told, "websockets", list);
    json_put_int(told, "connections", (int64_t)counters.connections);
    json_put_int(told, "resumed", (int64_t)counters.resumed);
    json_put_int(told, "clients", s.readers);
    json_put_int(told, "clients_refused", (int64_t)s.refused);
    json_put_int(told, "events_relayed", (int64_t)s.read);
    json_put_int(told, "events_dropped", (int64_t)s.unread);
    json_put_int(told, "overflows", (int64_t)s.overflows);
    return told;
}

/* ---- As resources ---- */

enum err
read_recent_events(struct request *req, const struct slice *variables, struct buf *out,
                   struct fault *f)
{
    (void)variables, (void)f;
    return service_resource_tell(E_OK, events_recent(req, NULL, EVENTS_RECENT_MAX), out);
}

enum err
read_event_stats(struct request *req, const struct slice *variables, struct buf *out,
                 struct fault *f)
{
    (void)variables, (void)f;
    return service_resource_tell(E_OK, events_stats(req), out);
}

enum err
read_relay_status(struct request *req, const struct slice *variables, struct buf *out,
                  struct fault *f)
{
    (void)variables, (void)f;
    return service_resource_tell(E_OK, events_relay_status(req), out);
}
