/* pulse.c -- see pulse.h. */
#include "server/pulse.h"

#include <assert.h>
#include <stddef.h>

static const char *const lane_names[] = {
    [LANE_IDE] = "workers of the IDE",
    [LANE_NETWORK] = "workers of the network",
};

void
pulse_add(struct pulse *p, const char *name, bool (*beats)(void *loop), void *loop)
{
    assert(p->loop_count < PULSE_LOOPS_MAX);
    p->loops[p->loop_count++] = (struct pulse_loop){name, beats, loop};
}

void
pulse_add_pool(struct pulse *p, struct pool *pool)
{
    p->pool = pool;
}

/* The lane whose jobs wait in vain, or null. */
static const char *
look_at_pool(struct pulse *p, int64_t now_ns)
{
    struct pool_counters now = pool_counters(p->pool);
    const char *still = NULL;

    for (int i = 0; i < LANE_COUNT; i++) {
        bool waits = now.lanes[i].queued > 0;

        if (!waits || !p->lanes[i].waits || now.lanes[i].taken != p->lanes[i].taken) {
            p->lanes[i].waits = waits;
            p->lanes[i].taken = now.lanes[i].taken;
            p->lanes[i].since_ns = now_ns;
        } else if (now_ns - p->lanes[i].since_ns > p->patience_ns) {
            still = lane_names[i];
        }
    }
    return still;
}

const char *
pulse_look(struct pulse *p, int64_t now_ns)
{
    const char *still = p->pool ? look_at_pool(p, now_ns) : NULL;

    for (unsigned i = 0; i < p->loop_count;
         i++) { /* Each is asked again, whatever the others say. */
        if (!p->loops[i].beats(p->loops[i].loop)) {
            still = p->loops[i].name;
        }
    }
    return still;
}
