/* fetch.c -- libcurl, loaded late and driven by its multi interface, whose wait another thread can
 * end. */
#include "state/fetch.h"

#include "state/base/clock.h"
#include "state/version.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <strings.h>

/* The header's macros check types by the names of functions that are not linked here. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

#define CALLS(ROW)                                                                    \
    ROW(global_init)                                                                  \
    ROW(easy_init)                                                                    \
    ROW(easy_setopt)                                                                  \
    ROW(easy_getinfo)                                                                 \
    ROW(easy_cleanup)                                                                 \
    ROW(easy_strerror) ROW(multi_init) ROW(multi_add_handle) ROW(multi_remove_handle) \
        ROW(multi_perform) ROW(multi_poll) ROW(multi_wakeup) ROW(multi_info_read)     \
            ROW(multi_cleanup)

/* What is used of the library. */
struct curl {
#define ROW(NAME) __typeof__(&curl_##NAME) NAME;
    CALLS(ROW)
#undef ROW
};

struct fetcher {
    struct curl curl; /* Filled in before 'multi' is; never changed after it. */
    bool loaded;      /* The fetching thread's. */
    _Atomic(CURLM *) multi;
    _Atomic bool cancelled;
};

/* ---- Addresses ---- */

static bool
begins(const char *text, const char *with)
{
    return strncasecmp(text, with, strlen(with)) == 0;
}

static bool
is_loopback(const char *authority)
{
    static const char *const names[] = {"127.0.0.1", "[::1]", "localhost"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (begins(authority, names[i]) && strchr(":/", authority[strlen(names[i])])) {
            return true; /* strchr() finds the end of the text too. */
        }
    }
    return false;
}

bool
fetch_allowed(const char *url)
{
    const char *authority = strstr(url, "://");

    for (const char *p = url; *p; p++) {
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7F || strchr("\"\\<>", *p)) {
            return false;
        }
    }
    if (!authority || memchr(authority + 3, '@', strcspn(authority + 3, "/?#"))) {
        return false;
    }
    authority += 3;
    return (begins(url, "https://") && *authority && !strchr("/?#:", *authority)) ||
           (begins(url, "http://") && is_loopback(authority));
}

/* ---- The library ---- */

static bool
load(struct fetcher *f)
{
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    void *library = NULL;
    bool whole;

    for (size_t i = 0; !library && i < sizeof names / sizeof names[0]; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL); /* For the rest of the process. */
    }
    whole = library != NULL;
#define ROW(NAME)                                          \
    if (whole) {                                           \
        void *call = dlsym(library, "curl_" #NAME);        \
        whole = call != NULL;                              \
        memcpy(&f->curl.NAME, &call, sizeof f->curl.NAME); \
    }
    CALLS(ROW)
#undef ROW
    return whole && f->curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static enum err
prepare(struct fetcher *f, struct fault *fault)
{
    CURLM *multi;

    f->loaded = f->loaded || load(f);
    if (!f->loaded) {
        fault_set(fault, E_NOT_READY, "the library that fetches documents, libcurl, is not there");
        return fault_remedy(fault, "install it (Debian: libcurl4), or name a file instead");
    }
    if (!atomic_load(&f->multi)) {
        multi = f->curl.multi_init();
        if (!multi) {
            return fault_set(fault, E_IO, "there is no memory to fetch with");
        }
        atomic_store(&f->multi, multi);
    }
    return E_OK;
}

struct fetcher *
fetcher_create(void)
{
    return xcalloc(1, sizeof(struct fetcher));
}

void
fetcher_destroy(struct fetcher *f)
{
    if (f) {
        CURLM *multi = atomic_load(&f->multi);

        if (multi) {
            f->curl.multi_cleanup(multi);
        }
        free(f);
    }
}

void
fetcher_cancel(struct fetcher *f)
{
    CURLM *multi;

    atomic_store(&f->cancelled, true);
    multi = atomic_load(&f->multi);
    if (multi) {
        f->curl.multi_wakeup(multi);
    }
}

/* ---- One document ---- */

static size_t
on_data(char *data, size_t size, size_t count, void *arg)
{
    struct buf *out = arg;

    buf_add(out, data, size * count);
    return out->failed ? 0 : size * count;
}

static bool
set_up(const struct curl *c, CURL *easy, const char *url, int timeout_ms, struct buf *out)
{
    bool local = begins(url, "http://");
    CURLcode failed = CURLE_OK;

#define SET(OPTION, VALUE) failed = failed ? failed : c->easy_setopt(easy, OPTION, VALUE)
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, local ? "http" : "https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* A name that is not found in time is not waited for. */
    SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_USERAGENT, TANDEM_NAME "/" TANDEM_VERSION);
    SET(CURLOPT_WRITEFUNCTION, on_data);
    SET(CURLOPT_WRITEDATA, (void *)out);
    if (local) {
        SET(CURLOPT_NOPROXY, "*");
    }
#undef SET
    return !failed;
}

/* Drives the transfer to its end; returns what libcurl says of it. */
static CURLcode
drive(struct fetcher *f, CURLM *multi, int timeout_ms)
{
    const struct curl *c = &f->curl;
    int running = 1, left;

    while (running && !atomic_load(&f->cancelled)) {
        if (c->multi_perform(multi, &running) != CURLM_OK ||
            (running && c->multi_poll(multi, NULL, 0, timeout_ms, NULL) != CURLM_OK)) {
            return CURLE_FAILED_INIT;
        }
    }
    for (CURLMsg *m; (m = c->multi_info_read(multi, &left));) {
        if (m->msg == CURLMSG_DONE) {
            return m->data.result;
        }
    }
    return CURLE_ABORTED_BY_CALLBACK;
}

static enum err
tell(const struct fetcher *f, CURLcode result, long status, const struct buf *out,
     struct fault *fault)
{
    if (atomic_load(&f->cancelled)) {
        return fault_set(fault, E_CANCELLED, "given up");
    }
    if (out->failed) {
        return fault_set(fault, E_TOO_LARGE, "it is larger than %zu bytes", out->limit);
    }
    if (result == CURLE_OPERATION_TIMEDOUT) {
        return fault_set(fault, E_TIMEOUT, "it did not come in time");
    }
    if (result != CURLE_OK) {
        return fault_set(fault, E_IO, "%s", f->curl.easy_strerror(result));
    }
    return status == 200 ? E_OK : fault_set(fault, E_IO, "the answer has status %ld", status);
}

enum err
fetcher_get(struct fetcher *f, const char *url, size_t max, int timeout_ms, struct buf *out,
            struct fault *fault)
{
    CURLcode result = CURLE_OUT_OF_MEMORY;
    struct buf body = {.limit = max};
    long status = 0;
    CURL *easy;
    enum err err = prepare(f, fault);

    if (err) {
        return err;
    }
    easy = f->curl.easy_init();
    if (easy && set_up(&f->curl, easy, url, timeout_ms, &body)) {
        CURLM *multi = atomic_load(&f->multi);

        if (f->curl.multi_add_handle(multi, easy) == CURLM_OK) {
            result = drive(f, multi, timeout_ms);
            f->curl.multi_remove_handle(multi, easy);
        }
        f->curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    }
    err = tell(f, result, status, &body, fault);
    if (!err) {
        buf_add_slice(out, buf_slice(&body));
        err = out->failed ? fault_set(fault, E_TOO_LARGE, "there is no memory for it") : E_OK;
    }
    if (easy) {
        f->curl.easy_cleanup(easy);
    }
    buf_fini(&body);
    return err;
}
