/* workflow_template.h -- fills the templates of dynamic phases, in one pass.
 *
 * Two dialects, freely mixed.  "[PHASE_NAME]": an upper-case name in brackets is replaced if there
 * is a value of that name, and stays as it is if not, for prose uses brackets too.  "{{name}}",
 * "{{#each list}}...{{/each}}", "{{#if name}}...{{else}}...{{/if}}": an unknown name becomes empty,
 * and a warning.  A value is never looked through for placeholders.  "${{" is text.  Pure; a parsed
 * template is immutable, any thread may render it. */
#ifndef TANDEM_WORKFLOW_TEMPLATE_H
#define TANDEM_WORKFLOW_TEMPLATE_H

#include "state/base/err.h"
#include "state/base/mem.h"
#include "state/base/problems.h"

#include <jansson.h>

#define WF_TEMPLATE_BYTES_MAX (1024u * 1024)
#define WF_TEMPLATE_DEPTH_MAX 8u               /* Blocks within blocks. */
#define WF_TEMPLATE_OUT_MAX (8u * 1024 * 1024) /* Bytes of a rendered text. */
#define WF_TEMPLATE_STEPS_MAX 1000000u         /* Pieces of a template that one rendering passes. */

struct wf_template;

/* Parses 'text', which is copied, into a new '*t' for the caller to free.  'file' names it in
 * problems: blocks that do not match are warnings, with their line.  E_TOO_LARGE over a bound;
 * E_LIMIT. */
enum err wf_template_parse(struct slice text, const char *file, struct wf_template **t,
                           struct problems *problems, struct fault *f);
/* Null is ignored. */
void wf_template_free(struct wf_template *t);

/* Appends the text of 't' filled from 'values', an object, to 'out'.  A string, number or boolean
 * is written as it is; a list as lines with boxes: of strings open ones, of objects {text, done} as
 * told. A name is looked for in the current item of an 'each', then outside it; 'this' is the item.
 * Unknown names are added to 'problems' (may be null) once each.  E_TOO_LARGE over a bound;
 * E_LIMIT. */
enum err wf_template_render(const struct wf_template *t, const json_t *values, struct buf *out,
                            struct problems *problems, struct fault *f);

#endif
