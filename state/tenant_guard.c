/* tenant_guard.c -- a bounded table of (peer, tenant), in the order of their last mismatch.
 *
 * DESIGN.  uthash keeps the order of insertion, and a pair is put in anew with each mismatch, so
 * the first are those that have been quiet for longest.  All blocks last equally long: the first
 * blocked pair is the one that is free first. */
#include "state/tenant_guard.h"

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/tenant_id.h"

#include <stdio.h>

#define PEER_MAX 64 /* Bytes of a peer that count. */

struct pair {
    char key[PEER_MAX + 1 + TENANT_ID_SIZE]; /* The peer, a blank, the tenant. */
    int64_t times[TENANT_GUARD_TIMES];       /* Of the last mismatches, the latest first. */
    unsigned count;                          /* Of them. */
    int64_t until_ns;                        /* Blocked until then; 0: it is not. */
    UT_hash_handle hh;
};

struct tenant_guard {
    const struct clock *clock; /* Borrowed. */
    _Atomic bool known;        /* There is a pair.  Written with the lock held. */
    struct lock lock;
    struct pair *table GUARDED_BY(LC_TENANT_GUARD);
    struct tenant_guard_counters counters GUARDED_BY(LC_TENANT_GUARD);
};

UNSHARED struct tenant_guard *
tenant_guard_create(const struct clock *clock)
{
    struct tenant_guard *g = xcalloc(1, sizeof *g);

    g->clock = clock;
    lock_init(&g->lock, RANK_TENANT_GUARD);
    return g;
}

UNSHARED void
tenant_guard_destroy(struct tenant_guard *g)
{
    struct pair *p, *next;

    if (g) {
        HASH_ITER(hh, g->table, p, next) {
            HASH_DEL(g->table, p);
            free(p);
        }
        lock_fini(&g->lock);
        free(g);
    }
}

static void
write_key(char *key, size_t size, struct slice peer, const char *tenant)
{
    int len = (int)(peer.len < PEER_MAX ? peer.len : PEER_MAX);

    snprintf(key, size, "%.*s %s", len, peer.data ? peer.data : "", tenant);
}

/* Whether nothing that 'p' says matters any more. */
static bool
is_past(const struct pair *p, int64_t now_ns)
{
    return p->until_ns ? now_ns >= p->until_ns : now_ns - p->times[0] > TENANT_GUARD_WINDOW_NS;
}

static void
forget_locked(struct tenant_guard *g, struct pair *p) REQUIRES(LC_TENANT_GUARD)
{
    HASH_DEL(g->table, p);
    free(p);
}

static void
forget_past_locked(struct tenant_guard *g, int64_t now_ns) REQUIRES(LC_TENANT_GUARD)
{
    struct pair *p, *next;

    HASH_ITER(hh, g->table, p, next) {
        if (is_past(p, now_ns)) {
            forget_locked(g, p);
        }
    }
}

/* Makes room for one pair more. */
static void
make_room_locked(struct tenant_guard *g, int64_t now_ns) REQUIRES(LC_TENANT_GUARD)
{
    struct pair *p = NULL;

    if (HASH_COUNT(g->table) < TENANT_GUARD_MAX) {
        return;
    }
    forget_past_locked(g, now_ns);
    if (HASH_COUNT(g->table) >= TENANT_GUARD_MAX) {
        for (p = g->table; p && p->until_ns; p = p->hh.next) {
        }
        forget_locked(g, p ? p : g->table);
    }
}

unsigned
tenant_guard_blocked(struct tenant_guard *g, struct slice peer, const char *tenant)
{
    char key[sizeof((struct pair *)0)->key];
    struct pair *p;
    int64_t left_ns = 0;

    if (!atomic_load_explicit(&g->known, memory_order_relaxed)) {
        return 0;
    }
    write_key(key, sizeof key, peer, tenant);
    LOCK(TENANT_GUARD, &g->lock);
    HASH_FIND_STR(g->table, key, p);
    if (p && p->until_ns) {
        left_ns = p->until_ns - clock_mono(g->clock);
        if (left_ns <= 0) {
            forget_locked(g, p);
            atomic_store(&g->known, g->table != NULL);
        }
    }
    g->counters.refused += left_ns > 0;
    UNLOCK(TENANT_GUARD, &g->lock);
    return left_ns > 0 ? (unsigned)((left_ns + 999999999) / 1000000000) : 0;
}

bool
tenant_guard_note(struct tenant_guard *g, struct slice peer, const char *tenant)
{
    struct pair *fresh = xcalloc(1, sizeof *fresh), *p;
    int64_t now_ns = clock_mono(g->clock);
    bool blocks = false;

    write_key(fresh->key, sizeof fresh->key, peer, tenant);
    LOCK(TENANT_GUARD, &g->lock);
    HASH_FIND_STR(g->table, fresh->key, p);
    if (p) {
        HASH_DEL(g->table, p);
    } else {
        make_room_locked(g, now_ns);
        p = fresh;
        fresh = NULL;
    }
    HASH_ADD_STR(g->table, key, p);
    memmove(p->times + 1, p->times, (TENANT_GUARD_TIMES - 1) * sizeof p->times[0]);
    p->times[0] = now_ns;
    p->count += p->count < TENANT_GUARD_TIMES;
    if (!p->until_ns && p->count == TENANT_GUARD_TIMES &&
        now_ns - p->times[TENANT_GUARD_TIMES - 1] <= TENANT_GUARD_WINDOW_NS) {
        p->until_ns = now_ns + TENANT_GUARD_BLOCK_NS;
        g->counters.blocks++;
        blocks = true;
    }
    g->counters.mismatches++;
    atomic_store(&g->known, true);
    UNLOCK(TENANT_GUARD, &g->lock);
    free(fresh);
    return blocks;
}

struct tenant_guard_counters
tenant_guard_counters(struct tenant_guard *g)
{
    struct tenant_guard_counters c;
    struct pair *p;

    LOCK(TENANT_GUARD, &g->lock);
    forget_past_locked(g, clock_mono(g->clock));
    atomic_store(&g->known, g->table != NULL);
    c = g->counters;
    c.size = HASH_COUNT(g->table);
    for (p = g->table; p; p = p->hh.next) {
        c.blocked += p->until_ns != 0;
    }
    UNLOCK(TENANT_GUARD, &g->lock);
    return c;
}
