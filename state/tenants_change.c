/* tenants_change.c -- a tenant's file is written; the files there are. */
#include "state/tenants_private.h"

#include "state/base/json_put.h"
#include "state/tenant_config.h"
#include "state/tenant_expand.h"
#include "state/tenant_id.h"
#include "state/tenant_mask.h"

#include <stdio.h>

/* ---- Changes ---- */

static enum err
check_version(const struct tenant_change *change, const char *version, struct fault *f)
{
    if (!change->if_version || strcmp(change->if_version, version) == 0) {
        return E_OK;
    }
    fault_set(f, E_CONFLICT, "the settings of tenant '%s' have version %s, not %.40s", change->id,
              version, change->if_version);
    return fault_remedy(f, "read them again, and make the change in what is there now");
}

/* Of _meta only the status is anybody's to set. */
static void
keep_status(json_t *config)
{
    json_t *status = json_object_get(json_object_get(config, "_meta"), "status"), *meta;

    if (!status) {
        json_object_del(config, "_meta");
        return;
    }
    json_incref(status);
    meta = json_must(json_object());
    json_put(meta, "status", status);
    json_put(config, "_meta", meta);
}

/* Puts back what callers are not shown, secrets and names of variables. */
static void
restore(const struct tenants *t, json_t *config, const json_t *stored)
{
    const struct tenant_variables variables = {t->options.environment, t->options.env_allow};
    json_t *expanded = NULL;

    tenant_unmask(config, stored);
    if (stored && tenant_expand(stored, &variables, &expanded, NULL) == E_OK) {
        tenant_unexpand(config, stored, expanded);
    }
    tenant_wipe(expanded);
    json_decref(expanded);
}

/* What the file is to hold; 'stored' may be null, and is stolen. */
static json_t *
apply(const struct tenants *t, const struct tenant_change *change, json_t *stored)
{
    json_t *config = json_clone(change->config), *merged;

    restore(t, config, stored);
    if (change->merge) {
        merged = stored ? stored : json_must(json_object());
        tenant_config_merge(merged, config);
        json_decref(config);
        config = merged;
    } else {
        json_decref(stored);
    }
    if (json_is_object(json_object_get(config, "client")) &&
        !json_object_get(json_object_get(config, "client"), "id")) {
        json_put_text(json_own(config, "client", json_must(json_object())), "id", change->id);
    }
    keep_status(config);
    return config;
}

/* Checks the settings as they would be read back, and writes them. */
static enum err
write_config(const struct tenants *t, const char *id, const json_t *config,
             char version[TENANT_VERSION_SIZE], struct fault *f)
{
    char *text = json_dumps(config, JSON_INDENT(2)), name[TENANTS_NAME_SIZE];
    struct slice bytes = slice_of(text);
    struct dir *folder = NULL;
    json_t *checked = NULL;
    enum err err = E_OK;

    if (!text) {
        return fault_set(f, E_OVERLOAD, "there is no memory for these settings now");
    }
    if (bytes.len > TENANT_FILE_MAX) {
        err = fault_set(f, E_TOO_LARGE, "the settings of a tenant have at most %zu bytes",
                        TENANT_FILE_MAX);
    }
    tenants_name(id, name);
    err = err ? err : tenant_config_parse(bytes, id, name, NULL, &checked, f);
    err = err ? err : tenants_version(bytes, version, f);
    err = err ? err : dir_sub(t->options.data, TENANTS_FOLDER, true, &folder, f);
    err = err ? err : dir_write(folder, name + sizeof TENANTS_FOLDER, bytes, f);
    json_decref(checked);
    dir_unref(folder);
    explicit_bzero(text, bytes.len);
    free(text);
    return err;
}

enum err
tenants_change(struct tenants *t, const struct tenant_change *change,
               char version[TENANT_VERSION_SIZE], struct fault *f)
{
    struct file_identity identity;
    json_t *config = NULL;
    enum err err;

    LOCK(TENANT_SAVE, &t->save);
    snprintf(version, TENANT_VERSION_SIZE, "%s", TENANT_VERSION_NONE);
    err = tenants_load(t, change->id, true, &identity, version, &config, f);
    if (err == E_NOT_FOUND || (err == E_REFUSED && !change->merge)) {
        err = E_OK; /* A new one; or one that is to be replaced, whatever is in it. */
    }
    err = err ? err : check_version(change, version, f);
    if (!err) {
        config = apply(t, change, config);
        err = write_config(t, change->id, config, version, f);
    }
    tenant_wipe(config);
    json_decref(config);
    UNLOCK(TENANT_SAVE, &t->save);
    if (!err) {
        tenants_forget(t, change->id);
    }
    return err;
}

/* ---- The files there are ---- */

/* Whether a tenant can be served.  What is in the table is asked first. */
static bool
is_active(struct tenants *t, const char *id)
{
    struct tenant_pin pin;
    struct file_identity identity;
    char version[TENANT_VERSION_SIZE];
    json_t *config = NULL;
    bool active;

    if (tenants_peek(t, id, false, &pin)) {
        active = tenant_admits(pin.tenant, NULL) == E_OK;
        tenants_unpin(t, &pin);
        return active;
    }
    active = tenants_load(t, id, true, &identity, version, &config, NULL) == E_OK &&
             !tenant_config_suspended(config);
    tenant_wipe(config);
    json_decref(config);
    return active;
}

/* The id that a file's name stands for; false if it is none. */
static bool
id_of(const struct dir_entry *entry, char id[TENANT_ID_SIZE])
{
    struct slice name = slice_of(entry->name);

    if (entry->folder || name.len <= 5 || strcmp(name.data + name.len - 5, ".json") != 0) {
        return false;
    }
    name.len -= 5;
    if (!tenant_id_valid(name)) {
        return false;
    }
    snprintf(id, TENANT_ID_SIZE, "%.*s", (int)name.len, name.data);
    return true;
}

static int
compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Stores the ids of the files, and the default one, sorted; new.  'a-b.json' stands before 'a.json'
 * in a folder, and behind it here. */
static char (*sorted_ids(const struct tenants *t, const struct dir_list *list,
                         size_t *count))[TENANT_ID_SIZE]
{
    char(*ids)[TENANT_ID_SIZE] = xcalloc(list->count + 1, sizeof *ids);

    snprintf(ids[0], sizeof ids[0], "%s", t->options.default_id);
    *count = 1;
    for (size_t i = 0; i < list->count; i++) {
        if (id_of(&list->entries[i], ids[*count]) && strcmp(ids[*count], ids[0]) != 0) {
            ++*count;
        }
    }
    qsort(ids, *count, sizeof *ids, compare);
    return ids;
}

enum err
tenants_list(struct tenants *t, bool active, json_t **ids, struct fault *f)
{
    struct dir_list list = {.count = 0};
    enum err err = dir_list(t->options.data, TENANTS_FOLDER, TENANTS_FILES_MAX, &list, f);
    char(*sorted)[TENANT_ID_SIZE];
    size_t count;

    *ids = NULL;
    if (err && err != E_NOT_FOUND) {
        return err;
    }
    sorted = sorted_ids(t, &list, &count);
    *ids = json_must(json_array());
    for (size_t i = 0; i < count; i++) {
        if (!active || is_active(t, sorted[i])) {
            json_add(*ids, json_text(sorted[i]));
        }
    }
    free(sorted);
    dir_list_fini(&list);
    return E_OK;
}
