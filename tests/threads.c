/* threads.c -- a barrier and a join. */
#include "tests/threads.h"

#include "state/base/mem.h"

#include <pthread.h>

const unsigned race_sizes[] = {10, 20, 50, 100, 200, 0};

struct starter {
    pthread_barrier_t *barrier;
    void (*body)(void *arg, unsigned number);
    void *arg;
    unsigned number;
};

static void *
start(void *arg)
{
    struct starter *s = arg;

    pthread_barrier_wait(s->barrier);
    s->body(s->arg, s->number);
    return NULL;
}

void
threads_run(unsigned count, void (*body)(void *arg, unsigned number), void *arg)
{
    struct starter *starters = xcalloc(count, sizeof *starters);
    pthread_t *threads = xcalloc(count, sizeof *threads);
    pthread_barrier_t barrier;
    pthread_attr_t attr;

    pthread_barrier_init(&barrier, NULL, count);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    for (unsigned i = 0; i < count; i++) {
        starters[i] = (struct starter){&barrier, body, arg, i};
        if (pthread_create(&threads[i], &attr, start, &starters[i]) != 0) {
            abort(); /* The others would wait for ever. */
        }
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_attr_destroy(&attr);
    pthread_barrier_destroy(&barrier);
    free(starters);
    free(threads);
}

unsigned
scaled(unsigned rounds)
{
    const char *text = getenv("TEST_SCALE");
    unsigned scale = text ? (unsigned)strtoul(text, NULL, 10) : 1;
    unsigned result = scale > 1 ? rounds / scale : rounds;

    return result ? result : 1;
}
