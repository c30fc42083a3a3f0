/* search_fuse.c -- lists are some hundred items long at most: an item is found by looking. */
#include "state/search_fuse.h"

#include "state/base/mem.h"

static struct fused *
find(struct fuse *fuse, int64_t id)
{
    for (size_t i = 0; i < fuse->count; i++) {
        if (fuse->items[i].id == id) {
            return &fuse->items[i];
        }
    }
    if (fuse->count == fuse->room) {
        fuse->room = fuse->room ? 2 * fuse->room : 64;
        fuse->items = xrealloc(fuse->items, fuse->room * sizeof *fuse->items);
    }
    fuse->items[fuse->count] = (struct fused){.id = id, .added = fuse->count};
    return &fuse->items[fuse->count++];
}

void
fuse_add(struct fuse *fuse, const int64_t *ids, size_t count, double weight)
{
    for (size_t i = 0; i < count; i++) {
        find(fuse, ids[i])->score += weight / (FUSE_DEPTH + (double)(i + 1));
    }
}

static int
best_first(const void *a, const void *b)
{
    const struct fused *x = a, *y = b;

    if (x->score != y->score) {
        return x->score < y->score ? 1 : -1;
    }
    return (x->added > y->added) - (x->added < y->added);
}

void
fuse_order(struct fuse *fuse)
{
    if (fuse->count) {
        qsort(fuse->items, fuse->count, sizeof *fuse->items, best_first);
    }
}

void
fuse_fini(struct fuse *fuse)
{
    free(fuse->items);
    *fuse = (struct fuse){.items = NULL};
}
