/* failures_table.c -- failures by tenant and session, newest last, and who makes room for whom.
 *
 * DESIGN.  What is kept is bounded twice: of a tenant by its sessions and their rings, of all by
 * totals.  A total that is reached is no reason for one to lose what it has because another is
 * busy: the tenant that has most gives up the oldest, of its session that was used least recently.
 * So whoever has less than its part never loses any of it. */
#include "state/failures_private.h"

#include <assert.h>

#define RING_START 8u

/* ---- One session ---- */

struct failure_entry *
failures_entry(struct failure_session *s, uint64_t back)
{
    return &s->ring[(s->next - 1 - back) % s->size];
}

static void
forget_oldest(struct failures *t, struct failure_session *s) REQUIRES(LC_FAILURES)
{
    struct failure_entry *entry = &s->ring[s->first++ % s->size];

    s->fixed -= entry->fixed;
    s->tenant->count--;
    t->count--;
    failure_unref(entry->failure);
    *entry = (struct failure_entry){.failure = NULL};
}

static void
grow(struct failure_session *s)
{
    size_t size = s->size ? 2 * s->size : RING_START;
    struct failure_entry *ring;

    size = size < FAILURES_RING ? size : FAILURES_RING;
    ring = xcalloc(size, sizeof *ring);
    for (uint64_t i = s->first; i < s->next; i++) {
        ring[i % size] = s->ring[i % s->size];
    }
    free(s->ring);
    s->ring = ring;
    s->size = size;
}

void
failures_drop(struct failures *t, struct failure_session *s)
{
    struct failure_tenant *tenant = s->tenant;

    while (s->first < s->next) {
        forget_oldest(t, s);
    }
    HASH_DEL(tenant->sessions, s);
    t->session_count--;
    if (!tenant->sessions) {
        HASH_DEL(t->tenants, tenant);
        free(tenant);
    }
    free(s->ring);
    free(s->id);
    free(s);
}

/* ---- Finding ---- */

struct failure_tenant *
failures_tenant(struct failures *t, const char *id)
{
    struct failure_tenant *tenant;

    HASH_FIND_STR(t->tenants, id, tenant);
    return tenant;
}

struct failure_session *
failures_session(struct failures *t, const char *tenant, const char *session)
{
    struct failure_tenant *of = failures_tenant(t, tenant);
    struct failure_session *s = NULL;

    if (of) {
        HASH_FIND_STR(of->sessions, session, s);
    }
    if (s) {
        HASH_DEL(of->sessions, s);
        HASH_ADD_KEYPTR(hh, of->sessions, s->id, strlen(s->id), s);
    }
    return s;
}

/* ---- Room ---- */

/* The tenant that has most, of what 'amount' tells. */
static struct failure_tenant *
greatest(struct failures *t, size_t (*amount)(const struct failure_tenant *)) REQUIRES(LC_FAILURES)
{
    struct failure_tenant *most = t->tenants;

    for (struct failure_tenant *tenant = t->tenants; tenant; tenant = tenant->hh.next) {
        most = amount(tenant) > amount(most) ? tenant : most;
    }
    return most;
}

static size_t
sessions_of(const struct failure_tenant *tenant)
{
    return HASH_COUNT(tenant->sessions);
}

static size_t
failures_of(const struct failure_tenant *tenant)
{
    return tenant->count;
}

static void
make_room_for_session(struct failures *t, const char *tenant) REQUIRES(LC_FAILURES)
{
    struct failure_tenant *of = failures_tenant(t, tenant);

    if (of && sessions_of(of) >= FAILURES_SESSIONS) {
        failures_drop(t, of->sessions);
    } else if (t->session_count >= FAILURES_SESSIONS_MAX) {
        failures_drop(t, greatest(t, sessions_of)->sessions);
    }
}

static void
make_room_for_failure(struct failures *t) REQUIRES(LC_FAILURES)
{
    if (t->count >= FAILURES_MAX) {
        struct failure_session *s = greatest(t, failures_of)->sessions;

        while (s->first == s->next) {
            s = s->hh.next; /* Its tenant has some. */
        }
        forget_oldest(t, s);
    }
}

static struct failure_session *
add_session(struct failures *t, const char *tenant, const char *session) REQUIRES(LC_FAILURES)
{
    struct failure_session *s = xcalloc(1, sizeof *s);

    make_room_for_session(t, tenant);
    s->id = xstrdup(session);
    s->tenant = failures_tenant(t, tenant);
    if (!s->tenant) {
        s->tenant = xcalloc(1, sizeof *s->tenant);
        assert(strlen(tenant) < sizeof s->tenant->id);
        memcpy(s->tenant->id, tenant, strlen(tenant) + 1);
        HASH_ADD_STR(t->tenants, id, s->tenant);
    }
    HASH_ADD_KEYPTR(hh, s->tenant->sessions, s->id, strlen(s->id), s);
    t->session_count++;
    return s;
}

void
failures_keep(struct failures *t, const char *tenant, const char *session, struct failure *failure)
{
    struct failure_session *s = failures_session(t, tenant, session);

    s = s ? s : add_session(t, tenant, session);
    if (s->next - s->first == FAILURES_RING) {
        forget_oldest(t, s);
    }
    make_room_for_failure(t);
    if (s->next - s->first == s->size) {
        grow(s);
    }
    s->ring[s->next++ % s->size] = (struct failure_entry){.failure = failure};
    s->tenant->count++;
    t->count++;
}
