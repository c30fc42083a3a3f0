/* workflow_store_keep.c -- what is kept with live sessions. */
#include "state/workflow_store_private.h"

void
kept_unref(struct kept *kept)
{
    if (kept && atomic_fetch_sub_explicit(&kept->refs, 1, memory_order_acq_rel) == 1) {
        kept->end(kept);
    }
}

void
store_take_kept(struct live *live, struct kept *kept[SESSION_KEPT_MAX])
{
    memcpy(kept, live->kept, sizeof live->kept);
    memset(live->kept, 0, sizeof live->kept);
}

void
store_end_kept(struct kept *kept[SESSION_KEPT_MAX])
{
    for (size_t i = 0; i < SESSION_KEPT_MAX; i++) {
        kept_unref(kept[i]);
    }
}

/* Puts 'kept' in front, and returns what makes room: the one of that key, else the last. */
static struct kept *
put_first_locked(struct live *live, struct kept *kept) REQUIRES(LC_WF_SESSION)
{
    struct kept *gone;
    size_t i = 0;

    while (i + 1 < SESSION_KEPT_MAX && live->kept[i] && live->kept[i]->key != kept->key) {
        i++;
    }
    gone = live->kept[i];
    memmove(&live->kept[1], &live->kept[0], i * sizeof live->kept[0]);
    live->kept[0] = kept;
    return gone;
}

void
workflow_store_keep(const struct session_view *view, struct kept *kept)
{
    struct live *live = view->live;

    LOCK(WF_SESSION, &live->current);
    if (!live->gone && live->record == view->record) {
        kept = put_first_locked(live, kept);
    }
    UNLOCK(WF_SESSION, &live->current);
    kept_unref(kept);
}

struct kept *
workflow_store_kept(struct workflow_store *store, const char *id, uint64_t key)
{
    struct kept *found = NULL;
    struct slot_pin pin;
    struct live *live;

    if (!slots_glance(store->sessions, id, &pin)) {
        return NULL;
    }
    live = pin.value;
    LOCK(WF_SESSION, &live->current);
    for (size_t i = 0; i < SESSION_KEPT_MAX && live->kept[i] && !live->gone && !found; i++) {
        if (live->kept[i]->key == key) {
            found = live->kept[i];
            atomic_fetch_add_explicit(&found->refs, 1, memory_order_relaxed);
            live->used_ns = clock_wall(store->options.clock);
        }
    }
    UNLOCK(WF_SESSION, &live->current);
    slots_unpin(store->sessions, &pin);
    if (found) {
        slots_count_glance(store->sessions);
    }
    return found;
}
