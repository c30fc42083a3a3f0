/* aside.h -- a second process, which does for this one what it may not do itself.
 *
 * A server that has shut itself in (server/sandbox.h) can start no program any more.  What one is
 * needed for is done by a process that was forked before: it has nothing of the server's but one
 * end of a socket, answers the one question that it was made for, and ends when the server ends,
 * however that ends.
 *
 * It is forked, not spawned, for it costs 0.2 ms of the start so, and 0.3 MiB: before there are
 * threads, whose locks a fork would copy. */
#ifndef TANDEM_ASIDE_H
#define TANDEM_ASIDE_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <stdatomic.h>
#include <stdint.h>

#define ASIDE_ANSWER_MAX 65536 /* What is longer is told as no answer. */

#define ASIDE_KEPT                                                                \
    3 /* The one descriptor that a forked process keeps, besides the null device. \
       */

/* Has a process that was forked let go of its maker's descriptors: 0 to 2 become the null device,
 * or are closed where there is none; 'keep', if it is not negative, becomes ASIDE_KEPT; all others
 * are closed.  False if any of that failed. */
bool aside_let_go(int keep);

struct aside;

/* Adds the answer to 'out'.  Runs in the other process, which may be killed at any time; once
 * 'asker' hangs up (POLLHUP) nobody waits for it any more. */
typedef void aside_answer(const char *arg, int asker, struct buf *out);

/* Starts the process, which answers with 'answer' and a copy of 'arg'.  Only while this process has
 * one thread.  E_IO. */
enum err aside_start(aside_answer *answer, const char *arg, struct aside **aside, struct fault *f);
/* Asks, waits for 'limit_ns' at most, and adds the answer to 'out'.  E_TIMEOUT; E_CANCELLED: 'over'
 * has turned true; E_IO: there is nobody, or no answer.  One thread at a time, without a lock. */
enum err aside_ask(struct aside *a, int64_t limit_ns, const atomic_bool *over, struct buf *out);
/* Ends it, waits until it has ended, and frees.  Null is ignored. */
void aside_end(struct aside *a);

#endif
