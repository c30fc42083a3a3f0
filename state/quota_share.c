/* quota_share.c -- what each tenant has of a limit that all share.
 *
 * DESIGN.  Whoever is bound to a tenant may give back what its tenant acquired, and no more: else
 * one could free what others have used, and have them refused by the provider.  So a counter that
 * is shared notes, beside the sum, who acquired how much of it.  That is memory only: it ends with
 * the window, a reset and the server, and then only who runs the server can give back.  A counter
 * in a shared store may have been counted down elsewhere, which refuses too little to nobody. */
#include "state/quota_private.h"

struct share {
    char tenant[QUOTA_TENANT_SIZE];
    uint64_t units;
    UT_hash_handle hh;
};

static struct share *
find(struct counter *c, const char *tenant)
{
    struct share *share;

    HASH_FIND_STR(c->shares, tenant, share);
    return share;
}

void
shares_add(const struct visit *v, struct counter *c)
{
    const char *tenant = v->ask->tenant;
    struct share *share;

    if (v->own) {
        return;
    }
    share = find(c, tenant);
    if (!share) {
        if (HASH_COUNT(c->shares) >= QUOTA_SHARES_MAX) {
            return; /* What is not noted cannot be given back; it is counted all the same. */
        }
        share = xcalloc(1, sizeof *share);
        memcpy(share->tenant, tenant, strlen(tenant) + 1);
        HASH_ADD_STR(c->shares, tenant, share);
    }
    share->units += v->ask->count;
}

enum err
shares_check(const struct visit *v, struct counter *c, struct fault *f)
{
    struct share *share = find(c, v->ask->tenant);
    uint64_t units = share ? share->units : 0;

    if (!v->ask->bound || v->own || v->ask->count <= units) {
        return E_OK;
    }
    fault_set(f, E_TENANT, "'%s' is shared by all tenants, and '%s' has only %llu units of it",
              v->ask->service, v->ask->tenant, (unsigned long long)units);
    if (f) {
        f->reason = "not_acquired";
    }
    return fault_remedy(f, "give back no more than acquire_quota gave in this period; who runs "
                           "this server may give back the rest");
}

void
shares_take(const struct visit *v, struct counter *c)
{
    struct share *share = v->own ? NULL : find(c, v->ask->tenant);

    if (share && share->units > v->ask->count) {
        share->units -= v->ask->count;
    } else if (share) {
        HASH_DEL(c->shares, share);
        free(share);
    }
}

enum err
shares_check_record(const struct visit *v, struct fault *f)
{
    if (!v->ask->bound || v->own) {
        return E_OK;
    }
    fault_set(f, E_TENANT,
              "'%s' is shared by all tenants: what one uses of it is counted by "
              "acquire_quota",
              v->ask->service);
    if (f) {
        f->reason = "operator_only";
    }
    return fault_remedy(f, "call acquire_quota before the service; or ask who runs this server for "
                           "a limit of your own");
}

void
shares_drop(struct counter *c)
{
    struct share *share, *next;

    HASH_ITER(hh, c->shares, share, next) {
        HASH_DEL(c->shares, share);
        free(share);
    }
}
