/* need_answer.c -- what a good answer of a client is.
 *
 * An answer comes from outside: it may be anything.  What passes here fits what was asked for, and
 * holds nothing else where a schema says what was asked for.  Pure. */
#include "handlers/need_private.h"

#include "handlers/schema.h"
#include "state/base/json_put.h"

#define ROOTS_MAX 1000u

/* Takes out of a form what it did not ask for, and what was left empty. */
static void
strip(const json_t *schema, json_t *content)
{
    const json_t *properties = json_object_get(schema, "properties");
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(content, next, key, value)
    {
        if (!json_object_get(properties, key) ||
            (json_is_null(value) && !schema_requires(schema, key))) {
            json_object_del(content, key);
        }
    }
}

/* What a person did with a form or a page; for a form, its content. */
static enum err
check_elicited(enum need_kind kind, const json_t *params, json_t *answer, struct fault *f)
{
    const char *action = json_string_value(json_object_get(answer, "action"));
    const json_t *schema = json_object_get(params, "requestedSchema");
    json_t *content = json_object_get(answer, "content");

    if (!action || (strcmp(action, "accept") != 0 && strcmp(action, "decline") != 0 &&
                    strcmp(action, "cancel") != 0)) {
        return fault_set(f, E_ARGUMENT, "its action is none of accept, decline and cancel");
    }
    if (kind != NEED_FORM || *action != 'a') {
        json_object_del(answer, "content");
        return E_OK;
    }
    if (!content) {
        content = json_object();
        json_put(answer, "content", json_must(content));
    }
    if (!json_is_object(content)) {
        return fault_set(f, E_ARGUMENT, "its content is no object");
    }
    strip(schema, content);
    return schema_validate(schema, content, "content", f);
}

static enum err
check_sampled(const json_t *answer, struct fault *f)
{
    const json_t *content = json_object_get(answer, "content");
    const char *role = json_string_value(json_object_get(answer, "role"));
    size_t count = json_is_array(content) ? json_array_size(content) : 1;

    if (!role || (strcmp(role, "assistant") != 0 && strcmp(role, "user") != 0)) {
        return fault_set(f, E_ARGUMENT, "its role is neither assistant nor user");
    }
    if (!json_is_string(json_object_get(answer, "model"))) {
        return fault_set(f, E_ARGUMENT, "its model is missing, or no string");
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *block = json_is_array(content) ? json_array_get(content, i) : content;
        const char *type = json_string_value(json_object_get(block, "type"));

        if (!type ||
            (strcmp(type, "text") == 0 && !json_is_string(json_object_get(block, "text")))) {
            return fault_set(f, E_ARGUMENT, "its content holds what is no content block");
        }
    }
    return E_OK;
}

static enum err
check_roots(const json_t *answer, struct fault *f)
{
    const json_t *roots = json_object_get(answer, "roots"), *root;
    size_t i;

    if (!json_is_array(roots) || json_array_size(roots) > ROOTS_MAX) {
        return fault_set(f, E_ARGUMENT, "its roots are missing, no array, or more than %u",
                         ROOTS_MAX);
    }
    json_array_foreach(roots, i, root) {
        const char *uri = json_string_value(json_object_get(root, "uri"));

        if (!uri || strncmp(uri, "file://", 7) != 0) {
            return fault_set(f, E_ARGUMENT, "root %zu of it has no URI that begins with file://",
                             i);
        }
    }
    return E_OK;
}

enum err
need_check(enum need_kind kind, const json_t *params, json_t *answer, struct fault *f)
{
    if (!json_is_object(answer)) {
        return fault_set(f, E_ARGUMENT, "it is no object");
    }
    if (json_size(answer) > NEED_ANSWER_MAX) {
        return fault_set(f, E_ARGUMENT, "it is longer than %zu bytes", NEED_ANSWER_MAX);
    }
    if (kind == NEED_SAMPLING) {
        return check_sampled(answer, f);
    }
    return kind == NEED_ROOTS ? check_roots(answer, f) : check_elicited(kind, params, answer, f);
}
