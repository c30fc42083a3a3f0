/* edit_json_scan.h -- where in a file a member is, or would be: what edit_json.c goes by. */
#ifndef TANDEM_EDIT_JSON_SCAN_H
#define TANDEM_EDIT_JSON_SCAN_H

#include "state/base/err.h"
#include "state/base/mem.h"

#define EDIT_NOWHERE SIZE_MAX

/* Offsets into the text. */
struct edit_object {
    size_t open, close; /* Of its braces. */
    size_t count;       /* Members. */
    size_t first;       /* The first one's key; */
    size_t last_end;    /* after the last one's value; */
    size_t last_comma;  /* the comma after that; or EDIT_NOWHERE. */
};

struct edit_place {
    struct edit_object object;        /* The innermost on the path that is there. */
    size_t level;                     /* Its member on the path is path[level]. */
    bool there;                       /* That one is the last, and it is there: */
    size_t key, value, end;           /* Where they begin; where the value ends. */
    size_t comma_before, comma_after; /* Or EDIT_NOWHERE. */
};

/* Finds the place of 'path' in 'text', reading all of it.  Errors: see edit_json.h. */
enum err edit_json_scan(struct slice text, const char *const *path, size_t depth,
                        struct edit_place *place, struct fault *f);
/* Moves '*at' behind white space and comments; false if it is at a comment now that does not end.
 */
bool edit_json_blank(struct slice text, size_t *at);

#endif
