/* tenant_config.h -- what a tenant's settings are: a JSON document, checked.
 *
 *   client     required: id, name, short_name, timezone; currency, "USD" if it is left out
 *   branding, llm, helpdesk, quota, features, agents: objects, if they are there
 *   _meta      status: "active" or "suspended"; whatever else it holds is set on load
 * and sections of any other name, which are kept as they are.  Pure; any thread. */
#ifndef TANDEM_TENANT_CONFIG_H
#define TANDEM_TENANT_CONFIG_H

#include "state/base/err.h"
#include "state/base/mem.h"
#include "state/base/problems.h"

#include <jansson.h>

#define TENANT_FILE_MAX ((size_t)256 * 1024) /* Bytes, */
#define TENANT_DEPTH_MAX 32                  /* containers within each other, */
#define TENANT_VALUES_MAX 10000              /* and values of a file. */

/* Reads and checks a file's text.  'name' is what problems call it; 'id' is the tenant that it must
 * be of, or null if that is not to be checked.  A new tree in '*config'.  E_REFUSED, with the first
 * of 'problems' (may be null) in 'f', line and column included. */
enum err tenant_config_parse(struct slice text, const char *id, const char *name,
                             struct problems *problems, json_t **config, struct fault *f);
/* The settings of a tenant that has no file; new. */
json_t *tenant_config_default(const char *id);
/* Changes 'config' as 'patch' says (RFC 7396): objects member by member, null takes away, all else
 * replaces. */
void tenant_config_merge(json_t *config, const json_t *patch);
bool tenant_config_suspended(const json_t *config);

#endif
