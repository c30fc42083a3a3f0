/* fetch.h -- one question over HTTPS to the world outside, bounded in size and time, and given up
 * at once if need be.
 *
 * libcurl does the work.  It brings two dozen libraries along, so it is loaded when something is
 * asked for: who needs none pays nothing.  Only https:// is spoken, and http:// to this machine and
 * to hosts that the operator has named; redirects are not followed, and what is asked, the headers
 * and the answer are told in no error. */
#ifndef TANDEM_FETCH_H
#define TANDEM_FETCH_H

#include "state/base/err.h"
#include "state/base/mem.h"
#include "state/base/stop.h"

#include <stdbool.h>

struct fetcher;

/* Whether 'url' is one that may be fetched: "https://HOST...", or "http://" with 127.0.0.1, [::1]
 * or localhost; without user, blanks and control characters.  Pure. */
bool fetch_allowed(const char *url);
/* The same with "http://" to 'host' allowed too, a name or address as it stands in the URL. */
bool fetch_allowed_to(const char *url, struct slice host);

/* A new fetcher; it has loaded nothing yet. */
struct fetcher *fetcher_create(void);
/* No call may be running.  Null is ignored. */
void fetcher_destroy(struct fetcher *f);
/* Adds the document at 'url', which fetch_allowed() allows, to 'out': all of it, told with status
 * 200 within 'timeout_ms', at most 'max' bytes.  One thread at a time, holding no lock.
 * E_NOT_READY: libcurl is not installed; E_TOO_LARGE; E_TIMEOUT; E_CANCELLED; E_IO for all else. */
enum err fetcher_get(struct fetcher *f, const char *url, size_t max, int timeout_ms,
                     struct buf *out, struct fault *fault);

#define FETCH_HEADERS_MAX 4u

struct fetch_request {
    const char *url;                        /* One that may be fetched. */
    const char *headers[FETCH_HEADERS_MAX]; /* "Name: value"; up to the first null. */
    struct slice body;                      /* With data: POST, else GET. */
    size_t max;                             /* Bytes of the answer. */
    int timeout_ms;
    struct stop stop; /* Looked at every FETCH_STOP_MS. */
};
struct fetch_answer {
    struct buf body; /* The caller's to end, also after an error. */
    long status;
    int64_t retry_after_ms; /* As the answer asks for; -1: it does not. */
};
#define FETCH_STOP_MS 50

/* Asks, and takes any answer that comes whole.  Threads and errors as fetcher_get(). */
enum err fetcher_send(struct fetcher *f, const struct fetch_request *request,
                      struct fetch_answer *answer, struct fault *fault);
/* Waits for 'ms'; false if that was given up.  Threads as above; after a fetcher_send(). */
bool fetcher_rest(struct fetcher *f, int64_t ms, const struct stop *stop);
/* A call that runs, and all later ones, end with E_CANCELLED at once.  Any thread. */
void fetcher_cancel(struct fetcher *f);

#endif
