/* discovery.h -- one server per project, and how others find it.
 *
 * The data folder holds three files of ours: server.lock, locked for the life of the server that
 * owns the project; token, the secret that HTTP clients show; server.json, which tells clients
 * where the server is and what the token is, unless token_file has it (server/token.h). server.json
 * is written once the socket listens and removed by its writer only; a reader takes it for no
 * server unless the process that wrote it still runs.
 *
 * main's thread, or any program that reads. */
#ifndef TANDEM_DISCOVERY_H
#define TANDEM_DISCOVERY_H

#include "state/base/err.h"
#include "state/base/file.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TOKEN_SIZE 257      /* Of any token, with its NUL; ours are 43 characters. */
#define INSTANCE_ID_SIZE 33 /* 16 bytes in hex, and NUL. */

/* Takes the project's lock: E_OK and a descriptor in '*fd', which holds it until it is closed or
 * the process ends.  E_CONFLICT if another has it; E_IO. */
enum err discovery_lock(struct dir *data, int *fd, struct fault *f);

/* Reads the data folder's token, or makes it.  E_REFUSED if others can read the file, or it holds
 * no token; E_IO. */
enum err discovery_token(struct dir *data, char token[TOKEN_SIZE], struct fault *f);

/* What server.json says.  Strings are owned; null: not there. */
struct discovery {
    char *version, *transport; /* "dual", "http" or "stdio". */
    char *host;                /* As in the URL; null for a Unix socket and for stdio only. */
    unsigned port;             /* 0 likewise. */
    char *socket;              /* Path of the Unix socket. */
    char *path;                /* Of the MCP endpoint. */
    char *url;                 /* Null for stdio only. */
    pid_t pid;
    uint64_t start_ticks; /* When the process started; 0 if it was not told. */
    char *started_at, *instance, *project_name, *project_root;
    char *managed_by; /* Who manages it: server/manager.h. */
    char *token;      /* Null if none is asked for. */
};
#define DISCOVERY_INIT \
    {                  \
        .url = NULL    \
    }

/* Frees what it holds, and wipes the token. */
void discovery_fini(struct discovery *d);
/* The place of 'url' for WebSocket, new; null if there is none: a Unix socket, or null itself. */
char *discovery_ws_url(const char *url);
/* Fills in what is this process's own: pid, start_ticks, started_at, a new instance id.  E_IO. */
enum err discovery_of_this_process(struct discovery *d, struct fault *f);
/* Writes server.json, 0600, whole or not at all.  E_IO. */
enum err discovery_write(struct dir *data, const struct discovery *d, struct fault *f);
/* Removes server.json if it is the one that 'd' was written to.  True if it was. */
bool discovery_remove(struct dir *data, const struct discovery *d);

/* Finds out who serves the project.  E_OK and 'd' for discovery_fini(): a process that runs; its
 * url is null if it serves stdio only.  E_NOT_FOUND: no server, the text says how that is known. */
enum err discovery_read(const struct dir *data, struct discovery *d, struct fault *f);

/* When a process started, in clock ticks since boot; false if it does not run (any more). */
bool process_start_ticks(pid_t pid, uint64_t *ticks);

#endif
