/* tenant_id.h -- what a tenant's id may be, and which tenants a caller is bound to.
 *
 * An id becomes a file's name and a cache's key, so it is checked here before any use.  Pure; any
 * thread. */
#ifndef TANDEM_TENANT_ID_H
#define TANDEM_TENANT_ID_H

#include "state/base/mem.h"

#define TENANT_ID_SIZE 65 /* Bytes of the longest id, and NUL. */
/* What an id is, for the texts of errors. */
#define TENANT_ID_RULE \
    "an id is 1 to 64 of a-z, 0-9, '_' and '-', and begins with a letter or a digit"

/* True for ^[a-z0-9][a-z0-9_-]{0,63}$. */
bool tenant_id_valid(struct slice id);

/* Steps through ids with blanks between them: stores the next one and returns true, or false at the
 * end. */
bool tenant_ids_next(struct slice *ids, struct slice *id);

/* Adds to 'out' the ids, with blanks between them, that 'principal' is bound to by the setting
 * tenant.bindings: items "PRINCIPAL=ID", where a principal of an authorization server ("ISSUER
 * SUBJECT") may be named by its subject alone, and "*" is whoever is not named.  Adds nothing for
 * who is not bound. */
void tenant_bindings_find(const char *bindings, struct slice principal, struct buf *out);
/* True if every item of the setting is "PRINCIPAL=ID"; else '*bad' is the first that is not. */
bool tenant_bindings_valid(const char *bindings, struct slice *bad);

#endif
