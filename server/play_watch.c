/* play_watch.c -- hello, and the events that come. */
#include "server/play_watch.h"

#include "transports/ws_client.h"

#include <string.h>

static const char *
type_of(const json_t *frame)
{
    const char *type = json_string_value(json_object_get(frame, "type"));

    return type ? type : "";
}

/* A frame, new; or null with the error.  Frees 'text'. */
static json_t *
parse_frame(enum err err, struct buf *text, struct fault *f)
{
    json_t *frame = err ? NULL : json_loadb(text->data, text->len, 0, NULL);

    if (!err && !frame) {
        fault_set(f, E_IO, "the relay sent what is no JSON");
    }
    buf_fini(text);
    return frame;
}

enum err
play_watch_open(struct play_watcher *w, const struct play *p, const char *pattern, bool *resumed,
                struct fault *f)
{
    const struct ws_client_target target = {
        .host = p->server.host, .port = p->server.port, .path = "/ws", .token = p->server.token};
    char *own = xstrdup(pattern), *hello = follower_hello(&w->follower, NULL, &own, 1);
    struct buf text = BUF_INIT;
    json_t *welcome;
    enum err err = ws_client_open(&target, PLAY_PATIENCE_NS, &w->client, f);

    err = err ? err : ws_client_exchange(w->client, slice_of(hello), PLAY_PATIENCE_NS, &text, f);
    free(hello);
    free(own);
    welcome = parse_frame(err, &text, f);
    if (!err && strcmp(type_of(welcome), "welcome") != 0) {
        err = fault_set(f, E_IO, "the relay answers hello with '%s'", type_of(welcome));
    }
    if (!err) {
        follower_welcomed(&w->follower, welcome);
        *resumed = json_is_true(json_object_get(welcome, "resumed"));
    }
    json_decref(welcome);
    return err;
}

/* Takes the next of those that were told together; null if there is none. */
static json_t *
take_replayed(struct play_watcher *w)
{
    json_t *event = json_incref(json_array_get(w->replayed, 0));

    if (event) {
        json_array_remove(w->replayed, 0);
    }
    return event;
}

/* The event in a frame, new; null with the error. */
static json_t *
take_frame(struct play_watcher *w, const json_t *frame, struct fault *f)
{
    if (strcmp(type_of(frame), "event") == 0) {
        return json_incref(json_object_get(frame, "event"));
    }
    if (strcmp(type_of(frame), "replay") == 0) {
        json_decref(w->replayed);
        w->replayed = json_incref(json_object_get(frame, "events"));
        return take_replayed(w);
    }
    fault_set(f, E_IO, "the relay sent '%s' where an event was to come", type_of(frame));
    return NULL;
}

json_t *
play_watch_next(struct play_watcher *w, struct fault *f)
{
    json_t *event = take_replayed(w), *frame;
    struct buf text = BUF_INIT;

    if (!event) {
        enum err err = ws_client_next(w->client, PLAY_PATIENCE_NS, &text, f);

        frame = parse_frame(err, &text, f);
        event = frame ? take_frame(w, frame, f) : NULL;
        json_decref(frame);
    }
    if (event) {
        follower_told(&w->follower, event);
    }
    return event;
}

void
play_watch_close(struct play_watcher *w)
{
    ws_client_close(w->client);
    json_decref(w->replayed);
    w->client = NULL;
    w->replayed = NULL;
}
