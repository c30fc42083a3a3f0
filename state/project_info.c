/* project_info.c -- runs git, by libuv, on a loop of its own for the length of one call.
 *
 * A repository's own configuration must not run programs for us: the file system monitor is
 * switched off, no lock is taken, and nothing of the request reaches the argument list. */
#include "state/project_info.h"

#include "state/base/mem.h"

#include <libgen.h>
#include <stdatomic.h>
#include <stdio.h>
#include <uv.h>

#define KEPT_NS (5 * (int64_t)1000000000)
#define GIT_MS 4000
#define TICK_MS 20 /* How soon a running git is seen to be wanted no more. */
#define OUTPUT_MAX (256 * 1024)

struct project_info {
    char *root;                /* Owned; all set once. */
    const struct clock *clock; /* Borrowed. */
    struct slots *looks;       /* One slot: "git". */
    atomic_bool given_up;
};

/* One child and what it has said. */
struct child {
    uv_process_t process;
    uv_pipe_t pipe;
    uv_timer_t timer;
    const atomic_bool *given_up; /* Borrowed. */
    unsigned ticks;
    struct buf out;
    char chunk[4096];
    bool timed_out;
    int64_t exit_status;
};

static void
give_chunk(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct child *c = handle->data;
    (void)suggested;
    *buf = uv_buf_init(c->chunk, sizeof c->chunk);
}

static void
on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct child *c = stream->data;

    if (n > 0) {
        buf_add(&c->out, buf->base, (size_t)n); /* Over the limit it is cut: we need the head only. */
    } else if (n < 0) {
        uv_close((uv_handle_t *)stream, NULL);
    }
}

static void
on_ended(uv_process_t *process, int64_t status, int signal)
{
    struct child *c = process->data;

    c->exit_status = signal ? -1 : status;
    uv_close((uv_handle_t *)process, NULL);
    uv_close((uv_handle_t *)&c->timer, NULL);
}

static void
on_time(uv_timer_t *timer)
{
    struct child *c = timer->data;

    if (++c->ticks < GIT_MS / TICK_MS && !atomic_load(c->given_up)) {
        return;
    }
    uv_timer_stop(timer);
    c->timed_out = true;
    uv_process_kill(&c->process, SIGKILL);
    uv_read_stop((uv_stream_t *)&c->pipe);
    if (!uv_is_closing((uv_handle_t *)&c->pipe)) {
        uv_close((uv_handle_t *)&c->pipe, NULL); /* A grandchild may hold the other end. */
    }
}

enum git_end { GIT_GOOD, GIT_FAILED, GIT_HUNG };

/* Runs git with 'args' (ended by null, its own name first).  GIT_GOOD, with its output in 'out', if it ended well
 * in time. */
static enum git_end
run_git(const struct project_info *p, const char *const args[], struct buf *out)
{
    uv_stdio_container_t stdio[3] = {{.flags = UV_IGNORE}, {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE},
                                     {.flags = UV_IGNORE}};
    char *environment[] = {xasprintf("PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin"),
                           xasprintf("HOME=%s", getenv("HOME") ? getenv("HOME") : "/"),
                           xstrdup("GIT_OPTIONAL_LOCKS=0"), xstrdup("LC_ALL=C"), NULL};
    struct child *c = xcalloc(1, sizeof *c);
    uv_process_options_t options = {
        .file = "git",
        .args = (char **)(uintptr_t)args, /* libuv does not write to them. */
        .env = environment,
        .cwd = p->root,
        .exit_cb = on_ended,
        .stdio = stdio,
        .stdio_count = 3,
    };
    uv_loop_t loop;
    enum git_end end = GIT_FAILED;

    c->out.limit = OUTPUT_MAX;
    c->process.data = c->pipe.data = c->timer.data = c;
    c->given_up = &p->given_up;
    c->exit_status = -1;
    uv_loop_init(&loop);
    uv_pipe_init(&loop, &c->pipe, 0);
    uv_timer_init(&loop, &c->timer);
    stdio[1].data.stream = (uv_stream_t *)&c->pipe;
    if (uv_spawn(&loop, &c->process, &options) == 0) {
        uv_timer_start(&c->timer, on_time, TICK_MS, TICK_MS);
        uv_read_start((uv_stream_t *)&c->pipe, give_chunk, on_output);
    } else {
        uv_close((uv_handle_t *)&c->process, NULL);
        uv_close((uv_handle_t *)&c->timer, NULL);
        uv_close((uv_handle_t *)&c->pipe, NULL);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    if (c->timed_out) {
        end = GIT_HUNG;
    } else if (c->exit_status == 0) {
        end = GIT_GOOD;
        buf_add(out, c->out.data, c->out.len);
    }
    buf_fini(&c->out);
    free(c);
    for (size_t i = 0; environment[i]; i++) {
        free(environment[i]);
    }
    return end;
}

/* Sets 'key' to the text up to the end of its line. */
static void
set_line(json_t *git, const char *key, const char *text)
{
    json_t *value = json_stringn(text, strcspn(text, "\n"));
    json_object_set_new(git, key, value ? value : json_null());
}

/* Reads "git status --porcelain=v2 --branch". */
static void
read_status(json_t *git, const char *text)
{
    bool dirty = false;

    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, "# branch.oid ", 13) == 0) {
            if (line[13] != '(') { /* "(initial)" */
                set_line(git, "commit", line + 13);
                json_object_set_new(git, "commit_short", json_stringn(line + 13, 7));
            }
        } else if (strncmp(line, "# branch.head ", 14) == 0) {
            if (line[14] != '(') { /* "(detached)" */
                set_line(git, "branch", line + 14);
            }
        } else if (*line != '#') {
            dirty = true;
        }
    }
    json_object_set_new(git, "status", json_string(dirty ? "dirty" : "clean"));
}

/* Removes user and password from a URL: they are nobody's business. */
static void
strip_credentials(char *url)
{
    char *start = strstr(url, "://"), *at;

    if (start) {
        start += 3;
        at = memchr(start, '@', strcspn(start, "/"));
        if (at) {
            memmove(start, at + 1, strlen(at + 1) + 1);
        }
    }
}

static enum err
look(void *owner, const char *key, const char *version, void *arg, void **value, struct fault *f)
{
    static const char *const is_inside[] = {"git", "rev-parse", "--git-dir", NULL};
    static const char *const status[] = {"git",    "-c",       "core.fsmonitor=false",
                                         "status", "--branch", "--porcelain=v2",
                                         "--untracked-files=normal", NULL};
    static const char *const remote[] = {"git", "config", "--get", "remote.origin.url", NULL};
    struct project_info *p = owner;
    struct buf out = BUF_INIT;
    enum git_end end;
    json_t *git;

    (void)key, (void)version, (void)arg, (void)f;
    if (atomic_load(&p->given_up) || run_git(p, is_inside, &out) != GIT_GOOD) {
        *value = json_null();
        goto done;
    }
    git = json_pack("{s:n, s:n, s:n, s:n, s:s}", "remote", "branch", "commit", "commit_short",
                    "status", "unknown");
    *value = git;
    buf_reset(&out);
    end = run_git(p, status, &out);
    if (end == GIT_HUNG) {
        goto done; /* The next one would hang as well. */
    }
    if (end == GIT_GOOD) {
        read_status(git, out.data ? out.data : "");
    }
    buf_reset(&out);
    if (run_git(p, remote, &out) == GIT_GOOD && out.len) {
        strip_credentials(out.data);
        set_line(git, "remote", out.data);
    }
done:
    buf_fini(&out);
    return E_OK;
}

static void
forget(void *value)
{
    json_decref(value);
}

static const struct slots_class looks_class = {"project_info", look, forget};

struct project_info *
project_info_create(const char *root, const struct clock *clock)
{
    struct project_info *p = xcalloc(1, sizeof *p);

    p->root = xstrdup(root);
    p->clock = clock;
    atomic_init(&p->given_up, false);
    p->looks = slots_create(&looks_class, p, 2, clock);
    return p;
}

void
project_info_destroy(struct project_info *p)
{
    if (p) {
        slots_destroy(p->looks);
        free(p->root);
        free(p);
    }
}

json_t *
project_info_git(struct project_info *p)
{
    int64_t now = clock_mono(p->clock);
    struct slot_pin pin;
    char period[24];
    json_t *git;

    snprintf(period, sizeof period, "%lld", (long long)(now / KEPT_NS));
    /* No deadline: a look ends by itself, its children's time is limited. */
    if (slots_get(p->looks, "git", period, NULL, INT64_MAX, &pin, NULL) != E_OK) {
        return json_null();
    }
    git = json_deep_copy(pin.value);
    slots_unpin(p->looks, &pin);
    return git;
}

char *
project_info_name(const struct project_info *p, const json_t *git)
{
    const char *remote = json_string_value(json_object_get(git, "remote"));
    char *copy = xstrdup(remote && *remote ? remote : p->root), *name;
    size_t len;

    name = xstrdup(basename(copy));
    len = strlen(name);
    if (remote && len > 4 && strcmp(name + len - 4, ".git") == 0) {
        name[len - 4] = '\0';
    }
    free(copy);
    return name;
}

void
project_info_give_up(struct project_info *p)
{
    atomic_store(&p->given_up, true);
}

struct slots_counters
project_info_counters(struct project_info *p)
{
    return slots_counters(p->looks);
}
