/* fetch.h -- one document over HTTPS, bounded in size and time, and given up at once if need be.
 *
 * libcurl does the work.  It brings two dozen libraries along, so it is loaded when the first
 * document is asked for: who needs none pays nothing.  Only https:// is spoken, and http:// to this
 * machine; redirects are not followed. */
#ifndef TANDEM_FETCH_H
#define TANDEM_FETCH_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdbool.h>

struct fetcher;

/* Whether 'url' is one that may be fetched: "https://HOST...", or "http://" with 127.0.0.1, [::1]
 * or localhost; without user, blanks and control characters.  Pure. */
bool fetch_allowed(const char *url);

/* A new fetcher; it has loaded nothing yet. */
struct fetcher *fetcher_create(void);
/* No call may be running.  Null is ignored. */
void fetcher_destroy(struct fetcher *f);
/* Adds the document at 'url', which fetch_allowed() allows, to 'out': all of it, told with status
 * 200 within 'timeout_ms', at most 'max' bytes.  One thread at a time, holding no lock.
 * E_NOT_READY: libcurl is not installed; E_TOO_LARGE; E_TIMEOUT; E_CANCELLED; E_IO for all else. */
enum err fetcher_get(struct fetcher *f, const char *url, size_t max, int timeout_ms,
                     struct buf *out, struct fault *fault);
/* A call that runs, and all later ones, end with E_CANCELLED at once.  Any thread. */
void fetcher_cancel(struct fetcher *f);

#endif
