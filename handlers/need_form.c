/* need_form.c -- forms for clients of 2025-06-18, which know less of them.
 *
 * A handler writes a form once, in the words of today.  That revision has defaults of booleans
 * only, one choice whose titles are 'enumNames', and no choice of several.  What can be said in its
 * words is said so; a member that cannot, and may be left empty, is left out.  Pure. */
#include "handlers/need_private.h"

#include "handlers/era.h"
#include "handlers/schema.h"
#include "state/base/json_put.h"

/* One choice with titles, as that revision says it. */
static void
name_choices(json_t *member)
{
    const json_t *choices = json_object_get(member, "oneOf"), *choice;
    json_t *values, *names;
    size_t i;

    if (!choices) {
        return;
    }
    values = json_must(json_array());
    names = json_must(json_array());
    json_array_foreach(choices, i, choice) {
        json_t *title = json_object_get(choice, "title");

        json_add(values, json_incref(json_object_get(choice, "const")));
        json_add(names, json_incref(title ? title : json_object_get(choice, "const")));
    }
    json_put(member, "enum", values);
    json_put(member, "enumNames", names);
    json_object_del(member, "oneOf");
}

/* False if it asks for what cannot be said. */
static bool
narrow(json_t *schema)
{
    json_t *properties = json_object_get(schema, "properties"), *member;
    const char *key;
    void *next;

    json_object_foreach_safe(properties, next, key, member)
    {
        const char *type = json_string_value(json_object_get(member, "type"));

        if (type && strcmp(type, "array") == 0) {
            if (schema_requires(schema, key)) {
                return false;
            }
            json_object_del(properties, key);
            continue;
        }
        if (!type || strcmp(type, "boolean") != 0) {
            json_object_del(member, "default");
        }
        name_choices(member);
    }
    return true;
}

enum err
need_form_fit(const struct request *req, struct need *want, struct fault *f)
{
    if (want->kind != NEED_FORM || era_knows(req, REVISION_2025_11_25) ||
        narrow(json_object_get(want->params, "requestedSchema"))) {
        return E_OK;
    }
    fault_set(f, E_NO_INPUT,
              "this must ask its client for a choice of several, which its version does not know");
    return fault_remedy(f, "use a client of version 2025-11-25 or later");
}
