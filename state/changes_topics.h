/* changes_topics.h -- what a listener wants by name.  For changes.c, under CHANGES, or of a
 * listener that nobody else sees. */
#ifndef TANDEM_CHANGES_TOPICS_H
#define TANDEM_CHANGES_TOPICS_H

#include "state/changes.h"

struct topic {
    struct topic *next;
    bool resting;  /* It was told just now. */
    char *waiting; /* Owned: what changed meanwhile; null for nothing. */
    size_t len;
    char name[]; /* Ended by NUL. */
};

/* What one costs of CHANGES_TOPICS_BYTES. */
size_t topic_cost(struct slice name);
bool topic_remove(struct listener *l, struct slice name);
/* Whether 'name' is what is wanted, or below it. */
bool topic_covers(const struct topic *t, const char *name);
bool topic_begins(const struct topic *t, const char *head);
/* 'name' waits to be told; of several that do, what is told is what they have in common: what is
 * wanted. */
void topic_wait(struct topic *t, const char *name);
/* Nothing waits any more. */
void topic_told(struct topic *t);
/* None rests. */
void topics_wake(struct listener *l);

#endif
