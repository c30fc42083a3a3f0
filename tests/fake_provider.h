/* fake_provider.h -- a provider of vectors for tests, of either dialect, on a loopback port.
 *
 * Its vectors are hashed ones, but for texts that it has been told the meaning of.  It counts,
 * keeps what it was asked last, and makes all the trouble that a test wants. */
#ifndef TANDEM_TESTS_FAKE_PROVIDER_H
#define TANDEM_TESTS_FAKE_PROVIDER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct fake_connection;

/* A question. */
struct fake_asked {
    char path[64], key[128]; /* "" without a key. */
    char *body;              /* Owned. */
};

/* What it does with the next questions. */
struct fake_trouble {
    unsigned times;    /* How many of them; 0: none. */
    int status;        /* 0: 200. */
    const char *head;  /* Header lines, each with its line end; or null. */
    const char *body;  /* Borrowed; null: vectors. */
    size_t flood;      /* So many bytes of the body's last one follow it. */
    bool cut, refuses; /* Ends in the middle; closes without an answer. */
};

struct fake_provider {
    int fd;
    unsigned port;
    char url[64]; /* "http://127.0.0.1:PORT" */
    pthread_t thread;
    _Atomic unsigned requests, texts; /* Asked, and of them that got vectors. */
    _Atomic unsigned largest;         /* Texts of one question. */
    _Atomic unsigned connections, waiting;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* Under 'mutex'. */
    unsigned dimension;
    size_t text_max;
    const char *meanings[8][2];
    struct fake_trouble trouble;
    bool hangs, ending;
    struct fake_asked asked;
    struct fake_connection *all;
};

void fake_provider_start(struct fake_provider *p);
/* Like a process that is killed: connections end, and its port refuses others. */
void fake_provider_stop(struct fake_provider *p);

void fake_provider_trouble(struct fake_provider *p, const struct fake_trouble *trouble);
/* Whether questions wait without an answer until it is set to false, or it is stopped. */
void fake_provider_hang(struct fake_provider *p, bool hangs);
/* Returns once 'count' questions wait. */
void fake_provider_await(struct fake_provider *p, unsigned count);
/* A text that has 'word' in it gets the vector of 'meaning'; both borrowed. */
void fake_provider_mean(struct fake_provider *p, const char *word, const char *meaning);
/* The dimension of its vectors (32 at first); and a question with a text over 'text_max' bytes gets
 * status 400 (0: none). */
void fake_provider_shape(struct fake_provider *p, unsigned dimension, size_t text_max);
/* A copy of the last question, whose body the caller frees. */
struct fake_asked fake_provider_asked(struct fake_provider *p);

#endif
