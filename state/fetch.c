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
#include <unistd.h>

/* The header's macros check types by the names of functions that are not linked here. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

/* clang-format off */
#define CALLS(ROW)                                                                                 \
    ROW(global_init)   ROW(easy_init)        ROW(easy_setopt)         ROW(easy_getinfo)            \
    ROW(easy_cleanup)  ROW(easy_strerror)    ROW(slist_append)        ROW(slist_free_all)          \
    ROW(multi_init)    ROW(multi_add_handle) ROW(multi_remove_handle) ROW(multi_perform)           \
    ROW(multi_poll)    ROW(multi_wakeup)     ROW(multi_info_read)     ROW(multi_cleanup)
/* clang-format on */

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

static bool
is_host(const char *authority, struct slice host)
{
    return host.len && strncasecmp(authority, host.data, host.len) == 0 &&
           strchr(":/", authority[host.len]);
}

bool
fetch_allowed_to(const char *url, struct slice host)
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
           (begins(url, "http://") && (is_loopback(authority) || is_host(authority, host)));
}

bool
fetch_allowed(const char *url)
{
    return fetch_allowed_to(url, SLICE_NONE);
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

/* ---- One question ---- */

static size_t
on_data(char *data, size_t size, size_t count, void *arg)
{
    struct buf *out = arg;

    buf_add(out, data, size * count);
    return out->failed ? 0 : size * count;
}

/* What is being asked. */
struct asked {
    CURL *easy;
    struct curl_slist *headers;
};

static bool
add_headers(const struct curl *c, const struct fetch_request *r, struct asked *asked)
{
    const char *const *header = r->headers;
    bool good = true;

    for (size_t i = 0; i < FETCH_HEADERS_MAX && header[i] && good; i++) {
        struct curl_slist *more = c->slist_append(asked->headers, header[i]);

        good = more != NULL;
        asked->headers = good ? more : asked->headers;
    }
    return good;
}

/* The certificates of authorities: where libcurl was built to look for them, else, as it may have
 * come from another system, where this one has them.  Null: it is to look where it does. */
static const char *
authorities(const struct curl *c, CURL *easy)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Arch, Alpine. */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora. */
        "/etc/ssl/ca-bundle.pem",             /* SUSE. */
    };
    const char *own = NULL;

    if (c->easy_getinfo(easy, CURLINFO_CAINFO, &own) == CURLE_OK && own && access(own, R_OK) == 0) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (access(places[i], R_OK) == 0) {
            return places[i];
        }
    }
    return NULL;
}

static bool
set_up(const struct curl *c, const struct fetch_request *r, struct buf *out, struct asked *asked)
{
    CURL *easy = asked->easy;
    bool plain = begins(r->url, "http://");
    const char *bundle = plain ? NULL : authorities(c, easy);
    CURLcode failed = add_headers(c, r, asked) ? CURLE_OK : CURLE_OUT_OF_MEMORY;

#define SET(OPTION, VALUE) failed = failed ? failed : c->easy_setopt(easy, OPTION, VALUE)
    SET(CURLOPT_URL, r->url);
    SET(CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* A name that is not found in time is not waited for. */
    SET(CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_USERAGENT, TANDEM_NAME "/" TANDEM_VERSION);
    SET(CURLOPT_HTTPHEADER, asked->headers);
    SET(CURLOPT_WRITEFUNCTION, on_data);
    SET(CURLOPT_WRITEDATA, (void *)out);
    if (r->body.data) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
        SET(CURLOPT_POSTFIELDS, r->body.data);
    }
    if (plain) {
        SET(CURLOPT_NOPROXY, "*");
    }
    if (bundle) {
        SET(CURLOPT_CAINFO, bundle);
    }
#undef SET
    return !failed;
}

static bool
is_given_up(const struct fetcher *f, const struct stop *stop)
{
    return atomic_load(&f->cancelled) || stop_is_set(stop);
}

/* Drives the transfer to its end; returns what libcurl says of it. */
static CURLcode
drive(struct fetcher *f, CURLM *multi, const struct fetch_request *r)
{
    const struct curl *c = &f->curl;
    int wait_ms =
        stop_can_be(&r->stop) && r->timeout_ms > FETCH_STOP_MS ? FETCH_STOP_MS : r->timeout_ms;
    int running = 1, left;

    while (running && !is_given_up(f, &r->stop)) {
        if (c->multi_perform(multi, &running) != CURLM_OK ||
            (running && c->multi_poll(multi, NULL, 0, wait_ms, NULL) != CURLM_OK)) {
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
tell(const struct fetcher *f, const struct fetch_request *r, CURLcode result, const struct buf *out,
     struct fault *fault)
{
    if (is_given_up(f, &r->stop)) {
        return fault_set(fault, E_CANCELLED, "given up");
    }
    if (out->failed) {
        return fault_set(fault, E_TOO_LARGE, "it is larger than %zu bytes", out->limit);
    }
    if (result == CURLE_OPERATION_TIMEDOUT) {
        return fault_set(fault, E_TIMEOUT, "it did not come in time");
    }
    return result == CURLE_OK ? E_OK : fault_set(fault, E_IO, "%s", f->curl.easy_strerror(result));
}

static void
read_head(const struct curl *c, CURL *easy, struct fetch_answer *answer)
{
    curl_off_t seconds = 0;

    c->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
    if (c->easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0) {
        answer->retry_after_ms = seconds < 86400 ? seconds * 1000 : 86400000;
    }
}

enum err
fetcher_send(struct fetcher *f, const struct fetch_request *request, struct fetch_answer *answer,
             struct fault *fault)
{
    CURLcode result = CURLE_OUT_OF_MEMORY;
    struct asked asked = {.easy = NULL};
    enum err err = prepare(f, fault);

    *answer = (struct fetch_answer){.body = {.limit = request->max}, .retry_after_ms = -1};
    if (err) {
        return err;
    }
    asked.easy = f->curl.easy_init();
    if (asked.easy && set_up(&f->curl, request, &answer->body, &asked)) {
        CURLM *multi = atomic_load(&f->multi);

        if (f->curl.multi_add_handle(multi, asked.easy) == CURLM_OK) {
            result = drive(f, multi, request);
            f->curl.multi_remove_handle(multi, asked.easy);
        }
        read_head(&f->curl, asked.easy, answer);
    }
    if (asked.easy) {
        f->curl.easy_cleanup(asked.easy);
    }
    f->curl.slist_free_all(asked.headers);
    return tell(f, request, result, &answer->body, fault);
}

bool
fetcher_rest(struct fetcher *f, int64_t ms, const struct stop *stop)
{
    int64_t now = clock_mono(clock_real()), end = now + ms * 1000000;

    while (now < end && !is_given_up(f, stop)) {
        int64_t left_ms = (end - now) / 1000000 + 1;

        f->curl.multi_poll(atomic_load(&f->multi), NULL, 0,
                           left_ms < FETCH_STOP_MS ? (int)left_ms : FETCH_STOP_MS, NULL);
        now = clock_mono(clock_real());
    }
    return !is_given_up(f, stop);
}

enum err
fetcher_get(struct fetcher *f, const char *url, size_t max, int timeout_ms, struct buf *out,
            struct fault *fault)
{
    const struct fetch_request request = {.url = url, .max = max, .timeout_ms = timeout_ms};
    struct fetch_answer answer;
    enum err err = fetcher_send(f, &request, &answer, fault);

    if (!err && answer.status != 200) {
        err = fault_set(fault, E_IO, "the answer has status %ld", answer.status);
    }
    if (!err) {
        buf_add_slice(out, buf_slice(&answer.body));
        err = out->failed ? fault_set(fault, E_OVERLOAD, "there is no memory for it") : E_OK;
    }
    buf_fini(&answer.body);
    return err;
}
