/* workflow_tasklist_private.h -- what the two halves of the task-list parser share.
 *
 * workflow_tasklist.c walks the lines and notes drafts; workflow_tasklist_finish.c decides which phases
 * count and builds the source from the drafts. */
#ifndef TANDEM_WORKFLOW_TASKLIST_PRIVATE_H
#define TANDEM_WORKFLOW_TASKLIST_PRIVATE_H

#include "state/markdown_lines.h"
#include "state/workflow_source.h"

#include <stdint.h>

#define NOWHERE SIZE_MAX

/* A growing array of one kind of draft. */
struct drafts {
    void *items; /* Owned. */
    size_t count, size, most;
};

/* Lines [begin, end) of the list, and what stood beside the label that opened them. */
struct span {
    struct slice first;
    size_t begin, end;
};

/* A box or bullet. */
struct draft_mark {
    const char *text;
    unsigned line;
    bool done, boxed;
    bool labelled; /* Of a task: it stood below a criteria label. */
};

enum task_form { FORM_NONE, FORM_PARAGRAPH, FORM_ITEM, FORM_HEADING };

struct draft_task {
    size_t phase; /* Index of its draft_phase. */
    int number;
    const char *name;
    unsigned line;
    bool done, labelled; /* 'labelled': it has a criteria label. */
    size_t begin, end;   /* Its lines. */
    struct slice time, depends;
    struct span description, intro;
    size_t first_mark, mark_count;
};

struct draft_phase {
    int number;
    unsigned level, line;
    const char *name;
    enum task_form form; /* Of its tasks: the first one decides. */
    unsigned indent;     /* Of tasks that are list items. */
    struct slice duration;
    struct span description, intro;
    size_t first_task, task_count;
    bool chosen;
};

/* One gate, of a draft phase or, if 'phase' is NOWHERE, of the phase numbered 'number'. */
struct draft_gate {
    size_t phase;
    int number;
    unsigned line;
    bool boxed; /* Has a box: its bullets do not count. */
    size_t first_mark, mark_count; /* Among the gate marks. */
};

struct tasklist {
    const struct mdl_lines *md;
    const char *file;
    struct problems *problems;
    struct wf_source *source;
    struct drafts phases, tasks, marks, gates, gate_marks;
    bool numbered;        /* Phases are "N. name": one without tasks is some section. */
    const char *too_many; /* Of what; null if there were not. */
    size_t most;          /* How many of them are allowed. */
};

static inline struct draft_phase *
draft_phase(const struct tasklist *t, size_t i)
{
    return (struct draft_phase *)t->phases.items + i;
}

static inline struct draft_task *
draft_task(const struct tasklist *t, size_t i)
{
    return (struct draft_task *)t->tasks.items + i;
}

static inline struct draft_mark *
draft_mark(const struct drafts *marks, size_t i)
{
    return (struct draft_mark *)marks->items + i;
}

static inline struct draft_gate *
draft_gate(const struct tasklist *t, size_t i)
{
    return (struct draft_gate *)t->gates.items + i;
}

/* Builds t->source from the drafts.  Errors as in wf_tasklist_parse(). */
enum err tasklist_finish(struct tasklist *t, struct fault *f);

#endif
