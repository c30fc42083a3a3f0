/* edit_rig.h -- what tests of the editors of other programs' files share. */
#ifndef TANDEM_TESTS_EDIT_RIG_H
#define TANDEM_TESTS_EDIT_RIG_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <jansson.h>

/* An editor, and the member that it is tried with. */
struct edit_rig {
    enum err (*set)(struct slice, const char *const *, size_t, const json_t *, struct buf *,
                    struct fault *);
    enum err (*remove)(struct slice, const char *const *, size_t, struct buf *, struct fault *);
    enum err (*get)(struct slice, const char *const *, size_t, json_t **, struct fault *);
    const char *path[2];
    json_t *(*entry)(void); /* New. */
};

/* 'before' with the entry set is 'after', also when it is set twice; read, it is the entry; taken
 * out again, 'again' is left. */
void edit_rig_set(const struct edit_rig *rig, const char *before, const char *after,
                  const char *again);

struct edit_refusal {
    const char *file;
    enum err err;
    unsigned line, column; /* A column of 0 is not looked at. */
};
/* Each file is refused at its place, by set and by remove, and nothing comes out. */
void edit_rig_refuse(const struct edit_rig *rig, const struct edit_refusal *rows, size_t count);

#endif
