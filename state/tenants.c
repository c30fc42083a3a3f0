/* tenants.c -- the table of tenants.
 *
 * DESIGN.  Whether what is kept is still the file's is asked of the file, by one stat() a use: no
 * watcher can be late with it.  A tenant without a file never gets a place, so that nobody can push
 * out others by asking for names that there are not.  A file that cannot be used gets one, for as
 * long as negative_ttl says, so that a storm of callers reads it once; it is a value that says why.
 * The files' versions are compared outside the table, which thus keeps one load a key at a time. */
#include "state/tenants_private.h"

#include "state/base/json_put.h"
#include "state/bus.h"
#include "state/tenant_config.h"
#include "state/tenant_id.h"
#include "state/tenant_mask.h"

#include <assert.h>
#include <stdio.h>

#define PEEK_NS INT64_C(1000000000)
#define TRIES 4 /* To find settings that are their file's, while that keeps changing. */

struct tenant {
    char id[TENANT_ID_SIZE]; /* All set once, but for 'looked_ns'. */
    char version[TENANT_VERSION_SIZE];
    struct file_identity identity;
    json_t *config; /* Owned; null if it could not be loaded: */
    struct fault failure;
    bool suspended;            /* Its settings say so; each request asks. */
    bool fleeting;             /* For want of memory: the next caller tries again. */
    int64_t loaded_ns;         /* Monotonic. */
    _Atomic int64_t looked_ns; /* When its file was last seen to be what it was. */
    struct slots *parts;       /* Owned; their owner is the tenant. */
};

void
tenants_tell(const struct tenants *t, const char *topic, const char *id, json_t *data)
{
    bus_publish(
        t->options.bus,
        &(struct bus_draft){.topic = topic, .tenant = id, .source = "tenants", .data = data});
}

/* ---- Parts ---- */

struct part_value {
    const struct tenant_part *part;
    void *object;
};
struct part_call {
    const struct tenant_part *part;
    void *arg;
};

static enum err
load_part(void *owner, const char *key, const char *version, void *arg, void **value,
          struct fault *f)
{
    const struct part_call *call = arg;
    void *object = NULL;
    struct part_value *made;
    enum err err = call->part->make(owner, call->arg, &object, f);

    (void)key, (void)version;
    if (!err) {
        assert(object);
        made = xcalloc(1, sizeof *made);
        *made = (struct part_value){call->part, object};
        *value = made;
    }
    return err;
}

static void
free_part(void *value)
{
    struct part_value *v = value;

    v->part->free(v->object);
    free(v);
}

static const struct slots_class part_class = {.name = "tenant_parts",
                                              .load = load_part,
                                              .free = free_part};

enum err
tenant_part_get(struct tenant *tenant, const struct tenant_part *part, void *arg,
                int64_t deadline_ns, void **object, struct fault *f)
{
    struct part_call call = {part, arg};
    struct slot_pin pin;
    enum err err = slots_get(tenant->parts, part->name, NULL, &call, deadline_ns, &pin, f);

    *object = NULL;
    if (!err) {
        *object = ((struct part_value *)pin.value)->object;
        slots_unpin(tenant->parts, &pin); /* It stays in the table as long as there is one. */
    }
    return err;
}

/* ---- A tenant ---- */

const char *
tenant_id(const struct tenant *tenant)
{
    return tenant->id;
}

const json_t *
tenant_settings(const struct tenant *tenant)
{
    return tenant->config;
}

const json_t *
tenant_section(const struct tenant *tenant, const char *name)
{
    return json_object_get(tenant->config, name);
}

const char *
tenant_version(const struct tenant *tenant)
{
    return tenant->version;
}

enum err
tenant_admits(const struct tenant *tenant, struct fault *f)
{
    if (!tenant->suspended) {
        return E_OK;
    }
    fault_set(f, E_TENANT, "the tenant '%s' is suspended", tenant->id);
    if (f) {
        f->reason = "suspended";
    }
    return fault_remedy(f, "ask who runs this server; _meta.status of its settings says so");
}

/* ---- Loading ---- */

static void
free_tenant(void *value)
{
    struct tenant *tenant = value;

    slots_destroy(tenant->parts);
    tenant_wipe(tenant->config);
    json_decref(tenant->config);
    free(tenant);
}

static void
tell_loaded(struct tenants *t, const struct tenant *tenant)
{
    json_t *data = json_must(json_object());

    if (tenant->config) {
        json_put_text(data, "version", tenant->version);
        tenants_tell(t, "tenant.loaded", tenant->id, data);
    } else {
        json_put_text(data, "code", err_info(tenant->failure.code)->code);
        json_put_text(data, "message", tenant->failure.text);
        tenants_tell(t, "tenant.load_failed", tenant->id, data);
    }
}

/* Why a file could not be used, as callers are told who cannot mend it. */
static void
note_failure(struct tenant *tenant, enum err err, const struct fault *why)
{
    struct fault *f = &tenant->failure;

    if (err == E_NOT_FOUND) {
        fault_set(f, E_NO_TENANT, "there is no tenant '%s'", tenant->id);
    } else {
        bool wrong = err == E_REFUSED || err == E_TOO_LARGE; /* The file, not the reading of it. */

        fault_set(f,
                  wrong               ? E_REFUSED
                  : err == E_OVERLOAD ? err
                                      : E_IO,
                  "the settings of tenant '%s' cannot be used: %s", tenant->id, why->text);
        if (why->remedy[0]) {
            fault_remedy(f, "%s", why->remedy);
        }
    }
}

static enum err
load_tenant(void *owner, const char *id, const char *version, void *arg, void **value,
            struct fault *f)
{
    struct tenants *t = owner;
    struct tenant *tenant = xcalloc(1, sizeof *tenant);
    struct fault why = FAULT_INIT;
    enum err err;

    (void)version, (void)arg, (void)f;
    snprintf(tenant->id, sizeof tenant->id, "%s", id);
    tenant->parts = slots_create(&part_class, tenant, TENANT_PARTS_MAX);
    err = tenants_load(t, id, false, &tenant->identity, tenant->version, &tenant->config, &why);
    if (err) {
        t->source.look(t->source.arg, id, &tenant->identity, NULL);
        note_failure(tenant, err, &why);
        tenant->fleeting = err == E_OVERLOAD;
        atomic_fetch_add(&t->failures, 1);
    }
    tenant->suspended = tenant_config_suspended(tenant->config);
    tenant->loaded_ns = clock_mono(t->options.clock);
    atomic_init(&tenant->looked_ns, tenant->loaded_ns);
    tell_loaded(t, tenant);
    *value = tenant;
    return E_OK;
}

static void
tell_evicted(void *owner, const char *id)
{
    tenants_tell(owner, "tenant.evicted", id, json_must(json_object()));
}

static const struct slots_class tenant_class = {.name = "tenants",
                                                .load = load_tenant,
                                                .free = free_tenant,
                                                .evicted = tell_evicted,
                                                .evicts_used = true,
                                                .reloads = true};

/* ---- The table ---- */

UNSHARED struct tenants *
tenants_create(const struct tenants_options *options)
{
    struct tenants *t = xcalloc(1, sizeof *t);

    t->options = *options;
    t->source = options->source ? *options->source : tenants_files(options->data);
    t->guard = tenant_guard_create(options->clock);
    t->slots = slots_create(&tenant_class, t, options->cache_max);
    lock_init(&t->save, RANK_TENANT_SAVE);
    return t;
}

UNSHARED void
tenants_destroy(struct tenants *t)
{
    if (t) {
        slots_destroy(t->slots);
        tenant_guard_destroy(t->guard);
        lock_fini(&t->save);
        free(t);
    }
}

struct tenant_guard *
tenants_guard(const struct tenants *t)
{
    return t->guard;
}

static bool
is_old(const struct tenants *t, const struct tenant *tenant)
{
    int64_t age_ns = clock_mono(t->options.clock) - tenant->loaded_ns;

    if (!tenant->config && tenant->fleeting) {
        return true;
    }
    return tenant->config ? t->options.ttl_ns > 0 && age_ns >= t->options.ttl_ns
                          : age_ns >= t->options.negative_ttl_ns;
}

/* Which file there is now; all zero for the default tenant without one. */
static enum err
look(const struct tenants *t, const char *id, struct file_identity *identity, struct fault *f)
{
    struct fault why = FAULT_INIT;
    enum err err = t->source.look(t->source.arg, id, identity, &why);

    if (err == E_NOT_FOUND && strcmp(id, t->options.default_id) == 0) {
        *identity = (struct file_identity){.inode = 0};
        return E_OK;
    }
    if (err == E_NOT_FOUND) {
        fault_set(f, E_NO_TENANT, "there is no tenant '%s'", id);
        return fault_remedy(f,
                            "its settings would be " TENANTS_FOLDER "/%s.json in the data "
                            "folder; set_tenant_config makes them",
                            id);
    }
    if (err) {
        return fault_set(f, E_IO, "the settings of tenant '%s' cannot be used: %s", id, why.text);
    }
    return E_OK;
}

/* Whether what was found in the table is what the file says now.  'seen' is the file as it was
 * before. */
static enum err
check_current(const struct tenants *t, struct tenant *tenant, const struct file_identity *seen,
              bool *current, struct fault *f)
{
    struct file_identity now = *seen;
    enum err err = E_OK;

    if (!file_identity_equal(&now, &tenant->identity)) {
        err = look(t, tenant->id, &now, f); /* Or it was loaded after that. */
    }
    *current = !err && !is_old(t, tenant) && file_identity_equal(&now, &tenant->identity);
    if (*current) {
        atomic_store(&tenant->looked_ns, clock_mono(t->options.clock));
    }
    return err;
}

/* Drops what is not current, and tells who asks in vain for a tenant that was removed. */
static void
drop_stale(struct tenants *t, struct tenant_pin *pin)
{
    if (slots_drop(t->slots, pin->tenant->id, pin->tenant) && pin->tenant->config) {
        json_t *data = json_must(json_object());

        json_put_text(data, "reason", is_old(t, pin->tenant) ? "expired" : "changed");
        tenants_tell(t, "tenant.invalidated", pin->tenant->id, data);
    }
    tenants_unpin(t, pin);
}

static enum err
tell_failure(struct tenants *t, struct tenant_pin *pin, struct fault *f)
{
    enum err err = pin->tenant->failure.code;

    if (f) {
        *f = pin->tenant->failure;
    }
    tenants_unpin(t, pin);
    return err;
}

enum err
tenants_get(struct tenants *t, const char *id, int64_t deadline_ns, struct tenant_pin *pin,
            struct fault *f)
{
    struct file_identity there;
    bool current = false;
    enum err err = look(t, id, &there, f);

    *pin = (struct tenant_pin){.tenant = NULL};
    if (err == E_NO_TENANT) {
        slots_drop(t->slots, id, NULL); /* Its file was removed. */
    }
    for (int i = 0; !err && !current && i < TRIES; i++) {
        err = slots_get(t->slots, id, NULL, NULL, deadline_ns, &pin->slot, f);
        pin->tenant = pin->slot.value;
        if (!err) {
            err = check_current(t, pin->tenant, &there, &current, f);
        }
        if (pin->tenant && !current) {
            drop_stale(t, pin);
        }
    }
    if (!err && !current) {
        err = fault_set(f, E_NOT_READY, "the settings of tenant '%s' keep changing", id);
    }
    return err || pin->tenant->config ? err : tell_failure(t, pin, f);
}

bool
tenants_peek(struct tenants *t, const char *id, bool ever, struct tenant_pin *pin)
{
    *pin = (struct tenant_pin){.tenant = NULL};
    if (!slots_peek(t->slots, id, &pin->slot)) {
        return false;
    }
    pin->tenant = pin->slot.value;
    if (!pin->tenant->config ||
        (!ever &&
         (is_old(t, pin->tenant) ||
          clock_mono(t->options.clock) - atomic_load(&pin->tenant->looked_ns) >= PEEK_NS))) {
        tenants_unpin(t, pin);
        return false;
    }
    return true;
}

enum err
tenants_glance(struct tenants *t, const char *id, struct fault *f)
{
    struct file_identity identity;
    struct tenant_pin pin;
    enum err err = look(t, id, &identity, f);

    if (!err && tenants_peek(t, id, true, &pin)) {
        if (file_identity_equal(&identity, &pin.tenant->identity)) {
            err = tenant_admits(pin.tenant, f);
        }
        tenants_unpin(t, &pin);
    }
    return err;
}

void
tenants_unpin(struct tenants *t, struct tenant_pin *pin)
{
    slots_unpin(t->slots, &pin->slot);
    pin->tenant = NULL;
}

struct forgetting {
    struct tenants *t;
    size_t count;
};

static bool
forget_one(void *arg, const char *id, void *tenant)
{
    struct forgetting *forgetting = arg;

    if (slots_drop(forgetting->t->slots, id, tenant)) {
        json_t *data = json_must(json_object());

        json_put_text(data, "reason", "asked");
        tenants_tell(forgetting->t, "tenant.invalidated", id, data);
        forgetting->count++;
    }
    return true;
}

size_t
tenants_forget(struct tenants *t, const char *id)
{
    struct forgetting forgetting = {t, 0};

    if (!id) {
        slots_each(t->slots, forget_one, &forgetting);
        slots_clear(t->slots); /* What is being loaded just now is loaded once more. */
    } else {
        forget_one(&forgetting, id, NULL);
    }
    return forgetting.count;
}

struct tenants_counters
tenants_counters(struct tenants *t)
{
    struct tenants_counters c = {slots_counters(t->slots), tenant_guard_counters(t->guard)};

    c.cache.load_failures += atomic_load(&t->failures);
    return c;
}
