/* tenant_mask.c -- secrets in a tenant's settings. */
#include "state/tenant_mask.h"

#include "state/base/json_put.h"

#include <strings.h>

bool
tenant_key_is_secret(const char *key)
{
    static const char *const words[] = {"key", "password", "secret", "token"};
    size_t len = strlen(key);

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = strlen(words[i]);

        if (len >= n && strcasecmp(key + len - n, words[i]) == 0 &&
            (len == n || key[len - n - 1] == '_' || key[len - n - 1] == '-')) {
            return true;
        }
    }
    return strcasecmp(key, "apikey") == 0;
}

json_t *
tenant_mask(const json_t *config)
{
    json_t *copy, *item;
    const char *key;
    size_t i;

    if (json_is_object(config)) {
        copy = json_must(json_object());
        json_object_foreach((json_t *)(uintptr_t)config, key, item) {
            json_put(copy, key,
                     tenant_key_is_secret(key) && !json_is_null(item) ? json_text(TENANT_MASKED)
                                                                      : tenant_mask(item));
        }
        return copy;
    }
    if (json_is_array(config)) {
        copy = json_must(json_array());
        json_array_foreach(config, i, item) {
            json_add(copy, tenant_mask(item));
        }
        return copy;
    }
    return json_clone(config);
}

static bool
is_masked(const json_t *value)
{
    return json_is_string(value) && strcmp(json_string_value(value), TENANT_MASKED) == 0;
}

void
tenant_unmask(json_t *config, const json_t *stored)
{
    const char *key;
    json_t *item;
    void *next;
    size_t i;

    json_object_foreach_safe(config, next, key, item)
    {
        const json_t *old = json_object_get(stored, key);

        if (!tenant_key_is_secret(key) || !is_masked(item)) {
            tenant_unmask(item, old);
        } else if (old) {
            json_put(config, key, json_clone(old));
        } else {
            json_object_del(config, key);
        }
    }
    json_array_foreach(config, i, item) {
        tenant_unmask(item, json_array_get(stored, i));
    }
}

/* Overwrites all strings in a secret. */
static void
wipe_all(json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_string(value)) {
        explicit_bzero((void *)(uintptr_t)json_string_value(value), json_string_length(value));
    }
    json_object_foreach(value, key, item) {
        wipe_all(item);
    }
    json_array_foreach(value, i, item) {
        wipe_all(item);
    }
}

void
tenant_wipe(json_t *config)
{
    const char *key;
    json_t *item;
    size_t i;

    json_object_foreach(config, key, item) {
        if (tenant_key_is_secret(key)) {
            wipe_all(item);
        } else {
            tenant_wipe(item);
        }
    }
    json_array_foreach(config, i, item) {
        tenant_wipe(item);
    }
}
