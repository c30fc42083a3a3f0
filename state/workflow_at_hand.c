/* workflow_at_hand.c -- texts of answers, kept while what they tell is so. */
#include "state/workflow_at_hand.h"

#include "state/base/stamp.h"
#include "state/workflow_private.h"

/* What is longer is made anew: a live session keeps a few. */
#define TEXT_MAX ((size_t)64 * 1024)

struct kept_task {
    struct kept kept;  /* First. */
    struct pack *pack; /* Counted. */
    const char *file;  /* Borrowed from it. */
    struct file_stamp stamp;
    struct bytes *text; /* Counted. */
};

static uint64_t
key_of(const struct workflow_args *args)
{
    return (uint64_t)(uint32_t)args->phase << 32 | (uint32_t)args->task_number;
}

static void
end(struct kept *kept)
{
    struct kept_task *task = (struct kept_task *)kept;

    pack_unref(task->pack);
    bytes_unref(task->text);
    free(task);
}

void
workflow_keep(const struct workflow_args *args, const struct session_view *view,
              const struct wf_content *content, const struct wf_file *read, int64_t began_ns,
              const json_t *answer)
{
    struct pack *pack = wf_content_pack(content);
    struct kept_task *task;
    struct file_stamp stamp;
    struct bytes *text;

    if (!stamp_is_cheap(pack_dir(pack)) || !stamp_take(pack_dir(pack), read->file, &stamp) ||
        !stamp_covers(&stamp, &read->identity, began_ns)) {
        return;
    }
    text = args->keep(answer);
    if (!text || text->len > TEXT_MAX) {
        bytes_unref(text);
        return;
    }
    task = xcalloc(1, sizeof *task);
    atomic_init(&task->kept.refs, 1);
    task->kept.key = key_of(args);
    task->kept.end = end;
    task->pack = pack_ref(pack);
    task->file = read->file;
    task->stamp = stamp;
    task->text = text;
    workflow_store_keep(view, &task->kept);
}

struct bytes *
workflow_at_hand(struct workflow *w, const struct workflow_args *args)
{
    struct bytes *text = NULL;
    struct kept_task *task;

    if (!args->session_id || !args->has_phase || !args->has_task_number) {
        return NULL;
    }
    task = (struct kept_task *)workflow_store_kept(w->store, args->session_id, key_of(args));
    if (task && stamp_holds(pack_dir(task->pack), task->file, &task->stamp)) {
        text = bytes_ref(task->text);
    }
    kept_unref(task ? &task->kept : NULL);
    return text;
}
