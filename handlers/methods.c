/* methods.c -- the method table as data. */
#include "handlers/methods.h"

static const struct method methods[] = {
#define ROW(NAME, HANDLE, PREPARE, ERAS, SESSION, KIND) \
    {NAME, HANDLE, PREPARE, ERAS, SESSION, RPC_##KIND},
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

enum scope
method_scope(const struct method *method)
{
    static const char *const open[] = {"initialize", "ping", "logging/setLevel", "server/discover"};

    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        if (strcmp(method->name, open[i]) == 0) {
            return SCOPE_NONE;
        }
    }
    return method->kind == RPC_NOTIFICATION ? SCOPE_NONE : SCOPE_READ;
}
