/* need.h -- asking the client in the middle of a request: a form, a page to open, a model's words,
 * its roots.
 *
 * A handler is written once.  It calls need() and goes on with the answers; where they are not
 * there yet, need() returns E_INPUT and the handler returns that at once, having changed nothing.
 * It is run again from its beginning when they are: so everything before the last need() must be
 * the same each time and have no effects.  How the client is asked is the era's business:
 *
 *   legacy   the server sends requests ahead of the answer, and the request is parked
 *            (handlers/park.h) until the last response, a cancel, or limits.ask_time
 *   modern   the answer says input_required, and the client sends the request again with its
 *            answers and a requestState that only we can read
 *   a task   the request is parked, and its host (below) asks
 *
 * need() is for the thread that runs the request, which must be a worker's unless all its clients
 * are modern.  All else: any thread. */
#ifndef TANDEM_NEED_H
#define TANDEM_NEED_H

#include "handlers/request.h"

enum need_kind {
    NEED_FORM,     /* elicitation/create: a person fills in a form. */
    NEED_URL,      /* elicitation/create: a person is sent to a page. */
    NEED_SAMPLING, /* sampling/createMessage: the client's model says something. */
    NEED_ROOTS,    /* roots/list: which folders the client works on. */
    NEED_KIND_COUNT
};

/* What came of it.  Only forms and pages are declined or cancelled; only a legacy client refuses:
 * it answered with an error. */
enum need_outcome { NEED_ACCEPTED, NEED_DECLINED, NEED_CANCELLED, NEED_REFUSED };

struct need {
    const char *key; /* Of its own in the request; borrowed. */
    enum need_kind kind;
    json_t *params; /* Stolen by need(), also on error; null for none. */
    /* Modern: only an answer to this very question counts, which the client must prove to have got
     * by the requestState.  Else one that it sends unasked is taken too. */
    bool bound;
    /* Set by need() where it returns E_OK. */
    enum need_outcome outcome;
    /* If accepted: of a form its content, which fits its schema and has no other members; of
     * sampling and roots the whole result, which is well formed.  Else null.  Borrowed until the
     * request ends. */
    const json_t *answer;
    const char *said; /* If refused: the client's words.  Borrowed likewise. */
};

#define NEED_MAX 16 /* Questions of one request. */

/* New params.  Of a form: 'schema' (stolen) is flat, an object of strings, numbers, booleans and
 * choices.  Of a page: 'id' is the handler's own name for the visit. */
json_t *need_form(const char *message, json_t *schema);
json_t *need_url(const char *message, const char *url, const char *id);

/* Whether the client of this request declared that it can be asked for 'kind'. */
bool need_allowed(const struct request *req, enum need_kind kind);

/* Gets the answers to 'needs', asking for those that are not there, all in one round.  E_OK: each
 * of 'needs' has its outcome.  E_INPUT: not yet, see above.  Else the handler gives up and returns
 * it: E_CAPABILITY or E_NO_INPUT where the client cannot be asked for a kind (need_allowed() tells
 * before), E_TIMEOUT if it did not answer in time, E_LIMIT if too many are asked already, ... */
enum err need(struct request *req, struct need *needs, size_t count, struct fault *f);

/* The same for pages (NEED_URL) without which the call makes no sense.  A client of 2025-11-25 is
 * told so by an error (E_PAGES) and calls again when it has been there, so no call waits for it. */
enum err need_pages(struct request *req, struct need *pages, size_t count, struct fault *f);
/* What the page 'id' was for is done: tells the legacy client that was sent there, if it knows such
 * a message.  Errors as mcp_session_send().  Any thread. */
enum err need_page_done(struct mcp_session *session, const char *id);

/* ---- For tasks ---- */

/* Who asks in place of the request's own client: embedded in a task, and set as req->host before
 * the request runs.  Its requests are parked in either era, without a limit of time. */
struct need_host {
    /* The request was parked, or is run again.  INFLIGHT is held. */
    void (*parked)(struct need_host *host, bool parked);
};

/* Adds what a request that is being parked lacks, in the form below; for need_host.parked(). */
void need_add_lacking(const struct request *req, struct buf *out);
/* Adds what the parked request of 'host' lacks, {"key":{"method":...,"params":...},...}, to 'out'.
 * False, and nothing added, if it is not parked. */
bool need_lacks(struct dispatcher *d, const struct need_host *host, struct buf *out);
/* Answers one question of the parked request, which runs again when nothing is lacking any more.
 * 'answer', the bare result, is borrowed.  E_NOT_FOUND if this key is not asked for (now);
 * E_ARGUMENT if the answer is malformed: it is asked for still. */
enum err need_give(struct dispatcher *d, const struct need_host *host, const char *key,
                   const json_t *answer, struct fault *f);
/* Legacy: sends what the parked request lacks and was not sent yet, as requests to its session,
 * over 'sink', each with 'meta' (JSON text of an object; borrowed) as its _meta.  The responses
 * find their way by themselves. */
enum err need_ask(struct dispatcher *d, const struct need_host *host, struct sink *sink,
                  struct slice meta);
/* What was sent and not answered will not be: the next need_ask() sends it again. */
void need_unask(struct dispatcher *d, const struct need_host *host);

#endif
