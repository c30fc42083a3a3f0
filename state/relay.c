/* relay.c -- the cards of those who read events by WebSocket. */
#include "state/relay.h"

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/base/random.h"

#include <stdatomic.h>
#include <stdio.h>

struct relay_card {
    /* Its client's own: one thread writes them, for each that is told, and takes no lock. */
    _Atomic uint64_t sent, dropped, acked, buffered;
    _Atomic int64_t active_ns;
    /* The rest is under the lock. */
    UT_hash_handle hh; /* By id; in the order in which they came. */
    char id[RELAY_ID_SIZE];
    int64_t left_ns;        /* Monotonic; 0 while it is connected. */
    struct relay_view view; /* Without what is above. */
};

struct relay {
    struct relay_options options; /* Set once. */
    struct lock lock;
    struct relay_card *cards GUARDED_BY(LC_RELAY);
    struct relay_counters counters GUARDED_BY(LC_RELAY);
};

struct relay *
relay_create(const struct relay_options *options)
{
    struct relay *r = xcalloc(1, sizeof *r);

    r->options = *options;
    lock_init(&r->lock, RANK_RELAY);
    return r;
}

static void
forget_locked(struct relay *r, struct relay_card *card) REQUIRES(LC_RELAY)
{
    HASH_DEL(r->cards, card);
    r->counters.known--;
    free(card);
}

void
relay_destroy(struct relay *r)
{
    if (r) {
        LOCK(RELAY, &r->lock);
        for (struct relay_card *card = r->cards, *next; card; card = next) {
            next = card->hh.next;
            forget_locked(r, card);
        }
        UNLOCK(RELAY, &r->lock);
        lock_fini(&r->lock);
        free(r);
    }
}

/* Forgets those that have left too long ago, and the first that left where there are too many. */
static void
sweep_locked(struct relay *r, int64_t now_ns) REQUIRES(LC_RELAY)
{
    struct relay_card *oldest = NULL;

    for (struct relay_card *card = r->cards, *next; card; card = next) {
        next = card->hh.next;
        if (card->left_ns && now_ns - card->left_ns > r->options.keep_ns) {
            forget_locked(r, card);
        } else if (card->left_ns && (!oldest || card->left_ns < oldest->left_ns)) {
            oldest = card;
        }
    }
    if (oldest && r->counters.known - r->counters.connected > r->options.clients) {
        forget_locked(r, oldest);
    }
}

/* The card that a client comes back to; null for none. */
static struct relay_card *
find_locked(struct relay *r, struct slice id, const char *tenant) REQUIRES(LC_RELAY)
{
    struct relay_card *card = NULL;

    if (id.len == RELAY_ID_SIZE - 1) {
        HASH_FIND(hh, r->cards, id.data, id.len, card);
    }
    return card && card->left_ns && strcmp(card->view.tenant, tenant) == 0 ? card : NULL;
}

static struct relay_card *
make(const char *tenant)
{
    struct relay_card *card = xcalloc(1, sizeof *card);

    if (!random_hex(card->id, sizeof card->id)) {
        free(card);
        return NULL;
    }
    memcpy(card->view.name, card->id, sizeof card->view.name - 1);
    snprintf(card->view.tenant, sizeof card->view.tenant, "%s", tenant);
    return card;
}

enum err
relay_enter(struct relay *r, struct slice id, const char *tenant, struct relay_card **card,
            bool *resumed, struct fault *f)
{
    int64_t now_ns = clock_mono(r->options.clock), wall_ns = clock_wall(r->options.clock);
    struct relay_card *fresh = make(tenant), *own = NULL;
    bool room;

    LOCK(RELAY, &r->lock);
    sweep_locked(r, now_ns);
    room = r->counters.connected < r->options.clients;
    if (room) {
        own = find_locked(r, id, tenant);
        *resumed = own != NULL;
        if (own) {
            own->view.reconnects++;
            r->counters.resumed++;
        } else if (fresh) {
            own = fresh;
            fresh = NULL;
            own->view.since_ns = wall_ns;
            HASH_ADD(hh, r->cards, id, RELAY_ID_SIZE - 1, own);
            r->counters.known++;
        }
    }
    if (own) {
        own->left_ns = 0;
        own->view.connected = true;
        atomic_store(&own->active_ns, wall_ns);
        r->counters.connected++;
        r->counters.connections++;
    } else {
        r->counters.refused++;
    }
    UNLOCK(RELAY, &r->lock);
    free(fresh);
    *card = own;
    if (!own) {
        fault_set(f, E_OVERLOAD,
                  room ? "the kernel has no random bytes for this now"
                       : "too many clients read events already");
        return fault_remedy(f, "try again later, or raise relay.max_clients");
    }
    return E_OK;
}

void
relay_leave(struct relay *r, struct relay_card *card)
{
    int64_t now_ns = clock_mono(r->options.clock);

    LOCK(RELAY, &r->lock);
    card->left_ns = now_ns > 0 ? now_ns : 1;
    card->view.connected = false;
    atomic_store(&card->buffered, 0);
    r->counters.connected--;
    sweep_locked(r, now_ns);
    UNLOCK(RELAY, &r->lock);
}

const char *
relay_card_id(const struct relay_card *card)
{
    return card->id;
}

/* Adds to what only this thread writes. */
static void
add(_Atomic uint64_t *number, uint64_t more)
{
    atomic_store_explicit(number, atomic_load_explicit(number, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

void
relay_tell(struct relay *r, struct relay_card *card, const struct relay_tally *tally)
{
    add(&card->sent, tally->sent);
    add(&card->dropped, tally->dropped);
    atomic_store_explicit(&card->acked, tally->acked, memory_order_relaxed);
    atomic_store_explicit(&card->buffered, tally->buffered, memory_order_relaxed);
    atomic_store_explicit(&card->active_ns, clock_wall(r->options.clock), memory_order_relaxed);
}

static struct relay_view
view_locked(struct relay_card *card) REQUIRES(LC_RELAY)
{
    struct relay_view view = card->view;

    view.active_ns = atomic_load(&card->active_ns);
    view.tally = (struct relay_tally){.sent = atomic_load(&card->sent),
                                      .dropped = atomic_load(&card->dropped),
                                      .acked = atomic_load(&card->acked),
                                      .buffered = atomic_load(&card->buffered)};
    return view;
}

size_t
relay_views(struct relay *r, const char *tenant, struct relay_view *views, size_t max)
{
    size_t count = 0;

    LOCK(RELAY, &r->lock);
    for (struct relay_card *card = r->cards; card && count < max; card = card->hh.next) {
        if (!tenant || strcmp(card->view.tenant, tenant) == 0) {
            views[count++] = view_locked(card);
        }
    }
    UNLOCK(RELAY, &r->lock);
    return count;
}

struct relay_counters
relay_counters(struct relay *r)
{
    struct relay_counters counters;

    LOCK(RELAY, &r->lock);
    counters = r->counters;
    UNLOCK(RELAY, &r->lock);
    return counters;
}
