/* traffic.h -- what the transports count: connections that are open, were taken, were refused.
 *
 * Plain relaxed atomics, which each transport's thread writes and anybody reads. */
#ifndef TANDEM_TRAFFIC_H
#define TANDEM_TRAFFIC_H

#include <stdatomic.h>
#include <stdint.h>

struct traffic {
    _Atomic int64_t connections;       /* Open now, WebSockets among them. */
    _Atomic int64_t websockets;        /* Open now. */
    _Atomic int64_t accepted, refused; /* Since the start. */
};

/* A new one, all 0. */
struct traffic *traffic_create(void);
/* Null is ignored. */
void traffic_destroy(struct traffic *t);

/* Adds to one of the members of 't', which may be null: then nothing is counted. */
#define traffic_add(T, MEMBER, N)                                                        \
    do {                                                                                 \
        if (T) {                                                                         \
            atomic_fetch_add_explicit(&(T)->MEMBER, (int64_t)(N), memory_order_relaxed); \
        }                                                                                \
    } while (0)

#endif
