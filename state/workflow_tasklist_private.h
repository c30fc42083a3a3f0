/* workflow_tasklist_private.h -- what the parts of the task-list parser share.
 *
 * workflow_tasklist.c walks the lines; workflow_tasklist_region.c notes drafts of what it meets;
 * workflow_tasklist_finish.c decides which phases count and builds the source from the drafts, with
 * workflow_tasklist_depends.c for what tasks depend on. */
#ifndef TANDEM_WORKFLOW_TASKLIST_PRIVATE_H
#define TANDEM_WORKFLOW_TASKLIST_PRIVATE_H

#include "state/markdown_lines.h"
#include "state/workflow_labels.h"
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
    bool boxed;                    /* Has a box: its bullets do not count. */
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

enum region_kind {
    REGION_NONE,
    REGION_INTRO, /* Before the first label of a phase or task. */
    REGION_TEXT,  /* Description or objective. */
    REGION_CRITERIA,
    REGION_GATE,         /* Below a label. */
    REGION_GATE_SECTION, /* Below a heading. */
    REGION_OTHER,
};

struct walk {
    struct tasklist *t;
    size_t at;          /* The line looked at. */
    size_t phase, task; /* Index or NOWHERE. */
    bool numbered;      /* Phases are "N. name". */
    unsigned gates;     /* Level of the heading of a section of gates; 0 outside one. */
    enum region_kind region;
    int level;        /* Of the region: twice the column, one more for items; -1 below a heading. */
    unsigned heading; /* Level of the heading that opened the region, or 0. */
    struct span *span; /* What INTRO and TEXT fill. */
    size_t gate;
    unsigned bullet; /* Column of the region's first bullet, plus 1; 0 before it. */
    size_t
        seen[WF_NUMBER_MAX + 1]; /* By task number: index of the last phase that has it, plus 1. */
};

/* The line looked at. */
const struct mdl_line *walk_line(const struct walk *w);
/* Ends the region before line 'end'. */
void walk_close_region(struct walk *w, size_t end);
void walk_open_region(struct walk *w, enum region_kind kind, int level);
void walk_end_task(struct walk *w);
void walk_end_phase(struct walk *w);
void walk_start_phase(struct walk *w, const struct wf_phase_head *head);
/* Does what stands here in 'form' begin a task?  A weaker form than that of the phase's first task
 * only mentions one, and so does an item that is nested deeper. */
bool walk_begins_task(const struct walk *w, const struct wf_task_head *head, enum task_form form);
void walk_start_task(struct walk *w, const struct wf_task_head *head, enum task_form form);
/* Begins the gate of phase 'number', or of the current one if that is -1. */
void walk_start_gate(struct walk *w, int number, int level);
/* Adds what stands on this line to the criteria or the gate of the region. */
void walk_add_mark(struct walk *w, bool boxed, bool done, struct slice text);
/* Acts on a known label in a task, or in a phase outside its tasks. */
void walk_task_label(struct walk *w, const struct wf_label_line *label, int level);
void walk_phase_label(struct walk *w, const struct wf_label_line *label, int level);
/* Acts on a label.  False if the line is no label, or one that the region keeps. */
bool walk_take_label(struct walk *w, struct slice text, int level);

/* The ids of all tasks of the chosen phases. */
struct task_ids {
    uint32_t *ids; /* phase << 16 | task, sorted; owned. */
    size_t count;
};
#define TASK_IDS_INIT \
    {                 \
        .ids = NULL   \
    }

/* False without memory. */
bool task_ids_collect(const struct tasklist *t, struct task_ids *ids);
void task_ids_fini(struct task_ids *ids);

/* Fills the dependencies of 'task' from its draft; warns of those that are not in the list. */
void tasklist_depends(struct tasklist *t, struct wf_task *task, const struct draft_task *draft,
                      const struct task_ids *ids);

/* Builds t->source from the drafts.  Errors as in wf_tasklist_parse(). */
enum err tasklist_finish(struct tasklist *t, struct fault *f);

#endif
