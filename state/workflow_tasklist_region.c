/* workflow_tasklist_region.c -- the drafts and regions of the walk over a task list.
 *
 * Here a phase, a task, a gate or a label begins and ends, and what stands below it is noted; which
 * line does that is decided in workflow_tasklist.c. */
#include "state/workflow_tasklist_private.h"

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

const struct mdl_line *
walk_line(const struct walk *w)
{
    return &w->t->md->lines[w->at];
}

/* Ends the region before line 'end'. */
void
walk_close_region(struct walk *w, size_t end)
{
    if (w->span) {
        w->span->end = end;
    }
    w->span = NULL;
    w->region = REGION_NONE;
    w->bullet = 0;
    w->heading = 0;
}

void
walk_open_region(struct walk *w, enum region_kind kind, int level)
{
    walk_close_region(w, w->at);
    w->region = kind;
    w->level = level;
}

/* Opens a region whose lines, from the next one on, go to 'span', unless that is filled already. */
static void
open_span(struct walk *w, enum region_kind kind, int level, struct span *span, struct slice first)
{
    walk_open_region(w, kind, level);
    if (span->begin == 0) {
        *span = (struct span){.first = first, .begin = w->at + 1, .end = w->at + 1};
        w->span = span;
    }
}

void
walk_end_task(struct walk *w)
{
    walk_close_region(w, w->at);
    if (w->task != NOWHERE) {
        struct draft_task *task = draft_task(w->t, w->task);

        task->end = w->at;
        task->mark_count = w->t->marks.count - task->first_mark;
    }
    w->task = NOWHERE;
}

void
walk_end_phase(struct walk *w)
{
    walk_end_task(w);
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

/* The value of a label: beside it, or, if nothing is there, the bullets or the paragraph below it.
 */
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

void
walk_start_phase(struct walk *w, const struct wf_phase_head *head)
{
    const struct mdl_line *line = walk_line(w);
    struct draft_phase *phase;

    walk_end_phase(w);
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

/* Does what stands here in 'form' begin a task?  A weaker form than the phase's first task only
 * mentions one, and so does an item that is nested deeper. */
bool
walk_begins_task(const struct walk *w, const struct wf_task_head *head, enum task_form form)
{
    const struct draft_phase *phase = draft_phase(w->t, w->phase);
    const struct mdl_line *line = walk_line(w);

    if (form < phase->form || head->phase != phase->number ||
        w->seen[head->number] == w->phase + 1) {
        return false;
    }
    return form != FORM_ITEM || phase->form != FORM_ITEM || line->indent <= phase->indent + 1;
}

void
walk_start_task(struct walk *w, const struct wf_task_head *head, enum task_form form)
{
    const struct mdl_line *line = walk_line(w);
    struct draft_phase *phase = draft_phase(w->t, w->phase);
    struct draft_task *task;
    struct slice name = head->name;

    walk_end_task(w);
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
    task->name =
        form == FORM_HEADING ? arena_text(&w->t->source->arena, name) : joined(w, w->at, name);
    w->task = w->t->tasks.count - 1;
    open_span(w, REGION_INTRO, -1, &task->intro, SLICE_NONE);
}

void
walk_start_gate(struct walk *w, int number, int level)
{
    enum region_kind kind = level < 0 ? REGION_GATE_SECTION : REGION_GATE;
    size_t phase = number < 0 ? w->phase : NOWHERE;
    struct draft_gate *gate;

    walk_end_task(w);
    if (number < 0 && phase == NOWHERE) {
        return;
    }
    gate = add_draft(w->t, &w->t->gates, sizeof *gate, "gates");
    if (!gate) {
        return;
    }
    gate->phase = phase;
    gate->number = number;
    gate->line = walk_line(w)->number;
    gate->first_mark = w->t->gate_marks.count;
    w->gate = w->t->gates.count - 1;
    walk_open_region(w, kind, level);
    w->heading = level < 0 ? walk_line(w)->level : 0;
}

/* Adds what stands on this line to the criteria or the gate of the region. */
void
walk_add_mark(struct walk *w, bool boxed, bool done, struct slice text)
{
    bool gate = w->region == REGION_GATE || w->region == REGION_GATE_SECTION;
    struct draft_mark *mark = add_draft(w->t, gate ? &w->t->gate_marks : &w->t->marks, sizeof *mark,
                                        gate ? "gate items" : "criteria");

    if (!mark) {
        return;
    }
    mark->boxed = boxed;
    mark->done = done;
    mark->line = walk_line(w)->number;
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
void
walk_task_label(struct walk *w, const struct wf_label_line *label, int level)
{
    struct draft_task *task = draft_task(w->t, w->task);

    switch (label->label) {
    case WF_LABEL_CRITERIA:
        task->labelled = true;
        walk_open_region(w, REGION_CRITERIA, level);
        if (label->value.len > 0) {
            walk_add_mark(w, false, false, label->value);
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
    walk_open_region(w, REGION_OTHER, level);
}

/* A known label in a phase, before or after its tasks. */
void
walk_phase_label(struct walk *w, const struct wf_label_line *label, int level)
{
    struct draft_phase *phase = draft_phase(w->t, w->phase);

    if (label->label == WF_LABEL_TIME && !phase->duration.data) {
        phase->duration = value_of(w, label, level);
    }
    if (label->label == WF_LABEL_DESCRIPTION || label->label == WF_LABEL_OBJECTIVE) {
        open_span(w, REGION_TEXT, level, &phase->description, label->value);
    } else {
        walk_open_region(w, REGION_OTHER, level);
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
bool
walk_take_label(struct walk *w, struct slice text, int level)
{
    struct wf_label_line label;
    int number;

    if (!wf_read_label(text, &label)) {
        return false;
    }
    if (names_phase(w, label.key, &number)) {
        walk_start_gate(w, number, level);
        return true;
    }
    if (region_keeps(w, &label, level)) {
        return false;
    }
    if (label.label == WF_LABEL_GATE) {
        walk_start_gate(w, label.phase, level);
        if (label.value.len > 0 && w->region == REGION_GATE) {
            walk_add_mark(w, false, false, label.value);
        }
    } else if (w->task != NOWHERE) {
        walk_task_label(w, &label, level);
    } else if (w->phase != NOWHERE) {
        walk_phase_label(w, &label, level);
    } else {
        walk_open_region(w, REGION_OTHER, level);
    }
    return true;
}
