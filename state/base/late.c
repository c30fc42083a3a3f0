/* late.c -- dlopen() and dlsym(), once.
 *
 * Two threads may come here at once: both find the same functions, and one of them is told so by
 * dlopen(), which counts. */
#include "state/base/late.h"

#include <dlfcn.h>

bool
late_load(struct late *late)
{
    void *library;

    if (atomic_load_explicit(&late->ready, memory_order_acquire)) {
        return true;
    }
    library = dlopen(late->file, RTLD_NOW | RTLD_LOCAL); /* For the rest of the process. */
    for (size_t i = 0; library && i < late->count; i++) {
        void *call = dlsym(library, late->names[i]);

        if (call) {
            atomic_store_explicit(&late->calls[i], call, memory_order_relaxed);
        } else {
            dlclose(library);
            library = NULL;
        }
    }
    if (library && late->loaded) {
        late->loaded(library);
    }
    if (library) {
        atomic_store_explicit(&late->ready, true, memory_order_release);
    }
    return library != NULL;
}

void *
late_call(struct late *late, size_t i)
{
    return late_load(late) ? atomic_load_explicit(&late->calls[i], memory_order_relaxed) : NULL;
}
