/* workflow_tasklist.h -- reads a task list (tasks.md) into a struct wf_source.
 *
 * What counts: a phase is a heading "Phase N: name" (or, in a list without any such heading, "N.
 * name" whose section has tasks); numbers rise, and what repeats a number is a summary.  A task is
 * a heading or list item that starts with "Task N.M", or a box with N.M, where N is its phase.
 * Criteria are the boxes below "Acceptance Criteria", plain bullets if there is no box; gates are
 * those below "Validation Gate", in the phase or in a section at the end that names it.  What
 * stands in a fence or a comment is never read. */
#ifndef TANDEM_WORKFLOW_TASKLIST_H
#define TANDEM_WORKFLOW_TASKLIST_H

#include "state/workflow_source.h"

/* Parses 'text' into a new '*source', counted.  Pure and linear but for the problems, which it adds
 * under the name 'file' with their lines ('problems' may be null): what was left out, as warnings.
 * E_REFUSED if no phase with a task is found, or if the text is not UTF-8; E_TOO_LARGE over one of
 * the limits of workflow_source.h; E_LIMIT without memory. */
enum err wf_tasklist_parse(struct slice text, const char *file, struct problems *problems,
                           struct wf_source **source, struct fault *f);

#endif
