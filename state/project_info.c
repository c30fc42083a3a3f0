/* project_info.c -- asks git, and keeps the answer for a few seconds.
 *
 * A repository's own configuration must not run programs for us: the file system monitor and the
 * filters that it names are switched off, submodules are not entered, no lock is taken, and nothing
 * of the request reaches the argument list. */
#include "state/project_info.h"

#include "state/base/child.h"
#include "state/base/json_put.h"

#include <libgen.h>
#include <stdatomic.h>
#include <stdio.h>

#define KEPT_NS (5 * (int64_t)1000000000)
#define GIT_NS (4 * (int64_t)1000000000)
#define LOOK_NS (4 * GIT_NS) /* Three of them. */
#define OUTPUT_MAX (256 * 1024)
#define OUTPUT_WHOLE (OUTPUT_MAX - 4096) /* What is longer may have been cut. */
#define FILTER_KEYS_MAX 32

struct project_info {
    char *root;                /* Owned; all set once. */
    const struct clock *clock; /* Borrowed. */
    struct aside *aside;       /* Who asks git for us; borrowed, or null: we do. */
    struct slots *looks;       /* One slot: "git". */
    atomic_bool given_up;
};

/* One look at a repository. */
struct look {
    const char *root;            /* Borrowed, as is the next. */
    const atomic_bool *given_up; /* May be null. */
    int asker;                   /* See struct child_order. */
};

/* What of the repository's configuration matters here.  All is borrowed from the text it was read
 * from. */
struct git_config {
    const char *remote; /* URL of origin; null without one. */
    const char *filter_keys[FILTER_KEYS_MAX];
    size_t filter_count; /* How many there are, also of those that found no place. */
};

/* The environment of git: little of ours, and the filters of 'config' (may be null) set to nothing.
 * New; ended by null. */
static char **
new_environment(const struct git_config *config)
{
    size_t filters = config ? config->filter_count : 0, n = 0;
    char **environment = xcalloc(6 + 2 * filters, sizeof *environment);

    environment[n++] = xasprintf("PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    environment[n++] = xasprintf("HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
    environment[n++] = xstrdup("GIT_OPTIONAL_LOCKS=0");
    environment[n++] = xstrdup("LC_ALL=C");
    environment[n++] = xasprintf("GIT_CONFIG_COUNT=%zu", filters);
    for (size_t i = 0; i < filters; i++) {
        environment[n++] = xasprintf("GIT_CONFIG_KEY_%zu=%s", i, config->filter_keys[i]);
        environment[n++] = xasprintf("GIT_CONFIG_VALUE_%zu=", i);
    }
    return environment;
}

/* Runs git with 'args' (ended by null, its own name first), which prints into 'out', emptied first.
 */
static enum child_end
run_git(const struct look *l, const struct git_config *config, const char *const args[],
        struct buf *out)
{
    char **environment = new_environment(config);
    struct child_order order = {
        .argv = args,
        .environ = (const char *const *)environment,
        .folder = l->root,
        .limit_ns = GIT_NS,
        .output_max = OUTPUT_MAX, /* The head is enough. */
        .given_up = l->given_up,
        .asker = l->asker,
    };
    enum child_end end;

    buf_reset(out);
    end = child_run(&order, out);
    for (size_t i = 0; environment[i]; i++) {
        free(environment[i]);
    }
    free(environment);
    return end;
}

/* Reads "git config --list --show-scope -z": scope, NUL, key, line feed, value, NUL.  Cuts 'text'
 * up. */
static void
read_config(struct buf *text, struct git_config *config)
{
    char *scope = text->data, *end = text->data + text->len;

    while (scope && scope < end) {
        char *key = scope + strlen(scope) + 1, *next, *value;

        if (key >= end) {
            return;
        }
        next = key + strlen(key) + 1;
        value = strchr(key, '\n');
        if (value) {
            *value++ = '\0';
        }
        if (value && strcmp(key, "remote.origin.url") == 0) {
            config->remote = value;
        } else if (strncmp(key, "filter.", 7) == 0 &&
                   (strcmp(scope, "local") == 0 || strcmp(scope, "worktree") == 0)) {
            if (config->filter_count < FILTER_KEYS_MAX) {
                config->filter_keys[config->filter_count] = key;
            }
            config->filter_count++;
        }
        scope = next;
    }
}

/* Sets 'key' to the text up to the end of its line. */
static void
set_line(json_t *git, const char *key, const char *text)
{
    json_put(git, key, json_text_slice((struct slice){text, strcspn(text, "\n")}));
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
                json_put(git, "commit_short",
                         json_text_slice((struct slice){line + 13, strnlen(line + 13, 7)}));
            }
        } else if (strncmp(line, "# branch.head ", 14) == 0) {
            if (line[14] != '(') { /* "(detached)" */
                set_line(git, "branch", line + 14);
            }
        } else if (*line != '#') {
            dirty = true;
        }
    }
    json_put_text(git, "status", dirty ? "dirty" : "clean");
}

/* 'url' without user and password: they are nobody's business.  New. */
static char *
without_credentials(const char *url)
{
    const char *start = strstr(url, "://"), *at;

    if (!start) {
        return xstrdup(url);
    }
    start += 3;
    at = memrchr(start, '@', strcspn(start, "/")); /* The last: a password may hold one. */
    return at ? xasprintf("%.*s%s", (int)(start - url), url, at + 1) : xstrdup(url);
}

/* Tells in 'git' what the repository says, as far as it does.  One git that hangs is enough: the
 * next would hang as well. */
static void
ask_all(const struct look *l, json_t *git)
{
    static const char *const list[] = {"git", "config", "--list", "--show-scope", "-z", NULL};
    static const char *const status[] = {"git",
                                         "-c",
                                         "core.fsmonitor=false",
                                         "status",
                                         "--branch",
                                         "--porcelain=v2",
                                         "--untracked-files=normal",
                                         "--ignore-submodules=dirty",
                                         NULL};
    struct git_config config = {.remote = NULL};
    struct buf settings = BUF_INIT, out = BUF_INIT;

    if (run_git(l, NULL, list, &settings) == CHILD_GOOD) {
        read_config(&settings, &config);
        if (config.remote) {
            char *remote = without_credentials(config.remote);

            set_line(git, "remote", remote);
            free(remote);
        }
        /* Status only where every filter is known. */
        if (settings.len <= OUTPUT_WHOLE && config.filter_count <= FILTER_KEYS_MAX &&
            run_git(l, &config, status, &out) == CHILD_GOOD) {
            read_status(git, out.data ? out.data : "");
        }
    }
    buf_fini(&settings);
    buf_fini(&out);
}

/* What git says; new. */
static json_t *
look_at(const struct look *l)
{
    static const char *const is_inside[] = {"git", "rev-parse", "--git-dir", NULL};
    struct buf out = BUF_INIT;
    json_t *git;

    if ((l->given_up && atomic_load(l->given_up)) ||
        run_git(l, NULL, is_inside, &out) != CHILD_GOOD) {
        git = json_null();
    } else {
        git = json_must(json_pack("{s:n, s:n, s:n, s:n, s:s}", "remote", "branch", "commit",
                                  "commit_short", "status", "unknown"));
        ask_all(l, git);
    }
    buf_fini(&out);
    return git;
}

/* The same in the process beside: 'root' is the project's folder. */
static void
answer(const char *root, int asker, struct buf *out)
{
    const struct look l = {.root = root, .asker = asker};
    json_t *git = look_at(&l);
    char *text = json_dumps(git, JSON_COMPACT | JSON_ENCODE_ANY);

    buf_adds(out, text ? text : "");
    free(text);
    json_decref(git);
}

/* And its answer here; new. */
static json_t *
look_aside(struct project_info *p)
{
    struct buf text = BUF_INIT;
    json_t *git = NULL;

    if (aside_ask(p->aside, LOOK_NS, &p->given_up, &text) == E_OK) {
        git = json_loadb(text.data, text.len, JSON_DECODE_ANY, NULL);
    }
    buf_fini(&text);
    return git ? git : json_null();
}

/* What a look told. */
struct kept_look {
    json_t *git;
    int64_t made_ns; /* Monotonic. */
};

static enum err
look(void *owner, const char *key, const char *version, void *arg, void **value, struct fault *f)
{
    struct project_info *p = owner;
    const struct look l = {.root = p->root, .given_up = &p->given_up};
    struct kept_look *kept = xcalloc(1, sizeof *kept);

    (void)key, (void)version, (void)arg, (void)f;
    kept->git = p->aside ? look_aside(p) : look_at(&l);
    kept->made_ns = clock_mono(p->clock);
    *value = kept;
    return E_OK;
}

static void
forget(void *value)
{
    struct kept_look *kept = value;

    json_decref(kept->git);
    free(kept);
}

static bool
is_fresh(const void *value, const void *now_ns)
{
    return *(const int64_t *)now_ns - ((const struct kept_look *)value)->made_ns < KEPT_NS;
}

/* A look that is under way serves all who come, however long it takes: nobody looks beside it. */
static const struct slots_class looks_class = {"project_info", look, forget, is_fresh};

enum err
project_info_start_aside(const char *root, struct aside **aside, struct fault *f)
{
    return aside_start(answer, root, aside, f);
}

struct project_info *
project_info_create(const char *root, const struct clock *clock, struct aside *aside)
{
    struct project_info *p = xcalloc(1, sizeof *p);

    p->root = xstrdup(root);
    p->clock = clock;
    p->aside = aside;
    atomic_init(&p->given_up, false);
    p->looks = slots_create(&looks_class, p, 2);
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
    int64_t now_ns = clock_mono(p->clock);
    struct slot_pin pin;
    json_t *git;

    /* No deadline: a look ends by itself, its children's time is limited. */
    if (slots_get(p->looks, "git", NULL, &now_ns, INT64_MAX, &pin, NULL) != E_OK) {
        return json_null();
    }
    git = json_clone(((const struct kept_look *)pin.value)->git);
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
