/* messages.h -- the requests that "make bench" sends, as the clients of both eras write them. */
#ifndef TANDEM_TESTS_MESSAGES_H
#define TANDEM_TESTS_MESSAGES_H

#include "tests/bench/load.h"
#include "tests/harness_http.h"

/* A message: one line of JSON with LOAD_ID as its id, new.  'params' are the members of its params,
 * without braces. */
char *message_new(enum mcp_era era, const char *method, const char *params);
/* The params of a call of a tool. */
char *message_call(const char *tool, const char *arguments);
/* The params of initialize. */
extern const char message_initialize[];
/* The arguments of echo: a text of about 'len' bytes, with what texts are made of: lines, quotes,
 * letters that are not ASCII; new. */
char *message_echo(size_t len);

/* Who asks, and whom. */
struct asker {
    enum mcp_era era;
    unsigned port;
    const char *token;   /* Borrowed; null for none. */
    const char *session; /* Of a legacy client; null before initialize. */
};
/* A POST of 'message' to /mcp, with the headers that the era wants. 'name' is for Mcp-Name; may be
 * null. */
struct load_request message_post(const struct asker *who, const char *method, const char *name,
                                 const char *message);
/* Opens a session for each of 'count' legacy clients: 'sessions' is a new array of LOAD_SESSION
 * bytes each. */
char *message_sessions(const struct asker *who, unsigned count);
/* Ends them. */
void message_end_sessions(const struct asker *who, const char *sessions, size_t count);

#endif
