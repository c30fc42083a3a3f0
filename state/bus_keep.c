/* bus_keep.c -- two jobs of the keeper, and a subscriber that marks what has changed.
 *
 * DESIGN.  What every event changes, the events themselves, is known from their number: the job
 * that tells is stirred by whoever publishes, and compares.  What only some change is a row of
 * EVENT_RESOURCES: their callback marks it, and the same job tells. */
#include "state/bus_keep.h"

#include "state/base/json_put.h"
#include "state/base/log.h"
#include "state/bus_subscribe.h"
#include "state/uri.h"

#include <stdatomic.h>

LOG_MODULE("bus");

/* Events that change what a resource tells; {tenant} is the event's, and another name in braces a
 * member of its data. */
#define EVENT_RESOURCES(ROW)                                \
    ROW("config.changed", URI_CONFIG)                       \
    ROW("failure.cleared", URI_FAILURES)                    \
    ROW("failure.detected", URI_FAILURES)                   \
    ROW("failure.fixed", URI_FAILURES)                      \
    ROW("failure.learning", URI_LEARNINGS "{target}")       \
    ROW("helpdesk.loading", URI_HELPDESK "status")          \
    ROW("helpdesk.ready", URI_HELPDESK "status")            \
    ROW("helpdesk.failed", URI_HELPDESK "status")           \
    ROW("helpdesk.reloaded", URI_HELPDESK "status")         \
    ROW("quota.**", URI_QUOTA "summary")                    \
    ROW("relay.**", URI_RELAY "status")                     \
    ROW("session.**", URI_SESSION "current")                \
    ROW("session.ended", URI_SESSION "{session_id}/resume") \
    ROW("tenant.invalidated", URI_TENANT "{tenant}/config")

static const struct row {
    const char *pattern, *uri;
} rows[] = {
#define ROW(PATTERN, URI) {PATTERN, URI},
    EVENT_RESOURCES(ROW)
#undef ROW
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

struct bus_keep {
    struct bus_keep_options options;
    struct keeper_job *beating, *telling;
    uint64_t subscription;
    struct bus_patterns patterns; /* Of all rows. */
    uint64_t told;                /* Events up to here have been told of.  The keeper's own. */
    _Atomic bool changed[ROW_COUNT];
};

/* ---- The heartbeat ---- */

void
bus_keep_beat(struct bus_keep *k)
{
    struct bus *bus = k->options.bus;
    struct bus_stats s = bus_stats(bus);
    json_t *data = json_must(json_object());

    json_put_int(data, "uptime_seconds",
                 (clock_mono(k->options.clock) - k->options.started_mono) / 1000000000);
    json_put_int(data, "clients", s.readers);
    json_put_int(data, "events_published", (int64_t)s.published);
    json_put_int(data, "events_relayed", (int64_t)s.read);
    json_put_int(data, "events_dropped", (int64_t)(s.dropped + s.unread));
    bus_publish(bus, &(struct bus_draft){.topic = "system.heartbeat", .data = data});
}

static bool
beat(void *arg)
{
    bus_keep_beat(arg);
    return true;
}

/* ---- Resources ---- */

/* The URI of a row whose template names what the event is about, new; null if it does not. */
static char *
uri_of(const char *template, const struct bus_event *event)
{
    const char *open = strchr(template, '{'), *close = strchr(open, '}');
    char *name = xstrndup(open + 1, (size_t)(close - open - 1));
    bool of_tenant = strcmp(name, "tenant") == 0;
    json_t *data = of_tenant ? NULL : json_loadb(event->data.data, event->data.len, 0, NULL);
    const char *value = of_tenant ? event->tenant : json_string_value(json_object_get(data, name));
    struct buf uri = BUF_INIT;

    if (value) {
        buf_add_slice(&uri, (struct slice){template, (size_t)(open - template)});
        uri_add_path(&uri, slice_of(value));
        buf_adds(&uri, close + 1);
    }
    json_decref(data);
    free(name);
    return value ? buf_steal(&uri) : NULL;
}

/* At once: these change by hand, and whoever listens is told at most ten times a second
 * (changes.h). */
static void
tell_at_once(struct bus_keep *k, const char *template, const struct bus_event *event)
{
    char *uri = uri_of(template, event);

    if (uri) {
        changes_publish_resource(k->options.changes, uri);
    }
    free(uri);
}

static enum err
mark(void *arg, const struct bus_event *event)
{
    struct bus_keep *k = arg;

    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (!bus_pattern_matches(slice_of(rows[i].pattern), event->topic)) {
            continue;
        }
        if (strchr(rows[i].uri, '{')) {
            tell_at_once(k, rows[i].uri, event);
        } else {
            atomic_store(&k->changed[i], true);
        }
    }
    keeper_stir(k->telling);
    return E_OK;
}

/* Whether any row of this resource is marked; from here on none is. */
static bool
take_marks(struct bus_keep *k, const char *uri)
{
    bool marked = false;

    for (size_t i = 0; i < ROW_COUNT; i++) {
        marked |= strcmp(rows[i].uri, uri) == 0 && atomic_exchange(&k->changed[i], false);
    }
    return marked;
}

static bool
tell(void *arg)
{
    struct bus_keep *k = arg;
    struct changes *changes = k->options.changes;
    bool news = bus_seq(k->options.bus) != k->told;

    if (news) {
        k->told = bus_seq(k->options.bus);
        changes_publish_resource(changes, URI_EVENTS "recent");
        changes_publish_resource(changes, URI_EVENTS "stats");
    }
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (take_marks(k, rows[i].uri)) {
            changes_publish_resource(changes, rows[i].uri);
            news = true;
        }
    }
    return news; /* A second without any: it rests. */
}

/* ---- Its life ---- */

struct bus_keep *
bus_keep_start(const struct bus_keep_options *options)
{
    struct bus_keep *k = xcalloc(1, sizeof *k);
    struct fault f = FAULT_INIT;
    enum err err = E_OK;

    k->options = *options;
    for (size_t i = 0; !err && i < ROW_COUNT; i++) {
        err = bus_patterns_add(&k->patterns, slice_of(rows[i].pattern), &f);
    }
    k->telling = keeper_every(options->keeper, options->tell_ms, tell, k);
    k->beating = keeper_every(options->keeper, options->heartbeat_ms, beat, k);
    err = err ? err : bus_subscribe(options->bus, &k->patterns, mark, k, &k->subscription, &f);
    if (err) {
        log_warn("changes of services are not told of as changes of resources",
                 F_STR("why", f.text));
    }
    bus_stirs(options->bus, k->telling);
    return k;
}

void
bus_keep_stop(struct bus_keep *k)
{
    if (k) {
        bus_stirs(k->options.bus, NULL);
        bus_unsubscribe(k->options.bus, k->subscription);
        keeper_drop(k->beating);
        keeper_drop(k->telling);
        bus_patterns_fini(&k->patterns);
        free(k);
    }
}
