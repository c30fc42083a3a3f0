/* setup.h -- our entry in a client's file: put there, taken out, undone to the byte.
 *
 * Beside a file that is changed its old bytes are kept, as FILE.before-tandem.  Undoing puts them
 * back if our entry is all that has changed since; else it takes the entry out, and leaves the rest
 * as it is by now.  A link is followed and stays; the file's mode stays.  main's thread. */
#ifndef TANDEM_SETUP_H
#define TANDEM_SETUP_H

#include "server/setup_clients.h"
#include "state/base/file.h"
#include "state/base/mem.h"

#define SETUP_FILE_MAX (64u << 20) /* Bytes; some clients keep their history in it. */
#define SETUP_BACKUP ".before-tandem"

struct setup {
    const struct setup_client *client;
    char *path;        /* Owned: the file as it is named. */
    char *folder;      /* Owned: where it is, links followed. */
    char *name;        /* Owned: what it is called there. */
    bool there;        /* It exists. */
    unsigned mode;     /* Then: its permissions. */
    struct buf before; /* What it holds; */
    struct buf after;  /* and is to hold. */
};
#define SETUP_INIT   \
    {                \
        .path = NULL \
    }

/* Reads the file of a client for setup_fini(); one that is not there is empty.  'path' is stolen.
 * E_TOO_LARGE, E_IO. */
enum err setup_open(struct setup *s, const struct setup_client *client, char *path,
                    struct fault *f);
void setup_fini(struct setup *s);

/* Our entry as it is in the file in '*entry', new; null if it is not there.  E_PARSE, E_CONFLICT
 * with line and column. */
enum err setup_read(const struct setup *s, json_t **entry, struct fault *f);
/* Makes 'after' of 'before' with 'entry' in it.  Errors as above. */
enum err setup_plan(struct setup *s, const json_t *entry, struct fault *f);
/* Writes 'after', having kept 'before' beside it; whole or not at all.  '*kept' (may be null) says
 * whether there are old bytes beside it now.  E_CONFLICT: the file has changed since it was read.
 * E_IO. */
enum err setup_write(struct setup *s, bool *kept, struct fault *f);

enum setup_undone { SETUP_RESTORED, SETUP_REMOVED, SETUP_TAKEN_OUT };

/* Undoes what setup_write() did: the old bytes are back, the file that was not there is gone, or
 * only the entry is taken out.  E_NOT_FOUND: there is no entry of ours. */
enum err setup_undo(struct setup *s, enum setup_undone *undone, struct fault *f);

#endif
