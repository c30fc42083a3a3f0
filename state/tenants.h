/* tenants.h -- the customers of one server: their settings, and what is made from them.
 *
 * A tenant is a file tenants/ID.json in the data folder (tenant_config.h).  It is read when it is
 * first asked for, by one caller for all who wait, and kept in a bounded table, least recently used
 * first out, until it is too old or its file is another.  What other stores make from a tenant's
 * settings (an index handle, a prompt set) is a part of it: made once, on demand, and gone with the
 * very settings that it was made from.
 *
 * Any thread; takes SLOTS, and TENANT_SAVE for changes.  A load runs on the caller's thread with no
 * lock held. */
#ifndef TANDEM_TENANTS_H
#define TANDEM_TENANTS_H

#include "state/base/clock.h"
#include "state/base/file.h"
#include "state/base/problems.h"
#include "state/base/slots.h"
#include "state/tenant_guard.h"
#include "state/tenant_id.h"

#include <jansson.h>

#define TENANTS_FILES_MAX 10000    /* Of the folder; over it, they are not listed. */
#define TENANT_VERSION_SIZE 17     /* Of the text of a version, and NUL. */
#define TENANT_VERSION_NONE "none" /* That of a tenant without a file. */

struct bus;
struct tenant;
struct tenants;

/* Where the files are.  For tests, and for stores that are no folder. */
struct tenant_source {
    /* Which version there is now.  E_NOT_FOUND. */
    enum err (*look)(void *arg, const char *id, struct file_identity *identity, struct fault *f);
    /* Adds the text, at most TENANT_FILE_MAX bytes, and tells which version it is.  E_NOT_FOUND. */
    enum err (*read)(void *arg, const char *id, struct buf *text, struct file_identity *identity,
                     struct fault *f);
    void *arg;
};

struct tenants_options {
    const struct clock *clock; /* All borrowed; must outlive the tenants. */
    struct dir *data;          /* The data folder. */
    const char *default_id;
    const char *env_allow;    /* tenant_expand.h's. */
    char *const *environment; /* As environ(7); may be null. */
    size_t cache_max;
    int64_t ttl_ns; /* 0: for ever. */
    int64_t negative_ttl_ns;
    const struct tenant_source *source; /* Null: the files in 'data'. */
    struct bus *bus; /* Told of what is loaded, invalidated, evicted, and fails; or null. */
};

/* New, without a tenant in its table. */
struct tenants *tenants_create(const struct tenants_options *options);
/* Nobody may have a tenant, or use it.  Null is ignored. */
void tenants_destroy(struct tenants *t);
/* Who asks for tenants that are not his; borrowed. */
struct tenant_guard *tenants_guard(const struct tenants *t);

/* ---- A tenant ---- */

/* A pinned tenant: it stays as it is until tenants_unpin().  Zero is no pin. */
struct tenant_pin {
    struct tenant *tenant;
    struct slot_pin slot;
};

/* Finds or loads the tenant 'id', which must be a valid id, as its file is now.  Waits for
 * another's load until 'deadline_ns', monotonic.  On E_OK '*pin' is to be unpinned.  E_NO_TENANT;
 * E_REFUSED: its file is wrong; E_IO: it cannot be read; E_TIMEOUT; E_NOT_READY: all places are
 * being loaded. A suspended tenant is found like any: see tenant_admits(). */
enum err tenants_get(struct tenants *t, const char *id, int64_t deadline_ns, struct tenant_pin *pin,
                     struct fault *f);
/* The same from memory alone, without waiting: false if it is not there, or, unless 'ever' so old
 * will do, not known to be as its file was within the last second. */
bool tenants_peek(struct tenants *t, const char *id, bool ever, struct tenant_pin *pin);
/* Whether there is such a tenant, by one look at its file, and it is not known to be suspended: for
 * what is opened on a thread that must not wait for a load.  E_NO_TENANT, E_TENANT, E_IO. */
enum err tenants_glance(struct tenants *t, const char *id, struct fault *f);
/* An empty pin is ignored. */
void tenants_unpin(struct tenants *t, struct tenant_pin *pin);

/* All borrowed while it is pinned, and never changed. */
const char *tenant_id(const struct tenant *tenant);
/* The whole document with its variables and _meta{source, status, loaded_at, version}.  It holds
 * secrets: tenant_mask.h. */
const json_t *tenant_settings(const struct tenant *tenant);
/* A section of it, or null: "helpdesk". */
const json_t *tenant_section(const struct tenant *tenant, const char *name);
const char *tenant_version(const struct tenant *tenant);
/* E_TENANT, reason "suspended", if it is not to be served. */
enum err tenant_admits(const struct tenant *tenant, struct fault *f);

/* ---- What is made from a tenant ---- */

#define TENANT_PARTS_MAX 8

/* A kind of object that is made from a tenant's settings.  Use TENANT_PART(). */
struct tenant_part {
    const char *name;
    enum err (*make)(const struct tenant *tenant, void *arg, void **object, struct fault *f);
    void (*free)(void *object);
};
/* The tenant's object of that kind, made if need be by one caller for all, in '*object', borrowed
 * while the tenant is pinned.  No lock may be held.  Errors: those of make(), which is tried again
 * by the next caller; E_TIMEOUT. */
enum err tenant_part_get(struct tenant *tenant, const struct tenant_part *part, void *arg,
                         int64_t deadline_ns, void **object, struct fault *f);

/* Declares tenant_NAME(tenant, arg, deadline_ns, TYPE **object, f) in the file of the store whose
 * objects these are.  MAKE(const struct tenant *, void *arg, TYPE **, struct fault *) makes one,
 * FREE(TYPE *) ends it. */
#define TENANT_PART(NAME, TYPE, MAKE, FREE)                                                        \
    static enum err tenant_part_make_##NAME(const struct tenant *tenant, void *arg, void **object, \
                                            struct fault *f)                                       \
    {                                                                                              \
        TYPE *made = NULL;                                                                         \
        enum err err = MAKE(tenant, arg, &made, f);                                                \
        *object = made;                                                                            \
        return err;                                                                                \
    }                                                                                              \
    static void tenant_part_free_##NAME(void *object)                                              \
    {                                                                                              \
        TYPE *made = object;                                                                       \
        FREE(made);                                                                                \
    }                                                                                              \
    static enum err tenant_##NAME(struct tenant *tenant, void *arg, int64_t deadline_ns,           \
                                  TYPE **object, struct fault *f)                                  \
    {                                                                                              \
        static const struct tenant_part part = {#NAME, tenant_part_make_##NAME,                    \
                                                tenant_part_free_##NAME};                          \
        void *found = NULL;                                                                        \
        enum err err = tenant_part_get(tenant, &part, arg, deadline_ns, &found, f);                \
        *object = found;                                                                           \
        return err;                                                                                \
    }

/* ---- Changes ---- */

struct tenant_change {
    const char *id;       /* Valid. */
    const json_t *config; /* Borrowed: the settings, or what of them is to change; secrets that are
                             "***" stay as they are. */
    bool merge;           /* As RFC 7396 says; else they replace what is there. */
    const char *if_version; /* Only if it has this version; null: whichever. */
};
/* Checks and writes a tenant's file, durably, and forgets what was loaded of it.  E_REFUSED: the
 * settings would be wrong; E_CONFLICT: another version is there; E_TOO_LARGE, E_IO.  The new
 * version in 'version'. */
enum err tenants_change(struct tenants *t, const struct tenant_change *change,
                        char version[TENANT_VERSION_SIZE], struct fault *f);
/* Forgets one tenant, or all with null: the next use loads anew.  Returns how many were there. */
size_t tenants_forget(struct tenants *t, const char *id);
/* A new array of the ids there are, sorted; with 'active' without those that are suspended or
 * cannot be loaded.  E_TOO_LARGE, E_IO. */
enum err tenants_list(struct tenants *t, bool active, json_t **ids, struct fault *f);

struct tenants_counters {
    struct slots_counters cache; /* 'load_failures' of files that could not be used. */
    struct tenant_guard_counters guard;
};
/* What is counted, as it is now. */
struct tenants_counters tenants_counters(struct tenants *t);

#endif
