/* tenant.h -- for which tenant a request is: asked for, allowed, and told from then on by
 * req->tenant. */
#ifndef TANDEM_HANDLER_TENANT_H
#define TANDEM_HANDLER_TENANT_H

#include "handlers/request.h"

/* Has the request be for the tenant 'id', which is a valid id. */
void tenant_set(struct request *req, struct slice id);
/* Finds the tenant of a request whose envelope and message are there, and stores it in req->tenant:
 *   1. what the header X-Client-ID and params._meta[tenant.meta_key] say, which must agree;
 *   2. the first that the caller is bound to, unless tenant.default_id is among them;
 *   3. that of the other window's settings, if a bridge told them;
 *   4. tenant.default_id.
 * On an error req->tenant stays the default, req->fault is set: E_ARGUMENT for what is no id, or
 * for two that differ; E_TENANT for one that the caller is not bound to; E_BUSY, with
 * req->retry_after, for a pair that is blocked.  The transport's thread. */
enum err tenant_resolve(struct request *req);

/* Pins the settings of req->tenant in req->customer, from memory alone.  False if that needs a
 * worker; else '*err' says whether it is served.  An INLINE call for the default tenant does
 * without them as long as they are not known. */
bool tenant_enter_now(struct request *req, enum err *err);
/* The same on a worker, which may read its file.  E_NO_TENANT, E_TENANT: it is suspended; as
 * tenants_get() else.  In req->fault. */
enum err tenant_enter(struct request *req);

/* E_TENANT if the request may not be told of the tenant 'id', or change it: one that is for a
 * tenant is for that one alone.  Who names none, and is bound to none, runs the server. */
enum err tenant_check(const struct request *req, const char *id, struct fault *f);
/* E_TENANT, "operator_only", if the caller is bound to a tenant: 'what' is all tenants', or limits
 * them, and is not for one of them to change. */
enum err tenant_check_operator(const struct request *req, const char *what, struct fault *f);

#endif
