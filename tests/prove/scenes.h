/* scenes.h -- what the scheduler plays: the real stores, a few threads each, and what must hold
 * whatever the order. */
#ifndef TANDEM_TESTS_SCENES_H
#define TANDEM_TESTS_SCENES_H

struct scene {
    const char *name, *promise;
    void (*run)(void *unused); /* Within a run of sched.h. */
};

extern const struct scene scenes[];
extern const unsigned scene_count;

#endif
