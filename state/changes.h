/* changes.h -- who wants to hear of which changes: the lists of tools, of prompts, of resources.
 *
 * Whoever changes such a list publishes that; whoever listens is told from the thread that
 * publishes, at once.  What a listener does then must not block: it hands the news to a queue.  So
 * publishing never waits for a peer.
 *
 * Any thread; takes CHANGES. */
#ifndef TANDEM_CHANGES_H
#define TANDEM_CHANGES_H

#include "state/base/err.h"

#include <stdbool.h>

/* clang-format off */
#define CHANGES(ROW) \
    ROW(TOOLS, "tools") ROW(PROMPTS, "prompts") ROW(RESOURCES, "resources")
enum change {
#define ROW(NAME, TEXT) CHANGE_##NAME,
    CHANGES(ROW)
#undef ROW
    CHANGE_COUNT
};
/* clang-format on */

struct changes;
struct listener;

struct listener_class {
    /* Called once, before any news: CHANGES is held, so no change gets lost or comes first. What it
     * returns other than E_OK is what changes_listen() returns. */
    enum err (*begin)(struct listener *l, struct fault *f);
    /* Tells of a change; CHANGES is held: hands it on, and nothing else.  False to end: the
     * listener takes no more. */
    bool (*tell)(struct listener *l, enum change change);
    /* The listener was taken out because tell() said so.  No lock is held.  May free it. */
    void (*over)(struct listener *l);
};

/* First member of a listener's own struct. */
struct listener {
    const struct listener_class *class;
    unsigned kinds; /* Bits by enum change. */
    struct listener *next, *prev;
};

struct changes *changes_create(void);
/* Nobody may be listening.  Null is ignored. */
void changes_destroy(struct changes *c);

/* Adds 'l', which stays its owner's but may not be touched until it has been taken out.  E_OVERLOAD
 * after changes_close(); or what begin() says. */
enum err changes_listen(struct changes *c, struct listener *l, struct fault *f);
/* Takes out one listener that is 'wanted' (CHANGES is held then) and returns it, or null.  Each is
 * returned to one caller only, and is told nothing any more. */
struct listener *changes_take(struct changes *c,
                              bool (*wanted)(const struct listener *l, const void *arg),
                              const void *arg);
/* Counts those that are 'wanted'. */
unsigned changes_count(struct changes *c, bool (*wanted)(const struct listener *l, const void *arg),
                       const void *arg);
/* Tells all who listen for it. */
void changes_publish(struct changes *c, enum change change);
/* Takes no more listeners: the server is ending. */
void changes_close(struct changes *c);

#endif
