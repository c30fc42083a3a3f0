/* workflow_labels.h -- what one line of a task list says: a phase, a task, a gate, a label.
 *
 * Pure readers of a single line's text as markdown_lines.h gives it.  They know the words and the
 * punctuation; what a line means where it stands is decided in workflow_tasklist.c. */
#ifndef TANDEM_WORKFLOW_LABELS_H
#define TANDEM_WORKFLOW_LABELS_H

#include "state/base/mem.h"

/* The longest key of a label that is looked at. */
#define WF_KEY_MAX 80u

struct wf_phase_head {
    int number;
    struct slice name; /* Not empty. */
};

/* "Phase 2: Name", with a dash or a full stop for the colon, in bold or not, emoji in front. */
bool wf_read_phase_head(struct slice text, struct wf_phase_head *head);
/* "2. Name" or "2: Name". */
bool wf_read_numbered_head(struct slice text, struct wf_phase_head *head);
/* "Phase 2" at the front, whatever follows. */
bool wf_read_phase_number(struct slice text, int *number);

struct wf_task_head {
    int phase, number;
    struct slice name; /* May be empty. */
    bool word;         /* "Task" is written. */
    bool firm;         /* The name follows a separator, or stands in the bold of the number. */
    bool bold;
};

/* "Task 2.3: Name" or "2.3 Name", bold or not; "2-3" as well.  Not a list or range of tasks. */
bool wf_read_task_head(struct slice text, struct wf_task_head *head);

/* "Validation Gate", "Phase 2 Validation Gate: ...", "Validation Gate for Phase 2".  '*phase' is -1
 * if none is named; '*many' tells the plural, which heads a section of gates. */
bool wf_read_gate_head(struct slice text, int *phase, bool *many);

enum wf_label {
    WF_LABEL_OTHER, /* A label, but not one of those below. */
    WF_LABEL_DESCRIPTION,
    WF_LABEL_OBJECTIVE,
    WF_LABEL_TIME,
    WF_LABEL_DEPENDS,
    WF_LABEL_CRITERIA,
    WF_LABEL_GATE,
};

struct wf_label_line {
    enum wf_label label;
    struct slice key;
    struct slice value; /* The rest of the line; may be empty. */
    int phase;          /* Named by a gate; else -1. */
};

/* A line that begins with a label: any words in bold with a colon, or, without bold, one of the
 * known ones with a colon. */
bool wf_read_label(struct slice text, struct wf_label_line *line);
/* A heading that consists of a known label. */
bool wf_read_label_heading(struct slice text, enum wf_label *label);

/* 'text' without the tick and cross that a box to be filled in ends with, and unmarked. */
struct slice wf_criterion_text(struct slice text);

#endif
