/* setup_clients.h -- the MCP clients that "tandem setup" knows: where each keeps its servers, and
 * what an entry looks like there.
 *
 * One row a client in SETUP_CLIENTS of setup_clients.c.  To add one: a row, and its golden files
 * in tests/fixtures/setup. */
#ifndef TANDEM_SETUP_CLIENTS_H
#define TANDEM_SETUP_CLIENTS_H

#include "state/base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum setup_format { SETUP_JSON, SETUP_TOML, SETUP_YAML };
enum setup_scope { SETUP_PROJECT, SETUP_USER };
enum setup_transport { SETUP_STDIO, SETUP_HTTP };

/* The key of our entry in every client's list. */
#define SETUP_NAME "tandem"

struct setup_client {
    const char *name, *title;
    enum setup_format format;
    const char *list;       /* The key of the client's servers in its file. */
    const char *files[2];   /* By scope; null: it has none.  From the project's root; or, after
                             * "~/" from the home folder, after "@/" from that of settings. */
    const char *entries[2]; /* By transport, as JSON with places for what differs; null: it
                             * cannot. */
    const char *root;       /* How it names the project's folder in a project's file; null: it
                             * cannot, so an absolute path it is. */
    const char *token;      /* How it names the variable TANDEM_TOKEN; null: it cannot. */
    const char *next;       /* What is to be done in it then. */
};

/* All of them, in the order of the help; null ends the list. */
extern const struct setup_client setup_clients[];
/* The row of 'name' in '*client'.  E_NOT_FOUND, with what was probably meant. */
enum err setup_client_find(const char *name, const struct setup_client **client, struct fault *f);

/* What goes into the places of an entry. */
struct setup_values {
    const char *command; /* Absolute. */
    const char *root;    /* Of the project. */
    const char *url;     /* HTTP. */
    const char *token;   /* HTTP; null: none is asked for. */
};

/* The entry of a client for 'scope' and 'transport', new.  E_REFUSED with what can be done: the
 * client cannot do that, or a secret would have to stand in a file that others read. */
enum err setup_entry(const struct setup_client *client, enum setup_scope scope,
                     enum setup_transport transport, const struct setup_values *values,
                     json_t **entry, struct fault *f);
/* The file of a client, new; null if it has none for 'scope'. */
char *setup_file(const struct setup_client *client, enum setup_scope scope, const char *root);

#endif
