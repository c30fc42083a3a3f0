/* config.c -- sources into a snapshot, the snapshot in force, and what changes it.
 *
 * DESIGN.  Whoever changes something builds the next snapshot aside and swaps only if nobody else
 * has swapped meanwhile; else it builds again.  So no lock is held while a file is read, the
 * snapshot in force is never an older reading than the one before it, and no change is lost.
 *
 * Listeners are called by whoever changed something, after it is in force, by one thread at a time
 * and until they know the newest: a listener never goes back to an older snapshot. */
#include "state/config.h"

#include "state/base/clock.h"
#include "state/base/lock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTENERS_MAX 8

struct config {
    _Atomic unsigned refs;
    struct config_texts environment, options; /* Set once. */
    char *path, *name;                        /* Owned, set once; null for no file. */
    bool required;
    _Atomic uint64_t reads, refused; /* Times that the sources were read; and were no good. */
    struct lock lock;
    struct settings *current GUARDED_BY(LC_CONFIG); /* Counted. */
    struct settings *told GUARDED_BY(LC_CONFIG);    /* Counted: what the listeners know. */
    bool telling GUARDED_BY(LC_CONFIG);
    struct config_listener listeners[LISTENERS_MAX] GUARDED_BY(LC_CONFIG);
    size_t listener_count GUARDED_BY(LC_CONFIG);
};

static void
apply(struct settings *s, const struct config_texts *texts, enum setting_origin origin,
      const char *source, struct problems *problems)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        struct fault f = FAULT_INIT;
        if (texts->text[i] && settings_set(s, (enum setting)i, texts->text[i], origin, &f)) {
            problems_add(problems, PROBLEM_ERROR, source, 0, 0, "%s", f.text);
        } else if (texts->text[i]) {
            s->lines[i] = texts->line[i];
        }
    }
}

/* The file is the user's own, named by himself, so links are followed: containers mount it as
 * one. */
static enum err
read_file(const char *path, const char *name, bool required, struct buf *out, bool *found,
          struct fault *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    enum err err = E_OK;

    *found = fd >= 0;
    out->limit = CONFIG_FILE_MAX;
    if (fd < 0) {
        if (errno == ENOENT && !required) {
            return E_OK;
        }
        return fault_set(f, errno == ENOENT ? E_NOT_FOUND : E_IO, "%s cannot be read: %s", name,
                         strerror(errno));
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        err = fault_set(f, E_IO, "%s is not a regular file", name);
    }
    while (!err) {
        char piece[4096];
        ssize_t n = read(fd, piece, sizeof piece);

        if (n == 0) {
            break;
        }
        if (n < 0 && errno != EINTR) {
            err = fault_set(f, E_IO, "%s cannot be read: %s", name, strerror(errno));
        } else if (n > 0) {
            buf_add(out, piece, (size_t)n);
            if (out->failed) {
                err =
                    fault_set(f, E_TOO_LARGE, "%s is larger than %u bytes", name, CONFIG_FILE_MAX);
            }
        }
    }
    close(fd);
    return err;
}

/* The first error of 'problems' as the fault of the whole. */
static enum err
first_error(const struct problems *problems, struct fault *f)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *p = &problems->items[i];
        if (p->severity == PROBLEM_ERROR) {
            fault_at(f, E_ARGUMENT, p->line, p->column, "%s: %s", p->file, p->text);
            return fault_remedy(f, "\"tandem settings --help\" tells what each setting takes");
        }
    }
    return fault_set(f, E_ARGUMENT, "the settings hold more problems than can be listed");
}

/* Reads the sources of 'c' into a new snapshot. */
static enum err
read_sources(struct config *c, struct settings *s, struct problems *found, struct fault *f)
{
    struct config_texts file_texts = {.text = {NULL}};
    struct buf file = BUF_INIT;
    bool file_found = false;
    enum err err = E_OK;

    atomic_fetch_add(&c->reads, 1);
    if (c->path) {
        err = read_file(c->path, c->name, c->required, &file, &file_found, f);
    }
    if (!err && file_found) {
        config_texts_from_file(&file_texts, buf_slice(&file), c->name, found);
        s->file = xstrdup(c->name);
    }
    if (!err) {
        apply(s, &file_texts, ORIGIN_FILE, c->name, found);
        apply(s, &c->environment, ORIGIN_ENVIRONMENT, "environment", found);
        apply(s, &c->options, ORIGIN_OPTION, "command line", found);
    }
    config_texts_fini(&file_texts);
    buf_fini(&file);
    return err;
}

/* What a running server cannot change stays as it is; what was set at run time stays too, unless it
 * is 'but'. */
static void
keep_fixed(struct settings *s, const struct settings *old, int but, struct problems *found)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);

        if (row->where != SETTING_LIVE) {
            if (!settings_same(s, old, (enum setting)i)) {
                problems_add(found, PROBLEM_WARNING, s->file, s->lines[i], 0,
                             "%s takes effect at the next start", row->key);
            }
            settings_adopt(s, old, (enum setting)i);
        } else if (old->origins[i] == ORIGIN_RUN_TIME && i != but) {
            settings_adopt(s, old, (enum setting)i);
        }
    }
}

/* Builds the snapshot that is to come after 'old' (null: the first) out of the sources, without
 * what was set at run time for 'but' (-1: with all of it). */
static enum err
build(struct config *c, const struct settings *old, int but, struct settings **settings,
      struct problems *problems, struct fault *f)
{
    struct settings *s = settings_create();
    struct problems found = PROBLEMS_INIT;
    struct fault together = FAULT_INIT;
    enum err err = read_sources(c, s, &found, f);

    if (!err && old) {
        keep_fixed(s, old, but, &found);
    }
    if (!err) {
        if (settings_check(s, &together)) {
            problems_add(&found, PROBLEM_ERROR, "settings", 0, 0, "%s", together.text);
        }
        if (found.errors) {
            err = first_error(&found, f);
        }
    }
    for (size_t i = 0; i < found.count; i++) {
        const struct problem *p = &found.items[i];
        problems_add(problems, p->severity, p->file, p->line, p->column, "%s", p->text);
    }
    problems_fini(&found);
    if (err) {
        atomic_fetch_add(&c->refused, 1);
        settings_unref(s);
        s = NULL;
    }
    *settings = s;
    return err;
}

/* ---- Life ---- */

static struct config *
create(void)
{
    struct config *c = xcalloc(1, sizeof *c);

    atomic_init(&c->refs, 1);
    lock_init(&c->lock, RANK_CONFIG);
    return c;
}

UNSHARED static void
begin(struct config *c, struct settings *first)
{
    first->loaded_ns = first->loaded_ns ? first->loaded_ns : clock_wall(clock_real());
    c->current = first;
    c->told = settings_ref(first);
}

enum err
config_create(struct config_options *options, struct config **config, struct problems *problems,
              struct fault *f)
{
    struct config *c = create();
    struct settings *first;
    enum err err;

    *config = NULL;
    c->environment = options->environment;
    c->options = options->options;
    options->environment = options->options = (struct config_texts){.text = {NULL}};
    c->path = options->path ? xstrdup(options->path) : NULL;
    c->name = xstrdup(options->name ? options->name : "configuration");
    c->required = options->required;
    err = build(c, NULL, -1, &first, problems, f);
    if (err) {
        config_unref(c);
    } else {
        begin(c, first);
        *config = c;
    }
    return err;
}

struct config *
config_of(const struct settings *settings)
{
    struct config *c = create();

    c->name = xstrdup("configuration");
    for (int i = 0; i < SETTING_COUNT; i++) { /* So that a reload says the same again. */
        struct buf text = BUF_INIT;

        if (settings->texts[i]) {
            buf_adds(&text, settings->texts[i]);
        } else {
            settings_show(settings, (enum setting)i, &text);
        }
        if (settings->origins[i] != ORIGIN_DEFAULT) {
            config_texts_add(&c->options, (enum setting)i, text.data ? text.data : "");
        }
        buf_fini(&text);
    }
    begin(c, settings_copy(settings));
    return c;
}

struct config *
config_ref(struct config *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

UNSHARED void
config_unref(struct config *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    settings_unref(c->current);
    settings_unref(c->told);
    config_texts_fini(&c->environment);
    config_texts_fini(&c->options);
    lock_fini(&c->lock);
    free(c->path);
    free(c->name);
    free(c);
}

struct settings *
config_settings(struct config *c)
{
    struct settings *s;

    LOCK(CONFIG, &c->lock);
    s = settings_ref(c->current);
    UNLOCK(CONFIG, &c->lock);
    return s;
}

struct config_counters
config_counters(struct config *c)
{
    struct config_counters counters = {.reads = atomic_load(&c->reads),
                                       .refused = atomic_load(&c->refused)};

    LOCK(CONFIG, &c->lock);
    counters.version = c->current->version;
    UNLOCK(CONFIG, &c->lock);
    return counters;
}

/* ---- Listeners ---- */

void
config_listen(struct config *c, config_changed_fn *changed, void *arg)
{
    LOCK(CONFIG, &c->lock);
    assert(c->listener_count < LISTENERS_MAX);
    c->listeners[c->listener_count++] = (struct config_listener){changed, arg};
    UNLOCK(CONFIG, &c->lock);
}

void
config_deafen(struct config *c, config_changed_fn *changed, void *arg)
{
    LOCK(CONFIG, &c->lock);
    for (size_t i = 0; i < c->listener_count; i++) {
        if (c->listeners[i].changed == changed && c->listeners[i].arg == arg) {
            c->listeners[i] = c->listeners[--c->listener_count];
            break;
        }
    }
    UNLOCK(CONFIG, &c->lock);
}

/* Calls 'listeners' with what differs between the snapshots. */
static void
tell_difference(const struct config_listener *listeners, size_t count, const struct settings *old,
                const struct settings *now)
{
    bool keys[SETTING_COUNT];
    bool any = false;

    for (int i = 0; i < SETTING_COUNT; i++) {
        keys[i] = !settings_same(old, now, (enum setting)i);
        any |= keys[i];
    }
    for (size_t i = 0; any && i < count; i++) {
        listeners[i].changed(listeners[i].arg, now, keys);
    }
}

/* Until the listeners know the newest; unless another thread is at it, who then sees to that. */
static void
tell(struct config *c)
{
    struct config_listener listeners[LISTENERS_MAX];
    struct settings *old = NULL, *now = NULL;
    bool mine, more = true;
    size_t count = 0;

    LOCK(CONFIG, &c->lock);
    mine = !c->telling;
    c->telling = true;
    UNLOCK(CONFIG, &c->lock);
    while (mine && more) {
        LOCK(CONFIG, &c->lock);
        more = c->told != c->current;
        if (more) {
            old = c->told; /* Its reference goes with it. */
            now = settings_ref(c->current);
            c->told = settings_ref(c->current);
            count = c->listener_count;
            memcpy(listeners, c->listeners, sizeof listeners);
        } else {
            c->telling = false;
        }
        UNLOCK(CONFIG, &c->lock);
        if (more) {
            tell_difference(listeners, count, old, now);
            settings_unref(old);
            settings_unref(now);
        }
    }
}

/* ---- Changes ---- */

/* Puts 'next' (stolen, if it is) in the place of 'old', if that is in force still. */
static bool
swap(struct config *c, struct settings *old, struct settings *next)
{
    bool swapped = false;

    next->version = old->version + 1;
    next->loaded_ns = clock_wall(clock_real());
    LOCK(CONFIG, &c->lock);
    if (c->current == old) {
        c->current = next;
        swapped = true;
    }
    UNLOCK(CONFIG, &c->lock);
    if (swapped) {
        settings_unref(old); /* The reference that 'current' held. */
    }
    return swapped;
}

/* Reads the sources anew, without what was set at run time for 'but'. */
static enum err
rebuild(struct config *c, int but, struct problems *problems, struct fault *f)
{
    bool swapped = false;
    enum err err = E_OK;

    while (!err && !swapped) {
        struct problems found = PROBLEMS_INIT;
        struct settings *old = config_settings(c);
        struct settings *next;

        err = build(c, old, but, &next, &found, f);
        swapped = !err && swap(c, old, next);
        if (!swapped) {
            settings_unref(next);
        }
        if (err || swapped) { /* Those of a reading that came to nothing are nobody's. */
            for (size_t i = 0; i < found.count; i++) {
                const struct problem *p = &found.items[i];
                problems_add(problems, p->severity, p->file, p->line, p->column, "%s", p->text);
            }
        }
        problems_fini(&found);
        settings_unref(old);
    }
    if (!err) {
        tell(c);
    }
    return err;
}

enum err
config_reload(struct config *c, struct problems *problems, struct fault *f)
{
    return rebuild(c, -1, problems, f);
}

enum err
config_validate(struct config *c, struct problems *problems, struct fault *f)
{
    struct settings *old = config_settings(c), *next;
    enum err err = build(c, old, -1, &next, problems, f);

    settings_unref(next);
    settings_unref(old);
    return err;
}

enum err
config_set(struct config *c, enum setting setting, const char *text, struct fault *f)
{
    const struct setting_row *row = setting_row(setting);
    bool swapped = false;
    enum err err = E_OK;

    if (row->where != SETTING_LIVE) {
        fault_set(f, E_STATE, "%s cannot be changed while the server runs", row->key);
        return fault_remedy(f, "change it in the configuration file and start the server anew");
    }
    if (!text) {
        return rebuild(c, (int)setting, NULL, f);
    }
    while (!err && !swapped) {
        struct settings *old = config_settings(c), *next = settings_copy(old);

        err = settings_set(next, setting, text, ORIGIN_RUN_TIME, f);
        err = err ? err : settings_check(next, f);
        swapped = !err && swap(c, old, next);
        if (!swapped) {
            settings_unref(next);
        }
        settings_unref(old);
    }
    if (!err) {
        tell(c);
    }
    return err;
}
