/* tenant_expand.h -- ${NAME} and ${NAME:-default} in the strings of a tenant's settings.
 *
 * NAME is [A-Z_][A-Z0-9_]*.  A tenant's file must not be a way to read the server's own secrets, so
 * only names that the setting tenant.env_allow lets through are looked up; all else stays as it is
 * written.  Pure; any thread. */
#ifndef TANDEM_TENANT_EXPAND_H
#define TANDEM_TENANT_EXPAND_H

#include "state/base/err.h"

#include <jansson.h>

#define TENANT_EXPANDED_MAX ((size_t)1024 * 1024) /* Bytes of all strings, once expanded. */

/* All borrowed. */
struct tenant_variables {
    char *const *environment; /* As environ(7); null: nothing is set. */
    const char *allow;        /* A LIST of names; one that ends in '*' is a beginning. */
};

/* A new deep copy of 'value' with the strings of all its objects and arrays expanded, not its keys.
 * A name that is not set is its default, or "".  E_TOO_LARGE. */
enum err tenant_expand(const json_t *value, const struct tenant_variables *variables,
                       json_t **expanded, struct fault *f);
/* Gives each string of 'config' that is what one of 'stored' in its place expands to, in
 * 'expanded', back as it is written there: what was read and comes back does not lose its
 * variables.  What is null is ignored. */
void tenant_unexpand(json_t *config, const json_t *stored, const json_t *expanded);

#endif
