/* stop.h -- whether work is to be given up: because the server is ending, or because who wanted it
 * does not any more.
 *
 * Whoever works for long looks at it now and then, and ends with E_CANCELLED.  Any thread. */
#ifndef TANDEM_STOP_H
#define TANDEM_STOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* All zero: never. */
struct stop {
    const _Atomic bool *flag; /* Set: it is.  Borrowed; may be null. */
    bool (*asked)(void *arg); /* True: it is.  Any thread; quick.  May be null. */
    void *arg;                /* Borrowed. */
};

/* Whether it can ever be. */
static inline bool
stop_can_be(const struct stop *s)
{
    return s->flag || s->asked;
}

static inline bool
stop_is_set(const struct stop *s)
{
    return (s->flag && atomic_load(s->flag)) || (s->asked && s->asked(s->arg));
}

#endif
