/* tools_at_hand.h -- answers of tools that are at hand: written before, told again without a
 * worker.
 *
 * A tool that keeps an answer in memory may keep its text with it, as it stands in a result of
 * tools/call, but for one number that may be told anew each time.  Where that text is found, the
 * call runs on the transport's thread, and builds nothing: 12 KB of search results took 137 us of
 * CPU from the tree, its two forms and the way to a worker and back, and take 3 so, beside the 9 of
 * any call.  Pure but for the request. */
#ifndef TANDEM_TOOLS_AT_HAND_H
#define TANDEM_TOOLS_AT_HAND_H

#include "handlers/request.h"

/* The text of 'result', an object that 'tool' has answered and that fits its schema; counted, or
 * null without memory.  'number' names a member of it, a number, that is told anew; null: there is
 * none. */
struct bytes *at_hand_write(const struct tool *tool, const json_t *result, const char *number);

#define AT_HAND_ARGUMENTS_MAX \
    1024u /* Bytes.  What is asked with more words is asked of a worker. */
/* Asks the tool of a call, which has at_hand().  Keeps what it gives as the answer of the request.
 * True if there is one. */
bool at_hand_find(struct request *req);
/* An argument that at_hand() reads from its bytes, without a tree. */
struct at_hand_argument {
    const char *name; /* With its quotes. */
    bool needed;
    /* Reads the value into 'asked', the tool's own; false if it is not written plainly. */
    bool (*read)(struct slice raw, void *asked);
};
#define AT_HAND_KNOWN_MAX 8u
/* Reads arguments as nearly all write them: each of the 'count' that are 'known' at most once,
 * those that are needed, and no others.  False leaves what is written in another way to a worker.
 */
bool at_hand_read(struct slice arguments, const struct at_hand_argument *known, size_t count,
                  void *asked);
/* A number without a sign or fraction, of at most five digits. */
bool at_hand_number(struct slice raw, int *number);
/* Adds that answer to the result. */
void at_hand_add(struct request *req);

#endif
