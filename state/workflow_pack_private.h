/* workflow_pack_private.h -- what the files of the pack module share.
 *
 * workflow_pack_find.c finds packs; workflow_pack.c answers what they hold and reads their files;
 * workflow_pack_metadata.c makes sense of metadata.json;
 * workflow_pack_tasks.c makes the task list of a phase; workflow_pack_overview.c shows what came of
 * it; workflow_pack_check.c looks at everything there is to find fault with. */
#ifndef TANDEM_WORKFLOW_PACK_PRIVATE_H
#define TANDEM_WORKFLOW_PACK_PRIVATE_H

#include "state/base/arena.h"
#include "state/workflow_pack.h"

#include <stdatomic.h>

#define PACK_METADATA "metadata.json"
#define PACK_ENTRIES_MAX 2000u /* Of one folder of a pack. */
#define PACK_ARENA_MAX (16u * 1024 * 1024)
#define PACK_PATH_MAX 512u

struct pack {
    _Atomic unsigned refs;
    struct dir *dir; /* Counted. */
    char id[PACK_NAME_MAX + 1];
    struct arena arena;            /* Phases, tasks and their texts. */
    json_t *metadata;              /* Root of metadata.json, an object.  Not changed once loaded. */
    struct file_identity identity; /* Of metadata.json. */
    struct problems warnings;
    struct fault refusal; /* The first error among them, which a full list may have left out. */
    const char *type, *version, *title, *description;
    struct pack_phase *phases; /* Rising by number. */
    size_t phase_count;
    const json_t *range; /* The entry for generated phases ("1-N"), or null. */
    struct pack_dynamic dynamic;
    bool is_dynamic;
};

/* Reads and parses metadata.json of the pack in 'dir' into a new '*root', its text into '*text' and
 * tells its identity; both may be null.  An edit that happens meanwhile is waited out by reading
 * again.  E_NOT_FOUND; E_REFUSED, with line and column, if it is not a JSON object; E_TOO_LARGE;
 * E_IO. */
enum err pack_read_metadata(const struct dir *dir, const char *id, json_t **root, struct buf *text,
                            struct file_identity *identity, struct fault *f);

/* Makes a pack of the folder 'dir', taking a reference to it.  What is amiss goes to the pack's
 * warnings, errors among them: the caller decides whether they refuse it.  E_OK, or as
 * pack_read_metadata(); E_LIMIT. */
enum err pack_make(struct dir *dir, const char *id, struct pack **pack, struct fault *f);

/* What the parts of pack_make() pass on. */
struct pack_maker {
    struct pack *pack;
    struct slice text; /* Of metadata.json, to tell places. */
    struct fault *fault;
};

/* Adds a problem with the value that 'path', a JSON pointer, leads to. */
void pack_complain(struct pack_maker *m, enum problem_severity severity, const char *path,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The text of member 'key' of 'object', kept by the pack; 'otherwise' if it is missing, with a
 * warning if 'wanted'.  Numbers and booleans are taken as text, with a warning; anything else is an
 * error. */
const char *pack_text(struct pack_maker *m, const json_t *object, const char *path, const char *key,
                      const char *otherwise, bool wanted);

/* Reads a number of 0 to PACK_NUMBER_MAX: an integer, or, with a warning, a whole float or digits.
 */
bool pack_number(struct pack_maker *m, const json_t *value, const char *path, int *number);

/* Fills the tasks of 'phase' from 'entry' (may be null), whose pointer is 'path', and its folder.
 */
void pack_make_tasks(struct pack_maker *m, struct pack_phase *phase, const json_t *entry,
                     const char *path);

#endif
