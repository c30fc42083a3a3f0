/* changes.h -- who wants to hear of which changes: of the lists of tools, prompts and resources,
 * and of resources by name.
 *
 * Whoever changes something publishes that; whoever listens is told from the thread that publishes,
 * at once.  What a listener does then must not block: it hands the news to a queue.  So publishing
 * never waits for a peer.  With a keeper, the same news to the same listener is told at most every
 * CHANGES_MS: what comes in between is told once, at the end of that time.
 *
 * Any thread; takes CHANGES. */
#ifndef TANDEM_CHANGES_H
#define TANDEM_CHANGES_H

#include "state/base/err.h"
#include "state/base/keeper.h"
#include "state/base/mem.h"

#include <stdbool.h>
#include <stddef.h>

/* The lists, and then what is told by name; the texts are those of the wire. */
/* clang-format off */
#define CHANGES_OF_LISTS(ROW) \
    ROW(TOOLS, "tools") ROW(PROMPTS, "prompts") ROW(RESOURCES, "resources")
enum change {
#define ROW(NAME, TEXT) CHANGE_##NAME,
    CHANGES_OF_LISTS(ROW)
#undef ROW
    CHANGE_LISTS,
    CHANGE_RESOURCE = CHANGE_LISTS /* One resource: its name is its URI. */
};
/* clang-format on */

#define CHANGES_MS 100u
#define CHANGES_TOPICS_MAX 1000u                  /* Of one listener. */
#define CHANGES_TOPICS_BYTES (4u * 1024u * 1024u) /* Of the names of all. */

struct changes;
struct listener;
struct topic;

/* What became of a message: it was told, it shall be told later, or the listener takes no more. */
enum told { TOLD, TELL_LATER, TOLD_ENOUGH };

struct listener_class {
    /* Called once, before any news: CHANGES is held, so no change gets lost or comes first. What it
     * returns other than E_OK is what changes_listen() returns. */
    enum err (*begin)(struct listener *l, struct fault *f);
    /* Tells of a change; CHANGES is held: hands it on, and nothing else.  'name' is null for a
     * list. */
    enum told (*tell)(struct listener *l, enum change change, const char *name);
    /* The listener was taken out because tell() said so.  No lock is held.  May free it. */
    void (*over)(struct listener *l);
};

/* First member of a listener's own struct. */
struct listener {
    const struct listener_class *class;
    unsigned kinds; /* Of lists: bits by enum change. */
    /* Of changes.c. */
    unsigned resting, waiting; /* Lists told just now; and those of them that changed again. */
    struct topic *topics;
    unsigned topic_count;
    size_t topic_bytes;
    struct listener *next, *prev;
};

/* A new one, to which nobody listens. */
struct changes *changes_create(void);
/* Nobody may be listening.  Null is ignored. */
void changes_destroy(struct changes *c);
/* Has 'keeper', who must outlive it, tell what waits.  At most once, before anything is
 * published. */
void changes_keep(struct changes *c, struct keeper *keeper);

/* Adds a resource that 'l', which nobody listens with yet, is to be told of: this one, or one below
 * it ("a" of "a/b", "a/" likewise).  One that is wanted already counts once.  E_BUSY over
 * CHANGES_TOPICS_MAX. */
enum err listener_want(struct listener *l, struct slice name, struct fault *f);
/* Whether it is among those. */
bool listener_wants(const struct listener *l, struct slice name);
/* Frees what 'l', which has been taken out, or was never in, was to be told of. */
void listener_fini(struct listener *l);

/* Adds 'l', which stays its owner's but may not be touched until it has been taken out.  E_OVERLOAD
 * after changes_close(); E_BUSY if it wants more than there is room for; or what begin() says. */
enum err changes_listen(struct changes *c, struct listener *l, struct fault *f);
/* Takes out one listener that is 'wanted' (CHANGES is held then) and returns it, or null.  Each is
 * returned to one caller only, and is told nothing any more. */
struct listener *changes_take(struct changes *c,
                              bool (*wanted)(const struct listener *l, const void *arg),
                              const void *arg);
/* Does something to each; CHANGES is held: hands on, and nothing else. */
void changes_each(struct changes *c, void (*act)(struct listener *l, void *arg), void *arg);
/* Counts those that are 'wanted'. */
unsigned changes_count(struct changes *c, bool (*wanted)(const struct listener *l, const void *arg),
                       const void *arg);
/* Adds a resource to one that listens, as listener_want().  E_NOT_FOUND if none is 'wanted'. */
enum err changes_want(struct changes *c, bool (*wanted)(const struct listener *l, const void *arg),
                      const void *arg, struct slice name, struct fault *f);
/* Takes it away again.  False if there was none. */
bool changes_unwant(struct changes *c, bool (*wanted)(const struct listener *l, const void *arg),
                    const void *arg, struct slice name);

/* Tells all who listen for it that a list has changed. */
void changes_publish(struct changes *c, enum change list);
/* That a resource has: all who want it, or what it is below. */
void changes_publish_resource(struct changes *c, const char *name);
/* That any resource may have whose name begins with 'head': each who wants one is told of the one
 * he wants. */
void changes_publish_below(struct changes *c, const char *head);
/* Takes no more listeners: the server is ending. */
void changes_close(struct changes *c);

#endif
