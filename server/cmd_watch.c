/* cmd_watch.c -- "tandem watch": the events of the running server, one line each, as they happen.
 *
 * It is a client of the relay, and comes back to it: when the server ends it waits for the next
 * one, and is told what it missed, or that it cannot be. */
#include "server/follower.h"
#include "server/reach.h"
#include "server/report.h"
#include "state/bus_pattern.h"
#include "transports/ws_client.h"

#include <jansson.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/un.h>

#define SECOND INT64_C(1000000000)
#define OPEN_NS (10 * SECOND)
#define SILENCE_NS (3600 * SECOND) /* Nothing may happen for long; the server's pings go on. */
#define RETRY_FIRST_MS 200
#define RETRY_MOST_MS 5000

enum { OPTION_JSON, OPTION_URL, OPTION_TENANT, OPTION_COUNT };
static const struct command_option own_options[] = {
    [OPTION_JSON] = {"json", NULL, "each event as one line of JSON"},
    [OPTION_URL] = {"url", "URL", "the server to watch, instead of the project's own"},
    [OPTION_TENANT] = {"tenant", "ID", "whose events to see; default: the server's default tenant"},
    [OPTION_COUNT] = {"count", "N", "end after so many events"},
    {NULL, NULL, NULL},
};

struct watching {
    const struct invocation *invocation;
    struct context *context;
    bool as_json;
    unsigned long left; /* Events; ULONG_MAX: no end. */
    bool greeted;       /* It has been in touch with a server. */
    bool ended;         /* All is told, or nobody reads. */
    struct follower follower;
};

/* ---- Printing ---- */

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* "13:05:01.123      42  workflow.started             {...}" */
static void
print_event(struct watching *w, const json_t *event)
{
    const char *time = text_of(event, "timestamp"), *clock = strchr(time, 'T');
    size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);
    char *data;

    if (w->as_json) {
        json_dumpf(event, stdout, flags);
    } else {
        data = json_dumps(json_object_get(event, "data"), flags | JSON_ENCODE_ANY);
        printf("%.12s %7" JSON_INTEGER_FORMAT "  %-28s %s", clock ? clock + 1 : time,
               json_integer_value(json_object_get(event, "seq")), text_of(event, "topic"),
               data ? data : "");
        free(data);
    }
    putchar('\n');
    follower_told(&w->follower, event);
    w->ended = --w->left == 0;
}

static void
print_events(struct watching *w, const json_t *events)
{
    json_t *event;
    size_t i;

    json_array_foreach(events, i, event) {
        if (!w->ended) {
            print_event(w, event);
        }
    }
}

static void
print_gap(struct watching *w, const json_t *frame)
{
    json_int_t from = json_integer_value(json_object_get(frame, "from"));
    json_int_t to = json_integer_value(json_object_get(frame, "to"));

    if (w->as_json) {
        printf("{\"gap\":{\"from\":%" JSON_INTEGER_FORMAT ",\"to\":%" JSON_INTEGER_FORMAT "}}\n",
               from, to);
    } else {
        printf("-- events %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT
               " are not to be had any more\n",
               from, to);
    }
}

/* ---- Talking ---- */

/* Deals with one frame.  E_IO when the server has taken its leave; E_REFUSED for an error. */
static enum err
take_frame(struct watching *w, const json_t *frame, struct fault *f)
{
    const char *type = text_of(frame, "type");

    if (strcmp(type, "welcome") == 0) {
        follower_welcomed(&w->follower, frame);
        w->greeted = true;
    } else if (strcmp(type, "event") == 0) {
        print_event(w, json_object_get(frame, "event"));
    } else if (strcmp(type, "replay") == 0) {
        print_events(w, json_object_get(frame, "events"));
    } else if (strcmp(type, "gap") == 0) {
        print_gap(w, frame);
    } else if (strcmp(type, "error") == 0) {
        fault_set(f, E_REFUSED, "the server refuses: %s", text_of(frame, "message"));
        return fault_remedy(f, "%s", text_of(frame, "remedy"));
    } else if (strcmp(type, "bye") == 0) {
        return fault_set(f, E_IO, "the server takes its leave: %s", text_of(frame, "reason"));
    }
    if (fflush(stdout) != 0) {
        w->ended = true; /* Nobody reads any more. */
    }
    return E_OK;
}

/* Tells what comes, until the connection or the command ends. */
static enum err
follow(struct watching *w, struct ws_client *client, struct fault *f)
{
    const struct invocation *i = w->invocation;
    char *hello = follower_hello(&w->follower, i->values[OPTION_TENANT], i->args, i->arg_count);
    struct buf text = BUF_INIT;
    enum err err = hello ? ws_client_exchange(client, slice_of(hello), OPEN_NS, &text, f)
                         : fault_set(f, E_ARGUMENT, "the patterns are not UTF-8");

    while (!err && !w->ended) {
        json_t *frame = json_loadb(text.data, text.len, JSON_ALLOW_NUL, NULL);

        err = json_is_object(frame) ? take_frame(w, frame, f)
                                    : fault_set(f, E_IO, "what came is no frame of the relay");
        json_decref(frame);
        buf_reset(&text);
        while (!err && !w->ended && !text.len) {
            err = ws_client_next(client, SILENCE_NS, &text, f);
            err = err == E_TIMEOUT ? E_OK : err;
        }
    }
    buf_fini(&text);
    free(hello);
    return err;
}

/* Where the server listens, as libwebsockets takes it. */
static enum err
write_target(const struct reach *reach, char host[128], struct ws_client_target *target,
             struct fault *f)
{
    const struct listen_address *address = &reach->target.address;
    const struct sockaddr *sockaddr = (const struct sockaddr *)&address->sockaddr;
    char port[8] = "0";

    if (sockaddr->sa_family == AF_UNIX) {
        snprintf(host, 128, "+%s", ((const struct sockaddr_un *)sockaddr)->sun_path);
    } else if (getnameinfo(sockaddr, address->len, host, 128, port, sizeof port,
                           NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return fault_set(f, E_ARGUMENT, "the server's address is none");
    }
    *target = (struct ws_client_target){
        .host = host,
        .port = (unsigned)strtoul(port, NULL, 10),
        .path = "/ws",
        .token = reach->token,
    };
    return E_OK;
}

/* Finds the server and follows it. */
static enum err
watch_once(struct watching *w, struct fault *f)
{
    const char *url = w->invocation->values[OPTION_URL];
    struct ws_client_target target;
    struct ws_client *client = NULL;
    struct reach reach;
    char host[128];
    enum err err = reach_find(w->context, url, &reach, f);

    if (!err && !reach.remote) {
        err = fault_set(f, E_NOT_FOUND, "no server runs for this project: %s", reach.absent.text);
        fault_remedy(f, "start one with: tandem serve");
    }
    err = err ? err : write_target(&reach, host, &target, f);
    err = err ? err : ws_client_open(&target, OPEN_NS, &client, f);
    err = err ? err : follow(w, client, f);
    ws_client_close(client);
    reach_fini(&reach);
    return err;
}

/* Until all is told, or the server refuses; one that has ended is waited for. */
static enum err
watch(struct watching *w, struct fault *f)
{
    int wait_ms = RETRY_FIRST_MS;
    bool told = false;
    enum err err;

    for (;;) {
        bool greeted = w->greeted;

        w->greeted = false;
        err = watch_once(w, f);
        if (w->ended || err == E_REFUSED || err == E_ARGUMENT || !(greeted || w->greeted)) {
            return w->ended ? E_OK : err;
        }
        if (w->greeted) { /* It was there: the next one may be soon. */
            wait_ms = RETRY_FIRST_MS;
            told = false;
        }
        if (!told) {
            fprintf(stderr, "tandem: %s; waiting for a server\n", f->text);
            told = true;
        }
        w->greeted = true;
        poll(NULL, 0, wait_ms);
        wait_ms = wait_ms * 2 < RETRY_MOST_MS ? wait_ms * 2 : RETRY_MOST_MS;
    }
}

static int
run(struct invocation *invocation)
{
    const char *count = invocation->values[OPTION_COUNT];
    struct watching w = {.invocation = invocation, .left = ULONG_MAX};
    struct fault f = FAULT_INIT;
    struct context context;
    char *end = NULL;
    enum err err;

    w.as_json = invocation->values[OPTION_JSON] != NULL;
    if (count) {
        w.left = strtoul(count, &end, 10);
    }
    if (count && (*count < '0' || *count > '9' || *end || !w.left)) {
        fprintf(stderr, "tandem: --count '%s' is no number of events\n", count);
        return STATUS_USAGE;
    }
    if (!context_open(invocation, &context)) {
        return STATUS_FAILED;
    }
    w.context = &context;
    err = watch(&w, &f);
    if (err) {
        report_fault(stderr, &f);
    }
    context_close(&context);
    return err ? STATUS_FAILED : STATUS_OK;
}

const struct command command_watch = {
    .name = "watch",
    .usage = "[PATTERN ...]",
    .summary = "print the server's events as they happen, one line each",
    .details =
        "A pattern is a topic, where * stands for one of its words or, at its end, for any that "
        "are left: \"workflow.*\", \"quota.critical\". Without one all events are told, the "
        "last 50 first. When the server ends, the next one is waited for; what was missed "
        "meanwhile is told then, or that it cannot be.",
    .options = own_options,
    .most_args = BUS_PATTERNS_MAX,
    .run = run,
};
