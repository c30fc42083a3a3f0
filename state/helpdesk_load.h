/* helpdesk_load.h -- makes a generation of a helpdesk index out of its files.
 *
 * An index is a folder: Markdown documents, at any depth, and "index.jsonl" or "index.json" (or
 * both) with what helpdesk_file.h describes.  The folder of the helpdesk holds what all tenants
 * share, right in it and below its folder "shared"; each other folder in it is an index of its own,
 * which only those tenants see whose settings name it.  Nothing is executed, no link is followed.
 * Any thread; no locks. */
#ifndef TANDEM_HELPDESK_LOAD_H
#define TANDEM_HELPDESK_LOAD_H

#include "state/base/file.h"
#include "state/helpdesk_index.h"
#include "state/helpdesk_remote.h"

#define HELPDESK_SHARED "shared" /* The name of the index that tenants share. */
#define HELPDESK_NAME_SIZE 65

/* True for what may name an index: as a tenant's id. */
bool helpdesk_name_valid(struct slice name);

struct helpdesk_place {
    struct dir *root;   /* Borrowed, as all here. */
    const char *folder; /* Of the helpdesk, relative to the root. */
    bool required;      /* It is an error if there is none. */
    size_t file_max;    /* Bytes of an index file. */
    size_t passages_max;
    bool words; /* Passages are to be found by words too. */
    struct embedder *embedder;
    struct helpdesk_remote *remote; /* An index file for the shared index; or null. */
};

/* Makes the index 'name' in '*index', counted, with the vectors that 'old' (or null) has already;
 * 'anew': no copy of a remote file will do, and no vectors that 'old' has.
 * A file that cannot be read is skipped, and counted; an index file that is no good is an error.
 * E_NOT_FOUND: there is no such index; E_REFUSED, E_TOO_LARGE, E_IO; as embedder_embed();
 * E_CANCELLED once limits->stop is set.  On an error '*index' is null; but where the embedder
 * cannot be asked now and there is none with vectors in 'old', it is one that goes by words alone,
 * if it has words: for the time being. */
enum err helpdesk_load(const struct helpdesk_place *place, const char *name,
                       const struct helpdesk_index *old, bool anew,
                       const struct embed_limits *limits, struct helpdesk_index **index,
                       struct fault *f);

#endif
