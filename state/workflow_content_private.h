/* workflow_content_private.h -- what the files of the content module share.
 *
 * workflow_content.c builds and refreshes; workflow_content_show.c makes answers of it;
 * workflow_content_gate.c makes gates. */
#ifndef TANDEM_WORKFLOW_CONTENT_PRIVATE_H
#define TANDEM_WORKFLOW_CONTENT_PRIVATE_H

#include "state/workflow_content.h"
#include "state/workflow_source.h"
#include "state/workflow_template.h"

#include <stdatomic.h>

/* What stays the same when ticks are read again.  Immutable, counted. */
struct frame {
    _Atomic unsigned refs;
    struct pack *pack;                                  /* Counted. */
    struct wf_template *phase_template, *task_template; /* Null for a static pack; owned. */
    struct problems warnings;
    int *phases; /* Owned. */
    size_t phase_count;
    char *source_path; /* Relative to the workspace; null for a static pack; owned. */
    char source_digest[PACK_DIGEST_MAX]; /* Of the source's structure, or empty. */
    char digest[PACK_DIGEST_MAX];        /* Of pack and source when this was built. */
};

struct wf_content {
    _Atomic unsigned refs;
    struct frame *frame;           /* Counted. */
    struct wf_source *source;      /* Counted; null for a static pack. */
    struct file_identity identity; /* Of the source as it was read last. */
    char *warning;                 /* What refreshing found; owned; may be null. */
};

/* The phase of the source that has this number, or null: then it is one of the pack's own. */
const struct wf_phase *content_source_phase(const struct wf_content *content, int phase);

/* Are the gates of a definition usable?  E_REFUSED if not: better now than when a phase is done. */
enum err content_check_gates(const struct wf_content *content, struct problems *problems,
                             struct fault *f);

/* Sets 'f' to "no such phase", telling which there are.  Returns E_NOT_FOUND. */
enum err content_no_phase(const struct wf_content *content, int phase, struct fault *f);

#endif
