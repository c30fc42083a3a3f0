/* jwks.c -- a thread that looks at the source of keys when it is asked to.
 *
 * DESIGN.  Whoever checks tokens has no time to wait, so looking is this thread's alone; it sleeps
 * until 'wanted' is set.  The keys are swapped whole.  A look that finds what is there already
 * changes nothing, so that what was derived from the keys stays good. */
#include "state/jwks.h"

#include "state/base/lock.h"
#include "state/base/log.h"
#include "state/base/thread.h"
#include "state/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

LOG_MODULE("jwks");

#define SECOND_NS INT64_C(1000000000)
#define URL_OLD_NS (600 * SECOND_NS) /* Keys of this age are fetched anew when they are used. */
#define URL_EVERY_NS (60 * SECOND_NS)
#define URL_RETRY_NS (5 * SECOND_NS) /* After a look that failed. */
#define FILE_OLD_NS SECOND_NS

struct jwks {
    char *source; /* Owned; set once, as are those up to 'lock'. */
    const struct clock *clock;
    int timeout_ms;
    bool url;
    struct fetcher *fetcher; /* Owned. */
    pthread_t thread;
    struct lock lock;
    struct cond work;
    struct jwk_set *keys GUARDED_BY(LC_KEYS); /* Counted; null while there are none. */
    uint64_t generation GUARDED_BY(LC_KEYS);
    bool wanted GUARDED_BY(LC_KEYS), looking GUARDED_BY(LC_KEYS), stopping GUARDED_BY(LC_KEYS);
    bool failed GUARDED_BY(LC_KEYS);       /* The last look. */
    int64_t looked_ns GUARDED_BY(LC_KEYS); /* When it ended. */
    int64_t searched_ns
        GUARDED_BY(LC_KEYS); /* When a key was last looked for that none of ours was. */
    struct jwks_waiter *waiters GUARDED_BY(LC_KEYS);
    struct jwks_counters counters GUARDED_BY(LC_KEYS);
    struct buf text; /* The thread's own: what the keys were made of. */
};

/* ---- Sources ---- */

/* The file is the operator's own, so links are followed: containers mount it as one. */
static enum err
read_file(const char *path, struct buf *out, struct fault *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum err err = E_OK;
    struct stat st;
    ssize_t n = 1;

    out->limit = JWK_TEXT_MAX;
    if (fd < 0) {
        return fault_set(f, errno == ENOENT ? E_NOT_FOUND : E_IO, "it cannot be opened: %s",
                         strerror(errno));
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        err = fault_set(f, E_IO, "it is not a regular file");
    }
    while (!err && n > 0) {
        char piece[4096];

        n = read(fd, piece, sizeof piece);
        if (n < 0) {
            err = fault_set(f, E_IO, "it cannot be read: %s", strerror(errno));
        } else if (n > 0) {
            buf_add(out, piece, (size_t)n);
        }
        if (out->failed) {
            err = fault_set(f, E_TOO_LARGE, "it is larger than %zu bytes", JWK_TEXT_MAX);
        }
    }
    close(fd);
    return err;
}

/* Reads the source into '*keys', counted, or null if it says what it said before. */
static enum err
read_source(struct jwks *j, struct jwk_set **keys, struct fault *f)
{
    struct buf text = BUF_INIT;
    enum err err;

    *keys = NULL;
    err = j->url ? fetcher_get(j->fetcher, j->source, JWK_TEXT_MAX, j->timeout_ms, &text, f)
                 : read_file(j->source, &text, f);
    if (!err && !(j->text.data && slice_equal(buf_slice(&text), buf_slice(&j->text)))) {
        err = jwk_set_parse(buf_slice(&text), keys, f);
    }
    if (*keys) {
        struct buf old = j->text;

        j->text = text;
        text = old;
        if ((*keys)->passed_over) {
            log_warn("some keys are of no use and were passed over", F_UINT("keys", (*keys)->count),
                     F_UINT("passed_over", (*keys)->passed_over));
        }
    }
    buf_fini(&text);
    return err;
}

/* ---- The thread ---- */

/* Looks once, and tells those who waited. */
static enum err
look(struct jwks *j, struct fault *f)
{
    struct jwk_set *keys, *old = NULL;
    struct jwks_waiter *waiters, *next;
    enum err err = read_source(j, &keys, f);

    LOCK(KEYS, &j->lock);
    if (keys) {
        old = j->keys;
        j->keys = keys;
        j->generation++;
        j->counters.changes++;
    }
    j->looking = false;
    j->failed = err != E_OK;
    j->looked_ns = clock_mono(j->clock);
    j->counters.looks++;
    j->counters.failures += err != E_OK;
    waiters = j->waiters;
    j->waiters = NULL;
    UNLOCK(KEYS, &j->lock);
    jwk_set_unref(old);
    for (; waiters; waiters = next) {
        next = waiters->next;
        waiters->ready(waiters);
    }
    return err;
}

static void *
look_when_asked(void *arg)
{
    struct jwks *j = arg;
    bool stopping;

    do {
        struct fault f = FAULT_INIT;

        LOCK(KEYS, &j->lock);
        while (!j->wanted && !j->stopping) {
            cond_wait(&j->work, &j->lock, INT64_MAX);
        }
        stopping = j->stopping;
        j->wanted = false;
        j->looking = !stopping;
        UNLOCK(KEYS, &j->lock);
        if (!stopping && look(j, &f) != E_OK && f.code != E_CANCELLED) {
            log_warn_rl("the issuer's keys cannot be read; those that are known stay",
                        F_STR("why", f.text));
        }
    } while (!stopping);
    return NULL;
}

static UNSHARED void
free_jwks(struct jwks *j)
{
    struct jwks_waiter *next;

    for (struct jwks_waiter *w = j->waiters; w; w = next) {
        next = w->next;
        w->ready(w);
    }
    cond_fini(&j->work);
    lock_fini(&j->lock);
    jwk_set_unref(j->keys);
    fetcher_destroy(j->fetcher);
    buf_fini(&j->text);
    free(j->source);
    free(j);
}

UNSHARED enum err
jwks_create(const struct jwks_options *options, struct jwks **result, struct fault *f)
{
    struct jwks *j = xcalloc(1, sizeof *j);
    enum err err = E_OK;

    *result = NULL;
    j->source = xstrdup(options->source);
    j->clock = options->clock;
    j->timeout_ms = options->timeout_ms;
    j->url = fetch_allowed(j->source);
    j->fetcher = fetcher_create();
    lock_init(&j->lock, RANK_KEYS);
    cond_init(&j->work);
    j->wanted = j->url;
    j->searched_ns = clock_mono(j->clock) - URL_EVERY_NS;
    if (!j->url) {
        err = look(j, f);
    }
    if (!err && thread_start(&j->thread, "tandem-keys", look_when_asked, j) != 0) {
        err = fault_set(f, E_IO, "the thread that reads the keys could not be started");
    }
    if (!err) {
        *result = j;
        return E_OK;
    }
    free_jwks(j);
    return err;
}

void
jwks_destroy(struct jwks *j)
{
    if (j) {
        LOCK(KEYS, &j->lock);
        j->stopping = true;
        cond_signal(&j->work);
        UNLOCK(KEYS, &j->lock);
        fetcher_cancel(j->fetcher);
        pthread_join(j->thread, NULL);
        free_jwks(j);
    }
}

/* ---- Who uses the keys ---- */

static void
want_look_locked(struct jwks *j) REQUIRES(LC_KEYS)
{
    if (!j->wanted) {
        j->wanted = true;
        cond_signal(&j->work);
    }
}

struct jwk_set *
jwks_current(struct jwks *j, uint64_t *generation)
{
    int64_t now_ns = clock_mono(j->clock), old_ns = j->url ? URL_OLD_NS : FILE_OLD_NS;
    struct jwk_set *keys;

    LOCK(KEYS, &j->lock);
    keys = j->keys ? jwk_set_ref(j->keys) : NULL;
    *generation = j->generation;
    old_ns = j->failed && j->url ? URL_RETRY_NS : old_ns;
    if (keys && !j->looking && now_ns - j->looked_ns >= old_ns) {
        want_look_locked(j);
    }
    UNLOCK(KEYS, &j->lock);
    return keys;
}

/* Whether a key may be looked for that is not among ours. */
static bool
may_look_locked(const struct jwks *j, int64_t now_ns) REQUIRES(LC_KEYS)
{
    return !j->url     ? true
           : j->failed ? now_ns - j->looked_ns >= URL_RETRY_NS
                       : now_ns - j->searched_ns >= URL_EVERY_NS;
}

enum jwks_look
jwks_look(struct jwks *j, uint64_t generation, struct jwks_waiter *waiter)
{
    int64_t now_ns = clock_mono(j->clock);
    enum jwks_look answer;

    LOCK(KEYS, &j->lock);
    if (j->generation != generation) {
        answer = JWKS_CHANGED;
    } else if (waiter && !j->stopping && (j->wanted || j->looking || may_look_locked(j, now_ns))) {
        waiter->next = j->waiters;
        j->waiters = waiter;
        j->searched_ns = j->generation ? now_ns : j->searched_ns;
        if (!j->looking) {
            want_look_locked(j);
        }
        answer = JWKS_WAIT;
    } else {
        answer = j->failed || !j->generation ? JWKS_TROUBLED : JWKS_SETTLED;
    }
    UNLOCK(KEYS, &j->lock);
    return answer;
}

void
jwks_refresh(struct jwks *j)
{
    LOCK(KEYS, &j->lock);
    want_look_locked(j);
    UNLOCK(KEYS, &j->lock);
}

struct jwks_counters
jwks_counters(struct jwks *j)
{
    struct jwks_counters counters;

    LOCK(KEYS, &j->lock);
    counters = j->counters;
    UNLOCK(KEYS, &j->lock);
    return counters;
}
