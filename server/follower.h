/* follower.h -- a client of the relay as it remembers itself, so that it comes back to what it
 * missed.
 *
 * Texts only: whoever has one does the talking.  One thread. */
#ifndef TANDEM_FOLLOWER_H
#define TANDEM_FOLLOWER_H

#include <jansson.h>

/* Zero is one that has never been there. */
struct follower {
    char client_id[64], epoch[64];
    json_int_t seq; /* Of the newest event that it was told. */
};

/* The first frame, new: to be told events that match 'patterns' (none: all) of 'tenant' (null: the
 * server's default one), from where it was.  Null if they are not UTF-8. */
char *follower_hello(const struct follower *f, const char *tenant, char *const *patterns,
                     int count);
/* Notes what the server answers: how to come back. */
void follower_welcomed(struct follower *f, const json_t *welcome);
/* Notes an event that it was told. */
void follower_told(struct follower *f, const json_t *event);

#endif
