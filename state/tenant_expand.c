/* tenant_expand.c -- variables in the strings of a tenant's settings. */
#include "state/tenant_expand.h"

#include "state/base/json_put.h"
#include "state/settings.h"

struct expansion {
    const struct tenant_variables *variables;
    size_t bytes; /* Of the strings so far. */
    bool too_large, no_memory;
};

/* One "${NAME}" or "${NAME:-default}". */
struct reference {
    struct slice name, otherwise;
    size_t len; /* Of all of it. */
};

static bool
is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!((c >= 'A' && c <= 'Z') || c == '_' || (i > 0 && c >= '0' && c <= '9'))) {
            return false;
        }
    }
    return name.len > 0;
}

/* Reads the reference that begins 'text'; false if it is none. */
static bool
read_reference(struct slice text, struct reference *r)
{
    const char *end =
        text.len > 2 && memcmp(text.data, "${", 2) == 0 ? memchr(text.data, '}', text.len) : NULL;
    struct slice inside;
    const char *colon;

    if (!end) {
        return false;
    }
    inside = (struct slice){text.data + 2, (size_t)(end - text.data) - 2};
    colon = inside.len ? memchr(inside.data, ':', inside.len) : NULL;
    r->name = (struct slice){inside.data, colon ? (size_t)(colon - inside.data) : inside.len};
    r->otherwise = (struct slice){r->name.data + r->name.len, 0};
    r->len = inside.len + 3;
    if (colon) {
        size_t rest = inside.len - r->name.len;

        if (rest < 2 || colon[1] != '-') {
            return false;
        }
        r->otherwise = (struct slice){colon + 2, rest - 2};
    }
    return is_name(r->name);
}

static bool
is_allowed(const char *allow, struct slice name)
{
    struct slice item;

    while (settings_next_item(&allow, &item)) {
        bool prefix = item.data[item.len - 1] == '*';
        size_t len = item.len - prefix;

        if ((prefix ? name.len >= len : name.len == len) &&
            memcmp(name.data, item.data, len) == 0) {
            return true;
        }
    }
    return false;
}

static const char *
look_up(char *const *environment, struct slice name)
{
    for (; environment && *environment; environment++) {
        if (strncmp(*environment, name.data, name.len) == 0 && (*environment)[name.len] == '=') {
            return *environment + name.len + 1;
        }
    }
    return NULL;
}

/* The string with its references replaced, new. */
static json_t *
expand_text(struct expansion *e, struct slice text)
{
    struct buf out = {.limit = TENANT_EXPANDED_MAX - e->bytes};
    json_t *string;

    while (text.len && !out.failed) {
        const char *dollar = memchr(text.data, '$', text.len);
        size_t plain = dollar ? (size_t)(dollar - text.data) : text.len;
        struct reference r = {.len = dollar ? 1 : 0};
        bool found;

        buf_add(&out, text.data, plain);
        text = (struct slice){text.data + plain, text.len - plain};
        found = read_reference(text, &r) && is_allowed(e->variables->allow, r.name);
        if (found) {
            const char *value = look_up(e->variables->environment, r.name);

            buf_add_slice(&out, value ? slice_of(value) : r.otherwise);
        } else {
            r.len = text.len ? 1 : 0; /* The '$' stays, and what is behind it is looked at. */
            buf_add(&out, text.data, r.len);
        }
        text = (struct slice){text.data + r.len, text.len - r.len};
    }
    e->too_large |= out.full;
    e->no_memory |= out.failed && !out.full;
    e->bytes += out.len;
    string = json_text_slice(buf_slice(&out));
    buf_fini(&out);
    return string;
}

static json_t *
expand(struct expansion *e, const json_t *value)
{
    json_t *copy, *item;
    const char *key;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_STRING:
        return expand_text(e, (struct slice){json_string_value(value), json_string_length(value)});
    case JSON_ARRAY:
        copy = json_must(json_array());
        json_array_foreach(value, i, item) {
            json_add(copy, expand(e, item));
        }
        return copy;
    case JSON_OBJECT:
        copy = json_must(json_object());
        json_object_foreach((json_t *)(uintptr_t)value, key, item) {
            json_put(copy, key, expand(e, item));
        }
        return copy;
    default:
        return json_clone(value);
    }
}

enum err
tenant_expand(const json_t *value, const struct tenant_variables *variables, json_t **expanded,
              struct fault *f)
{
    struct expansion e = {.variables = variables};

    *expanded = expand(&e, value);
    if (e.no_memory) {
        json_decref(*expanded);
        *expanded = NULL;
        return fault_set(f, E_OVERLOAD, "there is no memory for its variables now");
    }
    if (e.too_large) {
        json_decref(*expanded);
        *expanded = NULL;
        return fault_set(f, E_TOO_LARGE, "with its variables it is longer than %zu bytes",
                         TENANT_EXPANDED_MAX);
    }
    return E_OK;
}

/* What 'value' is to be instead, new; null if it stays. */
static json_t *
written(const json_t *value, const json_t *stored, const json_t *expanded)
{
    bool back = json_is_string(value) && json_is_string(stored) && json_equal(value, expanded) &&
                !json_equal(stored, expanded);

    return back ? json_clone(stored) : NULL;
}

void
tenant_unexpand(json_t *config, const json_t *stored, const json_t *expanded)
{
    json_t *item, *back;
    const char *key;
    void *next;
    size_t i;

    json_object_foreach_safe(config, next, key, item)
    {
        const json_t *was = json_object_get(stored, key), *is = json_object_get(expanded, key);

        back = written(item, was, is);
        if (back) {
            json_put(config, key, back);
        } else {
            tenant_unexpand(item, was, is);
        }
    }
    json_array_foreach(config, i, item) {
        const json_t *was = json_array_get(stored, i), *is = json_array_get(expanded, i);

        back = written(item, was, is);
        if (back) {
            json_array_set_new(config, i, back); /* It replaces: that cannot fail. */
        } else {
            tenant_unexpand(item, was, is);
        }
    }
}
