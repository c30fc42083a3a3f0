/* tenants_load.c -- a tenant's file: found, read, checked, its variables put in. */
#include "state/tenants_private.h"

#include "state/base/json_put.h"
#include "state/digest.h"
#include "state/tenant_config.h"
#include "state/tenant_expand.h"

#include <stdio.h>

/* ---- Files ---- */

void
tenants_name(const char *id, char name[TENANTS_NAME_SIZE])
{
    snprintf(name, TENANTS_NAME_SIZE, TENANTS_FOLDER "/%s.json", id);
}

static enum err
look(void *data, const char *id, struct file_identity *identity, struct fault *f)
{
    char name[TENANTS_NAME_SIZE];

    tenants_name(id, name);
    return dir_identity(data, name, identity, f);
}

static enum err
read_text(void *data, const char *id, struct buf *text, struct file_identity *identity,
          struct fault *f)
{
    char name[TENANTS_NAME_SIZE];

    tenants_name(id, name);
    return dir_read(data, name, TENANT_FILE_MAX, text, identity, f);
}

struct tenant_source
tenants_files(struct dir *data)
{
    return (struct tenant_source){look, read_text, data};
}

enum err
tenants_version(struct slice text, char version[TENANT_VERSION_SIZE], struct fault *f)
{
    unsigned char digest[DIGEST_SIZE];

    if (!digest_make(text, digest)) {
        return fault_set(f, E_OVERLOAD, "there is no memory for this now");
    }
    digest_format(digest, version, TENANT_VERSION_SIZE);
    return E_OK;
}

/* ---- Loading ---- */

static void
add_meta(const struct tenants *t, json_t *config, const char *version, bool file)
{
    const char *status = tenant_config_suspended(config) ? "suspended" : "active";
    json_t *meta = json_must(json_object());
    char now[CLOCK_TEXT_SIZE];

    clock_format_utc(clock_wall(t->options.clock), now);
    json_put_text(meta, "source", file ? "file" : "default");
    json_put_text(meta, "status", status);
    json_put_text(meta, "loaded_at", now);
    json_put_text(meta, "version", version);
    json_put(config, "_meta", meta);
}

/* Puts what is left out, the variables and _meta in. */
static enum err
finish(const struct tenants *t, const char *name, const char *version, bool file, json_t **config,
       struct fault *f)
{
    const struct tenant_variables variables = {t->options.environment, t->options.env_allow};
    struct fault why = FAULT_INIT;
    json_t *raw = *config, *client;
    enum err err = tenant_expand(raw, &variables, config, &why);

    json_decref(raw);
    if (err) {
        return fault_set(f, err, "%s: %s", name, why.text);
    }
    client = json_object_get(*config, "client");
    if (!json_object_get(client, "currency")) {
        json_put_text(client, "currency", "USD");
    }
    add_meta(t, *config, version, file);
    return E_OK;
}

enum err
tenants_load(struct tenants *t, const char *id, bool raw, struct file_identity *identity,
             char version[TENANT_VERSION_SIZE], json_t **config, struct fault *f)
{
    char name[TENANTS_NAME_SIZE];
    struct buf text = {.limit = TENANT_FILE_MAX};
    enum err err = t->source.read(t->source.arg, id, &text, identity, f);
    bool file = err != E_NOT_FOUND;

    *config = NULL;
    tenants_name(id, name);
    if (!err) {
        err = tenants_version(buf_slice(&text), version, f);
        err = err ? err : tenant_config_parse(buf_slice(&text), id, name, NULL, config, f);
    } else if (!file && strcmp(id, t->options.default_id) == 0) {
        snprintf(version, TENANT_VERSION_SIZE, "%s", TENANT_VERSION_NONE);
        *identity = (struct file_identity){.inode = 0};
        *config = tenant_config_default(id);
        err = E_OK;
    }
    if (!err && !raw) {
        err = finish(t, name, version, file, config, f);
    }
    buf_fini(&text);
    return err;
}
