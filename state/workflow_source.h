/* workflow_source.h -- what a dynamic pack is made from: phases, tasks, criteria and gates.
 *
 * A task list (Markdown) and a definition (YAML) are parsed into the same thing, so that whoever
 * builds phases for an agent need not know which it was.  A source is immutable once its parser has
 * returned it, and counted: any thread may read it.  All texts are UTF-8, live as long as the
 * source, and are never null. */
#ifndef TANDEM_WORKFLOW_SOURCE_H
#define TANDEM_WORKFLOW_SOURCE_H

#include "state/base/arena.h"
#include "state/base/err.h"
#include "state/base/problems.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define WF_SOURCE_BYTES_MAX (4u * 1024 * 1024) /* Of the file. */
#define WF_PHASES_MAX 1000u
#define WF_TASKS_MAX 10000u
#define WF_CRITERIA_MAX 100000u /* In all tasks, and again in all gates. */
#define WF_NUMBER_MAX 9999      /* Largest number of a phase or a task. */

struct ynode;
struct ytree;

/* One thing to be fulfilled, of a task or of a gate. */
struct wf_criterion {
    const char *text;
    bool done;     /* Its box was ticked. */
    unsigned line; /* From 1; 0 when unknown. */
};

struct wf_task {
    unsigned number; /* Within its phase. */
    const char *id;  /* "phase.number", as the source wrote it. */
    const char *name;
    const char *description;    /* Markdown; may be empty. */
    const char *estimated_time; /* May be empty. */
    const char **dependencies;  /* Ids of tasks, or words where the source has no id. */
    size_t dependency_count;
    struct wf_criterion *criteria;
    size_t criterion_count;
    bool done; /* The task's own box was ticked. */
    unsigned line;
    const char *text; /* Markdown: the task as a list has it; of a definition what else it says. */
    const struct ynode
        *node; /* The task in a definition, with members that are not here; or null. */
};

struct wf_phase {
    int number;               /* The phase's number in a session: see wf_source_place(). */
    int source_phase;         /* The number in the source; of a relative one, what is added to N. */
    bool relative;            /* "N+4". */
    const char *source_label; /* As the source wrote it: "3", "N+4". */
    const char *name;
    const char *description; /* May be empty. */
    const char *duration;    /* May be empty. */
    unsigned line;
    struct wf_task *tasks; /* In the order of the source. */
    size_t task_count;
    struct wf_criterion *gate; /* Texts of the gate. */
    size_t gate_count;
    /* validation_gate of a definition, for gate_from_definition() only, never for a client; null if
     * it has none, and for task lists. */
    const struct ynode *gate_node;
};

struct wf_source {
    _Atomic unsigned refs;
    struct arena arena; /* Everything below but the json. */
    struct ytree *tree; /* Of a definition: what the nodes are in; owned. */
    struct wf_source
        *base; /* The reading this one is a refreshed copy of: it owns the tree; counted. */
    struct wf_phase *phases; /* Rising by number. */
    size_t phase_count;
    size_t task_count, criterion_count, done_count; /* Of all tasks. */
};

/* Takes a reference, and returns it. */
struct wf_source *wf_source_ref(struct wf_source *source);
/* Null is ignored. */
void wf_source_unref(struct wf_source *source);

/* The phase of that number, borrowed, or null. */
const struct wf_phase *wf_source_phase(const struct wf_source *source, int number);
/* The task of that number, borrowed, or null. */
const struct wf_task *wf_phase_task(const struct wf_phase *phase, unsigned number);

/* Gives every phase its number in a session whose pack has phases of its own, numbered 'taken'
 * ('count' of them, any order).  If a number of the source is among them, all numbers of the source
 * move up by the smallest offset that leaves none.  Then a relative one ("N+4") becomes how many
 * phases the source numbers itself, plus that; or the next free number above the phase before it,
 * if that is higher. Returns the offset.  'source' must still be the caller's alone. */
int wf_source_place(struct wf_source *source, const int *taken, size_t count);

/* 'now' is a later reading of what gave 'old'.  Stores in '*result' a new source with the phases,
 * tasks and criteria of 'old', ticked as in 'now' (a criterion is known by its task and text), and
 * in
 * '*changed' whether anything but ticks differs.  E_LIMIT without memory. */
enum err wf_source_refresh(struct wf_source *old, const struct wf_source *now,
                           struct wf_source **result, bool *changed, struct fault *f);

/* For parsers: a new source without phases, whose arena may grow to 'limit' bytes; E_LIMIT is told
 * by null.  The parser fills 'phases' and calls wf_source_count(). */
struct wf_source *wf_source_create(size_t limit);
/* Computes the counts. */
void wf_source_count(struct wf_source *source);

#endif
