/* play.h -- plays the parts of a demonstration: a server of its own on a copy of a project, an IDE
 * on its stdio, one agent over HTTP and one over WebSocket.
 *
 * The IDE speaks legacy MCP, as most editors do; the agents speak modern MCP, one by POST, the
 * other on a connection that stays.  One thread a part; the IDE's calls are main's. */
#ifndef TANDEM_PLAY_H
#define TANDEM_PLAY_H

#include "server/client.h"
#include "server/discovery.h"

#include <jansson.h>

/* For an answer. */
#define PLAY_PATIENCE_NS (20 * (int64_t)1000000000)

struct ws_client;

struct play {
    char root[64]; /* The copy; removed at the end. */
    pid_t pid;     /* The server. */
    int to_server, from_server;
    struct buf lines; /* Read from the server, not used yet. */
    unsigned next_id;
    struct dir *data;
    struct discovery server;
    struct client_target target;
    struct ws_client *websocket; /* Of the second agent. */
};

/* Copies 'example', starts "tandem serve" on it with the IDE's pipes, and returns once it has
 * answered the IDE's first message; how long that took goes to '*first_ns'. */
enum err play_open(struct play *p, const char *example, int64_t *first_ns, struct fault *f);
/* Ends the server by ending its input; true if it ended well and left nothing behind.  Removes the
 * copy. */
bool play_close(struct play *p);

/* One request and its answer: a new object, the result; or null with the error, as the server told
 * it. Steals 'params'. */
json_t *play_ide(struct play *p, const char *method, json_t *params, struct fault *f);
json_t *play_agent(const struct play *p, const char *method, json_t *params, struct fault *f);
/* A tool's structured result, whether the tool succeeded or not; its "status" tells.  Steals
 * 'args'. */
json_t *play_ide_tool(struct play *p, const char *tool, json_t *args, struct fault *f);
json_t *play_agent_tool(const struct play *p, const char *tool, json_t *args, struct fault *f);
/* The same by the second agent. */
json_t *play_second_tool(const struct play *p, const char *tool, json_t *args, struct fault *f);

/* KiB of memory the server has resident. */
unsigned play_memory_kib(const struct play *p);

#endif
