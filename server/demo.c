/* demo.c -- how a step tells, and two agents at the same moment. */
#include "server/demo.h"

#include "state/base/clock.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

void
demo_begin(struct demo *d)
{
    d->step_start = clock_mono(clock_real());
}

bool
demo_held(struct demo *d, const char *who, const char *format, ...)
{
    double ms = (double)(clock_mono(clock_real()) - d->step_start) / 1e6;
    va_list args;

    printf("%2u  %-14s ", ++d->steps, who);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("  (%.1f ms)\n", ms);
    fflush(stdout);
    return true;
}

bool
demo_failed(const char *what, const json_t *answer, const struct fault *f)
{
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

    fprintf(stderr, "tandem demo: %s: %s\n", what, text ? text : f->text);
    free(text);
    return false;
}

const char *
demo_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static void *
act(void *arg)
{
    struct demo_agent *a = arg;

    pthread_barrier_wait(a->barrier);
    a->answer = a->second ? play_second_tool(a->play, a->tool, a->args, &a->fault)
                          : play_agent_tool(a->play, a->tool, a->args, &a->fault);
    return NULL;
}

void
demo_both(const struct demo *d, const char *tool, struct demo_agent agents[2])
{
    pthread_barrier_t barrier;
    pthread_t threads[2];

    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 2; i++) {
        agents[i].play = &d->play;
        agents[i].tool = tool;
        agents[i].barrier = &barrier;
        agents[i].second = i == 1;
        if (pthread_create(&threads[i], NULL, act, &agents[i]) != 0) {
            abort();
        }
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&barrier);
}

void
demo_both_fini(struct demo_agent agents[2])
{
    json_decref(agents[0].answer);
    json_decref(agents[1].answer);
}
