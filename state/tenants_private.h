/* tenants_private.h -- what the files behind tenants.h share. */
#ifndef TANDEM_TENANTS_PRIVATE_H
#define TANDEM_TENANTS_PRIVATE_H

#include "state/base/lock.h"
#include "state/tenants.h"

#define TENANTS_FOLDER "tenants"
#define TENANTS_NAME_SIZE 128 /* "tenants/ID.json", and NUL. */

struct tenants {
    struct tenants_options options; /* Set once, as are all up to the counter. */
    struct tenant_source source;
    struct tenant_guard *guard; /* Owned, as is the table. */
    struct slots *slots;
    struct lock save; /* TENANT_SAVE: one change at a time. */
    _Atomic uint64_t failures;
};

/* "tenants/ID.json". */
void tenants_name(const char *id, char name[TENANTS_NAME_SIZE]);
/* Reads, checks and expands a tenant's file; the default one has settings without one.  The tree
 * with its _meta in '*config', new.  'raw': as it is written, without variables and _meta. */
enum err tenants_load(struct tenants *t, const char *id, bool raw, struct file_identity *identity,
                      char version[TENANT_VERSION_SIZE], json_t **config, struct fault *f);
/* The files in the data folder. */
struct tenant_source tenants_files(struct dir *data);
/* The version of a file's text.  E_OVERLOAD. */
enum err tenants_version(struct slice text, char version[TENANT_VERSION_SIZE], struct fault *f);
/* Tells of what happened; steals 'data'.  No lock may be held. */
void tenants_tell(const struct tenants *t, const char *topic, const char *id, json_t *data);

#endif
