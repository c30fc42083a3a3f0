/* config.c -- the snapshot in force, and what changes it.
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
#include "state/config_sources.h"

#include <assert.h>

#define LISTENERS_MAX 8

struct config {
    _Atomic unsigned refs;
    struct config_sources sources; /* Set once. */
    struct lock lock;
    struct settings *current GUARDED_BY(LC_CONFIG); /* Counted. */
    struct settings *told GUARDED_BY(LC_CONFIG);    /* Counted: what the listeners know. */
    bool telling GUARDED_BY(LC_CONFIG);
    struct config_listener listeners[LISTENERS_MAX] GUARDED_BY(LC_CONFIG);
    size_t listener_count GUARDED_BY(LC_CONFIG);
};

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
    c->sources.environment = options->environment;
    c->sources.options = options->options;
    options->environment = options->options = (struct config_texts){.text = {NULL}};
    c->sources.path = options->path ? xstrdup(options->path) : NULL;
    c->sources.name = xstrdup(options->name ? options->name : "configuration");
    c->sources.required = options->required;
    err = config_sources_read(&c->sources, NULL, -1, &first, problems, f);
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

    c->sources.name = xstrdup("configuration");
    for (int i = 0; i < SETTING_COUNT; i++) { /* So that a reload says the same again. */
        struct buf text = BUF_INIT;

        if (settings->texts[i]) {
            buf_adds(&text, settings->texts[i]);
        } else {
            settings_show(settings, (enum setting)i, &text);
        }
        if (settings->origins[i] != ORIGIN_DEFAULT) {
            config_texts_add(&c->sources.options, (enum setting)i, text.data ? text.data : "");
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
    config_sources_fini(&c->sources);
    lock_fini(&c->lock);
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
    struct config_counters counters = {.reads = atomic_load(&c->sources.reads),
                                       .refused = atomic_load(&c->sources.refused)};

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

        err = config_sources_read(&c->sources, old, but, &next, &found, f);
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
    enum err err = config_sources_read(&c->sources, old, -1, &next, problems, f);

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
