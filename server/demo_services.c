/* demo_services.c -- the steps of the services: standards, events that were missed, quotas. */
#include "server/demo.h"

#include <string.h>

bool
demo_search(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *answer, *first;
    bool good;

    demo_begin(d);
    answer = play_second_tool(&d->play, "search_standards",
                              json_pack("{s:s}", "query", "how do I reproduce a bug first"), &f);
    first = json_array_get(json_object_get(answer, "results"), 0);
    good = strcmp(demo_text(first, "file"), "testing/reproducing-bugs.md") == 0;
    good =
        good ? demo_held(d, "agent B", "asks the standards: %s, line %d", demo_text(first, "file"),
                         (int)json_integer_value(json_object_get(first, "line")))
             : demo_failed("search_standards", answer, &f);
    json_decref(answer);
    return good;
}

/* ---- Events ---- */

#define WATCHED "build.*"

/* Whether the server took an event, by its answer, which is stolen; its number goes to '*seq'. */
static bool
published(json_t *answer, json_int_t *seq, const struct fault *f)
{
    bool good = strcmp(demo_text(answer, "published"), "accepted") == 0;

    *seq = json_integer_value(json_object_get(answer, "seq"));
    if (!good) {
        demo_failed("publish_event", answer, f);
    }
    json_decref(answer);
    return good;
}

static bool
agent_publishes(struct demo *d, const char *topic, json_int_t *seq)
{
    struct fault f = FAULT_INIT;
    json_t *args = json_pack("{s:s, s:{s:s}}", "topic", topic, "data", "by", "agent A");

    return published(play_agent_tool(&d->play, "publish_event", args, &f), seq, &f);
}

static bool
ide_publishes(struct demo *d, const char *topic, json_int_t *seq)
{
    struct fault f = FAULT_INIT;
    json_t *args = json_pack("{s:s, s:{s:s}}", "topic", topic, "data", "by", "the IDE");

    return published(play_ide_tool(&d->play, "publish_event", args, &f), seq, &f);
}

/* Whether the next that the watcher is told is this event, and no other. */
static bool
next_is(struct demo *d, const char *topic, json_int_t seq)
{
    struct fault f = FAULT_INIT;
    json_t *event = play_watch_next(&d->watcher, &f);
    bool good = strcmp(demo_text(event, "topic"), topic) == 0 &&
                json_integer_value(json_object_get(event, "seq")) == seq;

    if (!good) {
        demo_failed("the next event is another one", event, &f);
    }
    json_decref(event);
    return good;
}

bool
demo_event_live(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_int_t seq;
    bool resumed;

    demo_begin(d);
    if (play_watch_open(&d->watcher, &d->play, WATCHED, &resumed, &f)) {
        return demo_failed("the relay", NULL, &f);
    }
    return agent_publishes(d, "build.started", &seq) && next_is(d, "build.started", seq) &&
           demo_held(d, "agents A, B",
                     "B watches " WATCHED " and is told what A publishes: event %d", (int)seq);
}

/* What happens while nobody watches is not lost, nor told twice, nor out of order. */
bool
demo_events_missed(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_int_t tested, other, finished, live;
    bool resumed, good;

    demo_begin(d);
    play_watch_close(&d->watcher);
    good = agent_publishes(d, "build.tested", &tested) && ide_publishes(d, "lunch.ready", &other) &&
           ide_publishes(d, "build.finished", &finished);
    if (good && play_watch_open(&d->watcher, &d->play, WATCHED, &resumed, &f)) {
        return demo_failed("coming back to the relay", NULL, &f);
    }
    if (good && !resumed) {
        return demo_failed("the relay does not know where agent B was", NULL, &f);
    }
    return good && agent_publishes(d, "build.shipped", &live) &&
           next_is(d, "build.tested", tested) && next_is(d, "build.finished", finished) &&
           next_is(d, "build.shipped", live) &&
           demo_held(d, "agent B",
                     "was away, comes back: told the 2 it missed, %d and %d, and goes on",
                     (int)tested, (int)finished);
}

/* ---- Quotas ---- */

/* The example's config.json allows this service 500 a month; from 80 % on, only urgent calls. */
#define SERVICE "tiingo"
#define LIMIT 500
#define CRITICAL 400
#define AT_ONCE 50

static json_t *
acquisition(const char *priority)
{
    return json_pack("{s:s, s:i, s:s}", "service", SERVICE, "count", AT_ONCE, "priority", priority);
}

static int
number_of(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}

static bool
is_refusal(const json_t *answer)
{
    return strcmp(demo_text(answer, "code"), "quota_exhausted") == 0;
}

bool
demo_quota_shared(struct demo *d)
{
    int yes = 0, no = 0;
    bool good = true;

    demo_begin(d);
    while (good && no < 2) { /* Until both are refused. */
        struct demo_agent agents[2] = {{.args = acquisition("normal")},
                                       {.args = acquisition("normal")}};

        demo_both(d, "acquire_quota", agents);
        no = 0;
        for (int i = 0; i < 2; i++) {
            bool allowed = json_is_true(json_object_get(agents[i].answer, "allowed"));

            yes += allowed;
            no += is_refusal(agents[i].answer);
            good = good && (allowed || is_refusal(agents[i].answer)) && yes * AT_ONCE <= LIMIT;
        }
        if (!good || (no == 2 && yes * AT_ONCE != CRITICAL)) {
            good = demo_failed("acquire_quota", agents[1].answer, &agents[1].fault);
        }
        demo_both_fini(agents);
    }
    return good &&
           demo_held(d, "agents A, B",
                     "take %d units of " SERVICE " each at once: %d of %d, no more, no fewer",
                     AT_ONCE, yes * AT_ONCE, LIMIT);
}

bool
demo_quota_refused(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *urgent, *refused, *summary, *first;
    bool good;

    demo_begin(d);
    refused = play_ide_tool(&d->play, "acquire_quota", acquisition("normal"), &f);
    urgent = play_ide_tool(&d->play, "acquire_quota", acquisition("high"), &f);
    summary = play_ide_tool(&d->play, "get_quota_summary", json_object(), &f);
    first = json_array_get(json_object_get(summary, "services"), 0);
    good = is_refusal(refused) && json_is_true(json_object_get(urgent, "allowed")) &&
           number_of(first, "used") == CRITICAL + AT_ONCE && number_of(first, "limit") == LIMIT;
    good = good ? demo_held(d, "IDE",
                            "is refused as they are, but for what is urgent: %d left until %.10s",
                            number_of(first, "remaining"), demo_text(first, "reset_at"))
                : demo_failed("quotas", refused ? refused : summary, &f);
    json_decref(refused);
    json_decref(urgent);
    json_decref(summary);
    return good;
}

/* ---- The server ---- */

bool
demo_counters(struct demo *d)
{
    struct fault f = FAULT_INIT;
    json_t *answer, *cache;
    bool good;

    demo_begin(d);
    answer = play_ide_tool(&d->play, "get_server_info", json_object(), &f);
    cache = json_object_get(json_object_get(answer, "caches"), "workflow_sessions");
    good = json_is_object(cache) && strcmp(demo_text(json_object_get(answer, "server"), "instance"),
                                           d->play.server.instance) == 0;
    good = good ? demo_held(d, "IDE", "asks the server: %d hits, %d misses, %d lock waits",
                            (int)json_integer_value(json_object_get(cache, "hits")),
                            (int)json_integer_value(json_object_get(cache, "misses")),
                            (int)json_integer_value(json_object_get(cache, "lock_waits")))
                : demo_failed("get_server_info", answer, &f);
    json_decref(answer);
    return good;
}
