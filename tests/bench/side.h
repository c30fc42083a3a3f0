/* side.h -- one of those who are compared over HTTP: a server, the load on it, its turns. */
#ifndef TANDEM_TESTS_SIDE_H
#define TANDEM_TESTS_SIDE_H

#include "tests/bench/bench.h"

/* What is asked of it. */
struct question {
    enum mcp_era era;
    unsigned connections;
    const char *method, *tool; /* 'tool' may be null. */
    const char *arguments;     /* Of the tool, as JSON; null with no tool. */
    bool reconnect;            /* On a connection of its own each. */
    bool varies;               /* The answers need not be equally long. */
};

struct side {
    const struct bench *bench;
    struct entrant *entrant; /* Borrowed. */
    pid_t pid;
    struct asker who;
    struct load_request *requests; /* Owned: one for all connections, or one for each. */
    unsigned request_count;
    char *sessions; /* Owned: of legacy clients, one for each connection; may be null. */
    bool reconnect;
    struct load *load;
    struct load_result result;
};

/* Opens the load on an MCP server, and makes it the entrant.  'who' has no session yet: with
 * 'sessions' each legacy connection gets one.  Freed by side_free(). */
struct side *side_mcp(const struct bench *b, struct entrant *e, const char *name, pid_t pid,
                      struct asker who, const struct question *q, bool sessions);
/* The same for a server that answers anything with the same bytes: it is sent what 'like' is. */
struct side *side_fixed(const struct bench *b, struct entrant *e, const struct peer *p,
                        const struct question *q, const struct side *like);
void side_free(struct side *s);
/* Length of a body that it answers. */
size_t side_body_len(const struct side *s);
/* Length of a whole request. */
size_t side_request_len(const struct side *s);
/* tandem as an asker's peer. */
struct asker side_asker(const struct server *tandem, enum mcp_era era);

#endif
