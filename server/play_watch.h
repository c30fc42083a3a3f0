/* play_watch.h -- an agent of the demonstration that watches events on the relay, leaves, and comes
 * back.
 *
 * One thread at a time. */
#ifndef TANDEM_PLAY_WATCH_H
#define TANDEM_PLAY_WATCH_H

#include "server/follower.h"
#include "server/play.h"

#include <stdbool.h>

/* Zero is one that has never been there. */
struct play_watcher {
    struct follower follower;
    struct ws_client *client; /* Null while it is away. */
    json_t *replayed;         /* An array: told together, and not asked for yet; or null. */
};

/* Connects, for events that match 'pattern'.  '*resumed': the server goes on where it was. */
enum err play_watch_open(struct play_watcher *w, const struct play *p, const char *pattern,
                         bool *resumed, struct fault *f);
/* The next event, new; waits for it.  Null with the error, also if the server says that there are
 * some which cannot be told any more. */
json_t *play_watch_next(struct play_watcher *w, struct fault *f);
/* Leaves; it may come back. */
void play_watch_close(struct play_watcher *w);

#endif
