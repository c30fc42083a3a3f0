/* content.c -- blocks of content that came with a revision, told to those before it. */
#include "handlers/content.h"

#include "state/base/json_put.h"

static json_t *
audio_as_resource(const json_t *block, size_t number)
{
    char *uri = xasprintf("tandem://content/%zu", number);
    json_t *resource = json_must(json_object()), *fit = json_must(json_object());

    json_put_text(resource, "uri", uri);
    json_put(resource, "mimeType", json_incref(json_object_get(block, "mimeType")));
    json_put(resource, "blob", json_incref(json_object_get(block, "data")));
    json_put_text(fit, "type", "resource");
    json_put(fit, "resource", resource);
    free(uri);
    return fit;
}

static json_t *
link_as_text(const json_t *block)
{
    char *text = xasprintf("%s: %s", json_string_value(json_object_get(block, "name")),
                           json_string_value(json_object_get(block, "uri")));
    json_t *fit = json_must(json_object());

    json_put_text(fit, "type", "text");
    json_put_text(fit, "text", text);
    free(text);
    return fit;
}

void
content_fit(json_t *content, enum revision revision)
{
    size_t i;
    json_t *block;

    json_array_foreach(content, i, block) {
        const char *type = json_string_value(json_object_get(block, "type"));
        json_t *fit = NULL;

        if (revision < REVISION_2025_03_26 && strcmp(type, "audio") == 0) {
            fit = audio_as_resource(block, i);
        } else if (revision < REVISION_2025_06_18 && strcmp(type, "resource_link") == 0) {
            fit = link_as_text(block);
        }
        if (fit && json_array_set_new(content, i, fit)) {
            out_of_memory();
        }
    }
}
