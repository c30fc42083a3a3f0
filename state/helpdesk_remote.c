/* helpdesk_remote.c -- the copy in the data folder, and the way to a new one. */
#include "state/helpdesk_remote.h"

#include "state/base/json_put.h"
#include "state/base/log.h"
#include "state/fetch.h"
#include "state/json_bounded.h"

LOG_MODULE("helpdesk");

#define COPY "helpdesk.copy"
#define HEAD_MAX 4096u /* Bytes of its first line. */
#define FETCH_MS 30000

struct helpdesk_remote {
    char *url;        /* Owned. */
    struct dir *data; /* Counted. */
    int64_t ttl_ns;
    const struct clock *clock; /* Borrowed. */
    struct fetcher *fetcher;   /* Owned. */
};

struct helpdesk_remote *
helpdesk_remote_create(const struct helpdesk_remote_options *options)
{
    struct helpdesk_remote *r = xcalloc(1, sizeof *r);

    r->url = xstrdup(options->url);
    r->data = dir_ref(options->data);
    r->ttl_ns = options->ttl_ns;
    r->clock = options->clock;
    r->fetcher = fetcher_create();
    return r;
}

void
helpdesk_remote_destroy(struct helpdesk_remote *r)
{
    if (r) {
        fetcher_destroy(r->fetcher);
        dir_unref(r->data);
        free(r->url);
        free(r);
    }
}

bool
helpdesk_remote_is_lines(const struct helpdesk_remote *r)
{
    size_t len = strcspn(r->url, "?#");

    return len < 5 || memcmp(r->url + len - 5, ".json", 5) != 0;
}

/* Takes the first line off: true if it is that of a copy from here; when it was fetched. */
static bool
read_head(const struct helpdesk_remote *r, struct slice *text, int64_t *fetched_ms)
{
    static const struct json_bounds bounds = {2, 10};
    const char *end = text->len ? memchr(text->data, '\n', text->len) : NULL;
    size_t len = end ? (size_t)(end - text->data) : 0;
    json_t *head =
        len && len <= HEAD_MAX ? json_load_bounded((struct slice){text->data, len}, &bounds) : NULL;
    const char *url = json_string_value(json_object_get(head, "url"));
    bool ours = url && strcmp(url, r->url) == 0;

    *fetched_ms = json_integer_value(json_object_get(head, "fetched_ms"));
    if (ours) {
        text->data += len + 1;
        text->len -= len + 1;
    }
    json_decref(head);
    return ours;
}

bool
helpdesk_remote_copy(struct helpdesk_remote *r, size_t max, struct buf *out, bool *old)
{
    struct buf whole = BUF_INIT;
    struct slice text;
    int64_t fetched_ms, age_ms;
    bool there = dir_read(r->data, "index/" COPY, max + HEAD_MAX + 1, &whole, NULL, NULL) == E_OK &&
                 !whole.failed;

    *old = false;
    if (there) {
        text = buf_slice(&whole);
        there = read_head(r, &text, &fetched_ms);
        if (there) {
            age_ms = clock_wall(r->clock) / 1000000 - fetched_ms;
            *old = age_ms < 0 || age_ms >= r->ttl_ns / 1000000; /* From the future: who knows. */
            buf_add_slice(out, text);
        }
    }
    buf_fini(&whole);
    return there;
}

enum err
helpdesk_remote_fetch(struct helpdesk_remote *r, size_t max, const struct stop *stop,
                      struct buf *out, struct fault *f)
{
    struct fetch_request request = {.url = r->url, .max = max, .timeout_ms = FETCH_MS};
    struct fetch_answer answer = {.status = 0};
    struct fault why = FAULT_INIT;
    enum err err;

    if (stop) {
        request.stop = *stop;
    }
    err = fetcher_send(r->fetcher, &request, &answer, &why);
    if (err) {
        fault_set(f, err, "the helpdesk's index file cannot be fetched: %s", why.text);
    } else if (answer.status != 200) {
        err = fault_set(f, E_IO, "the helpdesk's index file cannot be fetched: status %ld",
                        answer.status);
    } else {
        buf_add_slice(out, buf_slice(&answer.body));
        err = out->failed
                  ? fault_set(f, E_OVERLOAD, "there is no memory for the helpdesk index now")
                  : E_OK;
    }
    buf_fini(&answer.body);
    return err;
}

void
helpdesk_remote_keep(struct helpdesk_remote *r, struct slice text)
{
    struct buf copy = BUF_INIT;
    json_t *head = json_must(json_object());
    struct dir *folder = NULL;
    struct fault f = FAULT_INIT;
    enum err err = dir_sub(r->data, "index", true, &folder, &f);

    json_put_text(head, "url", r->url);
    json_put_int(head, "fetched_ms", clock_wall(r->clock) / 1000000);
    json_write(&copy, head);
    buf_addc(&copy, '\n');
    buf_add_slice(&copy, text);
    if (!err && copy.failed) {
        err = fault_set(&f, E_OVERLOAD, "there is no memory for it");
    }
    err = err ? err : dir_write(folder, COPY, buf_slice(&copy), &f);
    if (err) {
        log_warn("the helpdesk's index file is not kept", F_STR("why", f.text));
    }
    json_decref(head);
    buf_fini(&copy);
    dir_unref(folder);
}
