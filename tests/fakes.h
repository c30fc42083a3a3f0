/* fakes.h -- what tests put in the place of the world: time, a sink that keeps answers, a project
 * on disk. */
#ifndef TANDEM_TESTS_FAKES_H
#define TANDEM_TESTS_FAKES_H

#include "state/base/clock.h"
#include "state/base/file.h"
#include "state/base/sink.h"
#include "state/settings.h"
#include "state/state.h"

#include <pthread.h>
#include <stdatomic.h>

/* A clock that moves only when told. */
struct fake_clock {
    struct clock clock; /* First. */
    _Atomic int64_t mono_ns, wall_ns;
};
#define FAKE_CLOCK_START 1700000000000000000
void fake_clock_init(struct fake_clock *c);
void fake_clock_pass(struct fake_clock *c, int64_t ns);

/* A sink that keeps one answer, and lets a test wait for it. */
struct fake_sink {
    struct sink sink; /* First. */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    struct buf sent; /* What came before the answer, a line each. */
    unsigned lines;
    enum err refuse; /* What send() says; such messages are not kept. */
    char *body;      /* Owned; null until answered. */
    char session_id[64];
    int status;
    unsigned retry_after; /* Seconds; 0 for none. */
    unsigned answers;     /* How often it was answered: must end as 1. */
    unsigned unrefs;
};
void fake_sink_init(struct fake_sink *s);
void fake_sink_fini(struct fake_sink *s);
/* Waits until the sink has been answered and let go, and returns the body, borrowed. */
const char *fake_sink_wait(struct fake_sink *s);

/* Waits until so many lines have been sent.  Read 'sent' only when no more can come. */
void fake_sink_wait_sent(struct fake_sink *s, unsigned lines);

/* A new project folder below the temporary folder, with an empty .tandem, and the state on it. */
struct fake_project {
    char path[64];
    struct dir *root, *data;
    struct settings *settings;
    struct state_options options;
    struct state *state;
};
/* 'clock' null: the real one. */
void fake_project_init(struct fake_project *p, const struct clock *clock);
/* The same with some settings, ended by one without text. */
struct fake_setting {
    enum setting setting;
    const char *text;
};
void fake_project_init_with(struct fake_project *p, const struct clock *clock,
                            const struct fake_setting *settings);
/* Makes a tenant of it. */
void fake_project_tenant(struct fake_project *p, const char *id);
/* Frees all and removes the folder. */
void fake_project_fini(struct fake_project *p);

#endif
