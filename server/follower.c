/* follower.c -- hello, and what comes of it. */
#include "server/follower.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

char *
follower_hello(const struct follower *f, const char *tenant, char *const *patterns, int count)
{
    json_t *hello = json_pack("{s:s, s:s*}", "type", "hello", "tenant", tenant);
    json_t *list = json_array();
    bool good = hello != NULL; /* Not if the tenant is not UTF-8. */
    char *text = NULL;

    for (int i = 0; i < count; i++) {
        good = json_array_append_new(list, json_string(patterns[i])) == 0 && good;
    }
    json_object_set_new(hello, "patterns", list);
    if (f->epoch[0]) {
        json_object_set_new(hello, "client_id", json_string(f->client_id));
        json_object_set_new(hello, "epoch", json_string(f->epoch));
        json_object_set_new(hello, "last_seq", json_integer(f->seq));
    }
    if (good) {
        text = json_dumps(hello, JSON_COMPACT);
    }
    json_decref(hello);
    return text;
}

void
follower_welcomed(struct follower *f, const json_t *welcome)
{
    const char *epoch = text_of(welcome, "epoch");

    if (strcmp(epoch, f->epoch) != 0) { /* Another run of the server: its events begin anew. */
        f->seq = json_integer_value(json_object_get(welcome, "seq"));
    }
    snprintf(f->epoch, sizeof f->epoch, "%s", epoch);
    snprintf(f->client_id, sizeof f->client_id, "%s", text_of(welcome, "client_id"));
}

void
follower_told(struct follower *f, const json_t *event)
{
    f->seq = json_integer_value(json_object_get(event, "seq"));
}
