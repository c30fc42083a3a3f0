/* watch.c -- eyes on folders, bursts of events, and when to look.
 *
 * DESIGN.  An eye is a libuv handle on one folder; it is opened by way of a descriptor that the
 * kernel has kept beneath the base, so no link leads it away.  libuv tells of what happens to the
 * folder itself under the last part of the path that it was given; that is "." here, which nothing
 * in a folder can be called.
 *
 * libuv does not tell when the kernel's queue ran over.  It holds 16,384 events unless told
 * otherwise: a burst of a quarter of that is taken for one, and everything is looked at. */
#include "state/watch_private.h"

#include "state/base/clock.h"
#include "state/base/log.h"
#include "state/base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

LOG_MODULE("watch");

#define FLOOD_EVENTS 4096

struct eye {
    uv_fs_event_t handle; /* First. */
    struct watch_tree *tree;
    struct watch_folder *folder; /* Null: above the tree. */
};

/* All of it is the keeper's thread's. */
struct watch {
    struct keeper *keeper;
    struct watch_options options;
    uv_timer_t quiet; /* Until the burst is told of. */
    uv_timer_t later; /* Until everything is looked at again. */
    unsigned open;    /* Of the two timers. */
    struct watch_tree *trees;
    size_t eyes;
    uint64_t burst_began, last_event; /* On the loop's clock; ms. */
    uint64_t burst_events;            /* 0: there is none. */
    unsigned look_ms;                 /* What 'later' is set to. */
    bool degraded;                    /* The log was told. */
    uint64_t events, tellings;
};

static void burst_due(uv_timer_t *timer);
static void later_due(uv_timer_t *timer);

/* ---- Eyes ---- */

static void
expect_end(struct watch *w)
{
    uint64_t now = uv_now(keeper_loop(w->keeper));
    uint64_t cap = w->burst_began + w->options.cap_ms;
    uint64_t due = now + w->options.quiet_ms;

    due = due < cap ? due : cap;
    uv_timer_start(&w->quiet, burst_due, due > now ? due - now : 0, 0);
}

static void
seen(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct eye *eye = (struct eye *)handle;
    struct watch *w = eye->tree->watch;
    bool itself = name && strcmp(name, ".") == 0;

    if (eye->folder) {
        eye->folder->dirty = true;
        eye->folder->gone |= status < 0 || (itself && (events & UV_RENAME));
    } else if (!(events & UV_RENAME)) {
        return; /* Nothing has come or gone there. */
    }
    w->events++;
    w->last_event = uv_now(handle->loop);
    if (w->burst_events++ == 0) {
        w->burst_began = w->last_event;
    }
    expect_end(w);
}

static void
free_eye(uv_handle_t *handle)
{
    free(handle); /* The eye begins with it. */
}

void
eye_close(struct eye *eye)
{
    if (eye) {
        eye->tree->watch->eyes--;
        uv_close((uv_handle_t *)eye, free_eye);
    }
}

enum err
eye_open(struct watch_tree *tree, struct watch_folder *folder, const char *path,
         struct eye **result, uint64_t *device, uint64_t *inode)
{
    struct watch *w = tree->watch;
    int fd = dir_open_at(tree->base, path, O_PATH | O_DIRECTORY, 0);
    char place[64];
    struct eye *eye;
    struct stat st;
    int failed;

    *result = NULL;
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return E_NOT_FOUND;
    }
    *device = st.st_dev;
    *inode = st.st_ino;
    if (w->eyes >= w->options.folders) {
        close(fd);
        return E_LIMIT;
    }
    eye = xcalloc(1, sizeof *eye);
    eye->tree = tree;
    eye->folder = folder;
    uv_fs_event_init(keeper_loop(w->keeper), &eye->handle);
    snprintf(place, sizeof place, "/proc/self/fd/%d/.", fd);
    failed = uv_fs_event_start(&eye->handle, seen, place, 0);
    close(fd);
    w->eyes++;
    if (failed) {
        eye_close(eye);
        return E_LIMIT;
    }
    *result = eye;
    return E_OK;
}

/* ---- Looking and telling ---- */

static size_t
count_unwatched(const struct watch_folder *folder)
{
    size_t count = !folder->eye || folder->unread;

    for (size_t i = 0; i < folder->count; i++) {
        count += folder->entries[i].folder ? count_unwatched(folder->entries[i].folder) : 0;
    }
    return count;
}

/* Sees whether all can be watched, tells the log once if not, and sets the next look. */
static void
take_stock(struct watch *w)
{
    size_t unwatched = 0;
    unsigned ms;

    for (struct watch_tree *t = w->trees; t; t = t->next) {
        t->unwatched = t->top ? count_unwatched(t->top) : !t->above;
        unwatched += t->unwatched;
    }
    if (unwatched && !w->degraded) {
        log_warn("not every folder can be watched; they are looked at now and then instead",
                 F_UINT("folders", unwatched), F_UINT("limit", w->options.folders),
                 F_UINT("every_ms", w->options.look_soon_ms));
    } else if (!unwatched && w->degraded) {
        log_info("every folder is watched again");
    }
    w->degraded = unwatched > 0;
    ms = w->degraded ? w->options.look_soon_ms : w->options.look_ms;
    if (!w->trees) {
        uv_timer_stop(&w->later);
        w->look_ms = 0;
    } else if (ms != w->look_ms) {
        uv_timer_start(&w->later, later_due, ms, ms);
        w->look_ms = ms;
    }
}

static void
tell_of(struct watch_tree *t)
{
    if (t->news_count || t->news_more) {
        struct watch_news news = {t->news, t->news_count, t->news_more};

        t->watch->tellings++;
        t->tell(t->arg, &news);
    }
    watch_tree_told(t);
}

static void
look(struct watch *w, bool all, bool hurried)
{
    const struct watch_look how = {
        .all = all, .hurried = hurried, .wall_ns = clock_wall(clock_real())};

    for (struct watch_tree *t = w->trees; t; t = t->next) {
        watch_tree_look(t, &how);
    }
    take_stock(w);
    for (struct watch_tree *t = w->trees; t; t = t->next) {
        tell_of(t);
    }
}

/* The burst is over; or it lasts, then it is a new one from here on. */
static void
burst_due(uv_timer_t *timer)
{
    struct watch *w = timer->data;
    uint64_t now = uv_now(timer->loop);
    bool lasts = now - w->last_event < w->options.quiet_ms;
    bool all = w->burst_events >= FLOOD_EVENTS;

    w->burst_events = !lasts ? 0 : all ? FLOOD_EVENTS : 1;
    w->burst_began = now;
    if (lasts) {
        expect_end(w);
    }
    look(w, all, lasts);
}

static void
later_due(uv_timer_t *timer)
{
    struct watch *w = timer->data;

    if (!w->burst_events) { /* Else it is looked at soon, and next time all of it. */
        look(w, true, true);
    }
}

/* ---- Life ---- */

static void
open_timers(void *arg)
{
    struct watch *w = arg;

    uv_timer_init(keeper_loop(w->keeper), &w->quiet);
    uv_timer_init(keeper_loop(w->keeper), &w->later);
    w->quiet.data = w->later.data = w;
    w->open = 2;
}

struct watch *
watch_create(struct keeper *keeper, const struct watch_options *options)
{
    struct watch *w = xcalloc(1, sizeof *w);

    w->keeper = keeper;
    w->options = *options;
    keeper_post(keeper, open_timers, w);
    return w;
}

static void
drop_tree(struct watch_tree *tree)
{
    struct watch_tree **at = &tree->watch->trees;

    while (*at != tree) {
        at = &(*at)->next;
    }
    *at = tree->next;
    watch_tree_clear(tree);
    watch_tree_told(tree);
    dir_unref(tree->base);
    free(tree->path);
    free(tree);
}

static void
timer_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;

    if (--w->open == 0) {
        free(w);
    }
}

static void
close_watch(void *arg)
{
    struct watch *w = arg;

    while (w->trees) {
        drop_tree(w->trees);
    }
    uv_close((uv_handle_t *)&w->quiet, timer_closed);
    uv_close((uv_handle_t *)&w->later, timer_closed);
}

void
watch_destroy(struct watch *w)
{
    if (w) {
        keeper_call(w->keeper, close_watch, w);
    }
}

static void
add_tree(void *arg)
{
    struct watch_tree *tree = arg;

    watch_tree_begin(tree);
    tree->next = tree->watch->trees;
    tree->watch->trees = tree;
    take_stock(tree->watch);
    tell_of(tree);
}

struct watch_tree *
watch_add(struct watch *w, struct dir *base, const char *path,
          void (*tell)(void *arg, const struct watch_news *news), void *arg)
{
    struct watch_tree *tree = xcalloc(1, sizeof *tree);

    tree->watch = w;
    tree->base = dir_ref(base);
    tree->path = xstrdup(path);
    tree->tell = tell;
    tree->arg = arg;
    tree->since_ns = clock_files();
    tree->was_there = dir_is_folder(base, path);
    keeper_post(w->keeper, add_tree, tree);
    return tree;
}

static void
drop_and_take_stock(void *arg)
{
    struct watch_tree *tree = arg;
    struct watch *w = tree->watch;

    drop_tree(tree);
    take_stock(w);
}

void
watch_drop(struct watch_tree *tree)
{
    keeper_call(tree->watch->keeper, drop_and_take_stock, tree);
}

static void
look_at_all(void *arg)
{
    struct watch *w = arg;

    if (!w->burst_events) {
        look(w, true, true);
    } else if (w->burst_events < FLOOD_EVENTS) {
        w->burst_events = FLOOD_EVENTS; /* At its end all of it is looked at. */
    }
}

void
watch_look(struct watch *w)
{
    keeper_post(w->keeper, look_at_all, w);
}

struct counting {
    struct watch *watch;
    struct watch_counters counters;
};

static void
count(void *arg)
{
    struct counting *c = arg;

    c->counters.events = c->watch->events;
    c->counters.tellings = c->watch->tellings;
    for (const struct watch_tree *t = c->watch->trees; t; t = t->next) {
        c->counters.trees++;
        c->counters.folders += t->folders;
        c->counters.entries += t->entries;
        c->counters.unwatched += t->unwatched;
    }
}

struct watch_counters
watch_counters(struct watch *w)
{
    struct counting c = {.watch = w};

    keeper_call(w->keeper, count, &c);
    return c.counters;
}
