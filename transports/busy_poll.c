/* busy_poll.c -- when a loop looks for the next message before it sleeps. */
#include "transports/busy_poll.h"

void
busy_poll_init(struct busy_poll *b)
{
    *b = (struct busy_poll){.may = uv_available_parallelism() > 1};
}

bool
busy_poll_decide(struct busy_poll *b, int64_t now_ns)
{
    bool soon = now_ns - b->last_ns <= BUSY_POLL_NS;

    if (b->looks && !b->came && now_ns - b->turn_ns >= BUSY_POLL_AWAY_NS) {
        b->off_until_ns = now_ns + BUSY_POLL_OFF_NS;
    }
    if (b->came) {
        b->looks = b->may && soon && !b->others && now_ns >= b->off_until_ns;
        b->last_ns = now_ns;
        b->came = b->others = false;
    } else {
        b->looks = b->looks && soon;
    }
    b->turn_ns = now_ns;
    return b->looks;
}

void
busy_poll_run(struct busy_poll *b, uv_loop_t *loop)
{
    uv_run_mode mode = UV_RUN_ONCE;

    while (uv_run(loop, mode)) {
        mode = busy_poll_decide(b, (int64_t)uv_hrtime()) ? UV_RUN_NOWAIT : UV_RUN_ONCE;
    }
}
