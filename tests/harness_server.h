/* harness_server.h -- the real server as a child process: lines on its stdio, its discovery file,
 * how it ends.
 *
 * The binary is the one that TANDEM names, build/tandem if unset. */
#ifndef TANDEM_TESTS_HARNESS_SERVER_H
#define TANDEM_TESTS_HARNESS_SERVER_H

#include "tests/harness.h"

#include <jansson.h>
#include <sys/types.h>

/* What server.json says. */
struct server_info {
    char host[64], path[64], url[160], token[80], instance[64];
    unsigned port;
    pid_t pid;
};
/* False, with why in '*why' (borrowed for ever), if there is no whole, valid server.json. */
bool server_info_read(const char *root, struct server_info *info, const char **why);

/* What an ended server has left that it should not: "" for nothing, else what, borrowed for ever.
 */
const char *server_left(const char *root);

struct server {
    char root[HARNESS_ROOT];
    pid_t pid;
    int pidfd;
    int in, out;      /* Our ends of its stdin and stdout; -1 when closed. */
    struct buf lines; /* Read, not yet taken. */
    struct server_info info;
};

struct server_options {
    const char *const *args; /* After "serve --root ROOT"; null-ended; may be null. */
    const char *path_first;  /* A folder to put first in PATH; may be null. */
    bool no_stdin;           /* /dev/null instead of a pipe, and "--transport http". */
};
/* Starts a server; its standard error is appended to ROOT/server.log.  Main thread only: the child
 * dies with the thread that started it.  'options' may be null. */
void server_spawn(struct server *s, const char *root, const struct server_options *options);
/* Waits until it serves, and reads its discovery file into 'info'.  False, with a line on standard
 * output, if it ended or said nothing instead. */
bool server_ready(struct server *s);
/* server_spawn() and server_ready(), which must hold. */
void server_start(struct server *s, const char *root, const struct server_options *options);

/* Writes one line to its stdin.  False if it is gone. */
bool server_send(struct server *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next line of its stdout as JSON, new, but for those that say that a list has changed; null if
 * there is none until 'deadline_ns', or it is no JSON. */
json_t *server_read(struct server *s, int64_t deadline_ns);
/* True if a whole line is there, or comes until 'deadline_ns'. */
bool server_has_line(struct server *s, int64_t deadline_ns);

void server_close_stdin(struct server *s);
/* Waits for its end and frees what is the server's.  Returns the exit status, 128 + N for signal N,
 * or -1 if it did not end until 'deadline_ns' (it is killed then). */
int server_wait(struct server *s, int64_t deadline_ns);
/* Closes its stdin and waits. */
int server_end(struct server *s);
/* kill -9, and waits. */
void server_kill(struct server *s);
/* True if the process runs. */
bool server_alive(const struct server *s);
/* Resident memory in bytes, from /proc. */
size_t server_resident(const struct server *s);
/* Nanoseconds for which a thread between its start and its first answer by stdio was ready to run,
 * and had no core for it: main's or that of stdio, whichever waited longer. */
int64_t server_waited(const struct server *s);

#endif
