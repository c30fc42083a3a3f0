/* workflow_definition.h -- reads a YAML definition of phases into a struct wf_source.
 *
 * Such a definition lists phases with tasks, their criteria, and gates with typed evidence.  What
 * makes no sense is refused with its place; what is merely missing becomes a default and a warning.
 */
#ifndef TANDEM_WORKFLOW_DEFINITION_H
#define TANDEM_WORKFLOW_DEFINITION_H

#include "state/workflow_source.h"

/* Parses 'text' into a new '*source', counted.  Phases are numbered as written, "N+k" as
 * wf_source_place() says; their gates are kept as nodes, and shown as the descriptions of their
 * fields.  Pure; adds what it finds to 'problems' (may be null) under the name 'file'.  E_REFUSED,
 * with the place of the first error; E_TOO_LARGE; E_LIMIT. */
enum err wf_definition_parse(struct slice text, const char *file, struct problems *problems,
                             struct wf_source **source, struct fault *f);

#endif
