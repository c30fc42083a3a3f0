/* scope.h -- what a token lets its holder do: the scopes of tandem, each implying those before it.
 *
 * Pure.  Who comes by a way that knows no scopes (stdio, the token of the data folder) may do
 * everything: their list is SLICE_NONE. */
#ifndef TANDEM_SCOPE_H
#define TANDEM_SCOPE_H

#include "state/base/mem.h"

#include <stdbool.h>

/* clang-format off */
/* From narrow to broad. */
#define SCOPES(ROW)            \
    ROW(READ,  "tandem:read")  \
    ROW(WRITE, "tandem:write")
enum scope {
    SCOPE_NONE, /* Any token will do. */
#define ROW(NAME, TEXT) SCOPE_##NAME,
    SCOPES(ROW)
#undef ROW
    SCOPE_COUNT
};
/* clang-format on */

/* "tandem:read"; "" for SCOPE_NONE. */
const char *scope_text(enum scope scope);
/* Whether 'held', words with blanks between them, allows what needs 'scope'. */
bool scope_allows(struct slice held, enum scope scope);

#endif
