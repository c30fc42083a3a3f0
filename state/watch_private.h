/* watch_private.h -- what the two files of the watch share: the picture of a tree, as it was when
 * it was last looked at.  All of it is the keeper's thread's alone. */
#ifndef TANDEM_WATCH_PRIVATE_H
#define TANDEM_WATCH_PRIVATE_H

#include "state/watch.h"

struct eye; /* On one folder: watch.c. */

struct watch_entry {
    char *name; /* Owned. */
    struct file_identity identity;
    int64_t changed_ns;
    struct watch_folder *folder; /* Owned; null for a file. */
};

struct watch_folder {
    struct watch_tree *tree;
    char *path; /* Owned; relative to the tree. */
    unsigned depth;
    uint64_t device, inode;      /* Of the folder that is watched. */
    struct watch_entry *entries; /* Sorted by name, bytewise; owned. */
    size_t count;
    struct eye *eye; /* Null: it cannot be watched. */
    bool dirty;      /* Something happened in it. */
    bool unread;     /* It could not be listed: it is looked at again soon. */
    bool gone;       /* Something happened to it: its eye is on what it was. */
};

struct watch_tree {
    struct watch *watch;
    struct dir *base;         /* Counted. */
    char *path;               /* Owned; relative to 'base'. */
    struct watch_folder *top; /* Null while it is not there. */
    struct eye *above;        /* Then: on the nearest folder that is. */
    bool complained;          /* The log was told that it is too large. */
    bool was_there;           /* When it was added, */
    int64_t since_ns;         /* which was then, as files tell the time. */
    size_t entries, folders, unwatched;
    void (*tell)(void *arg, const struct watch_news *news);
    void *arg;
    struct watch_change *news; /* Owned; what is to be told. */
    size_t news_count, news_room;
    bool news_more;
    struct watch_tree *next;
};

/* How to look: at all, or at what is dirty only; and whether writers may be at work, so that a file
 * that was changed just now is looked at again. */
struct watch_look {
    bool all, hurried;
    int64_t wall_ns;
};

/* watch_tree.c: looks at the tree and collects what differs. */
void watch_tree_look(struct watch_tree *tree, const struct watch_look *look);
/* Looks for the first time, and collects what has changed since the tree was added. */
void watch_tree_begin(struct watch_tree *tree);
/* Forgets what was collected. */
void watch_tree_told(struct watch_tree *tree);
/* Frees the picture. */
void watch_tree_clear(struct watch_tree *tree);

/* watch.c: puts an eye on the folder beneath 'base', telling device and inode of what it is on.
 * E_NOT_FOUND if there is none; E_LIMIT if it cannot be watched.  'folder' null: one above 'tree'.
 */
enum err eye_open(struct watch_tree *tree, struct watch_folder *folder, const char *path,
                  struct eye **eye, uint64_t *device, uint64_t *inode);
/* Null is ignored. */
void eye_close(struct eye *eye);

#endif
