/* helpdesk_remote.h -- an index file that is elsewhere: fetched, and kept for a while.
 *
 * The copy says when it was fetched and from where, so that another address is another source.  One
 * that is too old is still better than none: it is used if there is no new one, and that is told.
 * What was fetched is kept only once it has been found good.  One thread at a time, no lock held.
 */
#ifndef TANDEM_HELPDESK_REMOTE_H
#define TANDEM_HELPDESK_REMOTE_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/file.h"
#include "state/base/mem.h"
#include "state/base/stop.h"

#include <stdbool.h>

struct helpdesk_remote;

struct helpdesk_remote_options {
    const char *url;  /* One that fetch_allowed() allows; copied.  With ".json" at its end it is one
                         object, else lines. */
    struct dir *data; /* The data folder, in whose "index" the copy is; counted. */
    int64_t ttl_ns;   /* How long a copy is good. */
    const struct clock *clock; /* Borrowed. */
};

/* A new one, which has fetched nothing yet. */
struct helpdesk_remote *helpdesk_remote_create(const struct helpdesk_remote_options *options);
/* Null is ignored. */
void helpdesk_remote_destroy(struct helpdesk_remote *r);
/* Whether it is JSON lines. */
bool helpdesk_remote_is_lines(const struct helpdesk_remote *r);

/* Appends the copy to 'out' and returns true, if there is one of at most 'max' bytes; '*old': it is
 * no longer good. */
bool helpdesk_remote_copy(struct helpdesk_remote *r, size_t max, struct buf *out, bool *old);
/* Fetches the file; gives up once 'stop' (or null) is set.  Errors as fetcher_get(). */
enum err helpdesk_remote_fetch(struct helpdesk_remote *r, size_t max, const struct stop *stop,
                               struct buf *out, struct fault *f);
/* Makes what was fetched the copy.  One that cannot be written is only logged. */
void helpdesk_remote_keep(struct helpdesk_remote *r, struct slice text);

#endif
