/* fake_embedder.c -- the hashed embedder behind a gate. */
#include "tests/fake_embedder.h"

#include "state/embed_hashed.h"

#include <time.h>

static void
pass_gate(struct fake_embedder *e, const struct embed_limits *limits)
{
    pthread_mutex_lock(&e->mutex);
    e->inside++;
    pthread_cond_broadcast(&e->moved);
    while (e->closed && !(limits && stop_is_set(&limits->stop))) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until); /* Nobody signals that it is to stop. */
        until.tv_nsec += 10000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&e->moved, &e->mutex, &until);
    }
    e->inside--;
    pthread_mutex_unlock(&e->mutex);
}

static enum err
embed(struct embedder *embedder, const struct slice *texts, size_t count,
      const struct embed_limits *limits, struct vectors *out, struct fault *f)
{
    struct fake_embedder *e = (struct fake_embedder *)embedder;
    enum err fails;

    pass_gate(e, limits);
    fails = (enum err)atomic_load(&e->fails);
    if (fails) {
        return fault_set(f, fails, "the provider says no");
    }
    atomic_fetch_add(&e->texts, count);
    return embedder_embed(e->hashed, texts, count, limits, out, f);
}

static void
nothing_to_free(struct embedder *embedder)
{
    (void)embedder;
}

static const struct embedder_class fake_class = {embed, nothing_to_free};

void
fake_embedder_init(struct fake_embedder *e, unsigned dimension)
{
    *e = (struct fake_embedder){.mutex = PTHREAD_MUTEX_INITIALIZER,
                                .moved = PTHREAD_COND_INITIALIZER};
    embedder_init(&e->embedder, &fake_class, "fake/1", dimension);
    e->hashed = embed_hashed_create(dimension);
}

void
fake_embedder_fini(struct fake_embedder *e)
{
    embedder_unref(e->hashed);
}

void
fake_embedder_close(struct fake_embedder *e)
{
    pthread_mutex_lock(&e->mutex);
    e->closed = true;
    pthread_mutex_unlock(&e->mutex);
}

void
fake_embedder_open(struct fake_embedder *e)
{
    pthread_mutex_lock(&e->mutex);
    e->closed = false;
    pthread_cond_broadcast(&e->moved);
    pthread_mutex_unlock(&e->mutex);
}

void
fake_embedder_wait_inside(struct fake_embedder *e, unsigned calls)
{
    pthread_mutex_lock(&e->mutex);
    while (e->inside < calls) {
        pthread_cond_wait(&e->moved, &e->mutex);
    }
    pthread_mutex_unlock(&e->mutex);
}
