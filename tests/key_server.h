/* key_server.h -- where keys are fetched from, in tests: says what it is told, counts, and waits
 * when the test wants it to. */
#ifndef TANDEM_TESTS_KEY_SERVER_H
#define TANDEM_TESTS_KEY_SERVER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>

struct key_server {
    int fd;
    unsigned port;
    char url[64];
    pthread_t thread;
    _Atomic unsigned hits;
    _Atomic bool hold; /* Each request waits for key_server_release(). */
    sem_t held, go;    /* 'held' is posted for each that waits. */
    pthread_mutex_t mutex;
    int status; /* Under 'mutex', as what follows. */
    char *body;
    bool cut; /* Says that the body is longer than it is. */
};

void key_server_start(struct key_server *s);
void key_server_stop(struct key_server *s);
/* What is answered from now on; 'body' is copied. */
void key_server_say(struct key_server *s, int status, const char *body);
/* Waits until a request is held, or lets one go. */
void key_server_await(struct key_server *s);
void key_server_release(struct key_server *s);

#endif
