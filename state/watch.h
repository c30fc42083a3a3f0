/* watch.h -- folders that are watched: "this tree changed, and there".
 *
 * A tree is a folder with all that is below it, wherever it may be now: one that is not there yet,
 * or goes and comes back, is watched all the same.  Links and hidden entries are no part of it.
 * Whoever watches is told what differs from what he was told last, never what happened in between:
 * a file that was written ten times is one change, one that came and went is none.  A burst of
 * changes is told once it has been quiet for a moment, or has lasted for long; only then may a file
 * that is being written be told of again.
 *
 * The kernel tells of changes as they happen.  What it does not tell (a network file system, more
 * folders than may be watched, too many changes at once) is found by looking again now and then.
 *
 * watch_* functions: any thread that holds no lock.  News are told on the keeper's thread. */
#ifndef TANDEM_WATCH_H
#define TANDEM_WATCH_H

#include "state/base/file.h"
#include "state/base/keeper.h"

#include <stdbool.h>
#include <stddef.h>

#define WATCH_CHANGES_MAX 10000u  /* Of one telling. */
#define WATCH_ENTRIES_MAX 100000u /* Of one tree; of one folder a tenth. */
#define WATCH_DEPTH_MAX 32u

struct watch_options {
    unsigned folders;      /* Most that are watched; over it they are looked at instead. */
    unsigned quiet_ms;     /* Silence that ends a burst. */
    unsigned cap_ms;       /* A burst that lasts is told of so often. */
    unsigned look_ms;      /* Everything is looked at again so often, */
    unsigned look_soon_ms; /* and so often while something cannot be watched. */
};
#define WATCH_OPTIONS_INIT                                                                       \
    {                                                                                            \
        .folders = 2048, .quiet_ms = 100, .cap_ms = 2000, .look_ms = 60000, .look_soon_ms = 5000 \
    }

enum watch_kind { WATCH_ADDED, WATCH_CHANGED, WATCH_REMOVED };

struct watch_change {
    enum watch_kind kind; /* Folders are added and removed only. */
    bool folder;
    char *path; /* Relative to the tree; "" for the tree itself. */
};

/* What differs, each path once; a folder that was added or removed, and all that is below it. */
struct watch_news {
    const struct watch_change *all;
    size_t count;
    bool more; /* There is more that is not told: anything may differ. */
};

struct watch;
struct watch_tree;

/* A watch over any number of trees.  'keeper' is borrowed and must outlive it. */
struct watch *watch_create(struct keeper *keeper, const struct watch_options *options);
/* Drops its trees; nobody is told anything any more.  Null is ignored. */
void watch_destroy(struct watch *w);

/* Watches the folder 'path' beneath 'base' (of which it keeps a reference) and calls 'tell' with
 * 'arg' when it changes; the news are borrowed for the call.  Does not wait until the tree has been
 * looked at: what is changed from now on is told in any case, and if that was before the look,
 * 'more' stands for what came or went.  What was changed just before this call may be told too, as
 * files tell the time in ticks of some milliseconds.  The tree is the watch's until it is dropped.
 */
struct watch_tree *watch_add(struct watch *w, struct dir *base, const char *path,
                             void (*tell)(void *arg, const struct watch_news *news), void *arg);
/* After it returns, nothing is told of the tree any more.  Not from 'tell'. */
void watch_drop(struct watch_tree *tree);

/* Has everything looked at again, soon: where the kernel tells of nothing. */
void watch_look(struct watch *w);

struct watch_counters {
    size_t trees, folders, entries; /* As of the last look. */
    size_t unwatched;               /* Folders that are only looked at. */
    uint64_t events, tellings;
};
/* What is counted, as it is now. */
struct watch_counters watch_counters(struct watch *w);

#endif
