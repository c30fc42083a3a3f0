/* project_info.c -- asks git, and keeps the answer for a few seconds.
 *
 * A repository's own configuration must not run programs for us: the file system monitor is
 * switched off, no lock is taken, and nothing of the request reaches the argument list. */
#include "state/project_info.h"

#include "state/base/child.h"
#include "state/base/mem.h"

#include <libgen.h>
#include <stdatomic.h>
#include <stdio.h>

#define KEPT_NS (5 * (int64_t)1000000000)
#define GIT_NS (4 * (int64_t)1000000000)
#define OUTPUT_MAX (256 * 1024)

struct project_info {
    char *root;                /* Owned; all set once. */
    const struct clock *clock; /* Borrowed. */
    struct slots *looks;       /* One slot: "git". */
    atomic_bool given_up;
};

/* Runs git with 'args' (ended by null, its own name first), which prints into 'out'. */
static enum child_end
run_git(const struct project_info *p, const char *const args[], struct buf *out)
{
    char *path = xasprintf("PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    char *home = xasprintf("HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
    const char *const environment[] = {path, home, "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C", NULL};
    struct child_order order = {
        .argv = args,
        .environ = environment,
        .folder = p->root,
        .limit_ns = GIT_NS,
        .output_max = OUTPUT_MAX, /* The head is enough. */
        .given_up = &p->given_up,
    };
    enum child_end end = child_run(&order, out);

    free(path);
    free(home);
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
    static const char *const status[] = {"git",
                                         "-c",
                                         "core.fsmonitor=false",
                                         "status",
                                         "--branch",
                                         "--porcelain=v2",
                                         "--untracked-files=normal",
                                         NULL};
    static const char *const remote[] = {"git", "config", "--get", "remote.origin.url", NULL};
    struct project_info *p = owner;
    struct buf out = BUF_INIT;
    enum child_end end;
    json_t *git;

    (void)key, (void)version, (void)arg, (void)f;
    if (atomic_load(&p->given_up) || run_git(p, is_inside, &out) != CHILD_GOOD) {
        *value = json_null();
        goto done;
    }
    git = json_pack("{s:n, s:n, s:n, s:n, s:s}", "remote", "branch", "commit", "commit_short",
                    "status", "unknown");
    *value = git;
    buf_reset(&out);
    end = run_git(p, status, &out);
    if (end == CHILD_KILLED) {
        goto done; /* The next one would hang as well. */
    }
    if (end == CHILD_GOOD) {
        read_status(git, out.data ? out.data : "");
    }
    buf_reset(&out);
    if (run_git(p, remote, &out) == CHILD_GOOD && out.len) {
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
