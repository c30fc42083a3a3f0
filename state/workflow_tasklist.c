/* workflow_tasklist.c -- see workflow_tasklist.h.  Here: the walk over the lines.
 *
 * DESIGN.  The walk keeps where it is: in which phase and task, and in which region, which is what
 * boxes, bullets and paragraphs belong to (criteria, gate, description, ...).  A region has a
 * level, made of columns, and ends at what stands at the same level or further out.  Every heading
 * that looks like a phase is noted with the tasks of its section; which of them are phases and
 * which are summaries is decided at the end, when all are known.  That keeps the walk free of
 * guesses: a summary in front of the phases does no harm. */
#include "state/workflow_tasklist.h"

#include "state/workflow_tasklist_private.h"

static void
warn_misplaced(struct walk *w, const struct wf_task_head *head)
{
    problems_add(w->t->problems, PROBLEM_WARNING, w->t->file, walk_line(w)->number, 0,
                 "task %d.%d stands in phase %d and is left out", head->phase, head->number,
                 draft_phase(w->t, w->phase)->number);
}

static bool
take_task_item(struct walk *w)
{
    const struct mdl_line *line = walk_line(w);
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
    if (!walk_begins_task(w, &head, FORM_ITEM)) {
        if (line->box && head.bold && head.firm &&
            head.phase != draft_phase(w->t, w->phase)->number) {
            warn_misplaced(w, &head);
        }
        return false;
    }
    walk_start_task(w, &head, FORM_ITEM);
    return true;
}

static void
on_item(struct walk *w)
{
    const struct mdl_line *line = walk_line(w);
    int level = line->indent * 2 + 1;
    bool wanted;

    if (take_task_item(w) || (!line->box && walk_take_label(w, line->text, level))) {
        return;
    }
    if (w->region != REGION_NONE && level <= w->level) {
        walk_close_region(w, w->at);
        w->region = REGION_OTHER;
        w->level = level - 1;
        return;
    }
    wanted = w->region == REGION_CRITERIA || w->region == REGION_GATE ||
             w->region == REGION_GATE_SECTION;
    if (line->box) {
        if (wanted || (w->region == REGION_INTRO && w->task != NOWHERE)) {
            walk_add_mark(w, true, line->box == 'x', line->text);
        }
    } else if (wanted && (w->bullet == 0 || w->bullet == line->indent + 1u)) {
        w->bullet = line->indent + 1u;
        walk_add_mark(w, false, false, line->text);
    }
}

static void
on_text(struct walk *w)
{
    const struct mdl_line *line = walk_line(w);
    struct wf_task_head head;

    if (w->phase != NOWHERE && w->region != REGION_GATE_SECTION &&
        wf_read_task_head(line->text, &head) && head.word && head.bold && head.firm &&
        walk_begins_task(w, &head, FORM_PARAGRAPH)) {
        walk_start_task(w, &head, FORM_PARAGRAPH);
        return;
    }
    (void)walk_take_label(w, line->text, line->indent * 2);
}

/* A heading that begins with "Task N.M". */
static bool
take_task_heading(struct walk *w)
{
    struct wf_task_head head;

    if (!wf_read_task_head(walk_line(w)->text, &head) || !head.word) {
        return false;
    }
    if (w->phase == NOWHERE) {
        walk_close_region(w, w->at);
    } else if (walk_begins_task(w, &head, FORM_HEADING)) {
        walk_start_task(w, &head, FORM_HEADING);
    } else {
        if (head.phase != draft_phase(w->t, w->phase)->number) {
            warn_misplaced(w, &head);
        } else {
            problems_add(w->t->problems, PROBLEM_WARNING, w->t->file, walk_line(w)->number, 0,
                         "task %d.%d is there already, this one is left out", head.phase,
                         head.number);
        }
        walk_end_task(w);
    }
    return true;
}

static bool
take_gate_heading(struct walk *w)
{
    const struct mdl_line *line = walk_line(w);
    unsigned level = w->phase == NOWHERE ? 0 : draft_phase(w->t, w->phase)->level;
    int number;
    bool many;

    if (wf_read_gate_head(line->text, &number, &many)) {
        if (many && number < 0 && (w->phase == NOWHERE || line->level <= level)) {
            walk_end_phase(w);
            w->gates = line->level;
            return true;
        }
        walk_start_gate(w, number, -1);
        return true;
    }
    if (w->gates && line->level > w->gates && wf_read_phase_number(line->text, &number)) {
        walk_start_gate(w, number, -1);
        return true;
    }
    return false;
}

/* A heading inside a task or phase that is a label, such as "Acceptance Criteria". */
static bool
take_label_heading(struct walk *w)
{
    const struct mdl_line *line = walk_line(w);
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
        walk_task_label(w, &label, -1);
    } else {
        walk_phase_label(w, &label, -1);
    }
    w->heading = line->level;
    return true;
}

/* Any other heading: it ends what it is not below. */
static void
plain_heading(struct walk *w)
{
    const struct mdl_line *line = walk_line(w);
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
        walk_end_phase(w);
    } else if (w->task != NOWHERE) {
        task = &w->t->md->lines[draft_task(w->t, w->task)->begin];
        if (task->kind != MDL_HEADING || line->level <= task->level) {
            walk_end_task(w);
        }
    }
    if (w->phase != NOWHERE) {
        walk_open_region(w, REGION_OTHER, -1);
    } else {
        walk_close_region(w, w->at);
    }
}

static void
on_heading(struct walk *w)
{
    struct wf_phase_head head;
    struct slice text = walk_line(w)->text;

    if (take_task_heading(w) || take_gate_heading(w)) {
        return;
    }
    if (w->numbered ? wf_read_numbered_head(text, &head) : wf_read_phase_head(text, &head)) {
        walk_start_phase(w, &head);
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
        case MDL_HEADING:
            on_heading(&w);
            break;
        case MDL_ITEM:
            on_item(&w);
            break;
        case MDL_TEXT:
            on_text(&w);
            break;
        case MDL_BREAK:
            walk_close_region(&w, w.at);
            break;
        default:
            break;
        }
    }
    walk_end_phase(&w);
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
        err = fault_set(f, E_OVERLOAD, "no memory for the task list");
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
