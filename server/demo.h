/* demo.h -- what the steps of "tandem demo" have in common: the story so far, and how a step tells.
 *
 * A step is a row of DEMO_STEPS and a function demo_NAME() that plays it, checks every answer, and
 * ends in demo_held() or demo_failed().  main's thread. */
#ifndef TANDEM_DEMO_H
#define TANDEM_DEMO_H

#include "server/play_watch.h"

#define DEMO_PACK "bug_fix_v1"

/* In the order of the story; those of the work first (demo_work.c), then those of the services
 * (demo_services.c). */
#define DEMO_STEPS(ROW) \
    ROW(lists_agree)    \
    ROW(start)          \
    ROW(same_start)     \
    ROW(read_task)      \
    ROW(claim_refused)  \
    ROW(gate_passes)    \
    ROW(one_completion) \
    ROW(finish)         \
    ROW(search)         \
    ROW(event_live)     \
    ROW(events_missed)  \
    ROW(quota_shared)   \
    ROW(quota_refused)  \
    ROW(counters)

struct demo {
    struct play play;
    struct play_watcher watcher; /* Agent B's on the relay. */
    char session[64];            /* Of the workflow. */
    unsigned steps;
    int64_t step_start;
};

#define ROW(NAME) bool demo_##NAME(struct demo *d);
DEMO_STEPS(ROW)
#undef ROW

/* Starts a step's time. */
void demo_begin(struct demo *d);
/* Prints a step that held; true. */
bool demo_held(struct demo *d, const char *who, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Says what did not hold: the answer, or if that is null the fault; false. */
bool demo_failed(const char *what, const json_t *answer, const struct fault *f);

/* A member's text, or "". */
const char *demo_text(const json_t *object, const char *key);

/* One agent's thread: it calls a tool when the other does. */
struct demo_agent {
    json_t *args; /* Stolen. */
    json_t *answer;
    struct fault fault;
    /* Of demo_both(). */
    const struct play *play;
    const char *tool;
    void *barrier;
    bool second; /* The one on the WebSocket. */
};
/* Lets both agents call 'tool' at the same moment. */
void demo_both(const struct demo *d, const char *tool, struct demo_agent agents[2]);
void demo_both_fini(struct demo_agent agents[2]);

#endif
