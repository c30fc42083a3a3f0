/* workflow_tasklist.c -- see workflow_tasklist.h.  Here: the walk over the lines.
 *
 * DESIGN.  The walk keeps where it is: in which phase and task, and in which region, which is what
 * boxes, bullets and paragraphs belong to (criteria, gate, description, ...).  A region has a level,
 * made of columns, and ends at what stands at the same level or further out.  Every heading that
 * looks like a phase is noted with the tasks of its section; which of them are phases and which are
 * summaries is decided at the end, when all are known.  That keeps the walk free of guesses: a summary
 * in front of the phases does no harm. */
#include "state/workflow_tasklist.h"

#include "state/workflow_labels.h"
#include "state/workflow_tasklist_private.h"

#include <stdint.h>

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
    int level;          /* Of the region: twice the column, one more for items; -1 below a heading. */
    unsigned heading;   /* Level of the heading that opened the region, or 0. */
    struct span *span;  /* What INTRO and TEXT fill. */
    size_t gate;
    unsigned bullet;    /* Column of the region's first bullet, plus 1; 0 before it. */
    size_t seen[WF_NUMBER_MAX + 1]; /* By task number: index of the last phase that has it, plus 1. */
};

/* Adds one zeroed item of 'size' bytes and returns it; null if there are too many, or no memory. */
static void *
add_draft(struct tasklist *t, struct drafts *d, size_t size, const char *what)
{
    size_t room = d->size ? d->size * 2 : 64;
    void *items = d->items;

    if (d->count == d->most) {
        t->too_many = what;
        t->most = d->most;
        t->source->arena.failed = true;
        return NULL;
    }
    if (d->count == d->size) {
        items = realloc(d->items, room * size);
        if (!items) {
            t->source->arena.failed = true;
            return NULL;
        }
        d->items = items;
        d->size = room;
    }
    items = (char *)d->items + d->count++ * size;
    memset(items, 0, size);
    return items;
}

static const struct mdl_line *
line_at(const struct walk *w)
{
    return &w->t->md->lines[w->at];
}

/* Ends the region before line 'end'. */
static void
close_region(struct walk *w, size_t end)
{
    if (w->span) {
        w->span->end = end;
    }
    w->span = NULL;
    w->region = REGION_NONE;
    w->bullet = 0;
    w->heading = 0;
}

static void
open_region(struct walk *w, enum region_kind kind, int level)
{
    close_region(w, w->at);
    w->region = kind;
    w->level = level;
}

/* Opens a region whose lines, from the next one on, go to 'span', unless that is filled already. */
static void
open_span(struct walk *w, enum region_kind kind, int level, struct span *span, struct slice first)
{
    open_region(w, kind, level);
    if (span->begin == 0) {
        *span = (struct span){.first = first, .begin = w->at + 1, .end = w->at + 1};
        w->span = span;
    }
}

static void
end_task(struct walk *w)
{
    close_region(w, w->at);
    if (w->task != NOWHERE) {
        struct draft_task *task = draft_task(w->t, w->task);

        task->end = w->at;
        task->mark_count = w->t->marks.count - task->first_mark;
    }
    w->task = NOWHERE;
}

static void
end_phase(struct walk *w)
{
    end_task(w);
    w->phase = NOWHERE;
}

/* Is 'line' text that goes on with the paragraph above it, rather than a label? */
static bool
goes_on(const struct mdl_line *line)
{
    struct wf_label_line label;
    struct wf_task_head task;

    return line->kind == MDL_TEXT && !wf_read_label(line->text, &label) &&
           !(wf_read_task_head(line->text, &task) && task.bold && task.firm);
}

/* 'first' and the text lines that follow line 'at' as one line of text. */
static const char *
joined(struct walk *w, size_t at, struct slice first)
{
    const struct mdl_lines *md = w->t->md;
    struct buf text = BUF_INIT;
    const char *result;

    if (at + 1 >= md->count || !goes_on(&md->lines[at + 1])) {
        return arena_text(&w->t->source->arena, first);
    }
    buf_add_slice(&text, first);
    for (size_t i = at + 1; i < md->count && goes_on(&md->lines[i]); i++) {
        buf_addc(&text, ' ');
        buf_add_slice(&text, md->lines[i].text);
    }
    result = text.failed ? NULL : arena_text(&w->t->source->arena, buf_slice(&text));
    w->t->source->arena.failed = w->t->source->arena.failed || text.failed;
    buf_fini(&text);
    return result;
}

/* The value of a label: beside it, or, if nothing is there, the bullets or the paragraph below it. */
static struct slice
value_of(struct walk *w, const struct wf_label_line *label, int level)
{
    const struct mdl_lines *md = w->t->md;
    struct buf items = BUF_INIT;
    const char *text = NULL;
    size_t i = w->at + 1;

    if (label->value.len > 0) {
        return slice_of(joined(w, w->at, label->value));
    }
    while (i < md->count && md->lines[i].kind == MDL_BLANK) {
        i++;
    }
    if (i < md->count && goes_on(&md->lines[i])) {
        return slice_of(joined(w, i, md->lines[i].text));
    }
    for (; i < md->count && md->lines[i].kind == MDL_ITEM && !md->lines[i].box &&
           md->lines[i].indent * 2 + 1 > level;
         i++) {
        buf_adds(&items, items.len > 0 ? ", " : "");
        buf_add_slice(&items, mdl_unmark(md->lines[i].text));
    }
    text = arena_text(&w->t->source->arena, buf_slice(&items));
    buf_fini(&items);
    return slice_of(text);
}

static void
start_phase(struct walk *w, const struct wf_phase_head *head)
{
    const struct mdl_line *line = line_at(w);
    struct draft_phase *phase;

    end_phase(w);
    w->gates = 0;
    phase = add_draft(w->t, &w->t->phases, sizeof *phase, "phases");
    if (!phase) {
        return;
    }
    phase->number = head->number;
    phase->level = line->level;
    phase->line = line->number;
    phase->name = arena_text(&w->t->source->arena, head->name);
    phase->first_task = w->t->tasks.count;
    w->phase = w->t->phases.count - 1;
    open_span(w, REGION_INTRO, -1, &phase->intro, SLICE_NONE);
}

/* Does what stands here in 'form' begin a task?  A weaker form than the phase's first task only mentions
 * one, and so does an item that is nested deeper. */
static bool
begins_task(const struct walk *w, const struct wf_task_head *head, enum task_form form)
{
    const struct draft_phase *phase = draft_phase(w->t, w->phase);
    const struct mdl_line *line = line_at(w);

    if (form < phase->form || head->phase != phase->number ||
        w->seen[head->number] == w->phase + 1) {
        return false;
    }
    return form != FORM_ITEM || phase->form != FORM_ITEM || line->indent <= phase->indent + 1;
}

static void
start_task(struct walk *w, const struct wf_task_head *head, enum task_form form)
{
    const struct mdl_line *line = line_at(w);
    struct draft_phase *phase = draft_phase(w->t, w->phase);
    struct draft_task *task;
    struct slice name = head->name;

    end_task(w);
    task = add_draft(w->t, &w->t->tasks, sizeof *task, "tasks");
    if (!task) {
        return;
    }
    if (phase->form == FORM_NONE || form > phase->form) {
        phase->form = form;
        phase->indent = line->indent;
    }
    phase->task_count++;
    w->seen[head->number] = w->phase + 1;
    task->phase = w->phase;
    task->number = head->number;
    task->line = line->number;
    task->done = line->kind == MDL_ITEM && line->box == 'x';
    task->begin = w->at;
    task->first_mark = w->t->marks.count;
    task->name = form == FORM_HEADING ? arena_text(&w->t->source->arena, name)
                                      : joined(w, w->at, name);
    w->task = w->t->tasks.count - 1;
    open_span(w, REGION_INTRO, -1, &task->intro, SLICE_NONE);
}

static void
warn_misplaced(struct walk *w, const struct wf_task_head *head)
{
    problems_add(w->t->problems, PROBLEM_WARNING, w->t->file, line_at(w)->number, 0,
                 "task %d.%d stands in phase %d and is left out", head->phase, head->number,
                 draft_phase(w->t, w->phase)->number);
}

static void
start_gate(struct walk *w, int number, int level)
{
    enum region_kind kind = level < 0 ? REGION_GATE_SECTION : REGION_GATE;
    size_t phase = number < 0 ? w->phase : NOWHERE;
    struct draft_gate *gate;

    end_task(w);
    if (number < 0 && phase == NOWHERE) {
        return;
    }
    gate = add_draft(w->t, &w->t->gates, sizeof *gate, "gates");
    if (!gate) {
        return;
    }
    gate->phase = phase;
    gate->number = number;
    gate->line = line_at(w)->number;
    gate->first_mark = w->t->gate_marks.count;
    w->gate = w->t->gates.count - 1;
    open_region(w, kind, level);
    w->heading = level < 0 ? line_at(w)->level : 0;
}

/* Adds what stands on this line to the criteria or the gate of the region. */
static void
add_mark(struct walk *w, bool boxed, bool done, struct slice text)
{
    bool gate = w->region == REGION_GATE || w->region == REGION_GATE_SECTION;
    struct draft_mark *mark = add_draft(w->t, gate ? &w->t->gate_marks : &w->t->marks, sizeof *mark,
                                        gate ? "gate items" : "criteria");

    if (!mark) {
        return;
    }
    mark->boxed = boxed;
    mark->done = done;
    mark->line = line_at(w)->number;
    mark->labelled = w->region == REGION_CRITERIA;
    mark->text = joined(w, w->at, text);
    if (mark->text) {
        mark->text = arena_text(&w->t->source->arena, wf_criterion_text(slice_of(mark->text)));
    }
    if (gate) {
        draft_gate(w->t, w->gate)->mark_count++;
        draft_gate(w->t, w->gate)->boxed |= boxed;
    }
}

/* A known label in a task. */
static void
task_label(struct walk *w, const struct wf_label_line *label, int level)
{
    struct draft_task *task = draft_task(w->t, w->task);

    switch (label->label) {
    case WF_LABEL_CRITERIA:
        task->labelled = true;
        open_region(w, REGION_CRITERIA, level);
        if (label->value.len > 0) {
            add_mark(w, false, false, label->value);
        }
        return;
    case WF_LABEL_TIME:
        task->time = task->time.data ? task->time : value_of(w, label, level);
        break;
    case WF_LABEL_DEPENDS:
        task->depends = task->depends.data ? task->depends : value_of(w, label, level);
        break;
    case WF_LABEL_DESCRIPTION:
    case WF_LABEL_OBJECTIVE:
        open_span(w, REGION_TEXT, level, &task->description, label->value);
        return;
    default:
        break;
    }
    open_region(w, REGION_OTHER, level);
}

/* A known label in a phase, before or after its tasks. */
static void
phase_label(struct walk *w, const struct wf_label_line *label, int level)
{
    struct draft_phase *phase = draft_phase(w->t, w->phase);

    if (label->label == WF_LABEL_TIME && !phase->duration.data) {
        phase->duration = value_of(w, label, level);
    }
    if (label->label == WF_LABEL_DESCRIPTION || label->label == WF_LABEL_OBJECTIVE) {
        open_span(w, REGION_TEXT, level, &phase->description, label->value);
    } else {
        open_region(w, REGION_OTHER, level);
    }
}

/* Is a label at 'level' part of what the region holds?  Below its own label a region keeps what is
 * nested; labels that open criteria are looked for everywhere but in criteria and gates. */
static bool
region_keeps(const struct walk *w, const struct wf_label_line *label, int level)
{
    switch (w->region) {
    case REGION_GATE_SECTION:
        return label->label != WF_LABEL_GATE || label->phase < 0;
    case REGION_CRITERIA:
    case REGION_GATE:
        return w->heading ? label->label == WF_LABEL_OTHER : level > w->level;
    case REGION_TEXT:
        return level > w->level && label->label != WF_LABEL_CRITERIA;
    case REGION_OTHER:
        return level > w->level && label->label == WF_LABEL_OTHER;
    default:
        return false;
    }
}

/* In a section of gates: is the label nothing but "Phase N"? */
static bool
names_phase(const struct walk *w, struct slice key, int *number)
{
    return w->gates && wf_read_phase_number(key, number) && key.data[key.len - 1] >= '0' &&
           key.data[key.len - 1] <= '9';
}

/* Acts on a label.  False if the line is no label, or one that the region keeps. */
static bool
take_label(struct walk *w, struct slice text, int level)
{
    struct wf_label_line label;
    int number;

    if (!wf_read_label(text, &label)) {
        return false;
    }
    if (names_phase(w, label.key, &number)) {
        start_gate(w, number, level);
        return true;
    }
    if (region_keeps(w, &label, level)) {
        return false;
    }
    if (label.label == WF_LABEL_GATE) {
        start_gate(w, label.phase, level);
        if (label.value.len > 0 && w->region == REGION_GATE) {
            add_mark(w, false, false, label.value);
        }
    } else if (w->task != NOWHERE) {
        task_label(w, &label, level);
    } else if (w->phase != NOWHERE) {
        phase_label(w, &label, level);
    } else {
        open_region(w, REGION_OTHER, level);
    }
    return true;
}

static bool
take_task_item(struct walk *w)
{
    const struct mdl_line *line = line_at(w);
    struct wf_task_head head;

    if (w->phase == NOWHERE || w->region == REGION_GATE_SECTION ||
        !wf_read_task_head(line->text, &head)) {
        return false;
    }
    if (line->box ? !head.word && !head.firm && !head.name.len : !head.word || !head.firm) {
        return false;
    }
    if ((w->region == REGION_GATE && (!head.bold || !head.firm)) ||
        (w->region == REGION_CRITERIA && !head.word && !head.bold)) {
        return false;
    }
    if (!begins_task(w, &head, FORM_ITEM)) {
        if (line->box && head.bold && head.firm && head.phase != draft_phase(w->t, w->phase)->number) {
            warn_misplaced(w, &head);
        }
        return false;
    }
    start_task(w, &head, FORM_ITEM);
    return true;
}

static void
on_item(struct walk *w)
{
    const struct mdl_line *line = line_at(w);
    int level = line->indent * 2 + 1;
    bool wanted;

    if (take_task_item(w) || (!line->box && take_label(w, line->text, level))) {
        return;
    }
    if (w->region != REGION_NONE && level <= w->level) {
        close_region(w, w->at);
        w->region = REGION_OTHER;
        w->level = level - 1;
        return;
    }
    wanted = w->region == REGION_CRITERIA || w->region == REGION_GATE ||
             w->region == REGION_GATE_SECTION;
    if (line->box) {
        if (wanted || (w->region == REGION_INTRO && w->task != NOWHERE)) {
            add_mark(w, true, line->box == 'x', line->text);
        }
    } else if (wanted && (w->bullet == 0 || w->bullet == line->indent + 1u)) {
        w->bullet = line->indent + 1u;
        add_mark(w, false, false, line->text);
    }
}

static void
on_text(struct walk *w)
{
    const struct mdl_line *line = line_at(w);
    struct wf_task_head head;

    if (w->phase != NOWHERE && w->region != REGION_GATE_SECTION &&
        wf_read_task_head(line->text, &head) && head.word && head.bold && head.firm &&
        begins_task(w, &head, FORM_PARAGRAPH)) {
        start_task(w, &head, FORM_PARAGRAPH);
        return;
    }
    (void)take_label(w, line->text, line->indent * 2);
}

/* A heading that begins with "Task N.M". */
static bool
take_task_heading(struct walk *w)
{
    struct wf_task_head head;

    if (!wf_read_task_head(line_at(w)->text, &head) || !head.word) {
        return false;
    }
    if (w->phase == NOWHERE) {
        close_region(w, w->at);
    } else if (begins_task(w, &head, FORM_HEADING)) {
        start_task(w, &head, FORM_HEADING);
    } else {
        if (head.phase != draft_phase(w->t, w->phase)->number) {
            warn_misplaced(w, &head);
        } else {
            problems_add(w->t->problems, PROBLEM_WARNING, w->t->file, line_at(w)->number, 0,
                         "task %d.%d is there already, this one is left out", head.phase,
                         head.number);
        }
        end_task(w);
    }
    return true;
}

static bool
take_gate_heading(struct walk *w)
{
    const struct mdl_line *line = line_at(w);
    unsigned level = w->phase == NOWHERE ? 0 : draft_phase(w->t, w->phase)->level;
    int number;
    bool many;

    if (wf_read_gate_head(line->text, &number, &many)) {
        if (many && number < 0 && (w->phase == NOWHERE || line->level <= level)) {
            end_phase(w);
            w->gates = line->level;
            return true;
        }
        start_gate(w, number, -1);
        return true;
    }
    if (w->gates && line->level > w->gates && wf_read_phase_number(line->text, &number)) {
        start_gate(w, number, -1);
        return true;
    }
    return false;
}

/* A heading inside a task or phase that is a label, such as "Acceptance Criteria". */
static bool
take_label_heading(struct walk *w)
{
    const struct mdl_line *line = line_at(w);
    struct wf_label_line label = {.phase = -1};
    const struct mdl_line *task;

    if (!wf_read_label_heading(line->text, &label.label)) {
        return false;
    }
    if (w->task != NOWHERE) {
        task = &w->t->md->lines[draft_task(w->t, w->task)->begin];
        if (task->kind == MDL_HEADING && line->level <= task->level) {
            return false;
        }
    }
    if (w->phase == NOWHERE || line->level <= draft_phase(w->t, w->phase)->level) {
        return false;
    }
    if (w->task != NOWHERE) {
        task_label(w, &label, -1);
    } else {
        phase_label(w, &label, -1);
    }
    w->heading = line->level;
    return true;
}

/* Any other heading: it ends what it is not below. */
static void
plain_heading(struct walk *w)
{
    const struct mdl_line *line = line_at(w);
    const struct mdl_line *task;

    if (w->gates && line->level <= w->gates) {
        w->gates = 0;
    }
    if (w->region == REGION_GATE_SECTION && line->level > w->heading) {
        return;
    }
    if (w->region == REGION_CRITERIA && w->heading && line->level > w->heading) {
        return;
    }
    if (w->phase != NOWHERE && line->level <= draft_phase(w->t, w->phase)->level) {
        end_phase(w);
    } else if (w->task != NOWHERE) {
        task = &w->t->md->lines[draft_task(w->t, w->task)->begin];
        if (task->kind != MDL_HEADING || line->level <= task->level) {
            end_task(w);
        }
    }
    if (w->phase != NOWHERE) {
        open_region(w, REGION_OTHER, -1);
    } else {
        close_region(w, w->at);
    }
}

static void
on_heading(struct walk *w)
{
    struct wf_phase_head head;
    struct slice text = line_at(w)->text;

    if (take_task_heading(w) || take_gate_heading(w)) {
        return;
    }
    if (w->numbered ? wf_read_numbered_head(text, &head) : wf_read_phase_head(text, &head)) {
        start_phase(w, &head);
    } else if (!take_label_heading(w)) {
        plain_heading(w);
    }
}

static bool
has_phase_heading(const struct mdl_lines *md)
{
    struct wf_phase_head head;
    int number;
    bool many;

    for (size_t i = 0; i < md->count; i++) {
        if (md->lines[i].kind == MDL_HEADING && wf_read_phase_head(md->lines[i].text, &head) &&
            !wf_read_gate_head(md->lines[i].text, &number, &many)) {
            return true;
        }
    }
    return false;
}

static void
walk(struct tasklist *t)
{
    struct walk w = {.t = t, .phase = NOWHERE, .task = NOWHERE};

    t->numbered = w.numbered = !has_phase_heading(t->md);
    for (; w.at < t->md->count && !t->source->arena.failed; w.at++) {
        switch (t->md->lines[w.at].kind) {
        case MDL_HEADING: on_heading(&w); break;
        case MDL_ITEM: on_item(&w); break;
        case MDL_TEXT: on_text(&w); break;
        case MDL_BREAK: close_region(&w, w.at); break;
        default: break;
        }
    }
    end_phase(&w);
    if (t->md->unclosed) {
        problems_add(t->problems, PROBLEM_WARNING, t->file, t->md->unclosed, 0,
                     "this code fence is never closed: all below it is taken for code");
    }
}

enum err
wf_tasklist_parse(struct slice text, const char *file, struct problems *problems,
                  struct wf_source **source, struct fault *f)
{
    struct mdl_lines md = MDL_LINES_INIT;
    struct tasklist t = {.md = &md,
                         .file = file,
                         .problems = problems,
                         .phases.most = WF_PHASES_MAX,
                         .tasks.most = WF_TASKS_MAX,
                         .marks.most = WF_CRITERIA_MAX,
                         .gates.most = WF_PHASES_MAX,
                         .gate_marks.most = WF_CRITERIA_MAX};
    enum err err = E_OK;

    *source = NULL;
    if (text.len > WF_SOURCE_BYTES_MAX) {
        return fault_set(f, E_TOO_LARGE, "the task list has %zu bytes, %u are allowed", text.len,
                         WF_SOURCE_BYTES_MAX);
    }
    err = mdl_lines_read(&md, text, f);
    if (err) {
        return err;
    }
    t.source = wf_source_create(8 * (size_t)WF_SOURCE_BYTES_MAX);
    if (t.source) {
        walk(&t);
        err = tasklist_finish(&t, f);
    } else {
        err = fault_set(f, E_LIMIT, "no memory for the task list");
    }
    free(t.phases.items);
    free(t.tasks.items);
    free(t.marks.items);
    free(t.gates.items);
    free(t.gate_marks.items);
    mdl_lines_fini(&md);
    if (err) {
        wf_source_unref(t.source);
        return err;
    }
    *source = t.source;
    return E_OK;
}
