/* methods.c -- the method table as data. */
#include "handlers/methods.h"

static const struct method methods[] = {
#define ROW(NAME, HANDLE, PREPARE, ERAS, SESSION, SCOPE, KIND) \
    {NAME, HANDLE, PREPARE, ERAS, SESSION, SCOPE_##SCOPE, RPC_##KIND},
    METHODS(ROW)
#undef ROW
};

const struct method *
method_find(struct slice name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (slice_is(name, methods[i].name)) {
            return &methods[i];
        }
    }
    return NULL;
}
