/* outbox.h -- what waits to be written to one connection.
 *
 * Any thread adds; one thread, the owner, whose loop has the descriptor, looks at the oldest
 * messages, writes them and pops them.  A message is counted bytes, so one that goes to many
 * connections exists once. What is added wakes the owner, once: it is not woken again before it has
 * found the outbox empty.
 *
 * A full outbox refuses what is not owed: whether that closes the connection or drops something is
 * its owner's choice, made where it adds.  Takes the OUTBOX lock. */
#ifndef TANDEM_OUTBOX_H
#define TANDEM_OUTBOX_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdbool.h>
#include <stddef.h>

struct outbox;

struct outbox_limits {
    size_t messages, bytes; /* 0 for none. */
};

/* A new, empty outbox.  'wake' makes the owner call outbox_peek() soon; it runs on any thread, with
 * the OUTBOX lock held, so that it never runs after outbox_close(): it may call uv_async_send(),
 * and nothing else. */
struct outbox *outbox_create(const struct outbox_limits *limits, void (*wake)(void *arg),
                             void *arg);
/* Frees what is left.  No other thread may be using it.  Null is ignored. */
void outbox_destroy(struct outbox *ob);

/* Adds 'message', stealing the reference in any case, and wakes the owner.  E_LIMIT if it is full;
 * E_CANCELLED once closed.  A message is taken whatever its size if the outbox is empty.  Any
 * thread. */
enum err outbox_add(struct outbox *ob, struct bytes *message);
/* The same for what is owed, and bounded elsewhere: taken however full it is. */
enum err outbox_add_owed(struct outbox *ob, struct bytes *message);
/* Wakes the owner though nothing is added.  Any thread; nothing happens once closed. */
void outbox_wake(struct outbox *ob);
/* Bytes that are not yet popped.  Any thread. */
size_t outbox_bytes(const struct outbox *ob);

/* The owner says that it will look by itself before it waits: what is added until then wakes
 * nobody. */
void outbox_expect(struct outbox *ob);
/* Stores up to 'max' of the oldest messages, borrowed until they are popped, and returns how many.
 * 0 means empty: from then on what is added wakes the owner again.  Owner only. */
size_t outbox_peek(struct outbox *ob, struct bytes **messages, size_t max);
/* Drops the 'count' oldest messages.  Owner only. */
void outbox_pop(struct outbox *ob, size_t count);
/* The same, and then as outbox_peek(): true means empty. */
bool outbox_pop_and_look(struct outbox *ob, size_t count);
/* Drops everything and takes nothing more; 'wake' is not called again.  Owner only. */
void outbox_close(struct outbox *ob);

#endif
