/* script.c -- see script.h. */
#include "tests/script.h"

#include "tests/check.h"

bool
script_starts(struct slice message, const char *word)
{
    return message.len >= strlen(word) && memcmp(message.data, word, strlen(word)) == 0;
}

void
script_answer_with(struct sink *sink, const struct reply *reply)
{
    sink->class->answer(sink, reply);
    sink->class->unref(sink);
}

void
script_answer(struct sink *sink, int status, struct slice body)
{
    script_answer_with(sink, &(struct reply){.body = body, .status = status});
}

void
script_answer_big(struct sink *sink, int status, size_t size)
{
    char *big = xcalloc(size, 1);

    memset(big, 'x', size);
    script_answer(sink, status, (struct slice){big, size});
    free(big);
}

enum err
script_say(struct sink *sink, const char *text)
{
    return sink->class->send(sink, &(struct event){.body = slice_of(text)});
}

/* ---- Late answers ---- */

struct answer {
    struct script_late *late;
    struct sink *sink;
    const char *ahead;
    struct reply reply;
    char *body; /* Owned. */
};

void
script_late_init(struct script_late *late)
{
    late->running = 0;
    pthread_mutex_init(&late->mutex, NULL);
    pthread_cond_init(&late->none, NULL);
}

static void *
answer_late(void *arg)
{
    struct answer *a = arg;
    struct script_late *late = a->late;

    if (a->ahead) {
        script_say(a->sink, a->ahead);
    }
    script_answer_with(a->sink, &a->reply);
    free(a->body);
    free(a);
    pthread_mutex_lock(&late->mutex);
    if (--late->running == 0) {
        pthread_cond_signal(&late->none);
    }
    pthread_mutex_unlock(&late->mutex);
    return NULL;
}

void
script_answer_late(struct script_late *late, struct sink *sink, const char *ahead,
                   const struct reply *reply)
{
    struct answer *a = xcalloc(1, sizeof *a);
    pthread_t thread;

    *a = (struct answer){late, sink, ahead, *reply, xstrndup(reply->body.data, reply->body.len)};
    a->reply.body.data = a->body;
    pthread_mutex_lock(&late->mutex);
    late->running++;
    pthread_mutex_unlock(&late->mutex);
    if (pthread_create(&thread, NULL, answer_late, a) != 0) {
        abort();
    }
    pthread_detach(thread);
}

void
script_late_fini(struct script_late *late)
{
    pthread_mutex_lock(&late->mutex);
    while (late->running) {
        pthread_cond_wait(&late->none, &late->mutex);
    }
    pthread_mutex_unlock(&late->mutex);
    pthread_cond_destroy(&late->none);
    pthread_mutex_destroy(&late->mutex);
}

/* ---- Settings and answers ---- */

void
script_set(struct settings *settings, enum setting setting, const char *text)
{
    CHECK(settings_set(settings, setting, text, ORIGIN_OPTION, NULL) == E_OK);
}

void
script_expect_header(const struct response *r, const char *name, const char *value)
{
    char *got = client_header(r, name);

    CHECK_STR(got, value);
    free(got);
}
