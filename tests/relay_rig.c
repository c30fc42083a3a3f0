/* relay_rig.c -- see relay_rig.h. */
#include "tests/relay_rig.h"

#include "tests/check.h"
#include "tests/ws_client.h"

struct http_rig relay_rig;

int
relay_rig_start(void **state)
{
    (void)state;
    http_rig_init(&relay_rig, NULL);
    return 0;
}

int
relay_rig_stop(void **state)
{
    (void)state;
    http_rig_fini(&relay_rig);
    return 0;
}

void
relay_rig_connect(struct client *c, const char *path)
{
    client_open(c, relay_rig.port);
    CHECK_INT(ws_shake_at(c, path, "", NULL), 101);
}

json_t *
relay_rig_next(struct client *c)
{
    char *text = ws_message(c, SECONDS, NULL);
    json_t *frame = text ? json_loads(text, 0, NULL) : NULL;

    free(text);
    return frame;
}

const char *
relay_rig_type(const json_t *frame)
{
    const char *type = json_string_value(json_object_get(frame, "type"));

    return type ? type : "";
}

json_t *
relay_rig_expect(struct client *c, const char *type)
{
    json_t *frame = relay_rig_next(c);
    const char *topic;

    while (frame && strcmp(type, relay_rig_type(frame)) != 0 &&
           strcmp(relay_rig_type(frame), "event") == 0) {
        topic = json_string_value(json_object_get(json_object_get(frame, "event"), "topic"));
        CHECK(strncmp(topic, "relay.", 6) == 0);
        json_decref(frame);
        frame = relay_rig_next(c);
    }
    CHECK_STR(relay_rig_type(frame), type);
    return frame;
}

void
relay_rig_expect_error(struct client *c, const char *code)
{
    json_t *frame = relay_rig_expect(c, "error");

    CHECK_STR(json_string_value(json_object_get(frame, "code")), code);
    json_decref(frame);
}

void
relay_rig_expect_bye(struct client *c, unsigned code)
{
    unsigned closed = 0;
    json_t *frame = relay_rig_expect(c, "bye");

    json_decref(frame);
    CHECK(ws_message(c, SECONDS, &closed) == NULL);
    CHECK_INT(closed, code);
}

json_t *
relay_rig_greet(struct client *c, const char *hello)
{
    relay_rig_connect(c, "/ws");
    CHECK(ws_text(c, hello));
    return relay_rig_expect(c, "welcome");
}

void
relay_rig_publish(const char *topic, const char *tenant, int n)
{
    CHECK_INT(bus_publish(relay_rig.bus, &(struct bus_draft){.topic = topic,
                                                             .tenant = tenant,
                                                             .data = json_pack("{s:i}", "n", n)}),
              PUBLISHED_ACCEPTED);
}

int64_t
relay_rig_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

int64_t
relay_rig_n(const json_t *event)
{
    return relay_rig_number(json_object_get(event, "data"), "n");
}

void
relay_rig_publish_large(const char *topic, int count)
{
    char *big = calloc(1, 60001);

    memset(big, 'x', 60000);
    for (int i = 1; i <= count; i++) {
        CHECK_INT(bus_publish(relay_rig.bus, &(struct bus_draft){.topic = topic,
                                                                 .data = json_pack("{s:i,s:s}", "n",
                                                                                   i, "x", big)}),
                  PUBLISHED_ACCEPTED);
    }
    free(big);
}
