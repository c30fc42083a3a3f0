/* arena.c -- see arena.h.  Blocks double in size; a thing larger than a block gets its own. */
#include "state/base/arena.h"

#include <stdint.h>

#define FIRST_BLOCK 4096u
#define LARGEST_BLOCK (256u * 1024)
#define ALIGNMENT 16u

struct arena_block {
    struct arena_block *next;
    size_t size, used; /* Bytes of data[]. */
    _Alignas(ALIGNMENT) unsigned char data[];
};

void
arena_fini(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *next = a->blocks->next;

        free(a->blocks);
        a->blocks = next;
    }
    a->used = 0;
}

/* A block with room for 'need' bytes at the head of the list, or null. */
static struct arena_block *
block_with_room(struct arena *a, size_t need)
{
    struct arena_block *block = a->blocks;
    size_t size = FIRST_BLOCK;

    if (block && block->size - block->used >= need) {
        return block;
    }
    if (block) {
        size = block->size < LARGEST_BLOCK / 2 ? block->size * 2 : LARGEST_BLOCK;
    }
    if (size < need) {
        size = need;
    }
    block = try_malloc(sizeof *block + size);
    if (!block) {
        return NULL;
    }
    block->next = a->blocks;
    block->size = size;
    block->used = 0;
    a->blocks = block;
    return block;
}

void *
arena_take(struct arena *a, size_t count, size_t size)
{
    struct arena_block *block = NULL;
    size_t need;
    void *result;

    if (count == 0 || size == 0 || a->failed) {
        return NULL;
    }
    if (count > SIZE_MAX / 2 / size) {
        a->failed = a->full = true;
        return NULL;
    }
    need = (count * size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    a->full = a->limit != 0 && (need > a->limit || a->used > a->limit - need);
    block = a->full ? NULL : block_with_room(a, need);
    if (!block) {
        a->failed = true;
        return NULL;
    }
    result = block->data + block->used;
    block->used += need;
    a->used += need;
    memset(result, 0, need);
    return result;
}

const char *
arena_text(struct arena *a, struct slice text)
{
    char *copy;

    if (text.len == 0) {
        return a->failed ? NULL : "";
    }
    copy = arena_take(a, text.len + 1, 1);
    if (copy) {
        memcpy(copy, text.data, text.len);
    }
    return copy;
}
