/* tenant_mask.h -- what of a tenant's settings nobody is shown.
 *
 * A member whose name says so is a secret, whatever its value: it is told as "***", and "***" that
 * comes back means that nothing is to change.  Pure; any thread. */
#ifndef TANDEM_TENANT_MASK_H
#define TANDEM_TENANT_MASK_H

#include <jansson.h>
#include <stdbool.h>

#define TENANT_MASKED "***"

/* True for key, api_key, password, secret, token and for what ends in one of them behind an
 * underscore or a hyphen, in any case; and for apikey. */
bool tenant_key_is_secret(const char *key);
/* A new deep copy of 'config' without its secrets. */
json_t *tenant_mask(const json_t *config);
/* Gives each secret of 'config' that is "***" the value that 'stored' has in its place, or takes it
 * out if there is none.  'stored' may be null; nothing of it is changed. */
void tenant_unmask(json_t *config, const json_t *stored);
/* Overwrites the secrets of a tree that is about to be freed; it must not be shared. */
void tenant_wipe(json_t *config);

#endif
