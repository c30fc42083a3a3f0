/* need_private.h -- what the files behind need share.
 *
 *   need.c         need() itself: which answers are there, which must be asked for
 *   need_answer.c  what a good answer is
 *   need_form.c    forms for clients that know less of them
 *   need_page.c    pages that must have been visited
 *   need_state.c   modern: what travels with the client from one round to the next
 *   need_park.c    legacy and tasks: requests that wait, and answers that arrive
 *   need_host.c    what tasks do for them
 *   need_end.c     what else ends their waiting */
#ifndef TANDEM_NEED_PRIVATE_H
#define TANDEM_NEED_PRIVATE_H

#include "handlers/asks.h"
#include "handlers/need.h"
#include "handlers/park.h"
#include "handlers/seal.h"
#include "state/base/lock.h"

#define NEED_ANSWER_MAX ((size_t)256 * 1024) /* Bytes of one answer. */
#define NEED_STATE_MAX ((size_t)128 * 1024)  /* Bytes of a requestState. */
#define NEED_STATE_SECONDS 600               /* For so long a client may take to answer. */
#define NEED_TRIES 3u                        /* How often a legacy client is asked the same. */

/* A question and what came of it. */
struct need_slot {
    char *key; /* Owned. */
    enum need_kind kind;
    json_t *params; /* Owned, immutable. */
    char *call;     /* Owned: "method":...,"params":... as JSON text. */
    char digest[SEAL_DIGEST_SIZE];
    json_t *answer; /* Owned; null until it is there.  As it came, until 'checked'. */
    json_t *error;  /* Owned; or the client's error instead. */
    bool bound;
    bool checked;
    bool wanted; /* It is one that the last run lacked. */
    unsigned tries;
    int64_t ask_id; /* Of the server's request; 0: not sent. */
};

/* All that a request asked.  Of the thread that runs it; of who holds INFLIGHT while it is parked.
 */
struct needs {
    struct need_slot slots[NEED_MAX];
    size_t count;
    unsigned round;      /* Modern: how often it was asked. */
    bool retried;        /* Modern: the client sent a requestState. */
    json_t *asked;       /* Of it: {key: digest of the question}; may be null. */
    json_t *kept;        /* Of it: {key: [digest, answer]}; may be null. */
    json_t *responses;   /* What came with it; may be null. */
    struct fault failed; /* Why there will be no answer: what need() says from now on. */
    int64_t expires_ns;  /* Until then it waits for the answers. */
};

/* What requestStates are sealed with; borrowed from the dispatcher. */
const struct seal *asks_seal(const struct asks *a);
/* The slot of a key, or null. */
struct need_slot *needs_find(struct needs *n, const char *key);
void need_slot_forget(struct need_slot *slot);
/* Checks an answer as it came and takes out of it what was not asked for.  E_ARGUMENT. */
enum err need_check(enum need_kind kind, const json_t *params, json_t *answer, struct fault *f);
/* Says a form as the client's revision knows it.  E_NO_INPUT if that has no words for it. */
enum err need_form_fit(const struct request *req, struct need *want, struct fault *f);
/* Adds {"key":{...},...} of what is wanted to 'out'. */
void needs_add_wanted(const struct needs *n, struct buf *out);
/* Seals what the next round must know into 'out', as JSON text.  E_TOO_LARGE. */
enum err need_seal_state(struct request *req, struct buf *out, struct fault *f);
/* Of the compact text of 'value' with sorted keys. */
void need_digest(const json_t *value, char out[SEAL_DIGEST_SIZE]);

struct asks {
    struct asks_limits limits; /* Set once, without the secret. */
    struct seal *seal;         /* Owned. */
    bool closed GUARDED_BY(LC_INFLIGHT);
};

/* ---- need_park.c for need_host.c and need_end.c ---- */

struct arrival {
    const struct mcp_session *session; /* Legacy: whose response it is. */
    int64_t ask_id;
    const struct need_host *host; /* Else: whose question. */
    const char *key;
    json_t *answer, *error; /* Null once taken. */
    struct taken taken;
};

/* Sends what was not sent yet to the session of 'req', over 'sink'; 'meta' (JSON, or empty) goes
 * with each. */
enum err needs_send_locked(struct request *req, struct sink *sink, struct slice meta)
    REQUIRES(LC_INFLIGHT);
/* Takes back what was asked and not answered. */
void needs_cancel_locked(struct request *req, const char *why) REQUIRES(LC_INFLIGHT);
/* That, and takes a parked request, with an error that need() will tell. */
void needs_fail_locked(struct request *req, const struct fault *f, const char *why,
                       struct taken *taken) REQUIRES(LC_INFLIGHT);
/* Whether something is wanted that is not answered. */
bool needs_lack(const struct needs *n);
/* The slot that an arrival (the argument of the second) answers, or null; gives it the answer. */
struct need_slot *needs_slot_meant(struct needs *n, const struct arrival *a);
void needs_arrive(struct request *first, void *arg) REQUIRES(LC_INFLIGHT);

#endif
